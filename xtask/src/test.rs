//! Every test there is: the crates' own, a short simulation, a short proof under crashes, then real
//! clients against the real binary.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::program;

/// Where the clients that drive the binary are listed, and the tests that use them.
const BLACKBOX: &str = "tests/blackbox";

/// How many black-box tests run at once: most of their time they wait for what they have started.
const AT_ONCE: &str = "4";

/// Runs all tests; `only` picks black-box tests by a word in their names, and nothing else.
pub(crate) fn run_all(only: Option<&str>) -> anyhow::Result<()> {
    if only.is_none() {
        run(Command::new(cargo()).args(["test", "--workspace"]))?;
        program::simulate(["--seeds", "200"])?;
        program::crash(["--rounds", "10"])?;
    }
    run(Command::new(cargo()).args(["build", "--package", "tidemill"]))?;
    let python = clients()?;
    let mut pytest = Command::new(python);
    pytest.args(["-m", "pytest", BLACKBOX]);
    match only {
        Some(word) => pytest.args(["-k", word]),
        None => pytest.args(["--numprocesses", AT_ONCE, "--dist", "loadgroup"]),
    };
    pytest.env("TIDEMILL_BINARY", built("tidemill")?);
    run(&mut pytest)
}

/// A Python that has those clients that are Python, in a folder of its own under `target`; made
/// when it is missing or the list has changed. The others come when a test first needs them: see
/// `clients.py` beside the tests.
fn clients() -> anyhow::Result<PathBuf> {
    let list = Path::new(BLACKBOX).join("requirements.txt");
    let old_list = Path::new(BLACKBOX).join("requirements-old.txt");
    let read = |list: &Path| fs::read_to_string(list).context("the list of clients");
    let wanted = read(&list)? + &read(&old_list)?;
    let folder = std::path::absolute("target/blackbox-clients")?;
    let python = folder.join("bin/python");
    let installed = folder.join("installed.txt");
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("installing the clients of {} into {}", list.display(), folder.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .context("the black-box tests need Python 3 with its venv module")?;
    let install = |list: &Path, place: &[&OsStr]| {
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        run(pip.args(place).arg("-r").arg(list))
    };
    install(&list, &[])?;
    // Two versions of one package: the old ones stay out of the way, in a folder of their own.
    install(&old_list, &[OsStr::new("--target"), folder.join("old").as_os_str()])?;
    fs::write(&installed, wanted)?;
    Ok(python)
}

/// A program that was built for debugging.
pub(crate) fn built(name: &str) -> anyhow::Result<PathBuf> {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), Into::into);
    Ok(std::path::absolute(target.join("debug").join(name))?)
}

pub(crate) fn cargo() -> PathBuf {
    env::var_os("CARGO").map_or_else(|| "cargo".into(), Into::into)
}

pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    if !status.success() {
        bail!("{program} failed: {status}");
    }
    Ok(())
}
