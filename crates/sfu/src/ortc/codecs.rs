//! The codec table: what the router offers, and when two descriptions of a codec mean the same.

use protocol::MediaKind;
use protocol::rtp::{CodecSetting, CodecSettings, RtcpFeedback, RtpCapabilities, RtpCodecCapability};

use super::h264;
use crate::codec::Codec;

/// A codec that the SFU forwards. A row of [`OFFERED`] is all that a further one needs here.
#[derive(Debug, PartialEq, Eq)]
pub struct CodecRow {
    /// How its payload is read.
    pub codec: Codec,
    /// Audio or video; each video codec is offered with its `video/rtx`.
    pub kind: MediaKind,
    /// Its name in capabilities and parameters.
    pub mime_type: &'static str,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Audio channels; none for video.
    pub channels: Option<u8>,
    /// The `fmtp` settings that the router offers.
    pub settings: &'static [(&'static str, Setting)],
    /// Names of the settings that describe the stream itself, so that consumers are told the producer's value.
    pub stream_settings: &'static [&'static str],
    /// Types and parameters of the RTCP feedback that the router offers.
    pub feedback: &'static [(&'static str, &'static str)],
    /// Which settings make two descriptions different codecs.
    pub variant: Variant,
}

/// A value of [`CodecRow::settings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// A number.
    Number(i64),
    /// A text.
    Text(&'static str),
}

/// The settings that must agree for a strict match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    /// None: the name, clock rate and channels are enough.
    Any,
    /// `packetization-mode`, and the profile within `profile-level-id` (RFC 6184 8.1).
    H264,
    /// `profile-id` (RFC 9628 6).
    Vp9,
    /// `profile` (AV1 RTP specification 7.2.1).
    Av1,
}

const VIDEO_FEEDBACK: &[(&str, &str)] =
    &[("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", ""), ("transport-cc", "")];

/// What the router offers, the preferred first: a client that does not choose sends the first of a kind that it has.
///
/// One variant of each codec, the one that Chromium and Firefox both encode and decode: more would be more codecs in
/// each description and no more pairs of clients that understand each other.
pub static OFFERED: [CodecRow; 5] = [
    CodecRow {
        codec: Codec::Opus,
        kind: MediaKind::Audio,
        mime_type: "audio/opus",
        clock_rate: 48_000,
        channels: Some(2),
        settings: &[("useinbandfec", Setting::Number(1))],
        stream_settings: &["minptime", "sprop-maxcapturerate", "sprop-stereo", "stereo", "usedtx", "useinbandfec"],
        // In-band FEC repairs audio; a client that is offered `nack` for Opus would also wait for retransmissions.
        feedback: &[("transport-cc", "")],
        variant: Variant::Any,
    },
    CodecRow { codec: Codec::Vp8, mime_type: "video/VP8", ..VIDEO },
    CodecRow {
        codec: Codec::H264,
        mime_type: "video/H264",
        // RFC 7742 6.2 makes Constrained Baseline everybody's; packetization mode 0 could not send a slice that is
        // larger than a packet. The level is what a client can receive: 3.1 is 1280x720, and none is held to it.
        settings: &[
            ("packetization-mode", Setting::Number(1)),
            ("profile-level-id", Setting::Text("42e01f")),
            ("level-asymmetry-allowed", Setting::Number(1)),
        ],
        stream_settings: &["packetization-mode", "profile-level-id", "level-asymmetry-allowed"],
        variant: Variant::H264,
        ..VIDEO
    },
    CodecRow {
        codec: Codec::Vp9,
        mime_type: "video/VP9",
        // 8 bits, 4:2:0. Profile 2 has 10 bits, for which browsers have no camera.
        settings: &[("profile-id", Setting::Number(0))],
        stream_settings: &["profile-id"],
        variant: Variant::Vp9,
        ..VIDEO
    },
    CodecRow {
        codec: Codec::Av1,
        mime_type: "video/AV1",
        // Profile 0 (Main) is the default. It is not said, because `mediasoup-client` would not compare it.
        stream_settings: &["level-idx", "profile", "tier"],
        variant: Variant::Av1,
        ..VIDEO
    },
];

/// What all video codecs have in common.
const VIDEO: CodecRow = CodecRow {
    codec: Codec::Vp8,
    kind: MediaKind::Video,
    mime_type: "",
    clock_rate: 90_000,
    channels: None,
    settings: &[],
    stream_settings: &[],
    feedback: VIDEO_FEEDBACK,
    variant: Variant::Any,
};

/// A row with the payload types that every router gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterCodec {
    /// The codec.
    pub row: &'static CodecRow,
    /// Its payload type towards clients.
    pub payload_type: u8,
    /// The payload type of its retransmissions; none for audio.
    pub rtx_payload_type: Option<u8>,
}

/// Every offered codec with its payload types.
pub fn router_codecs() -> impl Iterator<Item = RouterCodec> {
    assign(&OFFERED)
}

/// Gives payload types in mediasoup's order. 127 is left out: `mediasoup-client` uses it for the probator.
fn assign(rows: &'static [CodecRow]) -> impl Iterator<Item = RouterCodec> {
    let mut free = (100..=126).chain(96..=99);
    rows.iter().map_while(move |row| {
        let payload_type = free.next()?;
        let rtx_payload_type = match row.kind {
            MediaKind::Audio => None,
            MediaKind::Video => Some(free.next()?),
        };
        Some(RouterCodec { row, payload_type, rtx_payload_type })
    })
}

impl CodecRow {
    /// Whether an endpoint's description means this codec: mediasoup's strict match.
    pub fn matches(&self, mime_type: &str, clock_rate: u32, channels: Option<u8>, settings: &CodecSettings) -> bool {
        let same_channels = match self.kind {
            MediaKind::Audio => channels.unwrap_or(1) == self.channels.unwrap_or(1),
            MediaKind::Video => true,
        };
        mime_type.eq_ignore_ascii_case(self.mime_type)
            && clock_rate == self.clock_rate
            && same_channels
            && self.variant.same(settings, &self.offered_settings())
    }

    /// A client's entry for this codec.
    pub fn capability<'a>(&self, capabilities: &'a RtpCapabilities) -> Option<&'a RtpCodecCapability> {
        capabilities.codecs.iter().find(|c| self.matches(&c.mime_type, c.clock_rate, c.channels, &c.parameters))
    }

    /// The `fmtp` settings that the router offers.
    pub fn offered_settings(&self) -> CodecSettings {
        let value = |setting| match setting {
            Setting::Number(number) => CodecSetting::Number(number),
            Setting::Text(text) => CodecSetting::Text(text.to_owned()),
        };
        self.settings.iter().map(|&(name, setting)| (name.to_owned(), value(setting))).collect()
    }

    /// The name of its retransmissions (RFC 4588 8.6).
    pub fn rtx_mime_type(&self) -> &'static str {
        match self.kind {
            MediaKind::Audio => "audio/rtx",
            MediaKind::Video => "video/rtx",
        }
    }

    /// The feedback that the router offers.
    pub fn offered_feedback(&self) -> Vec<RtcpFeedback> {
        let feedback =
            |&(kind, parameter): &(&str, &str)| RtcpFeedback { kind: kind.to_owned(), parameter: parameter.to_owned() };
        self.feedback.iter().map(feedback).collect()
    }
}

impl Variant {
    fn same(self, one: &CodecSettings, other: &CodecSettings) -> bool {
        let equal = |name| number(one, name) == number(other, name);
        match self {
            Variant::Any => true,
            Variant::H264 => {
                let profile = h264::profile(one);
                equal("packetization-mode") && profile.is_some() && profile == h264::profile(other)
            }
            Variant::Vp9 => equal("profile-id"),
            Variant::Av1 => equal("profile"),
        }
    }
}

/// A number of a `fmtp` line, which some clients send as text; 0 is the default of all that are compared.
fn number(settings: &CodecSettings, name: &str) -> Option<i64> {
    match settings.get(name) {
        None => Some(0),
        Some(CodecSetting::Number(number)) => Some(*number),
        Some(CodecSetting::Text(text)) => text.parse().ok(),
    }
}

/// Whether a codec is the retransmission of another (RFC 4588).
pub(super) fn is_rtx(mime_type: &str) -> bool {
    mime_type.split_once('/').is_some_and(|(_, name)| name.eq_ignore_ascii_case("rtx"))
}

/// The payload type that an `rtx` codec retransmits.
pub(super) fn apt(settings: &CodecSettings) -> Option<u8> {
    match settings.get("apt") {
        Some(CodecSetting::Number(number)) => u8::try_from(*number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> CodecSettings {
        serde_json::from_str(json).expect("settings")
    }

    #[test]
    fn every_row_has_its_payload_types() {
        let codecs: Vec<_> = router_codecs().collect();
        assert_eq!(codecs.len(), OFFERED.len());
        let types: Vec<_> = codecs.iter().map(|codec| (codec.payload_type, codec.rtx_payload_type)).collect();
        assert_eq!(
            types,
            [(100, None), (101, Some(102)), (103, Some(104)), (105, Some(106)), (107, Some(108))],
            "each video codec has its rtx, and 127 stays free for the probator"
        );
    }

    #[test]
    fn names_match_without_regard_to_case_and_channels_matter_for_audio_only() {
        let [opus, vp8, ..] = &OFFERED;
        let none = CodecSettings::new();
        assert!(opus.matches("AUDIO/Opus", 48_000, Some(2), &none));
        assert!(!opus.matches("audio/opus", 48_000, None, &none));
        assert!(!opus.matches("audio/opus", 16_000, Some(2), &none));
        assert!(vp8.matches("video/vp8", 90_000, Some(1), &none));
        assert!(!vp8.matches("video/VP9", 90_000, None, &none));
    }

    #[test]
    fn h264_matches_by_packetization_mode_and_profile_whatever_the_level() {
        let same = |one, other| Variant::H264.same(&settings(one), &settings(other));
        let base = r#"{"packetization-mode": 1, "profile-level-id": "42e01f"}"#;
        assert!(same(base, r#"{"packetization-mode": 1, "profile-level-id": "42e034"}"#));
        assert!(same(base, r#"{"packetization-mode": "1"}"#), "constrained baseline is the default");
        assert!(!same(base, r#"{"profile-level-id": "42e01f"}"#));
        assert!(!same(base, r#"{"packetization-mode": 1, "profile-level-id": "42001f"}"#));
        assert!(!same(base, r#"{"packetization-mode": 1, "profile-level-id": "640c1f"}"#));
        assert!(!same(r#"{"profile-level-id": "zzz"}"#, r#"{"profile-level-id": "zzz"}"#));
    }

    #[test]
    fn vp9_and_av1_match_by_profile_which_is_0_when_absent() {
        assert!(Variant::Vp9.same(&settings("{}"), &settings(r#"{"profile-id": 0}"#)));
        assert!(!Variant::Vp9.same(&settings("{}"), &settings(r#"{"profile-id": 2}"#)));
        assert!(Variant::Av1.same(&settings(r#"{"level-idx": 5, "profile": 0}"#), &settings("{}")));
        assert!(!Variant::Av1.same(&settings(r#"{"profile": 1}"#), &settings("{}")));
    }
}
