//! What people show each other in passing. It is on no log: nobody misses it if it is lost.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Something of a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Signal {
    /// Somebody is writing to the room.
    Typing {},
    /// Somebody shows what they feel.
    Reaction {
        /// 1 to 32 bytes.
        emoji: String,
    },
}

impl Signal {
    /// Longest emoji, in bytes: a family of four, the longest that keyboards have, has 25.
    pub const EMOJI_BYTES_MAX: usize = 32;

    /// Whether its text has a length that is allowed.
    pub fn is_within_bounds(&self) -> bool {
        match self {
            Self::Typing {} => true,
            Self::Reaction { emoji } => (1..=Self::EMOJI_BYTES_MAX).contains(&emoji.len()),
        }
    }
}
