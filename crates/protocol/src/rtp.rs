//! RTP parameters and capabilities (ORTC), in exactly the shapes that `mediasoup-client` 3 uses.
//!
//! Source: mediasoup's `RtpParameters` documentation. Unknown fields are ignored, as browsers add some.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Audio or video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// A codec's `fmtp` parameters: `{"packetization-mode": 1, "profile-level-id": "42e01f"}`.
pub type CodecSettings = BTreeMap<String, CodecSetting>;

/// One value of a codec's `fmtp` line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum CodecSetting {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// A kind of RTCP feedback: `{"type": "nack", "parameter": "pli"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RtcpFeedback {
    /// `nack`, `ccm`, `transport-cc`, `goog-remb`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pli`, `fir` or empty.
    #[serde(default)]
    #[ts(optional, as = "Option<String>")]
    pub parameter: String,
}

/// A codec that an endpoint can handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecCapability {
    /// Audio or video.
    pub kind: MediaKind,
    /// `audio/opus`, `video/VP8`, `video/rtx` …; compared without regard to case.
    pub mime_type: String,
    /// The payload type that the endpoint would rather use; the server and `mediasoup-client` always give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(type = "number")]
    pub preferred_payload_type: Option<u8>,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Audio channels; absent for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub channels: Option<u8>,
    /// The codec's `fmtp` parameters.
    #[serde(default)]
    #[ts(optional, type = "Record<string, unknown>")]
    pub parameters: CodecSettings,
    /// The feedback that the endpoint understands for it.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<RtcpFeedback>>")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// In which direction a header extension may be used, from the endpoint's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum ExtensionDirection {
    /// Both.
    Sendrecv,
    /// Only sent.
    Sendonly,
    /// Only received.
    Recvonly,
    /// Neither.
    Inactive,
}

/// A header extension that an endpoint can handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtension {
    /// Audio or video.
    pub kind: MediaKind,
    /// The extension's name.
    #[ts(type = "RtpHeaderExtensionUri")]
    pub uri: String,
    /// The id that the endpoint would rather use.
    pub preferred_id: u8,
    /// Whether the value should be encrypted (RFC 6904); never here.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub preferred_encrypt: bool,
    /// In which direction it may be used; absent means both.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub direction: Option<ExtensionDirection>,
}

/// What an endpoint can receive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// Codecs, the preferred first.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<RtpCodecCapability>>")]
    pub codecs: Vec<RtpCodecCapability>,
    /// Header extensions.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<RtpHeaderExtension>>")]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

/// A codec in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecParameters {
    /// `audio/opus`, `video/VP8`, `video/rtx` …
    pub mime_type: String,
    /// The payload type on the wire.
    pub payload_type: u8,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Audio channels; absent for video.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub channels: Option<u8>,
    /// The codec's `fmtp` parameters.
    #[serde(default)]
    #[ts(optional, type = "Record<string, unknown>")]
    pub parameters: CodecSettings,
    /// The feedback in use.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<RtcpFeedback>>")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A header extension in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RtpHeaderExtensionParameters {
    /// The extension's name.
    #[ts(type = "RtpHeaderExtensionUri")]
    pub uri: String,
    /// The id on the wire.
    pub id: u8,
    /// Whether the value is encrypted (RFC 6904); never here.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub encrypt: bool,
}

/// The retransmission stream of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RtxParameters {
    /// Its SSRC.
    pub ssrc: u32,
}

/// One stream of a producer or consumer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtpEncodingParameters {
    /// Its SSRC; absent where `rid` names the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub ssrc: Option<u32>,
    /// Its RID (RFC 8852); absent where `ssrc` names the stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rid: Option<String>,
    /// The payload type of its codec, where several are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub codec_payload_type: Option<u8>,
    /// Its retransmission stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub rtx: Option<RtxParameters>,
    /// Discontinuous transmission.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub dtx: Option<bool>,
    /// Spatial and temporal layers, `L1T3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub scalability_mode: Option<String>,
    /// Highest bitrate, in bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_bitrate: Option<u32>,
}

/// How RTCP is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtcpParameters {
    /// The canonical name (RFC 3550 6.5.1): streams that share it are played in time with each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub cname: Option<String>,
    /// Reduced-size RTCP (RFC 5506).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reduced_size: Option<bool>,
}

/// What a producer sends or a consumer receives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RtpParameters {
    /// The media section that carries it; on a consumer never reused within its transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mid: Option<String>,
    /// The codec, and `rtx` for it.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions in use.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<RtpHeaderExtensionParameters>>")]
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// The streams; a consumer has exactly one.
    #[serde(default)]
    #[ts(optional, as = "Option<Vec<RtpEncodingParameters>>")]
    pub encodings: Vec<RtpEncodingParameters>,
    /// How RTCP is used.
    #[serde(default)]
    #[ts(optional, as = "Option<RtcpParameters>")]
    pub rtcp: RtcpParameters,
    /// The browser's `msid` line, where it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub msid: Option<String>,
}
