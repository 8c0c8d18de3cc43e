use sim::call::ROUTER;

use crate::{face, ms, seconds, stage};

#[test]
fn what_is_muted_at_the_server_reaches_nobody_whatever_the_client_sends() {
    let mut call = stage(1);
    call.run(seconds(2));
    let producers = call.people[0].producers.clone();
    for &producer in &producers {
        call.worker.pause_producer(ROUTER, producer).expect("it is there");
    }
    call.run(ms(100));
    let (audio, video) = face(&call, 1);
    let before = [audio, video].map(|consumption| call.report(1, consumption).packets);
    let datagrams = call.worker.stats().datagrams_in;
    let heard = call.events.len();
    call.run(seconds(2));
    assert!(call.worker.stats().datagrams_in > datagrams + 200, "the client goes on sending");
    assert_eq!([audio, video].map(|consumption| call.report(1, consumption).packets), before);
    assert_eq!(call.events.len(), heard, "nobody is shown as speaking");

    for &producer in &producers {
        call.worker.resume_producer(call.now(), ROUTER, producer).expect("it is there");
    }
    call.run(seconds(2));
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        assert!(report.packets > before[usize::from(consumption == video)] + 80, "{report:?}");
        assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded));
    }
    assert_eq!(call.report(1, video).keyframe_requests, 0, "the server asks for the keyframe");
}
