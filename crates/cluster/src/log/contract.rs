//! What every [`EventLog`] has to keep, whatever it is made of.

use protocol::RoomId;

use super::{EventLog, Tail};

/// Runs the whole contract, each part on a log of its own from `make`.
pub(crate) async fn check<L: EventLog>(make: impl Fn() -> L) {
    records_of_a_room_keep_their_order(&make()).await;
    every_reader_sees_the_same(&make()).await;
    a_late_reader_begins_with_the_oldest(&make()).await;
    a_reader_waits_for_what_is_appended_later(&make()).await;
    a_dropped_read_loses_nothing(&make()).await;
}

pub(crate) fn room(name: &str) -> RoomId {
    name.parse().expect("a room name")
}

async fn records_of_a_room_keep_their_order<L: EventLog>(log: &L) {
    let mut tail = log.tail().await.expect("a tail");
    for n in 0..100_u8 {
        log.append(&room(if n % 3 == 0 { "a" } else { "b" }), vec![n]).expect("room for it");
    }
    let mut last = [None::<(u8, u64)>; 2];
    for _ in 0..100 {
        let entry = tail.next().await.expect("an entry");
        let n = entry.value[0];
        assert_eq!(entry.room, room(if n % 3 == 0 { "a" } else { "b" }));
        let before = last[usize::from(n % 3 == 0)].replace((n, entry.offset));
        assert!(before.is_none_or(|(earlier, offset)| earlier < n && offset < entry.offset));
    }
}

async fn every_reader_sees_the_same<L: EventLog>(log: &L) {
    let (mut one, mut other) = (log.tail().await.expect("a tail"), log.tail().await.expect("a tail"));
    for n in 0..50 {
        log.append(&room("a"), vec![n]).expect("room for it");
    }
    for _ in 0..50 {
        assert_eq!(one.next().await.expect("an entry"), other.next().await.expect("an entry"));
    }
}

async fn a_late_reader_begins_with_the_oldest<L: EventLog>(log: &L) {
    let mut early = log.tail().await.expect("a tail");
    log.append(&room("a"), b"first".to_vec()).expect("room for it");
    let first = early.next().await.expect("an entry");
    let mut late = log.tail().await.expect("a tail");
    assert_eq!(late.next().await.expect("an entry"), first);
}

async fn a_reader_waits_for_what_is_appended_later<L: EventLog>(log: &L) {
    let mut tail = log.tail().await.expect("a tail");
    let read = tokio::spawn(async move { tail.next().await });
    tokio::task::yield_now().await;
    log.append(&room("a"), b"later".to_vec()).expect("room for it");
    assert_eq!(read.await.expect("no panic").expect("an entry").value[..], *b"later");
}

async fn a_dropped_read_loses_nothing<L: EventLog>(log: &L) {
    let mut tail = log.tail().await.expect("a tail");
    tokio::select! {
        biased;
        _ = tail.next() => panic!("there is nothing to read"),
        () = tokio::task::yield_now() => {}
    }
    log.append(&room("a"), b"kept".to_vec()).expect("room for it");
    assert_eq!(tail.next().await.expect("an entry").value[..], *b"kept");
}
