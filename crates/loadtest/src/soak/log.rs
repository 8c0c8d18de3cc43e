//! What the server logged at WARN and ERROR, panics included.

/// What says something of the machine, and nothing of what was done.
const EXPLAINED: [&str; 4] = [
    "the system caps UDP socket buffers",
    "media workers cannot be tied to cores",
    "the network device refuses segmentation offload",
    "the limit of open files (ulimit -n) stays as it is",
];

/// The lines that nothing explains.
pub(super) fn unexplained(lines: &[String]) -> impl Iterator<Item = &String> {
    let explained = |line: &str| EXPLAINED.iter().any(|text| line.contains(text));
    lines.iter().filter(move |line| !explained(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_about_the_machine_are_explained() {
        let lines = [
            "2026-11-28T08:00:00Z  WARN sfu_io::socket: the system caps UDP socket buffers, bursts",
            "thread 'media-0' panicked at crates/sfu/src/ring.rs:1:1:",
            "2026-11-28T08:00:00Z ERROR hyperion: a media worker died; its people have to come back",
        ]
        .map(str::to_owned);
        assert_eq!(unexplained(&lines).collect::<Vec<_>>(), [&lines[1], &lines[2]]);
    }
}
