//! `overrun demo`: the daemon on a fresh data directory, with captured traffic played in as if it happened now.
//!
//! Everything goes the way it would in earnest: over HTTP into the collector, through Postgres, out to a webhook.

mod inbox;
mod shift;
mod traffic;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::inbox::Inbox;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::serve::{self, Addresses};
use crate::{shutdown, telemetry};

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to put the demo's data; by default a new directory that is removed at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Leave as soon as the traffic is played in and the alerts have arrived
    #[arg(long)]
    once: bool,
}

pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let mut config = Config::load(None, &std::env::vars().collect())?;
    "warn".clone_into(&mut config.telemetry.log);
    config.database.url = None;
    let telemetry = telemetry::start(&config.telemetry)?;
    let dir = Place::new(args.data_dir)?;
    let stop = shutdown::on_signal()?;
    let mut inbox = inbox::open(stop.clone()).await?;
    config.data_dir = Some(dir.path.clone());
    config.alerts.rules_file = Some(inbox.write_rules(&dir.path)?);
    for address in [&mut config.ingest.http, &mut config.ingest.grpc, &mut config.dashboard.http] {
        if TcpListener::bind(*address).is_err() {
            address.set_port(0);
        }
    }

    let progress =
        ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is a constant"));
    progress.enable_steady_tick(Duration::from_millis(120));
    progress.set_message("starting a private Postgres");
    let (ready, addresses) = oneshot::channel();
    let daemon = tokio::spawn(serve::until(config, Arc::new(SystemClock), stop.clone(), ready));
    if let Ok(addresses) = addresses.await {
        progress.set_message("playing in captured traffic");
        let played = traffic::play(&addresses).await;
        progress.finish_and_clear();
        let told = match played {
            Ok(_) => tell(&addresses, &mut inbox).await,
            Err(error) => Err(error),
        };
        if args.once || told.is_err() {
            stop.cancel();
        } else {
            follow(&mut inbox, &stop).await;
        }
        daemon.await??;
        told?;
    } else {
        progress.finish_and_clear();
        daemon.await??;
    }
    tokio::task::spawn_blocking(|| telemetry.flush()).await?;
    Ok(())
}

/// Says what there is to see.
async fn tell(addresses: &Addresses, inbox: &mut Inbox) -> anyhow::Result<()> {
    println!("Captured traffic was played in as if it happened now. Alerts that the demo's own webhook received:\n");
    while let Some(alert) = inbox.next_soon().await {
        println!("  - {alert}");
    }
    println!("\nOpen   http://{}", addresses.dashboard);
    println!("Send   http://{}   (try: overrun ship --to http://{0} app.log)", addresses.ingest_http);
    println!("Stop   Ctrl-C\n");
    Ok(())
}

/// Goes on to print alerts: those about what somebody tries out.
async fn follow(inbox: &mut Inbox, stop: &CancellationToken) {
    while let Some(Some(alert)) = stop.run_until_cancelled(inbox.next()).await {
        println!("  - {alert}");
    }
}

/// The demo's directory.
struct Place {
    path: PathBuf,
    /// Removed at the end unless somebody named it.
    temporary: bool,
}

impl Place {
    fn new(named: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = named.is_none();
        let path = named.unwrap_or_else(|| std::env::temp_dir().join(format!("overrun-demo-{}", std::process::id())));
        std::fs::create_dir_all(&path).with_context(|| format!("`{}` cannot be made", path.display()))?;
        Ok(Self { path, temporary })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.temporary && std::fs::remove_dir_all(&self.path).is_err() {
            eprintln!("overrun: `{}` could not be removed", Path::display(&self.path));
        }
    }
}
