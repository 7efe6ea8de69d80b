//! Overrun: which layer's limit fired, what was in flight, and what to change.
//!
//! This package is the composition root: the only code that knows every crate.

mod bench;
mod check_config;
mod cli;
mod clock;
mod config;
mod deliveries;
mod demo;
mod explain;
mod limits;
mod lint;
mod maintenance;
mod migrate;
mod parse;
mod reload;
mod retry;
mod rules;
mod serve;
mod ship;
mod shutdown;
mod silence;
mod startup;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // One TLS provider for the whole program; the libraries are built without one of their own.
    rustls::crypto::ring::default_provider().install_default().expect("nothing has installed one before");
    match cli::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("overrun: {error:#}");
            ExitCode::from(2)
        }
    }
}
