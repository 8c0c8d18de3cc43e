//! A client's connectivity check goes in by a real socket and its answer comes back by the same.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::time::Duration;

use aws_lc_rs::hmac;
use is::stun::{StunMessage, TransId};
use protocol::TransportId;
use protocol::transport::IceParameters;
use sfu::dtls::Identity;
use sfu::worker::{ListenAddr, RouterId};
use sfu_io::{PoolConfig, WorkerHandle, WorkerPool};
use support::wait;

#[test]
fn a_check_to_each_address_of_a_worker_is_answered_from_there() {
    let (pool, _events) = WorkerPool::start(&config()).expect("loopback can be bound");
    for (worker, router) in pool.workers().iter().zip(1..) {
        let ice = transport(worker, RouterId(router), TransportId(router));
        for &address in worker.local_addresses() {
            let client = client(address);
            let id = TransId::new();
            client.send_to(&check(&ice, id), address).expect("it is sent");
            let mut buffer = [0; 1500];
            let (length, from) = client.recv_from(&mut buffer).expect("an answer comes");
            let answer = StunMessage::parse(&buffer[..length]).expect("it is STUN");
            assert_eq!(from, address);
            assert!(answer.is_successful_binding_response());
            assert_eq!(answer.trans_id(), id);
            assert_eq!(answer.mapped_address(), client.local_addr().ok());
            assert!(answer.verify(ice.password.as_bytes(), sign));
        }
    }
    // A datagram is counted after the kernel took it: its receiver may be here first, unless the threads have ended.
    pool.stop();
    for metrics in pool.metrics() {
        assert_eq!((metrics.datagrams_in, metrics.datagrams_out), (2, 2));
    }
}

fn config() -> PoolConfig {
    let listen = ["127.0.0.1:0", "[::1]:0"]
        .map(|address| address.parse().expect("it is an address"))
        .map(|local| ListenAddr { local, announced: Vec::new() });
    let identity = Identity::generate().expect("a certificate can be made");
    PoolConfig { workers: NonZeroUsize::new(2), ..PoolConfig::new(listen.to_vec(), identity, [1; 32]) }
}

fn transport(worker: &WorkerHandle, router: RouterId, id: TransportId) -> IceParameters {
    wait(worker.call(move |worker, now| {
        worker.create_router(router).expect("there is none yet");
        worker.create_transport(now, router, id).expect("there is none yet").ice_parameters
    }))
    .expect("the worker lives")
}

fn client(server: SocketAddr) -> UdpSocket {
    let local = if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(local).expect("loopback can be bound");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
    socket
}

fn check(ice: &IceParameters, id: TransId) -> Vec<u8> {
    let username = format!("{}:client", ice.username_fragment);
    let request = StunMessage::binding_request(&username, id, true, 1, 1, true);
    let mut datagram = vec![0; 512];
    let length = request.to_bytes(Some(ice.password.as_bytes()), &mut datagram, sign).expect("it fits");
    datagram.truncate(length);
    datagram
}

fn sign(key: &[u8], parts: &[&[u8]]) -> [u8; 20] {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    hmac::sign(&key, &parts.concat()).as_ref().try_into().expect("SHA-1 has 20 bytes")
}
