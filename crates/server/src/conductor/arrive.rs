//! Joins and resumes: from a token to a socket that hears the room.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cluster::{Proposal, ProposalKey};
use protocol::event::{Binding, RoomEvent};
use protocol::request::{Direction, Join, Resume, Welcome};
use protocol::snapshot::RoomSnapshot;
use protocol::transport::TransportOptions;
use protocol::{
    ErrorBody, ErrorCode, MediaKind, Notification, ParticipantId, Role, RoomId, RtpCapabilities, SessionId, TransportId,
};
use sfu::Worker;
use sfu_io::CallError;
use signaling::{News, Opening, Outbox, SessionHandle};
use tokio::time::timeout;

use super::media::{Closing, Media, call_failed, create_transport};
use super::person::{Arrival, Member};
use super::registry::Registry;
use super::turn::Turn;
use super::{Shared, unauthorized, unix_time};
use crate::tokens::{PlaceToken, SessionToken};

/// Following the log takes microseconds; only a fault takes longer.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) type Arrived = Result<(SessionHandle, Opening), ErrorBody>;

impl Shared {
    /// The participant that a session token of an earlier stay lets its holder be again.
    pub(super) async fn returning(&self, room: &RoomId, token: &str) -> Result<ParticipantId, ErrorBody> {
        let token = self.tokens.verify_session(unix_time(), token).map_err(unauthorized)?;
        if token.room != *room {
            return Err(ErrorBody::new(ErrorCode::Unauthorized, "the token is for another room"));
        }
        self.check_starting()?;
        let seat = self.rooms.seat(room.clone(), token.participant, token.session).await?;
        let is_good = match find(&mut self.registry(), &token) {
            Ok(_) => true,
            // Known to another node: the newest, or the one before it if whoever got the newest may not have heard of it.
            Err(error) if error.code == ErrorCode::SessionExpired => {
                let oldest_good = seat.generation.saturating_sub(u32::from(seat.welcome_may_be_lost));
                token.session == seat.session && token.generation >= oldest_good
            }
            Err(_) => false,
        };
        // Whoever was taken over may come in again, but as somebody new.
        if is_good { Ok(token.participant) } else { Err(session_expired()) }
    }

    /// Enters a room with a place token; as the same participant, if they are in it already.
    pub(super) async fn join(self: &Arc<Self>, token: &str, join: Join, address: IpAddr, outbox: Outbox) -> Arrived {
        self.check_taking()?;
        let PlaceToken { room, participant } = self.tokens.verify_place(unix_time(), token).map_err(unauthorized)?;
        check_bounds(&join.rtp_capabilities)?;
        let turn = Turn::take(self, &room, participant).await;
        let session = SessionId(rand::random());
        let name = join.name.trim().to_owned();
        let video_codecs = sfu::ortc::capabilities::receivable(MediaKind::Video, &join.rtp_capabilities);
        let address_tag = Some(self.tokens.address_tag(&room, address));
        let event = RoomEvent::Joined { participant, session, name, video_codecs, address_tag };
        let (binding, snapshot) = self.enter(&turn, ProposalKey::Session { session, n: 0 }, event).await?;

        let handle = self.new_handle();
        let channels = join.enable_sctp;
        let mut member = Member::new(handle, session, binding, 0, join.rtp_capabilities, channels);
        member.waits = has_to_wait(&turn, &snapshot);
        let waits = member.waits;
        let creating = {
            let mut registry = self.registry();
            check_in(&mut registry, &turn)?;
            self.end_moved(&mut registry, &room, participant);
            if let Some(earlier) = registry.install(&room, member) {
                if let Some(outbox) = &earlier.outbox {
                    outbox.close(ErrorCode::Superseded);
                }
                for transport in earlier.transports() {
                    registry.take_transport(transport);
                }
                if let Some(media) = registry.seat(&room, participant) {
                    self.close(&media, earlier.transports().map(Closing::Transport).collect());
                }
                if earlier.sctp != channels {
                    // Those with data channels sit together.
                    registry.give_up_seat(&room, participant);
                }
            }
            if waits {
                drop(registry);
                return self.open_waiting(&turn, handle, outbox);
            }
            self.create_missing(&mut registry, &turn)
        };
        let transports = match creating.await {
            Ok(transports) => transports,
            Err(error) => {
                self.insist(room, binding, RoomEvent::Left {});
                return Err(error);
            }
        };
        tracing::info!(%room, %participant, "joined");
        self.open(&turn, handle, outbox, snapshot, transports)
    }

    /// Comes back to a session with its newest token: to a member that waits for it, or, where this node does not know
    /// it because it was on another, with what that one knew of the client.
    pub(super) async fn resume(self: &Arc<Self>, token: &str, resume: Resume, outbox: Outbox) -> Arrived {
        self.check_taking()?;
        let token = self.tokens.verify_session(unix_time(), token).map_err(unauthorized)?;
        let SessionToken { room, participant, session, .. } = &token;
        resume.rtp_capabilities.as_ref().map_or(Ok(()), check_bounds)?;
        let turn = Turn::take(self, room, *participant).await;
        let known = find(&mut self.registry(), &token).map(|member| member.generation);
        let generation = match known {
            Ok(generation) => generation.max(token.generation.saturating_add(1)),
            Err(error) if error.code != ErrorCode::SessionExpired => return Err(error),
            Err(error) => {
                self.rooms.seat(room.clone(), *participant, *session).await?;
                resume.rtp_capabilities.as_ref().ok_or(error)?;
                token.generation.saturating_add(1)
            }
        };
        let event = RoomEvent::Resumed { participant: *participant, session: *session, generation };
        let (binding, snapshot) = self.enter(&turn, ProposalKey::Node, event).await?;

        let handle = self.new_handle();
        let creating = {
            let mut registry = self.registry();
            check_in(&mut registry, &turn)?;
            self.end_moved(&mut registry, room, *participant);
            match find(&mut registry, &token) {
                Ok(member) => {
                    if member.generation < generation {
                        (member.generation, member.token_arrived) = (generation, false);
                    }
                    member.binding = binding;
                    let earlier = std::mem::replace(&mut member.handle, handle);
                    if let Some(zombie) = member.outbox.take() {
                        zombie.close(ErrorCode::Superseded);
                    }
                    registry.forget_socket(earlier);
                }
                Err(error) => {
                    let capabilities = resume.rtp_capabilities.ok_or(error)?;
                    let member = Member::new(handle, *session, binding, generation, capabilities, resume.enable_sctp);
                    registry.install(room, member);
                }
            }
            let waits = has_to_wait(&turn, &snapshot);
            let person = registry.person(room, *participant);
            if let Some(member) = person.and_then(|person| person.member.as_mut()) {
                member.waits = waits;
            }
            if waits {
                drop(registry);
                return self.open_waiting(&turn, handle, outbox);
            }
            self.create_missing(&mut registry, &turn)
        };
        let transports = match creating.await {
            Ok(transports) => transports,
            Err(error) => {
                self.insist(room.clone(), binding, RoomEvent::Held { closing: false });
                return Err(error);
            }
        };
        tracing::info!(%room, %participant, "resumed");
        self.open(&turn, handle, outbox, snapshot, transports)
    }

    /// Has the log say that somebody arrives, and waits until that was followed. From then on the arrival collects
    /// what happens in the room.
    pub(super) async fn enter(
        self: &Arc<Self>,
        turn: &Turn,
        key: ProposalKey,
        event: RoomEvent,
    ) -> Result<(Binding, RoomSnapshot), ErrorBody> {
        let progress = {
            let mut registry = self.registry();
            let person = registry.person(turn.room(), turn.participant()).ok_or_else(internal)?;
            Arc::clone(&person.arrival.insert(Arrival::default()).progress)
        };
        let proposal = Proposal { room: turn.room().clone(), key, binding: None, event };
        let accepted = self.rooms.propose(proposal).await?;
        let (binding, mut snapshot) = accepted.binding.zip(accepted.snapshot).ok_or_else(internal)?;
        let followed = async {
            while !self.has_reached(turn, binding) {
                progress.notified().await;
            }
        };
        if timeout(REACH_TIMEOUT, followed).await.is_err() {
            tracing::error!(room = %turn.room(), "the room's changes are not followed");
            // The room has them in, and nobody else would ever say that they are not.
            self.insist(turn.room().clone(), binding, RoomEvent::Held { closing: false });
            return Err(internal());
        }
        let own = snapshot.participants.iter().find(|participant| participant.id == turn.participant());
        let mut registry = self.registry();
        // The room that they entered may be over already, and another one by then.
        let arrival = registry.person(turn.room(), turn.participant()).and_then(|person| person.arrival.as_ref());
        let is_over = arrival.is_some_and(|arrival| arrival.over.is_some());
        if !is_over {
            registry.learn_settings(turn.room(), snapshot.seq, snapshot.settings);
            if let Some(own) = own {
                registry.learn_role(turn.room(), turn.participant(), snapshot.seq, own.role);
            }
        }
        drop(registry);
        if own.is_none_or(|own| own.role > Role::CoHost) {
            snapshot.waiting.clear();
        }
        Ok((binding, snapshot))
    }

    fn has_reached(&self, turn: &Turn, binding: Binding) -> bool {
        let mut registry = self.registry();
        let person = registry.person(turn.room(), turn.participant());
        let reached = person.and_then(|person| person.arrival.as_ref()?.reached);
        reached.is_some_and(|(number, _)| number >= binding.number)
    }

    /// Makes the transports that a member has not, and the room's router before them. Resolves to their options.
    pub(super) fn create_missing(
        self: &Arc<Self>,
        registry: &mut Registry,
        turn: &Turn,
    ) -> impl Future<Output = Result<Transports, ErrorBody>> + Send + use<> {
        let mut wanted = [Direction::Send, Direction::Recv].map(|_| None);
        let member = registry.person(turn.room(), turn.participant()).and_then(|person| person.member.as_ref());
        let sctp = member.is_some_and(|member| member.sctp);
        let media = self.seat(registry, turn.room(), turn.participant(), sctp);
        let member = registry.person(turn.room(), turn.participant()).and_then(|person| person.member.as_mut());
        if let Some(member) = member {
            for (slot, direction) in wanted.iter_mut().zip([Direction::Send, Direction::Recv]) {
                let transport = member.transport(direction);
                if transport.is_none() {
                    *slot = Some(TransportId(rand::random()));
                    *transport = *slot;
                }
            }
        }
        for transport in wanted.into_iter().flatten() {
            registry.add_transport(turn.room(), turn.participant(), transport);
        }
        let call = media.map(|media| self.create(&media, wanted, sctp));
        let (shared, room, participant) = (Arc::clone(self), turn.room().clone(), turn.participant());
        async move {
            let result = match call {
                Some(call) => call.await,
                None => Err(call_failed(CallError::WorkerGone)),
            };
            if result.is_err() {
                tracing::error!(%room, %participant, "no transports could be made");
                let mut registry = shared.registry();
                for transport in wanted.into_iter().flatten() {
                    registry.take_transport(transport);
                }
            }
            result
        }
    }

    fn create(
        &self,
        media: &Media,
        wanted: [Option<TransportId>; 2],
        sctp: bool,
    ) -> impl Future<Output = Result<Transports, ErrorBody>> + Send + use<> {
        let router = media.router;
        let call = media.worker.call(move |worker, now| {
            // It exists from the second arrival on.
            let _ = worker.create_router(router);
            let mut create =
                |id: Option<TransportId>| id.map(|id| create_transport(worker, now, router, id, sctp)).transpose();
            let [send, recv] = wanted;
            Ok(Transports { send: create(send)?, recv: create(recv)? })
        });
        async move {
            let created: Result<Transports, sfu::worker::CreateTransportError> = call.await.map_err(call_failed)?;
            created.map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))
        }
    }

    /// Opens a socket with a welcome; what the arrival collected comes after that.
    fn open(
        &self,
        turn: &Turn,
        handle: SessionHandle,
        outbox: Outbox,
        room: RoomSnapshot,
        transports: Transports,
    ) -> Arrived {
        let mut registry = self.registry();
        check_in(&mut registry, turn)?;
        let welcome = self.welcome(&mut registry, turn, room, transports)?;
        registry.add_socket(handle, turn.room(), turn.participant());
        self.fill(&mut registry, turn, outbox, &welcome);
        Ok((handle, Opening::Welcome(Box::new(welcome))))
    }

    /// The same for a socket that is open already, whose client waited. If it broke meanwhile nothing is said.
    pub(super) fn open_again(
        &self,
        turn: &Turn,
        handle: SessionHandle,
        outbox: Outbox,
        room: RoomSnapshot,
        transports: Transports,
    ) -> Result<(), ErrorBody> {
        let mut registry = self.registry();
        check_in(&mut registry, turn)?;
        let welcome = self.welcome(&mut registry, turn, room, transports)?;
        if registry.socket(handle).is_some() {
            // One that is closed, or too slow, will be dropped.
            let _ = outbox.welcome(Box::new(welcome.clone()));
            self.fill(&mut registry, turn, outbox, &welcome);
        }
        Ok(())
    }

    fn welcome(
        &self,
        registry: &mut Registry,
        turn: &Turn,
        room: RoomSnapshot,
        transports: Transports,
    ) -> Result<Welcome, ErrorBody> {
        let person = registry.person(turn.room(), turn.participant()).ok_or_else(session_expired)?;
        let member = person.member.as_ref().ok_or_else(session_expired)?;
        let token = SessionToken {
            room: turn.room().clone(),
            participant: turn.participant(),
            session: member.session,
            generation: member.generation,
        };
        Ok(Welcome {
            participant_id: token.participant,
            session_token: self.tokens.session(unix_time(), &token),
            room,
            send_transport: transports.send,
            recv_transport: transports.recv,
        })
    }

    /// Gives a socket what its arrival collected, and all that follows.
    fn fill(&self, registry: &mut Registry, turn: &Turn, outbox: Outbox, welcome: &Welcome) {
        let seat = registry.seat(turn.room(), turn.participant());
        let speaker = seat.as_ref().and_then(|seat| registry.speaker(turn.room(), seat.router));
        let Some(person) = registry.person(turn.room(), turn.participant()) else { return };
        let for_all_or_host = person.role.value() <= Role::CoHost;
        let waiting = person.arrival.take().map(|arrival| arrival.waiting).unwrap_or_default();
        let waiting = waiting.into_iter().filter(|(_, for_hosts)| for_all_or_host || !for_hosts).map(|(news, _)| news);
        let Some(member) = person.member.as_mut() else { return };
        let speaker = speaker.map(|producer_id| Notification::ActiveSpeaker { producer_id });
        let ended = member.ended_beside(&welcome.room).into_iter().map(News::from);
        for news in ended.chain(waiting).chain(speaker.map(News::from)) {
            // A socket that is too slow already will be closed, and resumes.
            let _ = outbox.notify(news);
        }
        if self.is_draining() {
            outbox.close(ErrorCode::Draining);
        } else if member.transports().count() < 2 {
            // One was closed, or its worker died, while there was no socket to tell it by.
            outbox.close(ErrorCode::Internal);
        }
        member.outbox = Some(outbox);
        let made = [&welcome.send_transport, &welcome.recv_transport].map(|made| made.as_ref().map(|made| made.id));
        let kept: Vec<_> = member.transports().filter(|kept| !made.contains(&Some(*kept))).collect();
        self.relays.changed(turn.room());
        // What a broken socket swallowed: a publisher that was not told would keep a wanted layer switched off.
        if !kept.is_empty()
            && let Some(seat) = seat
        {
            let tell = move |worker: &mut Worker| kept.into_iter().for_each(|transport| worker.tell_layers(transport));
            drop(seat.worker.call(move |worker, _| tell(worker)));
        }
    }

    fn new_handle(&self) -> SessionHandle {
        SessionHandle(self.last_handle.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Transports that were made.
pub(super) struct Transports {
    send: Option<TransportOptions>,
    recv: Option<TransportOptions>,
}

/// The member that a session token is for: of the session in force, and the token the newest, or the one before it
/// while it is not known whether the newest arrived.
fn find<'a>(registry: &'a mut Registry, token: &SessionToken) -> Result<&'a mut Member, ErrorBody> {
    let member = registry.person(&token.room, token.participant).and_then(|person| person.member.as_mut());
    let member = member.ok_or_else(session_expired)?;
    let newest = token.generation == member.generation;
    let before = token.generation.wrapping_add(1) == member.generation && !member.token_arrived;
    if token.session == member.session && (newest || before) {
        return Ok(member);
    }
    Err(ErrorBody::new(ErrorCode::Superseded, "a newer connection of the same participant took over"))
}

/// Whether somebody who has entered is not in, but waits.
fn has_to_wait(turn: &Turn, snapshot: &RoomSnapshot) -> bool {
    snapshot.participants.iter().all(|participant| participant.id != turn.participant())
}

/// Whether somebody who has entered is in still: they may have been sent out before they had their welcome.
pub(super) fn check_in(registry: &mut Registry, turn: &Turn) -> Result<(), ErrorBody> {
    let person = registry.person(turn.room(), turn.participant());
    match person.and_then(|person| person.arrival.as_ref()?.over) {
        None => Ok(()),
        Some(ErrorCode::Removed) => Err(ErrorBody::new(ErrorCode::Removed, "you were sent out of the meeting")),
        Some(ErrorCode::Denied) => Err(ErrorBody::new(ErrorCode::Denied, "you were not let in")),
        Some(ErrorCode::MeetingEnded) => Err(ErrorBody::new(ErrorCode::MeetingEnded, "the host ended the meeting")),
        Some(_) => Err(session_expired()),
    }
}

fn check_bounds(capabilities: &RtpCapabilities) -> Result<(), ErrorBody> {
    if sfu::ortc::capabilities::within_bounds(capabilities) {
        return Ok(());
    }
    Err(ErrorBody::new(ErrorCode::BadRequest, "rtpCapabilities: too many codecs or header extensions"))
}

pub(super) fn session_expired() -> ErrorBody {
    ErrorBody::new(ErrorCode::SessionExpired, "you were away for too long, or left; join again")
}

fn internal() -> ErrorBody {
    ErrorBody::new(ErrorCode::Internal, "the request failed for a reason of the server's own")
}
