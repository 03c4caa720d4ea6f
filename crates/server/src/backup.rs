//! `tidemill backup`: a copy of the data that a service opens as its own.

use tidemill_journal::back_up;

use crate::check::counted;
use crate::cli::Backup;
use crate::data::JOURNALS;
use crate::tools;

pub(crate) fn run(asked: &Backup) -> anyhow::Result<()> {
    let Backup { data_dir, to } = asked;
    let copied = back_up(data_dir, &JOURNALS, to, |log, progress| {
        let (done, total) = (progress.done, progress.total);
        tools::progress(&format!("{log}: {done} of {total} read and copied"));
    });
    tools::progress_end();
    for report in &copied? {
        println!("copied {}", counted(report));
    }
    println!("{} is whole: `tidemill serve --data-dir` opens it", to.display());
    Ok(())
}
