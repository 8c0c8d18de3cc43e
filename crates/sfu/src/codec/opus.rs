//! Opus (RFC 6716, RFC 7587).

/// The longest packet that discontinuous transmission sends: a table of contents and at most one byte more.
const DTX_BYTES_MAX: usize = 2;

/// Whether the payload holds no sound: what an encoder sends in silence with discontinuous transmission.
pub fn is_dtx(payload: &[u8]) -> bool {
    payload.len() <= DTX_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shortest_packets_are_silence() {
        assert!(is_dtx(&[]) && is_dtx(&[0x78]) && is_dtx(&[0x78, 0x00]));
        assert!(!is_dtx(&[0x78, 0xff, 0xfe]));
    }
}
