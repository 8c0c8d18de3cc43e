//! Who is here: rooms, people, their sockets and what they hold on the media workers. Plain data behind one lock.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use protocol::event::Binding;
use protocol::{
    DataProducerId, ErrorBody, ErrorCode, ParticipantId, ProducerId, Role, RoomId, RoomSettings, Source, TransportId,
};
use sfu::worker::RouterId;
use sfu_io::{WorkerHandle, WorkerIndex};
use signaling::{Outbox, SessionHandle};
use tokio::sync::watch;

use super::media::Media;
use super::permissions::{Known, Permissions};
use super::person::{Caller, Member, Moved, Person};
use super::produce::UNDER_WAY;

/// Everything that this node knows of its rooms besides their log.
#[derive(Default)]
pub(super) struct Registry {
    rooms: HashMap<RoomId, Room>,
    sockets: HashMap<SessionHandle, (RoomId, ParticipantId)>,
    transports: HashMap<TransportId, (RoomId, ParticipantId)>,
    routers: HashMap<RouterId, RoomId>,
}

/// A room with somebody in it, or on the way in or out.
#[derive(Default)]
struct Room {
    /// One on each worker that has or had people of it.
    routers: Vec<Router>,
    people: HashMap<ParticipantId, Person>,
    /// What comes from other nodes; also what is still to come from here, of who came over.
    remote: HashSet<ProducerId>,
    /// Counts what arrived of that, or from another worker.
    arrivals: watch::Sender<u64>,
    settings: Known<RoomSettings>,
}

/// A router of a room.
struct Router {
    media: Media,
    /// Who spoke most there when that changed last.
    speaker: Option<ProducerId>,
}

/// How many there are, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RegistryCounts {
    pub(super) rooms: usize,
    pub(super) members: usize,
    pub(super) members_without_socket: usize,
    pub(super) moved: usize,
    pub(super) sockets: usize,
    pub(super) transports: usize,
    pub(super) consumers: usize,
    pub(super) producers: usize,
    pub(super) data_producers: usize,
    pub(super) data_consumers: usize,
}

impl Registry {
    /// Announces that somebody will wait for a person's turn; [`Registry::leave_turn`] takes it back.
    pub(super) fn enter_turn(&mut self, room: &RoomId, participant: ParticipantId) -> Arc<tokio::sync::Mutex<()>> {
        let person = self.rooms.entry(room.clone()).or_default().people.entry(participant).or_default();
        person.visitors += 1;
        Arc::clone(&person.turn)
    }

    pub(super) fn leave_turn(&mut self, room: &RoomId, participant: ParticipantId) {
        if let Some(person) = self.person(room, participant) {
            person.visitors -= 1;
        }
        self.forget_if_empty(room, participant);
    }

    pub(super) fn person(&mut self, room: &RoomId, participant: ParticipantId) -> Option<&mut Person> {
        self.rooms.get_mut(room)?.people.get_mut(&participant)
    }

    /// Where a socket belongs.
    pub(super) fn socket(&self, handle: SessionHandle) -> Option<(RoomId, ParticipantId)> {
        self.sockets.get(&handle).cloned()
    }

    /// The caller behind a socket, if it is its participant's newest.
    pub(super) fn caller(&self, handle: SessionHandle) -> Result<Caller, ErrorBody> {
        let not_joined = || ErrorBody::new(ErrorCode::NotJoined, "you are not in this room any more; join it again");
        let (room, participant) = self.sockets.get(&handle).ok_or_else(not_joined)?;
        let person = self.rooms.get(room).and_then(|room| room.people.get(participant)).ok_or_else(not_joined)?;
        let member = person.member.as_ref().ok_or_else(not_joined)?;
        if member.handle != handle {
            return Err(superseded());
        }
        Ok(Caller { handle, room: room.clone(), session: member.session, binding: member.binding })
    }

    /// The caller's session, their sources and where their transports are.
    pub(super) fn member(
        &mut self,
        caller: &Caller,
    ) -> Result<(&mut Member, &mut HashMap<Source, u64>, &Media), ErrorBody> {
        let person = self.person(&caller.room, caller.participant()).ok_or_else(superseded)?;
        let member = person.member.as_mut().filter(|member| member.handle == caller.handle).ok_or_else(superseded)?;
        let media =
            person.seat.as_ref().ok_or_else(|| ErrorBody::new(ErrorCode::Internal, "the media worker is gone"))?;
        Ok((member, &mut person.published, media))
    }

    /// How a room is set by the event `seq`.
    pub(super) fn learn_settings(&mut self, room: &RoomId, seq: u64, settings: RoomSettings) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.settings.learn(seq, settings);
        }
    }

    /// What a person is by the event `seq`.
    pub(super) fn learn_role(&mut self, room: &RoomId, participant: ParticipantId, seq: u64, role: Role) {
        if let Some(person) = self.person(room, participant) {
            person.role.learn(seq, role);
        }
    }

    /// The room is another one from now on, whose events are numbered anew.
    pub(super) fn doubt_permissions(&mut self, room: &RoomId) {
        let Some(room) = self.rooms.get_mut(room) else { return };
        room.settings.doubt();
        room.people.values_mut().for_each(|person| person.role.doubt());
    }

    /// What a person may do.
    pub(super) fn permissions(&self, room: &RoomId, participant: ParticipantId) -> Permissions {
        let room = self.rooms.get(room);
        let person = room.and_then(|room| room.people.get(&participant));
        Permissions {
            role: person.map(|person| person.role.value()).unwrap_or_default(),
            settings: room.map(|room| room.settings.value()).unwrap_or_default(),
        }
    }

    /// Where a person's transports are.
    pub(super) fn seat(&self, room: &RoomId, participant: ParticipantId) -> Option<Media> {
        self.rooms.get(room)?.people.get(&participant)?.seat.clone()
    }

    /// Gives a person a seat on a worker: at the room's router there, which is `fresh` if there is none yet.
    pub(super) fn take_seat(
        &mut self,
        room: &RoomId,
        participant: ParticipantId,
        worker: WorkerHandle,
        fresh: impl FnOnce() -> RouterId,
    ) -> Media {
        let entry = self.rooms.entry(room.clone()).or_default();
        let media = entry.router_on(worker.index()).map(|router| router.media.clone()).unwrap_or_else(|| {
            let media = Media { worker, router: fresh() };
            self.routers.insert(media.router, room.clone());
            entry.routers.push(Router { media: media.clone(), speaker: None });
            media
        });
        entry.people.entry(participant).or_default().seat = Some(media.clone());
        media
    }

    /// A person's next seat may be elsewhere: their transports are closed.
    pub(super) fn give_up_seat(&mut self, room: &RoomId, participant: ParticipantId) {
        if let Some(person) = self.person(room, participant) {
            person.seat = None;
        }
    }

    /// How many people of a room have their seats on each worker that has any.
    pub(super) fn seats(&self, room: &RoomId) -> HashMap<WorkerIndex, usize> {
        let mut seats = HashMap::new();
        let people = self.rooms.get(room).into_iter().flat_map(|room| room.people.values());
        for seat in people.filter_map(|person| person.seat.as_ref()) {
            *seats.entry(seat.worker.index()).or_default() += 1;
        }
        seats
    }

    /// The worker of those in a room who have data channels.
    pub(super) fn worker_with_channels(&self, room: &RoomId) -> Option<WorkerIndex> {
        let mut people = self.rooms.get(room)?.people.values();
        people.find_map(|person| {
            let seat = person.member.as_ref().filter(|member| member.sctp).and(person.seat.as_ref())?;
            Some(seat.worker.index())
        })
    }

    /// A room's routers.
    pub(super) fn routers_of(&self, room: &RoomId) -> impl Iterator<Item = &Media> {
        self.rooms.get(room).into_iter().flat_map(|room| &room.routers).map(|router| &router.media)
    }

    /// A room's router on a worker.
    pub(super) fn router_on(&self, room: &RoomId, worker: WorkerIndex) -> Option<Media> {
        Some(self.rooms.get(room)?.router_on(worker)?.media.clone())
    }

    /// Puts a session in force. Returns the one that it replaces, whose socket no longer counts.
    pub(super) fn install(&mut self, room: &RoomId, member: Member) -> Option<Member> {
        let participant = member.binding.participant;
        let person = self.rooms.entry(room.clone()).or_default().people.entry(participant).or_default();
        let earlier = person.member.replace(member)?;
        self.sockets.remove(&earlier.handle);
        Some(earlier)
    }

    /// Lets a socket speak for a participant.
    pub(super) fn add_socket(&mut self, handle: SessionHandle, room: &RoomId, participant: ParticipantId) {
        self.sockets.insert(handle, (room.clone(), participant));
    }

    /// A socket no longer speaks for anybody.
    pub(super) fn forget_socket(&mut self, handle: SessionHandle) {
        self.sockets.remove(&handle);
    }

    /// Notes who a transport is for.
    pub(super) fn add_transport(&mut self, room: &RoomId, participant: ParticipantId, transport: TransportId) {
        self.transports.insert(transport, (room.clone(), participant));
    }

    /// Takes a transport from its member, with the consumers on it.
    pub(super) fn take_transport(&mut self, transport: TransportId) -> Option<&mut Member> {
        let (room, participant) = self.transports.remove(&transport)?;
        let member = self.rooms.get_mut(&room)?.people.get_mut(&participant)?.member.as_mut()?;
        member.connected.remove(&transport);
        if member.send == Some(transport) {
            member.send = None;
        }
        if member.recv == Some(transport) {
            member.recv = None;
            member.consumers.clear();
            member.data_consumers.clear();
        }
        Some(member)
    }

    /// A transport is through ICE and DTLS.
    pub(super) fn connected(&mut self, transport: TransportId) {
        let Some((room, participant)) = self.transports.get(&transport).cloned() else { return };
        let Some(person) = self.person(&room, participant) else { return };
        match (&mut person.moved, &mut person.member) {
            (Some(moved), _) if moved.transports.contains(&transport) => moved.connected.push(transport),
            (_, Some(member)) => _ = member.connected.insert(transport),
            _ => {}
        }
    }

    /// A transport closed by itself that a moved session left behind. Says whose it was, if that was the last that anything
    /// could come by.
    pub(super) fn left_behind_closed(&mut self, transport: TransportId) -> Option<(RoomId, ParticipantId)> {
        let (room, participant) = self.transports.get(&transport)?.clone();
        let moved = self.person(&room, participant)?.moved.as_mut()?;
        moved.transports.retain(|left| *left != transport);
        moved.connected.retain(|left| *left != transport);
        let is_all = moved.connected.is_empty();
        self.transports.remove(&transport);
        is_all.then_some((room, participant))
    }

    /// The member that a transport is for.
    pub(super) fn transport_owner(&mut self, transport: TransportId) -> Option<&mut Member> {
        let (room, participant) = self.transports.get(&transport)?;
        self.rooms.get_mut(room)?.people.get_mut(participant)?.member.as_mut()
    }

    /// A socket is gone. Returns its room and binding if its session stays without one.
    pub(super) fn drop_socket(&mut self, handle: SessionHandle) -> Option<(RoomId, Binding)> {
        let (room, participant) = self.sockets.remove(&handle)?;
        let member = self.person(&room, participant)?.member.as_mut().filter(|member| member.handle == handle)?;
        member.outbox = None;
        Some((room, member.binding))
    }

    /// Takes a participant out of their room; what they held on the worker is in the result.
    pub(super) fn take_member(&mut self, room: &RoomId, participant: ParticipantId) -> Option<Departed> {
        let person = self.person(room, participant)?;
        let member = person.member.take();
        let left_behind = person.moved.take().map(|moved| moved.transports);
        person.published.clear();
        let mut transports = left_behind.unwrap_or_default();
        transports.extend(member.iter().flat_map(Member::transports));
        let departed = Departed {
            media: person.seat.take(),
            outbox: member.as_ref().and_then(|member| member.outbox.clone()),
            transports,
        };
        for transport in &departed.transports {
            self.transports.remove(transport);
        }
        if let Some(member) = member {
            self.sockets.remove(&member.handle);
        }
        self.forget_if_empty(room, participant);
        Some(departed)
    }

    /// A participant's session goes on at another node. What they have here stays, but for the socket, which is given.
    pub(super) fn leave_behind(&mut self, room: &RoomId, participant: ParticipantId) -> Option<(u64, Option<Outbox>)> {
        let person = self.person(room, participant)?;
        let member = person.member.take()?;
        // What was being published is as good as there: it may be closed from now on.
        person.published.values_mut().filter(|number| **number == UNDER_WAY).for_each(|number| *number = 0);
        let number = member.binding.number;
        let transports: Vec<_> = member.transports().collect();
        let connected = transports.iter().copied().filter(|transport| member.connected.contains(transport)).collect();
        person.moved = Some(Moved { number, transports, connected });
        self.sockets.remove(&member.handle);
        Some((number, member.outbox))
    }

    /// What a session left behind, that of binding `number`, if it is still there.
    pub(super) fn left_behind(&mut self, room: &RoomId, participant: ParticipantId, number: u64) -> Option<&Moved> {
        let moved = self.person(room, participant).and_then(|person| person.moved.as_ref());
        moved.filter(|moved| moved.number == number)
    }

    /// Takes what a session left behind: its transports. What it published goes on at its new node.
    pub(super) fn take_moved(
        &mut self,
        room: &RoomId,
        participant: ParticipantId,
    ) -> Option<(Option<Media>, Vec<TransportId>)> {
        let person = self.person(room, participant)?;
        let Moved { transports, .. } = person.moved.take()?;
        person.published.clear();
        let media = person.seat.take();
        for transport in &transports {
            self.transports.remove(transport);
        }
        self.forget_if_empty(room, participant);
        Some((media, transports))
    }

    /// Forgets a source that the event `seq` closed, unless it was published again since. Whether what is being published
    /// came before or after that is not known yet.
    pub(super) fn unpublish(&mut self, room: &RoomId, id: ProducerId, seq: u64) {
        if let Some(person) = self.person(room, id.participant) {
            if let Some(member) = &mut person.member {
                member.closed.insert(id.source, seq);
            }
            person.published.retain(|source, published| *source != id.source || *published >= seq);
        }
    }

    /// Whether a source is published on a router, or was by somebody who moved on.
    pub(super) fn is_published(&self, router: RouterId, id: ProducerId) -> bool {
        let room = self.routers.get(&router).and_then(|room| self.rooms.get(room));
        room.and_then(|room| room.people.get(&id.participant)).is_some_and(|person| person.publishes_on(router, id))
    }

    /// Whether a source exists in the room that a transport is for.
    pub(super) fn is_published_beside(&self, transport: TransportId, id: ProducerId) -> bool {
        let room = self.transports.get(&transport).and_then(|(room, _)| self.rooms.get(room));
        room.is_some_and(|room| room.has(id))
    }

    /// What people of this node publish in a room, and what those left behind who moved on: on which worker, and with the
    /// number of the event that published it.
    pub(super) fn sources(&self, room: &RoomId) -> impl Iterator<Item = (WorkerIndex, ProducerId, u64)> {
        let people = self.rooms.get(room).into_iter().flat_map(|room| &room.people);
        let here = people.filter(|(_, person)| person.has_transports());
        here.filter_map(|(participant, person)| Some((participant, person, person.seat.as_ref()?.worker.index())))
            .flat_map(|(&participant, person, worker)| {
                let of_theirs = person.published.iter();
                of_theirs.map(move |(&source, &number)| (worker, ProducerId { participant, source }, number))
            })
    }

    /// Whether a participant is here and publishes something.
    pub(super) fn publishes(&self, room: &RoomId, id: ProducerId) -> bool {
        let person = self.rooms.get(room).and_then(|room| room.people.get(&id.participant));
        person.is_some_and(|person| person.member.is_some() && person.published.contains_key(&id.source))
    }

    /// Notes what comes from other nodes in a room that is here.
    pub(super) fn set_remote(&mut self, room: &RoomId, remote: Vec<ProducerId>) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.remote = remote.into_iter().collect();
        }
    }

    /// What somebody on another node published is over.
    pub(super) fn remove_remote(&mut self, room: &RoomId, producer: ProducerId) {
        if let Some(room) = self.rooms.get_mut(room) {
            room.remote.remove(&producer);
        }
    }

    /// Whether a source comes to a room's router from elsewhere, and is not published there since.
    pub(super) fn comes_over(&self, room: &RoomId, router: RouterId, producer: ProducerId) -> bool {
        let Some(room) = self.rooms.get(room) else { return false };
        let person = room.people.get(&producer.participant).filter(|person| person.member.is_some());
        room.has(producer) && person.is_none_or(|person| !person.publishes_on(router, producer))
    }

    /// Rises with everything that arrives of a room from other nodes and workers.
    pub(super) fn arrivals(&self, room: &RoomId) -> Option<watch::Receiver<u64>> {
        Some(self.rooms.get(room)?.arrivals.subscribe())
    }

    /// Something arrived from another node or worker.
    pub(super) fn arrived(&self, room: &RoomId) {
        if let Some(room) = self.rooms.get(room) {
            room.arrivals.send_modify(|count| *count += 1);
        }
    }

    /// Takes a room's routers on which nobody of it is any more.
    pub(super) fn take_empty_routers(&mut self, room: &RoomId) -> Vec<Media> {
        let Some(entry) = self.rooms.get_mut(room) else { return Vec::new() };
        let seats: HashSet<_> = entry.people.values().filter_map(|person| Some(person.seat.as_ref()?.router)).collect();
        let is_empty = |router: &mut Router| !seats.contains(&router.media.router);
        let empty: Vec<_> = entry.routers.extract_if(.., is_empty).map(|router| router.media).collect();
        for media in &empty {
            self.routers.remove(&media.router);
        }
        if entry.people.is_empty() && entry.routers.is_empty() {
            self.rooms.remove(room);
        }
        empty
    }

    /// The rooms of which anything is here.
    pub(super) fn rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.rooms.keys()
    }

    /// Ends a room's media.
    pub(super) fn take_routers(&mut self, room: &RoomId) -> Vec<Media> {
        let Some(entry) = self.rooms.get_mut(room) else { return Vec::new() };
        let routers: Vec<_> = entry.routers.drain(..).map(|router| router.media).collect();
        entry.people.values_mut().for_each(|person| person.seat = None);
        if entry.people.is_empty() {
            self.rooms.remove(room);
        }
        for media in &routers {
            self.routers.remove(&media.router);
        }
        routers
    }

    /// The room that a router is for, and the worker that carries it.
    pub(super) fn router(&self, router: RouterId) -> Option<(RoomId, WorkerIndex)> {
        let room = self.routers.get(&router)?;
        let media = self.routers_of(room).find(|media| media.router == router)?;
        Some((room.clone(), media.worker.index()))
    }

    /// A worker is gone: the sockets of all people on it, who have no media now, and their data producers.
    pub(super) fn take_worker(&mut self, worker: WorkerIndex) -> (Vec<Outbox>, Vec<(RoomId, DataProducerId)>) {
        let (mut outboxes, mut data_producers) = (Vec::new(), Vec::new());
        let is_on = |media: &Media| media.worker.index() == worker;
        for (id, room) in &mut self.rooms {
            for gone in room.routers.extract_if(.., |router| is_on(&router.media)) {
                self.routers.remove(&gone.media.router);
            }
            for (&participant, person) in &mut room.people {
                if person.seat.take_if(|seat| is_on(seat)).is_none() {
                    continue;
                }
                person.published.clear();
                for transport in person.moved.take().into_iter().flat_map(|moved| moved.transports) {
                    self.transports.remove(&transport);
                }
                let Some(member) = &mut person.member else { continue };
                for transport in member.transports() {
                    self.transports.remove(&transport);
                }
                (member.send, member.recv) = (None, None);
                member.connected.clear();
                member.consumers.clear();
                member.data_consumers.clear();
                let numbers = member.data_producers.drain();
                data_producers.extend(numbers.map(|number| (id.clone(), DataProducerId { participant, number })));
                outboxes.extend(member.outbox.clone());
            }
        }
        (outboxes, data_producers)
    }

    /// The people of a room.
    pub(super) fn people(&mut self, room: &RoomId) -> impl Iterator<Item = (&ParticipantId, &mut Person)> {
        self.rooms.get_mut(room).into_iter().flat_map(|room| room.people.iter_mut())
    }

    /// Notes who speaks most, as a router hears it.
    pub(super) fn set_speaker(&mut self, router: RouterId, producer: ProducerId) {
        let room = self.routers.get(&router).and_then(|room| self.rooms.get_mut(room));
        let routers = room.into_iter().flat_map(|room| &mut room.routers);
        routers.filter(|entry| entry.media.router == router).for_each(|entry| entry.speaker = Some(producer));
    }

    /// Who speaks most, or did last, if they are still heard.
    pub(super) fn speaker(&self, room: &RoomId, router: RouterId) -> Option<ProducerId> {
        let room = self.rooms.get(room)?;
        let router = room.routers.iter().find(|entry| entry.media.router == router)?;
        router.speaker.filter(|id| room.has(*id))
    }

    /// The sockets of the people on a router.
    pub(super) fn listeners(&self, router: RouterId) -> impl Iterator<Item = &Outbox> {
        let room = self.routers.get(&router).and_then(|room| self.rooms.get(room));
        room.into_iter()
            .flat_map(|room| room.people.values())
            .filter(move |person| person.seat.as_ref().is_some_and(|seat| seat.router == router))
            .filter_map(|person| person.member.as_ref()?.outbox.as_ref())
    }

    /// Every socket.
    pub(super) fn outboxes(&self) -> impl Iterator<Item = &Outbox> {
        let people = self.rooms.values().flat_map(|room| room.people.values());
        people.filter_map(|person| person.member.as_ref()?.outbox.as_ref())
    }

    /// Whether nobody has a socket here, and whoever moved has taken everything along.
    pub(super) fn is_left(&self) -> bool {
        let mut people = self.rooms.values().flat_map(|room| room.people.values());
        self.sockets.is_empty() && people.all(|person| person.moved.is_none())
    }

    pub(super) fn counts(&self) -> RegistryCounts {
        let mut counts = RegistryCounts {
            rooms: self.rooms.len(),
            sockets: self.sockets.len(),
            transports: self.transports.len(),
            ..RegistryCounts::default()
        };
        for person in self.rooms.values().flat_map(|room| room.people.values()) {
            counts.producers += person.published.len();
            counts.moved += usize::from(person.moved.is_some());
            let Some(member) = &person.member else { continue };
            counts.members += 1;
            counts.members_without_socket += usize::from(member.outbox.is_none());
            counts.consumers += member.consumers.len();
            counts.data_producers += member.data_producers.len();
            counts.data_consumers += member.data_consumers.len();
        }
        counts
    }

    fn forget_if_empty(&mut self, room: &RoomId, participant: ParticipantId) {
        let Some(entry) = self.rooms.get_mut(room) else { return };
        let empty = |person: &Person| person.visitors == 0 && !person.has_transports() && person.published.is_empty();
        if entry.people.get(&participant).is_some_and(empty) {
            entry.people.remove(&participant);
        }
        if entry.people.is_empty() && entry.routers.is_empty() {
            self.rooms.remove(room);
        }
    }
}

impl Room {
    fn router_on(&self, worker: WorkerIndex) -> Option<&Router> {
        self.routers.iter().find(|router| router.media.worker.index() == worker)
    }

    /// Whether a source exists in the room.
    fn has(&self, id: ProducerId) -> bool {
        let person = self.people.get(&id.participant);
        person.is_some_and(|person| person.published.contains_key(&id.source)) || self.remote.contains(&id)
    }
}

/// What a participant leaves behind.
pub(super) struct Departed {
    pub(super) media: Option<Media>,
    pub(super) outbox: Option<Outbox>,
    pub(super) transports: Vec<TransportId>,
}

fn superseded() -> ErrorBody {
    ErrorBody::new(ErrorCode::Superseded, "a newer connection of the same participant took over")
}
