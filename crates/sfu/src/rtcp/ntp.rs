//! NTP time as RTCP uses it (RFC 3550 section 4).

use std::time::Duration;

/// Seconds from 1900, where NTP's first era begins, to 1970.
const UNIX_EPOCH_S: u64 = 2_208_988_800;
const ERA_S: u64 = 1 << 32;

/// Wall-clock time as unsigned 32.32 fixed point seconds since 1900, or since February 2036 from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From time since the Unix epoch.
    pub fn from_unix(since_epoch: Duration) -> Self {
        Self(since_epoch.as_secs().wrapping_add(UNIX_EPOCH_S) << 32 | fraction_from_nanos(since_epoch.subsec_nanos()))
    }

    /// Time since the Unix epoch; what is before 1970 in the first era is taken as of the second, up to 2106.
    pub fn to_unix(self) -> Duration {
        let seconds = self.0 >> 32;
        let seconds = if seconds < UNIX_EPOCH_S { seconds + ERA_S } else { seconds } - UNIX_EPOCH_S;
        // Rounded, so that a conversion there and back gives the same nanosecond.
        let nanos = ((self.0 & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32;
        Duration::from_secs(seconds) + Duration::from_nanos(nanos)
    }

    /// The middle 32 bits: 16.16 seconds, as in a report block's LSR.
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// A duration as unsigned 16.16 seconds, as in a report block's DLSR; what is longer than 18 hours becomes the longest.
pub fn compact_ntp(duration: Duration) -> u32 {
    let units = duration.as_secs().saturating_mul(1 << 16) | fraction_from_nanos(duration.subsec_nanos()) >> 16;
    u32::try_from(units).unwrap_or(u32::MAX)
}

/// The duration that unsigned 16.16 seconds stand for.
pub fn duration_from_compact_ntp(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

fn fraction_from_nanos(nanos: u32) -> u64 {
    (u64::from(nanos) << 32) / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_goes_there_and_back() {
        for (seconds, nanos) in [(0, 0), (0, 1), (1_700_000_000, 999_999_999), (2_085_978_496, 5), (4_000_000_000, 500)]
        {
            let time = Duration::new(seconds, nanos);
            assert_eq!(NtpTime::from_unix(time).to_unix(), time);
        }
    }

    #[test]
    fn known_times() {
        assert_eq!(NtpTime::from_unix(Duration::ZERO).0, 2_208_988_800 << 32);
        // The second era's first second, 2036-02-07 06:28:16 UTC.
        assert_eq!(NtpTime::from_unix(Duration::from_millis(2_085_978_496_500)).0, 1 << 31);
    }

    #[test]
    fn the_middle_bits_are_the_compact_form() {
        // RFC 3550 figure 2: 0xb44d_b705:2000_0000 has the middle b705:2000; DLSR 5.25 s is 0x0005_4000.
        assert_eq!(NtpTime(0xb44d_b705_2000_0000).middle(), 0xb705_2000);
        assert_eq!(compact_ntp(Duration::from_millis(5_250)), 0x0005_4000);
        assert_eq!(duration_from_compact_ntp(0x0005_4000), Duration::from_millis(5_250));
    }

    #[test]
    fn long_durations_saturate() {
        assert_eq!(compact_ntp(Duration::from_secs(65_536)), u32::MAX);
        assert_eq!(compact_ntp(Duration::MAX), u32::MAX);
    }
}
