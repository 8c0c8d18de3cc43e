//! The first frame of both sides: who they are.

use bytes::Bytes;
use protocol::{Incarnation, NodeId};
use serde::{Deserialize, Serialize};

use super::close::Close;

/// The version of what goes over the link, hello and frames. Nodes of two versions are not linked.
pub(super) const PROTOCOL: u32 = 1;
/// Largest hello, in bytes: ten times what one has.
pub(super) const HELLO_BYTES_MAX: usize = 1024;

/// Who speaks. JSON, so that later versions can say more.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) node: NodeId,
    pub(super) life: Incarnation,
}

/// What a hello of any version has.
#[derive(Deserialize)]
struct Version {
    protocol: u32,
}

pub(super) fn encode(node: &NodeId, life: Incarnation) -> Bytes {
    let hello = Hello { protocol: PROTOCOL, node: node.clone(), life };
    serde_json::to_vec(&hello).expect("a hello is plain data").into()
}

/// Reads a hello. Who it is from must be another life than `own`, and `expected` if one was dialed.
pub(super) fn decode(bytes: &[u8], own: Incarnation, expected: Option<Incarnation>) -> Result<Hello, Close> {
    let Version { protocol } = serde_json::from_slice(bytes).map_err(|_| Close::NoHello)?;
    if protocol != PROTOCOL {
        return Err(Close::Version);
    }
    let hello: Hello = serde_json::from_slice(bytes).map_err(|_| Close::NoHello)?;
    if hello.life == own {
        Err(Close::OwnLife)
    } else if expected.is_some_and(|expected| expected != hello.life) {
        Err(Close::OtherLife)
    } else {
        Ok(hello)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    const LIFE: Incarnation = Incarnation(7);
    const OWN: Incarnation = Incarnation(8);

    #[test]
    fn a_hello_says_who_speaks() {
        let bytes = encode(&"node-1".parse().expect("a name"), LIFE);
        let hello = decode(&bytes, OWN, Some(LIFE)).expect("a hello");
        assert_eq!((hello.node.as_str(), hello.life), ("node-1", LIFE));
        let largest = encode(&"n".repeat(32).parse().expect("a name"), Incarnation(u128::MAX));
        assert!(largest.len() < HELLO_BYTES_MAX, "{}", largest.len());
    }

    #[test]
    fn other_versions_are_told_apart_whatever_else_they_say() {
        assert_eq!(decode(br#"{"protocol":2}"#, OWN, None).err(), Some(Close::Version));
        assert_eq!(decode(br#"{"protocol":2,"node":["a"],"more":{}}"#, OWN, None).err(), Some(Close::Version));
        let later = r#"{"protocol":1,"node":"a","life":"00000000000000000000000000000007","more":1}"#;
        assert!(decode(later.as_bytes(), OWN, None).is_ok(), "unknown fields are left out");
    }

    #[test]
    fn this_life_and_unexpected_ones_are_refused() {
        let bytes = encode(&"node-1".parse().expect("a name"), LIFE);
        assert_eq!(decode(&bytes, LIFE, None).err(), Some(Close::OwnLife));
        assert_eq!(decode(&bytes, OWN, Some(Incarnation(9))).err(), Some(Close::OtherLife));
    }

    #[test]
    fn what_is_no_hello_is_refused() {
        let mut random = rand::rngs::StdRng::seed_from_u64(1);
        let hello = encode(&"node-1".parse().expect("a name"), LIFE);
        for _ in 0..10_000 {
            let mut bytes = hello.to_vec();
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= random.random_range(1..=u8::MAX);
            bytes.truncate(random.random_range(0..=bytes.len()));
            // Some are a hello of another name or life.
            let _ = decode(&bytes, OWN, None);
        }
        for bytes in [&b""[..], b"{}", b"null", &[0xff; 32], br#"{"protocol":1}"#, br#"{"protocol":-1}"#] {
            assert_eq!(decode(bytes, OWN, None).err(), Some(Close::NoHello));
        }
    }
}
