//! The values inside header extensions.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::rtcp::NtpTime;

/// How loud a packet is (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioLevel {
    /// Whether the sender believes that somebody speaks.
    pub voice: bool,
    /// In -dBov: 0 the loudest, 127 silence.
    pub level: u8,
}

impl AudioLevel {
    /// Reads the extension's value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let first = *value.first()?;
        Some(Self { voice: first & 0x80 != 0, level: first & 0x7f })
    }

    /// The extension's value.
    pub fn to_bytes(self) -> [u8; 1] {
        [u8::from(self.voice) << 7 | self.level.min(127)]
    }
}

/// The value of abs-send-time in 24 bits: seconds in 6.18 fixed point, so it wraps every 64 s.
///
/// `elapsed` counts from any instant that stays the same for the transport: receivers only use differences.
pub fn abs_send_time(elapsed: Duration) -> u32 {
    let fraction = (u64::from(elapsed.subsec_nanos()) << 18) / 1_000_000_000;
    (elapsed.as_secs() << 18 | fraction) as u32 & 0xff_ffff
}

/// The value of transport-cc, version 1.
pub fn transport_sequence(sequence: u16) -> [u8; 2] {
    sequence.to_be_bytes()
}

/// Reads the value of transport-cc; what version 2 appends to it is ignored.
pub fn parse_transport_sequence(value: &[u8]) -> Option<u16> {
    value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// When the packet's first byte was captured (abs-capture-time).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbsCaptureTime {
    /// In the clock of whoever captured it.
    pub capture: NtpTime,
    /// What to add to that clock to get the sender's, as signed 32.32 fixed point; absent where they are the same.
    pub offset: Option<i64>,
}

impl AbsCaptureTime {
    /// Reads the extension's value of 8 or 16 bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (capture, rest) = value.split_first_chunk()?;
        let offset = rest.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
        Some(Self { capture: NtpTime(u64::from_be_bytes(*capture)), offset })
    }

    /// The extension's value.
    pub fn to_bytes(self) -> ArrayVec<u8, 16> {
        let capture = self.capture.0.to_be_bytes().into_iter();
        capture.chain(self.offset.into_iter().flat_map(i64::to_be_bytes)).collect()
    }
}

/// How the camera is held (3GPP TS 26.114 section 7.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoOrientation {
    /// It is the one on the back.
    pub camera_back: bool,
    /// The picture is mirrored.
    pub flipped: bool,
    /// Clockwise quarter turns that the receiver must make before it shows the picture, 0 to 3.
    pub quarter_turns: u8,
}

impl VideoOrientation {
    /// Reads the extension's value.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let first = *value.first()?;
        Some(Self { camera_back: first & 0x08 != 0, flipped: first & 0x04 != 0, quarter_turns: first & 0x03 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_level_is_a_flag_and_seven_bits() {
        assert_eq!(AudioLevel::parse(&[0xac]), Some(AudioLevel { voice: true, level: 44 }));
        assert_eq!(AudioLevel { voice: false, level: 127 }.to_bytes(), [0x7f]);
        assert_eq!(AudioLevel { voice: true, level: 200 }.to_bytes(), [0xff]);
        assert_eq!(AudioLevel::parse(&[]), None);
    }

    #[test]
    fn abs_send_time_is_fixed_point_and_wraps_at_64_s() {
        assert_eq!(abs_send_time(Duration::ZERO), 0);
        assert_eq!(abs_send_time(Duration::from_millis(1_500)), 0x06_0000);
        assert_eq!(abs_send_time(Duration::from_secs(63) + Duration::from_nanos(999_999_999)), 0xff_ffff);
        assert_eq!(abs_send_time(Duration::from_secs(64)), 0);
        assert_eq!(abs_send_time(Duration::from_secs(65)), abs_send_time(Duration::from_secs(1)));
    }

    #[test]
    fn capture_time_round_trips_with_and_without_offset() {
        for offset in [None, Some(0), Some(-1), Some(i64::MAX)] {
            let value = AbsCaptureTime { capture: NtpTime(0x0123_4567_89ab_cdef), offset };
            assert_eq!(AbsCaptureTime::parse(&value.to_bytes()), Some(value));
        }
        assert_eq!(AbsCaptureTime::parse(&[0; 7]), None);
    }

    #[test]
    fn transport_sequence_round_trips() {
        assert_eq!(parse_transport_sequence(&transport_sequence(0xbeef)), Some(0xbeef));
        assert_eq!(parse_transport_sequence(&[1, 2, 3, 4]), Some(0x0102));
        assert_eq!(parse_transport_sequence(&[1]), None);
    }

    #[test]
    fn orientation_bits() {
        assert_eq!(
            VideoOrientation::parse(&[0x0b]),
            Some(VideoOrientation { camera_back: true, flipped: false, quarter_turns: 3 })
        );
        assert_eq!(VideoOrientation::parse(&[]), None);
    }
}
