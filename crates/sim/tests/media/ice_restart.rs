use crate::{face, ms, seconds, stage};

#[test]
fn media_goes_on_through_an_ice_restart() {
    let mut call = stage(1);
    call.run(seconds(2));
    for peer in [call.people[0].publisher, call.people[1].receiver] {
        let parameters = call.worker.restart_ice(call.peers[peer].transport).expect("it is there");
        // The client hears of it over signalling, some time later.
        call.run(ms(100));
        call.peers[peer].client.restart_ice(&parameters);
    }
    let before = call.worker.stats();
    // Longer than consent lasts: the checks must have come with the new credentials.
    call.run(seconds(40));
    let stats = call.worker.stats();
    assert_eq!((stats.transports, stats.stun_dropped), (before.transports, before.stun_dropped));
    let (audio, video) = face(&call, 1);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        assert_eq!((report.lost, report.first_fault), (0, None), "{report:?}");
        assert!(report.longest_freeze < ms(120), "{report:?}");
        let (_, newest) = report.seen.expect("media came");
        assert!(newest + ms(100) > call.now(), "{report:?}");
    }
}
