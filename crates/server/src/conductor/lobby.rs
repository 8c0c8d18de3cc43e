//! Who waits to be let in: a session with a socket and nothing else, until the log says that they are in.

use std::sync::Arc;

use cluster::ProposalKey;
use protocol::event::{Binding, RoomEvent};
use protocol::request::Waiting;
use protocol::{ErrorBody, ErrorCode, Reply, Request, RoomId};
use signaling::{Opening, Outbox, SessionHandle};

use super::arrive::Arrived;
use super::person::Caller;
use super::turn::Turn;
use super::{INSIST, Shared, unix_time};
use crate::tokens::SessionToken;

impl Shared {
    /// Opens the socket of somebody who has to be let in. Nothing of the room goes by it.
    pub(super) fn open_waiting(self: &Arc<Self>, turn: &Turn, handle: SessionHandle, outbox: Outbox) -> Arrived {
        let mut registry = self.registry();
        super::arrive::check_in(&mut registry, turn)?;
        let person = registry.person(turn.room(), turn.participant());
        let member = person.and_then(|person| person.member.as_mut()).ok_or_else(super::arrive::session_expired)?;
        if self.is_draining() {
            outbox.close(ErrorCode::Draining);
        }
        member.outbox = Some(outbox);
        let token = SessionToken {
            room: turn.room().clone(),
            participant: turn.participant(),
            session: member.session,
            generation: member.generation,
        };
        registry.add_socket(handle, turn.room(), turn.participant());
        drop(registry);
        tracing::info!(room = %turn.room(), participant = %turn.participant(), "waits to be let in");
        let session_token = self.tokens.session(unix_time(), &token);
        Ok((handle, Opening::Waiting(Waiting { participant_id: token.participant, session_token })))
    }

    /// Who waits may leave, and do nothing else.
    pub(super) async fn request_of_waiting(&self, caller: &Caller, request: &Request) -> Result<Reply, ErrorBody> {
        match request {
            Request::Leave {} => self.leave(caller).await,
            _ => Err(ErrorBody::new(ErrorCode::WrongState, "you are not let in yet")),
        }
    }

    /// Somebody was let in: as soon as it is their turn, and they are as before, they come in.
    pub(super) fn let_in(self: &Arc<Self>, room: RoomId, binding: Binding) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            loop {
                let turn = Turn::take(&shared, &room, binding.participant).await;
                match shared.come_in(&turn, binding).await {
                    Err(error) if error.code == ErrorCode::LogUnavailable => {
                        drop(turn);
                        tokio::time::sleep(INSIST).await;
                    }
                    _ => return,
                }
            }
        });
    }

    /// A resume on their behalf, by the socket that they have: it brings the room exactly as an event left it, and what
    /// follows. Who has no socket finds the room at their own.
    async fn come_in(self: &Arc<Self>, turn: &Turn, binding: Binding) -> Result<(), ErrorBody> {
        let (handle, event) = {
            let mut registry = self.registry();
            let person = registry.person(turn.room(), turn.participant());
            let waits = person.and_then(|person| person.member.as_ref()).filter(|member| member.waits);
            let Some(member) = waits.filter(|member| member.binding == binding && member.outbox.is_some()) else {
                return Ok(());
            };
            let (participant, session, generation) = (turn.participant(), member.session, member.generation + 1);
            (member.handle, RoomEvent::Resumed { participant, session, generation })
        };
        let (binding, snapshot) = self.enter(turn, ProposalKey::Node, event).await?;
        let (creating, outbox) = {
            let mut registry = self.registry();
            super::arrive::check_in(&mut registry, turn)?;
            let person = registry.person(turn.room(), turn.participant());
            let Some(member) = person.and_then(|person| person.member.as_mut()) else { return Ok(()) };
            (member.binding, member.waits, member.token_arrived) = (binding, false, false);
            member.generation += 1;
            let Some(outbox) = member.outbox.take() else {
                // Their socket broke meanwhile, and what was said of that was under the binding before.
                self.insist(turn.room().clone(), binding, RoomEvent::Held { closing: false });
                return Ok(());
            };
            (self.create_missing(&mut registry, turn), outbox)
        };
        match creating.await {
            Ok(transports) => {
                tracing::info!(room = %turn.room(), participant = %turn.participant(), "let in");
                let opened = self.open_again(turn, handle, outbox.clone(), snapshot, transports);
                // Who was sent out meanwhile had no socket that it could be said by.
                opened.inspect_err(|error| outbox.close(error.code))
            }
            Err(error) => {
                outbox.close(error.code);
                Err(error)
            }
        }
    }
}
