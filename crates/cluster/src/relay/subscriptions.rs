//! What each worker of this node subscribed, at other nodes and at this one, and from whom it still gets what moves.
//!
//! Who moves publishes at the new node before they leave the old one. So a stream is subscribed at the new node as soon as
//! the log says that its participant is there, and kept from the old one until the new one brings it, and a moment longer:
//! between an answer and its first packet lie a handshake or some round trips, and over TURN and TCP seconds.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use protocol::{Incarnation, ProducerId, RoomId};

use super::{LocalRoom, Message, Relays, Worker};

/// How long a stream is kept from its node before, once the new one said how it comes.
pub(super) const KEPT_BESIDE_THE_NEXT: Duration = Duration::from_secs(8);

/// A producer that comes to a worker from elsewhere.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    /// Where it is subscribed: where its participant is. `None` while that is the worker itself.
    pub(super) life: Option<Incarnation>,
    /// Where it was before, and still is.
    former: Option<Former>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Former {
    life: Incarnation,
    /// Until then, once the next one said how it comes.
    until: Option<Instant>,
}

impl Subscription {
    /// Whom to tell what is wanted of it.
    pub(super) fn source(&self) -> Option<Incarnation> {
        self.life.or(self.former.map(|former| former.life))
    }

    /// The next node said how it comes: the one before has its time. Says whether that begins now.
    pub(super) fn let_former_go(&mut self, now: Instant) -> bool {
        let former = self.former.as_mut().filter(|former| former.until.is_none());
        former.map(|former| former.until = Some(now + KEPT_BESIDE_THE_NEXT)).is_some()
    }

    /// It comes from elsewhere from now on, or from this node. Gives the nodes that are not asked for it any more.
    fn go_over(&mut self, life: Option<Incarnation>) -> Option<Incarnation> {
        let before = std::mem::replace(&mut self.life, life)?;
        let keep = Former { life: before, until: None };
        match self.former {
            None => {
                self.former = Some(keep);
                None
            }
            // What has brought nothing yet is of no use, and what others took over from not any more.
            Some(Former { until: None, .. }) => Some(before),
            Some(Former { life: earlier, .. }) => {
                self.former = Some(keep);
                Some(earlier)
            }
        }
        // Asked again it begins anew.
        .filter(|dropped| Some(*dropped) != life)
    }

    fn nodes(&self) -> impl Iterator<Item = Incarnation> + use<> {
        self.life.into_iter().chain(self.former.map(|former| former.life))
    }
}

/// The ends of subscriptions at nodes before, in their order: each lasts as long as the others.
#[derive(Debug, Default)]
pub(super) struct Lingering(VecDeque<(Instant, (RoomId, Worker), ProducerId)>);

impl Lingering {
    pub(super) fn push(&mut self, now: Instant, at: (RoomId, Worker), producer: ProducerId) {
        self.0.push_back((now + KEPT_BESIDE_THE_NEXT, at, producer));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.front().map(|(until, ..)| *until)
    }
}

impl Relays {
    /// Subscribes what is wanted of a room on a worker and nothing else.
    pub(super) fn subscribe(&mut self, now: Instant, room: &RoomId, local: &LocalRoom) {
        let at = (room.clone(), local.worker);
        let there = self.subscriptions.entry(at.clone()).or_default();
        let mut said = Vec::new();
        let is_there = |producer: &ProducerId| {
            let LocalRoom { remote, awaited, sources, .. } = local;
            remote.contains_key(producer) || awaited.contains(producer) || sources.contains_key(producer)
        };
        for (producer, gone) in there.extract_if(.., |producer, _| !is_there(producer)) {
            self.subscribed -= 1;
            said.extend(gone.nodes().map(|life| (life, producer, false)));
        }
        let known: BTreeSet<ProducerId> = there.keys().chain(local.remote.keys()).copied().collect();
        for producer in known {
            let life = local.remote.get(&producer).copied();
            let subscription = there.entry(producer).or_insert_with(|| {
                self.subscribed += 1;
                Subscription::default()
            });
            if subscription.life != life {
                said.extend(subscription.go_over(life).map(|life| (life, producer, false)));
                said.extend(life.map(|life| (life, producer, true)));
                // Back where it was: it is one subscription.
                subscription.former = subscription.former.filter(|former| Some(former.life) != life);
            }
            if local.sources.contains_key(&producer) && subscription.let_former_go(now) {
                self.lingering.push(now, at.clone(), producer);
            }
            if subscription.source().is_none() {
                there.remove(&producer);
                self.subscribed -= 1;
            }
        }
        if there.is_empty() {
            self.subscriptions.remove(&at);
        }
        for (life, producer, wanted) in said {
            let (room, mine) = at.clone();
            let message = match wanted {
                true => Message::Subscribe { room, producer, mine },
                false => Message::Unsubscribe { room, producer, mine },
            };
            self.send(life, message);
        }
    }

    /// A producer ended: no worker has it from elsewhere any more.
    pub(super) fn unsubscribe(&mut self, room: &RoomId, producer: ProducerId) {
        let workers = (room.clone(), Worker::MIN)..=(room.clone(), Worker::MAX);
        let workers: Vec<_> = self.subscriptions.range(workers).map(|((_, worker), _)| *worker).collect();
        for worker in workers {
            let at = (room.clone(), worker);
            let Some(there) = self.subscriptions.get_mut(&at) else { continue };
            let Some(subscription) = there.remove(&producer) else { continue };
            if there.is_empty() {
                self.subscriptions.remove(&at);
            }
            self.subscribed -= 1;
            self.end_subscription(room, worker, producer, &subscription);
        }
    }

    pub(super) fn unsubscribe_all(&mut self, room: &RoomId, worker: Worker) {
        for (producer, subscription) in self.subscriptions.remove(&(room.clone(), worker)).unwrap_or_default() {
            self.subscribed -= 1;
            self.end_subscription(room, worker, producer, &subscription);
        }
    }

    fn end_subscription(&mut self, room: &RoomId, mine: Worker, producer: ProducerId, subscription: &Subscription) {
        for life in subscription.nodes() {
            self.send(life, Message::Unsubscribe { room: room.clone(), producer, mine });
        }
    }

    /// Ends what others have taken over.
    pub(super) fn end_lingering(&mut self, now: Instant) {
        while self.lingering.next().is_some_and(|until| until <= now) {
            let Some((_, at, producer)) = self.lingering.0.pop_front() else { return };
            let Some(there) = self.subscriptions.get_mut(&at) else { continue };
            let Some(subscription) = there.get_mut(&producer) else { continue };
            let is_over = |former: &mut Former| former.until.is_some_and(|until| until <= now);
            let Some(former) = subscription.former.take_if(is_over) else { continue };
            if subscription.life.is_none() {
                there.remove(&producer);
                self.subscribed -= 1;
            }
            if there.is_empty() {
                self.subscriptions.remove(&at);
            }
            let (room, mine) = at;
            self.send(former.life, Message::Unsubscribe { room, producer, mine });
        }
    }

    /// What came from a node with which everything begins anew does not come any more.
    pub(super) fn forget_formers(&mut self, life: Incarnation) {
        for there in self.subscriptions.values_mut() {
            let before = there.len();
            there.retain(|_, subscription| {
                subscription.former = subscription.former.filter(|former| former.life != life);
                subscription.source().is_some()
            });
            self.subscribed -= before - there.len();
        }
        self.subscriptions.retain(|_, there| !there.is_empty());
    }
}
