//! The demo's own webhook: what an alert looks like to who receives it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Alerts waited for after the last one: enough for the slowest commit, short enough for somebody who watches.
const QUIET: Duration = Duration::from_secs(2);
/// More than the demo can send.
const ALERTS_MAX: usize = 256;

/// Where alerts arrive.
pub struct Inbox {
    url: String,
    alerts: mpsc::Receiver<String>,
}

/// Opens the webhook on a free port.
pub async fn open(stop: CancellationToken) -> anyhow::Result<Inbox> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the demo's webhook")?;
    let url = format!("http://{}/alerts", listener.local_addr()?);
    let (sender, alerts) = mpsc::channel(ALERTS_MAX);
    let router = Router::new().route("/alerts", post(receive)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await });
    Ok(Inbox { url, alerts })
}

async fn receive(State(alerts): State<mpsc::Sender<String>>, Json(event): Json<serde_json::Value>) -> StatusCode {
    let incident = &event["data"];
    let summary = incident["summary"].as_str().unwrap_or("an event without a summary");
    let who = [&incident["function"], &incident["request_id"], &incident["pid"]].into_iter().find(|value| !value.is_null());
    let line = who.map_or_else(
        || summary.to_owned(),
        |who| format!("{summary} ({})", who.as_str().map_or_else(|| format!("pid {who}"), str::to_owned)),
    );
    match alerts.try_send(line) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl Inbox {
    /// Writes rules that send every confirmed incident here.
    pub fn write_rules(&self, dir: &Path) -> anyhow::Result<PathBuf> {
        let file = dir.join("rules.toml");
        let rules = format!(
            r#"# Written by `overrun demo`.
[[rule]]
name = "everything that overran"
actions = ["inbox"]

[[action]]
name = "inbox"
kind = "webhook"
url = "{}"
# A secret for a receiver on this machine, known to everybody.
secret = "whsec_b3ZlcnJ1bi1kZW1vLXNlY3JldC0zMi1ieXRlcyEh"
allow_private = true
"#,
            self.url
        );
        std::fs::write(&file, rules).with_context(|| format!("`{}` cannot be written", file.display()))?;
        Ok(file)
    }

    /// The next alert.
    pub async fn next(&mut self) -> Option<String> {
        self.alerts.recv().await
    }

    /// The next alert; `None` when none has come for a while.
    pub async fn next_soon(&mut self) -> Option<String> {
        tokio::time::timeout(QUIET, self.next()).await.ok().flatten()
    }
}
