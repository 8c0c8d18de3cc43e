//! Who speaks: how loud everybody is, and who speaks most.

use std::time::{Duration, Instant};

use protocol::ProducerId;

use super::{Event, RouterId, Worker};
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
        for (&id, router) in &mut self.routers {
            let producers = &mut self.producers;
            let mut scores = |key: usize| Some(producers[key].speech.as_mut()?.scores(now_us));
            let dominant = router.speaker.and_then(|speaker| router.producers.get(&speaker));
            let to_beat =
                dominant.and_then(|key| scores(key.0)).unwrap_or_else(|| SpeechActivity::default().scores(now_us));
            let others = router.producers.iter().filter(|(producer, _)| router.speaker != Some(**producer));
            let candidates = others.filter_map(|(&producer, key)| Some((lead(&scores(key.0)?, &to_beat)?, producer)));
            if let Some((_, producer)) = candidates.max_by(|a, b| a.0.total_cmp(&b.0)) {
                router.speaker = Some(producer);
                changes.push(Event::ActiveSpeaker { router: id, producer });
            }
        }
        changes.into_iter().for_each(|event| self.emit(event));
    }
}
