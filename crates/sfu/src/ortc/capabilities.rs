//! What a router can do, and the bounds of what a client may say that it can.

use protocol::MediaKind;
use protocol::rtp::{
    CodecSetting, CodecSettings, ExtensionDirection, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
};

use super::codecs::{RouterCodec, router_codecs};
use crate::rtp::{EXTENSIONS, Extension};

/// Codecs that a client may list in its capabilities; Chromium lists 50 before it knows the router's.
pub const CODECS_MAX: usize = 128;
/// Header extensions that a client may list in its capabilities.
pub const EXTENSIONS_MAX: usize = 128;

/// What every router can receive, for `Device.load`: the same for all clients and rooms.
pub fn router_capabilities() -> RtpCapabilities {
    let mut codecs = Vec::new();
    for codec in router_codecs() {
        codecs.push(capability(codec));
        codecs.extend(codec.rtx_payload_type.map(|rtx| rtx_capability(codec, rtx)));
    }
    let header_extensions = EXTENSIONS
        .into_iter()
        .flat_map(|extension| [MediaKind::Audio, MediaKind::Video].map(|kind| (kind, extension)))
        .filter_map(|(kind, extension)| {
            Some(RtpHeaderExtension {
                kind,
                uri: extension.uri().to_owned(),
                preferred_id: extension.router_id(),
                preferred_encrypt: false,
                direction: Some(direction(kind, extension)?),
            })
        })
        .collect();
    RtpCapabilities { codecs, header_extensions }
}

/// Whether a client's capabilities are small enough to be kept and searched on each `consume`.
pub fn within_bounds(capabilities: &RtpCapabilities) -> bool {
    capabilities.codecs.len() <= CODECS_MAX && capabilities.header_extensions.len() <= EXTENSIONS_MAX
}

/// The names of the router's codecs that a client with these capabilities can receive, the router's first choice first.
pub fn receivable(kind: MediaKind, capabilities: &RtpCapabilities) -> Vec<String> {
    router_codecs()
        .filter(|codec| codec.row.kind == kind && codec.row.capability(capabilities).is_some())
        .map(|codec| codec.row.mime_type.to_owned())
        .collect()
}

/// In which direction the router uses an extension for a kind of media; none where it means nothing there.
pub(super) fn direction(kind: MediaKind, extension: Extension) -> Option<ExtensionDirection> {
    use ExtensionDirection::{Recvonly, Sendrecv};
    match (extension, kind) {
        // A consumer is one stream, so only publishers name streams; and mediasoup's rule for audio, which is too
        // little to measure a path with.
        (Extension::Rid | Extension::RepairedRid, MediaKind::Video) | (Extension::TransportCc, MediaKind::Audio) => {
            Some(Recvonly)
        }
        (Extension::Mid | Extension::AbsSendTime | Extension::AbsCaptureTime, _)
        | (Extension::AudioLevel, MediaKind::Audio)
        | (
            Extension::TransportCc
            | Extension::DependencyDescriptor
            | Extension::VideoOrientation
            | Extension::TransmissionOffset
            | Extension::PlayoutDelay,
            MediaKind::Video,
        ) => Some(Sendrecv),
        (_, MediaKind::Audio) | (Extension::AudioLevel, MediaKind::Video) => None,
    }
}

/// The settings of the `rtx` codec that retransmits `payload_type`.
pub(super) fn rtx_settings(payload_type: u8) -> CodecSettings {
    CodecSettings::from([("apt".to_owned(), CodecSetting::Number(payload_type.into()))])
}

fn capability(codec: RouterCodec) -> RtpCodecCapability {
    RtpCodecCapability {
        kind: codec.row.kind,
        mime_type: codec.row.mime_type.to_owned(),
        preferred_payload_type: Some(codec.payload_type),
        clock_rate: codec.row.clock_rate,
        channels: codec.row.channels,
        parameters: codec.row.offered_settings(),
        rtcp_feedback: codec.row.offered_feedback(),
    }
}

fn rtx_capability(codec: RouterCodec, payload_type: u8) -> RtpCodecCapability {
    RtpCodecCapability {
        kind: codec.row.kind,
        mime_type: codec.row.rtx_mime_type().to_owned(),
        preferred_payload_type: Some(payload_type),
        clock_rate: codec.row.clock_rate,
        channels: None,
        parameters: rtx_settings(codec.payload_type),
        rtcp_feedback: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_video_codec_is_followed_by_its_rtx() {
        let codecs = router_capabilities().codecs;
        let listed: Vec<_> = codecs.iter().map(|c| (c.mime_type.as_str(), c.preferred_payload_type)).collect();
        assert_eq!(
            listed,
            [
                ("audio/opus", Some(100)),
                ("video/VP8", Some(101)),
                ("video/rtx", Some(102)),
                ("video/H264", Some(103)),
                ("video/rtx", Some(104)),
                ("video/VP9", Some(105)),
                ("video/rtx", Some(106)),
                ("video/AV1", Some(107)),
                ("video/rtx", Some(108)),
            ]
        );
        for pair in codecs[1..].chunks(2) {
            assert_eq!(pair[1].parameters, rtx_settings(pair[0].preferred_payload_type.expect("one")));
        }
    }

    #[test]
    fn what_a_client_can_receive_is_named_in_the_routers_order() {
        let mut client = router_capabilities();
        client.codecs.reverse();
        assert_eq!(receivable(MediaKind::Audio, &client), ["audio/opus"]);
        assert_eq!(receivable(MediaKind::Video, &client), ["video/VP8", "video/H264", "video/VP9", "video/AV1"]);
        client.codecs.retain(|codec| codec.mime_type != "video/VP9");
        for codec in &mut client.codecs {
            codec.mime_type.make_ascii_lowercase();
            if codec.mime_type == "video/h264" {
                codec.parameters.clear();
            }
        }
        assert_eq!(receivable(MediaKind::Video, &client), ["video/VP8", "video/AV1"], "by profile, whatever the case");
        assert_eq!(receivable(MediaKind::Video, &RtpCapabilities::default()), <[String; 0]>::default());
    }

    #[test]
    fn opus_is_offered_with_fec_and_without_nack() {
        let opus = &router_capabilities().codecs[0];
        assert_eq!(opus.parameters.get("useinbandfec"), Some(&CodecSetting::Number(1)));
        assert!(opus.rtcp_feedback.iter().all(|feedback| feedback.kind == "transport-cc"));
    }

    #[test]
    fn streams_are_named_by_publishers_only_and_audio_gets_no_transport_cc() {
        let extensions = router_capabilities().header_extensions;
        let of = |kind, extension: Extension| {
            extensions
                .iter()
                .find(|e| e.kind == kind && e.uri == extension.uri())
                .map(|e| (e.preferred_id, e.direction))
        };
        let (audio, video) = (MediaKind::Audio, MediaKind::Video);
        assert_eq!(of(audio, Extension::Mid), Some((1, Some(ExtensionDirection::Sendrecv))));
        assert_eq!(of(video, Extension::Rid), Some((2, Some(ExtensionDirection::Recvonly))));
        assert_eq!(of(audio, Extension::Rid), None);
        assert_eq!(of(audio, Extension::TransportCc), Some((5, Some(ExtensionDirection::Recvonly))));
        assert_eq!(of(video, Extension::TransportCc), Some((5, Some(ExtensionDirection::Sendrecv))));
        assert_eq!(of(video, Extension::AudioLevel), None);
        assert_eq!(of(video, Extension::PlayoutDelay), Some((11, Some(ExtensionDirection::Sendrecv))));
    }

    #[test]
    fn every_extension_is_offered() {
        let extensions = router_capabilities().header_extensions;
        assert!(EXTENSIONS.iter().all(|extension| extensions.iter().any(|e| e.uri == extension.uri())));
    }
}
