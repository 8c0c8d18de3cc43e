//! A light client against str0m as its server: both ends decide whether what the other sends is right.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use loadtest::light::{Identity, LightClient};
use protocol::rtp::{RtpCapabilities, RtpEncodingParameters, RtpParameters};
use protocol::transport::{
    CandidateKind, DtlsFingerprint, DtlsParameters, DtlsRole, IceCandidate, IceParameters, IceProtocol,
    TransportOptions,
};
use protocol::{MediaKind, TransportId};
use serde_json::json;
use str0m::bwe::Bitrate;
use str0m::config::Fingerprint;
use str0m::ice::IceCreds;
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

const SSRC: u32 = 4711;
const TICK: Duration = Duration::from_millis(5);
const FIRST: u64 = 1000;
/// The packet that never arrives.
const LOST: [u8; 2] = 1300_u16.to_be_bytes();
/// What str0m's pacer may hold back.
const WAITING_MAX: u64 = 100;
/// What is sent between two reports, and again between two looks that str0m takes at them, and a half more.
const STALE_MAX: u64 = 500;

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn options(server: &mut Rtc) -> TransportOptions {
    let direct = server.direct_api();
    let IceCreds { ufrag, pass } = direct.local_ice_credentials();
    let Fingerprint { hash_func, bytes } = direct.local_dtls_fingerprint().clone();
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let fingerprint = DtlsFingerprint { algorithm: hash_func, value: pairs.join(":") };
    let server = address(1);
    TransportOptions {
        id: TransportId(1),
        ice_parameters: IceParameters { username_fragment: ufrag, password: pass, ice_lite: true },
        ice_candidates: vec![IceCandidate {
            foundation: "udp".to_owned(),
            priority: 1,
            ip: server.ip(),
            address: server.ip(),
            protocol: IceProtocol::Udp,
            port: server.port(),
            kind: CandidateKind::Host,
            tcp_type: None,
        }],
        dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] },
        sctp_parameters: None,
    }
}

#[test]
fn its_reports_and_feedback_are_what_str0m_reads() {
    let start = Instant::now();
    let config = Rtc::builder().set_rtp_mode(true).set_ice_lite(true).set_stats_interval(Some(Duration::from_secs(1)));
    let mut server = config.enable_bwe(Some(Bitrate::kbps(500))).build(start);
    server.add_local_candidate(Candidate::host(address(1), "udp").expect("a candidate"));

    let extension = json!({ "kind": "video", "preferredId": 3,
        "uri": "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01" });
    let router = json!({ "codecs": [], "headerExtensions": [extension] });
    let router: RtpCapabilities = serde_json::from_value(router).expect("capabilities");
    let identity = Identity::generate().expect("an identity");
    let mut client =
        LightClient::new(start, &identity, address(2), &options(&mut server), &router).expect("usable options");
    let encodings = vec![RtpEncodingParameters { ssrc: Some(SSRC), ..RtpEncodingParameters::default() }];
    let parameters = RtpParameters { encodings, ..RtpParameters::default() };
    client.consume(MediaKind::Video, &parameters).expect("usable parameters");

    let mut direct = server.direct_api();
    direct.set_ice_controlling(false);
    let parameters = client.dtls_parameters();
    let pairs = parameters.fingerprints[0].value.split(':');
    let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect();
    direct.set_remote_fingerprint(Fingerprint { hash_func: "sha-256".to_owned(), bytes });
    direct.set_remote_ice_credentials(client.ice_credentials());
    direct.start_dtls(false).expect("DTLS");
    direct.declare_media("0".into(), str0m::media::MediaKind::Video);
    direct.declare_stream_tx(SSRC.into(), None, "0".into(), None);

    let (mut now, mut sent, mut remote, mut estimated) = (start, 0_u64, None, false);
    while now < start + Duration::from_secs(8) {
        now += TICK;
        if client.poll_timeout() <= now {
            client.handle_timeout(now);
        }
        while let Some(datagram) = client.poll_transmit() {
            let contents = datagram.bytes.as_slice().try_into().expect("a datagram of WebRTC");
            let receive = Receive { proto: Protocol::Udp, source: address(2), destination: address(1), contents };
            server.handle_input(Input::Receive(now, receive)).expect("accepted");
            drain(&mut server, &mut client, now, &mut remote, &mut estimated);
        }
        if client.is_connected() {
            let mut direct = server.direct_api();
            let stream = direct.stream_tx(&SSRC.into()).expect("declared");
            let time = (now - start).as_millis() as u32 * 90;
            stream.write_rtp(RtpWrite::new(96.into(), (FIRST + sent).into(), time, now, vec![0; 500]));
            sent += 1;
        }
        server.handle_input(Input::Timeout(now)).expect("accepted");
        drain(&mut server, &mut client, now, &mut remote, &mut estimated);
    }

    let report = client.reports().next().expect("one stream");
    assert_eq!(report.lost, 1);
    assert!(report.packets < sent && report.packets > sent - WAITING_MAX, "{} of {sent}", report.packets);
    let (highest, lost) = remote.expect("a receiver report came through");
    let newest = FIRST + report.packets;
    assert!(highest <= newest && newest - highest < STALE_MAX, "{highest} of {newest}");
    assert_eq!(lost, 1);
    assert!(estimated, "transport-wide feedback came through");
}

/// Takes what the server sends to the client, but for one media packet.
fn drain(
    server: &mut Rtc,
    client: &mut LightClient,
    now: Instant,
    remote: &mut Option<(u64, u64)>,
    estimated: &mut bool,
) {
    loop {
        match server.poll_output().expect("still there") {
            Output::Timeout(_) => return,
            Output::Transmit(transmit) => {
                let bytes: &[u8] = &transmit.contents;
                let media = matches!(bytes, [128..=191, kind, ..] if !(192..224).contains(kind));
                if !media || bytes[2..4] != LOST {
                    client.handle_datagram(now, address(1), &transmit.contents);
                }
            }
            Output::Event(Event::MediaEgressStats(stats)) => {
                *remote = stats.remote.map(|remote| (*remote.maximum_sequence_number, remote.packets_lost));
            }
            Output::Event(Event::EgressBitrateEstimate(_)) => *estimated = true,
            Output::Event(_) => {}
        }
    }
}
