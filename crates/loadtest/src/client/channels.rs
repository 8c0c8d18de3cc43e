//! Data channels of a transport, negotiated by signalling.

use std::collections::BTreeMap;

use protocol::sctp::SctpStreamParameters;
use str0m::Rtc;
use str0m::channel::{ChannelConfig, ChannelData, ChannelId, Reliability};

/// The channels of one client, by stream.
#[derive(Debug, Default)]
pub(super) struct Channels(BTreeMap<u16, Channel>);

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    open: bool,
    closed: bool,
    received: Vec<Vec<u8>>,
}

impl Channels {
    /// Opens a channel, and the association with the first.
    pub(super) fn open(&mut self, rtc: &mut Rtc, parameters: &SctpStreamParameters) {
        let mut direct = rtc.direct_api();
        if self.0.is_empty() {
            direct.start_sctp(true);
        }
        let reliability = match (parameters.max_packet_life_time, parameters.max_retransmits) {
            (Some(lifetime), _) => Reliability::MaxPacketLifetime { lifetime },
            (None, Some(retransmits)) => Reliability::MaxRetransmits { retransmits },
            (None, None) => Reliability::Reliable,
        };
        let id = direct.create_data_channel(ChannelConfig {
            ordered: parameters.ordered.unwrap_or(true),
            reliability,
            negotiated: Some(parameters.stream_id),
            ..ChannelConfig::default()
        });
        self.0.insert(parameters.stream_id, Channel { id, open: false, closed: false, received: Vec::new() });
    }

    pub(super) fn close(&self, rtc: &mut Rtc, stream: u16) {
        if let Some(channel) = self.0.get(&stream) {
            rtc.direct_api().close_data_channel(channel.id);
        }
    }

    pub(super) fn send(&self, rtc: &mut Rtc, stream: u16, message: &[u8]) -> bool {
        let channel = self.0.get(&stream).and_then(|channel| rtc.channel(channel.id));
        channel.is_some_and(|mut channel| channel.write(true, message).unwrap_or(false))
    }

    pub(super) fn is_open(&self, stream: u16) -> bool {
        self.0.get(&stream).is_some_and(|channel| channel.open && !channel.closed)
    }

    pub(super) fn received(&self, stream: u16) -> &[Vec<u8>] {
        self.0.get(&stream).map_or(&[], |channel| &channel.received)
    }

    pub(super) fn on_open(&mut self, id: ChannelId) {
        self.by_id(id).for_each(|channel| channel.open = true);
    }

    pub(super) fn on_close(&mut self, id: ChannelId) {
        self.by_id(id).for_each(|channel| channel.closed = true);
    }

    pub(super) fn on_data(&mut self, data: ChannelData) {
        if let Some(channel) = self.by_id(data.id).next() {
            channel.received.push(data.data);
        }
    }

    fn by_id(&mut self, id: ChannelId) -> impl Iterator<Item = &mut Channel> {
        self.0.values_mut().filter(move |channel| channel.id == id)
    }
}
