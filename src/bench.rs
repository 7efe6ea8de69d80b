//! `overrun bench`: durable ingest through HTTP against raw binary COPY of the same rows into the same tables, in one run.
//!
//! Load generator, daemon and Postgres share the machine, as they do on a small host. Rates differ from run to run; the
//! ratio within a run is the figure. Each round measures both, one after the other, and the median of the rounds counts.

mod alerts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use collector::parse::{Context, Fate, Format};
use domain::{Clock as _, Evidence, SourceName, StackName};
use store::{Batch, Store};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::config::Config;
use crate::serve::{self, Addresses};

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Rounds; the median is reported
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds that each measurement takes
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Lines in one request, as CloudWatch and `overrun ship` send them under load.
const LINES_PER_REQUEST: usize = 500;
/// Senders at once: enough that the two committers always find something queued.
const SENDERS: usize = 8;
/// Connections that copy, as many as the daemon has committers.
const COPIERS: usize = 2;
/// Rows per COPY, as many as the daemon commits at once.
const ROWS_PER_COPY: usize = 2000;
/// Single events sent one after the other for the latency of an acknowledgement without load.
const SINGLE_EVENTS: usize = 500;

/// One round's figures.
#[derive(Clone, Debug, serde::Serialize)]
struct Round {
    http_records_per_s: f64,
    copy_records_per_s: f64,
    ratio: f64,
    ack_p50_ms: f64,
    ack_p99_ms: f64,
}

pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    let dir = std::env::temp_dir().join(format!("overrun-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let mut config = Config::load(None, &std::env::vars().collect())?;
    config.data_dir = Some(dir.clone());
    for address in [&mut config.ingest.http, &mut config.ingest.grpc, &mut config.dashboard.http] {
        address.set_port(0);
    }
    let hook = alerts::Hook::open().await?;
    let rules = dir.join("rules.toml");
    std::fs::write(&rules, hook.rules())?;
    config.alerts.rules_file = Some(rules);
    let stop = CancellationToken::new();
    let outcome = measure(&args, config, &hook, &stop).await;
    let _ = std::fs::remove_dir_all(&dir);
    outcome
}

async fn measure(args: &BenchArgs, config: Config, hook: &alerts::Hook, stop: &CancellationToken) -> anyhow::Result<()> {
    // A second pair of hands on the same database copies beside the daemon.
    let database = serve::Database::open(&config).await?;
    let dir = config.data_dir.clone().context("the benchmark has a directory of its own")?;
    let mut own = config;
    own.database.url = Some(secrecy::SecretString::from(database.url()));
    let (ready, addresses) = oneshot::channel();
    let daemon = tokio::spawn(serve::until(own, Arc::new(SystemClock), stop.clone(), ready));
    let addresses = addresses.await.context("the daemon did not start")?;
    let alerts = alerts::measure(&addresses, hook, &dir).await?;
    if !args.json {
        println!("{alerts}");
    }
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        let round = round(&addresses, &database.store, Duration::from_secs(args.seconds)).await?;
        if !args.json {
            println!("round {number}: {}", said(&round));
        }
        rounds.push(round);
    }
    let single = single_events(&addresses).await?;
    rounds.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let median = &rounds[rounds.len() / 2];
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "median": median, "rounds": rounds, "single_event_ack_ms": { "p50": single.0, "p99": single.1 }, "alerts": alerts })
        );
    } else {
        println!("median:  {}", said(median));
        println!("a single watchdog event, idle: acknowledged in p50 {:.2} ms, p99 {:.2} ms", single.0, single.1);
    }
    stop.cancel();
    daemon.await??;
    database.close().await
}

fn said(round: &Round) -> String {
    format!(
        "HTTP {:.0} records/s durable, COPY {:.0} rows/s, ratio {:.2}; acknowledged in p50 {:.1} ms, p99 {:.1} ms",
        round.http_records_per_s, round.copy_records_per_s, round.ratio, round.ack_p50_ms, round.ack_p99_ms
    )
}

async fn round(addresses: &Addresses, store: &Store, length: Duration) -> anyhow::Result<Round> {
    let (copied, http) = (copy(store, length).await?, http(addresses, length).await?);
    let (http_records_per_s, mut latencies) = http;
    Ok(Round {
        http_records_per_s,
        copy_records_per_s: copied,
        ratio: http_records_per_s / copied,
        ack_p50_ms: quantile(&mut latencies, 0.5),
        ack_p99_ms: quantile(&mut latencies, 0.99),
    })
}

/// Durable records per second through HTTP, and how long each acknowledgement took in ms.
async fn http(addresses: &Addresses, length: Duration) -> anyhow::Result<(f64, Vec<f64>)> {
    let url = format!("http://{}/v1/push/lambda_text", addresses.ingest_http);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let started = Instant::now();
    let senders = (0..SENDERS).map(|sender| {
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            for number in 0.. {
                let body = lines(&format!("{sender}-{number}-{}", started.elapsed().as_nanos()));
                let sent = Instant::now();
                let response = client.post(&url).header("content-type", "text/plain").body(body).send().await?;
                ensure!(response.status().is_success(), "the collector answered {}: {}", response.status(), response.text().await?);
                latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
                if started.elapsed() >= length {
                    break;
                }
            }
            anyhow::Ok(latencies)
        })
    });
    let mut latencies = Vec::new();
    for sender in senders.collect::<Vec<_>>() {
        latencies.extend(sender.await??);
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
    let records = (latencies.len() * LINES_PER_REQUEST) as f64;
    Ok((records / started.elapsed().as_secs_f64(), latencies))
}

/// Rows per second by binary COPY of what the same lines become, into the same tables.
async fn copy(store: &Store, length: Duration) -> anyhow::Result<f64> {
    let started = Instant::now();
    let copiers = (0..COPIERS).map(|copier| {
        let store = store.clone();
        // Made once and copied again and again: encoding is not what is compared.
        let rows = store::RawRows::of(
            &(0..ROWS_PER_COPY / LINES_PER_REQUEST).map(|number| batch(&format!("copy-{copier}-{number}"))).collect::<Vec<_>>(),
        );
        tokio::spawn(async move {
            let mut copied = 0;
            while started.elapsed() < length {
                copied += store.copy_raw(&rows).await?;
            }
            anyhow::Ok(copied)
        })
    });
    let mut rows = 0;
    for copier in copiers.collect::<Vec<_>>() {
        rows += copier.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of rows")]
    let rows = rows as f64;
    Ok(rows / started.elapsed().as_secs_f64())
}

/// REPORT lines of as many requests, all different.
fn lines(seed: &str) -> String {
    let line = |number: usize| {
        let id = uuid(&format!("{seed}-{number}"));
        let duration = 20 + number % 900;
        format!(
            "REPORT RequestId: {id}\tDuration: {duration}.41 ms\tBilled Duration: {} ms\tMemory Size: 256 MB\tMax Memory Used: {} MB\t\n",
            duration + 1,
            60 + number % 100
        )
    };
    (0..LINES_PER_REQUEST).map(line).collect()
}

/// A text in the shape of a request ID, different for every seed.
fn uuid(seed: &str) -> String {
    let id = domain::IncidentId::derive(&StackName::default(), &domain::Key::Request(seed.into()), 1);
    let hex = id.as_str();
    format!("{}-{}-{}-{}-{}{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[..8], &hex[20..24])
}

fn batch(seed: &str) -> Batch {
    let text = lines(seed);
    let received_at = SystemClock.now();
    let evidence = |item: collector::parse::Item| match item.fate {
        Fate::Evidence(claim) => {
            Some(Evidence { stack: StackName::default(), source: SourceName::from("bench"), received_at, origin: None, claim: *claim })
        }
        Fate::Ignored(_) | Fate::Passed(_) | Fate::Rejected(_) => None,
    };
    let evidence = Format::LambdaText.parse(text.as_bytes(), &Context::default()).items.into_iter().filter_map(evidence).collect();
    Batch {
        digest: [0; 32],
        stack: StackName::default(),
        source: SourceName::from("bench"),
        format: Format::LambdaText.name().to_owned(),
        received_at,
        bytes: text.len() as u64,
        evidence,
        ignored: 0,
        rejected: Vec::new(),
    }
}

/// How long the acknowledgement of a watchdog event takes when nothing else happens: p50 and p99 in ms.
async fn single_events(addresses: &Addresses) -> anyhow::Result<(f64, f64)> {
    let url = format!("http://{}/v1/watchdog", addresses.ingest_http);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let mut latencies = Vec::new();
    for number in 0..SINGLE_EVENTS {
        let event = serde_json::json!({ "kind": "armed", "request_id": uuid(&format!("single-{number}")), "function": "bench" });
        let sent = Instant::now();
        let response = client.post(&url).header("content-type", "application/json").body(event.to_string()).send().await?;
        ensure!(response.status().is_success(), "the collector answered {}", response.status());
        latencies.push(sent.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((quantile(&mut latencies, 0.5), quantile(&mut latencies, 0.99)))
}

fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into a short list")]
    let index = (values.len() as f64 * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}
