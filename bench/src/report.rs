//! What a run is told with: on what machine, by what build, beside what else; each target with
//! what was measured; and a file of all that, for whoever compares runs later.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use time::macros::format_description;

/// What is sent, and to what disk.
#[derive(clap::Args, Clone, Debug)]
pub struct Written {
    /// Bytes of a message's body
    #[arg(long, default_value_t = 1024)]
    pub size: usize,
    /// When answers may leave: durable or written
    #[arg(long, default_value = "durable")]
    pub sync: String,
    /// Folder to make the data folder in; its disk is the one that is measured
    #[arg(long, default_value = ".")]
    pub on: PathBuf,
}

/// Where a run's results go, and when it fails.
#[derive(clap::Args, Clone, Debug)]
pub struct Kept {
    /// Write the results to this file, as JSON: those worth keeping are in bench/results
    #[arg(long = "keep", value_name = "KEEP")]
    pub to: Option<PathBuf>,
    /// What to know of this run, kept with its results: what else the machine was doing
    #[arg(long, default_value = "")]
    pub note: String,
    /// Fail if a target is missed by more than this factor
    #[arg(long, default_value_t = 1.0)]
    pub missed_by: f64,
}

/// What a target allows.
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    /// This much or less.
    AtMost(f64),
    /// This much or more.
    AtLeast(f64),
}

impl Allowed {
    /// By what factor a target is missed; 1 or less if it is met.
    fn missed_by(self, measured: f64) -> f64 {
        match self {
            Self::AtMost(most) => measured / most,
            Self::AtLeast(least) => least / measured,
        }
    }
}

/// A run's results, as they come.
pub struct Report {
    name: &'static str,
    kept: Kept,
    about: Value,
    lines: Vec<String>,
    targets: Vec<Value>,
    missed: Vec<String>,
}

impl Report {
    /// Begins, and says on what is measured. `folder` is on the disk that is measured; `sync` is
    /// the sync mode; `load` is what the machine is given to do.
    pub fn begin(name: &'static str, kept: &Kept, folder: &Path, sync: &str, load: &str) -> Self {
        let about = json!({
            "benchmark": name,
            "date": date(),
            "commit": commit(),
            "machine": {
                "cores": std::thread::available_parallelism().map_or(0, usize::from),
                "processor": processor(),
                "filesystem": filesystem(folder),
            },
            "sync": sync,
            "load": load,
            "load average before": load_average(),
            "note": kept.note,
        });
        let (lines, targets, missed) = (Vec::new(), Vec::new(), Vec::new());
        let mut report = Self { name, kept: kept.clone(), about, lines, targets, missed };
        let machine = &report.about["machine"];
        report.line(&format!(
            "{} cores of {}, {}; sync {sync}; {load}; load average {}",
            machine["cores"],
            text(&machine["processor"]),
            text(&machine["filesystem"]),
            text(&report.about["load average before"]),
        ));
        report
    }

    /// A line of the table that people read.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.lines.push(line.trim_end().to_owned());
    }

    /// A promise, and what became of it.
    pub fn target(&mut self, what: &str, measured: f64, allowed: Allowed) {
        let missed_by = allowed.missed_by(measured);
        let (word, bound) = match allowed {
            Allowed::AtMost(most) => ("at most", most),
            Allowed::AtLeast(least) => ("at least", least),
        };
        // What is not a number, where nothing was measured, is no less than anything: a miss.
        let (met, is_near) = (missed_by <= 1.0, missed_by <= self.kept.missed_by);
        let verdict = if met { "met" } else { "MISSED" };
        self.line(&format!("{verdict:<7} {what}: {measured:.2}, {word} {bound}"));
        if !met && !is_near {
            self.missed.push(format!("{what}: {measured:.2} instead of {word} {bound}"));
        }
        self.targets.push(json!({
            "target": what, word: bound, "measured": measured, "met": met,
        }));
    }

    /// Keeps the results, if that is asked for.
    ///
    /// # Errors
    /// If a target was missed by more than is allowed: the results are kept first.
    pub fn end(mut self) -> anyhow::Result<()> {
        self.about["load average after"] = load_average().into();
        self.about["targets"] = self.targets.into();
        self.about["lines"] = self.lines.into();
        if let Some(path) = &self.kept.to {
            let text = format!("{:#}\n", self.about);
            std::fs::write(path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        ensure!(self.missed.is_empty(), "{}: missed: {}", self.name, self.missed.join("; "));
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Today, and the time, in UTC.
#[expect(clippy::disallowed_methods, reason = "a result that is kept says when it was measured")]
fn date() -> String {
    let now = time::OffsetDateTime::from(std::time::SystemTime::now());
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]Z");
    now.format(format).unwrap_or_default()
}

/// The commit of the sources in the current folder, and whether they were changed since.
fn commit() -> String {
    let mut git = std::process::Command::new("git");
    let told = git.args(["describe", "--always", "--dirty", "--abbrev=10"]).output();
    let told = told.ok().filter(|told| told.status.success());
    told.map_or_else(
        || "unknown".to_owned(),
        |told| String::from_utf8_lossy(&told.stdout).trim().to_owned(),
    )
}

fn processor() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("an unknown processor", |(_, name)| name).to_owned()
}

/// The file system that a folder is on, and its device: the longest mount that the folder is in.
fn filesystem(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        folder.starts_with(at).then(|| (at.len(), format!("{kind} on {device}")))
    };
    let longest = mounts.lines().filter_map(mount).max_by_key(|(length, _)| *length);
    longest.map_or_else(|| "an unknown file system".to_owned(), |(_, name)| name)
}

/// What the machine was doing in the last minute, five, and fifteen.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(missed_by: f64, path: &Path) -> Report {
        let kept = Kept { to: Some(path.to_owned()), note: String::new(), missed_by };
        Report::begin("test", &kept, Path::new("."), "durable", "one client")
    }

    #[test]
    fn a_target_that_is_missed_by_more_than_the_factor_fails_and_is_kept_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        for (missed_by, fails) in [(1.0, true), (2.0, false)] {
            let mut report = report(missed_by, &path);
            report.target("latency", 4.0, Allowed::AtMost(3.0));
            report.target("throughput", 0.41, Allowed::AtLeast(0.4));
            assert_eq!(report.end().is_err(), fails);
            let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(kept["targets"][0]["met"], false);
            assert_eq!(kept["targets"][1]["met"], true);
            assert_eq!(kept["sync"], "durable");
        }
    }

    #[test]
    fn what_was_not_measured_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let mut report = report(1e9, &folder.path().join("result.json"));
        report.target("latency", f64::NAN, Allowed::AtMost(3.0));
        assert!(report.end().is_err());
    }
}
