//! A log that is slow, silent, full, or says things twice.

use super::*;

fn chat() -> RoomEvent {
    RoomEvent::ChatSent { text: "hello".to_owned() }
}

#[test]
fn without_an_answer_of_the_log_a_proposal_fails_in_time() {
    let mut bench = Bench::new();
    let ticket = bench.propose(join(1, 1));
    bench.advance(5 * SECOND - Duration::from_millis(1));
    assert!(bench.is_open(ticket));
    bench.advance(Duration::from_millis(1));
    assert_eq!(bench.result(ticket), Err(ErrorCode::LogUnavailable));
    assert_eq!((bench.node.pending(), bench.node.rooms(), bench.node.poll_timeout()), (0, 0, None));
}

#[test]
fn a_request_that_came_late_is_not_applied_twice() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    let first = bench.propose(ask(a, 1, produce_mic()));
    bench.advance(5 * SECOND);
    assert_eq!(bench.result(first), Err(ErrorCode::LogUnavailable));
    let again = bench.propose(ask(a, 1, produce_mic()));
    bench.changes();
    bench.deliver_all();
    bench.accepted(again);
    assert_eq!(bench.changes().len(), 1);
}

#[test]
fn a_log_that_is_away_holds_up_no_other_request_and_its_records_are_taken_when_it_is_back() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.changes();
    bench.node.log_answers(bench.now, false);
    let (first, newcomer) = (bench.propose(ask(a, 1, chat())), bench.propose(join(2, 2)));
    let publishes = bench.propose(ask(a, 2, produce_mic()));
    bench.advance(Duration::ZERO);
    assert_eq!(bench.result(first), Err(ErrorCode::LogUnavailable));
    assert!(bench.is_open(newcomer) && bench.is_open(publishes), "nothing waits behind a join, and media flows");
    bench.node.log_answers(bench.now, true);
    let again = bench.propose(ask(a, 1, chat()));
    bench.deliver_all();
    for ticket in [again, newcomer, publishes] {
        bench.accepted(ticket);
    }
    let changes = bench.changes();
    assert!(matches!(changes[..], [Change::ChatSent { .. }, Change::Joined { .. }, Change::ProducerAdded { .. }]));
}

#[test]
fn a_join_that_comes_after_its_client_gave_up_is_held_and_expires() {
    let mut bench = Bench::new();
    bench.propose(join(1, 1));
    bench.advance(6 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
    assert!(matches!(bench.changes()[..], [Change::Joined { .. }, Change::Held { .. }]));
    bench.advance(30 * SECOND);
    bench.deliver_all();
    assert_eq!((bench.people(), bench.node.rooms()), (0, 0));
}

#[test]
fn a_join_that_comes_late_and_is_repeated_is_one_participant_who_stays() {
    let mut bench = Bench::new();
    bench.propose(join(1, 1));
    bench.advance(6 * SECOND);
    let again = bench.propose(join(1, 1));
    bench.deliver_all();
    bench.accepted(again);
    bench.advance(60 * SECOND);
    bench.deliver_all();
    assert_eq!(bench.people(), 1);
}

#[test]
fn every_record_twice_is_as_good_as_once() {
    let mut bench = Bench::new();
    let ticket = bench.propose(join(1, 1));
    for (room, value) in std::mem::take(&mut bench.log) {
        bench.entry(room.clone(), value.clone());
        bench.entry(room, value);
    }
    let a = bench.accepted(ticket).binding.expect("a binding");
    bench.propose(ask(a, 1, produce_mic()));
    let (room, value) = bench.log.pop_front().expect("the record");
    bench.entry(room.clone(), value.clone());
    bench.entry(room, value);
    bench.deliver_all();
    assert!(matches!(bench.changes()[..], [Change::Joined { .. }, Change::ProducerAdded { .. }]));
}

#[test]
fn an_offset_is_applied_once() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.propose(ask(a, 1, produce_mic()));
    bench.deliver_all();
    let before = bench.node.snapshot(&room());
    let record = b"not a record".to_vec();
    bench.handle(Input::Entry(Entry { room: room(), offset: 0, time_ms: 0, value: record.into() }));
    assert_eq!((bench.node.snapshot(&room()), bench.set_aside), (before, 0));
}

#[test]
fn a_poison_record_is_set_aside_and_the_room_goes_on() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    for poison in [&b""[..], b"{", b"null", b"\xff\xfe", b"{\"rules\":1}"] {
        bench.entry(room(), poison.to_vec());
    }
    assert_eq!(bench.set_aside, 5);
    bench.say(a, produce_mic()).expect("accepted");
}

#[test]
fn a_refused_append_is_told_at_once_and_may_be_repeated() {
    let mut bench = Bench::new();
    let ticket = bench.propose(join(1, 1));
    let refused: Vec<_> = std::mem::take(&mut bench.log).into();
    for (room, value) in refused {
        let key = serde_json::from_slice::<Record>(&value).expect("a record").key;
        bench.handle(Input::AppendRefused { room, key });
    }
    assert_eq!(bench.result(ticket), Err(ErrorCode::LogUnavailable));
    assert_eq!(bench.node.rooms(), 0);
    bench.joined(1);
}

#[test]
fn proposals_under_way_are_bounded() {
    let mut bench = Bench::with(|config| config.pending_max = 2);
    let tickets = [1, 2, 3].map(|n| bench.propose(join(n, n)));
    assert_eq!(bench.result(tickets[2]), Err(ErrorCode::LogUnavailable));
    bench.deliver_all();
    bench.accepted(tickets[0]);
    bench.joined(3);
}

#[test]
fn a_join_whose_announcement_was_lost_is_announced_again() {
    for lost in 0..2 {
        let mut bench = Bench::new();
        let ticket = bench.propose(join(1, 1));
        bench.log.remove(lost);
        bench.deliver_all();
        bench.accepted(ticket);
    }
}

#[test]
fn a_lost_hold_is_said_again_whatever_was_answered() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    let ticket = bench.propose(about(a, RoomEvent::Held { closing: false }));
    bench.log.clear();
    bench.advance(5 * SECOND);
    assert_eq!(bench.result(ticket), Err(ErrorCode::LogUnavailable));
    bench.deliver_all();
    bench.advance(30 * SECOND);
    bench.deliver_all();
    assert_eq!((bench.people(), bench.node.poll_timeout()), (0, None));
}

#[test]
fn a_hold_that_is_out_of_date_is_not_said_again() {
    let mut bench = Bench::new();
    let a = bench.joined(1).binding.expect("a binding");
    bench.propose(about(a, RoomEvent::Held { closing: false }));
    bench.log.clear();
    bench.propose(resume(1, 1));
    bench.deliver_all();
    bench.advance(60 * SECOND);
    assert_eq!((bench.under_way(), bench.people()), (vec![], 1));
}
