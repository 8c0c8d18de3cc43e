//! What a transport sent lately, so that feedback can be matched to it.

use std::num::NonZeroU8;

use crate::clock::Micros;

/// Packets remembered, a power of two: 4 s at 2.5 Mbit/s, half a second at 2,000 packets per second.
const ENTRIES: usize = 1024;

/// Which probe cluster a packet belongs to; unique among the clusters of a transport that are under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeClusterId(pub(super) NonZeroU8);

/// A packet that a receiver says it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Acked {
    pub(super) sent: Micros,
    pub(super) bytes: u16,
    pub(super) cluster: Option<ProbeClusterId>,
    /// An earlier feedback said that it did not arrive.
    pub(super) was_lost: bool,
}

/// What a status in a feedback tells us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reported {
    /// It arrived.
    Received(Acked),
    /// It has not arrived so far.
    Lost,
    /// Nothing that was not known before.
    Repeated,
    /// No such packet was sent, or too long ago.
    Unknown,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Vacant,
    InFlight,
    Lost,
    Received,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    /// The lower 32 bits of the time: enough for 71 minutes, far longer than a packet is asked about.
    sent_us: u32,
    bytes: u16,
    cluster: Option<NonZeroU8>,
    state: State,
}

const _: () = assert!(size_of::<Entry>() == 8);

/// The newest packets that were sent on a transport, 8 KiB.
///
/// Numbers are compared modulo 2^16 with the newest: the ring is shorter than half of that range, so unwrapped they
/// would tell no more.
#[derive(Debug)]
pub(super) struct SendHistory {
    entries: Box<[Entry; ENTRIES]>,
    /// The number that follows the newest.
    next: u16,
}

impl SendHistory {
    pub(super) fn new() -> Self {
        Self { entries: Box::new([Entry::default(); ENTRIES]), next: 0 }
    }

    /// Remembers a packet. Numbers ascend; those left out were never sent.
    pub(super) fn record(&mut self, now: Micros, sequence: u16, bytes: usize, cluster: Option<ProbeClusterId>) {
        if sequence != self.next {
            self.leave_out(sequence);
        }
        self.entries[index(sequence)] = Entry {
            sent_us: now as u32,
            bytes: bytes.min(usize::from(u16::MAX)) as u16,
            cluster: cluster.map(|id| id.0),
            state: State::InFlight,
        };
        self.next = sequence.wrapping_add(1);
    }

    /// Takes note of what a feedback that came at `now` says of a packet.
    pub(super) fn report(&mut self, now: Micros, sequence: u16, received: bool) -> Reported {
        let age = self.next.wrapping_sub(1).wrapping_sub(sequence);
        if usize::from(age) >= ENTRIES {
            return Reported::Unknown;
        }
        let entry = &mut self.entries[index(sequence)];
        match (entry.state, received) {
            (State::Vacant, _) => Reported::Unknown,
            (State::InFlight, false) => {
                entry.state = State::Lost;
                Reported::Lost
            }
            (before @ (State::InFlight | State::Lost), true) => {
                entry.state = State::Received;
                Reported::Received(Acked {
                    sent: now - Micros::from((now as u32).wrapping_sub(entry.sent_us)),
                    bytes: entry.bytes,
                    cluster: entry.cluster.map(ProbeClusterId),
                    was_lost: before == State::Lost,
                })
            }
            (State::Lost, false) | (State::Received, _) => Reported::Repeated,
        }
    }

    #[cold]
    fn leave_out(&mut self, sequence: u16) {
        let skipped = usize::from(sequence.wrapping_sub(self.next));
        for offset in 0..skipped.min(ENTRIES) {
            self.entries[index(self.next.wrapping_add(offset as u16))] = Entry::default();
        }
    }
}

fn index(sequence: u16) -> usize {
    usize::from(sequence) % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(sent: Micros, was_lost: bool) -> Reported {
        Reported::Received(Acked { sent, bytes: 1_200, cluster: None, was_lost })
    }

    #[test]
    fn a_report_is_matched_to_what_was_sent() {
        let mut history = SendHistory::new();
        let cluster = NonZeroU8::new(7).map(ProbeClusterId);
        history.record(1_000, 40, 1_200, None);
        history.record(2_000, 41, 100, cluster);
        assert_eq!(history.report(9_000, 40, true), received(1_000, false));
        let probe = Acked { sent: 2_000, bytes: 100, cluster, was_lost: false };
        assert_eq!(history.report(9_000, 41, true), Reported::Received(probe));
        assert_eq!(history.report(9_000, 41, true), Reported::Repeated);
        assert_eq!(history.report(9_000, 41, false), Reported::Repeated, "what arrived cannot be lost any more");
    }

    #[test]
    fn a_packet_that_was_lost_may_arrive_later() {
        let mut history = SendHistory::new();
        history.record(1_000, 0, 1_200, None);
        assert_eq!(history.report(9_000, 0, false), Reported::Lost);
        assert_eq!(history.report(9_500, 0, false), Reported::Repeated);
        assert_eq!(history.report(9_900, 0, true), received(1_000, true));
        assert_eq!(history.report(9_900, 0, true), Reported::Repeated);
    }

    #[test]
    fn what_was_not_sent_is_unknown() {
        let mut history = SendHistory::new();
        assert_eq!(history.report(0, 0, true), Reported::Unknown);
        assert_eq!(history.report(0, u16::MAX, true), Reported::Unknown);
        history.record(1_000, 500, 1_200, None);
        for sequence in [499, 501, 1_524, 33_268, 500u16.wrapping_sub(1_024)] {
            assert_eq!(history.report(2_000, sequence, true), Reported::Unknown, "{sequence}");
        }
        history.record(1_000, 503, 1_200, None);
        assert_eq!(history.report(2_000, 501, true), Reported::Unknown, "left out");
        assert_eq!(history.report(2_000, 500, true), received(1_000, false));
    }

    #[test]
    fn numbers_and_times_wrap() {
        let mut history = SendHistory::new();
        let start = Micros::from(u32::MAX) - 2_000;
        for step in 0..200_000i64 {
            let now = start + step * 1_000;
            history.record(now, (step + 65_000) as u16, 1_200, None);
            if step >= 1_023 {
                let oldest = (step + 65_000 - 1_023) as u16;
                assert_eq!(history.report(now, oldest.wrapping_sub(1), true), Reported::Unknown);
                assert_eq!(history.report(now, oldest, true), received(now - 1_023_000, false));
            }
        }
    }
}
