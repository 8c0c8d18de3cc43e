//! How many spatial and temporal layers a stream has (W3C WebRTC-SVC).

use std::fmt;
use std::str::FromStr;

/// `L{spatial}T{temporal}`, with `_KEY` when the spatial layers depend on each other at keyframes only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalabilityMode {
    /// Spatial layers, from 1.
    pub spatial: u8,
    /// Temporal layers, from 1.
    pub temporal: u8,
    /// Whether spatial layers depend on each other at keyframes only.
    pub key: bool,
}

/// Why a text is not a mode of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a scalability mode")]
pub struct ParseModeError;

impl FromStr for ScalabilityMode {
    type Err = ParseModeError;

    fn from_str(text: &str) -> Result<Self, ParseModeError> {
        let (layers, key) = match text.strip_suffix("_KEY") {
            Some(layers) => (layers, true),
            None => (text, false),
        };
        let digit = |byte: u8| (b'1'..=b'9').contains(&byte).then(|| byte - b'0');
        let &[b'L', spatial, b'T', temporal] = layers.as_bytes() else { return Err(ParseModeError) };
        match (digit(spatial), digit(temporal)) {
            (Some(spatial), Some(temporal)) => Ok(Self { spatial, temporal, key }),
            _ => Err(ParseModeError),
        }
    }
}

impl fmt::Display for ScalabilityMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}T{}{}", self.spatial, self.temporal, if self.key { "_KEY" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_print_what_they_parse() {
        for mode in ["L1T1", "L1T3", "L3T3_KEY"] {
            assert_eq!(mode.parse::<ScalabilityMode>().expect("a mode").to_string(), mode);
        }
        for bad in ["", "L0T1", "S3T3", "L1T3h", "L10T1", "L1T3_KEY_SHIFT", "l1t1", "L1"] {
            assert_eq!(bad.parse::<ScalabilityMode>(), Err(ParseModeError), "{bad}");
        }
    }
}
