//! What rules would have done with changes of the past: the same two steps, with what they remember kept in memory.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use store::{AlertGroup, Change, Inhibition, Known, Moments, NewDelivery, Plan, Silence, Wanted, WantedRate};

use super::Rules;
use super::silence::Silencer;

/// One message that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// By which rule.
    pub rule: String,
    /// To which action.
    pub action: String,
    /// The incident that it would have shown, as its verdict.
    pub summary: String,
    /// The function of that incident.
    pub function: Option<String>,
    /// How many more it would have told of.
    pub more: u64,
}

/// Rules that look at changes again.
pub struct Replay<'a> {
    rules: &'a Rules,
    silencers: Vec<Silencer>,
    memory: Memory,
    told: Vec<Told>,
    seen: BTreeSet<String>,
    /// What kept how many matches from being told.
    muted: BTreeMap<String, u64>,
    /// Conditions that could not be evaluated.
    faults: u64,
}

/// What the database holds for the rules.
#[derive(Default)]
struct Memory {
    matches: HashSet<String>,
    groups: BTreeMap<String, AlertGroup>,
    /// The latest change of each group that waits.
    waiting: BTreeMap<String, Change>,
    moments: BTreeMap<String, Moments>,
    inhibitions: BTreeMap<String, Inhibition>,
}

impl<'a> Replay<'a> {
    /// Begins with nothing remembered. `silences` are those that hold or held; what cannot be read holds nothing.
    #[must_use]
    pub fn new(rules: &'a Rules, silences: Vec<Silence>) -> Self {
        let held = silences.into_iter().filter_map(|silence| Silencer::read(silence).ok()).collect();
        let (memory, told, seen) = (Memory::default(), Vec::new(), BTreeSet::new());
        Self { rules, silencers: held, memory, told, seen, muted: BTreeMap::new(), faults: 0 }
    }

    /// Looks at the next change, at the time at which it was written.
    pub fn take(&mut self, change: Change) {
        let now = change.at;
        self.route(&[change], now);
    }

    /// Looks at changes together, as a worker does.
    fn route(&mut self, changes: &[Change], now: Timestamp) {
        self.tell_due(now);
        let (wanted, matched) = self.rules.look(changes);
        self.faults += matched.faults.len() as u64;
        let known = self.memory.known(&wanted);
        let plan = self.rules.plan(changes, &matched, known, &self.silencers.iter().collect::<Vec<_>>(), now);
        self.keep(plan, changes, now);
    }

    /// Ends it: groups that wait until then are told of.
    #[must_use]
    pub fn end(mut self, now: Timestamp) -> Replayed {
        self.tell_due(now);
        Replayed { told: self.told, muted: self.muted, faults: self.faults }
    }

    /// Tells of the groups whose time has come, one after the other.
    fn tell_due(&mut self, now: Timestamp) {
        loop {
            let due = self.memory.groups.values().filter_map(|group| Some((group.due_at?, group))).filter(|(due, _)| *due <= now);
            let Some((at, group)) = due.min_by_key(|(due, _)| *due).map(|(due, group)| (due, group.clone())) else { return };
            let Some(change) = self.memory.waiting.remove(&group.key) else { return };
            let plan = self.rules.tell_due(vec![(group, change.clone())], &self.silencers.iter().collect::<Vec<_>>(), at);
            self.keep(plan, &[change], at);
        }
    }

    fn keep(&mut self, plan: Plan, changes: &[Change], now: Timestamp) {
        for one in plan.matches {
            match (one.muted_by, one.group) {
                (Some(by), _) => *self.muted.entry(by).or_default() += 1,
                (None, Some(group)) => {
                    self.memory.moments.entry(group).or_default().insert((one.at, one.incident_id));
                }
                (None, None) => {}
            }
            self.memory.matches.insert(one.id);
        }
        for (key, group) in plan.groups {
            let latest = changes.iter().find(|change| change.id == group.latest_change);
            match latest {
                Some(change) if group.due_at.is_some() => drop(self.memory.waiting.insert(key.clone(), change.clone())),
                _ => drop(self.memory.waiting.remove(&key)),
            }
            self.memory.groups.insert(key, group);
        }
        self.memory.inhibitions.extend(plan.inhibitions);
        for (change, delivery) in plan.deliveries {
            // What is told already is left alone, as by the database.
            if let Some(change) = changes.iter().find(|one| one.id == change).filter(|_| self.seen.insert(delivery.id.clone())) {
                self.told.push(told(change, delivery, now));
            }
        }
    }
}

fn told(change: &Change, delivery: NewDelivery, now: Timestamp) -> Told {
    Told {
        at: delivery.due_at.max(now),
        rule: delivery.rule,
        action: delivery.action,
        summary: change.incident.summary.clone(),
        function: change.incident.function.as_ref().map(ToString::to_string),
        more: delivery.context.more,
    }
}

impl Memory {
    fn known(&self, wanted: &Wanted) -> Known {
        let window = |window: &store::WantedWindow| {
            let from = window.at.saturating_sub(window.within).unwrap_or(Timestamp::MIN);
            let to = window.at.saturating_add(window.within).unwrap_or(Timestamp::MAX);
            (window.group.clone(), self.between(&window.group, from, to).cloned().collect())
        };
        Known {
            matches: wanted.matches.iter().filter(|id| self.matches.contains(*id)).cloned().collect(),
            groups: wanted.groups.iter().filter_map(|key| Some((key.clone(), self.groups.get(key)?.clone()))).collect(),
            windows: wanted.windows.iter().map(window).collect(),
            rates: wanted.rates.iter().map(|rate| (rate.group.clone(), self.rate(rate))).collect(),
            inhibitions: wanted.inhibitions.iter().filter_map(|key| Some((key.clone(), self.inhibitions.get(key)?.clone()))).collect(),
            silences: Vec::new(),
        }
    }

    fn rate(&self, wanted: &WantedRate) -> (u64, u64) {
        let before = |windows: i32| wanted.at.saturating_sub(wanted.window.saturating_mul(windows)).unwrap_or(Timestamp::MIN);
        let windows = i32::try_from(wanted.windows_before).unwrap_or(i32::MAX - 1);
        let (mut recent, mut earlier) = (BTreeSet::new(), BTreeSet::new());
        for (at, incident) in self.between(&wanted.group, before(1 + windows), wanted.at) {
            let part = if *at > before(1) { &mut recent } else { &mut earlier };
            part.insert(incident);
        }
        (recent.len() as u64, earlier.len() as u64)
    }

    /// Matches of a group between two moments, both included.
    fn between(&self, group: &str, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &(Timestamp, String)> {
        let all = self.moments.get(group);
        all.into_iter().flat_map(move |all| all.range((from, String::new())..)).take_while(move |(at, _)| *at <= to)
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Every message, in order.
    pub told: Vec<Told>,
    /// What kept how many matches from being told.
    pub muted: BTreeMap<String, u64>,
    /// Conditions that could not be evaluated.
    pub faults: u64,
}

#[cfg(test)]
mod tests;
