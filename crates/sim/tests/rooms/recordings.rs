//! Rooms as programs of before left them on the log: replayed they are what they were then, record by record.
//!
//! `HYPERION_RECORD=1` writes the recording of the rules of now; it is kept when the rules change.

use std::fs;
use std::path::PathBuf;

use protocol::event::{Logged, Record};
use protocol::snapshot::RoomSnapshot;
use room::{Outcome, RULES, Room, apply};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{World, name};

const ROOMS: u64 = 2;
const RECORDS: usize = 200;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    /// A record, and what came of it.
    Record { offset: u64, time_ms: u64, record: Box<Record>, outcome: Value },
    /// The room at the end, as its members see it and as it is kept in snapshots.
    End { view: Box<RoomSnapshot>, room: Box<Room> },
}

fn recording(rules: u16) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/recordings")).join(format!("rules-{rules}.jsonl"))
}

fn told(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Accepted { accepted, changes } => {
            json!({ "accepted": accepted.seq, "changes": changes.iter().map(name).collect::<Vec<_>>() })
        }
        Outcome::Repeated(decision) => json!({ "repeated": decision.map(|accepted| accepted.seq) }),
        Outcome::Rejected(error) => json!({ "rejected": error }),
        Outcome::NoRoom => json!("noRoom"),
        Outcome::SetAside => json!("setAside"),
    }
}

#[test]
fn rooms_of_older_rules_are_what_they_were() {
    if std::env::var_os("HYPERION_RECORD").is_some() {
        fs::write(recording(RULES), record()).expect("a folder for recordings");
    }
    let (mut records, mut rooms) = (0, 0);
    for rules in room::RULES_OLDEST..=RULES {
        let text = fs::read_to_string(recording(rules)).expect("a recording of each version that is read");
        let mut room = None;
        for line in text.lines() {
            let before = room.get_or_insert_with(|| Room::new("daily".parse().expect("a room name")));
            match serde_json::from_str(line).expect("a line of a recording") {
                Line::Record { offset, time_ms, record, outcome } => {
                    assert_eq!(record.rules, rules);
                    let came = apply(before, &Logged { offset, time_ms, record: *record });
                    assert_eq!(told(&came), outcome, "rules {rules}, {line}");
                    records += 1;
                }
                Line::End { view, room: kept } => {
                    assert_eq!(before.snapshot(), *view, "rules {rules}");
                    assert_eq!(*before, *kept, "rules {rules}: a snapshot of then is read as the room");
                    rooms += 1;
                    room = None;
                }
            }
        }
    }
    let versions = u64::from(RULES - room::RULES_OLDEST) + 1;
    assert_eq!((records, rooms), (versions * ROOMS * RECORDS as u64, versions * ROOMS));
}

fn record() -> String {
    let mut lines = Vec::new();
    for seed in 0..ROOMS {
        let mut world = World::new(seed);
        let mut room = Room::new("daily".parse().expect("a room name"));
        for _ in 0..RECORDS {
            let mut logged = world.draw();
            logged.record.rules = RULES;
            let Logged { offset, time_ms, record } = logged.clone();
            let record = Box::new(record);
            lines.push(Line::Record { offset, time_ms, record, outcome: told(&apply(&mut room, &logged)) });
            world.apply(logged);
        }
        lines.push(Line::End { view: Box::new(room.snapshot()), room: Box::new(room) });
    }
    let lines = lines.iter().map(|line| serde_json::to_string(line).expect("plain data") + "\n");
    lines.collect()
}
