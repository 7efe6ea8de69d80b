//! From an event to the webhook that tells of it: idle, and beside 5,000 records a second. Alertmanager's own way from an alert to
//! its webhook, with `group_wait: 0s`, is measured in the same run where it is installed (Debian: `prometheus-alertmanager`).

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

use super::{LINES_PER_REQUEST, lines, quantile, uuid};
use crate::serve::Addresses;

/// Events of each measurement.
const EVENTS: u32 = 300;
/// Records a second beside which it is measured.
const BESIDE_RECORDS_PER_S: u32 = 5_000;
/// How long one event may take before the measurement is given up.
const EVENT_MAX: Duration = Duration::from_secs(30);
/// Requests of the load that may be open at once.
const OPEN_MAX: usize = 16;
/// Names under which Alertmanager is installed.
const ALERTMANAGERS: [&str; 2] = ["prometheus-alertmanager", "alertmanager"];

/// Milliseconds from sending to arrival.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Latency {
    p50_ms: f64,
    p99_ms: f64,
}

/// All that was measured.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Figures {
    idle: Latency,
    beside_load: Latency,
    /// `None` where Alertmanager is not installed.
    alertmanager: Option<Latency>,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let said = |latency: Latency| format!("p50 {:.2} ms, p99 {:.2} ms", latency.p50_ms, latency.p99_ms);
        let alertmanager = self.alertmanager.map_or_else(|| "not installed".to_owned(), said);
        write!(
            f,
            "event → webhook: idle {}; beside {BESIDE_RECORDS_PER_S} records/s {}; Alertmanager, alert → webhook, idle: {alertmanager}",
            said(self.idle),
            said(self.beside_load)
        )
    }
}

type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<Instant>>>>;

/// A webhook that notes when each message arrives.
pub struct Hook {
    waiting: Waiting,
    port: u16,
}

impl Hook {
    /// Begins to listen.
    pub async fn open() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let waiting = Waiting::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&waiting));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { waiting, port })
    }

    /// Rules that tell it of everything that is confirmed.
    pub fn rules(&self) -> String {
        format!(
            "[[rule]]\nname = 'bench'\nactions = ['hook']\n[[action]]\nname = 'hook'\nkind = 'webhook'\nallow_private = true\n\
             url = 'http://127.0.0.1:{}/'\nsecret = 'whsec_b3ZlcnJ1bi1zdG9yeS1zZWNyZXQtMzItYnl0ZXMhIQ=='\n",
            self.port
        )
    }

    fn expect(&self, id: &str) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().expect("no holder of this lock panics").insert(id.to_owned(), sender);
        receiver
    }
}

async fn take(State(waiting): State<Waiting>, body: Bytes) -> StatusCode {
    let arrived = Instant::now();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let alerts = message["alerts"].as_array().into_iter().flatten().map(|alert| &alert["labels"]["request"]);
    for id in alerts.chain([&message["data"]["request_id"]]).filter_map(Value::as_str) {
        if let Some(waits) = waiting.lock().expect("no holder of this lock panics").remove(id) {
            // Whoever waited may have given up.
            let _ = waits.send(arrived);
        }
    }
    StatusCode::NO_CONTENT
}

/// Measures all of it. `dir` is for Alertmanager's files.
pub async fn measure(addresses: &Addresses, hook: &Hook, dir: &Path) -> anyhow::Result<Figures> {
    let client = reqwest::Client::builder().timeout(EVENT_MAX).build()?;
    let url = format!("http://{}/v1/push/lambda_text", addresses.ingest_http);
    let idle = events(&client, &url, hook, "idle").await?;
    let load = tokio::spawn(load(client.clone(), url.clone()));
    let beside_load = events(&client, &url, hook, "load").await;
    load.abort();
    Ok(Figures { idle, beside_load: beside_load?, alertmanager: alertmanager(&client, hook, dir).await? })
}

/// Sends events one after the other, each when the one before it has arrived.
async fn events(client: &reqwest::Client, url: &str, hook: &Hook, seed: &str) -> anyhow::Result<Latency> {
    let body = |id: &str| {
        format!(
            "REPORT RequestId: {id}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 256 MB\tMax Memory Used: 91 MB\tStatus: timeout\n"
        )
    };
    latency(hook, seed, async |id| {
        let answer = client.post(url).header("content-type", "text/plain").body(body(&id)).send().await?;
        ensure!(answer.status().is_success(), "the collector answered {}", answer.status());
        Ok(())
    })
    .await
}

async fn latency(hook: &Hook, seed: &str, emit: impl AsyncFn(String) -> anyhow::Result<()>) -> anyhow::Result<Latency> {
    let mut latencies = Vec::new();
    for number in 0..EVENTS {
        let id = uuid(&format!("{seed}-{number}"));
        let (arrival, sent) = (hook.expect(&id), Instant::now());
        emit(id).await?;
        let arrived = tokio::time::timeout(EVENT_MAX, arrival).await.context("a webhook did not arrive in time")??;
        latencies.push(arrived.saturating_duration_since(sent).as_secs_f64() * 1_000.0);
    }
    Ok(Latency { p50_ms: quantile(&mut latencies, 0.5), p99_ms: quantile(&mut latencies, 0.99) })
}

/// Ordinary lines at a steady rate, until it is aborted.
async fn load(client: reqwest::Client, url: String) {
    let every = Duration::from_secs(1) * u32::try_from(LINES_PER_REQUEST).unwrap_or(1) / BESIDE_RECORDS_PER_S;
    let mut ticks = tokio::time::interval(every);
    let open = Arc::new(Semaphore::new(OPEN_MAX));
    for number in 0_u64.. {
        ticks.tick().await;
        // One that is late holds up the next only once too many are: the rate is what is to be held.
        let Ok(permit) = Arc::clone(&open).acquire_owned().await else { return };
        let send = client.post(&url).header("content-type", "text/plain").body(lines(&format!("beside-{number}"))).send();
        tokio::spawn(async move {
            drop(send.await);
            drop(permit);
        });
    }
}

/// A program that ends with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn alertmanager(client: &reqwest::Client, hook: &Hook, dir: &Path) -> anyhow::Result<Option<Latency>> {
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let file = dir.join("alertmanager.yml");
    let config = format!(
        "route: {{receiver: hook, group_by: [request], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{}/'}}]}}]\n",
        hook.port
    );
    std::fs::write(&file, config)?;
    let Some(_running) = ALERTMANAGERS.iter().find_map(|name| start(name, &file, dir, port)) else { return Ok(None) };
    let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
    let until = Instant::now() + EVENT_MAX;
    while client.get(&url).send().await.is_err() {
        ensure!(Instant::now() < until, "Alertmanager did not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let measured = latency(hook, "alertmanager", async |id| {
        let alert = json!([{ "labels": { "alertname": "bench", "request": id } }]);
        let answer = client.post(&url).header("content-type", "application/json").body(alert.to_string()).send().await?;
        ensure!(answer.status().is_success(), "Alertmanager answered {}", answer.status());
        Ok(())
    });
    measured.await.map(Some)
}

fn start(program: &str, file: &Path, dir: &Path, port: u16) -> Option<Running> {
    let mut command = Command::new(program);
    command.arg("--config.file").arg(file).arg("--storage.path").arg(dir.join("alertmanager"));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--cluster.listen-address=");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok().map(Running)
}
