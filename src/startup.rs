//! `overrun startup`: where the start of a function goes, and what makes it shorter. From the daemon's database, or from files.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use collector::explain::Input;
use collector::parse::Format;
use domain::{Clock as _, Evidence, FunctionName, Seen, StackName, StartOfRelease, StartReport};
use jiff::SignedDuration;

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::explain::visible;
use crate::serve::Database;

/// Requests of each kind that are looked at: enough for a median, few enough to be read while somebody waits.
const REQUESTS_MAX: u32 = 50;

#[derive(Debug, Args)]
pub struct StartupArgs {
    /// The function; may be left out with `--from`
    function: Option<String>,
    /// Log files instead of the database; `-` for standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    from: Vec<PathBuf>,
    /// The stack of the function
    #[arg(long, default_value = "default")]
    stack: String,
    /// How far back to look, in days
    #[arg(long, default_value_t = 14)]
    days: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

pub async fn run(args: StartupArgs) -> anyhow::Result<()> {
    let function = args.function.as_deref().map(FunctionName::from);
    let evidence = match (&function, args.from.is_empty()) {
        (_, false) => of_files(&args.from)?,
        (Some(function), true) => of_database(&args, function).await?,
        (None, true) => bail!("expected a function, or files behind `--from`"),
    };
    let report = collector::startup::report(&evidence, function.as_ref());
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", rendered(&report))?;
    }
    Ok(())
}

fn of_files(files: &[PathBuf]) -> anyhow::Result<Vec<Evidence>> {
    let inputs = crate::explain::read_all(files)?;
    let inputs: Vec<_> = inputs.iter().map(|(name, bytes)| Input { name, bytes }).collect();
    Ok(collector::explain::read(&inputs, Format::Auto, SystemClock.now()).0)
}

async fn of_database(args: &StartupArgs, function: &FunctionName) -> anyhow::Result<Vec<Evidence>> {
    let database = Database::open_beside(&args.serve.load()?).await?;
    let now = SystemClock.now();
    let from = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(args.days))).context("`--days` is out of range")?;
    let evidence = database.store.start_evidence(&StackName::from(args.stack.as_str()), function, from, now, REQUESTS_MAX).await;
    database.close().await?;
    Ok(evidence?)
}

/// The report for a person: per release, cold beside warm, the longest section first.
fn rendered(report: &StartReport) -> String {
    let mut text = String::new();
    if report.releases.is_empty() {
        text.push_str(
            "Nothing tells of the start of this function yet. What helps: its platform's log, and sections (docs/wire/tracepoints.md).\n",
        );
    }
    for release in &report.releases {
        render(&mut text, report, release).expect("writing to a string cannot fail");
    }
    text
}

fn render(text: &mut String, report: &StartReport, of: &StartOfRelease) -> std::fmt::Result {
    let function = report.function.as_deref().unwrap_or("all functions");
    let release = of.release.as_deref().map_or_else(|| "release not named".to_owned(), |release| format!("release {release}"));
    writeln!(text, "{}, {}", visible(function), visible(&release))?;
    writeln!(text, "  {:<40} {:>18} {:>18}", "", "cold", "warm")?;
    writeln!(text, "  {:<40} {:>18} {:>18}", "requests", said(of.cold), said(of.warm))?;
    writeln!(text, "  {:<40} {:>18} {:>18}", "initialisation", said(of.init), "-")?;
    for section in &of.sections {
        writeln!(text, "  {:<40} {:>18} {:>18}", visible(&section.name), said(section.cold), said(section.warm))?;
    }
    for section in of.sections.iter().filter(|section| section.remedy.is_some()) {
        let remedy = section.remedy.map_or("", domain::Remedy::as_str).replace('_', " ");
        writeln!(text, "  {remedy}: {} {}", visible(&section.name), section.why)?;
    }
    if of.sections.is_empty() {
        writeln!(text, "  No sections were sent: docs/wire/tracepoints.md says how.")?;
    }
    if of.unknown > 0 {
        writeln!(text, "  Of {} requests nothing tells whether they were cold.", of.unknown)?;
    }
    writeln!(text)
}

/// `12 × 1.6 s`
fn said(seen: Seen) -> String {
    match (seen.requests, seen.median_ms) {
        (0, _) => "-".to_owned(),
        (requests, Some(median)) => format!("{requests} × {median}"),
        (requests, None) => format!("{requests} × ?"),
    }
}
