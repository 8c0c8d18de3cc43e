//! Handshakes with a client of the same library over a link in memory, in virtual time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, certificate};
use protocol::transport::{DtlsFingerprint, DtlsParameters, DtlsRole};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{CloseReason, DtlsOutput, DtlsServer, RETRIES_MAX, RemoteParametersError};
use crate::dtls::Identity;
use crate::srtp::{OpenKeys, Profile, Role, SealKeys, derive_keys};

/// Both ends and the datagrams between them.
struct Link {
    now: Instant,
    server: DtlsServer,
    server_keys: Option<(SealKeys, OpenKeys)>,
    server_data: Vec<Vec<u8>>,
    client_data: Vec<Vec<u8>>,
    server_closed: u32,
    server_timeout: Option<Instant>,
    client: Dtls,
    client_role: Role,
    client_keys: Option<(SealKeys, OpenKeys)>,
    client_certificate: DtlsCertificate,
    client_closed: bool,
    client_timeout: Instant,
    to_server: VecDeque<Vec<u8>>,
    to_client: VecDeque<Vec<u8>>,
}

impl Link {
    /// The client begins, unless it is the server.
    fn new(client_role: Role) -> Self {
        let now = Instant::now();
        let client_certificate = certificate::generate_self_signed_certificate().expect("a certificate");
        let config = Arc::new(Config::builder().use_server_cookie(false).build().expect("a valid configuration"));
        let mut client = Dtls::new_12(config, client_certificate.clone(), now);
        client.set_active(client_role == Role::Client);
        client.handle_timeout(now).expect("begins");
        Self {
            now,
            server: DtlsServer::new(Identity::generate().expect("an identity")),
            server_keys: None,
            server_data: Vec::new(),
            client_data: Vec::new(),
            server_closed: 0,
            server_timeout: None,
            client,
            client_role,
            client_keys: None,
            client_certificate,
            client_closed: false,
            client_timeout: now,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
        }
    }

    fn parameters(&self) -> DtlsParameters {
        let role = if self.client_role == Role::Client { DtlsRole::Client } else { DtlsRole::Server };
        let value = self.client_certificate.fingerprint_str();
        DtlsParameters { role, fingerprints: vec![DtlsFingerprint { algorithm: "sha-256".to_owned(), value }] }
    }

    fn signal(&mut self) {
        let parameters = self.parameters();
        self.server.set_remote_parameters(self.now, &parameters).expect("usable");
    }

    fn poll(&mut self) {
        self.poll_server();
        self.poll_client();
    }

    fn poll_server(&mut self) {
        let mut buffer = [0; crate::dtls::MESSAGE_BYTES_MAX];
        loop {
            match self.server.poll(self.now, &mut buffer) {
                DtlsOutput::Packet(bytes) => self.to_client.push_back(buffer[..bytes].to_vec()),
                DtlsOutput::Connected { seal, open } => {
                    assert!(self.server_keys.is_none(), "keys are given out once");
                    self.server_keys = Some((seal, open));
                }
                DtlsOutput::Data(bytes) => self.server_data.push(buffer[..bytes].to_vec()),
                DtlsOutput::Closed => self.server_closed += 1,
                DtlsOutput::Timeout(at) => {
                    self.server_timeout = Some(at);
                    break;
                }
                DtlsOutput::Idle => {
                    self.server_timeout = None;
                    break;
                }
            }
        }
    }

    fn poll_client(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.client.poll_output(&mut buffer) {
                Output::Packet(packet) => self.to_server.push_back(packet.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let profile = Profile::try_from(profile).expect("a profile of ours");
                    assert_eq!(profile, Profile::AeadAes256Gcm);
                    let keys = derive_keys(profile, &material, self.client_role).expect("valid material");
                    self.client_keys = Some(keys);
                }
                Output::ApplicationData(data) => self.client_data.push(data.to_vec()),
                Output::CloseNotify => self.client_closed = true,
                Output::Timeout(at) => {
                    self.client_timeout = at;
                    break;
                }
                _ => {}
            }
        }
    }

    /// Delivers what `keep` lets through until nothing is under way.
    fn exchange(&mut self, mut keep: impl FnMut() -> bool) {
        self.poll();
        while !(self.to_server.is_empty() && self.to_client.is_empty()) {
            if let Some(packet) = self.to_server.pop_front().filter(|_| keep()) {
                self.server.handle_packet(self.now, &packet);
            }
            if let Some(packet) = self.to_client.pop_front().filter(|_| keep()) {
                self.client.handle_timeout(self.now).expect("in time");
                // An error is the client's end; the tests look at the server.
                let _ = self.client.handle_packet(&packet);
            }
            self.poll();
        }
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
        self.server.handle_timeout(self.now);
        let _ = self.client.handle_timeout(self.now);
    }

    fn is_connected(&self) -> bool {
        self.server_keys.is_some() && self.client_keys.is_some()
    }

    fn assert_keys_match(&mut self) {
        let (server_seal, server_open) = self.server_keys.as_mut().expect("connected");
        let (client_seal, client_open) = self.client_keys.as_mut().expect("connected");
        for (seal, open) in [(server_seal, client_open), (client_seal, server_open)] {
            let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4];
            packet.resize(64, 0);
            let bytes = seal.seal_rtp(&mut packet, 12, 16, 0);
            let opened = open.open_rtp(&mut packet[..bytes]).expect("the other side's keys");
            assert_eq!(packet[12..opened.payload_end], [1, 2, 3, 4]);
        }
    }
}

#[test]
fn a_handshake_gives_both_sides_the_same_keys() {
    let mut link = Link::new(Role::Client);
    link.signal();
    link.exchange(|| true);
    link.assert_keys_match();
    assert_eq!((link.server.close_reason(), link.server_timeout), (None, None));
}

#[test]
fn a_client_that_wants_to_be_the_server_is_called() {
    let mut link = Link::new(Role::Server);
    link.exchange(|| true);
    assert!(!link.is_connected());
    link.signal();
    link.exchange(|| true);
    link.assert_keys_match();
}

#[test]
fn keys_wait_for_the_signalled_fingerprint() {
    let mut link = Link::new(Role::Client);
    link.exchange(|| true);
    assert!(link.client_keys.is_some() && link.server_keys.is_none());
    assert_eq!(link.server_timeout, None);
    link.signal();
    link.exchange(|| true);
    link.assert_keys_match();
}

#[test]
fn a_wrong_fingerprint_closes_before_and_after_the_handshake() {
    for early in [true, false] {
        let mut link = Link::new(Role::Client);
        let mut parameters = link.parameters();
        parameters.fingerprints[0].value = Identity::generate().expect("an identity").fingerprint().value.clone();
        if !early {
            link.exchange(|| true);
        }
        link.server.set_remote_parameters(link.now, &parameters).expect("usable");
        link.exchange(|| true);
        assert_eq!(link.server.close_reason(), Some(CloseReason::FingerprintMismatch));
        assert_eq!((link.server_closed, link.server_keys.is_some(), link.server_timeout), (1, false, None));
        // Who holds keys is told that they are of no use.
        assert!(link.client_closed || early);
    }
}

#[test]
fn parameters_are_taken_once_and_only_when_usable() {
    let mut link = Link::new(Role::Client);
    let none = DtlsParameters { role: DtlsRole::Client, fingerprints: vec![] };
    let refused = link.server.set_remote_parameters(link.now, &none);
    assert_eq!(refused, Err(RemoteParametersError::NoUsableFingerprint));
    assert!(!link.server.has_remote_parameters());
    link.signal();
    assert!(link.server.has_remote_parameters());
    let refused = link.server.set_remote_parameters(link.now, &link.parameters());
    assert_eq!(refused, Err(RemoteParametersError::AlreadySet));
}

#[test]
fn lost_packets_are_sent_again() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for round in 0..20 {
        let role = if round % 4 == 0 { Role::Server } else { Role::Client };
        let mut link = Link::new(role);
        link.signal();
        let deadline = link.now + Duration::from_secs(25);
        while !link.is_connected() {
            link.exchange(|| rng.random_bool(0.7));
            assert!(link.now < deadline, "round {round}: not connected");
            link.wait(Duration::from_millis(50));
        }
        link.assert_keys_match();
    }
}

#[test]
fn a_client_that_stays_away_costs_no_timer() {
    let mut link = Link::new(Role::Client);
    link.signal();
    link.exchange(|| false);
    link.wait(Duration::from_secs(3_600));
    link.exchange(|| false);
    assert_eq!((link.server_timeout, link.server.close_reason()), (None, None));
}

#[test]
fn spoofed_alerts_hellos_and_garbage_do_not_stop_a_handshake() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut foreign = Link::new(Role::Client);
    foreign.poll();
    let foreign_hello = foreign.to_server.pop_front().expect("a ClientHello");
    let mut fragment = foreign_hello.clone();
    // The same as the first of two fragments: record, message and fragment lengths.
    fragment.truncate(13 + 12 + 60);
    fragment[11..13].copy_from_slice(&72_u16.to_be_bytes());
    fragment[22..25].copy_from_slice(&[0, 0, 60]);
    let alert = vec![21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let mut late_hello = foreign_hello.clone();
    late_hello[18] = 1;

    let mut link = Link::new(Role::Client);
    link.signal();
    for before in [&alert, &fragment, &vec![22; 40]] {
        link.server.handle_packet(link.now, before);
        link.poll();
    }
    while !link.is_connected() {
        for _ in 0..10 {
            let mut garbage = vec![0; rng.random_range(1..200)];
            rng.fill_bytes(&mut garbage);
            garbage[0] = rng.random_range(20..64);
            link.server.handle_packet(link.now, &garbage);
        }
        link.poll();
        if let Some(packet) = link.to_server.pop_front() {
            link.server.handle_packet(link.now, &packet);
        }
        link.poll();
        for spoofed in [&alert, &foreign_hello, &late_hello] {
            link.server.handle_packet(link.now, spoofed);
        }
        link.poll();
        if let Some(packet) = link.to_client.pop_front() {
            let _ = link.client.handle_packet(&packet);
        }
        assert_eq!(link.server.close_reason(), None);
        link.poll();
        assert!(link.is_connected() || !(link.to_server.is_empty() && link.to_client.is_empty()), "stuck");
    }
    link.assert_keys_match();
    for spoofed in [&alert, &foreign_hello, &late_hello, &fragment] {
        link.server.handle_packet(link.now, spoofed);
    }
    link.exchange(|| true);
    assert_eq!((link.server.close_reason(), link.server_closed), (None, 0));
}

#[test]
fn a_failed_handshake_begins_anew_a_bounded_number_of_times() {
    let mut link = Link::new(Role::Client);
    link.signal();
    for round in 0..=RETRIES_MAX {
        assert_eq!(link.server.close_reason(), None, "round {round}");
        // A ClientHello is answered, and the client is never heard of again.
        let mut other = Link::new(Role::Client);
        other.poll();
        let hello = other.to_server.pop_front().expect("a ClientHello");
        link.server.handle_packet(link.now, &hello);
        link.exchange(|| false);
        for _ in 0..35 {
            link.wait(Duration::from_secs(1));
            link.exchange(|| false);
        }
    }
    assert_eq!((link.server.close_reason(), link.server_closed), (Some(CloseReason::Failed), 1));
    link.server.handle_timeout(link.now);
    link.exchange(|| true);
    assert_eq!((link.server_closed, link.server_timeout), (1, None));
}

#[test]
fn a_client_comes_through_after_a_handshake_that_somebody_else_began() {
    let mut link = Link::new(Role::Client);
    link.signal();
    let mut other = Link::new(Role::Client);
    other.poll();
    let hello = other.to_server.pop_front().expect("a ClientHello");
    link.server.handle_packet(link.now, &hello);
    for _ in 0..35 {
        link.poll_server();
        link.wait(Duration::from_secs(1));
    }
    link.to_client.clear();
    link.exchange(|| true);
    link.assert_keys_match();
}

#[test]
fn a_peer_that_closes_is_reported_once() {
    let mut link = Link::new(Role::Client);
    link.signal();
    link.exchange(|| true);
    link.client.close().expect("connected");
    link.exchange(|| true);
    assert_eq!((link.server.close_reason(), link.server_closed), (Some(CloseReason::Peer), 1));
    link.exchange(|| true);
    assert_eq!(link.server_closed, 1);
}

#[test]
fn garbage_after_the_handshake_changes_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut link = Link::new(Role::Client);
    link.signal();
    link.exchange(|| true);
    for _ in 0..20_000 {
        let mut garbage = vec![0; rng.random_range(1..200)];
        rng.fill_bytes(&mut garbage);
        garbage[0] = rng.random_range(20..64);
        if rng.random_bool(0.5) && garbage.len() > 13 {
            let length = (garbage.len() - 13) as u16;
            garbage[1..5].copy_from_slice(&[0xfe, 0xfd, 0, rng.random_range(0..2)]);
            garbage[11..13].copy_from_slice(&length.to_be_bytes());
        }
        link.server.handle_packet(link.now, &garbage);
    }
    link.exchange(|| true);
    assert_eq!(link.server.close_reason(), None);
    link.client.close().expect("connected");
    link.exchange(|| true);
    assert_eq!(link.server.close_reason(), Some(CloseReason::Peer));
}

#[test]
fn data_that_nobody_offered_is_ignored() {
    let mut link = Link::new(Role::Client);
    link.signal();
    link.exchange(|| true);
    link.client.send_application_data(&[7; 500]).expect("connected");
    link.exchange(|| true);
    assert_eq!(link.server.close_reason(), None);
}

#[test]
fn application_data_goes_both_ways_once_signalling_vouched_for_the_client() {
    let mut link = Link::new(Role::Client);
    link.exchange(|| true);
    link.client.send_application_data(b"early").expect("connected");
    link.exchange(|| true);
    let mut record = [0; 1500];
    assert_eq!(link.server.seal(link.now, b"early", &mut record), None);
    link.signal();
    link.exchange(|| true);
    link.client.send_application_data(b"hello").expect("connected");
    link.exchange(|| true);
    assert_eq!(link.server_data, [b"hello"]);

    let bytes = link.server.seal(link.now, &[7; 1000], &mut record).expect("connected");
    assert!(bytes > 1000 && bytes <= 1000 + crate::dtls::RECORD_OVERHEAD, "{bytes} bytes");
    link.to_client.push_back(record[..bytes].to_vec());
    link.exchange(|| true);
    assert_eq!(link.client_data, [[7; 1000]]);
    assert_eq!(link.server.seal(link.now, &[7; 1480], &mut record), None, "there is no room for it");
    let bytes = link.server.seal(link.now, &[8; 10], &mut record).expect("connected");
    link.to_client.push_back(record[..bytes].to_vec());
    link.exchange(|| true);
    assert_eq!(link.client_data[1], [8; 10]);
}
