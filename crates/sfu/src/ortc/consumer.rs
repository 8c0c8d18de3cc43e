//! Whether a client can receive a producer, and with which parameters.

use protocol::rtp::{
    ExtensionDirection, RtcpFeedback, RtcpParameters, RtpCapabilities, RtpCodecCapability, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};

use super::capabilities::direction;
use super::codecs::{apt, is_rtx};
use super::producer::ProducerMapping;
use super::scalability::ScalabilityMode;
use crate::rtp::{EXTENSIONS, Extension};

/// What the transport decides about a new consumer.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerStream<'a> {
    /// Its media section: never used before on its transport.
    pub mid: &'a str,
    /// The canonical name; equal for what is to be played in time with each other.
    pub cname: &'a str,
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions, used where the client takes them.
    pub rtx_ssrc: u32,
}

/// Why a client cannot receive a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotConsume {
    /// The client's capabilities lack the producer's codec.
    #[error("the client's rtpCapabilities do not have {0}")]
    Codec(&'static str),
}

/// Whether a client with these capabilities can receive the producer.
pub fn can_consume(producer: &ProducerMapping, capabilities: &RtpCapabilities) -> bool {
    producer.codec.row.capability(capabilities).is_some()
}

/// What a client with these capabilities is to be told about a new consumer of the producer. Its numbers are the
/// router's, so they hold for every source that the producer may get later.
pub fn consumer_parameters(
    producer: &ProducerMapping,
    capabilities: &RtpCapabilities,
    stream: ConsumerStream<'_>,
) -> Result<RtpParameters, CannotConsume> {
    let row = producer.codec.row;
    let receivable = row.capability(capabilities).ok_or(CannotConsume::Codec(row.mime_type))?;
    let rtx_payload_type = producer.codec.rtx_payload_type.filter(|_| retransmits(receivable, capabilities));
    let header_extensions = common_extensions(producer, capabilities);

    let feedback = common_feedback(producer, receivable, rtx_payload_type.is_some(), &header_extensions);

    Ok(RtpParameters {
        mid: Some(stream.mid.to_owned()),
        codecs: producer.codecs(rtx_payload_type, feedback),
        header_extensions,
        encodings: vec![RtpEncodingParameters {
            ssrc: Some(stream.ssrc),
            rtx: rtx_payload_type.map(|_| RtxParameters { ssrc: stream.rtx_ssrc }),
            scalability_mode: scalability_mode(producer).map(|mode| mode.to_string()),
            ..RtpEncodingParameters::default()
        }],
        rtcp: RtcpParameters { cname: Some(stream.cname.to_owned()), reduced_size: Some(true) },
        msid: None,
    })
}

/// Whether the client takes retransmissions of this codec.
fn retransmits(codec: &RtpCodecCapability, capabilities: &RtpCapabilities) -> bool {
    let repairs = |rtx: &RtpCodecCapability| is_rtx(&rtx.mime_type) && apt(&rtx.parameters).is_some();
    let of_codec = |rtx: &RtpCodecCapability| apt(&rtx.parameters) == codec.preferred_payload_type;
    capabilities.codecs.iter().any(|rtx| repairs(rtx) && of_codec(rtx))
}

/// The extensions that the router sends for this kind and that the client knows under the router's id. The kind
/// on the client's side is not compared: browsers share ids between kinds, and `mediasoup-client` then lists one.
fn common_extensions(producer: &ProducerMapping, capabilities: &RtpCapabilities) -> Vec<RtpHeaderExtensionParameters> {
    let known = |extension: Extension| {
        let same =
            |e: &protocol::rtp::RtpHeaderExtension| e.preferred_id == extension.router_id() && e.uri == extension.uri();
        capabilities.header_extensions.iter().any(same)
    };
    EXTENSIONS
        .into_iter()
        .filter(|&extension| direction(producer.kind, extension) == Some(ExtensionDirection::Sendrecv))
        .filter(|&extension| known(extension))
        .map(|extension| RtpHeaderExtensionParameters {
            uri: extension.uri().to_owned(),
            id: extension.router_id(),
            encrypt: false,
        })
        .collect()
}

/// The feedback that both sides understand, with one way of estimating bandwidth at most.
fn common_feedback(
    producer: &ProducerMapping,
    codec: &RtpCodecCapability,
    has_rtx: bool,
    extensions: &[RtpHeaderExtensionParameters],
) -> Vec<RtcpFeedback> {
    let uses = |extension: Extension| extensions.iter().any(|e| e.id == extension.router_id());
    let estimation = if uses(Extension::TransportCc) {
        Some("transport-cc")
    } else if uses(Extension::AbsSendTime) {
        Some("goog-remb")
    } else {
        None
    };
    let keep = |feedback: &RtcpFeedback| match feedback.kind.as_str() {
        "transport-cc" | "goog-remb" => estimation == Some(feedback.kind.as_str()),
        // What is asked for again goes out on the RTX SSRC or not at all.
        "nack" if feedback.parameter.is_empty() => has_rtx,
        _ => true,
    };
    let mut feedback = producer.codec.row.offered_feedback();
    feedback.retain(|feedback| keep(feedback) && codec.rtcp_feedback.contains(feedback));
    feedback
}

/// Simulcast streams are presented as the spatial layers of one.
fn scalability_mode(producer: &ProducerMapping) -> Option<ScalabilityMode> {
    let mode = producer.encodings.iter().find_map(|encoding| encoding.scalability_mode);
    match producer.encodings.len() {
        0 | 1 => mode,
        layers => Some(ScalabilityMode {
            spatial: u8::try_from(layers).unwrap_or(u8::MAX),
            temporal: mode.map_or(1, |mode| mode.temporal),
            key: false,
        }),
    }
}
