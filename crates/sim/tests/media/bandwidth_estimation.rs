use loadtest::client::{AudioConfig, VideoConfig};
use sim::call::Call;

use crate::{clean, face, seconds};

#[test]
fn feedback_lets_a_publishers_estimate_run_up() {
    let mut call = Call::new(1);
    call.join_estimating(clean(), clean(), 2_500_000);
    call.join(clean(), clean());
    call.publish_audio(0, AudioConfig::default());
    call.publish_video(0, VideoConfig::default());
    call.connect();
    call.watch_all();
    call.run(seconds(15));
    let publisher = call.people[0].publisher;
    let estimate = call.peers[publisher].client.estimate_bps();
    assert!(estimate.is_some_and(|bps| bps > 1_500_000), "{estimate:?}");
    // What the publisher sends to probe reaches nobody else and leaves no gap.
    let (audio, video) = face(&call, 1);
    for consumption in [audio, video] {
        let report = call.report(1, consumption);
        assert_eq!((report.first_fault, report.lost, report.frames), (None, 0, report.decoded), "{report:?}");
    }
    assert_eq!(call.worker.stats().rtp_unannounced, 0);
}
