//! Keeps incidents in step with their evidence: folds the groups that are due, woken by commits and by time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use domain::{Evidence, Folded};
use futures_util::FutureExt;
use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{Fold, Shared};

/// How long the last round may take when the process is being stopped: what is left is done by the next process.
const LAST_ROUND_MAX: Duration = Duration::from_secs(5);

/// Runs until the stop was asked for and the committers are done; then once more.
pub(super) async fn run(shared: Arc<Shared>, fold: Box<Fold>, committers: TaskTracker) {
    let mut is_away = false;
    while !shared.stop.is_cancelled() {
        tokio::select! {
            away = all_due(&shared, &*fold, is_away) => is_away = away,
            // Not at once: what a round that is broken off has claimed stays locked until it is rolled back, and the last one would pass it over.
            () = overdue(&shared) => break,
        }
        tokio::select! {
            () = shared.store.group_due() => {}
            () = tokio::time::sleep(shared.options.recompute_poll()) => {}
            () = shared.stop.cancelled() => {}
        }
    }
    committers.wait().await;
    if tokio::time::timeout(LAST_ROUND_MAX, all_due(&shared, &*fold, is_away)).await.is_err() {
        tracing::warn!("stopped with groups of evidence left to fold; the next start folds them");
    }
}

/// When what runs has had its time after the stop was asked for.
async fn overdue(shared: &Shared) {
    shared.stop.cancelled().await;
    tokio::time::sleep(LAST_ROUND_MAX).await;
}

/// Folds until nothing is due. Returns whether the store was away; only the first such round in a row is logged.
async fn all_due(shared: &Shared, fold: &Fold, was_away: bool) -> bool {
    loop {
        let round = shared.store.recompute(shared.clock.now(), shared.options.recompute_groups_max.max(1), |evidence: &[Evidence], at| {
            guarded(shared, fold, evidence, at)
        });
        let round = store::in_time(shared.options.recompute_time_max(), round);
        let round = AssertUnwindSafe(round.instrument(tracing::info_span!("recompute"))).catch_unwind().await;
        match round {
            Ok(Ok(done)) => {
                shared.metrics.recompute_groups.inc_by(done.groups);
                if !done.more_may_be_due {
                    return false;
                }
            }
            Ok(Err(error)) => {
                shared.metrics.recompute_errors.inc();
                if !was_away {
                    tracing::warn!(error = &error as &dyn std::error::Error, "incidents are not recomputed: the database did not take it");
                }
                return true;
            }
            Err(_) => {
                shared.metrics.panicked("recompute");
                return was_away;
            }
        }
    }
}

/// The fold, with a panic in it turned into "could not be done": the group's incidents stay as they are.
fn guarded(shared: &Shared, fold: &Fold, evidence: &[Evidence], at: Timestamp) -> Option<Folded> {
    let folded = catch_unwind(AssertUnwindSafe(|| fold(evidence, at)));
    if folded.is_err() {
        shared.metrics.panicked("fold");
    }
    let mut folded = folded.ok()?;
    // Whatever the fold wants, a group is not looked at again within the same breath.
    let soonest = at.saturating_add(shared.options.recompute_poll()).unwrap_or(at);
    folded.recheck_at = folded.recheck_at.map(|again| again.max(soonest));
    Some(folded)
}
