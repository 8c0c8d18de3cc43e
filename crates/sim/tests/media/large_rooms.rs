//! What is done for many at once is as much work as there are, not their square: to take down a large room, and to
//! look after one.

use std::time::Duration;

use loadtest::client::{AudioConfig, receive_capabilities};
use nix::time::{ClockId, clock_gettime};
use protocol::{ConsumerId, MediaKind, ParticipantId, ProducerId, RtpParameters, Source, TransportId};
use serde_json::json;
use sfu::ortc::router_capabilities;
use sim::call::{Call, ROUTER};

use crate::clean;

/// What is done for so many, so many times, against what is done once for as many in one: the same work if it is
/// linear, sixteen times as much if it is not.
const MANY: u32 = 16_000;
const TIMES: u32 = 16;
const AS_MUCH_MAX: u32 = 8;

/// How long this thread had a core so far: a clock would count the others that run beside.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has it").into()
}

/// Lets `work` say how long it takes for so many, and compares.
fn assert_is_linear(many: u32, work: impl Fn(u32) -> Duration) {
    let few = |_| (0..TIMES).map(|_| work(many / TIMES)).sum::<Duration>();
    // The best of some tries: others use the caches too.
    let [apart, together] = [(0..5).map(few).min(), (0..5).map(|_| work(many)).min()].map(Option::unwrap_or_default);
    assert!(together < apart * AS_MUCH_MAX, "{together:?} together, {apart:?} apart");
}

/// How long it takes to close something with so many consumers of one producer on one transport.
fn closing(consumers: u32, close: fn(&mut Call, ProducerId, TransportId)) -> Duration {
    let mut call = Call::new(1);
    call.join(clean(), clean());
    let producer = call.publish_audio(0, AudioConfig::default());
    let transport = call.peers[call.people[0].receiver].transport;
    let capabilities = receive_capabilities(&router_capabilities());
    for id in 0..consumers {
        call.worker.consume(transport, ConsumerId(id.into()), producer, &capabilities).expect("can be consumed");
    }
    let began = cpu_time();
    close(&mut call, producer, transport);
    let closed = cpu_time() - began;
    assert_eq!(call.worker.stats().consumers, 0);
    closed
}

#[test]
fn a_transport_with_all_its_consumers() {
    let close: fn(&mut Call, ProducerId, TransportId) =
        |call, _, transport| call.worker.close_transport(transport).expect("it is there");
    assert_is_linear(MANY, |consumers| closing(consumers, close));
}

#[test]
fn a_producer_with_all_its_consumers() {
    let close: fn(&mut Call, ProducerId, TransportId) =
        |call, producer, _| call.worker.close_producer(ROUTER, producer).expect("it is there");
    assert_is_linear(MANY, |consumers| closing(consumers, close));
}

/// How long a look at all producers takes, which comes five times a second.
fn look(producers: u32) -> Duration {
    let mut call = Call::new(1);
    call.join(clean(), clean());
    let transport = call.peers[call.people[0].publisher].transport;
    let mut parameters: RtpParameters = serde_json::from_value(json!({
        "codecs": [{ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2 }],
        "encodings": [{}],
    }))
    .expect("parameters");
    for n in 0..producers {
        parameters.encodings[0].ssrc = Some(1 + n);
        let id = ProducerId { participant: ParticipantId(n.into()), source: Source::Mic };
        let now = call.now();
        call.worker.produce(now, transport, id, MediaKind::Audio, &parameters, false).expect("can be produced");
    }
    let began = cpu_time();
    call.worker.handle_timeout(call.now() + Duration::from_millis(200));
    cpu_time() - began
}

#[test]
fn a_look_at_all_producers() {
    assert_is_linear(MANY / 4, look);
}
