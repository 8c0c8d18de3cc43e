//! What a receiver reports, into the estimate of what its path carries.

use sfu::bwe::{ESTIMATE_BPS_MAX, ESTIMATE_BPS_MIN, Estimator, ProbeSender};
use sfu::rtcp::{RtcpPacket, packets};

use super::Input;

const START_BPS: u64 = 300_000;

/// A sender that sends, waits and is told anything by its receiver.
pub fn bandwidth(data: &[u8]) {
    let mut input = Input(data);
    let mut sender = Sender { now: 0, sequence: 65_500, estimator: Estimator::new(START_BPS), probe: None };
    while sender.step(&mut input).is_some() {
        let bps = sender.estimator.estimate();
        assert!((ESTIMATE_BPS_MIN..=ESTIMATE_BPS_MAX).contains(&bps), "{bps}");
        assert!(sender.estimator.round_trip() >= 0);
    }
}

struct Sender {
    now: i64,
    sequence: u16,
    estimator: Estimator,
    probe: Option<ProbeSender>,
}

impl Sender {
    fn step(&mut self, input: &mut Input<'_>) -> Option<()> {
        match input.byte()? % 8 {
            0 | 1 => {
                let (packets, bytes) = (input.byte()?, input.byte()?);
                (0..packets).for_each(|_| self.send(5 * usize::from(bytes)));
            }
            2 => self.wait(i64::from(input.u16()?) * 100),
            3 | 4 => self.report(input.byte()?, input.block()?),
            5 => self.estimator.on_remb(self.now, u64::from(input.byte()?) << (input.byte()? % 56)),
            6 => self.estimator.on_receiver_report_loss(self.now, input.byte()?),
            _ => self.estimator.set_desired(self.now, u64::from(input.u16()?) * 1_000),
        }
        Some(())
    }

    fn send(&mut self, bytes: usize) {
        let cluster = self.probe.as_ref().map(ProbeSender::id);
        self.estimator.on_sent(self.now, self.sequence, bytes, cluster);
        self.sequence = self.sequence.wrapping_add(1);
        self.now += 100;
        if self.probe.as_mut().is_some_and(|probe| probe.on_sent(bytes)) {
            self.probe = None;
        }
    }

    fn wait(&mut self, micros: i64) {
        self.now += micros;
        if self.estimator.poll_timeout().is_some_and(|at| at <= self.now) {
            self.estimator.handle_timeout(self.now);
        }
        if self.probe.is_none() {
            self.probe = self.estimator.poll_probe(self.now).map(|cluster| ProbeSender::new(self.now, cluster));
        }
    }

    /// A feedback whose first number is `back` before the next; `body` has all that follows the first number.
    fn report(&mut self, back: u8, body: &[u8]) {
        let words = (10 + body.len()).div_ceil(4);
        let mut packet = vec![0x8f, 205, 0, words as u8, 0, 0, 0, 1, 0, 0, 0, 2];
        packet.extend(self.sequence.wrapping_sub(back.into()).to_be_bytes());
        packet.extend(body);
        packet.resize(4 + 4 * words, 0);
        for packet in packets(&packet) {
            if let RtcpPacket::TransportCc(feedback) = packet {
                self.estimator.on_feedback(self.now, &feedback);
            }
        }
    }
}
