//! The log on a real Kafka, which `script/kafka` starts: the contract, its topic, and what happens when the broker dies.

#[path = "kafka/broker.rs"]
mod broker;
#[path = "../src/log/contract.rs"]
mod contract;
#[path = "kafka/crashes.rs"]
mod crashes;
#[path = "kafka/losses.rs"]
mod losses;
#[path = "support/script.rs"]
mod script;
#[path = "kafka/topic.rs"]
mod topic;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cluster::EventLog;
use cluster::log::{Entry, Start, Tail, TailError};
use contract::{entry, room, tail};

use broker::Broker;

/// No part of a test takes longer, unless something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract_of_a_log() {
    let broker = Broker::start();
    let topics = AtomicU32::new(0);
    let make = async || {
        let n = topics.fetch_add(1, Ordering::Relaxed);
        EventLog::from(broker.log(&format!("contract-{n}")))
    };
    let parts = async {
        tokio::join!(
            contract::check(&make),
            async { a_record_carries_the_brokers_time(make().await).await },
            what_is_not_of_a_room_is_left_out(&broker),
            topic::is_made_as_it_has_to_be(&broker),
            topic::that_differs_is_refused(&broker),
            topic::that_lost_what_was_read_is_found_out(&broker),
        )
    };
    within(PATIENCE, parts).await;
}

async fn a_record_carries_the_brokers_time(log: EventLog) {
    let mut tail = tail(&log, Start::Oldest).await;
    let before = unix_ms();
    log.append(&room("a"), vec![1]).expect("room for it");
    let time_ms = entry(&mut tail).await.time_ms;
    assert!((before..=unix_ms()).contains(&time_ms), "{before} {time_ms}");
}

fn unix_ms() -> u64 {
    let elapsed = std::time::UNIX_EPOCH.elapsed().expect("a time after 1970");
    u64::try_from(elapsed.as_millis()).expect("not that late")
}

async fn what_is_not_of_a_room_is_left_out(broker: &Broker) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let log = EventLog::from(broker.log("foreign"));
    let mut tail = tail(&log, Start::Oldest).await;
    let mut client = rdkafka::ClientConfig::new();
    let brokers = broker.config("foreign").brokers.join(",");
    let foreign: BaseProducer = client.set("bootstrap.servers", brokers).create().expect("a producer");
    let record = || BaseRecord::<[u8], [u8]>::to("foreign").partition(0).payload(b"?");
    foreign.send(record()).map_err(|(error, _)| error).expect("room for it");
    foreign.send(record().key(b"\xff no room")).map_err(|(error, _)| error).expect("room for it");
    foreign
        .send(BaseRecord::<[u8], [u8]>::to("foreign").partition(0).key(b"a"))
        .map_err(|(error, _)| error)
        .expect("it");
    foreign.flush(PATIENCE).expect("delivered");
    let entry = entry(&mut tail).await;
    assert_eq!((entry.room, entry.value.len(), entry.offset), (room("a"), 0, 2));
    assert_eq!((log.status().nameless, log.status().read), (2, 3));
}

/// Whatever does not come true in time has failed, and its broker is removed.
async fn within<T>(time: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(time, future).await.expect("it takes less time")
}
