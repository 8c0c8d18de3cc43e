//! What a channel promises, and what travels on it.

use bytes::Bytes;
use protocol::sctp::SctpStreamParameters;
use sctp_proto::{PayloadProtocolIdentifier, ReliabilityType};

/// Limits by number and by time exclude each other (RFC 8831 6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sctpStreamParameters: at most one of maxRetransmits and maxPacketLifeTime")]
pub struct BothLimits;

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channel {
    pub(crate) ordered: bool,
    pub(crate) reliability: Reliability,
}

/// How long a message is sent again (RFC 3758, RFC 7496).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reliability {
    /// Until it arrived.
    Reliable,
    /// So many times.
    MaxRetransmits(u16),
    /// For so many milliseconds.
    MaxPacketLifeTime(u16),
}

impl Channel {
    /// What a client said of its channel.
    pub(crate) fn new(parameters: &SctpStreamParameters) -> Result<Self, BothLimits> {
        let reliability = match (parameters.max_retransmits, parameters.max_packet_life_time) {
            (None, None) => Reliability::Reliable,
            (Some(times), None) => Reliability::MaxRetransmits(times),
            (None, Some(milliseconds)) => Reliability::MaxPacketLifeTime(milliseconds),
            (Some(_), Some(_)) => return Err(BothLimits),
        };
        let ordered = parameters.ordered.unwrap_or(reliability == Reliability::Reliable);
        Ok(Self { ordered, reliability })
    }

    /// The same for another stream, as a client is told.
    pub(crate) fn parameters(self, stream_id: u16) -> SctpStreamParameters {
        let (max_retransmits, max_packet_life_time) = match self.reliability {
            Reliability::Reliable => (None, None),
            Reliability::MaxRetransmits(times) => (Some(times), None),
            Reliability::MaxPacketLifeTime(milliseconds) => (None, Some(milliseconds)),
        };
        SctpStreamParameters { stream_id, ordered: Some(self.ordered), max_packet_life_time, max_retransmits }
    }

    pub(crate) fn is_reliable(self) -> bool {
        self.reliability == Reliability::Reliable
    }

    /// The same in the library's words.
    pub(super) fn limit(self) -> (ReliabilityType, u32) {
        match self.reliability {
            Reliability::Reliable => (ReliabilityType::Reliable, 0),
            Reliability::MaxRetransmits(times) => (ReliabilityType::Rexmit, times.into()),
            Reliability::MaxPacketLifeTime(milliseconds) => (ReliabilityType::Timed, milliseconds.into()),
        }
    }
}

/// A whole message. Its bytes are shared by all whom it goes to.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Text or binary, empty or not (RFC 8831 6.6); an empty one has a byte that nobody reads.
    pub(crate) kind: PayloadProtocolIdentifier,
    pub(crate) bytes: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(ordered: Option<bool>, times: Option<u16>, milliseconds: Option<u16>) -> SctpStreamParameters {
        let (max_retransmits, max_packet_life_time) = (times, milliseconds);
        SctpStreamParameters { stream_id: 3, ordered, max_packet_life_time, max_retransmits }
    }

    #[test]
    fn a_channel_is_ordered_unless_it_is_limited_or_says_otherwise() {
        let ordered = |ordered, times, milliseconds| {
            Channel::new(&parameters(ordered, times, milliseconds)).expect("usable").ordered
        };
        assert!(ordered(None, None, None));
        assert!(!ordered(None, Some(0), None));
        assert!(!ordered(None, None, Some(100)));
        assert!(!ordered(Some(false), None, None));
        assert!(ordered(Some(true), Some(3), None));
    }

    #[test]
    fn limits_exclude_each_other_and_zero_is_one() {
        assert_eq!(Channel::new(&parameters(None, Some(1), Some(1))), Err(BothLimits));
        let channel = Channel::new(&parameters(None, Some(0), None)).expect("usable");
        assert!(!channel.is_reliable());
        assert_eq!(
            channel.parameters(9),
            SctpStreamParameters { stream_id: 9, ordered: Some(false), ..parameters(None, Some(0), None) }
        );
    }
}
