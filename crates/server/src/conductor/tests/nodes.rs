//! Two nodes that share a log and a registry.

use cluster::Applied;
use protocol::request::ResumePlace;
use room::Change;

use super::*;

pub(super) async fn two_nodes() -> [Conductor; 2] {
    two_nodes_with(1, Limits::default()).await
}

/// The same of so many workers each.
pub(super) async fn two_nodes_with(workers: usize, limits: Limits) -> [Conductor; 2] {
    let (log, store) = (log(), MemoryStore::new(|| 0));
    let node = |name, life| node(name, life, log.clone(), store.clone(), workers, limits.clone());
    let nodes = [node("node-1", 1).await, node("node-2", 2).await];
    let all_known = || nodes.iter().all(|conductor| conductor.0.rooms.counts().nodes_ready == 2);
    while !all_known() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    nodes
}

/// Comes back at any node with what a page knows.
async fn resume_at(conductor: &Conductor, token: &str) -> Result<Page, ErrorBody> {
    let rtp_capabilities = Some(ROUTER_CAPABILITIES.clone());
    let resume = Some(Resume { seq: 0, rtp_capabilities, enable_sctp: true });
    Page::connect(conductor, ConnectAuth { token: token.to_owned(), join: None, resume }).await
}

#[tokio::test]
async fn a_session_goes_on_at_another_node_and_its_socket_at_the_first_is_closed() {
    let [first, second] = two_nodes().await;
    let mut anna = Page::join(&first, "daily", "Anna").await;
    let mic = anna.produce(Source::Mic).await;
    anna.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
    connected(&first, &anna);
    let mut moved = resume_at(&second, &anna.welcome.session_token).await.expect("resumed");
    assert_eq!(moved.id(), anna.id());
    assert_eq!(moved.welcome.room.participants[0].producers[0].id, mic, "what is published stays published");
    assert!(matches!(anna.next().await, Outgoing::Close(ErrorCode::Superseded)));
    assert_eq!(worker_stats(&first).await.transports, 2, "what they had stays until they have it there");
    // The request numbers go on, so that what had no answer can be sent again.
    let say = Request::SendChatMessage { text: "here I am".to_owned() };
    moved.n = 1;
    moved.request(say).await.expect("written");
    moved.hears(|n| matches!(n, Notification::ChatMessage { .. })).await;
    assert_eq!(moved.produce(Source::Mic).await, mic);
}

#[tokio::test]
async fn of_two_nodes_that_take_one_token_the_first_has_the_session() {
    let [first, second] = two_nodes().await;
    let anna = Page::join(&first, "daily", "Anna").await;
    let token = anna.welcome.session_token.clone();
    let _moved = resume_at(&second, &token).await.expect("resumed");
    let late = resume_at(&first, &token).await.err().expect("too late");
    assert_eq!(late.code, ErrorCode::Superseded);
}

#[tokio::test]
async fn a_token_that_a_newer_one_followed_is_good_at_no_node() {
    let [first, second] = two_nodes().await;
    let anna = Page::join(&first, "daily", "Anna").await;
    let old = anna.welcome.session_token.clone();
    let mut anna = Page::resume(&first, &old).await.expect("resumed");
    anna.request(Request::SendChatMessage { text: "it arrived".to_owned() }).await.expect("written");
    let room: RoomId = "daily".parse().expect("a name");
    for conductor in [&first, &second] {
        let asked = ResumePlace { token: old.clone(), avoid: Vec::new() };
        let refused = conductor.resume_place(room.clone(), asked).await.expect_err("an old token");
        assert_eq!(refused.code, ErrorCode::SessionExpired);
        let asked = JoinPlace { resume_token: Some(old.clone()), avoid: Vec::new() };
        conductor.join_place(room.clone(), asked).await.expect_err("an old token");
    }
    let refused = resume_at(&second, &old).await.err().expect("an old token");
    assert_eq!(refused.code, ErrorCode::Superseded);
    let asked = ResumePlace { token: anna.welcome.session_token.clone(), avoid: Vec::new() };
    second.resume_place(room, asked).await.expect("the newest");
}

#[tokio::test]
async fn people_of_a_room_that_was_founded_again_look_again_and_keep_their_media() {
    let [first, _second] = two_nodes().await;
    let mut people = [Page::join(&first, "daily", "Anna").await, Page::join(&first, "daily", "Ben").await];
    people[0].hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let room: RoomId = "daily".parse().expect("a name");
    follow::follow(&first.0, Applied { room, seq: 9, change: Change::Replaced });
    for person in &mut people {
        assert!(matches!(person.next().await, Outgoing::Close(ErrorCode::Internal)), "which says: resume at once");
        let back = Page::resume(&first, &person.welcome.session_token).await.expect("resumed");
        assert_eq!(back.welcome.room.participants.len(), 2);
        assert!(back.welcome.send_transport.is_none(), "what they send by is as it was");
    }
    assert_eq!(worker_stats(&first).await.transports, 4);
}

#[tokio::test]
async fn a_place_names_the_node_where_the_people_are_whichever_is_asked() {
    let [first, second] = two_nodes().await;
    let _anna = Page::join(&second, "daily", "Anna").await;
    let _ben = Page::join(&second, "daily", "Ben").await;
    let room: RoomId = "daily".parse().expect("a name");
    for conductor in [&first, &second] {
        let place = conductor.join_place(room.clone(), JoinPlace { resume_token: None, avoid: Vec::new() }).await;
        let place = place.expect("a place");
        assert_eq!((place.node.as_str(), &place.path[..]), ("node-2", "/nodes/node-2/socket.io/"));
    }
    let elsewhere = JoinPlace { resume_token: None, avoid: vec!["node-2".parse().expect("a name")] };
    let place = first.join_place(room.clone(), elsewhere).await.expect("a place");
    assert_eq!(place.node.as_str(), "node-1");
    let too_many = vec!["node-2".parse().expect("a name"); 17];
    let refused = first.join_place(room, JoinPlace { resume_token: None, avoid: too_many }).await;
    assert_eq!(refused.expect_err("too many").code, ErrorCode::BadRequest);
}

/// Waits until a node has so many pipes, producers that it gets, and that it gives.
async fn relays(conductor: &Conductor, expected: (usize, usize, usize)) {
    crossing(conductor, |counts| (counts.pipes, counts.subscriptions, counts.fed), expected).await;
}

#[tokio::test]
async fn people_of_one_room_on_two_nodes_get_each_other() {
    let [first, second] = two_nodes().await;
    let mut anna = Page::join(&first, "daily", "Anna").await;
    let mut ben = Page::join(&second, "daily", "Ben").await;
    let (mic, other_mic) = (anna.produce(Source::Mic).await, ben.produce(Source::Mic).await);
    // At once: the request waits until the stream is there.
    ben.consume(mic).await.expect("made");
    anna.consume(other_mic).await.expect("made");
    relays(&first, (1, 1, 1)).await;
    relays(&second, (1, 1, 1)).await;

    // Who moves takes their streams along, and whoever consumes them goes on.
    let token = anna.welcome.session_token.clone();
    let mut moved = resume_at(&second, &token).await.expect("resumed");
    moved.n = anna.n;
    relays(&second, (1, 0, 0)).await;
    moved.produce(Source::Mic).await;
    moved.request(Request::Leave {}).await.expect("gone");
    relays(&first, (1, 0, 0)).await;
}

/// A page's transports are through ICE and DTLS.
fn connected(conductor: &Conductor, page: &Page) {
    for transport in [page.send_transport(), page.recv_transport()] {
        events::pass_on(&conductor.0, sfu::Event::TransportConnected { transport });
    }
}

#[tokio::test]
async fn a_node_that_drains_waits_until_its_people_have_all_they_had_elsewhere() {
    let [first, second] = two_nodes().await;
    let mut anna = Page::join(&first, "daily", "Anna").await;
    let mut ben = Page::join(&first, "daily", "Ben").await;
    anna.hears(|n| matches!(n, Notification::ParticipantJoined { .. })).await;
    let draining = tokio::spawn({
        let first = first.clone();
        async move { first.drain(Duration::from_secs(60)).await }
    });
    for page in [&mut anna, &mut ben] {
        page.hears(|n| matches!(n, Notification::MoveRequested {})).await;
    }
    // Until they are there everything goes on here, but nobody comes.
    anna.produce(Source::Mic).await;
    let late = Page::try_join(&first, "daily", "Cleo", None).await.map(drop);
    assert_eq!(late.expect_err("draining").code, ErrorCode::Draining);
    for page in [anna, ben] {
        let room: RoomId = "daily".parse().expect("a name");
        let token = page.welcome.session_token.clone();
        connected(&first, &page);
        let asked = ResumePlace { token: token.clone(), avoid: vec!["node-1".parse().expect("a name")] };
        let place = second.resume_place(room, asked).await.expect("a place");
        assert_eq!(place.node.as_str(), "node-2");
        resume_at(&second, &token).await.expect("resumed");
        assert!(!draining.is_finished(), "the client has not let go yet");
        // What a client does once it has everything.
        for transport in [page.send_transport(), page.recv_transport()] {
            events::pass_on(&first.0, sfu::Event::TransportClosed { transport });
        }
    }
    tokio::time::timeout(PATIENCE, draining).await.expect("in time").expect("drained");
    assert_eq!(first.0.registry().counts().members, 0);
}

#[tokio::test]
async fn a_node_that_drains_gives_up_at_its_deadline() {
    let [first, _second] = two_nodes().await;
    let mut anna = Page::join(&first, "daily", "Anna").await;
    tokio::time::timeout(PATIENCE, first.drain(Duration::from_millis(300))).await.expect("at its deadline");
    anna.hears(|n| matches!(n, Notification::MoveRequested {})).await;
    first.close();
    assert_eq!(anna.next().await, Outgoing::Close(ErrorCode::Draining));
}
