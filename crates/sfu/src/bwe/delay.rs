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

    /// Whether a queue stands, grows or drains.
    pub(super) fn usage(&self, is_losing: bool) -> Usage {
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

    #[test]
    fn a_full_queue_that_drops_is_overuse() {
        let mut delay = DelayDetector::default();
        for packet in 0..1_000 {
            delay.on_packet(packet * 10 * MS, packet * 10 * MS);
        }
        assert_eq!(delay.usage(true), Usage::Normal, "loss without a queue is not about delay");
        for packet in 1_000..1_200 {
            delay.on_packet(packet * 10 * MS, (packet * 10 + 200) * MS);
        }
        assert_eq!((delay.usage(false), delay.usage(true)), (Usage::Under, Usage::Over));
    }
}
