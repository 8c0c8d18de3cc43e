//! Who waits to be let in.

use protocol::request::Waiting;
use protocol::{Moderation, Role, Setting};

use super::nodes::two_nodes;
use super::*;

/// A page that waits.
struct Visitor {
    handle: SessionHandle,
    waiting: Waiting,
    inbox: OutboxReceiver,
    conductor: Conductor,
}

impl Visitor {
    async fn come(conductor: &Conductor, name: &str) -> Self {
        Self::try_come(conductor, name, "192.0.2.2").await.expect("not refused").expect("not let in at once")
    }

    /// None if they were let in at once.
    async fn try_come(conductor: &Conductor, name: &str, address: &str) -> Result<Option<Self>, ErrorBody> {
        let place =
            conductor.join_place("daily".parse().expect("a name"), JoinPlace { resume_token: None, avoid: Vec::new() });
        let place = place.await?;
        let rtp_capabilities = place.router_rtp_capabilities.into_owned();
        let join = Join { name: name.to_owned(), rtp_capabilities, enable_sctp: false };
        Self::connect(conductor, ConnectAuth { token: place.token, join: Some(join), resume: None }, address).await
    }

    async fn resume(conductor: &Conductor, token: &str) -> Result<Option<Self>, ErrorBody> {
        let rtp_capabilities = Some(ROUTER_CAPABILITIES.clone());
        let resume = Some(Resume { seq: 0, rtp_capabilities, enable_sctp: false });
        Self::connect(conductor, ConnectAuth { token: token.to_owned(), join: None, resume }, "192.0.2.2").await
    }

    async fn connect(conductor: &Conductor, auth: ConnectAuth, address: &str) -> Result<Option<Self>, ErrorBody> {
        let (outbox, inbox) = outbox();
        let (handle, opening) = conductor.connect(auth, address.parse().expect("an address"), outbox).await?;
        Ok(match opening {
            Opening::Waiting(waiting) => Some(Self { handle, waiting, inbox, conductor: conductor.clone() }),
            Opening::Welcome(_) => None,
        })
    }

    /// Hears nothing before the welcome.
    async fn welcomed(mut self) -> Page {
        let next = tokio::time::timeout(PATIENCE, self.inbox.recv()).await.expect("in time");
        let Some(Outgoing::Welcome(welcomed)) = next else { panic!("no welcome: {next:?}") };
        let Self { handle, inbox, conductor, .. } = self;
        Page { handle, welcome: *welcomed.0, inbox, n: 0, conductor }
    }

    async fn ends(&mut self, reason: ErrorCode) {
        let next = tokio::time::timeout(PATIENCE, self.inbox.recv()).await.expect("in time");
        assert_eq!(next, Some(Outgoing::Close(reason)));
    }

    fn admit(&self) -> Moderation {
        Moderation::Admit { participant_id: Some(self.waiting.participant_id) }
    }
}

/// The host of a room with a lobby.
async fn host(conductor: &Conductor) -> Page {
    let mut anna = Page::join(conductor, "daily", "Anna").await;
    anna.switch(Setting::Lobby, true).await;
    anna.until(|n| matches!(n, Notification::SettingsChanged { .. })).await;
    anna
}

#[tokio::test]
async fn who_waits_has_nothing_of_the_room_until_they_are_let_in() {
    let conductor = conductor().await;
    let mut anna = host(&conductor).await;
    let ben = Visitor::come(&conductor, "Ben").await;
    let told = anna.until(|n| matches!(n, Notification::WaitingAdded { .. })).await;
    assert!(
        matches!(told, Notification::WaitingAdded { waiting, .. } if waiting.name == "Ben" && !waiting.removed_before)
    );
    assert_eq!(worker_stats(&conductor).await.transports, 2, "Anna's");
    let raise = Request::RaiseHand { raised: true };
    let refused = conductor.request(ben.handle, 1, raise.clone()).await.expect_err("not in");
    assert_eq!(refused.code, ErrorCode::WrongState);
    let mic = anna.produce(Source::Mic).await;

    anna.moderate(ben.admit()).await.expect("let in");
    let mut ben = ben.welcomed().await;
    let people: Vec<&str> = ben.welcome.room.participants.iter().map(|person| &person.name[..]).collect();
    assert_eq!(people, ["Anna", "Ben"]);
    assert!(ben.welcome.room.waiting.is_empty());
    ben.request(raise).await.expect("under a number that was refused");
    ben.consume(mic).await.expect("consumed");
    ben.produce(Source::Mic).await;
    anna.until(|n| matches!(n, Notification::WaitingRemoved { .. })).await;
    anna.until(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    // The token that came with the welcome is the newest.
    let (token, _) = ben.vanish();
    Page::resume(&conductor, &token).await.expect("resumed");
}

#[tokio::test]
async fn only_hosts_know_who_waits() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    anna.switch(Setting::Lobby, true).await;
    let _carl = Visitor::come(&conductor, "Carl").await;
    anna.until(|n| matches!(n, Notification::WaitingAdded { .. })).await;
    ben.request(Request::RaiseHand { raised: true }).await.expect("raised");
    ben.hears(|n| matches!(n, Notification::SettingsChanged { .. })).await;
    ben.hears(|n| matches!(n, Notification::HandRaised { .. })).await;
    let (token, _) = ben.vanish();
    let mut ben = Page::resume(&conductor, &token).await.expect("resumed");
    assert!(ben.welcome.room.waiting.is_empty());

    anna.moderate(Moderation::SetRole { participant_id: ben.id(), role: Role::CoHost }).await.expect("given");
    let told = ben.until(|n| matches!(n, Notification::WaitingListed { .. })).await;
    let Notification::WaitingListed { waiting, .. } = told else { panic!("{told:?}") };
    assert_eq!(waiting[0].name, "Carl");
    let (token, _) = ben.vanish();
    let mut ben = Page::resume(&conductor, &token).await.expect("resumed");
    assert_eq!(ben.welcome.room.waiting, waiting);
    ben.moderate(Moderation::Admit { participant_id: None }).await.expect("a co-host may");
}

#[tokio::test]
async fn who_is_denied_is_told_so_and_their_token_is_of_no_use() {
    let conductor = conductor().await;
    let mut anna = host(&conductor).await;
    let mut ben = Visitor::come(&conductor, "Ben").await;
    anna.moderate(Moderation::Deny { participant_id: ben.waiting.participant_id }).await.expect("denied");
    ben.ends(ErrorCode::Denied).await;
    let back = Visitor::resume(&conductor, &ben.waiting.session_token).await;
    assert_eq!(back.err().expect("denied").code, ErrorCode::Denied);
    assert_eq!(conductor.0.registry().counts().members, 1);
}

#[tokio::test]
async fn who_waits_may_go() {
    let conductor = conductor().await;
    let mut anna = host(&conductor).await;
    let ben = Visitor::come(&conductor, "Ben").await;
    conductor.request(ben.handle, 1, Request::Leave {}).await.expect("gone");
    anna.until(|n| matches!(n, Notification::WaitingRemoved { .. })).await;
    assert_eq!(conductor.0.registry().counts().members, 1);
}

#[tokio::test]
async fn who_is_let_in_while_their_socket_is_broken_finds_themselves_in() {
    let conductor = conductor().await;
    let mut anna = host(&conductor).await;
    let ben = Visitor::come(&conductor, "Ben").await;
    conductor.disconnected(ben.handle, false);
    let ben = Visitor::resume(&conductor, &ben.waiting.session_token).await.expect("taken").expect("waits still");
    conductor.disconnected(ben.handle, false);
    anna.moderate(ben.admit()).await.expect("let in");
    anna.until(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let ben = Page::resume(&conductor, &ben.waiting.session_token).await.expect("in");
    assert!(ben.welcome.send_transport.is_some() && ben.welcome.room.participants.len() == 2);
}

#[tokio::test]
async fn waiting_goes_on_at_another_node_and_ends_there() {
    let [first, second] = two_nodes().await;
    let mut anna = host(&first).await;
    let mut ben = Visitor::come(&first, "Ben").await;
    let there = Visitor::resume(&second, &ben.waiting.session_token).await.expect("taken").expect("waits still");
    ben.ends(ErrorCode::Superseded).await;
    anna.moderate(there.admit()).await.expect("let in");
    let mut ben = there.welcomed().await;
    let mic = anna.produce(Source::Mic).await;
    ben.until(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    ben.consume(mic).await.expect("from the other node");
}

#[tokio::test]
async fn when_the_host_leaves_who_waits_longest_comes_in_as_host() {
    let conductor = conductor().await;
    let mut anna = host(&conductor).await;
    let ben = Visitor::come(&conductor, "Ben").await;
    let carl = Visitor::come(&conductor, "Carl").await;
    anna.request(Request::Leave {}).await.expect("left");
    let mut ben = ben.welcomed().await;
    assert_eq!(ben.welcome.room.participants[0].role, Role::Host);
    assert_eq!(ben.welcome.room.waiting[0].name, "Carl");
    ben.moderate(carl.admit()).await.expect("let in");
    carl.welcomed().await;
}

#[tokio::test]
async fn whoever_comes_from_where_somebody_was_banned_waits_to_be_let_in() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    assert!(Visitor::try_come(&conductor, "Ben", "192.0.2.7").await.expect("in").is_none());
    let told = anna.until(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let Notification::ParticipantJoined { participant, .. } = told else { panic!("{told:?}") };
    anna.moderate(Moderation::Remove { participant_id: participant.id, ban: true }).await.expect("removed");
    assert!(Visitor::try_come(&conductor, "Ben", "192.0.2.7").await.expect("not refused").is_some());
    let told = anna.until(|n| matches!(n, Notification::WaitingAdded { .. })).await;
    assert!(matches!(told, Notification::WaitingAdded { waiting, .. } if waiting.removed_before));
    assert!(Visitor::try_come(&conductor, "Carl", "192.0.2.8").await.expect("in").is_none());
}
