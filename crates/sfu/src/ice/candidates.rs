//! The candidates that clients are told about.

use std::net::IpAddr;

use protocol::transport::{CandidateKind, IceCandidate, IceProtocol, TcpKind};

use crate::worker::ListenAddr;

/// RFC 8445 5.1.2.2 for UDP; for TCP what libwebrtc has, so that it is the last resort.
const HOST_UDP_PREFERENCE: u32 = 126;
const HOST_TCP_PREFERENCE: u32 = 90;
/// RFC 6544 4.2: of a passive host candidate, in the upper three bits of the local preference.
const PASSIVE_PREFERENCE: u32 = 4 << 13;
const COMPONENT: u32 = 1;

/// A UDP host candidate for each address, then a passive TCP one (RFC 6544) for each; the announced addresses instead
/// of the local one where there are any. Earlier addresses are preferred.
pub fn candidates(listen: &[ListenAddr]) -> Vec<IceCandidate> {
    let mut candidates = Vec::new();
    for (protocol, name) in [(IceProtocol::Udp, "udp"), (IceProtocol::Tcp, "tcp")] {
        let mut place = 0;
        for (base, listen) in listen.iter().enumerate() {
            let local = [listen.local.ip()];
            let addresses: &[IpAddr] = if listen.announced.is_empty() { &local } else { &listen.announced };
            for &address in addresses {
                candidates.push(IceCandidate {
                    // RFC 8445 5.1.1.3: equal for candidates of one type, base and protocol.
                    foundation: format!("{name}{base}"),
                    priority: priority(protocol, place),
                    ip: address,
                    address,
                    protocol,
                    port: listen.local.port(),
                    kind: CandidateKind::Host,
                    tcp_type: (protocol == IceProtocol::Tcp).then_some(TcpKind::Passive),
                });
                place += 1;
            }
        }
    }
    candidates
}

/// RFC 8445 5.1.2.1, for the candidate of a protocol that comes at this place, 0 the first.
fn priority(protocol: IceProtocol, place: u32) -> u32 {
    let (kind, local) = match protocol {
        IceProtocol::Udp => (HOST_UDP_PREFERENCE, u32::from(u16::MAX).saturating_sub(place)),
        IceProtocol::Tcp => (HOST_TCP_PREFERENCE, PASSIVE_PREFERENCE | 0x1fff_u32.saturating_sub(place)),
    };
    kind << 24 | local << 8 | (256 - COMPONENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(local: &str, announced: &[&str]) -> ListenAddr {
        let announced = announced.iter().map(|address| address.parse().expect("an address")).collect();
        ListenAddr { local: local.parse().expect("an address"), announced }
    }

    #[test]
    fn announced_addresses_take_the_place_of_the_local_one() {
        let addresses = [listen("10.0.0.1:4000", &["192.0.2.1", "2001:db8::2"]), listen("[2001:db8::1]:4000", &[])];
        let candidates = candidates(&addresses);
        let told: Vec<String> = candidates.iter().map(|c| format!("{} {} {}", c.foundation, c.ip, c.port)).collect();
        let expected = [
            "udp0 192.0.2.1 4000",
            "udp0 2001:db8::2 4000",
            "udp1 2001:db8::1 4000",
            "tcp0 192.0.2.1 4000",
            "tcp0 2001:db8::2 4000",
            "tcp1 2001:db8::1 4000",
        ];
        assert_eq!(told, expected);
        assert!(candidates.iter().all(|c| c.ip == c.address));
        for candidate in &candidates {
            let passive = candidate.protocol == IceProtocol::Tcp;
            assert_eq!(candidate.tcp_type, passive.then_some(TcpKind::Passive));
        }
    }

    #[test]
    fn priorities_follow_rfc8445_and_all_of_tcp_comes_after_all_of_udp() {
        let candidates = candidates(&[listen("192.0.2.1:1", &[]), listen("192.0.2.2:1", &[])]);
        let priorities: Vec<u32> = candidates.iter().map(|candidate| candidate.priority).collect();
        let (udp, tcp) = (2_130_706_431, (90 << 24) + (40_959 << 8) + 255);
        assert_eq!(priorities, [udp, udp - 256, tcp, tcp - 256]);
    }
}
