//! What hosts do to others, in the media.

use cluster::Applied;
use protocol::{Moderation, Role, RoomSettings, Setting};
use room::Change;

use super::nodes::two_nodes_with;
use super::*;

/// A host and a participant of one room.
async fn two(conductor: &Conductor) -> (Page, Page) {
    let mut anna = Page::join(conductor, "daily", "Anna").await;
    let ben = Page::join(conductor, "daily", "Ben").await;
    anna.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    (anna, ben)
}

impl Page {
    pub(super) async fn moderate(&mut self, action: Moderation) -> Result<Reply, ErrorBody> {
        self.request(Request::Moderate(action)).await
    }

    pub(super) async fn switch(&mut self, setting: Setting, on: bool) {
        self.moderate(Moderation::SetSetting { setting, on }).await.expect("switched");
    }

    /// Whether what this page publishes is held back by its worker; `None` if it is not there.
    async fn is_paused(&self, id: ProducerId) -> Option<bool> {
        let media = seat(&self.conductor, self);
        media.worker.call(move |worker, _| worker.is_producer_paused(media.router, id)).await.expect("an answer")
    }

    /// Reads what came until something is heard.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Notification) -> bool) -> Notification {
        loop {
            match self.next().await {
                Outgoing::Notify(heard) if wanted(&heard) => return (*heard).clone(),
                Outgoing::Notify(_) => {}
                other => panic!("heard the end: {other:?}"),
            }
        }
    }

    pub(super) async fn is_closed(&mut self, reason: ErrorCode) {
        while let next @ (Outgoing::Notify(_) | Outgoing::Close(_)) = self.next().await {
            if let Outgoing::Close(code) = next {
                assert_eq!(code, reason);
                return;
            }
        }
    }
}

fn mute(page: &Page, source: Source) -> Moderation {
    Moderation::Mute { participant_id: Some(page.id()), source }
}

/// The log says so to this node.
fn says(conductor: &Conductor, seq: u64, change: Change) {
    let room = "daily".parse().expect("a name");
    follow::follow(&conductor.0, Applied { room, seq, change });
}

#[tokio::test]
async fn who_is_muted_is_held_back_until_they_unmute_themselves() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    let mic = ben.produce(Source::Mic).await;
    anna.moderate(mute(&ben, Source::Mic)).await.expect("muted");
    let by = anna.id();
    for page in [&mut anna, &mut ben] {
        let told = page.until(|n| matches!(n, Notification::ProducerPaused { .. })).await;
        assert!(
            matches!(told, Notification::ProducerPaused { producer_id, by: Some(who), .. } if (producer_id, who) == (mic, by))
        );
    }
    assert_eq!(ben.is_paused(mic).await, Some(true));
    ben.request(Request::ResumeProducer { producer_id: mic }).await.expect("theirs");
    anna.until(|n| matches!(n, Notification::ProducerResumed { .. })).await;
    assert_eq!(ben.is_paused(mic).await, Some(false));
    let refused = ben.moderate(mute(&anna, Source::Mic)).await.expect_err("no host");
    assert_eq!(refused.code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn who_comes_back_to_the_same_node_is_muted_still() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    let mic = ben.produce(Source::Mic).await;
    let (token, _) = ben.vanish();
    let everybody = Moderation::Mute { participant_id: None, source: Source::Mic };
    anna.moderate(everybody).await.expect("muted");
    anna.until(|n| matches!(n, Notification::ProducerPaused { .. })).await;
    let ben = Page::resume(&conductor, &token).await.expect("resumed");
    let own = ben.welcome.room.participants.iter().find(|participant| participant.id == ben.id()).expect("in");
    assert!(own.producers[0].paused);
    assert_eq!(ben.is_paused(mic).await, Some(true));
}

#[tokio::test]
async fn an_older_request_says_of_the_media_what_it_is_and_a_host_mutes_it_whatever_the_room_believes() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    ben.n = 10;
    let mic = ben.produce(Source::Mic).await;
    // One that would have it muted on the log, and passing in the media.
    let Request::Produce { transport_id, source, kind, rtp_parameters, .. } =
        produce(ben.send_transport(), Source::Mic)
    else {
        panic!("a request to produce")
    };
    let older = Request::Produce { transport_id, source, kind, rtp_parameters, paused: true };
    conductor.request(ben.handle, 9, older).await.expect("taken");
    let room = conductor.0.rooms.publications("daily".parse().expect("a name")).await.expect("a room");
    assert!(room.iter().all(|publication| !publication.paused), "it passes");
    assert_eq!(ben.is_paused(mic).await, Some(false));

    ben.request(Request::PauseProducer { producer_id: mic }).await.expect("muted");
    says(&conductor, 100, Change::ProducerStaysPaused { producer: mic });
    anna.moderate(mute(&ben, Source::Mic)).await.expect("muted already");
    assert_eq!(ben.is_paused(mic).await, Some(true));
}

#[tokio::test]
async fn what_somebody_may_not_publish_does_not_reach_the_media() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    anna.switch(Setting::Mic, false).await;
    ben.until(|n| matches!(n, Notification::SettingsChanged { .. })).await;
    let transport = ben.send_transport();
    let refused = ben.request(produce(transport, Source::Mic)).await.expect_err("switched off");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    assert_eq!(worker_stats(&conductor).await.producers, 0);

    let Request::Produce { transport_id, source, kind, rtp_parameters, .. } = produce(transport, Source::Mic) else {
        panic!("a request to produce")
    };
    let muted = Request::Produce { transport_id, source, kind, rtp_parameters, paused: true };
    let Ok(Reply::Produce { id }) = ben.request(muted).await else { panic!("muted it may be there") };
    let refused = ben.request(Request::ResumeProducer { producer_id: id }).await.expect_err("switched off");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    assert_eq!(ben.is_paused(id).await, Some(true));
    // Who comes after the change knows of it too.
    let mut carl = Page::join(&conductor, "daily", "Carl").await;
    let transport = carl.send_transport();
    assert_eq!(carl.request(produce(transport, Source::Mic)).await.expect_err("off").code, ErrorCode::Forbidden);
    anna.produce(Source::Mic).await;

    anna.switch(Setting::Mic, true).await;
    ben.until(|n| matches!(n, Notification::SettingsChanged { settings, .. } if settings.mic)).await;
    ben.request(Request::ResumeProducer { producer_id: id }).await.expect("switched on");
    assert_eq!(ben.is_paused(id).await, Some(false));
}

#[tokio::test]
async fn of_a_mute_and_ones_own_unmute_the_later_on_the_log_counts() {
    let conductor = conductor().await;
    let (anna, mut ben) = two(&conductor).await;
    let mic = ben.produce(Source::Mic).await;
    let muted = || Change::ProducerPaused { producer: mic, by: Some(anna.id()) };
    ben.request(Request::ResumeProducer { producer_id: mic }).await.expect("as it was");
    says(&conductor, 100, muted());
    assert_eq!(ben.is_paused(mic).await, Some(true), "the mute came after it");
    says(&conductor, 101, Change::ProducerResumed { producer: mic });
    assert_eq!(ben.is_paused(mic).await, Some(false), "an unmute that was under way came after the mute");
}

#[tokio::test]
async fn ones_own_mute_is_not_undone_by_what_the_log_says_late() {
    let conductor = conductor().await;
    let (anna, mut ben) = two(&conductor).await;
    let mic = ben.produce(Source::Mic).await;
    ben.request(Request::PauseProducer { producer_id: mic }).await.expect("muted");
    says(&conductor, 100, Change::ProducerResumed { producer: mic });
    assert_eq!(ben.is_paused(mic).await, Some(true));
    says(&conductor, 101, Change::ProducerPaused { producer: mic, by: Some(anna.id()) });
    says(&conductor, 102, Change::ProducerResumed { producer: mic });
    assert_eq!(ben.is_paused(mic).await, Some(true), "they muted themselves since");
    ben.request(Request::ResumeProducer { producer_id: mic }).await.expect("unmuted");
    assert_eq!(ben.is_paused(mic).await, Some(false));
}

#[tokio::test]
async fn a_setting_holds_back_what_the_room_does_not_know_of_yet() {
    let conductor = conductor().await;
    let (anna, mut ben) = two(&conductor).await;
    let (mic, camera) = (ben.produce(Source::Mic).await, ben.produce(Source::Camera).await);
    let settings = RoomSettings { mic: false, ..RoomSettings::default() };
    says(&conductor, 100, Change::SettingsChanged { settings, by: anna.id() });
    assert_eq!((ben.is_paused(mic).await, ben.is_paused(camera).await), (Some(true), Some(false)));
    let role = Role::Viewer;
    says(&conductor, 101, Change::RoleChanged { participant: ben.id(), role, by: Some(anna.id()) });
    assert_eq!(ben.is_paused(camera).await, Some(true));
    let channel = Request::ProduceData {
        transport_id: ben.send_transport(),
        sctp_stream_parameters: serde_json::from_value(json!({ "streamId": 0 })).expect("parameters"),
        label: String::new(),
        protocol: String::new(),
    };
    assert_eq!(ben.request(channel).await.expect_err("a viewer").code, ErrorCode::Forbidden);
}

#[tokio::test]
async fn a_screen_that_is_closed_for_somebody_ends_for_all() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    let screen = ben.produce(Source::Screen).await;
    anna.consume(screen).await.expect("consumed");
    anna.moderate(mute(&ben, Source::Screen)).await.expect("closed");
    let told = ben.until(|n| matches!(n, Notification::ProducerClosed { .. })).await;
    assert!(matches!(told, Notification::ProducerClosed { by: Some(by), .. } if by == anna.id()));
    no_consumers(&conductor).await;
    assert_eq!(ben.is_paused(screen).await, None);
    ben.produce(Source::Screen).await;
}

#[tokio::test]
async fn a_source_that_was_closed_while_it_was_being_published_ends() {
    let conductor = conductor().await;
    let (anna, mut ben) = two(&conductor).await;
    let media = seat(&conductor, &ben);
    let screen = ProducerId { participant: ben.id(), source: Source::Screen };
    let (release, held) = std::sync::mpsc::channel::<()>();
    drop(media.worker.call(move |_, _| held.recv()));
    let publishing = tokio::spawn(async move {
        ben.produce(Source::Screen).await;
        ben
    });
    while conductor.0.registry().counts().producers == 0 {
        tokio::task::yield_now().await;
    }
    says(&conductor, 1_000, Change::ProducerClosed { producer: screen, by: Some(anna.id()) });
    drop(release);
    let ben = publishing.await.expect("published, by an event before that");
    assert_eq!(ben.is_paused(screen).await, None);
    assert_eq!(conductor.0.registry().counts().producers, 0);
}

#[tokio::test]
async fn who_is_removed_is_out_with_everything_and_their_token_is_of_no_use() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    let mic = ben.produce(Source::Mic).await;
    anna.consume(mic).await.expect("consumed");
    anna.moderate(Moderation::Remove { participant_id: ben.id(), ban: false }).await.expect("removed");
    let told = anna.until(|n| matches!(n, Notification::ParticipantLeft { .. })).await;
    assert!(
        matches!(told, Notification::ParticipantLeft { participant_id, by: Some(by), .. } if (participant_id, by) == (ben.id(), anna.id()))
    );
    ben.is_closed(ErrorCode::Removed).await;
    no_consumers(&conductor).await;
    let stats = worker_stats(&conductor).await;
    assert_eq!((stats.transports, stats.producers), (2, 0));
    let token = ben.welcome.session_token.clone();
    assert_eq!(ben.request(Request::Leave {}).await.expect_err("out").code, ErrorCode::NotJoined);
    assert_eq!(Page::resume(&conductor, &token).await.map(drop).expect_err("out").code, ErrorCode::Removed);
    let back = Page::try_join(&conductor, "daily", "Ben", Some(token)).await.map(drop);
    assert_eq!(back.expect_err("out").code, ErrorCode::Removed);
    Page::join(&conductor, "daily", "Ben").await;
}

#[tokio::test]
async fn who_is_removed_before_they_have_their_welcome_does_not_come_in() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let worker = conductor.pool().workers().first().expect("a worker").clone();
    let (release, held) = std::sync::mpsc::channel::<()>();
    drop(worker.call(move |_, _| held.recv()));
    let arriving = {
        let conductor = conductor.clone();
        tokio::spawn(async move { Page::try_join(&conductor, "daily", "Ben", None).await.map(drop) })
    };
    let told = anna.until(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let Notification::ParticipantJoined { participant, .. } = told else { panic!("{told:?}") };
    anna.moderate(Moderation::Remove { participant_id: participant.id, ban: false }).await.expect("removed");
    anna.until(|n| matches!(n, Notification::ParticipantLeft { .. })).await;
    drop(release);
    assert_eq!(arriving.await.expect("no panic").expect_err("out").code, ErrorCode::Removed);
    assert_eq!(worker_stats(&conductor).await.transports, 2);
    assert_eq!(conductor.0.registry().counts().members, 1);
}

#[tokio::test]
async fn when_the_host_ends_the_meeting_everybody_is_told_and_nothing_is_left() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    assert_eq!(ben.moderate(Moderation::End {}).await.expect_err("no host").code, ErrorCode::Forbidden);
    ben.produce(Source::Mic).await;
    anna.moderate(Moderation::End {}).await.expect("ended");
    for page in [&mut anna, &mut ben] {
        page.is_closed(ErrorCode::MeetingEnded).await;
        conductor.disconnected(page.handle, false);
    }
    let empty = async {
        while conductor.0.registry().counts() != Default::default() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, empty).await.expect("nothing is left");
    assert_eq!(worker_stats(&conductor).await.transports, 0);
    let carl = Page::join(&conductor, "daily", "Carl").await;
    assert_eq!(carl.welcome.room.participants[0].role, Role::Host, "of another meeting");
}

#[tokio::test]
async fn who_is_asked_to_unmute_alone_is_told() {
    let conductor = conductor().await;
    let (mut anna, mut ben) = two(&conductor).await;
    let ask = Moderation::AskToUnmute { participant_id: ben.id(), source: Source::Mic };
    anna.moderate(ask).await.expect("asked");
    let by = anna.id();
    ben.hears(|n| matches!(n, Notification::AskedToUnmute { by: who, source: Source::Mic, .. } if *who == by)).await;
    ben.request(Request::RaiseHand { raised: true }).await.expect("raised");
    anna.hears(|n| matches!(n, Notification::HandRaised { .. })).await;
    let carl = Page::join(&conductor, "daily", "Carl").await;
    let hands: Vec<bool> = carl.welcome.room.participants.iter().map(|person| person.hand.is_some()).collect();
    assert_eq!(hands, [false, true, false]);
    ben.request(Request::RaiseHand { raised: false }).await.expect("lowered");
    ben.until(|n| matches!(n, Notification::HandLowered { by: None, .. })).await;
}

#[tokio::test]
async fn each_node_mutes_its_own_people_and_sends_them_out() {
    let [first, second] = two_nodes_with(1, Limits::default()).await;
    let mut anna = Page::join(&first, "daily", "Anna").await;
    let mut ben = Page::join(&second, "daily", "Ben").await;
    let mic = ben.produce(Source::Mic).await;
    anna.moderate(mute(&ben, Source::Mic)).await.expect("muted");
    ben.until(|n| matches!(n, Notification::ProducerPaused { .. })).await;
    assert_eq!(ben.is_paused(mic).await, Some(true));
    anna.switch(Setting::Mic, false).await;
    ben.until(|n| matches!(n, Notification::SettingsChanged { .. })).await;
    let refused = ben.request(Request::ResumeProducer { producer_id: mic }).await.expect_err("switched off");
    assert_eq!(refused.code, ErrorCode::Forbidden);
    anna.moderate(Moderation::Remove { participant_id: ben.id(), ban: false }).await.expect("removed");
    ben.is_closed(ErrorCode::Removed).await;
    assert_eq!(second.0.registry().counts().transports, 0);
}
