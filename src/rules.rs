//! `overrun rules`: looks at a rules file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say what is wrong with a rules file, or what is in it
    Check {
        /// The rules file
        file: PathBuf,
    },
}

pub fn run(command: &RulesCommand) -> anyhow::Result<ExitCode> {
    let RulesCommand::Check { file } = command;
    println!("{}", alerts::Rules::load(file)?.summary());
    Ok(ExitCode::SUCCESS)
}
