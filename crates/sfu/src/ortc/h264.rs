//! The profile of an H264 stream, from `profile-level-id` (RFC 6184 8.1).

use protocol::rtp::{CodecSetting, CodecSettings};

/// The profiles that WebRTC endpoints tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
    PredictiveHigh444,
}

/// `profile_idc`, the bits of `profile_iop` that count, their values, and what they mean (RFC 6184 table 5).
const PATTERNS: [(u8, u8, u8, Profile); 9] = [
    (0x42, 0b0100_1111, 0b0100_0000, Profile::ConstrainedBaseline),
    (0x4d, 0b1000_1111, 0b1000_0000, Profile::ConstrainedBaseline),
    (0x58, 0b1100_1111, 0b1100_0000, Profile::ConstrainedBaseline),
    (0x42, 0b0100_1111, 0b0000_0000, Profile::Baseline),
    (0x58, 0b1100_1111, 0b1000_0000, Profile::Baseline),
    (0x4d, 0b1010_1111, 0b0000_0000, Profile::Main),
    (0x64, 0b1111_1111, 0b0000_0000, Profile::High),
    (0x64, 0b1111_1111, 0b0000_1100, Profile::ConstrainedHigh),
    (0xf4, 0b1111_1111, 0b0000_0000, Profile::PredictiveHigh444),
];

/// The profile; none when `profile-level-id` is malformed or of a profile that nobody uses in WebRTC.
pub(super) fn profile(settings: &CodecSettings) -> Option<Profile> {
    let text = match settings.get("profile-level-id") {
        // RFC 6184 says Baseline; libwebrtc and mediasoup say Constrained Baseline, and they are who sends nothing.
        None => return Some(Profile::ConstrainedBaseline),
        Some(CodecSetting::Text(text)) => text.clone(),
        // `640032` looks like a number to whoever parses SDP.
        Some(CodecSetting::Number(number)) => format!("{number:06}"),
    };
    if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let [_, idc, iop, _level] = u32::from_str_radix(&text, 16).ok()?.to_be_bytes();
    let found = PATTERNS.iter().find(|&&(pattern_idc, mask, value, _)| idc == pattern_idc && iop & mask == value)?;
    Some(found.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: CodecSetting) -> Option<Profile> {
        profile(&CodecSettings::from([("profile-level-id".to_owned(), value)]))
    }

    #[test]
    fn profiles_are_those_of_the_rfc() {
        let text = |text: &str| of(CodecSetting::Text(text.to_owned()));
        assert_eq!(text("42e01f"), Some(Profile::ConstrainedBaseline));
        assert_eq!(text("42C02A"), Some(Profile::ConstrainedBaseline));
        assert_eq!(text("42001f"), Some(Profile::Baseline));
        assert_eq!(text("4d001f"), Some(Profile::Main));
        assert_eq!(text("640c1f"), Some(Profile::ConstrainedHigh));
        assert_eq!(text("f4001f"), Some(Profile::PredictiveHigh444));
        assert_eq!(of(CodecSetting::Number(640_032)), Some(Profile::High));
    }

    #[test]
    fn malformed_values_have_no_profile() {
        for bad in ["", "42e0", "42e01f0", "+2e01f", "ünïco", "ffffff"] {
            assert_eq!(of(CodecSetting::Text(bad.to_owned())), None, "{bad}");
        }
        assert_eq!(of(CodecSetting::Number(i64::MIN)), None);
    }
}
