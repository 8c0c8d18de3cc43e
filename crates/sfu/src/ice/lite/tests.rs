use std::net::SocketAddr;
use std::time::{Duration, Instant};

use is::stun::StunMessage;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::credentials::IntegrityKey;
use super::super::request::crc32;
use super::{BindingError, BindingOutcome, BindingRequest, Credentials, IceLite, PAIRS_MAX, Pair};

const USE_CANDIDATE: (u16, &[u8]) = (0x0025, &[]);
const CONTROLLING: (u16, &[u8]) = (0x802a, &[9; 8]);
const CONTROLLED: (u16, &[u8]) = (0x8029, &[9; 8]);

fn credentials(seed: u64) -> Credentials {
    Credentials::random(&mut ChaCha8Rng::seed_from_u64(seed))
}

/// A check as a client sends it: USERNAME, PRIORITY, the attributes, integrity, fingerprint.
fn check(credentials: &Credentials, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let username = format!("{}:4ZcD", credentials.ufrag);
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let mut all = vec![(0x0006, username.as_bytes()), (0x0024, &[0x6e, 0, 0x1e, 0xff][..])];
    all.extend_from_slice(attributes);
    for (kind, value) in all {
        append(&mut message, kind, value);
    }
    set_length(&mut message, 24);
    let tag = IntegrityKey::new(&credentials.password).sign(&[&message]);
    append(&mut message, 0x0008, &tag);
    set_length(&mut message, 8);
    let fingerprint = crc32(&message) ^ 0x5354_554e;
    append(&mut message, 0x8028, &fingerprint.to_be_bytes());
    message
}

fn append(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(kind.to_be_bytes());
    message.extend((value.len() as u16).to_be_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() - 20 + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn remote(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

fn pair(port: u16) -> Pair {
    Pair { socket: 0, remote: remote(port) }
}

fn send(ice: &mut IceLite, now: Instant, port: u16, datagram: &[u8]) -> Result<BindingOutcome, BindingError> {
    let request = BindingRequest::parse(datagram).expect("well-formed");
    let mut out = [0; 256];
    let outcome = ice.handle_binding(now, 0, remote(port), &request, &mut out)?;
    assert!(outcome.reply_bytes * 5 <= datagram.len() * 6, "{} > 1.2 * {}", outcome.reply_bytes, datagram.len());
    Ok(outcome)
}

#[test]
fn the_reply_tells_the_address_and_is_signed_and_short() {
    let mut ice = IceLite::new(credentials(1));
    let datagram = check(ice.credentials(), &[CONTROLLING]);
    for remote in ["192.0.2.7:5000", "[2001:db8::7]:5000"] {
        let remote: SocketAddr = remote.parse().expect("an address");
        let request = BindingRequest::parse(&datagram).expect("well-formed");
        let mut out = [0; 256];
        let outcome = ice.handle_binding(Instant::now(), 0, remote, &request, &mut out).expect("authentic");
        let reply = &out[..outcome.reply_bytes];
        assert!(reply.len() <= datagram.len());
        let message = StunMessage::parse(reply).expect("well-formed");
        assert!(message.is_successful_binding_response());
        assert_eq!(message.trans_id(), request.message.trans_id());
        assert_eq!(message.mapped_address(), Some(remote));
        let key = IntegrityKey::new(&ice.credentials().password);
        assert!(message.verify(&[], |_, parts| key.sign(parts)));
        let (before, fingerprint) = reply.split_at(reply.len() - 8);
        assert_eq!((crc32(before) ^ 0x5354_554e).to_be_bytes(), fingerprint[4..]);
    }
}

#[test]
fn a_wrong_password_or_ufrag_gets_no_reply_and_changes_nothing() {
    let now = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let wrong = Credentials { password: credentials(2).password, ..credentials(1) };
    assert_eq!(send(&mut ice, now, 1, &check(&wrong, &[USE_CANDIDATE])), Err(BindingError::Unauthentic));
    assert_eq!(send(&mut ice, now, 1, &check(&credentials(2), &[USE_CANDIDATE])), Err(BindingError::UnknownUfrag));
    assert_eq!((ice.selected(), ice.pairs().count(), ice.consent_expires()), (None, 0, None));
}

#[test]
fn a_reply_that_does_not_fit_is_an_error() {
    let mut ice = IceLite::new(credentials(1));
    let datagram = check(ice.credentials(), &[]);
    let request = BindingRequest::parse(&datagram).expect("well-formed");
    for length in [0, 10, 40, 63] {
        let outcome = ice.handle_binding(Instant::now(), 0, remote(1), &request, &mut vec![0; length]);
        assert_eq!(outcome, Err(BindingError::ReplyTooLong));
    }
}

#[test]
fn the_first_valid_pair_is_used_until_the_client_nominates() {
    let now = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let plain = check(ice.credentials(), &[CONTROLLING]);
    let nominating = check(ice.credentials(), &[CONTROLLING, USE_CANDIDATE]);

    let outcome = send(&mut ice, now, 1, &plain).expect("authentic");
    assert_eq!((outcome.validated, outcome.selected), (Some(pair(1)), Some(pair(1))));
    let outcome = send(&mut ice, now, 2, &plain).expect("authentic");
    assert_eq!((outcome.validated, outcome.selected), (Some(pair(2)), None));
    let outcome = send(&mut ice, now, 2, &nominating).expect("authentic");
    assert_eq!((outcome.validated, outcome.selected), (None, Some(pair(2))));
    let outcome = send(&mut ice, now, 2, &nominating).expect("authentic");
    assert_eq!(outcome.selected, None);
    send(&mut ice, now, 1, &plain).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(2)));
}

#[test]
fn a_client_that_moves_is_followed_by_its_nomination() {
    let now = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let nominating = check(ice.credentials(), &[CONTROLLING, USE_CANDIDATE]);
    send(&mut ice, now, 1, &nominating).expect("authentic");
    let outcome = send(&mut ice, now, 2, &nominating).expect("authentic");
    assert_eq!((outcome.validated, outcome.selected), (Some(pair(2)), Some(pair(2))));
    assert!(ice.is_valid(pair(1)) && ice.is_valid(pair(2)) && !ice.is_valid(pair(3)));
    assert!(!ice.is_valid(Pair { socket: 1, ..pair(1) }));
}

#[test]
fn only_a_higher_nomination_moves_the_selection() {
    let now = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let nominating = |value: u32| check(&credentials(1), &[CONTROLLING, (0xc001, &value.to_be_bytes())]);
    send(&mut ice, now, 1, &nominating(1)).expect("authentic");
    send(&mut ice, now, 2, &nominating(3)).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(2)));
    send(&mut ice, now, 1, &nominating(2)).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(2)));
    send(&mut ice, now, 1, &nominating(4)).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(1)));
}

#[test]
fn a_controlled_client_is_told_to_change_its_role() {
    let mut ice = IceLite::new(credentials(1));
    let datagram = check(ice.credentials(), &[CONTROLLED, USE_CANDIDATE]);
    let request = BindingRequest::parse(&datagram).expect("well-formed");
    let mut out = [0; 256];
    let outcome = ice.handle_binding(Instant::now(), 0, remote(1), &request, &mut out).expect("authentic");
    let reply = StunMessage::parse(&out[..outcome.reply_bytes]).expect("well-formed");
    assert!(reply.is_failed_binding_response());
    assert_eq!(reply.error_code().map(|(code, _)| code), Some(487));
    let key = IntegrityKey::new(&ice.credentials().password);
    assert!(reply.verify(&[], |_, parts| key.sign(parts)));
    assert_eq!((outcome.validated, outcome.selected, ice.pairs().count()), (None, None, 0));
}

#[test]
fn a_spray_of_ports_keeps_the_cap_and_the_selected_pair() {
    let start = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let nominating = check(ice.credentials(), &[CONTROLLING, USE_CANDIDATE]);
    let plain = check(ice.credentials(), &[CONTROLLING]);
    send(&mut ice, start, 1, &nominating).expect("authentic");
    let mut valid = 1;
    for port in 10_000..20_000 {
        let outcome = send(&mut ice, start + Duration::from_millis(u64::from(port)), port, &plain).expect("authentic");
        assert_eq!(outcome.validated, Some(pair(port)));
        assert_ne!(outcome.evicted, Some(pair(1)));
        valid += 1 - usize::from(outcome.evicted.is_some());
        assert_eq!(ice.pairs().count(), valid);
    }
    assert_eq!((valid, ice.selected()), (PAIRS_MAX, Some(pair(1))));
    assert!(ice.is_valid(pair(1)) && ice.is_valid(pair(19_999)) && !ice.is_valid(pair(10_000)));
}

#[test]
fn a_spray_that_nominates_cannot_grow_either() {
    let start = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let nominating = check(ice.credentials(), &[CONTROLLING, USE_CANDIDATE]);
    for port in 1..1_000 {
        send(&mut ice, start, port, &nominating).expect("authentic");
        assert!(ice.selected() == Some(pair(port)) && ice.is_valid(pair(port)));
        assert!(ice.pairs().count() <= PAIRS_MAX);
    }
}

#[test]
fn a_pair_whose_connection_closed_gives_way_to_the_one_checked_last_until_the_client_nominates_again() {
    let start = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    let (nominating, plain) =
        (check(ice.credentials(), &[CONTROLLING, (0xc001, &[0, 0, 0, 7])]), check(ice.credentials(), &[CONTROLLING]));
    for (after, port, datagram) in [(0, 1, &plain), (1, 2, &plain), (2, 3, &nominating), (3, 1, &plain)] {
        send(&mut ice, start + Duration::from_secs(after), port, datagram).expect("authentic");
    }
    ice.remove(pair(2));
    assert_eq!((ice.selected(), ice.is_valid(pair(2))), (Some(pair(3)), false));
    ice.remove(pair(3));
    assert_eq!((ice.selected(), ice.is_valid(pair(3))), (Some(pair(1)), false));
    send(&mut ice, start, 4, &nominating).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(4)), "the same nomination, of a connection that was made anew");
    ice.remove(pair(4));
    ice.remove(pair(1));
    assert_eq!((ice.selected(), ice.pairs().count()), (None, 0));
    let outcome = send(&mut ice, start, 5, &plain).expect("authentic");
    assert_eq!(outcome.selected, Some(pair(5)), "whatever comes then");
}

#[test]
fn after_a_restart_old_credentials_hold_until_the_new_ones_are_used() {
    let now = Instant::now();
    let (old, new) = (credentials(1), credentials(2));
    let mut ice = IceLite::new(old.clone());
    send(&mut ice, now, 1, &check(&old, &[CONTROLLING, USE_CANDIDATE])).expect("authentic");
    assert_eq!(ice.restart(new.clone()), None);
    assert_eq!(ice.credentials(), &new);
    assert_eq!(ice.ufrags().collect::<Vec<_>>(), [&*new.ufrag, &*old.ufrag]);
    assert_eq!(ice.selected(), Some(pair(1)));
    send(&mut ice, now, 1, &check(&old, &[CONTROLLING])).expect("still accepted");

    let outcome = send(&mut ice, now, 2, &check(&new, &[CONTROLLING])).expect("authentic");
    assert_eq!((outcome.retired_ufrag.as_deref(), outcome.selected), (Some(&*old.ufrag), Some(pair(2))));
    assert_eq!(send(&mut ice, now, 1, &check(&old, &[USE_CANDIDATE])), Err(BindingError::UnknownUfrag));
    assert_eq!(ice.ufrags().collect::<Vec<_>>(), [&*new.ufrag]);
    send(&mut ice, now, 3, &check(&new, &[CONTROLLING, USE_CANDIDATE])).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(3)));
}

#[test]
fn a_second_restart_keeps_the_credentials_that_are_in_use() {
    let now = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    send(&mut ice, now, 1, &check(&credentials(1), &[CONTROLLING])).expect("authentic");
    assert_eq!(ice.restart(credentials(2)), None);
    assert_eq!(ice.restart(credentials(3)), Some(credentials(2).ufrag));
    send(&mut ice, now, 1, &check(&credentials(1), &[CONTROLLING])).expect("still accepted");
    assert_eq!(send(&mut ice, now, 1, &check(&credentials(2), &[])), Err(BindingError::UnknownUfrag));
    send(&mut ice, now, 1, &check(&credentials(3), &[CONTROLLING])).expect("authentic");
}

#[test]
fn consent_ends_thirty_seconds_after_the_last_check() {
    let start = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    assert!(ice.is_alive(start + Duration::from_secs(3_600)));
    let datagram = check(ice.credentials(), &[CONTROLLING]);
    send(&mut ice, start, 1, &datagram).expect("authentic");
    assert!(ice.is_alive(start + Duration::from_secs(29)));
    assert!(!ice.is_alive(start + Duration::from_secs(30)));
    send(&mut ice, start + Duration::from_secs(20), 1, &datagram).expect("authentic");
    assert_eq!(ice.consent_expires(), Some(start + Duration::from_secs(50)));
    let wrong = Credentials { password: credentials(2).password, ..credentials(1) };
    let late = start + Duration::from_secs(40);
    assert!(send(&mut ice, late, 1, &check(&wrong, &[CONTROLLING])).is_err());
    assert_eq!(ice.consent_expires(), Some(start + Duration::from_secs(50)));
}

#[test]
fn attributes_behind_the_integrity_are_not_obeyed() {
    let now = Instant::now();
    let mut ice = IceLite::new(credentials(1));
    send(&mut ice, now, 1, &check(&credentials(1), &[CONTROLLING, USE_CANDIDATE])).expect("authentic");
    let mut datagram = check(ice.credentials(), &[CONTROLLING]);
    datagram.truncate(datagram.len() - 8);
    append(&mut datagram, 0x0025, &[]);
    append(&mut datagram, 0xc001, &[0, 0, 0, 9]);
    set_length(&mut datagram, 0);
    send(&mut ice, now, 2, &datagram).expect("authentic");
    assert_eq!(ice.selected(), Some(pair(1)));
}

#[test]
fn mutated_checks_never_panic_or_select() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut ice = IceLite::new(credentials(1));
    let sample = check(ice.credentials(), &[CONTROLLING, USE_CANDIDATE]);
    for _ in 0..50_000 {
        let mut datagram = sample[..sample.len() - 8].to_vec();
        set_length(&mut datagram, 0);
        let at = rng.random_range(0..datagram.len());
        datagram[at] ^= rng.random_range(1..=255_u8);
        if let Ok(request) = BindingRequest::parse(&datagram) {
            assert!(ice.handle_binding(now, 0, remote(1), &request, &mut [0; 256]).is_err());
        }
    }
    assert_eq!(ice.selected(), None);
}
