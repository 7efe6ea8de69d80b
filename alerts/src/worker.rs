//! From changes to messages: routes changes into deliveries, claims those that are due, has attempts made.
//!
//! Nothing is kept here that is not in the store. A change is routed in one transaction; a delivery belongs to whoever
//! claimed it until its lease is over; so a process that dies loses nothing and sends nothing twice but what it was just
//! sending, under the same identity.

mod attempt;
mod outfit;
mod results;
mod running;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use domain::Clock;
use jiff::{SignedDuration, Timestamp};
use prometheus::Registry;
use store::{Delivery, Lease, Store, StoreError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::attempt::Attempts;
use self::outfit::{Outfit, Routing};
use self::running::Running;
use self::wake::Wake;
use crate::actions::Desk;
use crate::metrics::Metrics;
use crate::options::{AlertOptions, OptionsError};
use crate::rules::Rules;

/// How long to leave a database alone that does not answer.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The shortest wait for a delivery that is due soon, so that one that another process holds is not asked for in a circle.
const DUE_PAUSE_MIN: Duration = Duration::from_millis(10);

/// Groups told of in one transaction.
const GROUPS_PER_TURN_MAX: u32 = 200;

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
    let desk = Desk { store: store.clone(), clock: Arc::clone(&clock) };
    let outfit = Outfit::new(rules.borrow().clone(), &options, desk).map_err(AlertsError::Connections)?;
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
        counted_at: None,
        next_group_at: None,
        looked_at: None,
        order_may_differ: true,
        more_may_be_due: true,
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
    counted_at: Option<Instant>,
    /// When a message about a group is due, as of the last turn.
    next_group_at: Option<Timestamp>,
    /// When the rules had seen all changes; `None` where there may be more.
    looked_at: Option<Instant>,
    /// Whether deliveries may wait for others that need not: by earlier rules, or since a turn was cut off.
    order_may_differ: bool,
    /// Whether deliveries may be due that there was no room for: they go before new ones.
    more_may_be_due: bool,
}

impl Worker {
    async fn run(mut self, wake: Wake, stop: CancellationToken) {
        let mut answered = true;
        while !stop.is_cancelled() {
            // What was claimed is free for others when the lease ends, so no turn is worth more time than that.
            let lease = self.options.lease();
            let pause = match store::in_time(lease, self.turn()).await {
                Ok(pause) => {
                    if !answered {
                        tracing::info!("alerts go on");
                    }
                    answered = true;
                    pause
                }
                Err(error) => {
                    self.metrics.database_faults.inc();
                    if answered {
                        log(&error);
                    }
                    answered = false;
                    self.order_may_differ = true;
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => break,
                () = wake.woken() => self.looked_at = None,
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
        if self.rules.has_changed().unwrap_or(false) {
            self.dress();
        }
        let routed = if self.changes_may_wait() { self.route(now).await } else { Ok(()) };
        self.tell_groups(now).await?;
        // What is due is sent even if changes cannot be read.
        self.claim(now).await?;
        self.next_group_at = self.store.next_group_at().await?;
        self.metrics.running.set(i64::from(self.running.count()));
        self.count().await?;
        routed?;
        if self.looked_at.is_none() {
            return Ok(Duration::ZERO);
        }
        if self.free() == 0 {
            return Ok(self.options.poll_interval());
        }
        let due = self.store.next_delivery_at().await?;
        let due = due.into_iter().chain(self.next_group_at).min().map(|due| until(now, due).max(DUE_PAUSE_MIN));
        Ok(due.map_or(self.options.poll_interval(), |due| due.min(self.options.poll_interval())))
    }

    /// Lets the rules look at some changes, and begins attempts that can be made at once.
    async fn route(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.running.reap();
        let outfit = Arc::clone(&self.outfit);
        let routing = Routing { outfit: &outfit, metrics: &self.metrics, now };
        let lease = (!self.more_may_be_due).then(|| self.lease(now, &outfit));
        let routed = self.store.route_changes(now, self.options.changes_per_batch_max, routing, lease).await?;
        self.metrics.changes.inc_by(routed.changes);
        self.begin(routed.claimed);
        self.looked_at = (!routed.more_may_wait).then(Instant::now);
        Ok(())
    }

    /// Whether there may be changes that no rule has seen: announced ones, or after a while such as a process that died had taken.
    fn changes_may_wait(&self) -> bool {
        self.looked_at.is_none_or(|at| at.elapsed() >= self.options.poll_interval())
    }

    /// Tells of groups whose time has come.
    async fn tell_groups(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.next_group_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        let outfit = Arc::clone(&self.outfit);
        self.store.tell_groups(now, GROUPS_PER_TURN_MAX, move |due, silences| outfit.tell_due(due, silences, now)).await?;
        Ok(())
    }

    /// Begins as many attempts as are due and may run.
    async fn claim(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.running.reap();
        self.more_may_be_due = true;
        if self.free() == 0 {
            return Ok(());
        }
        if self.order_may_differ {
            self.store.look_at_waiting_deliveries().await?;
            self.order_may_differ = false;
        }
        let claimed = self.store.claim_deliveries(self.lease(now, &self.outfit)).await?;
        self.begin(claimed);
        self.more_may_be_due = self.free() == 0;
        Ok(())
    }

    /// For as many deliveries as attempts may be begun.
    fn lease<'a>(&self, now: Timestamp, outfit: &'a Outfit) -> Lease<'a> {
        Lease { now, until: later(now, self.options.lease()), limit: self.free(), order: outfit.order() }
    }

    fn begin(&mut self, claimed: Vec<Delivery>) {
        for delivery in claimed {
            let id = delivery.id.clone();
            self.running.begin(id, Arc::clone(&self.attempts).make(delivery, Arc::clone(&self.outfit)));
        }
    }

    /// How many more attempts may run.
    fn free(&self) -> u32 {
        self.options.attempts_concurrent_max.saturating_sub(self.running.count())
    }

    /// Counts what is on its way, and looks for results of retries, as often as polling is done and not as often as the worker is woken.
    async fn count(&mut self) -> Result<(), StoreError> {
        if self.counted_at.is_none_or(|at| at.elapsed() >= self.options.poll_interval()) {
            self.counted_at = Some(Instant::now());
            self.metrics.pending.set(i64::try_from(self.store.pending_deliveries().await?).unwrap_or(i64::MAX));
            self.metrics.breakers.set(self.outfit.breakers.closed(self.clock.now()));
            results::look(&self.store, self.clock.now(), self.options.lease(), &self.metrics).await?;
        }
        Ok(())
    }

    /// Takes over new rules, unless connections for them cannot be set up.
    fn dress(&mut self) {
        let rules = Arc::clone(&self.rules.borrow_and_update());
        let desk = Desk { store: self.store.clone(), clock: Arc::clone(&self.clock) };
        match Outfit::new(rules, &self.options, desk) {
            Ok(outfit) => {
                self.outfit = Arc::new(outfit);
                self.order_may_differ = true;
            }
            Err(error) => tracing::error!(error = &*error as &(dyn std::error::Error + 'static), "new rules not taken over"),
        }
    }

    /// Lets running attempts finish for a while, then puts the others back.
    async fn stop(self) {
        for id in self.running.end(self.options.stop_timeout()).await {
            if let Err(error) = self.store.release_delivery(&id).await {
                // Its lease will end.
                log(&error);
            }
        }
    }
}

fn log(error: &StoreError) {
    let cause = error as &(dyn std::error::Error + 'static);
    if error.is_unavailable() {
        tracing::warn!(error = cause, "alerts wait for the database");
    } else {
        tracing::error!(error = cause, "alerts cannot read or write their part of the database");
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
