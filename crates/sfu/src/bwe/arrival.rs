//! Packets that were sent together, and how differently groups of them travel (draft-ietf-rmcat-gcc-02 section 5.2).

use crate::clock::Micros;

/// Packets sent within this time are one group.
const GROUP_US: Micros = 5_000;
/// Packets that arrive so soon after one another were held up together on the way.
const BURST_US: Micros = 5_000;
/// A group of packets held up together lasts at most so long.
const BURST_US_MAX: Micros = 100_000;

/// How far apart two groups were sent and arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupDelta {
    pub(super) sent: Micros,
    pub(super) arrival: Micros,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Micros,
    last_sent: Micros,
    first_arrival: Micros,
    last_arrival: Micros,
}

/// The group that is being filled and the one before it.
#[derive(Debug, Default)]
pub(super) struct ArrivalGroups {
    current: Option<Group>,
    previous: Option<Group>,
}

impl ArrivalGroups {
    /// Adds a packet. When it begins a group, the two before it are compared.
    pub(super) fn on_packet(&mut self, sent: Micros, arrived: Micros) -> Option<GroupDelta> {
        let first = Group { first_sent: sent, last_sent: sent, first_arrival: arrived, last_arrival: arrived };
        let Some(group) = &mut self.current else {
            self.current = Some(first);
            return None;
        };
        if sent < group.first_sent {
            // It was overtaken, or is reported late.
            return None;
        }
        if group.takes(sent, arrived) {
            group.last_sent = group.last_sent.max(sent);
            group.last_arrival = group.last_arrival.max(arrived);
            return None;
        }
        let complete = *group;
        let before = self.previous.replace(complete);
        self.current = Some(first);
        let before = before?;
        let delta = GroupDelta {
            sent: complete.last_sent - before.last_sent,
            arrival: complete.last_arrival - before.last_arrival,
        };
        // Groups that overtook one another say nothing about a queue.
        (delta.arrival >= 0).then_some(delta)
    }
}

impl Group {
    fn takes(&self, sent: Micros, arrived: Micros) -> bool {
        let sent_delta = sent - self.last_sent;
        let arrival_delta = arrived - self.last_arrival;
        let is_burst =
            arrival_delta < sent_delta && arrival_delta <= BURST_US && arrived - self.first_arrival < BURST_US_MAX;
        sent_delta == 0 || is_burst || sent - self.first_sent <= GROUP_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Micros = 1_000;

    #[test]
    fn packets_of_five_milliseconds_are_one_group() {
        let mut groups = ArrivalGroups::default();
        for sent in [0, 2 * MS, 5 * MS, 20 * MS, 24 * MS] {
            assert_eq!(groups.on_packet(sent, sent + 50 * MS), None);
        }
        let delta = GroupDelta { sent: 19 * MS, arrival: 19 * MS };
        assert_eq!(groups.on_packet(40 * MS, 93 * MS), Some(delta));
        let delayed = GroupDelta { sent: 16 * MS, arrival: 19 * MS };
        assert_eq!(groups.on_packet(60 * MS, 110 * MS), Some(delayed));
    }

    #[test]
    fn packets_that_were_held_up_together_are_one_group() {
        let mut groups = ArrivalGroups::default();
        groups.on_packet(0, 50 * MS);
        for sent in [20, 40, 60, 80] {
            assert_eq!(groups.on_packet(sent * MS, 130 * MS + sent * 20), None);
        }
        let delta = groups.on_packet(100 * MS, 150 * MS);
        assert_eq!(delta.map(|delta| (delta.sent, delta.arrival)), Some((80 * MS, 81_600)));
    }

    #[test]
    fn what_was_overtaken_is_left_out() {
        let mut groups = ArrivalGroups::default();
        let packets = [(0, 50), (20, 70), (10, 71), (40, 90), (30, 95), (60, 110)];
        let deltas = packets.map(|(sent, arrived)| groups.on_packet(sent * MS, arrived * MS));
        let delta = Some(GroupDelta { sent: 20 * MS, arrival: 20 * MS });
        assert_eq!(deltas, [None, None, None, delta, None, delta]);
    }
}
