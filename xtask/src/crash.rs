//! The proof under crashes: builds the service and those who use it, and sets them on each other.

use std::process::Command;

use crate::test::{built, cargo, run as run_command};

/// Runs the proof with these arguments.
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    let packages = ["--package", "tidemill", "--package", "tidemill-proof"];
    run_command(Command::new(cargo()).args(["build", "--quiet"]).args(packages))?;
    run_command(Command::new(built("tidemill-proof")?).args(arguments))
}
