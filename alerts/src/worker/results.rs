//! What became of retries that were taken: looked for in the evidence, by whichever process comes to it.

use std::time::Duration;

use domain::RequestId;
use jiff::Timestamp;
use store::{Retry, Store, StoreError};

use crate::metrics::Metrics;
use crate::retry::result_of;

/// Results looked for at once.
const LOOKS_MAX: u32 = 20;

/// Looks for results that are due, and gives up what nobody will tell of: a sending whose process died.
pub(super) async fn look(store: &Store, now: Timestamp, lease: Duration, metrics: &Metrics) -> Result<(), StoreError> {
    let before = now.saturating_sub(jiff::SignedDuration::try_from(lease).unwrap_or_default()).unwrap_or(now);
    store.give_up_begun_retries(before, now).await?;
    for retry in store.claim_retry_results(now, LOOKS_MAX).await? {
        look_for(store, &retry, now).await?;
    }
    let since = now.saturating_sub(store::PROBLEM_SPAN).unwrap_or(now);
    metrics.count_retries(&store.retries_by_state(since).await?);
    Ok(())
}

async fn look_for(store: &Store, retry: &Retry, now: Timestamp) -> Result<(), StoreError> {
    let Some(id) = retry.result_request_id.as_deref().map(RequestId::from) else { return Ok(()) };
    let incidents = store.incidents_of_request(&id).await?;
    let evidence = store.request(None, &id).await?.map(|record| record.evidence).unwrap_or_default();
    match result_of(&incidents, &evidence, now) {
        Some(step) => store.step_retry(&retry.id, &step, now).await,
        None => Ok(()),
    }
}
