//! What alerts count. Every label is from a closed set.

use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use store::RetryState;

use crate::actions::Action;

/// What can become of an attempt, as metric label.
pub(crate) const OUTCOMES: [&str; 6] = ["delivered", "retry", "postponed", "declined", "refused", "exhausted"];

/// Seconds that attempts take: a receiver nearby to one that hangs.
const BUCKETS_S: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The label of deliveries whose action is no longer configured.
pub(crate) const NO_ACTION: &str = "none";

/// The counters.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    /// Ended attempts by kind of action and outcome.
    pub deliveries: IntCounterVec,
    /// How long attempts took by kind of action.
    pub attempt_seconds: HistogramVec,
    /// Attempts that run now.
    pub running: IntGauge,
    /// Deliveries on their way, of all processes on this database.
    pub pending: IntGauge,
    /// Receivers that this process leaves alone.
    pub breakers: IntGauge,
    /// Retries of the last day, of all processes on this database, by what became of them.
    pub retries: IntGaugeVec,
    /// Changes of incidents that the rules have looked at.
    pub changes: IntCounter,
    /// Matches that nobody was told of, because of a silence, a time or an inhibition.
    pub muted: IntCounter,
    /// Times that the database did not answer as it should.
    pub database_faults: IntCounter,
    /// Conditions that could not be evaluated.
    pub rule_faults: IntCounter,
}

impl Metrics {
    /// Registers everything, at zero, so that a series is there before its first event.
    ///
    /// # Errors
    /// When one of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let deliveries = Opts::new("overrun_alerts_deliveries_total", "Attempts at deliveries that ended, by what became of them.");
        let seconds = HistogramOpts::new("overrun_alerts_attempt_duration_seconds", "How long attempts took.").buckets(BUCKETS_S.to_vec());
        let metrics = Self {
            deliveries: IntCounterVec::new(deliveries, &["action_kind", "outcome"])?,
            attempt_seconds: HistogramVec::new(seconds, &["action_kind"])?,
            running: IntGauge::new("overrun_alerts_attempts_running", "Attempts that run now.")?,
            pending: IntGauge::new("overrun_alerts_deliveries_pending", "Deliveries on their way, of all processes on this database.")?,
            breakers: IntGauge::new(
                "overrun_alerts_receivers_left_alone",
                "Actions to which this process sends nothing for a while, since they fail.",
            )?,
            retries: IntGaugeVec::new(
                Opts::new("overrun_alerts_retries", "Retries of the last 24 hours, of all processes on this database."),
                &["state"],
            )?,
            changes: IntCounter::new("overrun_alerts_changes_total", "Changes of incidents that the rules have looked at.")?,
            muted: IntCounter::new(
                "overrun_alerts_muted_total",
                "Matches that silences, time intervals and inhibitions kept from being told.",
            )?,
            database_faults: IntCounter::new(
                "overrun_alerts_database_faults_total",
                "Times that the database did not answer alerts as it should.",
            )?,
            rule_faults: IntCounter::new("overrun_alerts_rule_faults_total", "Conditions that could not be evaluated.")?,
        };
        for kind in Action::KINDS {
            for outcome in OUTCOMES {
                metrics.deliveries.with_label_values(&[kind, outcome]);
            }
        }
        registry.register(Box::new(metrics.deliveries.clone()))?;
        registry.register(Box::new(metrics.attempt_seconds.clone()))?;
        registry.register(Box::new(metrics.running.clone()))?;
        registry.register(Box::new(metrics.pending.clone()))?;
        registry.register(Box::new(metrics.breakers.clone()))?;
        registry.register(Box::new(metrics.retries.clone()))?;
        registry.register(Box::new(metrics.changes.clone()))?;
        registry.register(Box::new(metrics.muted.clone()))?;
        registry.register(Box::new(metrics.database_faults.clone()))?;
        registry.register(Box::new(metrics.rule_faults.clone()))?;
        metrics.count_retries(&[]);
        Ok(metrics)
    }

    /// Sets how many retries stand where; states that are not named have none.
    pub(crate) fn count_retries(&self, counts: &[(RetryState, u64)]) {
        for state in RetryState::ALL {
            let number = counts.iter().find(|(of, _)| *of == state).map_or(0, |(_, number)| *number);
            self.retries.with_label_values(&[state.as_str()]).set(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
}
