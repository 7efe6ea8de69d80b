//! Room ahead and retention behind: partitions are made before they are needed and dropped when they are old; statistics of
//! minutes are put together by the hour.

use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use jiff::SignedDuration;
use store::Store;
use tokio_util::sync::CancellationToken;

/// Partitions are made hours ahead, so this is often enough.
const EVERY: Duration = Duration::from_mins(5);

/// How long durations are kept: a quarter of a year, in which a trend shows.
const STATISTICS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 92);

/// How long rules remember what they matched and told: longer than their longest window and interval, which is a week.
const ROUTING_KEPT: SignedDuration = SignedDuration::from_hours(24 * 8);

/// How long subscribers can ask for errors that they missed.
const ERRORS_KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Keeps the database's partitions in order until `stop`. `evidence_days` is how long evidence without an incident is kept.
pub async fn run(store: Store, clock: Arc<dyn Clock>, evidence_days: u32, stop: CancellationToken) {
    loop {
        let now = clock.now();
        if let Err(error) = store.create_partitions(now).await {
            tracing::warn!(error = %error, "partitions could not be made ahead; receiving makes what it misses");
        }
        let kept = SignedDuration::from_hours(24 * i64::from(evidence_days));
        match now.saturating_sub(kept).map(|oldest| (oldest, store.clone())) {
            Ok((oldest, store)) => match store.drop_partitions_before(oldest).await {
                Ok(0) => {}
                Ok(dropped) => tracing::info!(partitions = dropped, "old evidence was dropped"),
                Err(error) => tracing::warn!(error = %error, "old evidence could not be dropped; it is tried again"),
            },
            Err(error) => tracing::warn!(error = %error, "`database.evidence_days` is out of range"),
        }
        let oldest = now.saturating_sub(STATISTICS_KEPT).unwrap_or(now);
        if let Err(error) = store.compact_function_minutes(now, oldest).await {
            tracing::warn!(error = %error, "statistics of minutes could not be put together; it is tried again");
        }
        if let Err(error) = store.forget_routing(now.saturating_sub(ROUTING_KEPT).unwrap_or(now)).await {
            tracing::warn!(error = %error, "what rules no longer need could not be forgotten; it is tried again");
        }
        let oldest = now.saturating_sub(ERRORS_KEPT).unwrap_or(now);
        if let Err(error) = store.drop_errors_before(oldest).await {
            tracing::warn!(error = %error, "old errors of stacks could not be forgotten; it is tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
