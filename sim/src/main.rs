//! `cargo xtask simulate`: plays seeds, and says what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Parser;
use tidemill_base::Clock;
use tidemill_sim::{Break, Outcome, play};

/// Simulates the engine and its recovery: thousands of seeds, each of them another disk, clock and
/// order of events. The same seed is the same run.
#[derive(Parser)]
#[command(name = "simulate")]
struct Arguments {
    /// How many seeds are played.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Plays this one alone, and tells each step of it.
    #[arg(long)]
    seed: Option<u64>,
    /// So many of the seeds are played twice, and have to come to the same.
    #[arg(long, default_value_t = 20)]
    twice: u64,
    /// Has the disk lie, to see whether that is noticed.
    #[arg(long = "break", value_enum)]
    broken: Option<Break>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return play_one(seed, arguments.broken);
    }
    let clock = Clock::system();
    let (first, last) = (arguments.from, arguments.from.saturating_add(arguments.seeds - 1));
    println!("simulate: seeds {first} to {last}, {} of them twice", arguments.twice);
    let mut totals: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut bad, mut played) = (BTreeSet::new(), 0_u64);
    for seed in first..=last {
        let outcome = watched(seed, arguments.broken, false);
        if seed - first < arguments.twice {
            let again = watched(seed, arguments.broken, false);
            if again.digest != outcome.digest {
                println!("seed {seed} came to {}, then to {}", outcome.digest, again.digest);
                bad.insert(seed);
            }
        }
        for (what, number) in outcome.totals {
            *totals.entry(what).or_default() += number;
        }
        if !outcome.violations.is_empty() {
            tell(seed, &outcome.violations);
            bad.insert(seed);
        }
        played += 1;
        if played.is_multiple_of(500) {
            println!("  {played} seeds after {} s", clock.monotonic().as_secs());
        }
        if bad.len() >= 10 {
            break;
        }
    }
    let totals: Vec<_> = totals.iter().map(|(what, number)| format!("{what} {number}")).collect();
    println!("simulate: {}", totals.join(", "));
    let seconds = clock.monotonic().as_secs_f64();
    println!("simulate: {played} seeds in {seconds:.1} s, {} of them bad", bad.len());
    if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays a seed; should something panic, whoever reads that is told which one it was.
fn watched(seed: u64, broken: Option<Break>, is_loud: bool) -> Outcome {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("seed {seed}: {panic}");
    }));
    let outcome = play(seed, broken, is_loud);
    std::panic::set_hook(usual);
    outcome
}

fn play_one(seed: u64, broken: Option<Break>) -> ExitCode {
    let outcome = watched(seed, broken, true);
    println!("seed {seed} comes to {}", outcome.digest);
    tell(seed, &outcome.violations);
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(seed: u64, violations: &[String]) {
    for violation in violations.iter().take(5) {
        println!("seed {seed}: {violation}");
    }
    if !violations.is_empty() {
        println!("  cargo xtask simulate --seed {seed} plays it again, and tells each step");
    }
}
