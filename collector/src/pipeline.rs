//! The only glue between receiving and the store: a bounded queue, commits of what is queued, and the recomputation of
//! incidents behind them.
//!
//! ```text
//! submit → queue → committers → store.append → acknowledged
//!                                    └─ wake ─→ store.recompute(fold)
//! ```
//!
//! Acknowledged means durable: [`Pipeline::submit`] returns once the evidence is committed. *Take what is queued, no timer*:
//! a committer takes all that waits, up to a bound, so that a lone event is committed at once and a flood in large commits.
//! Nothing is retried here but once: whoever sent it is told to come again, and knows how.

mod commit;
mod metrics;
mod options;
mod recompute;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::{Clock, Evidence, Folded};
use jiff::Timestamp;
use prometheus::Registry;
use store::{Batch, Store};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use metrics::Metrics;
pub use options::PipelineOptions;

/// The fold over the evidence of one group, [`fn@crate::fold`] with what is known beside it: pure, the same on every replica.
type Fold = dyn Fn(&[Evidence], Timestamp) -> Folded + Send + Sync;

/// Why evidence was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too much waits already.
    #[error("the queue is full; try again later")]
    QueueFull,
    /// The database does not answer.
    #[error("the database is not available; try again later")]
    StoreAway,
    /// The process is being stopped.
    #[error("this process is stopping; try again later")]
    Stopping,
    /// The database refused this evidence, or we have a fault: trying again is of no use.
    #[error("this could not be stored; the log of the daemon says why")]
    Failed,
}

/// The way into the store. Cheap to clone; clones share one queue.
#[derive(Clone)]
pub struct Pipeline(Arc<Shared>);

struct Shared {
    store: Store,
    clock: Arc<dyn Clock>,
    options: PipelineOptions,
    metrics: Metrics,
    queue: mpsc::Sender<Job>,
    /// Whether the last commit found the database away: of an outage, the beginning and the end are logged.
    is_away: AtomicBool,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// One request's batches, and whoever waits for them.
struct Job {
    batches: Vec<Batch>,
    done: oneshot::Sender<Result<(), NotTaken>>,
}

impl Job {
    fn rows(&self) -> usize {
        self.batches.iter().map(|batch| batch.evidence.len()).sum()
    }
}

impl Shared {
    fn count_queue(&self) {
        let items = self.queue.max_capacity() - self.queue.capacity();
        self.metrics.queue_items.set(i64::try_from(items).unwrap_or(i64::MAX));
    }
}

impl Pipeline {
    /// Starts the committers and the recomputation; they end some time after `stop`, see [`Pipeline::finished`].
    ///
    /// # Errors
    ///
    /// When `registry` holds a collector's metrics already.
    pub fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        options: PipelineOptions,
        registry: &Registry,
        fold: impl Fn(&[Evidence], Timestamp) -> Folded + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> prometheus::Result<Self> {
        let (queue, jobs) = mpsc::channel(options.queue_items_max.max(1));
        let metrics = Metrics::register(registry)?;
        let pipeline = Self(Arc::new(Shared {
            store,
            clock,
            options,
            metrics,
            queue,
            is_away: AtomicBool::new(false),
            stop,
            tasks: TaskTracker::new(),
        }));
        let jobs = Arc::new(tokio::sync::Mutex::new(jobs));
        let committers = TaskTracker::new();
        for _ in 0..pipeline.0.options.committers.max(1) {
            committers.spawn(commit::run(pipeline.0.clone(), jobs.clone()));
        }
        committers.close();
        pipeline.0.tasks.spawn(recompute::run(pipeline.0.clone(), Box::new(fold), committers));
        pipeline.0.tasks.close();
        Ok(pipeline)
    }

    /// Stores batches; returns once they are durable. A batch should hold no more than `commit_rows_max` rows.
    ///
    /// # Errors
    ///
    /// See [`NotTaken`]. Nothing or a part was stored then; sending the same again is harmless.
    pub async fn submit(&self, batches: Vec<Batch>) -> Result<(), NotTaken> {
        if self.0.stop.is_cancelled() {
            return Err(NotTaken::Stopping);
        }
        let (done, outcome) = oneshot::channel();
        self.0.queue.try_send(Job { batches, done }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::QueueFull,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Stopping,
        })?;
        self.0.count_queue();
        // The sender is dropped without a word only when its committer panicked.
        outcome.await.unwrap_or(Err(NotTaken::Failed))
    }

    /// Waits until all that was taken is stored and folded. Ends only after the stop was asked for.
    pub async fn finished(&self) {
        self.0.tasks.wait().await;
    }

    /// Whether new evidence is refused because the process is being stopped.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    /// Waits until the process is being stopped.
    pub async fn stopping(&self) {
        self.0.stop.cancelled().await;
    }

    /// Where everything is kept.
    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    /// The clock that evidence is stamped with.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    /// The collector's metrics.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How many rows of evidence a batch should hold at most.
    #[must_use]
    pub fn batch_rows_max(&self) -> usize {
        self.0.options.commit_rows_max.max(1)
    }
}
