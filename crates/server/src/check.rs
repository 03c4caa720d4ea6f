//! `tidemill check`: is the data whole? And with `--salvage`, what can be had of it.

use std::path::Path;
use std::process::ExitCode;

use tidemill_journal::{CheckError, Progress, Report, check, salvage};

use crate::cli::Check;
use crate::data::JOURNALS;
use crate::tools;

/// Damaged.
const DAMAGED: u8 = 1;
/// Could not be checked.
const UNKNOWN: u8 = 2;

pub(crate) fn run(asked: &Check) -> ExitCode {
    let mut worst = 0;
    let mut checked = 0;
    for journal in JOURNALS {
        let folder = asked.data_dir.join(journal);
        if !folder.is_dir() {
            continue;
        }
        checked += 1;
        worst = worst.max(one(&folder, asked.salvage));
    }
    if checked == 0 {
        eprintln!("tidemill: {} is not a data folder", asked.data_dir.display());
        return ExitCode::from(UNKNOWN);
    }
    ExitCode::from(worst)
}

/// Checks one journal, and says how it went in words and as an exit code.
fn one(folder: &Path, mend: bool) -> u8 {
    let found = check(folder, show);
    tools::progress_end();
    match found {
        Ok(report) if report.is_whole() => {
            println!("{}: whole; {}", folder.display(), counted(&report));
            0
        }
        Ok(report) => {
            println!("{}: damaged; {}", folder.display(), counted(&report));
            tell_damage(&report);
            if mend { mended(folder) } else { advise(folder) }
        }
        Err(error) => unknown(folder, &error),
    }
}

fn mended(folder: &Path) -> u8 {
    match salvage(folder) {
        Ok(report) => {
            println!(
                "{}: salvaged; {}. What was damaged is copied to {}.",
                folder.display(),
                counted(&report),
                folder.join("salvaged").display()
            );
            0
        }
        Err(error) => unknown(folder, &error),
    }
}

fn advise(folder: &Path) -> u8 {
    let data = folder.parent().unwrap_or(folder).display();
    println!(
        "\nThe service does not start on damaged data. Restore a backup, or give up what is \
         damaged and keep the rest:\n\n    tidemill check {data} --salvage\n"
    );
    DAMAGED
}

fn unknown(folder: &Path, error: &CheckError) -> u8 {
    eprintln!("tidemill: cannot check {}: {error}", folder.display());
    UNKNOWN
}

pub(crate) fn counted(report: &Report) -> String {
    let Report { segments, records, sections, lost, .. } = report;
    let given_up = match lost.len() {
        0 => String::new(),
        ranges => format!(", {ranges} ranges given up earlier"),
    };
    format!("{records} records in {segments} segments, {sections} snapshots{given_up}")
}

fn tell_damage(report: &Report) {
    for damage in &report.damage {
        println!("  {damage}");
    }
    for section in &report.broken_sections {
        println!("  the snapshot {section} cannot be read");
    }
}

fn show(progress: Progress) {
    tools::progress(&format!("checked {} of {}", progress.done, progress.total));
}
