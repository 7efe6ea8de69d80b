//! `overrun ship`: forwards lines to a collector, as `gunicorn … 2>&1 | overrun ship`.
//!
//! It must never be the cause of a problem: what comes from a pipe is passed on to standard output at once, and when the
//! collector is away longer than the buffer lasts, lines are dropped and counted rather than the writer held up. A file can
//! wait, so from a file nothing is dropped.

mod hold;
mod read;
mod rotated;
mod state;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use collector::parse::Format;
use reqwest::StatusCode;
use tokio_util::sync::CancellationToken;

use crate::shutdown;
use hold::Line;
use state::State;

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
    /// Keep in this file how far the file was delivered, and go on from there after a restart
    #[arg(long, requires = "file", value_name = "FILE")]
    state: Option<PathBuf>,
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

/// A batch is sent when it is this large, or this long after its first line.
const BATCH_BYTES_MAX: usize = 512 * 1024;
const LINGER: Duration = Duration::from_millis(100);
/// How long the program in front may go on after the signal to stop, and delivery may take: what orchestrators allow.
const LAST_WORDS_MAX: Duration = Duration::from_secs(30);
/// Waits between tries, the last one for ever after.
const BACKOFF: [Duration; 5] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

pub async fn run(args: ShipArgs) -> anyhow::Result<()> {
    let target = Target::new(&args)?;
    let file = args.file.as_deref().filter(|file| file.as_os_str() != "-");
    // Ctrl-C reaches every program of a pipe, and the one in front of us may have something to say yet: its end is ours. At a
    // terminal there is nobody in front.
    let stop = if file.is_none() && std::io::stdin().is_terminal() { CancellationToken::new() } else { shutdown::on_signal()? };
    let (sender, receiver) = hold::channel();
    let state = args.state.clone().filter(|_| file.is_some()).map(State::new);
    let reader = match file {
        Some(file) => {
            let (file, follow, state, stop) = (file.to_owned(), args.follow, state.clone(), stop.clone());
            std::thread::spawn(move || read::file(&file, follow, state.as_ref(), &sender, &stop))
        }
        None => {
            let quiet = args.quiet;
            std::thread::spawn(move || read::pipe(quiet, &sender))
        }
    };
    tokio::select! {
        sent = send_all(&target, receiver, state.as_ref()) => sent?,
        () = last_words(&stop) => bail!("stopped {} s after the signal, before everything was delivered", LAST_WORDS_MAX.as_secs()),
    }
    reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?
}

/// Ends some time after the signal to stop.
async fn last_words(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_WORDS_MAX).await;
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

async fn send_all(target: &Target, mut lines: hold::Receiver, state: Option<&State>) -> anyhow::Result<()> {
    let mut refused = None;
    while let Some(Line { bytes: mut batch, mut mark }) = lines.next().await {
        let until = tokio::time::Instant::now() + LINGER;
        while batch.len() < BATCH_BYTES_MAX {
            match tokio::time::timeout_at(until, lines.next()).await {
                Ok(Some(line)) => {
                    batch.extend_from_slice(&line.bytes);
                    mark = line.mark;
                }
                Ok(None) | Err(_) => break,
            }
        }
        // What was refused for good is told once, not again after every restart.
        if let Err(error) = target.send(batch).await {
            eprintln!("overrun: {error:#}");
            refused = Some(error);
        }
        if let (Some(state), Some(mark)) = (state, &mark) {
            state.save(mark)?;
        }
        let lost = lines.dropped();
        if lost > 0 {
            eprintln!("overrun: {lost} lines were dropped: the collector was away for longer than the buffer lasts");
        }
    }
    refused.map_or(Ok(()), Err)
}
