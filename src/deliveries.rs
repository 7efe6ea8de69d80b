//! `overrun deliveries`: what was given up, and sending it again.

use clap::Subcommand;
use domain::Clock as _;
use store::ParkedFilter;

use crate::cli::ServeArgs;
use crate::clock::SystemClock;
use crate::explain::visible;
use crate::retry::since;
use crate::serve::Database;

/// Deliveries listed at most.
const LISTED_MAX: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub enum DeliveriesCommand {
    /// List what was given up, newest first
    Parked {
        #[command(flatten)]
        serve: ServeArgs,
    },
    /// Send again what was given up, under the identity that it had
    Replay {
        /// This delivery
        #[arg(long)]
        id: Option<String>,
        /// Those to this action
        #[arg(long)]
        action: Option<String>,
        /// Those of rules that matched since: a time (RFC 3339), or how long ago (`2h`, `3d`)
        #[arg(long)]
        since: Option<String>,
        #[command(flatten)]
        serve: ServeArgs,
    },
}

pub async fn run(command: DeliveriesCommand) -> anyhow::Result<()> {
    let now = SystemClock.now();
    let (serve, filter) = match command {
        DeliveriesCommand::Parked { serve } => (serve, None),
        DeliveriesCommand::Replay { id, action, since: from, serve } => {
            let since = from.as_deref().map(|text| since(text, now)).transpose()?;
            (serve, Some(ParkedFilter { id, action, since }))
        }
    };
    let database = Database::open_beside(&serve.load()?).await?;
    let outcome = match filter {
        None => list(&database.store).await,
        Some(filter) => database.store.replay_parked(&filter, now).await.map_err(Into::into).map(|replayed| {
            println!("{replayed} to be sent again; the daemon does it");
        }),
    };
    database.close().await?;
    outcome
}

async fn list(store: &store::Store) -> anyhow::Result<()> {
    let parked = store.parked_deliveries(&ParkedFilter::default(), LISTED_MAX).await?;
    for delivery in &parked {
        let why = delivery.last_error.as_deref().unwrap_or_default();
        let (action, summary) = (visible(&delivery.action), visible(&delivery.incident.summary));
        println!("{}  {:.0}  {action}  {summary}  ({})", delivery.id, delivery.created_at, visible(why));
    }
    println!("{} given up", parked.len());
    Ok(())
}
