//! The simulation: builds it, and has it play seeds.

use std::process::Command;

use crate::test::{built, cargo, run as run_command};

/// Runs the simulation with these arguments.
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    run_command(Command::new(cargo()).args(["build", "--quiet", "--package", "tidemill-sim"]))?;
    run_command(Command::new(built("tidemill-sim")?).args(arguments))
}
