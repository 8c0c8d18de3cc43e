//! What every [`EventLog`] has to keep, whatever it is made of. `tests/kafka.rs` runs it on a real Kafka.

use protocol::RoomId;

use super::{Entry, EventLog, Start, Tail, TailError};

/// Runs the whole contract, each part on a log of its own from `make`, all at once.
pub(crate) async fn check(make: impl AsyncFn() -> EventLog) {
    tokio::join!(
        async { records_of_a_room_keep_their_order(make().await).await },
        async { every_reader_sees_the_same(make().await).await },
        async { a_late_reader_begins_with_the_oldest(make().await).await },
        async { a_reader_from_the_end_sees_what_is_appended_later(make().await).await },
        async { a_reader_may_begin_at_a_time(make().await).await },
        async { a_reader_knows_when_it_caught_up(make().await).await },
        async { a_reader_waits_for_what_is_appended_later(make().await).await },
        async { a_dropped_read_loses_nothing(make().await).await },
        async { what_is_done_is_counted(make().await).await },
    );
}

pub(crate) fn room(name: &str) -> RoomId {
    name.parse().expect("a room name")
}

pub(crate) async fn tail(log: &EventLog, start: Start) -> Tail {
    loop {
        match log.tail(start).await {
            // A busy machine; whoever runs this has a limit.
            Err(TailError::Unavailable(_)) => tokio::task::yield_now().await,
            result => return result.expect("a tail"),
        }
    }
}

/// The next record.
pub(crate) async fn entry(tail: &mut Tail) -> Entry {
    tail.next().await.expect("a log that can be read").entry().expect("a record")
}

async fn records_of_a_room_keep_their_order(log: EventLog) {
    let mut tail = tail(&log, Start::Oldest).await;
    for n in 0..100_u8 {
        log.append(&room(if n % 3 == 0 { "a" } else { "b" }), vec![n]).expect("room for it");
    }
    let mut last = [None::<(u8, u64)>; 2];
    for _ in 0..100 {
        let entry = entry(&mut tail).await;
        let n = entry.value[0];
        assert_eq!(entry.room, room(if n % 3 == 0 { "a" } else { "b" }));
        let before = last[usize::from(n % 3 == 0)].replace((n, entry.offset));
        assert!(before.is_none_or(|(earlier, offset)| earlier < n && offset < entry.offset));
    }
    assert_eq!(last.map(|last| last.map(|(n, _)| n)), [Some(98), Some(99)]);
}

async fn every_reader_sees_the_same(log: EventLog) {
    let (mut one, mut other) = (tail(&log, Start::Oldest).await, tail(&log, Start::Oldest).await);
    for n in 0..50 {
        log.append(&room("a"), vec![n]).expect("room for it");
    }
    for _ in 0..50 {
        assert_eq!(entry(&mut one).await, entry(&mut other).await);
    }
}

async fn a_late_reader_begins_with_the_oldest(log: EventLog) {
    let mut early = tail(&log, Start::Oldest).await;
    log.append(&room("a"), b"first".to_vec()).expect("room for it");
    let first = entry(&mut early).await;
    let mut late = tail(&log, Start::Oldest).await;
    assert_eq!(entry(&mut late).await, first);
}

async fn a_reader_from_the_end_sees_what_is_appended_later(log: EventLog) {
    let mut early = tail(&log, Start::Oldest).await;
    for name in ["a", "b", "c"] {
        log.append(&room(name), b"before".to_vec()).expect("room for it");
        entry(&mut early).await;
    }
    let mut late = tail(&log, Start::End).await;
    for name in ["a", "b", "c"] {
        log.append(&room(name), b"after".to_vec()).expect("room for it");
        assert_eq!(entry(&mut late).await, entry(&mut early).await);
    }
}

async fn a_reader_may_begin_at_a_time(log: EventLog) {
    let mut early = tail(&log, Start::Oldest).await;
    let mut entries = Vec::new();
    for n in 0..3 {
        log.append(&room("a"), vec![n]).expect("room for it");
        entries.push(entry(&mut early).await);
        // Real logs have a clock of their own.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let first_at_or_after = |time_ms| entries.iter().find(|entry| entry.time_ms >= time_ms).cloned();
    for time_ms in entries.iter().map(|entry| entry.time_ms) {
        let mut late = tail(&log, Start::Since(time_ms)).await;
        assert_eq!(Some(entry(&mut late).await), first_at_or_after(time_ms));
    }
    let mut late = tail(&log, Start::Since(entries[2].time_ms + 60_000)).await;
    assert!(late.is_caught_up());
    log.append(&room("a"), b"after".to_vec()).expect("room for it");
    assert_eq!(entry(&mut late).await.value[..], *b"after");
}

async fn a_reader_knows_when_it_caught_up(log: EventLog) {
    let mut early = tail(&log, Start::Oldest).await;
    assert!(early.is_caught_up());
    for n in 0..9 {
        log.append(&room(["a", "b", "c"][usize::from(n % 3)]), vec![n]).expect("room for it");
        entry(&mut early).await;
    }
    assert!(tail(&log, Start::End).await.is_caught_up());
    let mut late = tail(&log, Start::Oldest).await;
    for _ in 0..9 {
        assert!(!late.is_caught_up());
        entry(&mut late).await;
    }
    assert!(late.is_caught_up());
}

async fn a_reader_waits_for_what_is_appended_later(log: EventLog) {
    let mut tail = tail(&log, Start::Oldest).await;
    let read = tokio::spawn(async move { entry(&mut tail).await });
    tokio::task::yield_now().await;
    log.append(&room("a"), b"later".to_vec()).expect("room for it");
    assert_eq!(read.await.expect("no panic").value[..], *b"later");
}

async fn a_dropped_read_loses_nothing(log: EventLog) {
    let mut tail = tail(&log, Start::Oldest).await;
    for n in 0..20 {
        tokio::select! {
            biased;
            _ = tail.next() => panic!("there is nothing to read"),
            () = tokio::task::yield_now() => {}
        }
        log.append(&room("a"), vec![n]).expect("room for it");
        assert_eq!(entry(&mut tail).await.value[..], [n]);
    }
}

async fn what_is_done_is_counted(log: EventLog) {
    let mut tail = tail(&log, Start::Oldest).await;
    for n in 0..3 {
        log.append(&room("a"), vec![n]).expect("room for it");
        entry(&mut tail).await;
    }
    log.append(&room("a"), vec![0; 1 << 20]).expect_err("too large");
    let status = log.status();
    assert!(status.reachable, "{status:?}");
    assert_eq!((status.appended, status.refused, status.given_up, status.read), (3, 1, 0, 3));
}
