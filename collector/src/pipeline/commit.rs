//! The committers: take what is queued, store it, tell those who wait.

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use store::{Batch, StoreError};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;
use tracing::Instrument;

use super::{Job, NotTaken, Shared};

/// A failure that came sooner than this was no wait for a connection; it is worth one more try, since pooled connections
/// die with the server they led to.
const RETRY_WITHIN: Duration = Duration::from_secs(1);

/// Runs until the queue is closed and empty.
pub(super) async fn run(shared: Arc<Shared>, jobs: Arc<Mutex<mpsc::Receiver<Job>>>) {
    loop {
        // One committer waits for work at a time; the other stores.
        let taken = take(&mut *jobs.lock().await, &shared).await;
        if taken.is_empty() {
            return;
        }
        shared.count_queue();
        let rows: usize = taken.iter().map(Job::rows).sum();
        let span = tracing::info_span!("commit", requests = taken.len(), rows);
        if AssertUnwindSafe(commit(&shared, taken).instrument(span)).catch_unwind().await.is_err() {
            shared.metrics.panicked("commit");
        }
    }
}

/// Waits for one job and takes those behind it, up to the bound of a commit. Empty when the queue is closed and empty.
async fn take(jobs: &mut mpsc::Receiver<Job>, shared: &Shared) -> Vec<Job> {
    let first = tokio::select! {
        biased;
        first = jobs.recv() => first,
        () = shared.stop.cancelled() => {
            // Nothing comes in any more; what is there is still taken.
            jobs.close();
            jobs.recv().await
        }
    };
    let mut taken: Vec<Job> = first.into_iter().collect();
    let mut rows: usize = taken.iter().map(Job::rows).sum();
    while rows < shared.options.commit_rows_max && !taken.is_empty() {
        let Ok(job) = jobs.try_recv() else { break };
        rows += job.rows();
        taken.push(job);
    }
    taken
}

/// Stores these jobs and tells each what became of it.
pub(super) async fn commit(shared: &Shared, jobs: Vec<Job>) {
    let mut batches = Vec::new();
    let mut owners = Vec::new();
    let mut waiting = Vec::new();
    for (owner, job) in jobs.into_iter().enumerate() {
        owners.extend(std::iter::repeat_n(owner, job.batches.len()));
        batches.extend(job.batches);
        waiting.push(Waiting { done: job.done, outcome: Ok(()) });
    }
    for range in ranges(&batches, shared.options.commit_rows_max.max(1)) {
        if let Err(failed) = append(shared, &batches[range.clone()]).await {
            let first = owners[range.start];
            let alone = owners[range.clone()].iter().all(|owner| *owner == first);
            for at in range {
                let outcome = &mut waiting[owners[at]].outcome;
                // One batch that cannot be stored must not sink its neighbours.
                let result = if alone || failed == NotTaken::StoreAway { Err(failed) } else { append(shared, &batches[at..=at]).await };
                *outcome = outcome.and(result);
            }
        }
    }
    for Waiting { done, outcome } in waiting {
        // Whoever no longer waits has lost its connection; the evidence is kept all the same.
        let _ = done.send(outcome);
    }
}

struct Waiting {
    done: oneshot::Sender<Result<(), NotTaken>>,
    outcome: Result<(), NotTaken>,
}

/// Neighbouring batches that together stay within the bound; a larger batch stands alone.
pub(super) fn ranges(batches: &[Batch], rows_max: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut rows = 0;
    for (at, batch) in batches.iter().enumerate() {
        let more = batch.evidence.len();
        match ranges.last_mut() {
            Some(last) if rows + more <= rows_max => last.end = at + 1,
            _ => {
                rows = 0;
                ranges.push(at..at + 1);
            }
        }
        rows += more;
    }
    ranges
}

async fn append(shared: &Shared, batches: &[Batch]) -> Result<(), NotTaken> {
    let metrics = &shared.metrics;
    let started = Instant::now();
    let append = || store::in_time(shared.options.commit_time_max(), shared.store.append(batches));
    let mut result = append().await;
    if result.as_ref().is_err_and(StoreError::is_unavailable) && started.elapsed() < RETRY_WITHIN {
        result = append().await;
    }
    metrics.commit_duration.observe(started.elapsed().as_secs_f64());
    let (outcome, answer) = match &result {
        Ok(appended) => {
            metrics.batches_repeated.inc_by(appended.repeated_batches);
            if shared.is_away.swap(false, Ordering::AcqRel) {
                tracing::info!("evidence is stored again");
            }
            ("stored", Ok(()))
        }
        Err(error) if error.is_unavailable() => {
            if !shared.is_away.swap(true, Ordering::AcqRel) {
                tracing::warn!(error = error as &dyn std::error::Error, "evidence is refused while the database is not available");
            }
            ("unavailable", Err(NotTaken::StoreAway))
        }
        Err(error) => {
            tracing::error!(error = error as &dyn std::error::Error, "evidence was refused: the database did not take it");
            ("failed", Err(NotTaken::Failed))
        }
    };
    metrics.commits.with_label_values(&[outcome]).inc();
    answer
}
