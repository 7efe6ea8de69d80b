//! When to stop: SIGTERM or Ctrl-C, once to stop in order, twice to stop at once.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long an orderly stop may take before it is cut short; below the 30 s that orchestrators allow by default.
pub const STOP_MAX: Duration = Duration::from_secs(20);

/// A token that is cancelled by the first signal. A second one ends the process.
pub fn on_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("no handler for SIGINT")?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping; a second signal stops at once");
        token.cancel();
        next().await;
        std::process::exit(130);
    });
    Ok(stop)
}
