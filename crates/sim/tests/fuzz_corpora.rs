//! Every committed input of every fuzz target, once.

use std::fs;
use std::path::{Path, PathBuf};

use sim::fuzz::TARGETS;

/// A corpus stays small: it is read by people and by every test run.
const FILES_MAX: usize = 30;
const FILE_BYTES_MAX: usize = 2048;

#[test]
fn nothing_in_a_corpus_fails() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!((1..=FILES_MAX).contains(&inputs.len()), "{name} has {} inputs", inputs.len());
        for path in inputs {
            let input = fs::read(&path).expect("a readable file");
            assert!(input.len() <= FILE_BYTES_MAX, "{} has {} bytes", path.display(), input.len());
            let _named = Named(&path);
            target(&input);
        }
    }
}

#[test]
fn every_target_has_its_binary() {
    for (name, _) in TARGETS {
        let source = fuzz_folder().join(format!("fuzz_targets/{name}.rs"));
        let source = fs::read_to_string(source).expect("a fuzz target");
        assert!(source.contains(&format!("sim::fuzz::{name}(data)")), "{name}");
    }
}

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn corpus(name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(fuzz_folder().join("corpus").join(name)).expect("a corpus");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Says which input it was.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with {}", self.0.display());
        }
    }
}
