//! Tidemill: Amazon SQS and the machinery around it, self-hosted, in one binary.
//!
//! This crate is the top floor: sockets, the request's journey, settings and the command line.

mod app;
mod backup;
mod bench;
mod check;
mod cli;
mod client;
mod control;
mod crowd;
mod data;
mod drain;
mod failure;
mod faults;
mod host;
mod init;
mod instances;
mod journey;
mod listen;
mod logs;
mod metadata;
mod metrics;
mod minutes;
mod overview;
mod peek;
mod ps;
mod redrive;
mod roles;
mod screen;
mod serve;
mod settings;
mod shim;
mod tail;
mod tls;
mod tools;
mod top;
mod verify;
mod welcome;
mod workers;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::settings::Settings;

/// A request is some forty small allocations, and the system's allocator took a sixth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(serve) => {
            Settings::of(serve.given, serve.config.as_deref()).and_then(serve::run)
        }
        Command::Init(init) => init::run(&init),
        Command::Check(check) => return check::run(&check),
        Command::Backup(backup) => backup::run(&backup),
        Command::Send(send) => tools::send(&send),
        Command::Receive(receive) => tools::receive(&receive),
        Command::Peek(peek) => tools::peek(&peek),
        Command::Redrive(redrive) => redrive::run(&redrive),
        Command::Purge(purge) => tools::purge(&purge),
        Command::Bench(bench) => bench::run(&bench),
        Command::Ps(ps) => ps::run(&ps),
        Command::Logs(logs) => tail::run(&logs),
        Command::Drain(drain) => drain::run(&drain),
        Command::Top(top) => top::run(&top),
        Command::Shim(shim) => return shim::run(&shim),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in a line. Some libraries' errors end with their cause already: it is
/// not said twice.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        let cause = cause.trim_end();
        if told.is_empty() {
            cause.clone_into(&mut told);
        } else if !told.ends_with(cause) {
            told.push_str(": ");
            told.push_str(cause);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("no such file").context("open it: no such file").context("start");
        assert_eq!(super::told(&error), "start: open it: no such file");
    }
}
