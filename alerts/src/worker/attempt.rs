//! One attempt at one delivery: made, judged, written down.

use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Millis};
use jiff::Timestamp;
use store::{AttemptOutcome, Delivery, Store, StoreError};
use tokio::time::Instant;
use tokio::time::error::Elapsed;
use tracing::Instrument;

use super::later;
use super::outfit::Outfit;
use crate::actions::ActionError;
use crate::breaker::{Gate, Heard};
use crate::delay::{self, ATTEMPTS_MAX, Jitter};
use crate::metrics::{Metrics, NO_ACTION};
use crate::notification::Notification;
use crate::options::AlertOptions;

/// After so many attempts that never came to an end, such as in processes that died, a delivery is not tried again.
const BEGUN_MAX: u32 = 2 * ATTEMPTS_MAX;

/// How often, and how far apart, the end of an attempt is written if the database does not answer.
const WRITES_MAX: u32 = 5;
const WRITE_PAUSE: Duration = Duration::from_secs(1);

/// What an attempt needs beside its delivery.
pub(super) struct Attempts {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub options: AlertOptions,
}

/// How an attempt ended.
struct Ended {
    kind: &'static str,
    label: &'static str,
    end: End,
}

/// Which attempt it was.
struct Record {
    id: String,
    number: u32,
    started_at: Timestamp,
    took: Millis,
}

/// What is to be written down.
enum End {
    /// It was made.
    Made(AttemptOutcome),
    /// It was not made, and will be.
    Postponed { until: Timestamp, why: String },
}

impl Attempts {
    /// Makes the attempt that the claimed delivery is at, and writes down what became of it.
    pub(super) async fn make(self: Arc<Self>, delivery: Delivery, outfit: Arc<Outfit>) {
        let span = tracing::info_span!(
            "alerts.attempt",
            delivery.id = %delivery.id,
            delivery.attempt = delivery.attempts,
            delivery.action = %delivery.action,
            incident.id = %delivery.incident.id,
        );
        async {
            let (id, number) = (delivery.id.clone(), delivery.attempts);
            let (started_at, started) = (self.clock.now(), Instant::now());
            let ended = self.send(delivery, &outfit).await;
            let took = started.elapsed();
            self.metrics.attempt_seconds.with_label_values(&[ended.kind]).observe(took.as_secs_f64());
            self.metrics.deliveries.with_label_values(&[ended.kind, ended.label]).inc();
            // The answer itself is in the record of the attempt and not in the log: it may name people.
            if matches!(ended.end, End::Made(AttemptOutcome::Refused { .. })) {
                tracing::warn!(outcome = ended.label, "a delivery was parked");
            } else {
                tracing::debug!(outcome = ended.label, "an attempt ended");
            }
            let took = Millis::from_us(i64::try_from(took.as_micros()).unwrap_or(i64::MAX));
            self.write_down(Record { id, number, started_at, took }, ended.end).await;
        }
        .instrument(span)
        .await;
    }

    async fn send(&self, delivery: Delivery, outfit: &Outfit) -> Ended {
        // Those from before somebody had it sent again no longer count.
        let number = delivery.attempts.saturating_sub(delivery.forgiven);
        let refused = |detail: String| AttemptOutcome::Refused { detail };
        let Some(action) = outfit.rules.action(&delivery.action) else {
            let outcome = refused(format!("there is no action `{}` in the rules file any more", delivery.action));
            return Ended { kind: NO_ACTION, label: "refused", end: End::Made(outcome) };
        };
        let kind = action.kind();
        if number > BEGUN_MAX {
            let outcome = refused(format!("given up after {BEGUN_MAX} attempts without an end"));
            return Ended { kind, label: "exhausted", end: End::Made(outcome) };
        }
        match outfit.breakers.ask(&delivery.action, self.clock.now()) {
            Gate::Open => {}
            Gate::ClosedUntil(until) => {
                let why = format!("`{}` failed again and again and is left alone for a while", delivery.action);
                return Ended { kind, label: "postponed", end: End::Postponed { until, why } };
            }
            Gate::Gone => {
                let outcome = refused(format!("`{}` answered 410 Gone and is not asked again before the rules change", delivery.action));
                return Ended { kind, label: "refused", end: End::Made(outcome) };
            }
        }
        let name = delivery.action.clone();
        let notification = self.notification(delivery);
        let timeout = self.options.attempt_timeout();
        let attempted = tokio::time::timeout(timeout, action.attempt(&notification, &outfit.tools)).await;
        if let Some(heard) = heard(&attempted) {
            outfit.breakers.note(&name, heard, self.clock.now());
        }
        let (label, outcome) = match attempted {
            Ok(Ok(detail)) => ("delivered", AttemptOutcome::Delivered { detail }),
            Ok(Err(ActionError::Later { until, why, .. })) => {
                return Ended { kind, label: "postponed", end: End::Postponed { until, why } };
            }
            Ok(Err(ActionError::Declined { why, .. })) => ("declined", AttemptOutcome::Declined { detail: why }),
            Ok(Err(error @ (ActionError::GiveUp { .. } | ActionError::Gone { .. }))) => ("refused", refused(error.detail())),
            Ok(Err(error @ ActionError::Retry { after, .. })) => self.again(number, after, error.detail()),
            Err(_) => self.again(number, None, format!("expected an end within {timeout:?}, found none")),
        };
        Ended { kind, label, end: End::Made(outcome) }
    }

    fn notification(&self, delivery: Delivery) -> Notification {
        Notification {
            link: Notification::link_to(&self.options.public_url, &delivery.incident),
            delivery_id: delivery.id,
            rule: delivery.rule,
            action: delivery.action,
            incident: delivery.incident,
            context: delivery.context,
            created_at: delivery.created_at,
            attempted_at: self.clock.now(),
        }
    }

    /// Another attempt after a while, unless there were enough.
    fn again(&self, number: u32, after: Option<Duration>, detail: String) -> (&'static str, AttemptOutcome) {
        match delay::after(number, after, Jitter::random()) {
            Some(delay) => ("retry", AttemptOutcome::Retry { detail, due_at: later(self.clock.now(), delay) }),
            None => ("exhausted", AttemptOutcome::Refused { detail: format!("given up after {number} attempts: {detail}") }),
        }
    }

    /// Writes down the end of an attempt. If the database stays away, the lease ends and the attempt is made again, under
    /// the same identity.
    async fn write_down(&self, record: Record, end: End) {
        for written in 1..=WRITES_MAX {
            let Err(error) = store::in_time(self.options.lease(), self.write(&record, &end)).await else { return };
            if written == WRITES_MAX || !error.is_unavailable() {
                let cause = &error as &(dyn std::error::Error + 'static);
                tracing::error!(error = cause, "the end of an attempt could not be written down; it is made again after its lease");
                return;
            }
            tokio::time::sleep(WRITE_PAUSE).await;
        }
    }

    async fn write(&self, record: &Record, end: &End) -> Result<(), StoreError> {
        let Record { id, number, started_at, took } = record;
        match end {
            End::Made(outcome) => self.store.finish_attempt(id, *number, *started_at, *took, outcome.clone()).await,
            End::Postponed { until, why } => self.store.postpone_delivery(id, *number, *until, why).await,
        }
    }
}

/// What an attempt says about its receiver; nothing where it was not asked.
fn heard(attempted: &Result<Result<String, ActionError>, Elapsed>) -> Option<Heard> {
    match attempted {
        Ok(Err(ActionError::Later { .. } | ActionError::Declined { .. })) => None,
        Ok(Err(ActionError::Gone { .. })) => Some(Heard::Gone),
        Ok(Err(ActionError::Retry { .. })) | Err(_) => Some(Heard::Failure),
        Ok(Ok(_) | Err(ActionError::GiveUp { .. })) => Some(Heard::Answer),
    }
}
