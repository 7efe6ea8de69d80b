//! `overrun rules`: says what a rules file means, tries one of its actions, and plays the past to it.

mod replay;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use domain::Clock as _;

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Say what is wrong with a rules file, or what is in it
    Check {
        /// The rules file
        file: PathBuf,
    },
    /// Send one harmless sample, marked as a test, to a real action of a rule
    Test(TestArgs),
    /// Say what the rules would have sent for what is stored; sends nothing
    Replay(replay::ReplayArgs),
}

#[derive(Debug, Args)]
pub struct TestArgs {
    /// The name of the rule
    rule: String,
    /// The name of one of its actions
    #[arg(long)]
    action: String,
    #[command(flatten)]
    serve: ServeArgs,
}

pub fn run(command: RulesCommand) -> anyhow::Result<ExitCode> {
    match command {
        RulesCommand::Check { file } => println!("{}", alerts::Rules::load(&file)?.summary()),
        RulesCommand::Test(args) => return crate::cli::block_on(test(args)),
        RulesCommand::Replay(args) => return crate::cli::block_on(replay::run(args)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn test(args: TestArgs) -> anyhow::Result<()> {
    let config = args.serve.load()?;
    let rules = rules_of(&config)?;
    match alerts::fire(&rules, &args.rule, &args.action, &config.alerts, SystemClock.now()).await {
        Ok(said) => println!("`{}` has it: {}", args.action, crate::explain::visible(&said)),
        Err(error) => bail!("{}", crate::explain::visible(&error.to_string())),
    }
    Ok(())
}

/// The rules that the configuration names.
fn rules_of(config: &Config) -> anyhow::Result<alerts::Rules> {
    let file = config.alerts.rules_file.as_deref().context("expected a rules file: `--rules FILE` or `alerts.rules_file`")?;
    Ok(alerts::Rules::load(file)?)
}
