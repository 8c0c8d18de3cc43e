//! What the delay of packets says: the receiver's clock made comparable with ours, the trend, and the queue.

use super::arrival::ArrivalGroups;
use super::queue::QueueDelay;
use super::trendline::{Trendline, Usage};
use crate::clock::Micros;

/// A delay so far from the one before is not believed at first: the receiver's clock jumped, its 24 bits wrapped
/// (after 12 days), or it lies. libwebrtc's limit.
const LEAP_US: Micros = 3_000_000;
/// So many such packets in a row are the new truth.
const LEAPS_MAX: u32 = 16;
/// A queue that grows too slowly for a slope to show is acted on when it has stood for so long.
const LASTING_US: Micros = 600_000;
/// Less is sent then; this much later so much of it must be gone, or it is not our queue.
const DRAIN_US: Micros = 1_200_000;
const UNCHANGED_PERCENT: Micros = 70;

/// The delay side of congestion control.
#[derive(Debug, Default)]
pub(super) struct DelayDetector {
    /// What to subtract from the receiver's time, so that its first packet took no time; ours does not matter.
    offset: Option<Micros>,
    last_delay: Micros,
    leaps: u32,
    groups: ArrivalGroups,
    trendline: Trendline,
    queue: QueueDelay,
    standing: Standing,
}

/// A queue that stands.
#[derive(Debug, Clone, Copy, Default)]
enum Standing {
    #[default]
    No,
    Since(Micros),
    /// Less is sent on its account.
    Trial {
        excess: Micros,
        until: Micros,
        estimate: u64,
    },
}

/// What to do about delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As this use of the path asks for.
    Usage(Usage),
    /// Nothing: sending less did not help, the path became longer or the queue is other people's. The estimate is
    /// what it was before.
    NotOurs { estimate: u64 },
}

/// What became of a packet's arrival time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// When it arrived on our clock, less a constant.
    At(Micros),
    /// Not believed.
    Leap,
    /// Not believed, and from the next on everything that was learnt about delay is forgotten.
    Reset,
}

impl DelayDetector {
    /// A packet arrived at `arrived` of the receiver's clock.
    pub(super) fn on_packet(&mut self, sent: Micros, arrived: Micros) -> Arrival {
        let offset = *self.offset.get_or_insert(arrived - sent);
        let arrived = arrived - offset;
        let delay = arrived - sent;
        if (delay - self.last_delay).abs() > LEAP_US {
            self.leaps += 1;
            if self.leaps < LEAPS_MAX {
                return Arrival::Leap;
            }
            *self = Self::default();
            return Arrival::Reset;
        }
        self.leaps = 0;
        self.last_delay = delay;
        self.queue.on_packet(sent, delay);
        if let Some(delta) = self.groups.on_packet(sent, arrived) {
            self.trendline.on_group(delta);
        }
        Arrival::At(arrived)
    }

    /// Judges after each feedback. `is_losing` says that it shows much loss, `estimate` is the one in force.
    pub(super) fn judge(&mut self, now: Micros, is_losing: bool, estimate: u64) -> Verdict {
        let usage = self.usage(is_losing);
        let excess = self.queue.excess();
        self.standing = match self.standing {
            _ if !self.queue.is_standing() => Standing::No,
            Standing::No => Standing::Since(now),
            Standing::Since(_) if usage == Usage::Over || self.trendline.usage() == Usage::Under => {
                Standing::Since(now)
            }
            Standing::Since(since) if now - since >= LASTING_US => {
                self.standing = Standing::Trial { excess, until: now + DRAIN_US, estimate };
                return Verdict::Usage(Usage::Over);
            }
            Standing::Trial { excess: before, until, estimate } if now >= until => {
                if excess * 100 >= before * UNCHANGED_PERCENT {
                    self.queue.accept();
                    self.standing = Standing::No;
                    return Verdict::NotOurs { estimate };
                }
                Standing::Since(now)
            }
            standing => standing,
        };
        Verdict::Usage(usage)
    }

    fn usage(&self, is_losing: bool) -> Usage {
        match (self.trendline.usage(), self.queue.is_standing()) {
            (Usage::Over, true) => Usage::Over,
            // A full queue grows no more; it drops.
            (_, true) if is_losing => Usage::Over,
            (Usage::Normal, false) => Usage::Normal,
            // A slope without a queue is jitter, or the beginning of one; a queue without a slope is to drain.
            _ => Usage::Under,
        }
    }

    /// Whether a queue stands.
    pub(super) fn is_queueing(&self) -> bool {
        self.queue.is_standing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;

    #[test]
    fn arrivals_are_put_on_our_clock() {
        let mut delay = DelayDetector::default();
        assert_eq!(delay.on_packet(5_000 * MS, -9_000_000 * MS), Arrival::At(5_000 * MS));
        assert_eq!(delay.on_packet(5_010 * MS, -8_999_970 * MS), Arrival::At(5_030 * MS));
    }

    #[test]
    fn a_leap_is_believed_when_it_stays() {
        let mut delay = DelayDetector::default();
        delay.on_packet(0, 0);
        assert_eq!(delay.on_packet(10 * MS, 4_000 * MS), Arrival::Leap);
        assert_eq!(delay.on_packet(20 * MS, 20 * MS), Arrival::At(20 * MS));
        for packet in 1..16 {
            assert_eq!(delay.on_packet(packet * MS, 4_000 * MS), Arrival::Leap);
        }
        assert_eq!(delay.on_packet(20 * MS, 4_020 * MS), Arrival::Reset);
        assert_eq!(delay.on_packet(30 * MS, 4_030 * MS), Arrival::At(30 * MS));
    }

    /// A second of packets with this much delay, judged ten times.
    fn second(delay: &mut DelayDetector, second: i64, queued: Micros, is_losing: bool) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for packet in second * 100..(second + 1) * 100 {
            delay.on_packet(packet * 10 * MS, packet * 10 * MS + queued);
            if packet % 10 == 9 {
                verdicts.push(delay.judge(packet * 10 * MS, is_losing, 1_000_000));
            }
        }
        verdicts
    }

    const NORMAL: Verdict = Verdict::Usage(Usage::Normal);
    const OVER: Verdict = Verdict::Usage(Usage::Over);

    #[test]
    fn loss_matters_here_with_a_queue_only() {
        let mut delay = DelayDetector::default();
        for at in 0..10 {
            assert_eq!(second(&mut delay, at, 0, true), [NORMAL; 10]);
        }
        assert!(second(&mut delay, 10, 200 * MS, true)[3..].contains(&OVER));
        assert_eq!(second(&mut delay, 11, 200 * MS, true), [OVER; 10], "it is full");
    }

    #[test]
    fn a_queue_that_stands_is_acted_on_once_and_then_accepted() {
        let mut delay = DelayDetector::default();
        for at in 0..10 {
            second(&mut delay, at, 0, false);
        }
        let verdicts: Vec<_> = (10..15).flat_map(|at| second(&mut delay, at, 150 * MS, false)).collect();
        let judged = verdicts.iter().position(|verdict| *verdict == Verdict::NotOurs { estimate: 1_000_000 });
        assert!(judged.is_some_and(|judged| (15..30).contains(&judged)), "{verdicts:?}");
        assert_eq!(verdicts.last(), Some(&NORMAL));
        assert!(verdicts[..10].contains(&OVER));
        assert_eq!(second(&mut delay, 15, 150 * MS, false), [NORMAL; 10]);
    }
}
