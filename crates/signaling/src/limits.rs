//! Token buckets, and what is counted per client address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use protocol::limits::Limits;

use crate::SignalingMetrics;

/// Addresses whose rates are remembered, in each of two generations.
const ADDRESSES_MAX: usize = 1 << 15;

/// A wait that is long enough to mean "not with this configuration".
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Lets `rate` things per second pass on average, and `burst` at once.
#[derive(Debug, Clone)]
pub struct TokenBucket {
    rate: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full one.
    pub fn new(now: Instant, rate: u32, burst: u32) -> Self {
        Self { rate: rate.into(), burst: burst.into(), tokens: burst.into(), filled: now }
    }

    /// Takes one token, or says how long until there is one.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.rate).min(self.burst);
        self.filled = self.filled.max(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let seconds = (1.0 - self.tokens) / self.rate;
        Err(Duration::try_from_secs_f64(seconds).unwrap_or(WAIT_MAX).min(WAIT_MAX))
    }
}

/// Whom limits count as one: an IPv4 address, or the /64 that one IPv6 subscriber usually has to himself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// The peer of the connection that a request came in on. Without `ConnectInfo` everybody is one client.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        Self::from(peer.map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip()))
    }

    pub(crate) fn ip(self) -> IpAddr {
        self.0
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 => v4,
        })
    }
}

#[derive(Debug)]
struct Rates {
    joins: TokenBucket,
    connects: TokenBucket,
}

#[derive(Debug, Default)]
struct Addresses {
    recent: HashMap<ClientAddress, Rates>,
    /// The generation before; dropped when `recent` is full, so that memory is bounded and eviction costs nothing.
    older: HashMap<ClientAddress, Rates>,
    /// Only addresses with open sockets.
    sockets: HashMap<ClientAddress, usize>,
}

/// The limits per client address.
#[derive(Debug)]
pub(crate) struct AddressLimits {
    rate: u32,
    sockets_max: usize,
    addresses: Mutex<Addresses>,
    metrics: Arc<SignalingMetrics>,
}

impl AddressLimits {
    pub(crate) fn new(limits: &Limits, metrics: Arc<SignalingMetrics>) -> Self {
        Self {
            rate: limits.joins_per_second_per_address,
            sockets_max: limits.sockets_per_address_max,
            addresses: Mutex::default(),
            metrics,
        }
    }

    /// May this address call join? If not, after how long.
    pub(crate) fn take_join(&self, now: Instant, address: ClientAddress) -> Result<(), Duration> {
        self.with_rates(now, address, |rates| rates.joins.take(now))
            .inspect_err(|_| self.metrics.refused_join_rate_total.add())
    }

    /// May this address open a socket? If not, after how long.
    pub(crate) fn take_connect(&self, now: Instant, address: ClientAddress) -> Result<(), Duration> {
        self.with_rates(now, address, |rates| rates.connects.take(now))
            .inspect_err(|_| self.metrics.refused_connect_rate_total.add())
    }

    /// Counts a socket for as long as the result lives.
    pub(crate) fn open_socket(self: &Arc<Self>, address: ClientAddress) -> SocketCount {
        let mut addresses = self.lock();
        let open = addresses.sockets.entry(address).or_default();
        *open += 1;
        let over = *open > self.sockets_max;
        drop(addresses);
        self.metrics.sockets_total.add();
        self.metrics.sockets_open.add();
        SocketCount { limits: Arc::clone(self), address, over }
    }

    fn with_rates<T>(&self, now: Instant, address: ClientAddress, then: impl FnOnce(&mut Rates) -> T) -> T {
        let mut addresses = self.lock();
        let Addresses { recent, older, .. } = &mut *addresses;
        if !recent.contains_key(&address) && recent.len() >= ADDRESSES_MAX {
            if !older.is_empty() {
                self.metrics.forgotten_addresses_total.add();
            }
            *older = std::mem::take(recent);
        }
        let rates = recent.entry(address).or_insert_with(|| {
            let bucket = || TokenBucket::new(now, self.rate, self.rate.saturating_mul(10));
            older.remove(&address).unwrap_or_else(|| Rates { joins: bucket(), connects: bucket() })
        });
        then(rates)
    }

    fn lock(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open socket of an address.
#[derive(Debug)]
pub(crate) struct SocketCount {
    limits: Arc<AddressLimits>,
    address: ClientAddress,
    /// The address has more than it may.
    pub(crate) over: bool,
}

impl Drop for SocketCount {
    fn drop(&mut self) {
        self.limits.metrics.sockets_open.sub();
        let mut addresses = self.limits.lock();
        if let Some(open) = addresses.sockets.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                addresses.sockets.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rate: u32, sockets_max: usize) -> Arc<AddressLimits> {
        let limits =
            Limits { joins_per_second_per_address: rate, sockets_per_address_max: sockets_max, ..Limits::default() };
        Arc::new(AddressLimits::new(&limits, Arc::default()))
    }

    fn address(text: &str) -> ClientAddress {
        ClientAddress::from(text.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let now = Instant::now();
        let mut bucket = TokenBucket::new(now, 2, 3);
        assert_eq!((0..10).filter(|_| bucket.take(now).is_ok()).count(), 3);
        assert_eq!(bucket.take(now), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(now + Duration::from_millis(500)), Ok(()));
        let later = now + Duration::from_secs(60);
        assert_eq!((0..10).filter(|_| bucket.take(later).is_ok()).count(), 3);
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_pass() {
        let now = Instant::now();
        assert_eq!(TokenBucket::new(now, 0, 0).take(now + Duration::from_secs(9)), Err(WAIT_MAX));
    }

    #[test]
    fn addresses_do_not_share_a_rate_but_an_ipv6_network_does() {
        let (limits, now) = (limits(1, 9), Instant::now());
        for _ in 0..10 {
            assert!(limits.take_join(now, address("2001:db8::1")).is_ok());
        }
        assert!(limits.take_join(now, address("2001:db8::2")).is_err());
        assert!(limits.take_join(now, address("2001:db8:0:1::1")).is_ok());
        assert!(limits.take_connect(now, address("2001:db8::1")).is_ok());
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }

    #[test]
    fn sockets_count_while_they_live() {
        let limits = limits(1, 1);
        let first = limits.open_socket(address("192.0.2.1"));
        assert!(!first.over);
        assert!(limits.open_socket(address("192.0.2.1")).over);
        assert!(!limits.open_socket(address("192.0.2.2")).over);
        drop(first);
        assert!(!limits.open_socket(address("192.0.2.1")).over);
        assert!(limits.lock().sockets.is_empty());
    }

    #[test]
    fn many_addresses_take_bounded_memory_and_recent_ones_stay_limited() {
        let (limits, now) = (limits(1, 1), Instant::now());
        let busy = address("192.0.2.1");
        while limits.take_join(now, busy).is_ok() {}
        for i in 0..4 * ADDRESSES_MAX as u128 {
            let _ = limits.take_join(now, ClientAddress::from(IpAddr::V6(Ipv6Addr::from_bits(i << 64))));
            if i % 1000 == 0 {
                assert!(limits.take_join(now, busy).is_err());
            }
        }
        let addresses = limits.lock();
        assert!(addresses.recent.len() + addresses.older.len() <= 2 * ADDRESSES_MAX);
    }
}
