//! What large rooms bring at once: nobody is closed for it.

use tokio::task::JoinHandle;

use super::*;

const SOURCES: [Source; 2] = [Source::Mic, Source::Camera];

/// People who send from microphone and camera.
async fn people(conductor: &Conductor, count: usize) -> Vec<Page> {
    let mut people = Vec::new();
    for n in 0..count {
        let mut page = Page::join(conductor, "daily", &format!("P{n}")).await;
        for source in SOURCES {
            page.produce(source).await;
        }
        people.push(page);
    }
    people
}

async fn consume_all(page: &mut Page, producers: Vec<ProducerId>) -> Vec<ConsumerId> {
    let mut consumers = Vec::new();
    for producer_ids in producers.chunks(100) {
        let request = Request::Consume { transport_id: page.recv_transport(), producer_ids: producer_ids.to_vec() };
        let Ok(Reply::Consume { consumers: results }) = page.request(request).await else { panic!("results") };
        consumers.extend(results.into_iter().map(|result| match result {
            ConsumeResult::Consumer(options) => options.id,
            ConsumeResult::Refused { error, .. } => panic!("refused: {error:?}"),
        }));
    }
    consumers
}

/// What waits for somebody, if anything does.
async fn heard(page: &mut Page) -> Option<Outgoing> {
    tokio::time::timeout(Duration::ZERO, page.inbox.recv()).await.ok().flatten()
}

/// Reads on until the socket ends; gives how many were heard to leave.
fn read(page: &mut Page) -> JoinHandle<usize> {
    let mut inbox = std::mem::replace(&mut page.inbox, outbox().1);
    tokio::spawn(async move {
        let mut left = 0;
        while let Some(outgoing) = inbox.recv().await {
            match outgoing {
                Outgoing::Notify(news) if matches!(*news, Notification::ParticipantLeft { .. }) => left += 1,
                Outgoing::Notify(_) => {}
                other => panic!("closed: {other:?}"),
            }
        }
        left
    })
}

/// Leaves as a client does.
async fn leave(mut page: Page) {
    page.request(Request::Leave {}).await.expect("left");
    page.conductor.disconnected(page.handle, false);
}

#[tokio::test]
async fn who_does_not_read_while_a_hundred_leave_is_told_of_each_once() {
    let conductor = conductor().await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let people = people(&conductor, 100).await;
    let producers = people.iter().flat_map(|page| SOURCES.map(|source| ProducerId { participant: page.id(), source }));
    consume_all(&mut ben, producers.collect()).await;
    // What he heard of their coming; he resumes with an empty outbox.
    let (token, n) = (ben.welcome.session_token.clone(), ben.n);
    conductor.disconnected(ben.handle, false);
    let mut ben = Page::resume(&conductor, &token).await.expect("resumed");
    ben.n = n;

    for mut page in people {
        page.request(Request::Leave {}).await.expect("left");
    }
    no_consumers(&conductor).await;
    let mut left = 0;
    while left < 100 {
        match ben.next().await {
            Outgoing::Notify(news) if matches!(*news, Notification::ParticipantLeft { .. }) => left += 1,
            // Of his resume.
            Outgoing::Notify(news) if matches!(*news, Notification::ConsumerScore { .. }) => {}
            other => panic!("heard something else: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hundred_leave_at_once_and_nobody_is_closed() {
    let conductor = conductor().await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let bens = read(&mut ben);
    let (mut people, mut readers) = (Vec::new(), Vec::new());
    for n in 0..300 {
        let mut page = Page::join(&conductor, "daily", &format!("P{n}")).await;
        readers.push(read(&mut page));
        page.produce(Source::Mic).await;
        people.push(page);
    }
    let leaving: Vec<_> = people.into_iter().map(|page| tokio::spawn(leave(page))).collect();
    for task in leaving {
        task.await.expect("an answer");
    }
    for reader in readers {
        reader.await.expect("nobody is closed");
    }
    // Their leaving is answered when the node has judged it, and told when the log was followed up to it.
    while conductor.0.registry().counts().members > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    leave(ben).await;
    // One's own end may come after the socket's.
    let heard = bens.await.expect("nobody is closed");
    assert!((300..=301).contains(&heard), "{heard}");
}

/// Anna's picture in two sizes, and Ben, who receives it so many times.
async fn pictures(conductor: &Conductor, count: usize) -> (Page, Page, Vec<ConsumerId>) {
    let mut anna = Page::join(conductor, "daily", "Anna").await;
    let sizes = json!([{ "ssrc": 1 }, { "ssrc": 2 }]);
    let request = produce_encodings(anna.send_transport(), Source::Camera, "VP8", &sizes);
    let Ok(Reply::Produce { id: camera }) = anna.request(request).await else { panic!("not produced") };
    let mut ben = Page::join(conductor, "daily", "Ben").await;
    let consumers = consume_all(&mut ben, vec![camera; count]).await;
    for &consumer_id in &consumers {
        ben.request(Request::ResumeConsumer { consumer_id }).await.expect("his");
        heard(&mut ben).await;
    }
    (anna, ben, consumers)
}

#[tokio::test]
async fn who_resumes_with_three_hundred_pictures_in_sizes_is_told_of_each_and_not_closed() {
    let conductor = conductor().await;
    let (_anna, ben, consumers) = pictures(&conductor, 300).await;
    let (token, _) = ben.vanish();
    let mut ben = Page::resume(&conductor, &token).await.expect("resumed");
    let mut told = std::collections::HashSet::new();
    while told.len() < consumers.len() {
        match ben.next().await {
            Outgoing::Notify(news) => match *news {
                Notification::ConsumerLayersChanged { consumer_id, .. } => _ = told.insert(consumer_id),
                Notification::ConsumerScore { .. } => {}
                _ => panic!("heard something else: {news:?}"),
            },
            other => panic!("closed: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_producer_that_goes_on_with_another_codec_is_news_and_once_more_after_a_resume() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let camera = anna.produce(Source::Camera).await;
    let mic = anna.produce(Source::Mic).await;
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    let [of_camera, _] = consume_all(&mut ben, vec![camera, mic]).await[..] else { panic!("two consumers") };
    let request = produce_encodings(
        anna.send_transport(),
        Source::Camera,
        "VP9",
        &json!([{ "ssrc": 1000 + Source::Camera as u32 }]),
    );
    anna.request(request).await.expect("another codec");
    let closed = |n: &Notification| *n == Notification::ConsumerClosed { consumer_id: of_camera };
    let mut heard = vec![ben.next().await, ben.next().await];
    heard.retain(|outgoing| matches!(outgoing, Outgoing::Notify(notification) if closed(notification)));
    assert_eq!(heard.len(), 1);
    anna.request(Request::CloseProducer { producer_id: mic }).await.expect("closed");
    no_consumers(&conductor).await;

    let mut ben = Page::resume(&conductor, &ben.vanish().0).await.expect("resumed");
    ben.hears(closed).await;
    anna.request(Request::PauseProducer { producer_id: camera }).await.expect("muted");
    // Not of the microphone's, which his snapshot lacks.
    ben.hears(|n| matches!(n, Notification::ProducerPaused { .. })).await;
}

#[tokio::test]
async fn who_comes_is_told_who_speaks() {
    let conductor = conductor().await;
    let mut anna = Page::join(&conductor, "daily", "Anna").await;
    let mic = anna.produce(Source::Mic).await;
    let media = seat(&conductor, &anna);
    events::pass_on(&conductor.0, sfu::Event::ActiveSpeaker { router: media.router, producer: mic });
    let speaks = |n: &Notification| *n == Notification::ActiveSpeaker { producer_id: mic };
    let mut ben = Page::join(&conductor, "daily", "Ben").await;
    ben.hears(speaks).await;
    let mut ben = Page::resume(&conductor, &ben.vanish().0).await.expect("resumed");
    ben.hears(speaks).await;
    anna.request(Request::CloseProducer { producer_id: mic }).await.expect("closed");
    ben.hears(|n| matches!(n, Notification::ProducerClosed { .. })).await;
    let mut ben = Page::resume(&conductor, &ben.vanish().0).await.expect("resumed");
    anna.produce(Source::Camera).await;
    ben.hears(|n| matches!(n, Notification::ProducerAdded { .. })).await;
}

#[tokio::test]
async fn a_flood_of_news_of_the_workers_leaves_the_sockets_their_time() {
    const PICTURES: usize = 64;
    const TIMES: usize = 10;
    let conductor = conductor().await;
    let (_anna, mut ben, consumers) = pictures(&conductor, PICTURES).await;
    while heard(&mut ben).await.is_some() {}
    let worker = conductor.pool().workers().first().expect("a worker").clone();
    let (transport, (done, ran)) = (ben.recv_transport(), std::sync::mpsc::channel());
    drop(worker.call(move |worker, _| {
        (0..TIMES).for_each(|_| worker.tell_layers(transport));
        done.send(worker.stats().consumers)
    }));
    // This thread is the runtime's only one: nothing is passed on before the worker has said all of it.
    assert_eq!(ran.recv(), Ok(consumers.len()));
    let turns = worker.metrics().turns;
    while worker.metrics().turns == turns {
        std::thread::yield_now();
    }
    let mut told = 0;
    while told < PICTURES * TIMES {
        match ben.next().await {
            Outgoing::Notify(news) if matches!(*news, Notification::ConsumerLayersChanged { .. }) => told += 1,
            Outgoing::Notify(news) if matches!(*news, Notification::ConsumerScore { .. }) => {}
            other => panic!("heard something else: {other:?}"),
        }
    }
}
