//! The rules in force with the connections they need: taken over together or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use store::{AlertGroup, Change, DeliveryOrder, Known, Plan, Router, Silence, Wanted};

use crate::actions::{Desk, Order, Tools};
use crate::breaker::Breakers;
use crate::metrics::Metrics;
use crate::options::AlertOptions;
use crate::rules::{Matched, Rules, Silencer};

/// Rules and connections.
pub(super) struct Outfit {
    pub rules: Arc<Rules>,
    pub tools: Tools,
    /// Receivers that are left alone: new rules try them anew.
    pub breakers: Breakers,
    by_stack: Vec<String>,
    unordered: Vec<String>,
    /// Rules whose condition failed once: said once.
    faulty: Mutex<BTreeSet<String>>,
    /// Silences that hold, read once each.
    silencers: Mutex<BTreeMap<i64, Option<Arc<Silencer>>>>,
}

impl Outfit {
    pub(super) fn new(rules: Arc<Rules>, options: &AlertOptions, desk: Desk) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let tools = Tools::new(&rules, options.http_timeout(), desk)?;
        let of = |wanted| rules.actions().filter(|(_, action)| action.order() == wanted).map(|(name, _)| name.to_owned()).collect();
        let (by_stack, unordered) = (of(Order::OfStack), of(Order::None));
        let (faulty, silencers, breakers) = (Mutex::default(), Mutex::default(), Breakers::default());
        Ok(Self { rules, tools, breakers, by_stack, unordered, faulty, silencers })
    }

    /// Which deliveries go one after the other.
    pub(super) fn order(&self) -> DeliveryOrder<'_> {
        DeliveryOrder { by_stack: &self.by_stack, unordered: &self.unordered }
    }

    /// What is to be told of groups that waited.
    pub(super) fn tell_due(&self, due: Vec<(AlertGroup, Change)>, silences: &[Silence], now: Timestamp) -> Plan {
        let held = self.silencers(silences);
        self.rules.tell_due(due, &held.iter().map(Arc::as_ref).collect::<Vec<_>>(), now)
    }

    /// The silences as they are held against incidents. One that cannot be read holds nothing: better told than lost.
    fn silencers(&self, holding: &[Silence]) -> Vec<Arc<Silencer>> {
        let mut known = self.silencers.lock().expect("no holder of this lock panics");
        known.retain(|id, _| holding.iter().any(|silence| silence.id == *id));
        let read = |silence: &Silence| {
            let read = |silence: Silence| match Silencer::read(silence) {
                Ok(read) => Some(Arc::new(read)),
                Err(why) => {
                    tracing::warn!(error = why, "a silence cannot be read and holds nothing");
                    None
                }
            };
            // Its end may have changed, what it matches does not.
            let found = known.entry(silence.id).or_insert_with(|| read(silence.clone()));
            found.clone()
        };
        holding.iter().filter_map(read).collect()
    }

    /// Counts conditions that cannot be evaluated, and logs each rule once.
    fn note(&self, faults: &[(String, String)], metrics: &Metrics) {
        for (rule, why) in faults {
            metrics.rule_faults.inc();
            if self.faulty.lock().expect("no holder of this lock panics").insert(rule.clone()) {
                tracing::warn!(rule.name = rule, error = why, "a rule's condition cannot be evaluated");
            }
        }
    }
}

/// The rules in force at one moment, as the store asks them.
pub(super) struct Routing<'a> {
    pub outfit: &'a Outfit,
    pub metrics: &'a Metrics,
    pub now: Timestamp,
}

impl Router for Routing<'_> {
    type Matched = Matched;

    fn look(&self, changes: &[Change]) -> (Wanted, Matched) {
        let (wanted, matched) = self.outfit.rules.look(changes);
        self.outfit.note(&matched.faults, self.metrics);
        (wanted, matched)
    }

    fn plan(&self, changes: &[Change], matched: Matched, known: Known) -> Plan {
        let held = self.outfit.silencers(&known.silences);
        let plan = self.outfit.rules.plan(changes, &matched, known, &held.iter().map(Arc::as_ref).collect::<Vec<_>>(), self.now);
        self.metrics.muted.inc_by(plan.matches.iter().filter(|one| one.muted_by.is_some()).count() as u64);
        plan
    }
}
