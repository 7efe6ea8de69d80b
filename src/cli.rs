//! The command line: one subcommand per verb.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use domain::StackName;

use crate::config::Config;
use crate::{bench, check_config, deliveries, demo, explain, lint, migrate, parse, retry, rules, serve, ship, silence, startup};

/// Which layer's limit fired, what was in flight, and what to change.
#[derive(Debug, Parser)]
#[command(name = "overrun", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process: receive, store, diagnose, alert, show
    Serve(ServeArgs),
    /// Run on a fresh data directory and play in captured traffic
    Demo(demo::DemoArgs),
    /// Read log files and print a verdict for every request that overran; no server, no database
    Explain(explain::ExplainArgs),
    /// Print what the parsers read in each item
    Parse(parse::ParseArgs),
    /// Read a folder's configuration files and report limits in the wrong order
    Lint(lint::LintArgs),
    /// Forward standard input or a file to a collector
    Ship(ship::ShipArgs),
    /// Show where the start of a function goes, cold against warm, and what makes it shorter
    Startup(startup::StartupArgs),
    /// Run requests of a problem again that overran, or say what would be done
    Retry(retry::RetryArgs),
    /// What alerts could not deliver
    #[command(subcommand)]
    Deliveries(deliveries::DeliveriesCommand),
    /// Alert rules
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    /// Keep incidents from being told for a while
    #[command(subcommand)]
    Silence(silence::SilenceCommand),
    /// Bring the database's schema up to date and leave
    Migrate(ServeArgs),
    /// Read the configuration and the rules, say what is wrong with them, and leave
    CheckConfig(ServeArgs),
    /// Measure durable ingest against raw COPY, on a database of its own
    Bench(bench::BenchArgs),
}

/// Where the configuration is, and what it is overruled by.
#[derive(Clone, Debug, Default, Args)]
pub struct ServeArgs {
    /// Configuration file (TOML); every setting has a default
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the private Postgres and the spool live
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Alert rules
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// A configuration file that names limits of the stack `default`: a Procfile, nginx.conf, template.yaml, … May be given several times
    #[arg(long, value_name = "FILE")]
    pub limits: Vec<PathBuf>,
}

impl ServeArgs {
    /// The configuration: defaults, then the file, then the environment, then these arguments.
    pub fn load(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config.as_deref(), &std::env::vars().collect())?;
        if let Some(data_dir) = &self.data_dir {
            config.data_dir = Some(data_dir.clone());
        }
        if let Some(rules) = &self.rules {
            config.alerts.rules_file = Some(rules.clone());
        }
        if !self.limits.is_empty() {
            config.limits.entry(StackName::default().as_str().to_owned()).or_default().extend_from_slice(&self.limits);
        }
        Ok(config)
    }
}

/// Runs a command.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Explain(args) => explain::run(&args),
        Command::Parse(args) => parse::run(&args),
        Command::Lint(args) => lint::run(&args),
        Command::Rules(command) => rules::run(command),
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Serve(args) => block_on(serve::run(args.load()?)),
        Command::Demo(args) => block_on(demo::run(args)),
        Command::Startup(args) => block_on(startup::run(args)),
        Command::Deliveries(command) => block_on(deliveries::run(command)),
        Command::Retry(args) => block_on(retry::run(args)),
        Command::Ship(args) => block_on(ship::run(args)),
        Command::Silence(command) => block_on(silence::run(command)),
        Command::Migrate(args) => block_on(migrate::run(args.load()?)),
        Command::Bench(args) => block_on(bench::run(args)),
    }
}

/// Runs asynchronous work to its end.
pub fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(work).map(|()| ExitCode::SUCCESS)
}
