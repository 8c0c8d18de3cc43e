//! Published vectors, both directions against each other, and everything that must be refused.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::cipher::Cipher;
use super::{
    KeyingError, OpenError, OpenKeys, Profile, RTCP_OVERHEAD_MAX, RTP_OVERHEAD_MAX, Role, SealKeys, derive_keys, gcm,
};

const PROFILES: [Profile; 3] = [Profile::AeadAes256Gcm, Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80];

pub(super) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Keys of a client and of the server it talks to.
fn pair(profile: Profile) -> (SealKeys, OpenKeys) {
    let material: Vec<u8> = (0..2 * (profile.key_bytes() + profile.salt_bytes())).map(|i| i as u8).collect();
    let (seal, _) = derive_keys(profile, &material, Role::Client).expect("valid material");
    let (_, open) = derive_keys(profile, &material, Role::Server).expect("valid material");
    (seal, open)
}

fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend(1234_u32.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

fn sealed(keys: &SealKeys, packet: &[u8], header_bytes: usize, roc: u32) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + RTP_OVERHEAD_MAX, 0xee);
    let length = keys.seal_rtp(&mut buffer, header_bytes, packet.len(), roc);
    assert_eq!(length, packet.len() + keys.tag_bytes());
    buffer.truncate(length);
    buffer
}

fn sealed_rtcp(keys: &mut SealKeys, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + RTCP_OVERHEAD_MAX, 0xee);
    let length = keys.seal_rtcp(&mut buffer, packet.len()).expect("index left");
    assert_eq!(length, packet.len() + keys.rtcp_trailer_bytes());
    buffer.truncate(length);
    buffer
}

fn check_rtp(seal: &SealKeys, open: &mut OpenKeys, plain: &[u8], expected: &[u8]) {
    assert_eq!(sealed(seal, plain, 12, 0), expected);
    let mut packet = expected.to_vec();
    let opened = open.open_rtp(&mut packet).expect("authentic");
    assert_eq!((opened.header_bytes, &packet[..opened.payload_end]), (12, plain));
}

fn check_rtcp(seal: &mut SealKeys, open: &mut OpenKeys, plain: &[u8], expected: &[u8]) {
    assert_eq!(sealed_rtcp(seal, plain), expected);
    let mut packet = expected.to_vec();
    let end = open.open_rtcp(&mut packet).expect("authentic");
    assert_eq!(&packet[..end], plain);
}

/// RFC 7714 gives session keys, the same for RTP and RTCP.
fn rfc7714_keys(profile: Profile) -> (SealKeys, OpenKeys) {
    let key: Vec<u8> = (0..profile.key_bytes() as u8).collect();
    let cipher = || {
        let keys = gcm::Keys::from_session(&key, *b"Quid pro quo", &key, *b"Quid pro quo").expect("valid keys");
        Cipher::Gcm(Box::new(keys))
    };
    (SealKeys::new(cipher()), OpenKeys::new(cipher()))
}

#[test]
fn gcm_matches_the_rtp_vectors_of_rfc7714_16() {
    let mut plain = hex("8040f17b8041f8d35501a0b2");
    plain.extend(b"Gallia est omnis divisa in partes tres");
    for (profile, expected) in [
        (
            Profile::AeadAes128Gcm,
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            Profile::AeadAes256Gcm,
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b\
             7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ] {
        let (seal, mut open) = rfc7714_keys(profile);
        check_rtp(&seal, &mut open, &plain, &hex(expected));
    }
}

#[test]
fn gcm_matches_the_rtcp_vectors_of_rfc7714_17() {
    let plain = hex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                     deadbeefdeadbeefdeadbeefdeadbeefdeadbeef");
    for (profile, expected) in [
        (
            Profile::AeadAes128Gcm,
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9\
             275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            Profile::AeadAes256Gcm,
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b\
             6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ] {
        let (mut seal, mut open) = rfc7714_keys(profile);
        seal.set_rtcp_index(0x5d4);
        check_rtcp(&mut seal, &mut open, &plain, &hex(expected));
    }
}

/// What is authentic but not encrypted is not taken: the E flag decides before any key is used (RFC 8827 section 6.5).
#[test]
fn rtcp_that_is_only_tagged_as_in_rfc7714_17_3_and_17_4_is_refused() {
    let plain = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
                 deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
    for (profile, tag) in [
        (Profile::AeadAes128Gcm, "841dd9683dd78ec92ae58790125f62b3"),
        (Profile::AeadAes256Gcm, "91db4afbfeee5a978fab4393ed2615fe"),
    ] {
        let (_, mut open) = rfc7714_keys(profile);
        let mut packet = hex(&[plain, tag, "000005d4"].concat());
        assert_eq!(open.open_rtcp(&mut packet.clone()), Err(OpenError::Malformed));
        let flag_at = packet.len() - 4;
        packet[flag_at] |= 0x80;
        assert_eq!(open.open_rtcp(&mut packet), Err(OpenError::Unauthentic));
    }
}

/// The packets of libsrtp's `srtp_validate` and `srtp_validate_gcm`, which start from master keys.
#[test]
fn whole_packets_match_libsrtp() {
    let rtp = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let rtcp = hex("81c8000bcafebabeabababababababababababababababab");
    for (profile, key, salt, srtp, srtcp) in [
        (
            Profile::Aes128CmSha1_80,
            "e1f97a0d3e018be0d64fa32c06de4139",
            "0ec675ad498afeebb6960b3aabe6",
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
            "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798",
        ),
        (
            Profile::AeadAes128Gcm,
            "000102030405060708090a0b0c0d0e0f",
            "a0a1a2a3a4a5a6a7a8a9aaab",
            "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
            "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
        ),
    ] {
        let (key, salt) = (hex(key), hex(salt));
        let material = [&key[..], &key, &salt, &salt].concat();
        let (mut seal, mut open) = derive_keys(profile, &material, Role::Client).expect("valid material");
        check_rtp(&seal, &mut open, &rtp, &hex(srtp));
        seal.set_rtcp_index(1);
        check_rtcp(&mut seal, &mut open, &rtcp, &hex(srtcp));
    }
}

#[test]
fn each_side_opens_only_what_the_other_sealed() {
    for profile in PROFILES {
        let material = vec![7; 2 * (profile.key_bytes() + profile.salt_bytes())];
        assert_eq!(derive_keys(profile, &material[1..], Role::Client).err(), Some(KeyingError::Length));
        let material: Vec<u8> = (0..material.len() as u8).collect();
        let (client_seal, mut client_open) = derive_keys(profile, &material, Role::Client).expect("valid material");
        let (server_seal, mut server_open) = derive_keys(profile, &material, Role::Server).expect("valid material");
        let packet = rtp(1, 1, b"payload");
        assert!(server_open.open_rtp(&mut sealed(&client_seal, &packet, 12, 0)).is_ok());
        assert!(client_open.open_rtp(&mut sealed(&server_seal, &packet, 12, 0)).is_ok());
        assert_eq!(
            client_open.open_rtp(&mut sealed(&client_seal, &rtp(1, 2, b"payload"), 12, 0)),
            Err(OpenError::Unauthentic)
        );
    }
}

#[test]
fn headers_with_csrcs_and_extensions_stay_readable() {
    for profile in PROFILES {
        let (seal, mut open) = pair(profile);
        let mut packet = rtp(5, 9, &[]);
        packet[0] |= 0x12;
        packet.extend([1; 8]);
        packet.extend([0xbe, 0xde, 0, 1, 0x10, 0x30, 0, 0]);
        let header_bytes = packet.len();
        packet.extend(b"payload");
        let mut wire = sealed(&seal, &packet, header_bytes, 0);
        assert_eq!(wire[..header_bytes], packet[..header_bytes]);
        assert_ne!(wire[header_bytes..packet.len()], packet[header_bytes..]);
        let opened = open.open_rtp(&mut wire).expect("authentic");
        assert_eq!((opened.header_bytes, opened.ssrc, opened.ext_seq), (header_bytes, 5, 9));
        assert_eq!(wire[..opened.payload_end], packet);
    }
}

#[test]
fn a_changed_byte_anywhere_is_refused_and_changes_nothing() {
    for profile in PROFILES {
        let (mut seal, mut open) = pair(profile);
        let wire = sealed(&seal, &rtp(5, 9, b"payload"), 12, 0);
        for at in 0..wire.len() {
            for change in [0x01, 0x80] {
                let mut packet = wire.clone();
                packet[at] ^= change;
                assert!(open.open_rtp(&mut packet).is_err(), "{profile:?} byte {at}");
            }
        }
        assert!(open.open_rtp(&mut wire.clone()).is_ok());

        let wire = sealed_rtcp(&mut seal, &hex("80c900010000000511111111"));
        for at in 0..wire.len() {
            for change in [0x01, 0x80] {
                let mut packet = wire.clone();
                packet[at] ^= change;
                assert!(open.open_rtcp(&mut packet).is_err(), "{profile:?} byte {at}");
            }
        }
        assert!(open.open_rtcp(&mut wire.clone()).is_ok());
    }
}

#[test]
fn every_shorter_packet_is_refused() {
    for profile in PROFILES {
        let (mut seal, mut open) = pair(profile);
        let wire = sealed(&seal, &rtp(5, 9, b"payload"), 12, 0);
        let rtcp = sealed_rtcp(&mut seal, &hex("80c900010000000511111111"));
        for length in 0..wire.len() {
            assert!(open.open_rtp(&mut wire[..length].to_vec()).is_err(), "{profile:?} {length} bytes");
        }
        for length in 0..rtcp.len() {
            assert!(open.open_rtcp(&mut rtcp[..length].to_vec()).is_err(), "{profile:?} {length} bytes");
        }
    }
}

#[test]
fn replays_are_refused_across_a_rollover() {
    for profile in PROFILES {
        let (seal, mut open) = pair(profile);
        let wire: Vec<Vec<u8>> = (65_000..66_000_u64)
            .map(|index| sealed(&seal, &rtp(5, index as u16, b"payload"), 12, (index >> 16) as u32))
            .collect();
        // Pairs change places, so that the rollover is also seen backwards.
        for pair in wire.chunks_exact(2) {
            for packet in pair.iter().rev() {
                assert!(open.open_rtp(&mut packet.clone()).is_ok());
            }
        }
        for packet in &wire {
            let refused = open.open_rtp(&mut packet.clone());
            assert!(matches!(refused, Err(OpenError::Replayed | OpenError::TooOld)), "{refused:?}");
        }
    }
}

#[test]
fn the_rollover_counter_follows_a_long_stream_with_loss() {
    let (seal, mut open) = pair(Profile::AeadAes128Gcm);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut index = 40_000_u64;
    while index < 400_000 {
        let mut packet = sealed(&seal, &rtp(5, index as u16, b"payload"), 12, (index >> 16) as u32);
        assert_eq!(open.open_rtp(&mut packet).expect("authentic").ext_seq, index);
        index += rng.random_range(1..3_000);
    }
}

#[test]
fn late_and_doubled_packets_open_once_around_every_rollover() {
    for profile in PROFILES {
        for seed in 0..5 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (seal, mut open) = pair(profile);
            let mut sent = vec![60_000_u64];
            while sent.last().is_some_and(|&index| index < 300_000) {
                sent.push(sent[sent.len() - 1] + rng.random_range(1..200));
            }
            let mut arrivals: Vec<u64> = sent.iter().flat_map(|&n| vec![n; rng.random_range(1..3)]).collect();
            // Within the window.
            arrivals.sort_by_cached_key(|index| index + rng.random_range(0..900));
            let mut seen = std::collections::HashSet::new();
            for index in arrivals {
                let mut packet = sealed(&seal, &rtp(5, index as u16, b"payload"), 12, (index >> 16) as u32);
                let opened = open.open_rtp(&mut packet).map(|opened| opened.ext_seq);
                let expected = if seen.insert(index) { Ok(index) } else { Err(OpenError::Replayed) };
                assert_eq!(opened, expected, "{profile:?}, seed {seed}");
            }
        }
    }
}

#[test]
fn a_packet_behind_the_first_or_the_window_is_too_old() {
    let (seal, mut open) = pair(Profile::AeadAes256Gcm);
    assert!(open.open_rtp(&mut sealed(&seal, &rtp(5, 10, b"x"), 12, 0)).is_ok());
    assert_eq!(open.open_rtp(&mut sealed(&seal, &rtp(5, 65_530, b"x"), 12, 0)), Err(OpenError::TooOld));
    assert!(open.open_rtp(&mut sealed(&seal, &rtp(5, 5_000, b"x"), 12, 0)).is_ok());
    assert_eq!(open.open_rtp(&mut sealed(&seal, &rtp(5, 20, b"x"), 12, 0)), Err(OpenError::TooOld));
}

#[test]
fn each_ssrc_has_its_own_rtcp_index() {
    for profile in PROFILES {
        let (mut a, mut open) = pair(profile);
        let (mut b, _) = pair(profile);
        let from_a = sealed_rtcp(&mut a, &hex("80c900010000000511111111"));
        let from_b = sealed_rtcp(&mut b, &hex("80c900010000000611111111"));
        assert!(open.open_rtcp(&mut from_a.clone()).is_ok());
        assert!(open.open_rtcp(&mut from_b.clone()).is_ok());
        assert_eq!(open.open_rtcp(&mut from_a.clone()), Err(OpenError::Replayed));
        assert!(open.open_rtcp(&mut sealed_rtcp(&mut a, &hex("80c900010000000511111111"))).is_ok());
    }
}

#[test]
fn rtcp_stops_before_an_index_repeats() {
    let (mut seal, _) = pair(Profile::AeadAes128Gcm);
    seal.set_rtcp_index((1 << 31) - 1);
    let mut buffer = hex("80c900010000000511111111");
    buffer.resize(64, 0);
    assert!(seal.seal_rtcp(&mut buffer, 12).is_ok());
    assert!(seal.seal_rtcp(&mut buffer, 12).is_err());
}

#[test]
fn streams_are_bounded_and_known_ones_go_on() {
    let (seal, mut open) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..1024 {
        assert!(open.open_rtp(&mut sealed(&seal, &rtp(ssrc, 1, b"x"), 12, 0)).is_ok());
    }
    assert_eq!(open.open_rtp(&mut sealed(&seal, &rtp(9999, 1, b"x"), 12, 0)), Err(OpenError::TooManyStreams));
    assert!(open.open_rtp(&mut sealed(&seal, &rtp(0, 2, b"x"), 12, 0)).is_ok());
    assert_eq!(open.open_rtp(&mut sealed(&seal, &rtp(0, 1, b"x"), 12, 0)), Err(OpenError::Replayed));
}

#[test]
fn forged_packets_take_no_stream() {
    let (seal, mut open) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..5_000 {
        assert_eq!(open.open_rtp(&mut rtp(ssrc, 1, &[0; 40])), Err(OpenError::Unauthentic));
    }
    assert!(open.open_rtp(&mut sealed(&seal, &rtp(9999, 1, b"x"), 12, 0)).is_ok());
}

#[test]
fn garbage_is_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for profile in PROFILES {
        let (_, mut open) = pair(profile);
        for _ in 0..20_000 {
            let mut packet = vec![0; rng.random_range(0..120)];
            rng.fill_bytes(&mut packet);
            if let Some(first) = packet.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            assert!(open.open_rtp(&mut packet.clone()).is_err());
            assert!(open.open_rtcp(&mut packet).is_err());
        }
    }
}
