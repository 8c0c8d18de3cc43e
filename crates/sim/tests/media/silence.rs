use sfu::Event;
use sim::call::Fate;

use crate::{face, seconds, stage};

#[test]
fn a_transport_that_goes_silent_is_closed_after_30_s_with_all_that_was_on_it() {
    let mut call = stage(2);
    call.run(seconds(2));
    let (gone, transport) = {
        let peer = call.people[2].receiver;
        (peer, call.peers[peer].transport)
    };
    call.meddler = Some(Box::new(move |peer, _, _| if peer == gone { Fate::Lose } else { Fate::Pass }));
    let closed = |call: &sim::call::Call| {
        call.events.iter().find(|(_, event)| *event == Event::TransportClosed { transport }).map(|(at, _)| *at)
    };
    let silent_at = call.elapsed();
    let before = call.worker.stats();
    call.run(seconds(24));
    assert_eq!(closed(&call), None);
    call.run(seconds(8));
    let after = closed(&call).expect("its consent ran out") - silent_at;
    assert!(after <= seconds(30), "{after:?} after the last check or less");
    let stats = call.worker.stats();
    assert_eq!((before.transports - stats.transports, before.consumers - stats.consumers), (1, 2));
    // The others do not notice.
    let report = call.report(1, face(&call, 1).1);
    assert_eq!((report.lost, report.first_fault), (0, None));
}
