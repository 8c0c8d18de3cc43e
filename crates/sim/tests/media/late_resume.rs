use crate::{clean, ms, seconds, stage};

#[test]
fn a_consumer_that_is_resumed_late_starts_with_a_keyframe_made_for_it() {
    let mut call = stage(1);
    call.run(seconds(3));
    let late = call.join(clean(), clean());
    call.connect();
    let producer = call.people[0].producers[1];
    let consumption = call.consume(late, producer);
    call.run(seconds(2));
    assert_eq!(call.report(late, consumption).packets, 0, "consumers are made paused");

    let publisher = call.people[0].publisher;
    let keyframes = call.peers[publisher].client.keyframes_sent(1);
    call.resume(consumption);
    call.run(ms(500));
    assert_eq!(call.peers[publisher].client.keyframes_sent(1), keyframes + 1);
    let report = call.report(late, consumption);
    assert!(report.frames >= 7, "{report:?}");
    assert_eq!((report.frames, report.keyframes, report.first_fault), (report.decoded, 1, None));
}

#[test]
fn a_pause_of_the_consumer_leaves_no_gap() {
    let mut call = stage(1);
    call.run(seconds(2));
    let (audio, video) = crate::face(&call, 1);
    for consumption in [audio, video] {
        call.worker.pause_consumer(consumption.consumer).expect("it is there");
    }
    call.run(ms(100));
    let before = [audio, video].map(|consumption| call.report(1, consumption).packets);
    call.run(seconds(2));
    assert_eq!([audio, video].map(|consumption| call.report(1, consumption).packets), before);
    for consumption in [audio, video] {
        call.resume(consumption);
    }
    call.run(seconds(3));
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        assert!(report.skipped > 30 && report.frames > 55, "{report:?}");
        assert_eq!((report.lost, report.frames, report.first_fault), (0, report.decoded, None));
    }
}
