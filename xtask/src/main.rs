//! The project's own chores, as `cargo xtask COMMAND`: what a build does not need every day.

mod botocore;
mod choices;
mod models;
mod program;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "xtask", about = "The project's own chores")]
enum Command {
    /// Writes models/*.model, the AWS APIs as data, from an installed botocore.
    Models {
        /// The folder of the installed `botocore` package (the one that holds `data/`).
        #[arg(long)]
        botocore: PathBuf,
        /// An older botocore, for the Query names and codes that newer models have lost.
        #[arg(long)]
        query_names_from: Option<PathBuf>,
        /// Where the models go.
        #[arg(long, default_value = "models")]
        out: PathBuf,
    },
    /// Runs every test: the crates' own, then AWS's clients against the real binary.
    Test {
        /// Only the black-box tests with this word in their names.
        #[arg(long, value_name = "WORD")]
        only: Option<String>,
    },
    /// Kills the service while clients use it, again and again, and holds it to what it had
    /// acknowledged; `cargo xtask crash --help` tells the arguments.
    #[command(disable_help_flag = true)]
    Crash {
        /// What the proof is told, such as `--rounds 200 --seed 7`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plays traces of demand against the minds that scale workers, and holds the fast one to its
    /// goals; `cargo xtask scaling --help` tells the arguments.
    #[command(disable_help_flag = true)]
    Scaling {
        /// What the plays are told, such as `--seeds 5` or `--plots docs/scaling`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plays the engine and its recovery on a simulated disk and clock, seed after seed;
    /// `cargo xtask simulate --help` tells the arguments.
    #[command(disable_help_flag = true)]
    Simulate {
        /// What the simulation is told, such as `--seeds 1000` or `--seed 42`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Models { botocore, query_names_from, out } => {
            models::write_all(&botocore, query_names_from.as_deref(), &out)
        }
        Command::Test { only } => test::run_all(only.as_deref()),
        Command::Crash { arguments } => program::crash(arguments.iter().map(String::as_str)),
        Command::Simulate { arguments } => program::simulate(arguments.iter().map(String::as_str)),
        Command::Scaling { arguments } => program::scaling(arguments.iter().map(String::as_str)),
    }
}
