//! Who speaks: how loud everybody is, and who speaks most.

use std::time::{Duration, Instant};

use protocol::ProducerId;

use super::{EVENTS_MAX, Event, RouterId, Worker};
use crate::producer::Producer;
use crate::speaker::{SpeechActivity, lead};

/// Between two looks at the levels of all routers.
pub(super) const LEVELS_INTERVAL: Duration = Duration::from_millis(200);
/// What counts as silence, in dBov.
const SILENCE: i8 = -127;
/// Quieter than this is not worth telling, in dBov.
const LEVEL_MIN: i8 = -70;
/// Most levels in one event.
const LEVELS_MAX: usize = 16;

impl Worker {
    /// Tells how loud everybody was since the last call.
    pub(super) fn emit_levels(&mut self) {
        let mut loud: Vec<(RouterId, ProducerId, i8)> = Vec::new();
        for (_, producer) in &mut self.producers {
            let level = std::mem::replace(&mut producer.level, SILENCE);
            if level >= LEVEL_MIN && !producer.paused {
                loud.push((producer.router, producer.id, level));
            }
        }
        loud.sort_unstable_by_key(|&(router, id, level)| (router, -i16::from(level), id));
        for chunk in loud.chunk_by(|a, b| a.0 == b.0) {
            let levels = chunk.iter().take(LEVELS_MAX).map(|&(_, id, level)| (id, level)).collect();
            self.emit(Event::AudioLevels { router: chunk[0].0, levels });
        }
    }

    /// Tells of each router in which somebody else speaks most now.
    pub(super) fn find_speakers(&mut self, now: Instant) {
        let now_us = self.clock.micros(now);
        let mut changes = Vec::new();
        for (&id, router) in &self.routers {
            let producers = &mut self.producers;
            let mut scores = |key: usize| Some(producers[key].speech.as_mut()?.scores(now_us));
            let dominant = router.speaker.and_then(|speaker| router.producers.get(&speaker));
            let to_beat =
                dominant.and_then(|key| scores(key.0)).unwrap_or_else(|| SpeechActivity::default().scores(now_us));
            let others = router.producers.iter().filter(|(producer, _)| router.speaker != Some(**producer));
            let candidates = others.filter_map(|(&producer, key)| {
                let Producer { paused: false, speech: Some(speech), .. } = &mut producers[key.0] else { return None };
                let scores = speech.may_lead(now_us).then(|| speech.scores(now_us))?;
                Some((lead(&scores, &to_beat)?, producer))
            });
            if let Some((_, producer)) = candidates.max_by(|a, b| a.0.total_cmp(&b.0)) {
                changes.push((id, producer));
            }
        }
        for (id, producer) in changes {
            if self.events.len() >= EVENTS_MAX {
                // Who cannot be told of now is found again at the next look.
                return;
            }
            if let Some(router) = self.routers.get_mut(&id) {
                router.speaker = Some(producer);
                self.emit(Event::ActiveSpeaker { router: id, producer });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use protocol::rtp::RtpParameters;
    use protocol::{MediaKind, ParticipantId, Source, TransportId};
    use serde_json::json;

    use super::*;
    use crate::dtls::Identity;
    use crate::worker::{ListenAddr, WorkerConfig};

    const ROUTER: RouterId = RouterId(1);

    /// A room of people with microphones.
    fn room(now: Instant, people: u64) -> (Worker, Vec<ProducerId>) {
        let local = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut worker = Worker::new(
            WorkerConfig {
                listen: vec![ListenAddr { local, announced: Vec::new() }],
                identity: Identity::generate().expect("a certificate"),
                seed: [1; 32],
                unix_time: Duration::ZERO,
            },
            now,
        );
        worker.create_router(ROUTER).expect("a new router");
        let produce = |person| {
            let (id, transport) = (ParticipantId(person), TransportId(person));
            let parameters: RtpParameters = serde_json::from_value(json!({
                "codecs": [{ "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2 }],
                "encodings": [{ "ssrc": 1000 }],
            }))
            .expect("parameters");
            let producer = ProducerId { participant: id, source: Source::Mic };
            worker.create_transport(now, ROUTER, transport).expect("a new transport");
            worker.produce(now, transport, producer, MediaKind::Audio, &parameters, false).expect("a producer");
            producer
        };
        let producers = (0..people).map(produce).collect();
        (worker, producers)
    }

    /// Somebody speaks for a second; gives when that is over.
    fn speak(worker: &mut Worker, now: Instant, id: ProducerId) -> Instant {
        let key = worker.routers[&ROUTER].producers[&id];
        for packet in 0..50 {
            let at = worker.clock.micros(now + packet * Duration::from_millis(20));
            worker.producers[key.0].speech.as_mut().expect("a microphone").on_level(at, -20);
        }
        now + Duration::from_secs(1)
    }

    fn speakers(worker: &mut Worker) -> Vec<ProducerId> {
        let events = std::iter::from_fn(|| worker.poll_event());
        let speakers = events.filter_map(|event| match event {
            Event::ActiveSpeaker { producer, .. } => Some(producer),
            _ => None,
        });
        speakers.collect()
    }

    #[test]
    fn who_speaks_while_nobody_polls_is_told_of_afterwards_and_once() {
        let now = Instant::now();
        let (mut worker, people) = room(now, 2);
        let then = speak(&mut worker, now, people[1]);
        let levels = Event::AudioLevels { router: ROUTER, levels: Vec::new() };
        worker.events.extend(std::iter::repeat_n(levels, EVENTS_MAX));
        worker.find_speakers(then);
        assert_eq!(speakers(&mut worker), []);
        worker.find_speakers(then);
        worker.find_speakers(then);
        assert_eq!(speakers(&mut worker), [people[1]]);
    }

    #[test]
    fn who_muted_after_a_word_does_not_become_the_speaker() {
        let now = Instant::now();
        let (mut worker, people) = room(now, 3);
        let then = speak(&mut worker, now, people[0]);
        worker.pause_producer(ROUTER, people[0]).expect("it is there");
        worker.find_speakers(then);
        assert_eq!(speakers(&mut worker), []);
        let then = speak(&mut worker, then, people[2]);
        worker.find_speakers(then);
        assert_eq!(speakers(&mut worker), [people[2]]);
    }
}
