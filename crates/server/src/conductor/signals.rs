//! What people show each other in passing: told to the sockets of the room at once, and over the links to the other nodes
//! that carry it. It is on no log and in no outcome; what finds no way is lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use protocol::{ErrorBody, ErrorCode, Notification, ParticipantId, Reply, RoomId, Signal};
use serde::{Deserialize, Serialize};
use signaling::{News, TokenBucket};

use super::Shared;
use super::person::Caller;
use super::registry::Registry;

/// Of one participant: in a second on average, and at once.
const PER_SECOND: u32 = 2;
const BURST: u32 = 5;
/// Frames that a node sends for signals, in a second on average and at once: far fewer than a link takes, so that a room
/// full of applause ends none.
const FRAMES_PER_SECOND: u32 = 500;
const FRAMES_BURST: u32 = 200;

/// What a node counts of signals, and how many more it may send to others now.
pub(super) struct Signals {
    frames: Mutex<TokenBucket>,
    pub(super) refused: AtomicU64,
    pub(super) dropped: AtomicU64,
}

impl Signals {
    pub(super) fn new(now: Instant) -> Self {
        let frames = Mutex::new(TokenBucket::new(now, FRAMES_PER_SECOND, FRAMES_BURST));
        Self { frames, refused: AtomicU64::new(0), dropped: AtomicU64::new(0) }
    }
}

/// What one participant may still show.
pub(super) fn allowance(now: Instant) -> TokenBucket {
    TokenBucket::new(now, PER_SECOND, BURST)
}

/// What goes over a link. A node that does not know it takes it for unknown news, and goes on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Message {
    Signal { room: RoomId, participant: ParticipantId, signal: Signal },
}

impl Shared {
    /// Shows the others in the room something.
    pub(super) async fn signal(&self, caller: &Caller, signal: Signal) -> Result<Reply, ErrorBody> {
        if !signal.is_within_bounds() {
            let message = format!("emoji: 1 to {} bytes", Signal::EMOJI_BYTES_MAX);
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        let (room, participant) = (&caller.room, caller.participant());
        {
            let mut registry = self.registry();
            let (member, ..) = registry.member(caller)?;
            if member.signals.take(Instant::now()).is_err() {
                self.signals.refused.fetch_add(1, Ordering::Relaxed);
                return Err(ErrorBody::new(ErrorCode::RateLimited, "too much at once; nobody else saw this one"));
            }
            show(&mut registry, room, participant, &signal);
        }
        if let Some(links) = &self.links {
            let hosts = self.rooms.other_hosts(room.clone()).await;
            let message = Message::Signal { room: room.clone(), participant, signal };
            let bytes = serde_json::to_vec(&message).expect("a message is plain data, which JSON can always carry");
            let bytes = Bytes::from(bytes);
            for life in hosts {
                let taken = self.signals.frames.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
                if taken.is_err() || !links.send(life, bytes.clone()) {
                    self.signals.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(Reply::Done {})
    }

    /// What another node said, if it is about that.
    pub(super) fn heard_a_signal(&self, line: &[u8]) {
        let Ok(Message::Signal { room, participant, signal }) = serde_json::from_slice(line) else { return };
        if signal.is_within_bounds() {
            show(&mut self.registry(), &room, participant, &signal);
        }
    }
}

/// Whoever waits for the log or reads slowly misses it.
fn show(registry: &mut Registry, room: &RoomId, participant: ParticipantId, signal: &Signal) {
    let news = News::from(Notification::Signal { participant_id: participant, signal: signal.clone() });
    let others = registry.people(room).filter(|(id, _)| **id != participant);
    let members = others.filter_map(|(_, person)| person.member.as_ref()).filter(|member| !member.waits);
    members.for_each(|member| member.tell_unless_behind(news.clone()));
}
