//! The rules in force with the connections they need: taken over together or not at all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use store::{Change, NewDelivery};

use crate::actions::Tools;
use crate::metrics::Metrics;
use crate::options::AlertOptions;
use crate::rules::Rules;

/// Rules and connections.
pub(super) struct Outfit {
    pub rules: Arc<Rules>,
    pub tools: Tools,
    /// Rules whose condition failed once: said once.
    faulty: Mutex<BTreeSet<String>>,
}

impl Outfit {
    pub(super) fn new(rules: Arc<Rules>, options: &AlertOptions) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let tools = Tools::new(&rules, options.http_timeout())?;
        Ok(Self { rules, tools, faulty: Mutex::default() })
    }

    /// What is to be sent for a change. Conditions that cannot be evaluated are counted, and logged once each.
    pub(super) fn route(&self, change: &Change, now: Timestamp, metrics: &Metrics) -> Vec<NewDelivery> {
        let routed = self.rules.route(change, now);
        for (rule, why) in routed.faults {
            metrics.rule_faults.inc();
            if self.faulty.lock().expect("no holder of this lock panics").insert(rule.clone()) {
                tracing::warn!(rule.name = rule, error = why, "a rule's condition cannot be evaluated");
            }
        }
        routed.deliveries
    }
}
