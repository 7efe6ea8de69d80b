//! `overrun ship`: forwards lines to a collector, as `gunicorn … 2>&1 | overrun ship`.
//!
//! It must never be the cause of a problem: what comes from a pipe is passed on to standard output at once, and when the
//! collector is away longer than the buffer lasts, lines are dropped and counted rather than the writer held up. A file can
//! wait, so from a file nothing is dropped.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use collector::parse::Format;
use reqwest::StatusCode;
use tokio::sync::mpsc;

#[derive(Debug, Args)]
pub struct ShipArgs {
    /// A file; `-` or nothing for standard input
    file: Option<PathBuf>,
    /// The collector
    #[arg(long, default_value = "http://127.0.0.1:4318", value_name = "URL")]
    to: String,
    /// What the lines are
    #[arg(long, default_value = "auto", value_parser = crate::explain::format)]
    format: Format,
    /// Go on with what is appended to the file
    #[arg(long, requires = "file")]
    follow: bool,
    /// Where the lines are written; the machine's name by default. Process IDs mean something only within one place
    #[arg(long)]
    instance: Option<String>,
    /// The function or service that writes them
    #[arg(long)]
    function: Option<String>,
    /// Do not pass standard input on to standard output
    #[arg(long)]
    quiet: bool,
}

/// Lines held while the collector is away: about 10 MB of ordinary lines.
const BUFFERED_LINES_MAX: usize = 65_536;
/// A batch is sent when it is this large, or when nothing more has come for [`LINGER`].
const BATCH_BYTES_MAX: usize = 512 * 1024;
const LINGER: Duration = Duration::from_millis(100);
/// How often a followed file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Waits between tries, the last one for ever after.
const BACKOFF: [Duration; 5] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

pub async fn run(args: ShipArgs) -> anyhow::Result<()> {
    let target = Target::new(&args)?;
    let dropped = Arc::new(AtomicU64::new(0));
    let (sender, receiver) = mpsc::channel(BUFFERED_LINES_MAX);
    let reader = match args.file.as_deref().filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            let (file, follow) = (file.to_owned(), args.follow);
            std::thread::spawn(move || read_file(&file, follow, &sender))
        }
        None => {
            let (quiet, dropped) = (args.quiet, Arc::clone(&dropped));
            std::thread::spawn(move || read_pipe(quiet, &sender, &dropped))
        }
    };
    send_all(&target, receiver, &dropped).await?;
    reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?
}

/// Standard input, passed on line by line.
fn read_pipe(quiet: bool, sender: &mpsc::Sender<Vec<u8>>, dropped: &AtomicU64) -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    let mut output = std::io::stdout().lock();
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line).context("standard input cannot be read")? == 0 {
            return Ok(());
        }
        if !quiet {
            // A reader that has gone away is no reason to stop shipping.
            let _ = output.write_all(&line).and_then(|()| output.flush());
        }
        if sender.try_send(line).is_err() {
            dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A file from its beginning, and what is appended to it if it is followed.
fn read_file(path: &Path, follow: bool, sender: &mpsc::Sender<Vec<u8>>) -> anyhow::Result<()> {
    let open = || File::open(path).with_context(|| format!("`{}` cannot be read", path.display()));
    let mut input = BufReader::new(open()?);
    let mut line = Vec::new();
    loop {
        let read = input.read_until(b'\n', &mut line).with_context(|| format!("`{}` cannot be read", path.display()))?;
        if line.ends_with(b"\n") || read == 0 && !follow && !line.is_empty() {
            if sender.blocking_send(std::mem::take(&mut line)).is_err() {
                return Ok(());
            }
        } else if read == 0 {
            if !follow {
                return Ok(());
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Where batches go.
struct Target {
    client: reqwest::Client,
    url: String,
    headers: Vec<(&'static str, String)>,
}

impl Target {
    fn new(args: &ShipArgs) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().context("no HTTP client")?;
        let url = format!("{}/v1/push/{}", args.to.trim_end_matches('/'), args.format.name());
        let mut headers = vec![("content-type", "text/plain; charset=utf-8".to_owned())];
        let machine = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
        headers.extend(args.instance.clone().or_else(machine).map(|instance| ("overrun-instance", instance)));
        headers.extend(args.function.clone().map(|function| ("overrun-function", function)));
        Ok(Self { client, url, headers })
    }

    /// Sends one batch until it is taken or refused.
    async fn send(&self, batch: Vec<u8>) -> anyhow::Result<()> {
        for attempt in 0.. {
            let wait = BACKOFF[attempt.min(BACKOFF.len() - 1)];
            match self.once(batch.clone()).await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) if is_final(response.status()) => {
                    let status = response.status();
                    let said = response.text().await.unwrap_or_default();
                    bail!("the collector refused a batch ({status}): {}", said.chars().take(500).collect::<String>());
                }
                Ok(response) => {
                    let asked =
                        response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
                    tokio::time::sleep(asked.unwrap_or(wait)).await;
                }
                Err(error) => {
                    if attempt == 0 {
                        eprintln!("overrun: {} cannot be reached, trying again: {error}", self.url);
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
        Ok(())
    }

    async fn once(&self, batch: Vec<u8>) -> reqwest::Result<reqwest::Response> {
        let request = self.headers.iter().fold(self.client.post(&self.url), |request, (name, value)| request.header(*name, value));
        request.body(batch).send().await
    }
}

/// Answers after which the same batch will not be taken either.
fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

async fn send_all(target: &Target, mut lines: mpsc::Receiver<Vec<u8>>, dropped: &AtomicU64) -> anyhow::Result<()> {
    let mut refused = None;
    while let Some(first) = lines.recv().await {
        let mut batch = first;
        while batch.len() < BATCH_BYTES_MAX {
            match tokio::time::timeout(LINGER, lines.recv()).await {
                Ok(Some(line)) => batch.extend_from_slice(&line),
                Ok(None) | Err(_) => break,
            }
        }
        if let Err(error) = target.send(batch).await {
            eprintln!("overrun: {error:#}");
            refused = Some(error);
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            eprintln!("overrun: {lost} lines were dropped: the collector was away for longer than the buffer lasts");
        }
    }
    refused.map_or(Ok(()), Err)
}
