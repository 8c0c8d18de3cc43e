//! RTP parameters and capabilities in the terms of `str0m`, and back.

use protocol::MediaKind;
use protocol::rtp::{
    CodecSetting, CodecSettings, ExtensionDirection, RtcpFeedback, RtcpParameters, RtpCapabilities, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};
use str0m::format::{Codec, FormatParams};
use str0m::media::Frequency;
use str0m::rtp::Extension;
use str0m::{Rtc, RtcConfig};

/// Chromium's payload types when it offers.
const OPUS: u8 = 111;
const VP8: u8 = 96;
const VP8_RTX: u8 = 97;
/// mediasoup-client's for the server's bandwidth probes.
const PROBATOR: u8 = 127;

/// Chromium's ids of the header extensions that a publisher sends, which are not the router's.
fn sent_extensions(kind: MediaKind) -> Vec<(u8, Extension)> {
    let mut extensions =
        vec![(2, Extension::AbsoluteSendTime), (3, Extension::TransportSequenceNumber), (4, Extension::RtpMid)];
    match kind {
        MediaKind::Audio => extensions.push((1, Extension::AudioLevel)),
        MediaKind::Video => extensions.push((13, Extension::VideoOrientation)),
    }
    extensions
}

/// The extensions of which `str0m` can read the values.
const RECEIVED_EXTENSIONS: [Extension; 5] = [
    Extension::RtpMid,
    Extension::AbsoluteSendTime,
    Extension::TransportSequenceNumber,
    Extension::AudioLevel,
    Extension::VideoOrientation,
];

/// `str0m` as a publisher.
pub(super) fn sender_config() -> RtcConfig {
    let mut config = Rtc::builder().set_rtp_mode(true).clear_codecs().clear_extension_map();
    add_codec(&mut config, Codec::Opus, OPUS, None);
    add_codec(&mut config, Codec::Vp8, VP8, Some(VP8_RTX));
    for kind in [MediaKind::Audio, MediaKind::Video] {
        for (id, extension) in sent_extensions(kind) {
            config = config.set_extension(id, extension);
        }
    }
    config
}

/// `str0m` as a receiver of what a router with these capabilities sends.
pub(super) fn receiver_config(router: &RtpCapabilities) -> RtcConfig {
    let mut config = Rtc::builder().set_rtp_mode(true).clear_codecs().clear_extension_map();
    for capability in &router.codecs {
        let Some(payload_type) = capability.preferred_payload_type else { continue };
        let rtx = router.codecs.iter().find(|codec| apt(&codec.parameters) == Some(i64::from(payload_type)));
        let rtx = rtx.and_then(|codec| codec.preferred_payload_type);
        match capability.mime_type.to_ascii_lowercase().as_str() {
            "audio/opus" => add_codec(&mut config, Codec::Opus, payload_type, None),
            "video/vp8" => add_codec(&mut config, Codec::Vp8, payload_type, rtx),
            _ => {}
        }
    }
    add_codec(&mut config, Codec::Vp8, PROBATOR, None);
    for extension in &receive_capabilities(router).header_extensions {
        if let Some(known) = known_extension(&extension.uri) {
            config = config.set_extension(extension.preferred_id, known);
        }
    }
    config
}

/// What such a receiver would say of itself in `join`: what `Device.recvRtpCapabilities` gives in a browser.
pub fn receive_capabilities(router: &RtpCapabilities) -> RtpCapabilities {
    let mut capabilities = router.clone();
    capabilities.codecs.retain(|codec| {
        ["audio/opus", "video/vp8", "video/rtx"].contains(&codec.mime_type.to_ascii_lowercase().as_str())
    });
    capabilities.header_extensions.retain(|extension| {
        let sends =
            matches!(extension.direction, None | Some(ExtensionDirection::Sendrecv | ExtensionDirection::Sendonly));
        sends && known_extension(&extension.uri).is_some()
    });
    capabilities
}

/// What a publisher says in `produce`, with Chromium's payload types and header extension ids.
pub(super) fn produce_parameters(
    kind: MediaKind,
    mid: &str,
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    cname: &str,
) -> RtpParameters {
    let extensions = sent_extensions(kind).into_iter().map(|(id, extension)| RtpHeaderExtensionParameters {
        uri: extension.as_uri().to_owned(),
        id,
        encrypt: false,
    });
    let codecs = match kind {
        MediaKind::Audio => vec![RtpCodecParameters {
            mime_type: "audio/opus".to_owned(),
            payload_type: OPUS,
            clock_rate: 48_000,
            channels: Some(2),
            parameters: settings(&[("minptime", 10), ("useinbandfec", 1)]),
            rtcp_feedback: feedback(&[("transport-cc", "")]),
        }],
        MediaKind::Video => {
            let all = [("goog-remb", ""), ("transport-cc", ""), ("ccm", "fir"), ("nack", ""), ("nack", "pli")];
            let codec = |mime_type: &str, payload_type, parameters, rtcp_feedback| RtpCodecParameters {
                mime_type: mime_type.to_owned(),
                payload_type,
                clock_rate: 90_000,
                channels: None,
                parameters,
                rtcp_feedback,
            };
            vec![
                codec("video/VP8", VP8, CodecSettings::new(), feedback(&all)),
                codec("video/rtx", VP8_RTX, settings(&[("apt", VP8.into())]), Vec::new()),
            ]
        }
    };
    let encoding = RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx: rtx_ssrc.map(|ssrc| RtxParameters { ssrc }),
        ..RtpEncodingParameters::default()
    };
    RtpParameters {
        mid: Some(mid.to_owned()),
        codecs,
        header_extensions: extensions.collect(),
        encodings: vec![encoding],
        rtcp: RtcpParameters { cname: Some(cname.to_owned()), reduced_size: Some(true) },
        msid: None,
    }
}

/// The payload type that a publisher sends a kind of media under.
pub(super) fn sent_payload_type(kind: MediaKind) -> u8 {
    match kind {
        MediaKind::Audio => OPUS,
        MediaKind::Video => VP8,
    }
}

fn add_codec(config: &mut RtcConfig, codec: Codec, payload_type: u8, rtx: Option<u8>) {
    let (rate, channels) = match codec {
        Codec::Opus => (Frequency::FORTY_EIGHT_KHZ, Some(2)),
        _ => (Frequency::NINETY_KHZ, None),
    };
    let rtx = rtx.map(Into::into);
    config.codec_config().add_config(payload_type.into(), rtx, codec, rate, channels, FormatParams::default());
}

fn known_extension(uri: &str) -> Option<Extension> {
    RECEIVED_EXTENSIONS.into_iter().find(|extension| extension.as_uri() == uri)
}

fn apt(settings: &CodecSettings) -> Option<i64> {
    match settings.get("apt") {
        Some(&CodecSetting::Number(payload_type)) => Some(payload_type),
        _ => None,
    }
}

fn settings(pairs: &[(&str, i64)]) -> CodecSettings {
    pairs.iter().map(|&(name, value)| (name.to_owned(), CodecSetting::Number(value))).collect()
}

fn feedback(pairs: &[(&str, &str)]) -> Vec<RtcpFeedback> {
    let one =
        |&(kind, parameter): &(&str, &str)| RtcpFeedback { kind: kind.to_owned(), parameter: parameter.to_owned() };
    pairs.iter().map(one).collect()
}
