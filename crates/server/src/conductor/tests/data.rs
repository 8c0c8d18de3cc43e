//! Data channels: the room knows who opened one, whatever ends it.

use protocol::request::{ConsumeDataResult, Direction};
use protocol::sctp::{DataConsumerCloseReason, MESSAGE_BYTES_MAX, SctpStreamParameters};
use protocol::{DataConsumerId, DataProducerId};

use super::*;

impl Page {
    fn produce_data(&self, stream_id: u16) -> Request {
        let parameters =
            SctpStreamParameters { stream_id, ordered: None, max_packet_life_time: None, max_retransmits: None };
        let transport_id = self.send_transport();
        let (label, protocol) = ("chat".to_owned(), "json".to_owned());
        Request::ProduceData { transport_id, sctp_stream_parameters: parameters, label, protocol }
    }

    async fn open(&mut self, stream_id: u16) -> Result<DataProducerId, ErrorBody> {
        match self.request(self.produce_data(stream_id)).await? {
            Reply::ProduceData { id } => Ok(id),
            other => panic!("not produced: {other:?}"),
        }
    }

    async fn receive(&mut self, id: DataProducerId) -> Result<DataConsumerId, ErrorBody> {
        let transport_id = self.recv_transport();
        let Reply::ConsumeData { data_consumers } =
            self.request(Request::ConsumeData { transport_id, data_producer_ids: vec![id] }).await?
        else {
            panic!("results");
        };
        match data_consumers.into_iter().next().expect("one result") {
            ConsumeDataResult::DataConsumer(options) => {
                assert_eq!((options.data_producer_id, &*options.label, &*options.protocol), (id, "chat", "json"));
                Ok(options.id)
            }
            ConsumeDataResult::Refused { error, .. } => Err(error),
        }
    }

    /// What the log says and what the worker says come by different ways, so other things may come before.
    async fn hears_at_last(&mut self, wanted: impl Fn(&Notification) -> bool) {
        while !matches!(self.next().await, Outgoing::Notify(heard) if wanted(&heard)) {}
    }

    async fn hears_closed(&mut self, id: DataProducerId) {
        let id_of = |heard: &Notification| match heard {
            Notification::DataProducerClosed { data_producer_id, .. } => Some(*data_producer_id),
            _ => None,
        };
        self.hears_at_last(|heard| id_of(heard) == Some(id)).await;
    }
}

async fn counts(conductor: &Conductor) -> (usize, usize) {
    let stats = worker_stats(conductor).await;
    (stats.data_producers, stats.data_consumers)
}

#[tokio::test]
async fn a_channel_is_announced_received_and_closed() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let sctp = anna.welcome.send_transport.as_ref().and_then(|options| options.sctp_parameters);
    assert_eq!(sctp.map(|sctp| (sctp.port, sctp.max_receive_message_size)), Some((5000, MESSAGE_BYTES_MAX)));
    let id = anna.open(0).await.expect("opened");
    let Ok(Reply::ProduceData { id: again }) = anna.repeat(anna.produce_data(0)).await else { panic!("the same") };
    assert_eq!(again, id);

    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let known = ben.welcome.room.participants.iter().flat_map(|p| &p.data_producers);
    assert_eq!(known.map(|known| (known.id, &*known.label)).collect::<Vec<_>>(), [(id, "chat")]);
    let consumer = ben.receive(id).await.expect("consumed");
    ben.request(Request::ResumeDataConsumer { data_consumer_id: consumer }).await.expect("his");
    let of_ben = Request::CloseDataProducer { data_producer_id: id };
    assert_eq!(ben.request(of_ben.clone()).await.expect_err("not his").code, ErrorCode::NotFound);
    assert_eq!(counts(&conductor).await, (1, 1));

    anna.request(of_ben).await.expect("hers");
    ben.hears_closed(id).await;
    assert_eq!(ben.receive(id).await.expect_err("closed").code, ErrorCode::NotFound);
    let reason = DataConsumerCloseReason::ProducerClosed;
    let ended = Notification::DataConsumerClosed { data_consumer_id: consumer, reason };
    let (token, _) = ben.vanish();
    let mut ben = Page::resume(&conductor, &token).await.expect("resumed");
    ben.hears_at_last(|heard| *heard == ended).await;
    assert_eq!(counts(&conductor).await, (0, 0));
}

#[tokio::test]
async fn channels_end_with_their_transport_a_reload_and_a_leave() {
    let conductor = conductor().await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;

    let first = anna.open(0).await.expect("opened");
    let created = anna.request(Request::CreateWebRtcTransport { direction: Direction::Send }).await;
    let Ok(Reply::Transport(options)) = created else { panic!("a transport") };
    assert!(options.sctp_parameters.is_some());
    ben.hears_closed(first).await;
    anna.welcome.send_transport = Some(*options);

    let second = anna.open(0).await.expect("opened");
    let token = anna.welcome.session_token.clone();
    let mut again = Page::try_join(&conductor, "daily", "Anna", Some(token)).await.expect("joined");
    ben.hears_closed(second).await;
    let of_before = again.welcome.room.participants.iter().flat_map(|p| &p.data_producers).count();
    assert_eq!(of_before, 0);

    again.open(0).await.expect("opened");
    again.request(Request::Leave {}).await.expect("left");
    ben.hears_at_last(|heard| matches!(heard, Notification::ParticipantLeft { .. })).await;
    assert_eq!(counts(&conductor).await, (0, 0));
}

#[tokio::test]
async fn channels_are_limited_and_asked_for() {
    let limits =
        Limits { data_producers_per_participant_max: 2, data_consumers_per_participant_max: 1, ..Limits::default() };
    let conductor = conductor_with(1, limits).await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let id = anna.open(0).await.expect("opened");
    assert_eq!(anna.open(0).await.expect_err("in use").code, ErrorCode::AlreadyExists);
    anna.open(1).await.expect("opened");
    assert_eq!(anna.open(2).await.expect_err("one too many").code, ErrorCode::LimitReached);
    assert_eq!(counts(&conductor).await, (2, 0), "what the room refused is closed");
    anna.receive(id).await.expect("consumed");
    assert_eq!(anna.receive(id).await.expect_err("one too many").code, ErrorCode::LimitReached);

    let place = conductor
        .join_place("daily".parse().expect("a name"), JoinPlace { resume_token: None, avoid: Vec::new() })
        .await;
    let place = place.expect("a place");
    let join =
        Join { name: "Ben".into(), rtp_capabilities: place.router_rtp_capabilities.into_owned(), enable_sctp: false };
    let auth = ConnectAuth { token: place.token, join: Some(join), resume: None };
    let mut ben = Page::connect(&conductor, auth).await.expect("joined");
    assert!(ben.welcome.send_transport.as_ref().is_some_and(|options| options.sctp_parameters.is_none()));
    assert_eq!(ben.open(0).await.expect_err("not asked for").code, ErrorCode::WrongState);
    assert_eq!(ben.receive(id).await.expect_err("not asked for").code, ErrorCode::WrongState);
}
