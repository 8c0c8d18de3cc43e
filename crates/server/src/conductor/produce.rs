//! Requests about producers. The media begins and is muted first, at once; then the log says so to everybody.

use std::sync::Arc;

use protocol::event::RoomEvent;
use protocol::{ErrorBody, ErrorCode, MediaKind, ProducerId, Reply, RtpParameters, Source, TransportId};

use super::Shared;
use super::media::{Closing, call_failed, not_found, produce_failed};
use super::person::Caller;

/// Stands for the event's number while a source is being published: later than any event that could close it.
pub(super) const UNDER_WAY: u64 = u64::MAX;

/// What somebody wants to publish.
pub(super) struct Wanted {
    pub(super) transport_id: TransportId,
    pub(super) source: Source,
    pub(super) kind: MediaKind,
    pub(super) rtp_parameters: RtpParameters,
    pub(super) paused: bool,
}

impl Shared {
    /// Publishes a source, or gives one that is published a new origin.
    pub(super) async fn produce(self: &Arc<Self>, caller: &Caller, n: u64, wanted: Wanted) -> Result<Reply, ErrorBody> {
        let Wanted { transport_id, source, kind, rtp_parameters, paused } = wanted;
        if kind != source.kind() {
            let message = format!("kind: the source {} is not of this kind", source.as_str());
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        let id = ProducerId { participant: caller.participant(), source };
        let begun = {
            let mut registry = self.registry();
            registry.permissions(&caller.room, caller.participant()).check(source, paused)?;
            let (member, published, media) = registry.member(caller)?;
            if member.send != Some(transport_id) {
                return Err(not_found("transport"));
            }
            if member.asks_newest(source, n, paused) {
                member.closed.remove(&source);
                let call = media
                    .worker
                    .call(move |worker, now| worker.produce(now, transport_id, id, kind, &rtp_parameters, paused));
                Ok((call, published.insert(source, UNDER_WAY)))
            } else {
                // The media is as a newer request wanted it, and the room is to know that.
                Err(!member.passes(source))
            }
        };
        let (call, earlier) = match begun {
            Ok(begun) => begun,
            Err(paused) => {
                let event = RoomEvent::ProducerAdded { source, kind, paused };
                return self.append(caller, n, event).await.map(|_| Reply::Produce { id });
            }
        };
        let event = RoomEvent::ProducerAdded { source, kind, paused };
        let produced = call.await.map_err(call_failed).and_then(|result| result.map_err(|e| produce_failed(&e)));
        self.relays.changed(&caller.room);
        if let Err(error) = produced {
            match earlier {
                Some(_) => self.settle(caller, id, earlier),
                None => self.forget(caller, source),
            }
            return Err(error);
        }
        match self.append(caller, n, event).await {
            Ok(accepted) => {
                self.settle(caller, id, Some(accepted.seq));
                self.agree(caller, id, paused).await;
                Ok(Reply::Produce { id })
            }
            // The event may still come, and the client asks again with the same number.
            Err(error) if error.code == ErrorCode::LogUnavailable => {
                self.settle(caller, id, Some(0));
                Err(error)
            }
            // The room refused what the media carries already. A source that was there before stays, without an origin
            // that anybody listens to until the client publishes it again.
            Err(error) => {
                self.settle(caller, id, earlier);
                self.overrule(&mut self.registry(), &caller.room, id);
                Err(error)
            }
        }
    }

    /// Mutes or unmutes.
    pub(super) async fn pause_producer(
        self: &Arc<Self>,
        caller: &Caller,
        n: u64,
        id: ProducerId,
        paused: bool,
    ) -> Result<Reply, ErrorBody> {
        let call = {
            check_own(caller, id)?;
            let mut registry = self.registry();
            registry.permissions(&caller.room, caller.participant()).check(id.source, paused)?;
            let (member, _, media) = registry.member(caller)?;
            let router = media.router;
            member.asks_newest(id.source, n, paused).then(|| {
                media.worker.call(move |worker, now| match paused {
                    true => worker.pause_producer(router, id),
                    false => worker.resume_producer(now, router, id),
                })
            })
        };
        let Some(call) = call else { return Ok(Reply::Done {}) };
        // Whether there is such a producer is for the room to say.
        let _ = call.await.map_err(call_failed)?;
        let source = id.source;
        let event = if paused { RoomEvent::ProducerPaused { source } } else { RoomEvent::ProducerResumed { source } };
        let judged = self.append(caller, n, event).await;
        match &judged {
            Ok(_) => self.agree(caller, id, paused).await,
            Err(error) if !paused && error.code != ErrorCode::LogUnavailable => {
                self.overrule(&mut self.registry(), &caller.room, id);
            }
            Err(_) => {}
        }
        judged.map(|_| Reply::Done {})
    }

    /// Mutes what passes by a request that the room had taken before, under the same number: it may have been another
    /// request, or a host may have muted since.
    async fn agree(self: &Arc<Self>, caller: &Caller, id: ProducerId, paused: bool) {
        if paused {
            return;
        }
        let publications = self.rooms.publications(caller.room.clone()).await.unwrap_or_default();
        if publications.iter().any(|publication| publication.producer == id && publication.paused) {
            self.overrule(&mut self.registry(), &caller.room, id);
        }
    }

    /// Stops publishing. The media ends when the room says so: a source that is published anew meanwhile goes on for
    /// those who receive it.
    pub(super) async fn close_producer(&self, caller: &Caller, n: u64, id: ProducerId) -> Result<Reply, ErrorBody> {
        check_own(caller, id)?;
        self.append(caller, n, RoomEvent::ProducerClosed { source: id.source }).await.map(|_| Reply::Done {})
    }

    /// Notes by which event a source is published after a request to publish it, if it is. One that somebody else had
    /// closed by a later event ends here: while the request was under way nobody could say what that closed.
    fn settle(self: &Arc<Self>, caller: &Caller, id: ProducerId, seq: Option<u64>) {
        let mut registry = self.registry();
        // Without a member the source went with them.
        if let Ok((member, published, media)) = registry.member(caller) {
            let is_closed = |seq: &u64| member.closed.get(&id.source).is_some_and(|closed| closed > seq);
            match seq.filter(|seq| !is_closed(seq)) {
                Some(seq) => _ = published.insert(id.source, seq),
                None => {
                    published.remove(&id.source);
                    self.close(media, vec![Closing::Producer(id)]);
                    self.relays.ended(&caller.room, id);
                }
            }
        }
        self.relays.changed(&caller.room);
    }

    /// Nothing came of a request to publish a source that was not there.
    fn forget(&self, caller: &Caller, source: Source) {
        if let Ok((_, published, _)) = self.registry().member(caller) {
            published.remove(&source);
        }
        self.relays.changed(&caller.room);
    }
}

fn check_own(caller: &Caller, id: ProducerId) -> Result<(), ErrorBody> {
    if id.participant == caller.participant() { Ok(()) } else { Err(not_found("producer")) }
}
