//! What is done for many at once is as much work as there are, not their square: to take down a large room, and to
//! look after one.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use protocol::{MediaKind, ParticipantId, ProducerId, RtpParameters, Source};
use serde_json::json;
use sim::call::Call;

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
