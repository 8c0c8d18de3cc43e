//! Links over real sockets on loopback.

use std::future::Future;
use std::net::UdpSocket;

use quinn::{ConnectionError, ReadError, ReadExactError, RecvStream, SendStream};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use tokio::time::{sleep, timeout};

use super::frame::ReadFrameError;
use super::identity::{Identity, SERVER_NAME};
use super::*;

const SECRET: &str = "a secret for tests only, as long as it has to be";
/// Longer than anything here takes, so that what hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Site {
    links: Links,
    events: LinkEvents,
    peer: Peer,
}

fn node(life: u128) -> NodeId {
    format!("node-{life}").parse().expect("a name")
}

/// `life` is the number of a node, too.
fn site(life: u128, secrets: &[&str]) -> Site {
    let config = LinkConfig {
        node: node(life),
        life: Incarnation(life),
        secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
        listen: "127.0.0.1:0".parse().expect("an address"),
    };
    let (links, events) = Links::start(config).expect("it listens");
    let peer = Peer { node: node(life), life: Incarnation(life), address: links.local_address() };
    Site { links, events, peer }
}

impl Site {
    async fn next(&mut self) -> LinkEvent {
        within(self.events.next()).await.expect("an event")
    }

    fn send(&self, to: &Site, text: &str) -> bool {
        self.links.send(to.peer.life, Bytes::copy_from_slice(text.as_bytes()))
    }

    fn up(&self) -> LinkEvent {
        up(self.peer.life.0)
    }

    fn down(&self) -> LinkEvent {
        down(self.peer.life.0)
    }

    fn says(&self, text: &str) -> LinkEvent {
        says(self.peer.life.0, text)
    }
}

fn up(life: u128) -> LinkEvent {
    LinkEvent::Up { node: node(life), life: Incarnation(life) }
}

fn down(life: u128) -> LinkEvent {
    LinkEvent::Down { node: node(life), life: Incarnation(life) }
}

fn says(life: u128, text: &str) -> LinkEvent {
    LinkEvent::Message { node: node(life), life: Incarnation(life), bytes: text.to_owned().into() }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("in time")
}

async fn until(condition: impl Fn() -> bool) {
    within(async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Two nodes that are linked, of which the first dials.
async fn pair() -> (Site, Site) {
    let (mut a, mut b) = (site(1, &[SECRET]), site(2, &[SECRET]));
    link(&mut a, &mut b).await;
    (a, b)
}

async fn link(a: &mut Site, b: &mut Site) {
    a.links.set_peers(vec![b.peer.clone()]);
    assert_eq!(a.next().await, b.up());
    assert_eq!(b.next().await, a.up());
}

/// Somebody who has the secret and does as he likes.
struct Stranger {
    // What its streams are of; they end with it.
    _endpoint: Endpoint,
    _connection: quinn::Connection,
    send: SendStream,
    receive: RecvStream,
}

impl Stranger {
    async fn come(to: &Site) -> Self {
        let identity = Identity::of(&[SECRET.to_owned()]).expect("an identity");
        let (endpoint, _) = identity.listen("127.0.0.1:0".parse().expect("an address")).expect("it listens");
        let connecting = endpoint.connect(to.peer.address, SERVER_NAME).expect("an address");
        let connection = within(connecting).await.expect("it has the secret");
        let (send, receive) = connection.open_bi().await.expect("a stream");
        Self { _endpoint: endpoint, _connection: connection, send, receive }
    }

    /// Says who it is, and waits until the other side has said so.
    async fn greet(to: &Site, life: u128) -> Self {
        let mut stranger = Self::come(to).await;
        stranger.write(hello::encode(&node(life), Incarnation(life))).await;
        within(frame::read(&mut stranger.receive, 1024)).await.expect("a hello");
        stranger
    }

    async fn linked(to: &Site, life: u128) -> Self {
        let mut stranger = Self::greet(to, life).await;
        stranger.write(Bytes::new()).await;
        stranger
    }

    async fn write(&mut self, frame: impl Into<Bytes>) {
        within(frame::write(&mut self.send, frame.into())).await.expect("it is taken");
    }

    /// Why it is sent away.
    async fn sent_away(mut self) -> (Option<Close>, String) {
        let error = within(frame::read(&mut self.receive, 1024)).await.expect_err("it is sent away");
        let ReadFrameError::Stream(ReadExactError::ReadError(ReadError::ConnectionLost(error))) = error else {
            panic!("{error}");
        };
        let ConnectionError::ApplicationClosed(close) = &error else { panic!("{error}") };
        (Close::refusal(&error), String::from_utf8_lossy(&close.reason).into_owned())
    }
}

#[tokio::test]
async fn frames_go_both_ways_in_order() {
    let (mut a, mut b) = pair().await;
    for n in 0..500 {
        assert!(a.send(&b, &n.to_string()) && b.send(&a, &format!("-{n}")));
    }
    for n in 0..500 {
        assert_eq!(a.next().await, b.says(&format!("-{n}")));
        assert_eq!(b.next().await, a.says(&n.to_string()));
    }
    let largest = Bytes::from(vec![7; FRAME_BYTES_MAX]);
    assert!(a.links.send(b.peer.life, largest.clone()) && a.send(&b, ""));
    let LinkEvent::Message { bytes, .. } = b.next().await else { panic!("a frame") };
    assert_eq!(bytes, largest);
    assert_eq!(b.next().await, a.says(""));
    until(|| a.links.stats().frames_sent == 502).await;
    let stats = b.links.stats();
    assert_eq!((stats.frames_sent, stats.frames_received), (500, 502));
    assert_eq!(stats.up.iter().map(|(node, _)| node.as_str()).collect::<Vec<_>>(), ["node-1"]);
}

#[tokio::test]
async fn a_link_takes_frames_once_its_up_was_read() {
    let (mut a, mut b) = (site(1, &[SECRET]), site(2, &[SECRET]));
    a.links.set_peers(vec![b.peer.clone()]);
    assert_eq!(a.next().await, b.up());
    until(|| !b.links.stats().up.is_empty()).await;
    assert!(!b.send(&a, "too early"));
    assert_eq!(b.next().await, a.up());
    assert!(b.send(&a, "now"));
    assert_eq!(a.next().await, b.says("now"));
    assert!(!a.send(&a, "to nobody"));
}

#[tokio::test]
async fn whoever_does_not_have_the_secret_is_refused() {
    let (mut a, mut b) = (site(1, &[SECRET]), site(2, &["another secret, that is as long as it has to be"]));
    a.links.set_peers(vec![b.peer.clone()]);
    until(|| a.links.stats().dials_failed >= 2 && b.links.stats().refused >= 2).await;
    assert!(a.links.stats().refused >= 2);
    // It is neither's last word.
    let mut c = site(3, &[SECRET]);
    a.links.set_peers(vec![b.peer.clone(), c.peer.clone()]);
    assert_eq!(a.next().await, c.up());
    assert_eq!(c.next().await, a.up());
    b.links.close().await;
    assert_eq!(within(b.events.next()).await, None);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let a = site(1, &[SECRET]);
    let config = Identity::of(&[SECRET.to_owned()]).expect("an identity").client_without_certificate();
    let endpoint = Endpoint::client("127.0.0.1:0".parse().expect("an address")).expect("a socket");
    let connecting = endpoint.connect_with(config, a.peer.address, SERVER_NAME).expect("an address");
    // A client is done before the server has looked at it.
    if let Ok(connection) = within(connecting).await {
        assert_eq!(Close::refusal(&within(connection.closed()).await), Some(Close::Secret));
    }
    until(|| a.links.stats().refused == 1).await;
    assert_eq!(a.links.stats().up, []);
}

#[tokio::test]
async fn a_secret_is_replaced_node_by_node() {
    let (old, new) = ("the old secret, that is as long as it has to be", SECRET);
    for (one, other) in [(&[old][..], &[old, new][..]), (&[old, new], &[new, old]), (&[new, old], &[new])] {
        for (dials, answers) in [(one, other), (other, one)] {
            let (mut a, mut b) = (site(1, dials), site(2, answers));
            link(&mut a, &mut b).await;
            assert!(b.send(&a, "hello"));
            assert_eq!(a.next().await, b.says("hello"));
        }
    }
}

#[tokio::test]
async fn of_two_that_want_each_other_one_dials() {
    let (mut a, mut b) = (site(1, &[SECRET]), site(2, &[SECRET]));
    for _ in 0..3 {
        a.links.set_peers(vec![a.peer.clone(), b.peer.clone()]);
        b.links.set_peers(vec![a.peer.clone(), b.peer.clone()]);
    }
    assert_eq!(a.next().await, b.up());
    assert_eq!(b.next().await, a.up());
    for n in ["1", "2"] {
        a.links.set_peers(vec![b.peer.clone()]);
        b.links.set_peers(vec![a.peer.clone()]);
        assert!(a.send(&b, n) && b.send(&a, n));
        assert_eq!(a.next().await, b.says(n), "nothing else happened");
        assert_eq!(b.next().await, a.says(n));
    }
    assert_eq!(a.links.connections(), 1);
    // The registry was emptied.
    a.links.set_peers(Vec::new());
    assert!(a.send(&b, "still here"));
    assert_eq!(b.next().await, a.says("still here"));
}

#[tokio::test]
async fn a_node_that_started_anew_is_another() {
    let (mut a, b) = pair().await;
    let address = b.peer.address;
    // Nobody has read its events.
    b.links.close().await;
    assert_eq!(a.next().await, b.down());
    assert!(!a.send(&b, "to nobody"));
    let config = LinkConfig { node: node(2), life: Incarnation(9), secrets: vec![SECRET.to_owned()], listen: address };
    let (links, mut events) = Links::start(config).expect("the port is free again");
    // The registry still has the old life, at the same address.
    until(|| a.links.stats().refused > 0).await;
    a.links.set_peers(vec![Peer { node: node(2), life: Incarnation(9), address }]);
    assert_eq!(a.next().await, LinkEvent::Up { node: node(2), life: Incarnation(9) });
    assert_eq!(within(events.next()).await, Some(a.up()));
    assert!(links.send(a.peer.life, "hello".into()));
    assert!(matches!(a.next().await, LinkEvent::Message { life: Incarnation(9), .. }));
}

#[tokio::test]
async fn a_frozen_node_is_down_and_comes_back() {
    let mut a = site(1, &[SECRET]);
    let (thaw, thawed) = std::sync::mpsc::channel::<()>();
    let (tell, mut told) = mpsc::channel(16);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut b = site(2, &[SECRET]);
            tell.send(Err(b.peer.clone())).await.expect("it listens");
            while let Some(event) = b.events.next().await {
                let freezes = matches!(event, LinkEvent::Message { .. });
                tell.send(Ok(event)).await.expect("it listens");
                if freezes {
                    // Nothing of this runtime turns.
                    thawed.recv().expect("it is thawed");
                }
            }
        });
    });
    let Some(Err(peer)) = within(told.recv()).await else { panic!("an address") };
    a.links.set_peers(vec![peer]);
    assert_eq!(a.next().await, up(2));
    assert_eq!(within(told.recv()).await, Some(Ok(a.up())));
    assert!(a.links.send(Incarnation(2), "freeze".into()));
    assert_eq!(within(told.recv()).await, Some(Ok(a.says("freeze"))));
    assert_eq!(a.next().await, down(2));
    thaw.send(()).expect("it waits");
    assert_eq!(a.next().await, up(2));
    assert_eq!(within(told.recv()).await, Some(Ok(a.down())));
    assert_eq!(within(told.recv()).await, Some(Ok(a.up())));
    drop((a, told));
    // Its last event is that this one is gone, which nobody hears any more.
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
}

#[tokio::test]
async fn a_full_queue_starts_the_link_over() {
    let (mut a, mut b) = pair().await;
    let mut c = site(3, &[SECRET]);
    a.links.set_peers(vec![b.peer.clone(), c.peer.clone()]);
    assert_eq!(a.next().await, c.up());
    assert_eq!(c.next().await, a.up());
    // Nothing else runs on this thread meanwhile.
    let taken = (0..=SEND_QUEUE_MAX).take_while(|_| a.send(&b, "x")).count();
    assert_eq!(taken, SEND_QUEUE_MAX);
    assert!(!a.send(&b, "x") && a.send(&c, "c"));
    assert_eq!(c.next().await, a.says("c"));
    assert_eq!(a.next().await, b.down());
    assert_eq!(a.next().await, b.up());
    assert_eq!(b.next().await, a.down());
    assert_eq!(b.next().await, a.up());
    assert!(a.send(&b, "again"));
    assert_eq!(b.next().await, a.says("again"));
    assert_eq!(a.links.stats().overruns, 1);
}

#[tokio::test]
async fn a_node_that_does_not_read_holds_back_itself_alone() {
    let (mut a, mut b) = pair().await;
    let mut c = site(3, &[SECRET]);
    a.links.set_peers(vec![b.peer.clone(), c.peer.clone()]);
    assert_eq!(a.next().await, c.up());
    assert_eq!(c.next().await, a.up());
    let frame = Bytes::from(vec![0; 4096]);
    let mut sent = 0;
    within(async {
        while a.links.send(b.peer.life, frame.clone()) {
            sent += 1;
            if sent % 100 == 0 {
                assert!(a.send(&c, "c"));
                assert_eq!(c.next().await, a.says("c"));
            }
        }
    })
    .await;
    assert!(sent > SEND_QUEUE_MAX, "{sent}");
    assert_eq!(a.next().await, b.down());
    // All of what b has of the old connection comes before its end.
    let mut events = Vec::new();
    while events.last() != Some(&a.down()) {
        events.push(b.next().await);
    }
    assert!(events.len() > 1 && events.len() <= sent, "{} of {sent}", events.len());
    assert_eq!(b.next().await, a.up());
}

#[tokio::test]
async fn a_frame_that_is_too_large_starts_the_link_over() {
    let (mut a, mut b) = pair().await;
    assert!(!a.links.send(b.peer.life, vec![0; FRAME_BYTES_MAX + 1].into()));
    assert_eq!(a.next().await, b.down());
    assert_eq!(b.next().await, a.down());
    assert_eq!((a.next().await, b.next().await), (b.up(), a.up()));
    assert_eq!((a.links.stats().oversize, b.links.stats().oversize), (1, 0));

    let mut stranger = Stranger::linked(&b, 7).await;
    assert_eq!(b.next().await, up(7));
    stranger.write("a frame").await;
    // Only the length has to come.
    stranger.send.write_all(&u32::MAX.to_be_bytes()).await.expect("it is taken");
    assert_eq!(b.next().await, says(7, "a frame"));
    assert_eq!(b.next().await, down(7));
    assert_eq!(stranger.sent_away().await.1, Close::Oversize.to_string());
    assert_eq!(b.links.stats().oversize, 1);
    assert!(a.send(&b, "not mine"));
    assert_eq!(b.next().await, a.says("not mine"));
}

#[tokio::test]
async fn of_two_connections_of_one_life_the_newer_wins() {
    let mut a = site(1, &[SECRET]);
    let mut first = Stranger::linked(&a, 7).await;
    first.write("first").await;
    assert_eq!(a.next().await, up(7));
    assert_eq!(a.next().await, says(7, "first"));
    // One that gave up before it was linked is not heard of.
    drop(Stranger::greet(&a, 7).await);
    first.write("still first").await;
    assert_eq!(a.next().await, says(7, "still first"));
    let mut second = Stranger::linked(&a, 7).await;
    second.write("second").await;
    assert_eq!(a.next().await, down(7));
    assert_eq!(a.next().await, up(7));
    assert_eq!(a.next().await, says(7, "second"));
    assert_eq!(first.sent_away().await.1, Close::Replaced.to_string());
    assert!(a.links.send(Incarnation(7), "to the second".into()));
    let frame = within(frame::read(&mut second.receive, 1024)).await.expect("a frame");
    assert_eq!(frame, "to the second");
    assert_eq!(a.links.stats().up.len(), 1);
}

#[tokio::test]
async fn other_versions_and_what_is_no_hello_are_refused() {
    let mut a = site(1, &[SECRET]);
    let later = br#"{"protocol":2,"node":"node-9","life":"00000000000000000000000000000009"}"#;
    for (bytes, refusal) in
        [(&later[..], Close::Version), (b"GET / HTTP/1.1", Close::NoHello), (&[0; 1025], Close::NoHello)]
    {
        let mut stranger = Stranger::come(&a).await;
        stranger.write(bytes.to_vec()).await;
        let (told, reason) = stranger.sent_away().await;
        assert_eq!((told, reason), (Some(refusal), refusal.to_string()));
    }
    assert!(Close::Version.to_string().contains("link protocol 1 with this one; update"), "{}", Close::Version);
    assert_eq!(a.links.stats().refused, 3);
    let mut b = site(2, &[SECRET]);
    link(&mut a, &mut b).await;
}

#[tokio::test]
async fn a_node_is_not_linked_to_itself() {
    let mut a = site(1, &[SECRET]);
    a.links.set_peers(vec![a.peer.clone()]);
    assert_eq!(a.links.dialed(), 0);
    // Another node announces this one's address.
    a.links.set_peers(vec![Peer { address: a.peer.address, ..site(9, &[SECRET]).peer }]);
    until(|| a.links.stats().dials_failed > 1).await;
    assert_eq!(a.links.stats().up, []);
    let mut b = site(2, &[SECRET]);
    link(&mut a, &mut b).await;
}

#[tokio::test]
async fn random_datagrams_do_no_harm() {
    let (mut a, mut b) = pair().await;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut random = StdRng::seed_from_u64(7);
    for n in 0..5_000 {
        let mut datagram = vec![0; random.random_range(0..1500)];
        random.fill_bytes(&mut datagram);
        // Half of them begin as an Initial of QUIC 1 does, and are long enough for one.
        if n % 2 == 0 {
            datagram.resize(1200, 0);
            datagram[..6].copy_from_slice(&[0xc0 | random.random_range(0..16), 0, 0, 0, 1, 8]);
        }
        socket.send_to(&datagram, a.peer.address).expect("it is sent");
        if n % 100 == 0 {
            assert!(b.send(&a, "and"));
            assert_eq!(a.next().await, b.says("and"));
        }
    }
    let mut c = site(3, &[SECRET]);
    a.links.set_peers(vec![b.peer.clone(), c.peer.clone()]);
    assert_eq!(a.next().await, c.up());
    assert_eq!(c.next().await, a.up());
    assert!(a.send(&b, "over"));
    assert_eq!(b.next().await, a.says("over"));
}

#[tokio::test]
async fn when_a_node_ends_the_others_hear_of_it_and_its_events_end() {
    let (mut a, mut b) = pair().await;
    b.links.close().await;
    assert_eq!(a.next().await, b.down());
    assert_eq!(b.next().await, a.down());
    assert_eq!(within(b.events.next()).await, None);
    b.links.set_peers(vec![site(3, &[SECRET]).peer]);
    assert_eq!(b.links.dialed(), 0, "it is over");

    let mut c = site(3, &[SECRET]);
    link(&mut a, &mut c).await;
    // The last handle.
    let Site { links, events, .. } = c;
    drop(links);
    assert_eq!(a.next().await, down(3));
    drop(events);

    let mut d = site(4, &[SECRET]);
    link(&mut a, &mut d).await;
    let Site { links: _links, events, .. } = d;
    drop(events);
    assert_eq!(a.next().await, down(4), "nobody reads there any more");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let a = site(1, &[SECRET]);
    let config =
        LinkConfig { node: node(2), life: Incarnation(2), secrets: vec![SECRET.to_owned()], listen: a.peer.address };
    let error = Links::start(config).err().expect("it is taken");
    assert!(error.to_string().contains(&a.peer.address.to_string()), "{error}");
}
