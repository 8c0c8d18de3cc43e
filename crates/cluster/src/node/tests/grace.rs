//! Held participants, inherited sources, and their time.

use super::*;

#[test]
fn who_does_not_come_back_leaves_when_the_grace_time_ends() {
    let mut bench = Bench::new();
    bench.joined(2);
    let a = bench.joined(1).binding.expect("a binding");
    bench.say(a, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(29 * SECOND);
    assert_eq!(bench.under_way(), []);
    bench.advance(SECOND);
    bench.changes();
    bench.deliver_all();
    let left = Change::Left { participant: a.participant, reason: room::LeaveReason::GraceExpired };
    assert_eq!(bench.changes(), [left]);
    bench.advance(60 * SECOND);
    assert_eq!(bench.under_way(), []);
}

#[test]
fn nobody_leaves_because_the_log_was_away_when_their_time_ended() {
    let mut bench = Bench::new();
    bench.joined(2);
    let a = bench.joined(1).binding.expect("a binding");
    bench.say(a, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(29 * SECOND);
    bench.node.log_answers(bench.now, false);
    bench.advance(9 * SECOND);
    bench.node.log_answers(bench.now, true);
    assert_eq!(bench.under_way(), [], "they have a moment after it");
    let ticket = bench.propose(resume(1, 1));
    bench.deliver_all();
    let b = bench.accepted(ticket).binding.expect("a binding");
    bench.say(b, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(31 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1, "and no more than that");
}

#[test]
fn who_resumes_within_the_grace_time_stays() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.say(a, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(29 * SECOND);
    let ticket = bench.propose(resume(1, 1));
    bench.deliver_all();
    assert!(bench.accepted(ticket).snapshot.is_some());
    bench.advance(60 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
}

#[test]
fn every_hold_has_the_whole_grace_time() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.say(a, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(20 * SECOND);
    let ticket = bench.propose(resume(1, 1));
    bench.deliver_all();
    let b = bench.accepted(ticket).binding.expect("a binding");
    bench.say(b, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(29 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
    bench.advance(SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 0);
}

#[test]
fn who_closed_the_page_leaves_sooner_also_when_that_was_lost_at_first() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.propose(about(a, RoomEvent::Held { closing: true }));
    bench.log.clear();
    bench.advance(5 * SECOND);
    bench.deliver_all();
    bench.advance(4 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
    bench.advance(SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 0);
}

#[test]
fn a_lost_expiry_is_said_again() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.say(a, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(30 * SECOND);
    bench.log.clear();
    bench.advance(5 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 0);
}

#[test]
fn the_last_one_who_does_not_come_back_ends_the_room() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.say(a, RoomEvent::Held { closing: false }).expect("held");
    bench.advance(30 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.changes().last(), Some(&Change::Ended));
    assert_eq!((bench.node.rooms(), bench.node.participants()), (0, 0));
    assert_eq!(bench.node.poll_timeout(), None);
}

#[test]
fn sources_that_a_reload_does_not_publish_again_are_closed() {
    let mut bench = Bench::new();
    let before = bench.joined(1).binding.expect("a binding");
    bench.say(before, produce_mic()).expect("published");
    let camera = || RoomEvent::ProducerAdded { source: Source::Camera, kind: MediaKind::Video, paused: false };
    bench.say(before, camera()).expect("published");
    let ticket = bench.propose(join(1, 2));
    bench.deliver_all();
    let after = bench.accepted(ticket).binding.expect("a binding");
    bench.advance(9 * SECOND);
    bench.say(after, produce_mic()).expect("published again");
    bench.changes();
    bench.advance(SECOND);
    bench.deliver_all();
    let producer = protocol::ProducerId { participant: after.participant, source: Source::Camera };
    assert_eq!(bench.changes(), [Change::ProducerClosed { producer, by: None }]);
    bench.advance(60 * SECOND);
    assert_eq!(bench.under_way(), []);
}

#[test]
fn a_new_host_expires_those_who_were_held_before_it_came() {
    let mut bench = Bench::new();
    let other = Incarnation(2);
    let own = |n| protocol::event::RequestKey::Node { incarnation: other, n };
    let limits = RoomLimits::default();
    let node = "node-2".parse().expect("a node id");
    let joined = RoomEvent::Joined {
        participant: ParticipantId(7),
        session: SessionId(7),
        name: "P".to_owned(),
        video_codecs: Vec::new(),
    };
    let events = [
        RoomEvent::RoomCreated { rules: 1, limits },
        RoomEvent::HostAdded { incarnation: other, node, creation: None },
        joined,
    ];
    for (n, event) in (1..).zip(events) {
        bench.record(&room(), &Record { rules: 1, origin: other, key: own(n), binding: None, event });
    }
    assert_eq!(bench.changes(), [], "a room of others is not this server's business");
    let stranger = bench.node.room(&room()).and_then(|room| room.participant(ParticipantId(7))).expect("in").binding();
    let held = RoomEvent::Held { closing: false };
    bench.record(&room(), &Record { rules: 1, origin: other, key: own(4), binding: Some(stranger), event: held });
    assert_eq!(bench.node.poll_timeout(), None, "nor is its grace time");
    bench.joined(1);
    bench.advance(30 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
}
