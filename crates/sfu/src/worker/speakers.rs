//! Who speaks: how loud everybody is, and who speaks most.

use std::time::{Duration, Instant};

use super::{EVENTS_MAX, Event, Worker};
use crate::keys::ProducerKey;
use crate::producer::Producer;
use crate::speaker::{SpeechActivity, lead};

/// Between two looks at the levels of all routers.
pub(super) const LEVELS_INTERVAL: Duration = Duration::from_millis(200);
/// Between two times that they are told of one router. In a large room everybody who is told costs more than the sound
/// that they get meanwhile.
const TOLD_INTERVAL: Duration = Duration::from_millis(400);
/// But who is louder by so many dB than was told last is told of at once: they begin to speak.
const LOUDER_MIN: i8 = 10;
/// What counts as silence, in dBov.
pub(super) const SILENCE: i8 = -127;
/// Quieter than this is not worth telling, in dBov.
pub(super) const LEVEL_MIN: i8 = -70;
/// Most levels in one event.
const LEVELS_MAX: usize = 16;

impl Worker {
    /// Tells how loud everybody was since that was told last, where it is time or somebody is much louder now.
    pub(super) fn emit_levels(&mut self, now: Instant) {
        let mut events = Vec::new();
        for (&id, router) in &mut self.routers {
            let begins = |key: &ProducerKey| {
                let producer = &self.producers[key.0];
                !producer.paused && producer.level > producer.level_told.saturating_add(LOUDER_MIN)
            };
            let waits = router.levels_told.is_some_and(|told| now.saturating_duration_since(told) < TOLD_INTERVAL);
            if waits && !router.producers.values().any(begins) {
                continue;
            }
            router.levels_told = Some(now);
            let mut levels = Vec::new();
            for (&id, key) in &router.producers {
                let producer = &mut self.producers[key.0];
                let level = std::mem::replace(&mut producer.level, SILENCE);
                producer.level_told = level.max(LEVEL_MIN);
                if level >= LEVEL_MIN && !producer.paused {
                    levels.push((id, level));
                }
            }
            if !levels.is_empty() {
                levels.sort_unstable_by_key(|&(id, level)| (-i16::from(level), id));
                levels.truncate(LEVELS_MAX);
                events.push(Event::AudioLevels { router: id, levels });
            }
        }
        events.into_iter().for_each(|event| self.emit(event));
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
    use protocol::{MediaKind, ParticipantId, ProducerId, Source, TransportId};
    use serde_json::json;

    use super::*;
    use crate::dtls::Identity;
    use crate::worker::{ListenAddr, RouterId, WorkerConfig};

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
    fn levels_are_told_now_and_then_and_at_once_where_somebody_begins_to_speak() {
        let start = Instant::now();
        let (mut worker, people) = room(start, 2);
        let mut told = Vec::new();
        for look in 0..12 {
            let key = |person: usize| worker.routers[&ROUTER].producers[&people[person]].0;
            let (quiet, other) = (key(0), key(1));
            worker.producers[quiet].level = -40;
            worker.producers[other].level = if look == 7 { -25 } else { SILENCE };
            worker.emit_levels(start + look * LEVELS_INTERVAL);
            if let Some(Event::AudioLevels { levels, .. }) = worker.poll_event() {
                told.push((look, levels.len(), levels[0].1));
            }
        }
        let quiet = |look| (look, 1, -40);
        assert_eq!(told, [quiet(0), quiet(2), quiet(4), quiet(6), (7, 2, -25), quiet(9), quiet(11)]);
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
