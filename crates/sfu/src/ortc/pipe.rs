//! What another worker is told of a producer that it is to get: all its streams, under the router's numbers.

use protocol::rtp::{
    RtcpParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};

use super::producer::ProducerMapping;
use crate::rtp::{EXTENSIONS, Extension};

/// The payload type of retransmissions of sound, which clients are not offered. To them it is the probator's, and no
/// probe crosses between workers.
const AUDIO_RTX_PAYLOAD_TYPE: u8 = 127;

/// What a worker is to be told that gets the streams of a producer under these SSRCs, each with one for retransmissions.
/// It understands them as it does a client's.
pub(crate) fn pipe_parameters(producer: &ProducerMapping, ssrcs: &[(u32, u32)]) -> RtpParameters {
    let rtx_payload_type = producer.codec.rtx_payload_type.unwrap_or(AUDIO_RTX_PAYLOAD_TYPE);
    let carried = |extension: &Extension| producer.extensions.id(*extension).is_some() && !extension.is_of_one_way();
    let header_extensions = EXTENSIONS.into_iter().filter(carried).map(|extension| RtpHeaderExtensionParameters {
        uri: extension.uri().to_owned(),
        id: extension.router_id(),
        encrypt: false,
    });
    let encodings = producer.encodings.iter().zip(ssrcs).map(|(encoding, &(ssrc, rtx_ssrc))| RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx: Some(RtxParameters { ssrc: rtx_ssrc }),
        dtx: Some(encoding.dtx),
        max_bitrate: encoding.max_bitrate,
        scalability_mode: encoding.scalability_mode.map(|mode| mode.to_string()),
        ..RtpEncodingParameters::default()
    });
    RtpParameters {
        mid: None,
        codecs: producer.codecs(Some(rtx_payload_type), Vec::new()),
        header_extensions: header_extensions.collect(),
        encodings: encodings.collect(),
        rtcp: RtcpParameters { cname: None, reduced_size: Some(true) },
        msid: None,
    }
}
