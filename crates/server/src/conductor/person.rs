//! A person in a room: their session, and their way into it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use protocol::event::Binding;
use protocol::request::Direction;
use protocol::sctp::DataConsumerCloseReason;
use protocol::snapshot::RoomSnapshot;
use protocol::{
    ConsumerId, DataConsumerId, ErrorCode, Notification, ParticipantId, ProducerId, Role, RoomId, RtpCapabilities,
    SessionId, Source, TransportId,
};
use sfu::worker::RouterId;
use signaling::{News, Outbox, SessionHandle, TokenBucket};
use tokio::sync::Notify;

use super::media::Media;
use super::outcomes::Outcomes;
use super::permissions::Known;

/// How many ended consumers are kept: a room of 250 people that breaks up.
const ENDED_MAX: usize = 512;
/// How many of them are told again: half of what an outbox takes.
const ENDED_TOLD_MAX: usize = 128;
/// More than an outbox takes, so that the socket of an arrival that waited too long is closed like any slow one.
const WAITING_MAX: usize = 1_024;

/// A participant, or somebody who is about to be one.
#[derive(Default)]
pub(super) struct Person {
    /// Makes arrivals and requests of one person come one after the other, over all their sockets.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Those that hold or wait for the turn.
    pub(super) visitors: usize,
    /// While a join or resume is under way.
    pub(super) arrival: Option<Arrival>,
    /// Where their transports are: the same as long as they have any.
    pub(super) seat: Option<Media>,
    pub(super) member: Option<Member>,
    /// Their session goes on at another node; what it had here stays until it has all of it there.
    pub(super) moved: Option<Moved>,
    pub(super) role: Known<Role>,
    /// The sources that exist on the router, each with the number of the event that published it.
    pub(super) published: HashMap<Source, u64>,
}

/// Collects what happens in the room after an arrival's own event, until its socket is ready for it.
#[derive(Default)]
pub(super) struct Arrival {
    /// The newest binding of this person that was followed, and its event's number.
    pub(super) reached: Option<(u64, u64)>,
    /// Each with whether it is for the host and co-hosts alone.
    pub(super) waiting: Vec<(News, bool)>,
    /// They are out again since, for this reason.
    pub(super) over: Option<ErrorCode>,
    /// Told when `reached` rises.
    pub(super) progress: Arc<Notify>,
}

/// The session in force of a participant.
pub(super) struct Member {
    pub(super) handle: SessionHandle,
    pub(super) session: SessionId,
    pub(super) binding: Binding,
    /// The number of the newest session token.
    pub(super) generation: u32,
    /// Whether the client showed that it has the newest token; until then the one before it is good, because the
    /// welcome that carried the newest may be lost.
    pub(super) token_arrived: bool,
    /// They are not let in yet: they have no transports, and are told nothing of the room.
    pub(super) waits: bool,
    /// `None`: the socket is gone.
    pub(super) outbox: Option<Outbox>,
    pub(super) capabilities: Arc<RtpCapabilities>,
    /// Whether its transports have data channels.
    pub(super) sctp: bool,
    pub(super) send: Option<TransportId>,
    pub(super) recv: Option<TransportId>,
    /// Those of the two that are through ICE and DTLS.
    pub(super) connected: HashSet<TransportId>,
    pub(super) consumers: HashSet<ConsumerId>,
    /// The numbers of its data producers.
    pub(super) data_producers: HashSet<u32>,
    pub(super) data_consumers: HashSet<DataConsumerId>,
    /// What consumers and data consumers ended last, because a broken socket swallows what it is given.
    pub(super) ended: VecDeque<Ended>,
    pub(super) outcomes: Outcomes,
    /// By which event a source was closed, since it was last asked for.
    pub(super) closed: HashMap<Source, u64>,
    /// What they may still show the others.
    pub(super) signals: TokenBucket,
    /// The newest wish about each source.
    asked: HashMap<Source, Asked>,
}

/// What somebody wants of one of their sources.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// The request's number.
    n: u64,
    paused: bool,
    /// Somebody else muted it since.
    overruled: bool,
}

/// What is left of a session that goes on at another node.
#[derive(Debug)]
pub(super) struct Moved {
    /// Of which binding it was.
    pub(super) number: u64,
    pub(super) transports: Vec<TransportId>,
    /// Those of them that were connected, and that the client did not close yet.
    pub(super) connected: Vec<TransportId>,
}

/// A consumer that ended by itself.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    Consumer(ConsumerId, ProducerId),
    DataConsumer(DataConsumerId, DataConsumerCloseReason),
}

/// Whose request is being carried out. Valid while the turn is held and [`Registry::member`](super::registry::Registry::member) finds the member.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) handle: SessionHandle,
    pub(super) room: RoomId,
    pub(super) session: SessionId,
    pub(super) binding: Binding,
}

impl Caller {
    pub(super) fn participant(&self) -> ParticipantId {
        self.binding.participant
    }
}

impl Member {
    /// A session without transports or a socket yet.
    pub(super) fn new(
        handle: SessionHandle,
        session: SessionId,
        binding: Binding,
        generation: u32,
        capabilities: RtpCapabilities,
        sctp: bool,
    ) -> Self {
        Self {
            handle,
            session,
            binding,
            generation,
            token_arrived: false,
            waits: false,
            outbox: None,
            capabilities: Arc::new(capabilities),
            sctp,
            send: None,
            recv: None,
            connected: HashSet::new(),
            consumers: HashSet::new(),
            data_producers: HashSet::new(),
            data_consumers: HashSet::new(),
            ended: VecDeque::new(),
            outcomes: Outcomes::default(),
            closed: HashMap::new(),
            signals: super::signals::allowance(Instant::now()),
            asked: HashMap::new(),
        }
    }

    /// Notes a request about a source, to have it paused or not. Whether it is the newest: one that is repeated, because
    /// the log was away, may be out of date, and does nothing any more.
    pub(super) fn asks_newest(&mut self, source: Source, n: u64, paused: bool) -> bool {
        if self.asked.get(&source).is_some_and(|asked| n < asked.n || (n == asked.n && asked.overruled)) {
            return false;
        }
        self.asked.insert(source, Asked { n, paused, overruled: false });
        true
    }

    /// Somebody else muted a source.
    pub(super) fn overrule(&mut self, source: Source) {
        self.asked.entry(source).or_insert(Asked { n: 0, paused: true, overruled: true }).overruled = true;
    }

    /// The log has an unmute of theirs. Whether one came before it that somebody else muted them with.
    pub(super) fn reinstate(&mut self, source: Source) -> bool {
        self.asked.get_mut(&source).is_some_and(|asked| std::mem::take(&mut asked.overruled))
    }

    /// Whether what they send of a source is to pass.
    pub(super) fn passes(&self, source: Source) -> bool {
        self.asked.get(&source).is_some_and(|asked| !asked.paused && !asked.overruled)
    }

    pub(super) fn transports(&self) -> impl Iterator<Item = TransportId> + use<> {
        self.send.into_iter().chain(self.recv)
    }

    pub(super) fn transport(&mut self, direction: Direction) -> &mut Option<TransportId> {
        match direction {
            Direction::Send => &mut self.send,
            Direction::Recv => &mut self.recv,
        }
    }

    /// Forgets a consumer that ended by itself, and tells the client if its producer goes on.
    pub(super) fn consumer_ended(&mut self, id: ConsumerId, producer: ProducerId, goes_on: bool) {
        if self.consumers.remove(&id) {
            self.keep(Ended::Consumer(id, producer));
            if goes_on {
                self.tell(Notification::ConsumerClosed { consumer_id: id });
            }
        }
    }

    /// The same of a data consumer.
    pub(super) fn data_consumer_ended(&mut self, id: DataConsumerId, reason: DataConsumerCloseReason) {
        if self.data_consumers.remove(&id) {
            self.keep(Ended::DataConsumer(id, reason));
            self.tell(Notification::DataConsumerClosed { data_consumer_id: id, reason });
        }
    }

    fn keep(&mut self, ended: Ended) {
        self.ended.push_back(ended);
        if self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
        }
    }

    /// What to tell again at a resume beside a snapshot. It shows who publishes no more, but not that a producer in it
    /// is another than before.
    pub(super) fn ended_beside(&self, room: &RoomSnapshot) -> Vec<Notification> {
        let published: HashSet<ProducerId> = room
            .participants
            .iter()
            .flat_map(|participant| &participant.producers)
            .map(|producer| producer.id)
            .collect();
        let news = self.ended.iter().rev().filter_map(|ended| match *ended {
            Ended::Consumer(consumer_id, producer) => {
                published.contains(&producer).then_some(Notification::ConsumerClosed { consumer_id })
            }
            Ended::DataConsumer(data_consumer_id, reason) => {
                Some(Notification::DataConsumerClosed { data_consumer_id, reason })
            }
        });
        let mut news: Vec<_> = news.take(ENDED_TOLD_MAX).collect();
        news.reverse();
        news
    }

    /// Tells the client, if it has a socket. One that reads too slowly is closed by its outbox.
    pub(super) fn tell(&self, news: impl Into<News>) {
        if let Some(outbox) = &self.outbox {
            let _ = outbox.notify(news);
        }
    }

    /// The same for what the next of its kind makes obsolete: unless too much waits for the client.
    pub(super) fn tell_unless_behind(&self, news: impl Into<News>) {
        if let Some(outbox) = &self.outbox {
            outbox.notify_unless_behind(news);
        }
    }
}

impl Person {
    /// Whether they are here, or have left something behind.
    pub(super) fn has_transports(&self) -> bool {
        self.member.is_some() || self.moved.is_some()
    }

    /// Whether a source of theirs is on a router because they published it there.
    pub(super) fn publishes_on(&self, router: RouterId, id: ProducerId) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.router == router) && self.published.contains_key(&id.source)
    }

    /// Passes on what happened in the room by the event `seq`, perhaps `for_hosts` alone.
    pub(super) fn hear(&mut self, seq: u64, news: &News, for_hosts: bool) {
        if let Some(arrival) = &mut self.arrival
            && arrival.reached.is_some_and(|(_, own)| seq > own)
            && arrival.waiting.len() <= WAITING_MAX
        {
            arrival.waiting.push((news.clone(), for_hosts));
        }
        if let Some(member) = self.member.as_ref().filter(|member| !member.waits)
            && (!for_hosts || self.role.value() <= Role::CoHost)
        {
            member.tell(news.clone());
        }
    }

    /// Whether an event that puts them in the room with this binding lets them in who had it before.
    pub(super) fn is_let_in(&self, binding: Binding) -> bool {
        let had_it = |arrival: &Arrival| arrival.reached.is_some_and(|(number, _)| number == binding.number);
        let waits = |member: &Member| member.waits && member.binding == binding;
        self.arrival.as_ref().is_some_and(had_it) || self.member.as_ref().is_some_and(waits)
    }

    /// Notes that this person is out of the room again, and why, should they be on their way in.
    pub(super) fn put_out(&mut self, reason: ErrorCode) {
        if let Some(arrival) = self.arrival.as_mut().filter(|arrival| arrival.reached.is_some()) {
            arrival.over = Some(reason);
        }
    }

    /// Notes that this person's own arrival was followed up to here.
    pub(super) fn reach(&mut self, binding: Binding, seq: u64) {
        if let Some(arrival) = &mut self.arrival {
            arrival.reached = Some((binding.number, seq));
            arrival.waiting.clear();
            arrival.over = None;
            arrival.progress.notify_one();
        }
    }
}
