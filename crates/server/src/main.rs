//! Tidemill: Amazon SQS and the machinery around it, self-hosted, in one binary.
//!
//! This crate is the top floor: sockets, the request's journey, settings and the command line.

mod app;
mod body;
mod check;
mod cli;
mod client;
mod control;
mod data;
mod host;
mod init;
mod journey;
mod listen;
mod logs;
mod metrics;
mod peek;
mod serve;
mod settings;
mod tls;
mod tools;
mod verify;
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
        Command::Send(send) => tools::send(&send),
        Command::Receive(receive) => tools::receive(&receive),
        Command::Peek(peek) => tools::peek(&peek),
        Command::Purge(purge) => tools::purge(&purge),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill: {error:#}");
            ExitCode::FAILURE
        }
    }
}
