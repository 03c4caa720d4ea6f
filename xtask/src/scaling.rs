//! The traces of demand: builds what plays them, and has them played.

use std::process::Command;

use crate::test::{built, cargo, run as run_command};

/// Plays the traces with these arguments.
pub(crate) fn run<'a>(arguments: impl IntoIterator<Item = &'a str>) -> anyhow::Result<()> {
    run_command(Command::new(cargo()).args(["build", "--quiet", "--package", "tidemill-demand"]))?;
    run_command(Command::new(built("tidemill-demand")?).args(arguments))
}
