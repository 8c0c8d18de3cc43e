//! What is behind the socket: the far side of this crate, implemented by `server`.

use std::future::Future;
use std::net::IpAddr;

use protocol::request::{ConnectAuth, JoinPlace, JoinPlaceReply, ResumePlace, ResumePlaceReply, Waiting, Welcome};
use protocol::{ErrorBody, Reply, Request, RoomId};

use crate::Outbox;

/// The key of one socket's session, chosen by [`Handler::connect`]. Two sockets never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHandle(pub u64);

/// What a client is told first.
#[derive(Debug, Clone)]
pub enum Opening {
    /// It is in.
    Welcome(Box<Welcome>),
    /// It has to be let in; [`Outbox::welcome`] follows.
    Waiting(Waiting),
}

/// Answers what clients ask, once it has the right shape and is within the limits.
pub trait Handler: Send + Sync + 'static {
    /// Where to join `room`, and what to bring.
    fn join_place(
        &self,
        room: RoomId,
        body: JoinPlace,
    ) -> impl Future<Output = Result<JoinPlaceReply, ErrorBody>> + Send;

    /// Where to come back to a session in `room`.
    fn resume_place(
        &self,
        room: RoomId,
        body: ResumePlace,
    ) -> impl Future<Output = Result<ResumePlaceReply, ErrorBody>> + Send;

    /// Opens a session for a socket of a client at `address`; exactly one of `auth.join` and `auth.resume` is there.
    /// What `outbox` is given is sent after the opening. Runs to its end even if the socket closes meanwhile;
    /// [`Handler::disconnected`] then follows at once.
    fn connect(
        &self,
        auth: ConnectAuth,
        address: IpAddr,
        outbox: Outbox,
    ) -> impl Future<Output = Result<(SessionHandle, Opening), ErrorBody>> + Send;

    /// Carries out request number `n` (1 to 2^53 - 1). A session's requests come one after the other, in the
    /// order in which the client sent them, so one that waits holds up those behind it: answer with a retryable
    /// error rather than wait long. After a `leave` that succeeds, or that comes from somebody who
    /// is not there any more (`not_joined`), the socket is closed.
    fn request(
        &self,
        session: SessionHandle,
        n: u64,
        request: Request,
    ) -> impl Future<Output = Result<Reply, ErrorBody>> + Send;

    /// The session's socket is gone; `closing` if the client said so before, because its page is being closed or
    /// reloaded. Called exactly once per successful [`Handler::connect`], after the end of its last
    /// [`Handler::request`].
    fn disconnected(&self, session: SessionHandle, closing: bool);
}
