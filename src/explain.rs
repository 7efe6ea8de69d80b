//! `overrun explain`: verdicts from files, for people or as JSON.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use collector::correlate::Knowledge;
use collector::explain::{Input, Report, explain};
use collector::parse::Format;
use domain::{Clock as _, Incident};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::SystemClock;
use crate::limits;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Log files in any mixture of known formats; `-` or nothing for standard input
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Read every file as this format instead of deciding line by line
    #[arg(long, default_value = "auto", value_parser = format)]
    format: Format,
    /// A configuration file that names limits: a Procfile, nginx.conf, template.yaml, … May be given several times
    #[arg(long, value_name = "FILE")]
    limits: Vec<PathBuf>,
    /// Exit with 1 when a request overran
    #[arg(long)]
    fail_on_timeout: bool,
}

/// Reads a format's name.
pub fn format(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        format!("expected one of {}, found `{name}`", names.join(", "))
    })
}

pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let inputs = read_all(&args.files)?;
    let knowledge = knowledge(&args.limits)?;
    let inputs: Vec<_> = inputs.iter().map(|(name, bytes)| Input { name, bytes }).collect();
    let report = explain(&inputs, args.format, &knowledge, SystemClock.now());
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", rendered(&report))?;
    }
    let found = report.incidents.iter().any(|incident| incident.state != domain::IncidentState::Survived);
    Ok(if args.fail_on_timeout && found { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Files by name, or standard input.
pub fn read_all(files: &[PathBuf]) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let stdin = [PathBuf::from("-")];
    let files = if files.is_empty() { &stdin } else { files };
    let progress = progress(files.len());
    let mut inputs = Vec::new();
    for file in files {
        let name = file.display().to_string();
        progress.set_message(name.clone());
        let bytes = if name == "-" {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).context("standard input cannot be read")?;
            bytes
        } else {
            std::fs::read(file).with_context(|| format!("`{name}` cannot be read"))?
        };
        inputs.push((name, bytes));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(inputs)
}

/// A bar on a terminal, nothing in a pipe.
fn progress(files: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template is a constant"));
    if std::io::stderr().is_terminal() { bar } else { ProgressBar::hidden() }
}

fn knowledge(files: &[PathBuf]) -> anyhow::Result<Knowledge> {
    let mut knowledge = Knowledge::default();
    for file in files {
        match limits::parts(file)? {
            Ok(parts) => knowledge.learn(parts),
            // A folder of configuration files may hold kinds that are not read yet; the verdicts stand without them.
            Err(error) => eprintln!("overrun: `{}`: {error}; it is left out", file.display()),
        }
    }
    Ok(knowledge)
}

/// The report for a person: verdict first, then why, then what to change.
fn rendered(report: &Report) -> String {
    let mut text = String::new();
    for incident in &report.incidents {
        render(&mut text, incident).expect("writing to a string cannot fail");
    }
    let read = &report.read;
    if report.incidents.is_empty() {
        text.push_str("No request overran in what was read.\n");
    }
    let _ = writeln!(text, "{} lines: {} evidence, {} ignored, {} rejected", read.lines, read.evidence, read.ignored, read.rejected);
    for reject in &read.rejects {
        let _ = writeln!(text, "  {}:{}: {}", reject.file, reject.line, visible(&reject.reason));
    }
    text
}

fn render(text: &mut String, incident: &Incident) -> std::fmt::Result {
    let diagnosis = &incident.diagnosis;
    writeln!(text, "{}", visible(&incident.summary))?;
    let who = match (&incident.request_id, incident.pid) {
        (Some(id), _) if incident.attempt > 1 => format!("request {id}, attempt {}", incident.attempt),
        (Some(id), _) => format!("request {id}"),
        (None, Some(pid)) => format!("process {pid}; no source names the request"),
        (None, None) => "no source names the request".to_owned(),
    };
    let when = incident.at().map_or_else(|| "at a time that no source gives".to_owned(), |at| at.to_string());
    let elapsed = incident.elapsed_ms.map_or_else(String::new, |elapsed| format!(", {elapsed} elapsed"));
    writeln!(text, "  {} · {} · {} · {}{elapsed}", incident.outcome.as_str(), diagnosis.confidence.as_str(), visible(&who), when)?;
    writeln!(text, "  why:")?;
    for reason in &diagnosis.reasons {
        writeln!(text, "    - {}", visible(&reason.text))?;
        for cited in &reason.evidence {
            let place = cited.file.as_deref().zip(cited.line).map_or_else(String::new, |(file, line)| format!("{file}:{line}: "));
            writeln!(text, "        {}{}", visible(&place), shown(&cited.text))?;
        }
    }
    for note in &diagnosis.consequences {
        writeln!(text, "  then: {}", visible(&note.text))?;
    }
    for offset in &incident.timeline.clocks {
        writeln!(text, "  clocks: {}", visible(&offset.text))?;
    }
    for note in &diagnosis.contradicted {
        writeln!(text, "  not so: {}", visible(&note.text))?;
        for cited in &note.evidence {
            writeln!(text, "        {}", shown(&cited.text))?;
        }
    }
    for advice in &diagnosis.advice {
        let setting = advice.setting.as_deref().map_or_else(String::new, |setting| match (&advice.from, &advice.to) {
            (Some(from), Some(to)) => format!("{setting} {from} → {to}: "),
            (Some(from), None) => format!("{setting} (now {from}): "),
            _ => format!("{setting}: "),
        });
        writeln!(text, "  change: {}{}", visible(&setting), visible(&advice.text))?;
        if let Some(place) = &advice.place {
            writeln!(text, "          in {}", visible(place))?;
        }
    }
    writeln!(text, "  wrong if: {}\n", visible(&diagnosis.refuted_by))
}

/// The beginning of a cited line, as much of it as a terminal has room for.
fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let first = text.lines().next().unwrap_or_default();
    let begin: String = first.chars().take(CHARS_MAX).collect();
    visible(&begin) + if begin.len() < first.len() { " …" } else { "" }
}

/// Text from a log as it may be shown on a terminal: control characters, which could steer it, are made visible.
pub fn visible(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() && c != '\t' { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
