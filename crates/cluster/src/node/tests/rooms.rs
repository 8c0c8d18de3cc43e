//! The life of rooms on a node.

use super::*;

#[test]
fn a_node_takes_as_many_rooms_as_it_may() {
    let mut bench = Bench::with(|config| config.rooms_max = 1);
    bench.joined(1);
    let elsewhere = Proposal { room: "other".parse().expect("a room name"), ..join(2, 2) };
    let ticket = bench.propose(elsewhere.clone());
    assert_eq!(bench.result(ticket), Err(ErrorCode::ServerFull));
    let a = bench.node.room(&room()).and_then(|room| room.participant(ParticipantId(1))).expect("in").binding();
    bench.say(a, RoomEvent::Left {}).expect("left");
    let ticket = bench.propose(elsewhere);
    bench.deliver_all();
    bench.accepted(ticket);
}

#[test]
fn a_room_whose_only_join_was_refused_ends() {
    let mut bench = Bench::new();
    let mut proposal = join(1, 1);
    proposal.event = RoomEvent::Joined {
        participant: ParticipantId(1),
        session: SessionId(1),
        name: String::new(),
        video_codecs: Vec::new(),
        address_tag: None,
    };
    let ticket = bench.propose(proposal);
    bench.deliver_all();
    assert_eq!(bench.result(ticket), Err(ErrorCode::BadRequest));
    assert_eq!((bench.node.rooms(), bench.node.poll_timeout()), (0, None));
}

#[test]
fn a_room_whose_join_was_lost_ends() {
    let mut bench = Bench::new();
    bench.propose(join(1, 1));
    bench.log.pop_back();
    bench.deliver_all();
    assert_eq!(bench.node.rooms(), 1);
    bench.advance(5 * SECOND);
    bench.deliver_all();
    assert_eq!((bench.node.rooms(), bench.node.poll_timeout()), (0, None));
}

#[test]
fn a_lost_end_is_said_again() {
    let mut bench = Bench::new();
    bench.propose(join(1, 1));
    bench.log.pop_back();
    bench.deliver_all();
    bench.advance(5 * SECOND);
    bench.log.clear();
    bench.advance(5 * SECOND);
    bench.deliver_all();
    assert_eq!((bench.node.rooms(), bench.node.poll_timeout()), (0, None));
}

#[test]
fn a_request_to_no_room_is_not_appended() {
    let mut bench = Bench::new();
    let nobody = Binding { participant: ParticipantId(1), number: 1, incarnation: ME };
    let ticket = bench.propose(ask(nobody, 1, produce_mic()));
    assert_eq!(bench.result(ticket), Err(ErrorCode::NotJoined));
    assert_eq!((bench.under_way().len(), bench.node.rooms()), (0, 0));
}

#[test]
fn a_draining_node_finishes_what_is_under_way_and_takes_nothing_new() {
    let mut bench = Bench::new();
    let before = bench.propose(join(1, 1));
    bench.node.drain();
    let after = bench.propose(join(2, 2));
    assert_eq!(bench.result(after), Err(ErrorCode::Draining));
    bench.deliver_all();
    bench.accepted(before);
}

#[test]
fn people_are_counted() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.joined(2);
    assert_eq!(bench.node.participants(), 2);
    bench.say(a, RoomEvent::Left {}).expect("left");
    assert_eq!(bench.node.participants(), 1);
}
