//! Where media listens and what clients are told: the machine's addresses, or what was announced.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use sfu::worker::ListenAddr;
use sfu_io::ADDRESSES_MAX;

use crate::config::Config;

/// Interfaces of containers and virtual machines: nobody outside this machine reaches them.
const BRIDGES: [&str; 6] = ["docker", "br-", "veth", "virbr", "cni", "podman"];

/// An address of this machine and where it is told to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaAddress {
    /// The address to bind sockets to.
    pub local: IpAddr,
    /// What clients are told instead; empty: the local address.
    pub announced: Vec<IpAddr>,
}

/// Why there is no address to use.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The system does not list its addresses.
    #[error("cannot list this machine's addresses: {0}")]
    List(io::Error),
    /// There is none that clients could use.
    #[error("this machine has no address that clients could send media to; name one with --announce")]
    None,
    /// Nothing can be bound for an announced address.
    #[error("announce: no address of this machine leads to {0}: {1}")]
    NoRoute(IpAddr, io::Error),
}

/// The addresses for media, in the order in which they are preferred.
pub fn media_addresses(config: &Config) -> Result<Vec<MediaAddress>, AddressError> {
    let interfaces = if_addrs::get_if_addrs().map_err(AddressError::List)?;
    let own: Vec<(String, IpAddr)> = interfaces.into_iter().map(|i| (i.name.clone(), i.ip())).collect();
    let addresses = if config.announce.is_empty() {
        let plain = |local| MediaAddress { local, announced: Vec::new() };
        reachable(&own, !config.beyond_loopback()).into_iter().map(plain).collect()
    } else {
        announced(&config.announce, &own, source_of)?
    };
    if addresses.is_empty() { Err(AddressError::None) } else { Ok(addresses) }
}

/// What clients are told of these addresses.
pub fn told(addresses: &[MediaAddress]) -> Vec<IpAddr> {
    let told = |address: &MediaAddress| match address.announced.as_slice() {
        [] => vec![address.local],
        announced => announced.to_vec(),
    };
    addresses.iter().flat_map(told).collect()
}

/// The sockets of the first worker; the next one has the next port.
pub fn listen_addrs(addresses: &[MediaAddress], media_port: u16) -> Vec<ListenAddr> {
    let listen = |address: &MediaAddress| ListenAddr {
        local: SocketAddr::new(address.local, media_port),
        announced: address.announced.clone(),
    };
    addresses.iter().map(listen).collect()
}

/// The machine's addresses that clients may be able to reach; IPv4 before IPv6, loopback last.
fn reachable(own: &[(String, IpAddr)], with_loopback: bool) -> Vec<IpAddr> {
    let usable = |(name, address): &&(String, IpAddr)| {
        let link_local = match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        let bridge = BRIDGES.iter().any(|prefix| name.starts_with(prefix));
        !link_local && !bridge && (with_loopback || !address.is_loopback())
    };
    let mut addresses: Vec<IpAddr> = own.iter().filter(usable).map(|(_, address)| *address).collect();
    addresses.sort_by_key(|address| (address.is_loopback(), address.is_ipv6()));
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    addresses
}

/// An announced address of this machine is bound as it is; any other belongs to a NAT in front of it and is told
/// instead of the address from which it would be reached.
fn announced(
    announce: &[IpAddr],
    own: &[(String, IpAddr)],
    source_of: impl Fn(IpAddr) -> io::Result<IpAddr>,
) -> Result<Vec<MediaAddress>, AddressError> {
    let mut addresses: Vec<MediaAddress> = Vec::new();
    for &address in announce.iter().take(ADDRESSES_MAX) {
        let local = if own.iter().any(|(_, ip)| *ip == address) {
            address
        } else {
            source_of(address).map_err(|error| AddressError::NoRoute(address, error))?
        };
        match addresses.iter_mut().find(|known| known.local == local) {
            Some(known) if known.announced.contains(&address) => {}
            Some(known) => known.announced.push(address),
            None => addresses.push(MediaAddress { local, announced: vec![address] }),
        }
    }
    Ok(addresses)
}

/// The address from which the system would send to another one; nothing is sent.
fn source_of(remote: IpAddr) -> io::Result<IpAddr> {
    let any: SocketAddr = if remote.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect((remote, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn machine() -> Vec<(String, IpAddr)> {
        [
            ("lo", "127.0.0.1"),
            ("lo", "::1"),
            ("eth0", "fe80::1"),
            ("eth0", "169.254.7.7"),
            ("eth0", "2001:db8::5"),
            ("eth0", "192.0.2.5"),
            ("docker0", "172.17.0.1"),
            ("br-1f2e", "172.18.0.1"),
            ("veth12", "169.254.3.3"),
            ("wg0", "10.8.0.2"),
        ]
        .map(|(name, address)| (name.to_owned(), ip(address)))
        .to_vec()
    }

    #[test]
    fn container_bridges_and_link_local_addresses_are_left_out() {
        assert_eq!(reachable(&machine(), false), ["192.0.2.5", "10.8.0.2", "2001:db8::5"].map(ip));
    }

    #[test]
    fn on_loopback_it_comes_last() {
        let expected = ["192.0.2.5", "10.8.0.2", "2001:db8::5", "127.0.0.1", "::1"].map(ip);
        assert_eq!(reachable(&machine(), true), expected);
    }

    #[test]
    fn own_addresses_are_bound_and_foreign_ones_told_instead() {
        let announce = ["203.0.113.7", "192.0.2.5", "10.8.0.2"].map(ip);
        let addresses = announced(&announce, &machine(), |_| Ok(ip("192.0.2.5"))).expect("routes");
        assert_eq!(
            addresses,
            [
                MediaAddress { local: ip("192.0.2.5"), announced: ["203.0.113.7", "192.0.2.5"].map(ip).to_vec() },
                MediaAddress { local: ip("10.8.0.2"), announced: vec![ip("10.8.0.2")] },
            ]
        );
        assert_eq!(told(&addresses), announce);
    }
}
