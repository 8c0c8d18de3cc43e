//! What the steps of a packet take, in instructions: callgrind counts them, so a busy machine changes nothing.
//!
//! `script/bench micro` runs this, which runs itself under valgrind, and prints each figure beside the last committed
//! one (docs/bench-micro.json); `--save` writes them. AES and SHA take what the machine's CPU offers to valgrind, so
//! figures of different machines may differ.

mod works;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use works::WORKS;

/// Says to the program that valgrind runs it.
const INSIDE: &str = "--inside";
/// A larger change than this is marked. Random numbers of the clients' libraries change figures by a few per mille.
const NOTABLE_PERCENT: f64 = 2.0;

/// Callgrind counts while this is on the stack, nothing else.
#[inline(never)]
fn count_instructions(work: &mut dyn FnMut()) {
    work();
}

/// Callgrind writes what it has counted when this is called.
#[inline(never)]
fn end_of_work(name: &str) {
    std::hint::black_box(name);
}

type Figures = BTreeMap<String, u64>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [INSIDE] => inside(),
        [] => compare(false),
        ["--save"] => compare(true),
        _ => {
            eprintln!("usage: script/bench micro [--save]");
            ExitCode::FAILURE
        }
    }
}

/// Does all works; says of each how often.
fn inside() -> ExitCode {
    for (name, _, work) in WORKS {
        let times = work();
        end_of_work(name);
        println!("{times}");
    }
    ExitCode::SUCCESS
}

fn compare(save: bool) -> ExitCode {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench-micro.json");
    let figures = match measure() {
        Ok(figures) => figures,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let before: Figures =
        std::fs::read(&file).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    println!("{:14} {:>12} {:>12} {:>8}", "", "instructions", "committed", "change");
    for (name, meaning, _) in WORKS {
        let now = figures[name];
        let Some(&before) = before.get(name).filter(|before| **before > 0) else {
            println!("{name:14} {now:>12} {:>12} {:>8}    {meaning}", "", "");
            continue;
        };
        let percent = 100.0 * (now as f64 - before as f64) / before as f64;
        let mark = if percent.abs() > NOTABLE_PERCENT { "!" } else { " " };
        println!("{name:14} {now:>12} {before:>12} {percent:>+7.1}% {mark}  {meaning}");
    }
    if save {
        let json = serde_json::to_string_pretty(&figures).expect("names and numbers");
        if let Err(error) = std::fs::write(&file, json + "\n") {
            eprintln!("{}: {error}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Instructions per operation of every work.
fn measure() -> Result<Figures, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("callgrind.{}", std::process::id()));
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--tool=callgrind", "--quiet", "--toggle-collect=*micro::count_instructions*"])
        .arg("--dump-before=*micro::end_of_work*")
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .arg(INSIDE)
        .stderr(Stdio::inherit());
    let output = valgrind.output().map_err(|error| format!("valgrind does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("the measured program failed: {}", output.status));
    }
    let times = String::from_utf8_lossy(&output.stdout);
    let mut times = times.lines().filter_map(|line| line.parse::<u64>().ok());
    let mut figures = Figures::new();
    for (at, (name, ..)) in (1..).zip(WORKS) {
        // One dump for each work, numbered from 1.
        let dump = PathBuf::from(format!("{}.{at}", out.display()));
        let counted = std::fs::read_to_string(&dump).map_err(|error| format!("{}: {error}", dump.display()))?;
        let total = counted.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse::<u64>().ok());
        let (Some(total), Some(times)) = (total, times.next().filter(|times| *times > 0)) else {
            return Err(format!("{name} was not measured"));
        };
        figures.insert(name.to_owned(), (total + times / 2) / times);
        let _ = std::fs::remove_file(dump);
    }
    let _ = std::fs::remove_file(out);
    Ok(figures)
}
