//! The header extensions that a router knows, and which id each has on one connection.

/// The highest id that fits the one-byte form (RFC 8285 section 4.2).
pub const ONE_BYTE_ID_MAX: u8 = 14;

/// A header extension that a router knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extension {
    /// The media section (RFC 9143).
    Mid,
    /// The stream within its media section (RFC 8852).
    Rid,
    /// On a retransmission, the stream that it repairs (RFC 8852).
    RepairedRid,
    /// When the packet left its sender, 24 bits.
    AbsSendTime,
    /// The sequence number over all of a transport (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportCc,
    /// How loud the packet is (RFC 6464).
    AudioLevel,
    /// Frame dependencies (AV1 RTP specification, appendix A).
    DependencyDescriptor,
    /// How the camera is held (3GPP TS 26.114 section 7.4.5).
    VideoOrientation,
    /// Time from capture to sending (RFC 5450).
    TransmissionOffset,
    /// When the first byte was captured.
    AbsCaptureTime,
    /// How long the receiver should wait before it plays.
    PlayoutDelay,
}

/// All of them, in the order of their router ids.
pub const EXTENSIONS: [Extension; 11] = [
    Extension::Mid,
    Extension::Rid,
    Extension::RepairedRid,
    Extension::AbsSendTime,
    Extension::TransportCc,
    Extension::AudioLevel,
    Extension::DependencyDescriptor,
    Extension::VideoOrientation,
    Extension::TransmissionOffset,
    Extension::AbsCaptureTime,
    Extension::PlayoutDelay,
];

impl Extension {
    /// The extension of this name, which is compared exactly.
    pub fn from_uri(uri: &str) -> Option<Self> {
        EXTENSIONS.into_iter().find(|extension| extension.uri() == uri)
    }

    /// Its name in SDP and in RTP parameters.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportCc => "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::TransmissionOffset => "urn:ietf:params:rtp-hdrext:toffset",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        }
    }

    /// Whether it belongs to one way, or names the stream on it, so that it is not passed on.
    pub const fn is_of_one_way(self) -> bool {
        matches!(self, Self::Mid | Self::Rid | Self::RepairedRid | Self::AbsSendTime | Self::TransportCc)
    }

    /// The id that every router's capabilities prefer for it, as mediasoup's do.
    pub const fn router_id(self) -> u8 {
        self as u8 + 1
    }
}

/// Which id each extension has for one producer or consumer, both ways in constant time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtensionMap {
    extensions: [Option<Extension>; ONE_BYTE_ID_MAX as usize + 1],
    ids: [u8; EXTENSIONS.len()],
}

impl ExtensionMap {
    /// Adds one. Ids other than 1 to 14 are ignored, as are an id and an extension that are there already.
    pub fn insert(&mut self, id: u8, extension: Extension) {
        let known = self.ids[extension as usize] != 0;
        if let Some(slot) = self.extensions.get_mut(usize::from(id))
            && slot.is_none()
            && id != 0
            && !known
        {
            *slot = Some(extension);
            self.ids[extension as usize] = id;
        }
    }

    /// What an element of this id is.
    pub fn extension(&self, id: u8) -> Option<Extension> {
        *self.extensions.get(usize::from(id))?
    }

    /// The id of an extension, if it is in use.
    pub fn id(&self, extension: Extension) -> Option<u8> {
        Some(self.ids[extension as usize]).filter(|id| *id != 0)
    }
}

impl FromIterator<(u8, Extension)> for ExtensionMap {
    fn from_iter<T: IntoIterator<Item = (u8, Extension)>>(pairs: T) -> Self {
        let mut map = Self::default();
        for (id, extension) in pairs {
            map.insert(id, extension);
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn router_ids_count_from_one_in_order() {
        assert!(EXTENSIONS.iter().map(|extension| extension.router_id()).eq(1..=11));
        assert_eq!(Extension::TransportCc.router_id(), 5);
    }

    #[test]
    fn every_uri_names_its_extension() {
        for extension in EXTENSIONS {
            assert_eq!(Extension::from_uri(extension.uri()), Some(extension));
        }
        assert_eq!(Extension::from_uri("urn:ietf:params:rtp-hdrext:sdes:MID"), None);
    }

    #[test]
    fn a_map_finds_both_ways() {
        let map: ExtensionMap = [(9, Extension::Mid), (3, Extension::TransportCc)].into_iter().collect();
        assert_eq!(map.extension(9), Some(Extension::Mid));
        assert_eq!(map.id(Extension::TransportCc), Some(3));
        assert_eq!(map.extension(1), None);
        assert_eq!(map.extension(255), None);
        assert_eq!(map.id(Extension::Rid), None);
    }

    #[test]
    fn a_map_takes_the_first_and_ignores_what_does_not_fit() {
        let mut map = ExtensionMap::default();
        map.insert(0, Extension::Mid);
        map.insert(15, Extension::Mid);
        map.insert(255, Extension::Mid);
        assert_eq!(map, ExtensionMap::default());
        map.insert(1, Extension::Mid);
        map.insert(1, Extension::Rid);
        map.insert(2, Extension::Mid);
        assert_eq!((map.extension(1), map.extension(2)), (Some(Extension::Mid), None));
        assert_eq!((map.id(Extension::Mid), map.id(Extension::Rid)), (Some(1), None));
    }
}
