//! One node whose rooms are on several workers.

use super::*;

/// A node of several workers that takes so many of a room on each.
async fn conductor_of(workers: usize, each: usize) -> Conductor {
    let limits = Limits { participants_per_room_and_worker: each, ..Limits::default() };
    conductor_with(workers, limits).await
}

/// Joins without data channels, which would go where the others with channels are.
async fn join(conductor: &Conductor, name: &str) -> Page {
    Page::try_join_with(conductor, "daily", name, None, false).await.expect("joined")
}

/// Waits until what crosses between the workers is so many pipes and producers.
async fn crosses(conductor: &Conductor, pipes: usize, producers: usize) {
    crossing(conductor, |counts| (counts.local_pipes, counts.fed_locally), (pipes, producers)).await;
}

/// What each worker has of the room.
async fn producers(conductor: &Conductor) -> Vec<usize> {
    let mut producers = Vec::new();
    for worker in conductor.pool().workers() {
        producers.push(worker.call(|worker, _| worker.stats().producers).await.expect("an answer"));
    }
    producers
}

#[tokio::test]
async fn people_of_one_room_on_two_workers_get_each_other() {
    let conductor = conductor_of(2, 1).await;
    let mut anna = join(&conductor, "Anna").await;
    let mut ben = join(&conductor, "Ben").await;
    assert_ne!(seat(&conductor, &anna).worker.index(), seat(&conductor, &ben).worker.index());
    let (mic, camera) = (anna.produce(Source::Mic).await, ben.produce(Source::Camera).await);
    ben.consume(mic).await.expect("made");
    anna.consume(camera).await.expect("made");
    crosses(&conductor, 1, 2).await;
    assert_eq!(producers(&conductor).await, [2, 2]);

    ben.request(Request::CloseProducer { producer_id: camera }).await.expect("closed");
    crosses(&conductor, 1, 1).await;
    assert_eq!(producers(&conductor).await, [1, 1]);
    anna.request(Request::Leave {}).await.expect("gone");
    crosses(&conductor, 1, 0).await;
    assert_eq!(producers(&conductor).await, [0, 0]);
}

#[tokio::test]
async fn a_small_room_is_on_one_worker_and_nothing_crosses() {
    let conductor = conductor_of(2, 50).await;
    let mut anna = join(&conductor, "Anna").await;
    let mut ben = join(&conductor, "Ben").await;
    let mic = anna.produce(Source::Mic).await;
    ben.consume(mic).await.expect("made");
    assert_eq!(seat(&conductor, &anna).router, seat(&conductor, &ben).router);
    crosses(&conductor, 0, 0).await;
}

#[tokio::test]
async fn who_comes_back_keeps_their_worker() {
    let conductor = conductor_of(2, 1).await;
    let _anna = join(&conductor, "Anna").await;
    let ben = join(&conductor, "Ben").await;
    let (before, transport) = (seat(&conductor, &ben), ben.recv_transport());
    let token = ben.vanish().0;
    let ben = Page::resume(&conductor, &token).await.expect("resumed");
    assert_eq!(ben.welcome.recv_transport, None, "their transports are still there");
    assert_eq!(seat(&conductor, &ben).router, before.router);
    assert!(conductor.0.registry().transport_owner(transport).is_some());
}

#[tokio::test]
async fn what_is_muted_when_it_comes_to_a_worker_is_muted_there_too() {
    let conductor = conductor_of(2, 1).await;
    let mut anna = join(&conductor, "Anna").await;
    let mic = anna.produce(Source::Mic).await;
    anna.request(Request::PauseProducer { producer_id: mic }).await.expect("muted");
    let mut ben = join(&conductor, "Ben").await;
    ben.consume(mic).await.expect("made");
    let Media { worker, router } = seat(&conductor, &ben);
    let paused = || worker.call(move |worker, _| worker.is_producer_paused(router, mic));
    assert_eq!(paused().await, Ok(Some(true)));
    anna.request(Request::ResumeProducer { producer_id: mic }).await.expect("unmuted");
    let heard = async {
        while paused().await != Ok(Some(false)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, heard).await.expect("unmuted there too");
}

#[tokio::test]
async fn a_mute_that_is_asked_for_once_more_after_the_unmute_mutes_nobody() {
    let conductor = conductor_of(1, 1).await;
    let mut anna = join(&conductor, "Anna").await;
    let mic = anna.produce(Source::Mic).await;
    let Media { worker, router } = seat(&conductor, &anna);
    // Its record was not read back in time.
    anna.n += 1;
    let late = anna.n;
    anna.request(Request::ResumeProducer { producer_id: mic }).await.expect("unmuted");
    anna.n = late;
    anna.repeat(Request::PauseProducer { producer_id: mic }).await.expect("out of date");
    let paused = worker.call(move |worker, _| worker.is_producer_paused(router, mic)).await;
    assert_eq!(paused, Ok(Some(false)));
}

#[tokio::test]
async fn people_with_data_channels_are_on_one_worker() {
    let conductor = conductor_of(3, 1).await;
    let _anna = join(&conductor, "Anna").await;
    let ben = Page::join(&conductor, "daily", "Ben").await;
    let cleo = Page::join(&conductor, "daily", "Cleo").await;
    let dora = join(&conductor, "Dora").await;
    let worker = |page: &Page| seat(&conductor, page).worker.index();
    assert_eq!(worker(&ben), worker(&cleo));
    assert_ne!(worker(&dora), worker(&cleo));
}

#[tokio::test]
async fn a_worker_that_dies_takes_only_its_own_people_along_and_they_come_back() {
    let conductor = conductor_of(2, 1).await;
    let mut anna = join(&conductor, "Anna").await;
    let mut ben = join(&conductor, "Ben").await;
    let (mic, other_mic) = (anna.produce(Source::Mic).await, ben.produce(Source::Mic).await);
    ben.consume(mic).await.expect("made");
    anna.consume(other_mic).await.expect("made");
    let fault = seat(&conductor, &ben).worker.call::<(), _>(|_, _| panic!("a fault, for this test")).await;
    assert!(fault.is_err());
    while ben.next().await != Outgoing::Close(ErrorCode::Internal) {}
    assert!(conductor.0.registry().caller(anna.handle).is_ok(), "nothing happened to her");
    // His is still subscribed for her, for when he is back.
    crosses(&conductor, 0, 1).await;
    let n = ben.n;
    let mut ben = Page::resume(&conductor, &ben.vanish().0).await.expect("resumed");
    ben.n = n;
    ben.produce(Source::Mic).await;
    ben.consume(mic).await.expect("made");
    crosses(&conductor, 1, 2).await;
    assert_eq!(producers(&conductor).await, [2, 2]);
    assert_eq!(worker_of(&anna).await.consumers, 2, "hers goes on with what he publishes now, and that of the pipe");
}

/// What the worker of a page holds.
async fn worker_of(page: &Page) -> sfu::WorkerStats {
    let worker = seat(&page.conductor, page).worker;
    worker.call(|worker, _| worker.stats()).await.expect("an answer")
}

#[tokio::test]
async fn a_router_on_which_nobody_is_any_more_is_closed() {
    let conductor = conductor_of(2, 1).await;
    let mut anna = join(&conductor, "Anna").await;
    let mut ben = join(&conductor, "Ben").await;
    anna.produce(Source::Mic).await;
    crosses(&conductor, 1, 1).await;
    let worker = seat(&conductor, &ben).worker;
    ben.request(Request::Leave {}).await.expect("gone");
    let gone = async {
        while worker.call(|worker, _| worker.stats().routers).await != Ok(0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("closed");
}

#[tokio::test]
async fn who_comes_back_with_data_channels_sits_with_those_who_have_them() {
    let conductor = conductor_of(2, 1).await;
    let ben = Page::join(&conductor, "daily", "Ben").await;
    let anna = join(&conductor, "Anna").await;
    assert_ne!(seat(&conductor, &anna).router, seat(&conductor, &ben).router);
    let token = anna.welcome.session_token.clone();
    let again = Page::try_join(&conductor, "daily", "Anna", Some(token)).await.expect("joined");
    assert_eq!(again.id(), anna.id());
    assert_eq!(seat(&conductor, &again).router, seat(&conductor, &ben).router);
}

#[tokio::test]
async fn people_on_two_workers_of_each_of_two_nodes_get_each_other() {
    let limits = Limits { participants_per_room_and_worker: 1, ..Limits::default() };
    let nodes = nodes::two_nodes_with(2, limits).await;
    let mut pages = Vec::new();
    for (conductor, name) in [(&nodes[0], "Anna"), (&nodes[0], "Ben"), (&nodes[1], "Cleo"), (&nodes[1], "Dora")] {
        pages.push(join(conductor, name).await);
    }
    let mut microphones = Vec::new();
    for page in &mut pages {
        microphones.push(page.produce(Source::Mic).await);
    }
    let everybody_gets_everybody = async {
        for page in &mut pages {
            let me = page.id();
            for mic in microphones.iter().filter(|mic| mic.participant != me) {
                // Until their links are there.
                while page.consume(*mic).await.is_err() {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, everybody_gets_everybody).await.expect("all four");
    for conductor in &nodes {
        let counts = conductor.0.relays.counts();
        assert_eq!((counts.local_pipes, counts.fed_locally), (1, 2));
        // Each worker has a pipe to both of the other node, and what is published on that one by both.
        assert_eq!((counts.pipes, counts.subscriptions, counts.fed), (4, 4, 4));
    }
}
