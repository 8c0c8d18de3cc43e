//! Keeps from the library what could end or block a handshake although nobody vouches for it.
//!
//! Until both sides encrypt, whoever can send from the client's address can write handshake records. The library gives
//! up at the first plaintext alert, and hands out a certificate of any length at once.

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER_BYTES: usize = 13;
const MESSAGE_HEADER_BYTES: usize = 12;
/// Longer than any handshake message that a browser sends, certificates included.
pub const MESSAGE_BYTES_MAX: usize = 8192;

/// The random of a ClientHello: which handshake a datagram begins.
pub(super) type HelloRandom = [u8; 32];

/// What a datagram may do to a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing: it is broken or harmful.
    Drop,
    /// It begins one.
    Begin(HelloRandom),
    /// It goes on with one.
    Continue,
}

/// Looks at every plaintext record of a datagram (RFC 6347 4.1, 4.2.2).
pub(super) fn inspect(datagram: &[u8]) -> Verdict {
    walk_records(datagram).unwrap_or(Verdict::Drop)
}

fn walk_records(mut datagram: &[u8]) -> Option<Verdict> {
    let mut verdict = Verdict::Continue;
    while !datagram.is_empty() {
        let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER_BYTES>()?;
        let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([header[11], header[12]])))?;
        let plaintext = header[3..5] == [0, 0];
        match header[0] {
            // Nobody vouches for it. Who really fails stops answering, and that is noticed too.
            ALERT if plaintext => return None,
            HANDSHAKE if plaintext => {
                if let Some(random) = walk_messages(body)? {
                    verdict = Verdict::Begin(random);
                }
            }
            _ => {}
        }
        datagram = rest;
    }
    Some(verdict)
}

fn walk_messages(mut record: &[u8]) -> Option<Option<HelloRandom>> {
    let mut random = None;
    while !record.is_empty() {
        let (header, rest) = record.split_first_chunk::<MESSAGE_HEADER_BYTES>()?;
        let length =
            |at: usize| usize::from(header[at]) << 16 | usize::from(header[at + 1]) << 8 | usize::from(header[at + 2]);
        let (message_bytes, fragment_offset, fragment_bytes) = (length(1), length(6), length(9));
        let (fragment, rest) = rest.split_at_checked(fragment_bytes)?;
        if message_bytes > MESSAGE_BYTES_MAX {
            return None;
        }
        if header[0] == CLIENT_HELLO {
            // We ask for no cookie, so there is no second ClientHello.
            if header[4..6] != [0, 0] {
                return None;
            }
            if fragment_offset == 0 {
                // Behind the version.
                random = Some(*fragment.get(2..)?.first_chunk()?);
            }
        }
        record = rest;
    }
    Some(random)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngCore, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{ALERT, CLIENT_HELLO, HANDSHAKE, Verdict, inspect};

    fn record(kind: u8, epoch: u8, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 0];
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    fn message(kind: u8, length: u32, sequence: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind];
        message.extend(&length.to_be_bytes()[1..]);
        message.extend([0, sequence, 0, 0, 0]);
        message.extend(&(body.len() as u32).to_be_bytes()[1..]);
        message.extend(body);
        message
    }

    #[test]
    fn a_client_hello_begins_and_other_messages_continue() {
        let hello = record(HANDSHAKE, 0, &message(CLIENT_HELLO, 40, 0, &[7; 40]));
        assert_eq!(inspect(&hello), Verdict::Begin([7; 32]));
        let certificate = record(HANDSHAKE, 0, &message(11, 40, 1, &[7; 40]));
        assert_eq!(inspect(&certificate), Verdict::Continue);
        assert_eq!(
            inspect(&[&certificate[..], &record(20, 0, &[1]), &record(22, 1, &[9; 40])].concat()),
            Verdict::Continue
        );
    }

    #[test]
    fn plaintext_alerts_are_dropped_wherever_they_stand() {
        let alert = record(ALERT, 0, &[2, 40]);
        assert_eq!(inspect(&alert), Verdict::Drop);
        assert_eq!(inspect(&[&record(20, 0, &[1])[..], &alert].concat()), Verdict::Drop);
        assert_eq!(inspect(&record(ALERT, 1, &[9; 26])), Verdict::Continue);
    }

    #[test]
    fn endless_messages_and_second_hellos_are_dropped() {
        assert_eq!(inspect(&record(HANDSHAKE, 0, &message(11, 8193, 1, &[0; 40]))), Verdict::Drop);
        assert_eq!(inspect(&record(HANDSHAKE, 0, &message(CLIENT_HELLO, 40, 1, &[0; 40]))), Verdict::Drop);
        let two = [message(11, 40, 1, &[0; 40]), message(16, 9000, 2, &[0; 40])].concat();
        assert_eq!(inspect(&record(HANDSHAKE, 0, &two)), Verdict::Drop);
    }

    #[test]
    fn broken_lengths_are_dropped() {
        let hello = record(HANDSHAKE, 0, &message(CLIENT_HELLO, 40, 0, &[7; 40]));
        for length in 1..hello.len() {
            assert_eq!(inspect(&hello[..length]), Verdict::Drop, "{length} bytes");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..50_000 {
            let mut datagram = vec![0; rng.random_range(0..100)];
            rng.fill_bytes(&mut datagram);
            let _ = inspect(&datagram);
            let mut mutated = hello.clone();
            let at = rng.random_range(0..mutated.len());
            mutated[at] = rng.random();
            let _ = inspect(&mutated);
        }
    }
}
