//! What another worker is told of a producer that it is to get: all its streams, under the router's numbers.

use protocol::rtp::{
    RtcpParameters, RtpCodecParameters, RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters,
    RtxParameters,
};

use super::capabilities::rtx_settings;
use super::producer::ProducerMapping;
use crate::rtp::{EXTENSIONS, Extension};

/// What belongs to one way, or names a stream that its SSRC names on a pipe.
const OF_ONE_WAY: [Extension; 5] =
    [Extension::Mid, Extension::Rid, Extension::RepairedRid, Extension::AbsSendTime, Extension::TransportCc];

/// What a worker is to be told that gets the streams of a producer under these SSRCs, each with one for retransmissions.
/// It understands them as it does a client's.
pub(crate) fn pipe_parameters(producer: &ProducerMapping, ssrcs: &[(u32, u32)]) -> RtpParameters {
    let row = producer.codec.row;
    let rtx_payload_type = producer.codec.rtx_payload_type;
    let mut codecs = vec![RtpCodecParameters {
        mime_type: row.mime_type.to_owned(),
        payload_type: producer.codec.payload_type,
        clock_rate: row.clock_rate,
        channels: row.channels,
        parameters: producer.settings.clone(),
        rtcp_feedback: Vec::new(),
    }];
    codecs.extend(rtx_payload_type.map(|payload_type| RtpCodecParameters {
        mime_type: row.rtx_mime_type().to_owned(),
        payload_type,
        clock_rate: row.clock_rate,
        channels: None,
        parameters: rtx_settings(producer.codec.payload_type),
        rtcp_feedback: Vec::new(),
    }));
    let carried =
        |extension: &Extension| producer.extensions.id(*extension).is_some() && !OF_ONE_WAY.contains(extension);
    let header_extensions = EXTENSIONS.into_iter().filter(carried).map(|extension| RtpHeaderExtensionParameters {
        uri: extension.uri().to_owned(),
        id: extension.router_id(),
        encrypt: false,
    });
    let encodings = producer.encodings.iter().zip(ssrcs).map(|(encoding, &(ssrc, rtx_ssrc))| RtpEncodingParameters {
        ssrc: Some(ssrc),
        rtx: rtx_payload_type.map(|_| RtxParameters { ssrc: rtx_ssrc }),
        dtx: Some(encoding.dtx),
        max_bitrate: encoding.max_bitrate,
        scalability_mode: encoding.scalability_mode.map(|mode| mode.to_string()),
        ..RtpEncodingParameters::default()
    });
    RtpParameters {
        mid: None,
        codecs,
        header_extensions: header_extensions.collect(),
        encodings: encodings.collect(),
        rtcp: RtcpParameters { cname: None, reduced_size: Some(true) },
        msid: None,
    }
}
