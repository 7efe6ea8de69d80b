//! The external extension for AWS Lambda: it runs beside the function, in any runtime and without a change of its code.
//!
//! ```text
//! Extensions API ─ INVOKE ──→ watch ── fired, before the deadline ─┐
//! Telemetry API ── batches ──→ local ── platform's and function's ──┼→ ship → collector
//! SDKs ── events on localhost ─→ local ────────────────────────────┘
//! ```
//!
//! It must never be the cause of a problem. It asks for the next event at once, so that no invocation waits for it; whatever
//! goes wrong is said once and leaves the function alone; what it holds is bounded. It ends only when Lambda ends it, since
//! an extension that exits takes the environment with it.
//!
//! Extensions API 2020-01-01 and Telemetry API 2022-07-01, as AWS documents them in the Lambda developer guide (read 2026-11-27).

mod clock;
mod last_words;
mod local;
mod platform;
mod processes;
mod settings;
mod ship;
mod watch;

use std::process::ExitCode;
use std::sync::Arc;

use crate::platform::{Next, Platform};
use crate::settings::Settings;
use crate::ship::Shipper;
use crate::watch::Watch;

/// One thread: what is done here is waiting.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Arc::new(Settings::read(|name| std::env::var(name).ok()));
    let Some(api) = settings.runtime_api.clone() else {
        say("expected AWS_LAMBDA_RUNTIME_API in the environment: this program runs as an extension of AWS Lambda");
        return ExitCode::FAILURE;
    };
    match run(settings, &api).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: Arc<Settings>, api: &str) -> Result<(), platform::Failed> {
    // Registering comes first: Lambda waits for it.
    let platform = Platform::register(api).await?;
    if settings.disabled {
        return idle(&platform).await;
    }
    let shipper = Shipper::start(&settings);
    let watch = Watch::new(Arc::clone(&settings), shipper.clone());
    match local::listen(&settings, watch.clone(), shipper.clone()).await {
        Ok(port) => {
            if let Err(error) = platform.subscribe(port).await {
                say(&format!("the platform's own events will be missing: {error}"));
            }
        }
        Err(error) => say(&format!("no port to listen on, so the platform's and the SDKs' events will be missing: {error}")),
    }
    loop {
        match platform.next().await? {
            Next::Invoke(invocation) => watch.began(invocation),
            Next::Shutdown { deadline_ms } => {
                watch.ended();
                shipper.drain(deadline_ms).await;
                return Ok(());
            }
        }
    }
}

/// Switched off: does what Lambda demands of an extension and nothing else.
async fn idle(platform: &Platform) -> Result<(), platform::Failed> {
    loop {
        if let Next::Shutdown { .. } = platform.next().await? {
            return Ok(());
        }
    }
}

/// Says something on standard error, which ends in the function's log. Lambda marks such lines as the extension's.
fn say(words: &str) {
    eprintln!("overrun extension: {words}");
}
