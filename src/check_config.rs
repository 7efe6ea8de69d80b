//! `overrun check-config`: says what is wrong with configuration and rules before a start would.

use std::process::ExitCode;

use crate::cli::ServeArgs;
use crate::limits::Configured;

pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let config = args.load()?;
    config.listeners()?;
    config.receive()?;
    Configured::read(&config.limits)?;
    match &config.alerts.rules_file {
        Some(file) => println!("configuration and rules are good: {}", alerts::Rules::load(file)?.summary()),
        None => println!("configuration is good; no rules file is named, so nothing is sent"),
    }
    Ok(ExitCode::SUCCESS)
}
