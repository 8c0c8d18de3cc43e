use crate::{clean, ms, seconds, stage};

#[test]
fn requests_of_many_viewers_reach_the_publisher_as_one() {
    let mut call = stage(1);
    call.run(seconds(12));
    let publisher = call.people[0].publisher;
    let before = (call.worker.stats(), call.peers[publisher].client.keyframes_sent(1));
    let producer = call.people[0].producers[1];
    let late: Vec<usize> = (0..20).map(|_| call.join(clean(), clean())).collect();
    call.connect();
    let consumptions: Vec<_> = late.iter().map(|&person| (person, call.watch(person, producer))).collect();
    call.run(ms(450));
    let stats = call.worker.stats();
    assert_eq!(stats.keyframe_requests_out - before.0.keyframe_requests_out, 1);
    assert_eq!(call.peers[publisher].client.keyframes_sent(1) - before.1, 1);
    for (person, consumption) in consumptions {
        let report = call.report(person, consumption);
        assert!(report.decoded >= 6 && report.first_fault.is_none(), "{report:?}");
    }
}
