//! What a client's `produce` brings: checked, and translated from the browser's numbers to the router's.

use protocol::MediaKind;
use protocol::rtp::{
    CodecSetting, CodecSettings, RtcpFeedback, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters,
    RtpParameters,
};

use super::capabilities::rtx_settings;
use super::codecs::{OFFERED, RouterCodec, apt, is_rtx, router_codecs};
use super::scalability::ScalabilityMode;
use crate::rtp::{Extension, ExtensionMap};

/// Streams that one producer may have.
pub const ENCODINGS_MAX: usize = 4;
/// Codecs that one producer may list, `rtx` included.
pub const CODECS_MAX: usize = 32;
/// Header extensions that one producer may list.
pub const EXTENSIONS_MAX: usize = 32;
/// Longest mid and rid: what an element of the one-byte form holds (RFC 8285 4.2).
pub const MID_BYTES_MAX: usize = 16;
/// Longest canonical name: what an SDES item holds (RFC 3550 6.5).
pub const CNAME_BYTES_MAX: usize = 255;
/// Longest text of a codec's setting that is handed on.
const SETTING_BYTES_MAX: usize = 256;

/// How the packets of a producer are to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct ProducerMapping {
    /// Audio or video.
    pub kind: MediaKind,
    /// The codec that its encodings use, as the router knows it.
    pub codec: RouterCodec,
    /// The browser's payload type of that codec.
    pub payload_type: u8,
    /// The browser's payload type of retransmissions.
    pub rtx_payload_type: Option<u8>,
    /// The codec's settings that its consumers are told.
    pub settings: CodecSettings,
    /// The browser's ids of the header extensions that the router knows.
    pub extensions: ExtensionMap,
    /// Its streams, from the lowest layer up; 1 to [`ENCODINGS_MAX`].
    pub encodings: Vec<EncodingMapping>,
    /// The browser's canonical name.
    pub cname: Option<String>,
    /// The browser's media section.
    pub mid: Option<String>,
}

impl ProducerMapping {
    /// The codecs of what leaves the router: the producer's under the router's numbers, and its retransmissions' where
    /// they are sent.
    pub(super) fn codecs(&self, rtx_payload_type: Option<u8>, feedback: Vec<RtcpFeedback>) -> Vec<RtpCodecParameters> {
        let row = self.codec.row;
        let mut codecs = vec![RtpCodecParameters {
            mime_type: row.mime_type.to_owned(),
            payload_type: self.codec.payload_type,
            clock_rate: row.clock_rate,
            channels: row.channels,
            parameters: self.settings.clone(),
            rtcp_feedback: feedback,
        }];
        codecs.extend(rtx_payload_type.map(|payload_type| RtpCodecParameters {
            mime_type: row.rtx_mime_type().to_owned(),
            payload_type,
            clock_rate: row.clock_rate,
            channels: None,
            parameters: rtx_settings(self.codec.payload_type),
            rtcp_feedback: Vec::new(),
        }));
        codecs
    }
}

/// One stream of a producer. At least one of `ssrc` and `rid` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingMapping {
    /// The stream's SSRC, if it was told; never 0 and unique within the producer.
    pub ssrc: Option<u32>,
    /// The SSRC of its retransmissions, if it was told; never 0 and unique within the producer.
    pub rtx_ssrc: Option<u32>,
    /// The stream's RID; unique within the producer.
    pub rid: Option<String>,
    /// Whether the stream may fall silent without being broken.
    pub dtx: bool,
    /// Highest bitrate, in bit/s.
    pub max_bitrate: Option<u32>,
    /// The layers within the stream.
    pub scalability_mode: Option<ScalabilityMode>,
}

/// Why RTP parameters cannot be produced. The text is meant for the developer of a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedParameters {
    /// A list is too long.
    #[error("{count} {what} are given, at most {max} are allowed")]
    TooMany {
        /// What the list is of.
        what: &'static str,
        /// Its length.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A codec is not on the table, or is of the other kind.
    #[error("codec {codec} of payload type {payload_type} is not supported here; allowed are {allowed}")]
    Codec {
        /// The codec as it was described.
        codec: String,
        /// Its payload type.
        payload_type: u8,
        /// The router's codecs of the kind.
        allowed: String,
    },
    /// No codec but `rtx` was listed.
    #[error("no codec is given; allowed are {allowed}")]
    NoCodec {
        /// The router's codecs of the kind.
        allowed: String,
    },
    /// A payload type out of range (RFC 5761 4).
    #[error("payload type {0} is not allowed; 0 to 63 and 96 to 127 are")]
    PayloadType(u8),
    /// Two codecs share a payload type.
    #[error("payload type {0} is given to two codecs")]
    DuplicatePayloadType(u8),
    /// An `rtx` codec that repairs nothing.
    #[error("the rtx codec of payload type {0} needs a numeric `apt` that is the payload type of a listed codec")]
    RtxWithoutCodec(u8),
    /// A header extension id that RFC 8285 reserves.
    #[error("header extension id {0} is not allowed; 1 to 14 and 16 to 255 are")]
    ExtensionId(u8),
    /// A header extension or an id is listed twice.
    #[error("header extension id {0} or its uri is listed twice")]
    DuplicateExtension(u8),
    /// An encrypted header extension (RFC 6904).
    #[error("header extension id {0} is encrypted, which is not supported; set `encrypt` to false")]
    EncryptedExtension(u8),
    /// No stream.
    #[error("no encodings are given; 1 to {ENCODINGS_MAX} are needed")]
    NoEncodings,
    /// A stream without a name.
    #[error("encoding {0} has neither ssrc nor rid")]
    UnnamedEncoding(usize),
    /// An SSRC of zero.
    #[error("encoding {0} has an ssrc of 0")]
    ZeroSsrc(usize),
    /// An SSRC is used twice.
    #[error("ssrc {0} is given twice")]
    DuplicateSsrc(u32),
    /// A RID is used twice.
    #[error("the rid of encoding {0} is given twice")]
    DuplicateRid(usize),
    /// A RID of wrong shape.
    #[error("the rid of encoding {0} is not 1 to {MID_BYTES_MAX} letters, digits, '-' or '_'")]
    Rid(usize),
    /// Streams that only a RID names, but packets that cannot carry it.
    #[error(
        "encodings without ssrc need `mid` and the header extensions sdes:mid and sdes:rtp-stream-id, with ids 1 to 14"
    )]
    RidExtensions,
    /// Audio with several streams.
    #[error("audio has one encoding, {0} are given")]
    AudioEncodings(usize),
    /// An encoding names no listed codec, or another than the rest.
    #[error("encoding {0} must use the same codec as the others, and one that is listed")]
    EncodingCodec(usize),
    /// A codec setting that would read as several.
    #[error("the codec setting {0} has a semicolon in it")]
    Setting(&'static str),
    /// A text that would break SDP or is too long.
    #[error("{what} is longer than {max} bytes or has other than visible ASCII characters")]
    Text {
        /// Which.
        what: &'static str,
        /// The limit, in bytes.
        max: usize,
    },
}

/// Checks what a client wants to produce.
pub fn producer_mapping(kind: MediaKind, parameters: &RtpParameters) -> Result<ProducerMapping, UnsupportedParameters> {
    let RtpParameters { mid, codecs, header_extensions, encodings, rtcp, msid: _ } = parameters;
    bounded("codecs", codecs.len(), CODECS_MAX)?;
    bounded("header extensions", header_extensions.len(), EXTENSIONS_MAX)?;
    bounded("encodings", encodings.len(), ENCODINGS_MAX)?;
    let mid = visible("mid", mid.as_deref(), MID_BYTES_MAX)?;
    let cname = visible("rtcp.cname", rtcp.cname.as_deref(), CNAME_BYTES_MAX)?;

    let matched = match_codecs(kind, codecs)?;
    let (used, codec) = used_codec(kind, &matched, encodings)?;
    let rtx_payload_type =
        codecs.iter().find(|c| is_rtx(&c.mime_type) && apt(&c.parameters) == Some(used.payload_type));
    let extensions = map_extensions(header_extensions)?;
    let mapping = ProducerMapping {
        kind,
        codec,
        payload_type: used.payload_type,
        rtx_payload_type: rtx_payload_type.map(|rtx| rtx.payload_type),
        settings: stream_settings(codec, &used.parameters)?,
        extensions,
        encodings: map_encodings(encodings, rtx_payload_type.is_some())?,
        cname: cname.map(str::to_owned),
        mid: mid.map(str::to_owned),
    };
    if kind == MediaKind::Audio && mapping.encodings.len() > 1 {
        return Err(UnsupportedParameters::AudioEncodings(mapping.encodings.len()));
    }
    let by_rid = mapping.encodings.iter().any(|encoding| encoding.ssrc.is_none());
    let has = |extension| mapping.extensions.id(extension).is_some();
    if by_rid && !(mapping.mid.is_some() && has(Extension::Mid) && has(Extension::Rid)) {
        return Err(UnsupportedParameters::RidExtensions);
    }
    Ok(mapping)
}

/// Finds the router's codec for each listed one, and checks that each `rtx` repairs one of them.
fn match_codecs(
    kind: MediaKind,
    codecs: &[RtpCodecParameters],
) -> Result<Vec<(&RtpCodecParameters, RouterCodec)>, UnsupportedParameters> {
    let mut taken = 0_u128;
    for codec in codecs {
        let bit = 1_u128.checked_shl(codec.payload_type.into()).unwrap_or(0);
        // 64 to 95 would read as RTCP on a shared port (RFC 5761 4).
        if bit == 0 || (64..96).contains(&codec.payload_type) {
            return Err(UnsupportedParameters::PayloadType(codec.payload_type));
        }
        if taken & bit != 0 {
            return Err(UnsupportedParameters::DuplicatePayloadType(codec.payload_type));
        }
        taken |= bit;
    }
    let matched = codecs
        .iter()
        .filter(|codec| !is_rtx(&codec.mime_type))
        .map(|codec| Ok((codec, router_codec(kind, codec)?)))
        .collect::<Result<Vec<_>, _>>()?;
    for rtx in codecs.iter().filter(|codec| is_rtx(&codec.mime_type)) {
        let repaired = apt(&rtx.parameters);
        if !matched.iter().any(|(codec, _)| Some(codec.payload_type) == repaired) {
            return Err(UnsupportedParameters::RtxWithoutCodec(rtx.payload_type));
        }
    }
    Ok(matched)
}

fn router_codec(kind: MediaKind, codec: &RtpCodecParameters) -> Result<RouterCodec, UnsupportedParameters> {
    let RtpCodecParameters { mime_type, clock_rate, channels, .. } = codec;
    let found = router_codecs()
        .find(|c| c.row.kind == kind && c.row.matches(mime_type, *clock_rate, *channels, &codec.parameters));
    found.ok_or_else(|| {
        let name: String = mime_type.chars().take(32).flat_map(char::escape_debug).collect();
        let channels = channels.map(|n| format!("/{n}")).unwrap_or_default();
        UnsupportedParameters::Codec {
            codec: format!("{name}/{clock_rate}{channels}"),
            payload_type: codec.payload_type,
            allowed: allowed(kind),
        }
    })
}

/// The codec that all encodings use: the one that they name, else the first.
fn used_codec<'a>(
    kind: MediaKind,
    matched: &[(&'a RtpCodecParameters, RouterCodec)],
    encodings: &[RtpEncodingParameters],
) -> Result<(&'a RtpCodecParameters, RouterCodec), UnsupportedParameters> {
    let &first = matched.first().ok_or_else(|| UnsupportedParameters::NoCodec { allowed: allowed(kind) })?;
    let named = encodings.first().and_then(|encoding| encoding.codec_payload_type);
    let used = match named {
        None => first,
        Some(named) => {
            *matched.iter().find(|(c, _)| c.payload_type == named).ok_or(UnsupportedParameters::EncodingCodec(0))?
        }
    };
    let differs = |encoding: &RtpEncodingParameters| {
        encoding.codec_payload_type.unwrap_or(first.0.payload_type) != used.0.payload_type
    };
    match encodings.iter().position(differs) {
        Some(index) => Err(UnsupportedParameters::EncodingCodec(index)),
        None => Ok(used),
    }
}

/// `audio/opus/48000/2`, and so on.
fn allowed(kind: MediaKind) -> String {
    let name = |row: &super::codecs::CodecRow| {
        let channels = row.channels.map(|n| format!("/{n}")).unwrap_or_default();
        format!("{}/{}{channels}", row.mime_type, row.clock_rate)
    };
    OFFERED.iter().filter(|row| row.kind == kind).map(name).collect::<Vec<_>>().join(", ")
}

/// Only what the table names is handed on, and only what cannot break out of another client's SDP.
fn stream_settings(codec: RouterCodec, settings: &CodecSettings) -> Result<CodecSettings, UnsupportedParameters> {
    let mut kept = CodecSettings::new();
    for &name in codec.row.stream_settings {
        let Some(value) = settings.get(name) else { continue };
        if let CodecSetting::Text(text) = value {
            // A semicolon would start a further setting.
            visible(name, Some(text), SETTING_BYTES_MAX)?;
            if text.contains(';') {
                return Err(UnsupportedParameters::Setting(name));
            }
        }
        kept.insert(name.to_owned(), value.clone());
    }
    Ok(kept)
}

/// Extensions that the router does not know are left out, as are ids above 14, which the packet path does not
/// read: their elements are skipped.
fn map_extensions(extensions: &[RtpHeaderExtensionParameters]) -> Result<ExtensionMap, UnsupportedParameters> {
    let mut map = ExtensionMap::default();
    for (index, extension) in extensions.iter().enumerate() {
        let id = extension.id;
        // 0 is padding and 15 ends the block (RFC 8285 4.2).
        if id == 0 || id == 15 {
            return Err(UnsupportedParameters::ExtensionId(id));
        }
        if extension.encrypt {
            return Err(UnsupportedParameters::EncryptedExtension(id));
        }
        if extensions.iter().take(index).any(|earlier| earlier.id == id || earlier.uri == extension.uri) {
            return Err(UnsupportedParameters::DuplicateExtension(id));
        }
        if let Some(known) = Extension::from_uri(&extension.uri) {
            map.insert(id, known);
        }
    }
    Ok(map)
}

fn map_encodings(
    encodings: &[RtpEncodingParameters],
    has_rtx: bool,
) -> Result<Vec<EncodingMapping>, UnsupportedParameters> {
    if encodings.is_empty() {
        return Err(UnsupportedParameters::NoEncodings);
    }
    let mut ssrcs = Vec::new();
    let mut mapped: Vec<EncodingMapping> = Vec::new();
    for (index, encoding) in encodings.iter().enumerate() {
        let rtx_ssrc = encoding.rtx.map(|rtx| rtx.ssrc);
        if encoding.ssrc.is_none() && encoding.rid.is_none() {
            return Err(UnsupportedParameters::UnnamedEncoding(index));
        }
        for ssrc in [encoding.ssrc, rtx_ssrc].into_iter().flatten() {
            if ssrc == 0 {
                return Err(UnsupportedParameters::ZeroSsrc(index));
            }
            if ssrcs.contains(&ssrc) {
                return Err(UnsupportedParameters::DuplicateSsrc(ssrc));
            }
            ssrcs.push(ssrc);
        }
        if let Some(rid) = &encoding.rid {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if rid.is_empty() || rid.len() > MID_BYTES_MAX || !rid.bytes().all(allowed) {
                return Err(UnsupportedParameters::Rid(index));
            }
            if mapped.iter().any(|earlier| earlier.rid.as_ref() == Some(rid)) {
                return Err(UnsupportedParameters::DuplicateRid(index));
            }
        }
        mapped.push(EncodingMapping {
            ssrc: encoding.ssrc,
            // A browser that was not offered the codec's rtx may still name the SSRC it would have used.
            rtx_ssrc: rtx_ssrc.filter(|_| has_rtx),
            rid: encoding.rid.clone(),
            dtx: encoding.dtx.unwrap_or(false),
            max_bitrate: encoding.max_bitrate,
            // As in mediasoup, a mode that says nothing of use is no reason to refuse.
            scalability_mode: encoding.scalability_mode.as_deref().and_then(|mode| mode.parse().ok()),
        });
    }
    Ok(mapped)
}

fn bounded(what: &'static str, count: usize, max: usize) -> Result<(), UnsupportedParameters> {
    if count > max { Err(UnsupportedParameters::TooMany { what, count, max }) } else { Ok(()) }
}

/// Checks a text that ends up in other clients' SDP or in packets. An empty one is absent: `mediasoup-client` gives
/// an empty cname where the SDP has none, as with simulcast.
fn visible<'a>(
    what: &'static str,
    text: Option<&'a str>,
    max: usize,
) -> Result<Option<&'a str>, UnsupportedParameters> {
    let text = text.filter(|text| !text.is_empty());
    if text.is_some_and(|text| text.len() > max || !text.bytes().all(|b| b.is_ascii_graphic())) {
        return Err(UnsupportedParameters::Text { what, max });
    }
    Ok(text)
}
