//! Room ahead and retention behind: partitions are made before they are needed and dropped when they are old; statistics of
//! minutes are put together by the hour; what was told is forgotten in time.

use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use jiff::{SignedDuration, Timestamp};
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

/// How long is kept what users can say.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// Evidence without an incident, in days.
    pub evidence_days: u32,
    /// What was told, in days.
    pub deliveries_days: u32,
}

/// Keeps the database in order until `stop`.
pub async fn run(store: Store, clock: Arc<dyn Clock>, kept: Kept, stop: CancellationToken) {
    loop {
        look_after(&store, clock.now(), kept).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Does all of it once. What fails is tried again the next time, and keeps nothing else from being done.
async fn look_after(store: &Store, now: Timestamp, kept: Kept) {
    if let Err(error) = store.create_partitions(now).await {
        tracing::warn!(error = %error, "partitions could not be made ahead; receiving makes what it misses");
    }
    match store.drop_partitions_before(before(now, days(kept.evidence_days))).await {
        Ok(0) => {}
        Ok(dropped) => tracing::info!(partitions = dropped, "old evidence was dropped"),
        Err(error) => tracing::warn!(error = %error, "old evidence could not be dropped; it is tried again"),
    }
    if let Err(error) = store.compact_function_minutes(now, before(now, STATISTICS_KEPT)).await {
        tracing::warn!(error = %error, "statistics of minutes could not be put together; it is tried again");
    }
    if let Err(error) = store.forget_routing(before(now, ROUTING_KEPT)).await {
        tracing::warn!(error = %error, "what rules no longer need could not be forgotten; it is tried again");
    }
    if let Err(error) = store.drop_errors_before(before(now, ERRORS_KEPT)).await {
        tracing::warn!(error = %error, "old errors of stacks could not be forgotten; it is tried again");
    }
    match store.forget_told_before(before(now, days(kept.deliveries_days))).await {
        Ok(0) => {}
        Ok(rows) => tracing::info!(rows, "what was told long ago was forgotten"),
        Err(error) => tracing::warn!(error = %error, "what was told long ago could not be forgotten; it is tried again"),
    }
}

fn days(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}

/// The moment so long ago; the earliest there is if that is further back than time goes.
fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    now.checked_sub(span).unwrap_or(Timestamp::MIN)
}
