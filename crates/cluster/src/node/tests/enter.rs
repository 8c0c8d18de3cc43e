//! Joining, repeating a join, resuming.

use super::*;

#[test]
fn the_first_join_creates_the_room_and_is_answered_when_it_is_read_back() {
    let mut bench = Bench::new();
    let ticket = bench.propose(join(1, 1));
    assert!(matches!(
        bench.under_way()[..],
        [RoomEvent::RoomCreated { .. }, RoomEvent::HostAdded { .. }, RoomEvent::Joined { .. }]
    ));
    bench.deliver();
    bench.deliver();
    assert!(bench.is_open(ticket));
    bench.deliver();
    let answer = bench.accepted(ticket);
    let snapshot = answer.snapshot.expect("a join brings the room");
    assert_eq!((answer.seq, snapshot.seq, snapshot.participants.len()), (3, 3, 1));
    assert_eq!(answer.binding.map(|binding| binding.incarnation), Some(ME));
}

#[test]
fn the_room_is_announced_once_for_joins_at_the_same_time() {
    let mut bench = Bench::new();
    let tickets = [bench.propose(join(1, 1)), bench.propose(join(2, 2))];
    assert_eq!(bench.under_way().len(), 4);
    bench.deliver_all();
    let people = tickets.map(|ticket| bench.accepted(ticket).snapshot.map(|snapshot| snapshot.participants.len()));
    assert_eq!(people, [Some(1), Some(2)]);
}

#[test]
fn changes_come_before_the_answer_that_covers_them() {
    let mut bench = Bench::new();
    bench.joined(1);
    let ticket = bench.propose(join(2, 2));
    bench.now += SECOND;
    let (room, value) = bench.log.pop_front().expect("the join");
    bench.node.handle(bench.now, Input::Entry(Entry { room, offset: 9, time_ms: 0, value: value.into() }));
    let Some(Output::Changed(applied)) = bench.node.poll_output() else { panic!("the change is first") };
    let Some(Output::Resolve { ticket: resolved, result }) = bench.node.poll_output() else {
        panic!("then the answer")
    };
    assert_eq!((resolved, result.map(|answer| answer.seq)), (ticket, Ok(applied.seq)));
}

#[test]
fn a_join_to_a_room_that_ends_under_its_hands_makes_the_room_again() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.propose(ask(a, 1, RoomEvent::Left {}));
    let ticket = bench.propose(join(2, 2));
    bench.deliver_all();
    let snapshot = bench.accepted(ticket).snapshot.expect("the room");
    assert_eq!(snapshot.participants.iter().map(|p| p.id.0).collect::<Vec<_>>(), [2]);
    let ended = bench.changes().iter().filter(|change| **change == Change::Ended).count();
    assert_eq!(ended, 1);
}

#[test]
fn a_repeated_join_gets_a_binding_that_an_older_hold_cannot_touch() {
    let mut bench = Bench::new();
    let first = bench.joined(1).binding.expect("a binding");
    // The socket broke before the client heard of it; the client repeats before that is applied.
    let ticket = bench.propose(join(1, 1));
    bench.propose(about(first, RoomEvent::Held { closing: false }));
    bench.deliver_all();
    let answer = bench.accepted(ticket);
    let second = answer.binding.expect("a binding");
    assert!(second.number > first.number && answer.snapshot.is_some());
    bench.advance(60 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
}

#[test]
fn the_newer_of_two_attempts_under_way_gets_the_answer() {
    let mut bench = Bench::new();
    let older = bench.propose(join(1, 1));
    let newer = bench.propose(join(1, 1));
    assert_eq!(bench.result(older), Err(ErrorCode::Superseded));
    bench.deliver_all();
    bench.accepted(newer);
    assert_eq!((bench.people(), bench.node.pending()), (1, 0));
}

#[test]
fn of_two_hedged_resumes_the_first_wins() {
    let mut bench = Bench::new();
    bench.joined(1);
    let other = Incarnation(2);
    let own = |n| protocol::event::RequestKey::Node { incarnation: other, n };
    let node = "node-2".parse().expect("a node id");
    let event = RoomEvent::HostAdded { incarnation: other, node, creation: None };
    bench.record(&room(), &Record { rules: 1, origin: other, key: own(1), binding: None, event });
    let key = protocol::event::RequestKey::Session { session: SessionId(1), n: 1 };
    let event = RoomEvent::Resumed { participant: ParticipantId(1), session: SessionId(1), generation: 1 };
    bench.record(&room(), &Record { rules: 1, origin: other, key, binding: None, event });

    let key = ProposalKey::Session { session: SessionId(1), n: 1 };
    let ticket = bench.propose(Proposal { key, ..resume(1, 1) });
    bench.deliver_all();
    assert_eq!(bench.result(ticket), Err(ErrorCode::Superseded));
}

#[test]
fn a_resume_that_came_before_its_host_is_repeated_with_a_number_that_is_not_too_old() {
    let mut bench = Bench::new();
    let other = protocol::Incarnation(2);
    let mut records = Bench::new();
    records.joined(1);
    // Everything of before is another life's.
    for entry in records.entries {
        let mut record = serde_json::from_slice::<Record>(&entry.value).expect("a record");
        record.origin = other;
        if let protocol::event::RequestKey::Node { incarnation, .. } = &mut record.key {
            *incarnation = other;
        }
        if let RoomEvent::HostAdded { incarnation, .. } = &mut record.event {
            *incarnation = other;
        }
        bench.record(&room(), &record);
    }
    let ticket = bench.propose(resume(1, 1));
    // Its announcement was lost, and much is said in other rooms before that is known.
    bench.log.pop_front();
    bench.node.last_n += 100;
    bench.deliver_all();
    assert_eq!(bench.accepted(ticket).binding.map(|binding| binding.incarnation), Some(ME));
}

#[test]
fn a_resume_of_nobody_or_to_no_room_has_expired() {
    let mut bench = Bench::new();
    let ticket = bench.propose(resume(1, 1));
    assert_eq!(bench.result(ticket), Err(ErrorCode::SessionExpired));
    bench.joined(1);
    let ticket = bench.propose(resume(2, 2));
    bench.deliver_all();
    assert_eq!(bench.result(ticket), Err(ErrorCode::SessionExpired));
}
