//! What clients say in JSON.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use protocol::MediaKind;
use protocol::request::{ConnectAuth, Envelope, JoinPlace, Request, ResumePlace};
use protocol::rtp::{CodecSetting, RtpCapabilities, RtpParameters};
use serde_json::Value;
use sfu::ortc::producer::ENCODINGS_MAX;
use sfu::ortc::{ConsumerStream, can_consume, consumer_parameters, producer_mapping};

static CHROMIUM: LazyLock<RtpCapabilities> = LazyLock::new(|| {
    let fixture = super::worker::chromium();
    serde_json::from_value(fixture["recvRtpCapabilities"].clone()).expect("capabilities")
});

/// `{kind, parameters, capabilities}`: what a client would produce, and with which capabilities another would consume
/// it; without them, with Chromium's.
pub fn ortc(data: &[u8]) {
    let Ok(mut value) = serde_json::from_slice::<Value>(data) else { return };
    let mut take = |name: &str| value.get_mut(name).map(Value::take).unwrap_or_default();
    let kind = if take("kind") == "audio" { MediaKind::Audio } else { MediaKind::Video };
    let Ok(parameters) = serde_json::from_value::<RtpParameters>(take("parameters")) else { return };
    let capabilities = serde_json::from_value(take("capabilities")).unwrap_or_else(|_| CHROMIUM.clone());

    let Ok(mapping) = producer_mapping(kind, &parameters).map_err(|refusal| refusal.to_string()) else { return };
    assert!((1..=ENCODINGS_MAX).contains(&mapping.encodings.len()));
    assert!(mapping.encodings.iter().all(|encoding| encoding.ssrc.is_some() || encoding.rid.is_some()));
    let ssrcs: Vec<u32> = mapping.encodings.iter().flat_map(|e| [e.ssrc, e.rtx_ssrc]).flatten().collect();
    assert!(!ssrcs.contains(&0) && BTreeSet::from_iter(&ssrcs).len() == ssrcs.len(), "{ssrcs:?}");

    let stream = ConsumerStream { mid: "7", cname: "someone", ssrc: 1111, rtx_ssrc: 2222 };
    let consumed = consumer_parameters(&mapping, &capabilities, stream);
    assert_eq!(consumed.is_ok(), can_consume(&mapping, &capabilities));
    let Ok(consumed) = consumed else { return };
    assert_eq!(consumed.encodings.len(), 1);
    for codec in &consumed.codecs {
        for (name, setting) in &codec.parameters {
            if let CodecSetting::Text(text) = setting {
                // `mediasoup-client` writes it into another client's SDP as it is.
                assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';'), "{name}={text:?}");
            }
        }
    }
}

/// The first frame of another node.
pub fn hello(data: &[u8]) {
    let _ = cluster::link::is_hello(data);
}

/// A request: the event's name, a line break, its data. And every other text that a client begins with.
pub fn request(data: &[u8]) {
    let _ = serde_json::from_slice::<Envelope>(data);
    let _ = serde_json::from_slice::<ConnectAuth>(data);
    let _ = serde_json::from_slice::<JoinPlace>(data);
    let _ = serde_json::from_slice::<ResumePlace>(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (name, data) = text.split_once('\n').unwrap_or((text, "null"));
    let Ok(data) = serde_json::from_str::<Value>(data) else { return };
    if let Ok(request) = Request::decode(name, data) {
        let mut encoded = serde_json::to_value(&request).expect("a request is JSON");
        assert_eq!(encoded["event"], name);
        if let Request::ConnectWebRtcTransport { dtls_parameters, .. } = &request {
            super::worker::fingerprints(dtls_parameters);
        }
        let again = Request::decode(name, encoded["data"].take()).expect("what is written is read again");
        assert_eq!(format!("{again:?}"), format!("{request:?}"));
    }
}
