//! Programs of the project that put it to the proof: each is built, and then run.

use std::process::Command;

use crate::test::{built, cargo, run};

/// Kills the service while clients use it: builds the service and those who use it, and sets them
/// on each other.
pub(crate) fn crash<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    build_and_run(&["tidemill", "tidemill-proof"], "tidemill-proof", arguments)
}

/// Has the simulation play seeds.
pub(crate) fn simulate<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    build_and_run(&["tidemill-sim"], "tidemill-sim", arguments)
}

/// Has the traces of demand played.
pub(crate) fn scaling<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    build_and_run(&["tidemill-demand"], "tidemill-demand", arguments)
}

fn build_and_run<'a>(
    packages: &[&str],
    program: &str,
    arguments: impl IntoIterator<Item = &'a str>,
) -> anyhow::Result<()> {
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    run(Command::new(cargo()).args(["build", "--quiet"]).args(packages))?;
    run(Command::new(built(program)?).args(arguments))
}
