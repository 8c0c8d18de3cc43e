//! `hyperion.sample.toml`, made from the keys and their defaults.

use std::fmt::Write as _;

use super::Config;
use super::keys::KEYS;
use super::load::{lookup, table_of};

const HEAD: &str = "\
# Hyperion's configuration: every key with its default. Copy it to hyperion.toml, or name it with --config.
# Each key is an environment variable too (HYPERION_MEDIA_PORT, HYPERION_LIMITS_GRACE_MS) and a flag (--media-port,
# --limits-grace-ms); a flag wins over the environment, the environment over the file.
# Written by `hyperion sample-config`; do not edit.
";

/// The text of `hyperion.sample.toml`.
pub fn sample() -> String {
    let defaults = table_of(&Config::default());
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        let (table, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
        if table != section {
            section = table;
            let _ = write!(text, "\n[{table}]\n");
        }
        text.push('\n');
        for line in key.doc.lines() {
            let _ = writeln!(text, "# {}", line.trim_start());
        }
        match lookup(&defaults, key.name) {
            Some(value) => {
                let _ = writeln!(text, "# Allowed: {}.\n#{name} = {value}", key.allowed());
            }
            None => {
                let _ = writeln!(text, "# Allowed: {}. Not set.\n#{name} = \"\"", key.allowed());
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_file_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../hyperion.sample.toml");
        let file = std::fs::read_to_string(path).expect("hyperion.sample.toml is in the repository");
        assert_eq!(file, sample(), "write it again: cargo run -p hyperion -- sample-config > hyperion.sample.toml");
    }

    #[test]
    fn the_sample_is_the_defaults_when_uncommented() {
        let text = sample();
        let values: String = text
            .lines()
            .filter(|line| !line.starts_with("# ") && !line.ends_with("= \"\""))
            .map(|line| format!("{}\n", line.trim_start_matches('#')))
            .collect();
        let config: Config = toml::from_str(&values).expect("the sample is valid");
        assert_eq!(config, Config::default());
    }
}
