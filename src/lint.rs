//! `overrun lint`: reads a folder's configuration and says which limits are in the wrong order.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use collector::lint::{File, NotRead, lint, render};

/// What is nobody's own configuration: other people's code, and what is generated from files that are read.
const IGNORED: [&str; 10] =
    [".git", "node_modules", "target", ".venv", "venv", "vendor", ".terraform", ".aws-sam", ".serverless", "__pycache__"];
/// Folders within folders.
const DEPTH_MAX: usize = 12;
/// Files and folders that are looked at.
const ENTRIES_MAX: usize = 100_000;
/// Files that are read.
const FILES_MAX: usize = 2_000;
/// A configuration file that people write is far smaller.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Args)]
pub struct LintArgs {
    /// The folder, or one file
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What to print
    #[arg(long, value_enum, default_value_t = Output::Text)]
    format: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Chains and inversions, for people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// Annotations of GitHub's workflows
    Github,
}

pub fn run(args: &LintArgs) -> anyhow::Result<ExitCode> {
    let found = Found::below(&args.dir)?;
    let files: Vec<File<'_>> = found.files.iter().map(|(name, text)| File { name, text }).collect();
    let names: Vec<&str> = found.names.iter().map(String::as_str).collect();
    let mut report = lint(&files, &names);
    report.unreadable.extend(found.unreadable);
    let mut out = std::io::stdout().lock();
    match args.format {
        Output::Text => write!(out, "{}", render::text(&report))?,
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        Output::Sarif => writeln!(out, "{}", serde_json::to_string_pretty(&render::sarif(&report))?)?,
        Output::Github => write!(out, "{}", render::github(&report))?,
    }
    Ok(if report.inversions.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What lies in a folder.
#[derive(Default)]
struct Found {
    files: Vec<(String, String)>,
    names: Vec<String>,
    unreadable: Vec<NotRead>,
    entries: usize,
}

impl Found {
    fn below(top: &Path) -> anyhow::Result<Self> {
        let mut found = Self::default();
        let about = fs::metadata(top).with_context(|| format!("expected a folder, found nothing at `{}`", top.display()))?;
        if about.is_dir() {
            found.folder(top, top, 0);
        } else {
            let name = top.file_name().map_or_else(|| top.display().to_string(), |name| name.to_string_lossy().into_owned());
            found.file(top, name);
        }
        Ok(found)
    }

    /// Links are not followed: they may lead out of the folder, or round in it.
    fn folder(&mut self, top: &Path, folder: &Path, depth: usize) {
        let name = |path: &Path| path.strip_prefix(top).unwrap_or(path).display().to_string().replace('\\', "/");
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.leave_out(name(folder), format!("expected a folder that can be listed, found: {error}")),
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.entries += 1;
            if self.entries == ENTRIES_MAX {
                self.leave_out(name(folder), format!("expected at most {ENTRIES_MAX} files and folders, found more"));
            }
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            if self.entries >= ENTRIES_MAX {
                return;
            } else if kind.is_file() {
                self.file(&path, name(&path));
            } else if kind.is_dir() && depth < DEPTH_MAX && !IGNORED.iter().any(|ignored| entry.file_name() == *ignored) {
                self.folder(top, &path, depth + 1);
            }
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        self.names.push(name.clone());
        if !collector::limits::may_be_read(&name) {
            return;
        }
        if self.files.len() >= FILES_MAX {
            return self.leave_out(name, format!("expected at most {FILES_MAX} configuration files, found more"));
        }
        match read(path) {
            Ok(text) => self.files.push((name, text)),
            Err(reason) => self.leave_out(name, reason),
        }
    }

    fn leave_out(&mut self, file: String, reason: String) {
        self.unreadable.push(NotRead { file, line: None, reason });
    }
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = fs::metadata(path).map_or(0, |about| about.len());
    if bytes > BYTES_MAX {
        return Err(format!("expected at most {BYTES_MAX} bytes, found {bytes}"));
    }
    let bytes = fs::read(path).map_err(|error| format!("expected a file that can be read, found: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "expected UTF-8 text, found other bytes".to_owned())
}
