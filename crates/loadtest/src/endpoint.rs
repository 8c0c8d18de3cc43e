//! What stands at a socket: a whole client, or a light one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use loadtest::client::{Client, ClientError, Datagram, StreamReport};
use loadtest::light::{LightClient, LightReport};
use protocol::request::ConsumerOptions;

use crate::totals::Totals;

/// A stream of which nothing came for so long has stopped.
const SILENCE: Duration = Duration::from_secs(2);

/// One transport of a participant.
pub(crate) enum Endpoint {
    Full(Box<Client>),
    Light(Box<LightClient>),
}

impl From<Client> for Endpoint {
    fn from(client: Client) -> Self {
        Self::Full(Box::new(client))
    }
}

impl From<LightClient> for Endpoint {
    fn from(client: LightClient) -> Self {
        Self::Light(Box::new(client))
    }
}

impl Endpoint {
    pub(crate) fn consume(&mut self, consumer: &ConsumerOptions) -> Result<(), ClientError> {
        match self {
            Self::Full(client) => client.consume(consumer.kind, &consumer.rtp_parameters).map(|_| ()),
            Self::Light(client) => client.consume(consumer.kind, &consumer.rtp_parameters),
        }
    }

    /// Expects nothing more of a stream, and adds what came of it.
    pub(crate) fn forget(&mut self, ssrc: u32, totals: &mut Totals) {
        match self {
            Self::Full(client) => client.forget(ssrc).iter().for_each(|report| add_verified(report, totals)),
            Self::Light(client) => client.forget(ssrc).iter().for_each(|report| add_counted(report, totals)),
        }
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        match self {
            Self::Full(client) => client.handle_datagram(now, source, datagram),
            Self::Light(client) => client.handle_datagram(now, source, datagram),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Full(client) => client.handle_timeout(now),
            Self::Light(client) => client.handle_timeout(now),
        }
    }

    pub(crate) fn poll_timeout(&mut self) -> Instant {
        match self {
            Self::Full(client) => client.poll_timeout(),
            Self::Light(client) => client.poll_timeout(),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Datagram> {
        match self {
            Self::Full(client) => client.poll_transmit(),
            Self::Light(client) => client.poll_transmit(),
        }
    }

    /// When it has to send media next.
    pub(crate) fn next_capture(&self) -> Option<Instant> {
        match self {
            Self::Full(client) => client.next_capture(),
            Self::Light(_) => None,
        }
    }

    /// Sends the layers of its picture up to this one only.
    pub(crate) fn send_layers(&mut self, highest: u8) {
        if let Self::Full(client) = self {
            client.send_layers(highest);
        }
    }

    /// Captures nothing for a while, or goes on.
    pub(crate) fn set_paused(&mut self, now: Instant, paused: bool) {
        if let Self::Full(client) = self {
            client.set_paused(now, paused);
        }
    }

    pub(crate) fn add_to(&self, now: Instant, totals: &mut Totals) {
        totals.clients += 1;
        let (connected, closed) = match self {
            Self::Full(client) => (client.is_connected(), client.is_closed()),
            Self::Light(client) => (client.is_connected(), client.is_closed()),
        };
        totals.connected += usize::from(connected && !closed);
        let mut presence = |newest_at: Option<Instant>| {
            totals.streams += 1;
            totals.heard += usize::from(newest_at.is_some());
            totals.silent += usize::from(newest_at.is_none_or(|at| at + SILENCE < now));
        };
        match self {
            Self::Full(client) => {
                client.reports().for_each(|(_, report)| presence(report.newest_at));
                client.reports().for_each(|(_, report)| add_verified(report, totals));
                totals.sent += client.packets_sent();
            }
            Self::Light(client) => {
                client.reports().for_each(|report| presence(report.newest_at));
                client.reports().for_each(|report| add_counted(&report, totals));
            }
        }
    }
}

fn add_verified(report: &StreamReport, totals: &mut Totals) {
    totals.packets += report.packets;
    totals.lost += report.lost;
    totals.verified += report.packets;
    if report.repaired {
        totals.repaired += report.packets;
        totals.unrepaired += report.lost;
    }
    totals.faults += report.faults;
    totals.fault = totals.fault.or(report.first_fault);
    totals.latencies.add(&report.latencies);
}

fn add_counted(report: &LightReport, totals: &mut Totals) {
    totals.packets += report.packets;
    totals.lost += report.lost;
}
