//! From changes to messages: routes changes into deliveries, claims those that are due, has attempts made.
//!
//! Nothing is kept here that is not in the store. A change is routed in one transaction; a delivery belongs to whoever
//! claimed it until its lease is over; so a process that dies loses nothing and sends nothing twice but what it was just
//! sending, under the same identity.

mod attempt;
mod outfit;
mod wake;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;
use store::{Store, StoreError};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use self::attempt::Attempts;
use self::outfit::Outfit;
use self::wake::Wake;
use crate::metrics::Metrics;
use crate::options::{AlertOptions, OptionsError};
use crate::rules::Rules;

/// How long to leave a database alone that does not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The shortest wait for a delivery that is due soon, so that one that another process holds is not asked for in a circle.
const DUE_PAUSE_MIN: Duration = Duration::from_millis(10);

/// Why alerts cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AlertsError {
    /// A setting is out of its range.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A metric's name is taken.
    #[error("metrics of alerts could not be registered")]
    Metrics(#[from] prometheus::Error),
    /// TLS cannot be set up.
    #[error("connections for alerts could not be set up")]
    Connections(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends alerts until `stop` is cancelled. New rules take effect when `rules` changes.
///
/// The database may be away: then alerts wait for it. A TLS provider of rustls must have been installed for the process.
///
/// # Errors
/// Only at the start; see [`AlertsError`].
pub async fn run(
    store: Store,
    rules: watch::Receiver<Arc<Rules>>,
    clock: Arc<dyn Clock>,
    options: AlertOptions,
    registry: &Registry,
    stop: CancellationToken,
) -> Result<(), AlertsError> {
    options.validate()?;
    let metrics = Metrics::register(registry)?;
    let outfit = Outfit::new(rules.borrow().clone(), &options).map_err(AlertsError::Connections)?;
    let wake = Wake::listen(store.clone(), stop.clone());
    let attempts = Attempts { store: store.clone(), clock: Arc::clone(&clock), metrics: metrics.clone(), options: options.clone() };
    let worker = Worker {
        store,
        rules,
        rules_may_change: true,
        outfit: Arc::new(outfit),
        clock,
        options,
        metrics,
        attempts: Arc::new(attempts),
        running: Running::default(),
    };
    worker.run(wake, stop).await;
    Ok(())
}

struct Worker {
    store: Store,
    rules: watch::Receiver<Arc<Rules>>,
    rules_may_change: bool,
    outfit: Arc<Outfit>,
    clock: Arc<dyn Clock>,
    options: AlertOptions,
    metrics: Metrics,
    attempts: Arc<Attempts>,
    running: Running,
}

/// The attempts that run now, and what they deliver.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    deliveries: HashMap<Id, String>,
}

impl Worker {
    async fn run(mut self, wake: Wake, stop: CancellationToken) {
        let mut answered = true;
        while !stop.is_cancelled() {
            let pause = match self.turn().await {
                Ok(pause) => {
                    if !answered {
                        tracing::info!("alerts go on");
                    }
                    answered = true;
                    pause
                }
                Err(error) => {
                    if answered {
                        log(&error);
                    }
                    answered = false;
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = wake.woken() => {}
                () = self.running.one_ended() => {}
                changed = self.rules.changed(), if self.rules_may_change => match changed {
                    Ok(()) => self.dress(),
                    // Whoever could change them is gone, and asking again would be answered at once for ever.
                    Err(_) => self.rules_may_change = false,
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.stop().await;
    }

    /// One look at everything; answers how long there is nothing to do.
    async fn turn(&mut self) -> Result<Duration, StoreError> {
        let now = self.clock.now();
        let outfit = Arc::clone(&self.outfit);
        let batch_max = self.options.changes_per_batch_max;
        let routed = self.store.route_changes(now, batch_max, |change| outfit.route(change, now, &self.metrics)).await?;
        self.metrics.changes.inc_by(routed);
        self.running.reap();
        let free = self.options.attempts_concurrent_max.saturating_sub(self.running.count());
        if free > 0 {
            for delivery in self.store.claim_deliveries(now, later(now, self.options.lease()), free).await? {
                let id = delivery.id.clone();
                let attempt = Arc::clone(&self.attempts).make(delivery, Arc::clone(&self.outfit));
                self.running.begin(id, attempt);
            }
        }
        self.metrics.running.set(i64::from(self.running.count()));
        if routed >= u64::from(batch_max) {
            return Ok(Duration::ZERO);
        }
        if self.running.count() >= self.options.attempts_concurrent_max {
            return Ok(self.options.poll_interval());
        }
        let due = self.store.next_delivery_at().await?.map(|due| until(now, due).max(DUE_PAUSE_MIN));
        Ok(due.map_or(self.options.poll_interval(), |due| due.min(self.options.poll_interval())))
    }

    /// Takes over new rules, unless connections for them cannot be set up.
    fn dress(&mut self) {
        let rules = Arc::clone(&self.rules.borrow_and_update());
        match Outfit::new(rules, &self.options) {
            Ok(outfit) => self.outfit = Arc::new(outfit),
            Err(error) => tracing::error!(error = &*error as &(dyn std::error::Error + 'static), "new rules not taken over"),
        }
    }

    /// Lets running attempts finish for a while, then puts the others back.
    async fn stop(mut self) {
        let all = async { while self.running.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(self.options.stop_timeout(), all).await.is_ok() {
            return;
        }
        self.running.tasks.abort_all();
        let mut put_back = Vec::new();
        while let Some(ended) = self.running.tasks.join_next_with_id().await {
            put_back.extend(ended.err().and_then(|error| self.running.deliveries.remove(&error.id())));
        }
        for id in put_back {
            if let Err(error) = self.store.release_delivery(&id).await {
                // Its lease will end.
                log(&error);
            }
        }
    }
}

impl Running {
    fn begin(&mut self, delivery_id: String, attempt: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(attempt);
        self.deliveries.insert(task.id(), delivery_id);
    }

    fn count(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    /// Waits until an attempt ends; for ever if none runs.
    async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => std::future::pending().await,
        }
    }

    /// Forgets all that have ended.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(error = %error, "an attempt ended by a fault of ours; it is made again after its lease");
                error.id()
            }
        };
        self.deliveries.remove(&id);
    }
}

fn log(error: &StoreError) {
    let cause = error as &(dyn std::error::Error + 'static);
    if error.is_unavailable() {
        tracing::warn!(error = cause, "alerts wait for the database");
    } else {
        tracing::error!(error = cause, "alerts wait for the database");
    }
}

/// The moment `by` later.
fn later(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// How long until then; zero if it has passed.
fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
