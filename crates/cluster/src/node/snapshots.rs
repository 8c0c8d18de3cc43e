//! Snapshots: a room on the log in one record, for nodes that begin to read later.
//!
//! A host writes one every [`NodeConfig::snapshot_every`](super::NodeConfig), unless another did. A snapshot is made some time before it is on the log, and
//! what came in between is not in it: it names `as_of`, the newest record that is. Who begins to read in the middle of
//! a room's life keeps the records that it cannot judge, adopts the first snapshot whose `as_of` it has read, and
//! judges the kept ones after that. The snapshot before is such a record, so two of them are always enough.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use protocol::RoomId;
use protocol::event::{Record, RoomEvent};
use room::Room;

use super::timers::Timer;
use super::{Node, Output};
use crate::log::Entry;

/// Largest state that is written, packed. A room of 1,000 people has less than half of it.
const STATE_BYTES_MAX: usize = 512 * 1024;
/// Largest state that is unpacked.
const UNPACKED_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Records of one room that are kept until there is a snapshot. In a room that is busier than that the oldest are
/// forgotten, of which only those after `as_of` are missed: a moment's.
const KEPT_MAX: usize = 20_000;

/// Records of a room whose beginning was not read.
#[derive(Debug)]
pub(super) struct Kept {
    entries: VecDeque<Entry>,
    /// When the newest came.
    newest: Instant,
    /// The time of the newest snapshot among them, or of the first one.
    written_down_ms: u64,
    /// Where the newest snapshot stands.
    snapshot_offset: Option<u64>,
    /// When this node gave up a room of its own for this one.
    pub(super) gave_up: Option<Instant>,
}

impl Kept {
    fn new(now: Instant) -> Self {
        Self { entries: VecDeque::new(), newest: now, written_down_ms: 0, snapshot_offset: None, gave_up: None }
    }

    /// Forgets what the log lost.
    pub(super) fn cut(&mut self, end: u64) {
        self.entries.retain(|entry| entry.offset < end);
        self.snapshot_offset = self.snapshot_offset.filter(|offset| *offset < end);
    }

    pub(super) fn newest_entry(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// Of the room for which another one was given up, at `gave_up` if anybody may come for it.
    pub(super) fn instead(now: Instant, gave_up: Option<Instant>) -> Self {
        Self { gave_up, ..Self::new(now) }
    }
}

impl Node {
    /// Takes a record of a room that is not known. Says whether it is to be applied: where the room
    /// begins, or begins for this node, with a snapshot.
    pub(super) fn keep(&mut self, now: Instant, entry: &Entry, record: &Record) -> bool {
        let id = &entry.room;
        match &record.event {
            RoomEvent::RoomCreated { .. } if self.begins(now, entry) => {
                self.unknown.remove(id);
                return true;
            }
            RoomEvent::Snapshot { as_of, state } => {
                let entries = self.unknown.get(id).map(|kept| &kept.entries);
                let read_it = entries.and_then(VecDeque::front).is_some_and(|entry| entry.offset <= *as_of);
                let room = unpack(id, record.rules, state);
                if room.is_none() {
                    self.outputs.push_back(Output::SetAside { room: id.clone(), offset: entry.offset });
                }
                // Written before the log lost its newest records, it is of other ones than are there now.
                let is_of_this_log = |room: &Room| {
                    let newest = entries.and_then(|entries| entries.iter().find(|entry| entry.offset == *as_of));
                    *as_of < entry.offset && newest.is_some_and(|newest| newest.time_ms <= room.time_ms())
                };
                let room = room.filter(|room| room.is_host(record.origin) && is_of_this_log(room));
                if read_it && let Some(room) = room {
                    self.adopt(now, room, *as_of);
                    return true;
                }
            }
            _ => {}
        }
        if !self.unknown.contains_key(id) && self.unknown.len() >= self.config.rooms_max {
            let oldest = self.unknown.iter().min_by_key(|(_, kept)| kept.newest).map(|(oldest, _)| oldest.clone());
            if let Some(oldest) = oldest {
                self.unknown.remove(&oldest);
            }
        }
        let kept = self.unknown.entry(id.clone()).or_insert_with(|| Kept::new(now));
        kept.newest = now;
        let is_snapshot = matches!(record.event, RoomEvent::Snapshot { .. });
        if kept.entries.is_empty() || is_snapshot {
            kept.written_down_ms = entry.time_ms;
        }
        if is_snapshot {
            // The next one holds everything before this one, or, where a slow host makes it, before the one before.
            let before = kept.snapshot_offset.replace(entry.offset).unwrap_or(0);
            kept.entries.retain(|entry| entry.offset >= before);
        }
        kept.entries.push_back(entry.clone());
        if kept.entries.len() > KEPT_MAX {
            kept.entries.pop_front();
        }
        false
    }

    /// Whether a `RoomCreated` is the first of its room, and not of a host that came to a room that lives. A room that
    /// lives is written down again and again.
    fn begins(&self, now: Instant, entry: &Entry) -> bool {
        if self.is_ignorant_of(now, &entry.room) {
            return false;
        }
        // Who has read the past would know of a room that lives.
        let Some(kept) = self.unknown.get(&entry.room).filter(|_| !self.caught_up) else { return true };
        let silent = Duration::from_millis(entry.time_ms.saturating_sub(kept.written_down_ms));
        silent >= 2 * self.config.snapshot_every
    }

    /// Begins a room with a snapshot, and goes on with what was kept.
    fn adopt(&mut self, now: Instant, room: Room, as_of: u64) {
        let id = room.id().clone();
        let kept = self.unknown.remove(&id).map(|kept| kept.entries).unwrap_or_default();
        self.insert(room);
        for entry in kept.iter().filter(|entry| entry.offset > as_of) {
            self.entry(now, entry);
        }
    }

    /// Forgets records of rooms that nobody wrote about for so long that there is nobody in them.
    pub(super) fn forget_unknown(&mut self, now: Instant) {
        let silence_max = self.config.snapshot_every * 3;
        self.unknown.retain(|_, kept| now.saturating_duration_since(kept.newest) < silence_max);
    }

    /// Compares a room with a snapshot of it that nothing came after. Where they differ, one of the two nodes did not
    /// read all of the room's life, and the one that knows of more events is right.
    pub(super) fn compare(&mut self, entry: &Entry, room: Room, as_of: u64) {
        let Some(hosted) = self.rooms.get(&entry.room) else { return };
        let is_of_this_log = room.time_ms() >= hosted.room.time_ms();
        if hosted.room.offset() != as_of || hosted.lacks_events || !is_of_this_log || room == hosted.room {
            return;
        }
        self.outputs.push_back(Output::Diverged { room: entry.room.clone(), offset: entry.offset });
        // Where both know as many, all nodes choose alike.
        let rank = room.seq().cmp(&hosted.room.seq()).then_with(|| pack(&room).cmp(&pack(&hosted.room)));
        if rank.is_gt() {
            let before = hosted.room.clone();
            self.insert(room);
            self.say_replaced(&entry.room, Some(&before));
        }
    }

    /// Sees to it that a room is written down soon after this node became a host of it: until then, who begins to
    /// read knows it by its first record only.
    pub(super) fn write_down_soon(&mut self, now: Instant, room: &RoomId) {
        self.timers.set(now + self.config.snapshot_every / 30, Timer::Snapshot(room.clone()));
    }

    /// Sees to it that a room that this node hosts is written down in time.
    pub(super) fn write_down_later(&mut self, now: Instant, room: &RoomId) {
        // Of several hosts one is first, and the others see that it is done.
        let stagger = self.config.snapshot_every / 16 * u32::from(self.incarnation.0.to_le_bytes()[0]) / 256;
        self.timers.set(now + self.config.snapshot_every + stagger, Timer::Snapshot(room.clone()));
    }

    pub(super) fn snapshot_due(&mut self, now: Instant, id: &RoomId) {
        let Some(hosted) = self.rooms.get(id).filter(|hosted| hosted.room.is_host(self.incarnation)) else { return };
        let (as_of, packed) = (hosted.room.offset(), pack(&hosted.room));
        match packed {
            _ if hosted.lacks_events => {}
            Some(state) => self.append_own(id, None, RoomEvent::Snapshot { as_of, state }),
            None => self.outputs.push_back(Output::TooLarge { room: id.clone() }),
        }
        self.write_down_later(now, id);
    }
}

/// A room as text: JSON, deflated, in base64. `None` if it is too large.
pub(super) fn pack(room: &Room) -> Option<String> {
    let json = serde_json::to_vec(room).expect("a room is plain data, which JSON can always carry");
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&json).ok()?;
    Some(BASE64.encode(encoder.finish().ok()?)).filter(|state| state.len() <= STATE_BYTES_MAX)
}

/// Reads it again, if rules wrote it that this node knows.
pub(super) fn unpack(id: &RoomId, rules: u16, state: &str) -> Option<Room> {
    if !room::knows(rules) {
        return None;
    }
    let packed = BASE64.decode(state).ok()?;
    let mut json = Vec::new();
    DeflateDecoder::new(&packed[..]).take(UNPACKED_BYTES_MAX).read_to_end(&mut json).ok()?;
    serde_json::from_slice::<Room>(&json).ok().filter(|room| room.id() == id)
}

#[cfg(test)]
mod tests {
    use protocol::Incarnation;
    use protocol::event::{Creation, Logged, RequestKey, RoomLimits};
    use protocol::limits::Limits;

    use super::*;
    use crate::node::{Input, NodeConfig};

    const OTHER: Incarnation = Incarnation(2);

    struct Reader {
        node: Node,
        now: Instant,
        offset: u64,
    }

    impl Reader {
        fn new() -> Self {
            let config = NodeConfig::new("node-1".parse().expect("a node id"), &Limits::default());
            let config = NodeConfig { rooms_max: 3, ..config };
            Self { node: Node::new(Incarnation(1), config), now: Instant::now(), offset: 0 }
        }

        fn reads(&mut self, room: &str, event: RoomEvent) {
            self.offset += 1;
            self.now += Duration::from_millis(1);
            let key = RequestKey::Node { incarnation: OTHER, n: self.offset };
            let record = Record { rules: room::RULES, origin: OTHER, key, binding: None, event };
            let value = serde_json::to_vec(&record).expect("json").into();
            let room = room.parse().expect("a room name");
            self.node.handle(self.now, Input::Entry(Entry { room, offset: self.offset, time_ms: 0, value }));
        }

        fn knows(&self, room: &str) -> bool {
            self.node.rooms.contains_key(&room.parse().expect("a room name"))
        }

        fn kept(&self, room: &str) -> Vec<u64> {
            let kept = self.node.unknown.get(&room.parse().expect("a room name")).into_iter();
            kept.flat_map(|kept| &kept.entries).map(|entry| entry.offset).collect()
        }
    }

    #[test]
    fn what_is_kept_of_a_room_while_the_past_is_read_is_bounded() {
        let mut reader = Reader::new();
        for _ in 0..KEPT_MAX + 5 {
            reader.reads("daily", RoomEvent::Left {});
        }
        let kept = reader.kept("daily");
        assert_eq!((kept.len(), kept.first()), (KEPT_MAX, Some(&6)), "the newest");
    }

    #[test]
    fn a_snapshot_that_names_a_record_of_another_room_is_of_a_log_that_is_lost() {
        let mut room = Room::new("daily".parse().expect("a room name"));
        let node = "node-2".parse().expect("a node id");
        let created = RoomEvent::RoomCreated { rules: room::RULES, limits: RoomLimits::default() };
        let added = RoomEvent::HostAdded { incarnation: OTHER, node, creation: Some(Creation::Own) };
        for (n, event) in [(1, created), (2, added)] {
            let key = RequestKey::Node { incarnation: OTHER, n };
            let record = Record { rules: room::RULES, origin: OTHER, key, binding: None, event };
            room::apply(&mut room, &Logged { offset: 0, time_ms: 0, record });
        }
        let state = pack(&room).expect("a small room");
        let mut reader = Reader::new();
        for room in ["daily", "other", "daily"] {
            reader.reads(room, RoomEvent::Left {});
        }
        reader.reads("daily", RoomEvent::Snapshot { as_of: 2, state: state.clone() });
        assert!(!reader.knows("daily"));
        reader.reads("daily", RoomEvent::Snapshot { as_of: 3, state });
        assert!(reader.knows("daily"));
    }

    #[test]
    fn nothing_is_kept_from_before_the_snapshot_before() {
        let mut reader = Reader::new();
        for _ in 0..3 {
            reader.reads("daily", RoomEvent::Left {});
            reader.reads("daily", RoomEvent::Snapshot { as_of: 0, state: String::new() });
        }
        assert_eq!(reader.kept("daily"), [4, 5, 6]);
    }

    #[test]
    fn rooms_of_which_something_is_kept_are_bounded_and_the_one_that_was_silent_for_longest_goes() {
        let mut reader = Reader::new();
        for room in ["a", "b", "c", "a", "d"] {
            reader.reads(room, RoomEvent::Left {});
        }
        assert_eq!(["a", "b", "c", "d"].map(|room| reader.kept(room).len()), [2, 0, 1, 1]);
    }
}
