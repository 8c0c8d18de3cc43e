//! The candidates that clients are told about.

use std::net::IpAddr;

use protocol::transport::{CandidateKind, IceCandidate, IceProtocol};

use crate::worker::ListenAddr;

/// RFC 8445 5.1.2.2.
const HOST_TYPE_PREFERENCE: u32 = 126;
const COMPONENT: u32 = 1;

/// One UDP host candidate for each address, the announced ones instead of the local one where there are any.
/// Earlier addresses are preferred.
pub fn candidates(listen: &[ListenAddr]) -> Vec<IceCandidate> {
    let mut candidates = Vec::new();
    for (base, listen) in listen.iter().enumerate() {
        let local = [listen.local.ip()];
        let addresses: &[IpAddr] = if listen.announced.is_empty() { &local } else { &listen.announced };
        for &address in addresses {
            let local_preference = (u16::MAX as usize).saturating_sub(candidates.len()) as u32;
            candidates.push(IceCandidate {
                // RFC 8445 5.1.1.3: equal for candidates of one type, base and protocol.
                foundation: format!("udp{base}"),
                priority: HOST_TYPE_PREFERENCE << 24 | local_preference << 8 | (256 - COMPONENT),
                ip: address,
                address,
                protocol: IceProtocol::Udp,
                port: listen.local.port(),
                kind: CandidateKind::Host,
                tcp_type: None,
            });
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::candidates;
    use crate::worker::ListenAddr;

    #[test]
    fn announced_addresses_take_the_place_of_the_local_one() {
        let listen = [
            ListenAddr {
                local: "10.0.0.1:4000".parse().expect("an address"),
                announced: vec!["192.0.2.1".parse().expect("an address"), "192.0.2.2".parse().expect("an address")],
            },
            ListenAddr { local: "[2001:db8::1]:4000".parse().expect("an address"), announced: vec![] },
        ];
        let candidates = candidates(&listen);
        let addresses: Vec<String> =
            candidates.iter().map(|c| format!("{} {} {}", c.foundation, c.ip, c.port)).collect();
        assert_eq!(addresses, ["udp0 192.0.2.1 4000", "udp0 192.0.2.2 4000", "udp1 2001:db8::1 4000"]);
        assert!(candidates.iter().all(|c| c.ip == c.address));
    }

    #[test]
    fn priorities_follow_rfc8445_and_differ() {
        let listen = |address: &str| ListenAddr { local: address.parse().expect("an address"), announced: vec![] };
        let candidates = candidates(&[listen("192.0.2.1:1"), listen("192.0.2.2:1")]);
        assert_eq!(candidates[0].priority, 2_130_706_431);
        assert_eq!(candidates[1].priority, 2_130_706_431 - 256);
    }
}
