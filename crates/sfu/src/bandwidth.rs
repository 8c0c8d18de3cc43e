//! What one transport's path to its receiver carries, and the probes that find it out.

use crate::bwe::{Estimator, ProbeSender, TokenBucket, UpgradeGate};
use crate::clock::Micros;
use crate::rtp::Extension;

/// What a path is taken to carry before anything is known of it, in bit/s.
const START_BPS: u64 = 1_000_000;
/// Retransmissions may take one part in so many of the estimate.
const RETRANSMISSION_PART: u64 = 4;
/// A probe that is so late measures nothing any more.
const PROBE_LATE_US: Micros = 500_000;
/// mediasoup-client sets up a receiver of this SSRC, payload type and mid, for probes alone.
pub(crate) const PROBATOR_SSRC: u32 = 1234;
const PROBATOR_PAYLOAD_TYPE: u8 = 127;
const PROBATOR_MID: &[u8] = b"probator";
/// RTP header, then mid (9), abs-send-time (4) and transport-cc (3) in one block, padded to 16.
const HEADER_BYTES: usize = 12 + 4 + 16;
/// The longest padding that its last byte can count (RFC 3550 5.1).
const PADDING_BYTES_MAX: usize = 255;

/// The estimation for one transport, and the probe that is being sent.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    pub(crate) estimator: Estimator,
    pub(crate) pacing: TokenBucket,
    retransmissions: TokenBucket,
    pub(crate) gate: UpgradeGate,
    /// When to share again: an upgrade had to wait, or something changed.
    pub(crate) share_at: Option<Micros>,
    /// When the path was shared last, and by which estimate.
    pub(crate) shared: (Micros, u64),
    probe: Option<ProbeSender>,
    probator_sequence: u64,
}

impl Bandwidth {
    pub(crate) fn new(now: Micros) -> Self {
        let estimator = Estimator::new(START_BPS);
        Self {
            pacing: TokenBucket::pacing(now, estimator.pacing_bps(now)),
            retransmissions: TokenBucket::retransmissions(now, START_BPS / RETRANSMISSION_PART),
            estimator,
            gate: UpgradeGate::default(),
            share_at: None,
            shared: (Micros::MIN / 2, 0),
            probe: None,
            probator_sequence: 0,
        }
    }

    /// A packet with the transport-wide number leaves.
    #[inline]
    pub(crate) fn on_sent(&mut self, now: Micros, transport_cc: u16, bytes: usize) {
        let cluster = self.probe.as_ref().map(ProbeSender::id);
        self.estimator.on_sent(now, transport_cc, bytes, cluster);
        if self.probe.as_mut().is_some_and(|probe| probe.on_sent(bytes)) {
            self.probe = None;
        }
    }

    /// Whether another retransmission of so many bytes is within the share that they have, which takes it.
    pub(crate) fn admits_retransmission(&mut self, now: Micros, bytes: usize) -> bool {
        let admitted = self.retransmissions.allowance(now) > 0;
        if admitted {
            self.retransmissions.spend(bytes);
        }
        admitted
    }

    /// Lets what leaves follow the estimate.
    pub(crate) fn follow_estimate(&mut self, now: Micros) {
        self.pacing.set_rate(now, self.estimator.pacing_bps(now));
        self.retransmissions.set_rate(now, self.estimator.estimate() / RETRANSMISSION_PART);
    }

    /// Does what is due and begins the next probe; while the path is `blocked` there is none.
    pub(crate) fn handle_timeout(&mut self, now: Micros, blocked: bool) {
        if self.estimator.poll_timeout().is_some_and(|at| at <= now) {
            self.estimator.handle_timeout(now);
            self.follow_estimate(now);
        }
        self.probe.take_if(|probe| blocked || now - probe.next_timeout() > PROBE_LATE_US);
        if self.probe.is_none() && !blocked {
            self.probe = self.estimator.poll_probe(now).map(|cluster| ProbeSender::new(now, cluster));
        }
    }

    /// How long the padding is that a probe wants to be sent now.
    pub(crate) fn padding_due(&self, now: Micros) -> Option<usize> {
        self.probe.as_ref().filter(|probe| probe.next_timeout() <= now).map(ProbeSender::padding_bytes)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Micros> {
        let probe = self.probe.as_ref().map(ProbeSender::next_timeout);
        [self.estimator.poll_timeout(), probe, self.share_at].into_iter().flatten().min()
    }

    /// The next sequence number of the probes' own stream.
    pub(crate) fn next_probator_sequence(&mut self) -> u64 {
        self.probator_sequence += 1;
        self.probator_sequence
    }
}

/// Writes a packet of the probator that is about `bytes` long, and gives the lengths of its header and of all: nothing
/// in it but zeros and padding.
pub(crate) fn write_probe(
    out: &mut [u8],
    sequence: u64,
    transport_cc: u16,
    abs_send_time: u32,
    bytes: usize,
) -> (usize, usize) {
    let end = bytes.clamp(HEADER_BYTES + 1, out.len());
    let packet = &mut out[..end];
    packet.fill(0);
    packet[0] = 0x80 | 0x20 | 0x10;
    packet[1] = PROBATOR_PAYLOAD_TYPE;
    packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
    packet[8..12].copy_from_slice(&PROBATOR_SSRC.to_be_bytes());
    packet[12..16].copy_from_slice(&[0xBE, 0xDE, 0, 4]);
    packet[16] = Extension::Mid.router_id() << 4 | (PROBATOR_MID.len() - 1) as u8;
    packet[17..25].copy_from_slice(PROBATOR_MID);
    packet[25] = Extension::AbsSendTime.router_id() << 4 | 2;
    packet[26..29].copy_from_slice(&abs_send_time.to_be_bytes()[1..]);
    packet[29] = Extension::TransportCc.router_id() << 4 | 1;
    packet[30..32].copy_from_slice(&transport_cc.to_be_bytes());
    packet[end - 1] = (end - HEADER_BYTES).min(PADDING_BYTES_MAX) as u8;
    (HEADER_BYTES, end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::RtpHeader;

    const MS: Micros = 1_000;

    /// A path over which a probe is about to be sent.
    fn probed() -> Bandwidth {
        let mut bandwidth = Bandwidth::new(0);
        bandwidth.on_sent(0, 1, 1_000);
        bandwidth.estimator.set_desired(0, 5_000_000);
        bandwidth.handle_timeout(0, false);
        assert!(bandwidth.padding_due(0).is_some());
        bandwidth
    }

    #[test]
    fn a_blocked_path_is_not_probed_and_wants_no_timer_for_it() {
        let mut bandwidth = probed();
        for now in [10 * MS, 20 * MS] {
            bandwidth.handle_timeout(now, true);
            assert_eq!(bandwidth.padding_due(now), None);
            assert!(bandwidth.poll_timeout().is_none_or(|at| at > now + 100 * MS), "{:?}", bandwidth.poll_timeout());
        }
        // The second of the first two was not begun.
        bandwidth.handle_timeout(30 * MS, false);
        assert!(bandwidth.padding_due(30 * MS).is_some());
    }

    #[test]
    fn a_probe_that_was_held_up_for_long_is_given_up() {
        let mut bandwidth = probed();
        let first = bandwidth.probe.as_ref().map(ProbeSender::id);
        bandwidth.handle_timeout(PROBE_LATE_US, false);
        assert_eq!(bandwidth.probe.as_ref().map(ProbeSender::id), first);
        bandwidth.handle_timeout(PROBE_LATE_US + MS, false);
        assert_ne!(bandwidth.probe.as_ref().map(ProbeSender::id), first);
    }

    #[test]
    fn a_probe_is_what_the_clients_probator_takes() {
        for bytes in [0, 100, 1_150] {
            let mut out = [0xFF; 1_300];
            let (header_bytes, end) = write_probe(&mut out, 0x1_0005, 0xABCD, 0x12_3456, bytes);
            let header = RtpHeader::parse(&out[..end]).expect("an RTP packet");
            assert_eq!((header.ssrc, header.payload_type, header.header_bytes), (1234, 127, header_bytes));
            let elements: Vec<_> = header.extensions(&out[..end]).collect();
            assert_eq!(elements, [(1, &b"probator"[..]), (4, &[0x12, 0x34, 0x56]), (5, &[0xAB, 0xCD])]);
            assert!(header.padding_bytes(&out[header_bytes..end]).is_some());
        }
    }
}
