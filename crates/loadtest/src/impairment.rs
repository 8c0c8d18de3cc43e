//! A bad way between a synthetic participant and the server, beside the real one.

use std::net::SocketAddr;
use std::time::Instant;

use loadtest::client::Datagram;
use loadtest::network::{Link, Network, Path};

/// What all ways of a run do, each with randomness of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Impairment {
    pub(crate) link: Link,
    pub(crate) seed: u64,
}

/// Both directions between a client and the server.
pub(crate) struct Way {
    link: Link,
    network: Network,
    up: Path,
    down: Path,
    lost: u64,
}

impl Way {
    /// The way of the client of this number in the run.
    pub(crate) fn new(impairment: Impairment, number: u32) -> Self {
        let path = |direction| Path::new(impairment.seed, 2 * u64::from(number) + direction);
        Self { link: impairment.link, network: Network::default(), up: path(0), down: path(1), lost: 0 }
    }

    /// Takes what the client sends.
    pub(crate) fn send(&mut self, now: Instant, datagram: Datagram) {
        self.lost += u64::from(!self.network.send(now, &self.link, &mut self.up, datagram));
    }

    /// Takes what came from the server.
    pub(crate) fn receive(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let datagram = Datagram { source, destination, bytes: bytes.to_vec() };
        self.lost += u64::from(!self.network.send(now, &self.link, &mut self.down, datagram));
    }

    /// The next datagram that is through, in either direction, and since when.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(Instant, Datagram)> {
        let at = self.next_arrival()?;
        self.network.poll(now).map(|datagram| (at, datagram))
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.network.next_arrival()
    }

    /// How many datagrams were thrown away.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CLIENT: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);
    const SERVER: ([u8; 4], u16) = ([127, 0, 0, 1], 4000);

    /// The sequence numbers of what comes through of 1,000 packets in each direction, and how many did not.
    fn through(seed: u64, number: u32) -> (Vec<u16>, Vec<u16>, u64) {
        let (start, delay) = (Instant::now(), Duration::from_millis(10));
        let mut way = Way::new(Impairment { link: Link { loss: 0.2, ..Link::clean(delay) }, seed }, number);
        for n in 0..1000_u16 {
            let bytes = [&[128, 111][..], &n.to_be_bytes(), &[0; 8]].concat();
            way.receive(start, SERVER.into(), CLIENT.into(), &bytes);
            way.send(start, Datagram { source: CLIENT.into(), destination: SERVER.into(), bytes });
        }
        assert!(way.poll(start).is_none(), "nothing is faster than the delay");
        let (mut up, mut down) = (Vec::new(), Vec::new());
        while let Some((at, datagram)) = way.poll(start + delay) {
            assert_eq!(at, start + delay);
            let direction = if datagram.source == CLIENT.into() { &mut up } else { &mut down };
            direction.push(u16::from_be_bytes([datagram.bytes[2], datagram.bytes[3]]));
        }
        (up, down, way.lost())
    }

    #[test]
    fn the_seed_decides_what_each_client_loses_in_each_direction() {
        let (up, down, lost) = through(1, 7);
        assert_eq!((up.len() + down.len()) as u64 + lost, 2000);
        assert!((300..500).contains(&lost), "{lost}");
        assert_ne!(up, down);
        assert_eq!(through(1, 7), (up.clone(), down, lost));
        assert_ne!(through(2, 7).0, up);
        assert_ne!(through(1, 8).0, up);
    }
}
