//! `cargo xtask scaling`: plays the traces of demand, prints how each mind did, and fails where the
//! fast one misses its goals.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tidemill_demand::{Kind, Mind, Oracle, Score, Trace, draw, jobs, play};

/// Plays traces of demand against the minds that scale workers, under a clock of its own: the same
/// seed is the same play. Fails where the fast one misses its goals with boots of two seconds.
#[derive(Parser)]
#[command(name = "scaling")]
struct Arguments {
    /// How many seeds are played; what is printed is the worst of each number.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// The seconds that a launch takes; several, after commas.
    #[arg(long, value_delimiter = ',', default_values_t = [2.0, 30.0, 60.0])]
    boot: Vec<f64>,
    /// Writes a drawing of each trace, with the first seed and the first boot, to this folder.
    #[arg(long, value_name = "FOLDER")]
    plots: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    println!("| trace | boot | mind | late | p99 | cost | peak | turns | decided |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut misses = Vec::new();
    for trace in Trace::ALL {
        for boot in &arguments.boot {
            row(&arguments, trace, *boot, &mut misses)?;
        }
    }
    for miss in &misses {
        println!("missed: {miss}");
    }
    Ok(if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays a trace with each mind and each seed, and prints the worst of it.
fn row(
    arguments: &Arguments,
    trace: Trace,
    boot: f64,
    misses: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut drawn = Vec::new();
    for kind in Kind::ALL {
        let mut worst: Option<Score> = None;
        for seed in arguments.from..arguments.from + arguments.seeds {
            let jobs = jobs(trace, seed);
            let played = play(trace, &jobs, boot, &mut Mind::new(kind), seed);
            let score = Score::of(trace, &played, Oracle::of(&jobs, boot));
            let is_two_seconds = (boot - 2.0).abs() < f64::EPSILON;
            if kind == Kind::Fast && is_two_seconds {
                let name = trace.name();
                misses.extend(
                    score
                        .misses(trace)
                        .into_iter()
                        .map(|miss| format!("{name}, seed {seed}: {miss}")),
                );
            }
            if seed == arguments.from && kind != Kind::AwsTenSeconds {
                drawn.push((kind.name(), played));
            }
            worst = Some(worst.map_or(score.clone(), |worst| worse(worst, score)));
        }
        let score = worst.expect("there is at least one seed");
        print(trace, boot, kind, &score);
    }
    if let (Some(folder), Some(first)) = (&arguments.plots, arguments.boot.first())
        && (boot - first).abs() < f64::EPSILON
    {
        let plays: Vec<_> = drawn.iter().map(|(name, played)| (*name, played)).collect();
        let file = folder.join(format!("{}.svg", trace.name().replace(' ', "-")));
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&file, draw(trace, &plays)))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The worse of each number, of two seeds.
fn worse(a: Score, b: Score) -> Score {
    let (dear, other) = if a.cost_ratio() >= b.cost_ratio() { (a, b) } else { (b, a) };
    let peak = if dear.peak_ratio() >= other.peak_ratio() {
        (dear.peak, dear.oracle.peak)
    } else {
        (other.peak, other.oracle.peak)
    };
    let mut oracle = dear.oracle;
    oracle.peak = peak.1;
    Score {
        late: dear.late.max(other.late),
        p99: dear.p99.max(other.p99),
        cost: dear.cost,
        peak: peak.0,
        turns: dear.turns.max(other.turns),
        decided: dear.decided.into_iter().chain(other.decided).reduce(f64::max),
        oracle,
    }
}

fn print(trace: Trace, boot: f64, kind: Kind, score: &Score) {
    let decided = match score.decided {
        None => "–".to_owned(),
        Some(seconds) if seconds.is_infinite() => "never".to_owned(),
        Some(seconds) => format!("{seconds:.0} s"),
    };
    println!(
        "| {} | {boot} s | {} | {:.1} % | {:.1} s | {:.2} | {} / {} | {} / {} | {decided} |",
        trace.name(),
        kind.name(),
        score.late * 100.0,
        score.p99,
        score.cost_ratio(),
        score.peak,
        score.oracle.peak,
        score.turns,
        trace.changes(),
    );
}
