//! `tidemill shim`: what the service starts for each instance, and what that starts for each
//! program. Nobody calls it by hand.

use std::process::ExitCode;

use tidemill_fleet::process;

use crate::cli::Shim;

pub(crate) fn run(shim: &Shim) -> ExitCode {
    let failed = |error: &dyn std::error::Error, code| {
        eprintln!("tidemill: {error}");
        ExitCode::from(code)
    };
    match (&shim.exec, &shim.folder) {
        (Some(order), _) => {
            let error = process::exec(order);
            failed(&error, error.code)
        }
        (None, Some(folder)) => match process::run(folder) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error, 1),
        },
        // The command line asks for one of the two.
        (None, None) => ExitCode::FAILURE,
    }
}
