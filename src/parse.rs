//! `overrun parse`: what the parsers see, for people who debug their own logs.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use collector::parse::{Context, Fate, Format, facts};

#[derive(Debug, Args)]
pub struct ParseArgs {
    /// A file; `-` or nothing for standard input
    file: Option<PathBuf>,
    /// Read it as this format
    #[arg(long, default_value = "auto", value_parser = crate::explain::format)]
    format: Format,
    /// An HTTP header that came with it, as `Key: value`. May be given several times
    #[arg(long, value_name = "K: V")]
    header: Vec<String>,
    /// Print one JSON object per item instead of one line
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ParseArgs) -> anyhow::Result<ExitCode> {
    let mut bytes = Vec::new();
    match &args.file {
        Some(file) if file.as_os_str() != "-" => {
            bytes = std::fs::read(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        }
        _ => {
            std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
        }
    }
    let context = context(&args.header)?;
    let mut out = std::io::stdout().lock();
    for item in args.format.parse(&bytes, &context).items {
        if args.json {
            serde_json::to_writer(&mut out, &facts::of(&item))?;
            writeln!(out)?;
        } else {
            writeln!(out, "{}", said(&item))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What the receivers would take from the same headers.
fn context(headers: &[String]) -> anyhow::Result<Context> {
    let mut context = Context::default();
    for header in headers {
        let Some((key, value)) = header.split_once(':') else { bail!("expected a header as `Key: value`, found `{header}`") };
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match key.as_str() {
            "overrun-instance" => context.instance = Some(value.into()),
            "overrun-function" => context.function = Some(value.into()),
            _ => {}
        }
        context.headers.insert(key, value.to_owned());
    }
    Ok(context)
}

fn said(item: &collector::parse::Item) -> String {
    let word = |kind: domain::Kind| serde_json::to_value(kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
    match &item.fate {
        Fate::Evidence(claim) => format!("{:>6}  evidence  {:<18} {}", item.line, word(claim.kind), claim.key()),
        Fate::Ignored(claim) => format!("{:>6}  ignored   {}", item.line, word(claim.kind)),
        Fate::Passed(lines) => format!("{:>6}  ignored   {lines} lines", item.line),
        Fate::Rejected(reject) => format!("{:>6}  rejected  {}", item.line, reject.reason),
    }
}
