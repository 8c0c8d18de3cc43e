//! What the estimate does on the networks that it is made for. Figures are printed: `cargo test -p sfu bwe::tests --
//! --nocapture`.

use super::simulation::{Link, MS, SECOND, START_BPS, Sample, Simulation, Video, WIDE};
use super::*;
use crate::rtcp::{RtcpPacket, RtcpWriter, packets};
use crate::rtp::fuzz;

/// Seconds from the first sample to the first for which this holds.
fn first(samples: &[Sample], holds: impl Fn(&Sample) -> bool) -> Option<f64> {
    let since = samples.first()?.at;
    samples.iter().find(|sample| holds(sample)).map(|sample| (sample.at - since) as f64 / 1e6)
}

fn mean(samples: &[Sample], value: impl Fn(&Sample) -> u64) -> u64 {
    samples.iter().map(value).sum::<u64>() / samples.len().max(1) as u64
}

fn least(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.estimate).min().unwrap_or(0)
}

/// So much of the queue was not exceeded in so many percent of the samples.
fn queue_ms(samples: &[Sample], percent: usize) -> Micros {
    let mut queues: Vec<_> = samples.iter().map(|sample| sample.queue / MS).collect();
    queues.sort_unstable();
    queues.get(samples.len() * percent / 100).copied().unwrap_or(0)
}

/// How often the layer fell.
fn downgrades(samples: &[Sample]) -> usize {
    samples.windows(2).filter(|pair| pair[1].layer < pair[0].layer).count()
}

fn audio_lost(samples: &[Sample]) -> u32 {
    samples.iter().map(|sample| sample.audio_lost).sum()
}

#[test]
fn a_wide_path_is_found_within_seconds() {
    for video in [Video::Simulcast, Video::Upto(5_000_000)] {
        let mut simulation = Simulation::new(WIDE, video, 1);
        let found = first(&simulation.run(10), |sample| sample.estimate >= 1_500_000);
        let late = simulation.run(60);
        let (estimate, sent) = (mean(&late, |sample| sample.estimate), mean(&late, |sample| sample.sent_bps));
        let (median, high) = (queue_ms(&late, 50), queue_ms(&late, 95));
        println!(
            "{video:?}: 1.5 Mbit/s after {found:?} s, then {estimate}, sent {sent}, queue p50 {median} p95 {high} ms"
        );
        assert!(found.is_some_and(|seconds| seconds < 3.0));
        assert!((1_500_000..2_200_000).contains(&estimate));
        assert!(median < 40 && high < 120);
        assert_eq!((downgrades(&late), audio_lost(&late)), (0, 0));
    }
}

#[test]
fn a_path_that_narrows_and_widens_is_followed() {
    for (video, seed) in [(Video::Simulcast, 1), (Video::Simulcast, 2), (Video::Upto(2_500_000), 1)] {
        let mut simulation = Simulation::new(WIDE, video, seed);
        simulation.run(20);
        simulation.link.bps = 300_000;
        let narrow = simulation.run(30);
        let within = first(&narrow, |sample| sample.estimate <= 300_000);
        let drained = first(&narrow[10..], |sample| sample.queue < 50 * MS).map(|seconds| seconds + 1.0);
        let (soon, then) = narrow.split_at(20);
        let (lost_soon, lost_then) = (audio_lost(soon), audio_lost(then));
        println!(
            "{video:?}: estimate within 300 kbit/s after {within:?} s, queue below 50 ms after {drained:?} s, \
             then sent {}, queue p95 {} ms, audio lost: {lost_soon} of 100, then {lost_then} of 1,400",
            mean(then, |sample| sample.sent_bps),
            queue_ms(then, 95),
        );
        assert!(within.is_some_and(|seconds| seconds <= 1.0));
        assert!(drained.is_some_and(|seconds| seconds <= 2.0));
        assert!(lost_soon <= 15 && lost_then <= 14);
        simulation.link.bps = 2_000_000;
        let wide = simulation.run(30);
        let back = first(&wide, |sample| sample.estimate >= 1_500_000);
        let top = first(&wide, |sample| sample.layer == Some(2));
        println!(
            "    wide again: 1.5 Mbit/s after {back:?} s, top layer after {top:?} s, {} probes",
            simulation.probes
        );
        assert!(back.is_some_and(|seconds| seconds < 10.0));
        assert_eq!(downgrades(&wide), 0);
    }
}

#[test]
fn loss_alone_is_no_reason_to_send_less() {
    for (loss, downgrades_max, least_bps) in [(0.05, 0, 1_500_000), (0.1, 0, 1_500_000), (0.2, 1, 500_000)] {
        for seed in 1..=3 {
            let mut simulation = Simulation::new(Link { loss, ..WIDE }, Video::Simulcast, seed);
            let top = first(&simulation.run(20), |sample| sample.layer == Some(2));
            let samples = simulation.run(100);
            let (low, fell) = (least(&samples), downgrades(&samples));
            let share = samples.iter().filter(|sample| sample.layer == Some(2)).count() / 10;
            let estimate = mean(&samples, |sample| sample.estimate);
            println!(
                "loss {loss}: top layer after {top:?} s; then estimate at least {low}, mean {estimate}, top layer \
                 {share} % of the time, {fell} downgrades in 100 s"
            );
            assert!(fell <= downgrades_max && low >= least_bps && share >= 90 && estimate >= 1_300_000);
        }
    }
}

#[test]
fn jitter_is_no_reason_to_send_less() {
    for (bps, seed) in [(2_000_000, 1), (2_000_000, 2), (2_000_000, 3), (20_000_000, 4), (20_000_000, 5)] {
        let link = Link { bps, jitter: (125 * MS, 225 * MS), ..WIDE };
        let mut simulation = Simulation::new(link, Video::Simulcast, seed);
        let top = first(&simulation.run(40), |sample| sample.layer == Some(2));
        let samples = simulation.run(300);
        let (low, fell) = (least(&samples), downgrades(&samples));
        println!("200 +- 50 ms, {bps}: top layer after {top:?} s; then at least {low}, {fell} downgrades in 5 minutes");
        assert!(fell == 0 && low >= 1_300_000);
    }
}

#[test]
fn a_path_with_jitter_that_narrows_is_followed() {
    let link = Link { jitter: (125 * MS, 225 * MS), ..WIDE };
    let mut simulation = Simulation::new(link, Video::Simulcast, 1);
    simulation.run(60);
    simulation.link.bps = 300_000;
    let narrow = simulation.run(20);
    let within = first(&narrow, |sample| sample.estimate <= 300_000);
    println!("200 +- 50 ms: estimate within 300 kbit/s after {within:?} s");
    assert!(within.is_some_and(|seconds| seconds <= 2.0));
}

#[test]
fn a_path_that_becomes_longer_is_accepted() {
    let mut simulation = Simulation::new(WIDE, Video::Simulcast, 1);
    simulation.run(20);
    simulation.link.delay += 80 * MS;
    let samples = simulation.run(20);
    let low = least(&samples);
    let late = least(&samples[50..]);
    println!("80 ms longer: estimate at least {low}, and {late} after 5 s");
    assert!(late >= 1_360_000);
}

#[test]
fn silence_lowers_the_estimate_and_its_end_is_noticed() {
    let mut simulation = Simulation::new(WIDE, Video::Simulcast, 1);
    simulation.run(20);
    simulation.link.loss = 1.0;
    let before = simulation.run(5);
    let silent = before.last().map_or(0, |sample| sample.estimate);
    simulation.link.loss = 0.0;
    let back = first(&simulation.run(20), |sample| sample.estimate >= 1_400_000);
    println!("5 s of silence: {silent}, then 1.4 Mbit/s after {back:?} s");
    assert!(silent < before[0].estimate / 2);
    assert!(back.is_some_and(|seconds| seconds < 8.0));
}

#[test]
fn without_transport_feedback_a_remb_is_obeyed() {
    let mut estimator = Estimator::new(START_BPS);
    estimator.on_remb(0, 2_000_000);
    assert_eq!(estimator.estimate(), 2_000_000);
    estimator.on_receiver_report_loss(SECOND, 128);
    assert_eq!(estimator.estimate(), 1_500_000);
    estimator.on_remb(2 * SECOND, 0);
    assert_eq!(estimator.estimate(), ESTIMATE_BPS_MIN);
    estimator.on_remb(3 * SECOND, u64::MAX);
    for second in 3..60 {
        estimator.on_receiver_report_loss(second * SECOND, 0);
    }
    assert_eq!(estimator.estimate(), ESTIMATE_BPS_MAX);
    for second in 60..120 {
        estimator.on_sent(second * SECOND, second as u16, 1_200, None);
        estimator.handle_timeout(second * SECOND);
    }
    assert_eq!(estimator.estimate(), ESTIMATE_BPS_MAX, "it cannot be silent if it never spoke");
}

#[test]
fn beside_transport_feedback_a_remb_is_a_limit_for_a_while() {
    let mut simulation = Simulation::new(WIDE, Video::Simulcast, 1);
    simulation.run(20);
    simulation.estimator.on_remb(20 * SECOND, 400_000);
    simulation.estimator.on_receiver_report_loss(20 * SECOND, 255);
    assert_eq!(simulation.estimator.estimate(), 400_000);
    simulation.run(15);
    assert!(simulation.estimator.estimate() > 1_000_000);
}

/// A sender of 50 packets of 1,250 B a second, 500 kbit/s, whose receiver says that packet `n` arrived at
/// `arrival(n)` in 250 us. Gives the highest estimate of a minute.
fn lied_to(arrival: impl Fn(i64) -> i64) -> u64 {
    let mut estimator = Estimator::new(START_BPS);
    let mut highest = 0;
    for packet in 0..3_000i64 {
        let now = packet * 20 * MS;
        estimator.on_sent(now, packet as u16, 1_250, None);
        if packet % 5 == 4 {
            let mut buffer = [0; 200];
            let mut writer = RtcpWriter::new(&mut buffer);
            let arrivals = (packet - 4..=packet).map(|packet| (packet as u64, arrival(packet)));
            let taken = writer.transport_cc(1, 2, 0, packet as u64 - 4, arrivals);
            assert!(taken > 0);
            let Some(RtcpPacket::TransportCc(feedback)) = packets(writer.bytes()).next() else { panic!("feedback") };
            highest = highest.max(estimator.on_feedback(now + MS, &feedback));
            estimator.handle_timeout(now + MS);
        }
    }
    highest
}

#[test]
fn a_receiver_that_lies_gets_no_more_than_one_and_a_half_times_what_is_sent() {
    let honest = lied_to(|packet| packet * 80 + 100);
    type Lie = fn(i64) -> i64;
    let lies: [(&str, Lie); 6] = [
        ("a little faster", |packet| packet * 79),
        ("twice as fast", |packet| packet * 40),
        ("all at once", |_| 7),
        ("backwards", |packet| -packet * 80),
        ("in the next days", |packet| packet * 8_000),
        ("to and fro", |packet| packet % 2 * 30_000),
    ];
    for (name, lie) in lies {
        let highest = lied_to(lie);
        println!("a receiver of 500 kbit/s that says \"{name}\": {highest}; an honest one: {honest}");
        assert!(highest <= 500_000 * 8 / 5);
    }
    assert!((700_000..=800_000).contains(&honest));
}

#[test]
fn any_feedback_at_any_time_does_no_harm() {
    let mut sample = [0; 64];
    let mut writer = RtcpWriter::new(&mut sample);
    let arrivals = [(3, 10), (4, 11), (5, 900), (7, 20), (40, 21)];
    assert!(writer.transport_cc(1, 2, 3, 3, arrivals.into_iter()) > 0);
    let sample = writer.bytes().to_vec();
    let mut estimator = Estimator::new(START_BPS);
    estimator.set_desired(0, 1_000_000);
    let mut now = 0;
    let mut sequence = 0u16;
    fuzz::damaged(11, &[&sample], |bytes| {
        now += MS;
        estimator.on_sent(now, sequence, 100, None);
        sequence = sequence.wrapping_add(1 + u16::from(bytes.len() > 120) * 999);
        let mut bytes = bytes.to_vec();
        if let Some([b0, b1]) = bytes.get_mut(12..14) {
            // About packets that were sent, mostly.
            [*b0, *b1] = sequence.wrapping_sub(u16::from(*b1 % 64)).to_be_bytes();
        }
        for packet in packets(&bytes) {
            if let RtcpPacket::TransportCc(feedback) = packet {
                estimator.on_feedback(now, &feedback);
            }
        }
        if estimator.poll_timeout().is_some_and(|at| at <= now) {
            estimator.handle_timeout(now);
            while estimator.poll_probe(now).is_some() {}
        }
        // 800 kbit/s are sent.
        assert!((ESTIMATE_BPS_MIN..=1_300_000).contains(&estimator.estimate()), "{}", estimator.estimate());
    });
    assert!(estimator.stats().unknown > 0);
}

#[test]
fn who_sends_nothing_keeps_the_estimate_even_if_the_last_packet_was_never_told_of() {
    let mut estimator = Estimator::new(1_000_000);
    // The first feedback, without which silence means nothing.
    estimator.on_sent(0, 0, 1_000, None);
    estimator.silence_at = Some(100 * MS);
    for ms in 1..60_000 {
        if estimator.poll_timeout().is_some_and(|at| at <= ms * MS) {
            estimator.handle_timeout(ms * MS);
        }
    }
    assert_eq!(estimator.estimate(), 800_000, "decreased once, for what may be lost");
}
