//! A network that passes datagrams on later, or not at all: seeded delay, jitter, loss, reordering and duplication.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

pub use crate::client::Datagram;

/// What a path does to datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// Least time on the way.
    pub delay: Duration,
    /// Most that is added to it; the order stays.
    pub jitter: Duration,
    /// Share that is lost, 0 to 1.
    pub loss: f64,
    /// Share that comes up to 30 ms late, behind others.
    pub reorder: f64,
    /// Share that comes twice.
    pub duplicate: f64,
    /// What it carries; `None` is more than anybody sends.
    pub bits_per_second: Option<u64>,
    /// How long a datagram may wait for those before it; beyond that it is lost.
    pub queue: Duration,
}

impl Link {
    /// A path that only takes time.
    pub fn clean(delay: Duration) -> Self {
        let none = Duration::ZERO;
        Self { delay, jitter: none, loss: 0.0, reorder: 0.0, duplicate: 0.0, bits_per_second: None, queue: none }
    }
}

/// One direction between two ends.
#[derive(Debug)]
pub struct Path {
    seed: u64,
    /// How many datagrams of STUN, DTLS and RTCP went over it.
    others: [u64; 3],
    /// When the newest datagram arrives.
    newest: Option<Instant>,
    /// When the newest has left the bottleneck.
    free_at: Option<Instant>,
}

impl Path {
    /// A path of its own randomness.
    pub fn new(seed: u64, number: u64) -> Self {
        Self { seed: seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15), others: [0; 3], newest: None, free_at: None }
    }

    /// When a datagram has left the bottleneck; `None` when its queue is full.
    fn pass_bottleneck(&mut self, now: Instant, link: &Link, bytes: usize) -> Option<Instant> {
        let Some(bits_per_second) = link.bits_per_second else { return Some(now) };
        let start = self.free_at.map_or(now, |free| free.max(now));
        if start - now > link.queue {
            return None;
        }
        let left = start + Duration::from_secs_f64((bytes * 8) as f64 / bits_per_second as f64);
        self.free_at = Some(left);
        Some(left)
    }

    /// Decides over one datagram. What becomes of an RTP packet depends on nothing but the seed and its header,
    /// because handshakes and the order of RTCP differ from run to run: a seed repeats its failure.
    fn rng(&mut self, bytes: &[u8]) -> Pcg64Mcg {
        let name = match bytes {
            // RFC 7983, RFC 5761: RTP. Payload type, sequence number and SSRC.
            &[128..=191, kind, s0, s1, _, _, _, _, a, b, c, d, ..] if !(192..224).contains(&kind) => {
                u64::from_be_bytes([1, kind, s0, s1, a, b, c, d])
            }
            _ => {
                let kind = bytes.first().map_or(0, |&first| usize::from(first >= 20) + usize::from(first >= 128));
                self.others[kind] += 1;
                self.others[kind] << 2 | kind as u64
            }
        };
        Pcg64Mcg::seed_from_u64(self.seed ^ name.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }
}

/// What is on all paths.
#[derive(Debug, Default)]
pub struct Network {
    on_the_way: BinaryHeap<Arrival>,
    sent: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Arrival {
    at: Instant,
    order: u64,
    datagram: Datagram,
}

impl Ord for Arrival {
    fn cmp(&self, other: &Self) -> Ordering {
        // The earliest is the greatest: it comes out of the heap first.
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Arrival {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Network {
    /// Sends a datagram over a path of this kind; false when it is lost.
    pub fn send(&mut self, now: Instant, link: &Link, path: &mut Path, datagram: Datagram) -> bool {
        let mut rng = path.rng(&datagram.bytes);
        let mut happens = |share: f64| rng.random_bool(share.clamp(0.0, 1.0));
        let (lost, late, twice) = (happens(link.loss), happens(link.reorder), happens(link.duplicate));
        if lost {
            return false;
        }
        let Some(left) = path.pass_bottleneck(now, link, datagram.bytes.len()) else { return false };
        let mut at = left + link.delay + link.jitter.mul_f64(rng.random());
        if late {
            at += Duration::from_millis(rng.random_range(2..30));
        } else {
            at = path.newest.map_or(at, |newest| newest.max(at));
            path.newest = Some(at);
        }
        if twice {
            self.arrive(at + Duration::from_millis(rng.random_range(0..20)), datagram.clone());
        }
        self.arrive(at, datagram);
        true
    }

    /// The next datagram that has arrived.
    pub fn poll(&mut self, now: Instant) -> Option<Datagram> {
        if self.next_arrival()? > now {
            return None;
        }
        self.on_the_way.pop().map(|arrival| arrival.datagram)
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.on_the_way.peek().map(|arrival| arrival.at)
    }

    fn arrive(&mut self, at: Instant, datagram: Datagram) {
        self.sent += 1;
        self.on_the_way.push(Arrival { at, order: self.sent, datagram });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn deliver(seed: u64, link: &Link, count: u32) -> Vec<(Duration, u32)> {
        let start = Instant::now();
        let (mut network, mut path) = (Network::default(), Path::new(seed, 1));
        let address = SocketAddr::from(([10, 0, 0, 1], 1));
        for n in 0..count {
            let datagram = Datagram { source: address, destination: address, bytes: n.to_be_bytes().to_vec() };
            network.send(start + Duration::from_millis(u64::from(n)), link, &mut path, datagram);
        }
        let mut arrived = Vec::new();
        while let Some(at) = network.next_arrival() {
            let datagram = network.poll(at).expect("it is time");
            let n = u32::from_be_bytes(datagram.bytes.try_into().expect("four bytes"));
            arrived.push((at - start, n));
        }
        arrived
    }

    #[test]
    fn a_clean_link_only_delays() {
        let delay = Duration::from_millis(7);
        let arrived = deliver(1, &Link::clean(delay), 50);
        assert!(arrived.iter().all(|&(at, n)| at == delay + Duration::from_millis(n.into())));
        assert_eq!(arrived.len(), 50);
    }

    #[test]
    fn a_bottleneck_delays_what_waits_and_drops_what_would_wait_too_long() {
        let link =
            Link { bits_per_second: Some(16_000), queue: Duration::from_millis(10), ..Link::clean(Duration::ZERO) };
        // Each of four bytes takes two milliseconds, and one comes each millisecond.
        let arrived = deliver(1, &link, 30);
        assert_eq!(arrived[0], (Duration::from_millis(2), 0));
        assert_eq!(arrived[1], (Duration::from_millis(4), 1));
        assert!((18..25).contains(&arrived.len()), "{}", arrived.len());
    }

    #[test]
    fn the_seed_decides_what_happens() {
        let delay = Duration::from_millis(10);
        let link = Link { loss: 0.1, reorder: 0.1, duplicate: 0.1, jitter: delay, ..Link::clean(delay) };
        let arrived = deliver(3, &link, 1000);
        assert_eq!(arrived, deliver(3, &link, 1000));
        assert_ne!(arrived, deliver(4, &link, 1000));
        let inversions = arrived.windows(2).filter(|pair| pair[0].1 > pair[1].1).count();
        assert!(inversions > 50, "{inversions}");
        let mut numbers: Vec<u32> = arrived.iter().map(|&(_, n)| n).collect();
        numbers.sort_unstable();
        let twice = numbers.windows(2).filter(|pair| pair[0] == pair[1]).count();
        numbers.dedup();
        assert!((850..950).contains(&numbers.len()) && (50..150).contains(&twice), "{} {twice}", numbers.len());
    }
}
