//! The second step of routing: what is told, what is counted, what is muted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use store::{AlertGroup, Change, ChangeKind, DeliveryContext, Known, Moments, NewDelivery, NewMatch, Plan, Volume};

use super::condition::Subject;
use super::group::{self, action_key};
use super::inhibit::Inhibit;
use super::look::{Kind, Match, Matched, MatchedChange, happened_at};
use super::silence::Silencer;
use super::timing::{More, One, Timing};
use super::{Rule, Rules};

/// What is decided so far, on top of what was known.
struct Desk<'a> {
    rules: &'a Rules,
    silencers: &'a [&'a Silencer],
    now: Timestamp,
    known: Known,
    /// Incidents of this batch by group, for rates.
    fresh: BTreeMap<String, Moments>,
    plan: Plan,
}

impl Rules {
    /// Decides about changes that were looked at.
    pub(crate) fn plan(&self, changes: &[Change], matched: &Matched, known: Known, silencers: &[&Silencer], now: Timestamp) -> Plan {
        let mut desk = Desk { rules: self, silencers, now, known, fresh: BTreeMap::new(), plan: Plan::default() };
        for found in &matched.changes {
            desk.decide(&changes[found.change], found);
        }
        desk.plan
    }

    /// Decides about groups of which a message is due, each with its latest change.
    pub(crate) fn tell_due(&self, due: Vec<(AlertGroup, Change)>, silencers: &[&Silencer], now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        for (mut group, change) in due {
            group.due_at = None;
            let rule = self.list.iter().find(|rule| rule.name == group.rule && rule.actions.contains(&group.action));
            if let Some(rule) = rule.filter(|rule| !rule.is_muted_at(now)) {
                let silenced = silence_of(silencers, &change, &Subject::of(&change.incident), now);
                match (silenced, rule.free_at(now)) {
                    (Some(silence), _) => {
                        plan.silenced.insert((change.incident.id.to_string(), silence));
                    }
                    (None, free_at) if free_at > now => group.due_at = Some(free_at),
                    (None, _) => {
                        let id = group::message_id(&group.key, change.id);
                        let context = rule.context(&change, Timing::more(&group), None);
                        plan.deliveries.push((change.id, rule.delivery(id.clone(), &group.action, Some(&group.key), now, context)));
                        Timing::told(&mut group, &id, now);
                    }
                }
            }
            plan.groups.insert(group.key.clone(), group);
        }
        plan
    }
}

impl Desk<'_> {
    fn decide(&mut self, change: &Change, found: &MatchedChange) {
        let silence = silence_of(self.silencers, change, &found.subject, self.now);
        let inhibited_by = found.parts.iter().find(|part| {
            let held = self.plan.inhibitions.get(&part.key).or_else(|| self.known.inhibitions.get(&part.key));
            Inhibit::mutes(part, held, &change.incident, self.now)
        });
        let inhibited_by = inhibited_by.map(|part| format!("inhibit {}", self.rules.inhibits[part.inhibit].name));
        // That more is known about what was told before puts it under no silence.
        let (mut is_news, mut is_told) = (change.kind != ChangeKind::Updated, false);
        let mut has_match = false;
        for one in &found.matches {
            let rule = &self.rules.list[one.rule];
            if one.kind == Kind::Resolved {
                self.resolve(change, rule, silence.is_some());
                continue;
            }
            if !self.known.matches.insert(one.id.clone()) {
                continue;
            }
            (is_news, has_match) = (true, true);
            let muted_by = silence.map(|id| format!("silence {id}")).or_else(|| inhibited_by.clone()).or_else(|| rule.muted_by(self.now));
            if muted_by.is_none() {
                is_told |= self.tell(change, one, rule) && self.rules.tells_on_call(rule);
            }
            // What is told at once, by itself, is kept from being told twice by its delivery.
            if muted_by.is_some() || one.group.is_some() || !found.parts.is_empty() || !rule.active.is_empty() {
                let (id, rule, group) = (one.id.clone(), rule.name.clone(), one.group.clone());
                let (incident_id, at) = (change.incident.id.to_string(), happened_at(change));
                self.plan.matches.push(NewMatch { id, rule, group, incident_id, at, muted_by });
            }
        }
        if let Some(silence) = silence.filter(|_| is_news) {
            self.plan.silenced.insert((change.incident.id.to_string(), silence));
        }
        if has_match {
            self.strike(change, found, is_told);
        }
    }

    /// Inhibitions begin with a source of which those who run the system are told, and last while sources strike.
    fn strike(&mut self, change: &Change, found: &MatchedChange, is_told: bool) {
        for part in &found.parts {
            let held = self.plan.inhibitions.get(&part.key).or_else(|| self.known.inhibitions.get(&part.key));
            if let Some(inhibition) = self.rules.inhibits[part.inhibit].struck(part, held, &change.incident, is_told, self.now) {
                self.plan.inhibitions.insert(part.key.clone(), inhibition);
            }
        }
    }

    /// Tells of a match, now or later, if there are enough of them; answers whether there are.
    fn tell(&mut self, change: &Change, one: &Match, rule: &Rule) -> bool {
        self.count(change, one, rule);
        let Ok(volume) = self.volume(change, one, rule) else { return false };
        let free_at = rule.free_at(self.now);
        let (Some(grouping), Some(group)) = (&rule.grouping, &one.group) else {
            for action in &rule.actions {
                let context = rule.context(change, More { count: 0, since: None }, volume);
                self.send(change, rule, action, group::delivery_id(&change.incident, &rule.name, action), context);
            }
            return true;
        };
        let is_known = one.others.iter().any(|other| self.known.matches.contains(other));
        let one = One { change: change.id, now: self.now, free_at, is_urgent: one.kind == Kind::Urgent, is_known };
        for action in &rule.actions {
            let key = action_key(group, action);
            let known = self.plan.groups.remove(&key).or_else(|| self.known.groups.get(&key).cloned());
            let mut state = known.unwrap_or_else(|| AlertGroup::untold(&key, &rule.name, action));
            if let Some(more) = grouping.timing.take(&mut state, one) {
                let id = group::delivery_id(&change.incident, &rule.name, action);
                let context = rule.context(change, more, volume);
                self.plan.deliveries.push((change.id, rule.delivery(id.clone(), action, Some(&key), self.now, context)));
                Timing::told(&mut state, &id, self.now);
            }
            self.plan.groups.insert(key, state);
        }
        true
    }

    /// Counts a match: one after the other, as if each were alone, so that it does not matter which changes are looked at
    /// together.
    fn count(&mut self, change: &Change, one: &Match, rule: &Rule) {
        let Some(group) = &one.group else { return };
        let moment = || (happened_at(change), change.incident.id.to_string());
        if rule.threshold.is_some() {
            self.known.windows.entry(group.clone()).or_default().insert(moment());
        }
        if rule.escalating.is_some() && !one.others.iter().any(|other| self.known.matches.contains(other)) {
            self.fresh.entry(group.clone()).or_default().insert(moment());
        }
    }

    /// The number that is enough; an error if there are not enough.
    fn volume(&self, change: &Change, one: &Match, rule: &Rule) -> Result<Option<Volume>, ()> {
        let Some(group) = &one.group else { return Ok(None) };
        let mut volume = None;
        if let Some(threshold) = rule.threshold {
            let moments = self.known.windows.get(group);
            if !moments.is_some_and(|moments| threshold.is_reached(moments, happened_at(change))) {
                return Err(());
            }
            volume = Some(threshold.volume());
        }
        if let Some(escalating) = rule.escalating {
            let (recent, earlier) = self.known.rates.get(group).copied().unwrap_or_default();
            let recent = recent + self.fresh.get(group).map_or(0, |fresh| escalating.recent(fresh));
            if !escalating.is_reached(recent, earlier) {
                return Err(());
            }
            volume = Some(escalating.volume(recent));
        }
        Ok(volume)
    }

    fn resolve(&mut self, change: &Change, rule: &Rule, is_silenced: bool) {
        if is_silenced || rule.is_muted_at(self.now) {
            return;
        }
        for action in &rule.actions {
            let context = rule.context(change, More { count: 0, since: None }, None);
            self.send(change, rule, action, group::resolved_id(change.id, &rule.name, action), context);
        }
    }

    /// Tells of one change by itself: now, or when the hours of its rule begin. Until then it is no delivery, since that would
    /// hold up those that come after it.
    fn send(&mut self, change: &Change, rule: &Rule, action: &str, id: String, context: DeliveryContext) {
        let free_at = rule.free_at(self.now);
        if free_at <= self.now {
            self.plan.deliveries.push((change.id, rule.delivery(id, action, None, self.now, context)));
            return;
        }
        let waiting =
            AlertGroup { more: 1, due_at: Some(free_at), latest_change: change.id, ..AlertGroup::untold(&id, &rule.name, action) };
        self.plan.groups.insert(id, waiting);
    }
}

impl Rule {
    fn context(&self, change: &Change, more: More, volume: Option<Volume>) -> DeliveryContext {
        DeliveryContext { severity: self.severity.clone(), event: change.problem_event, more: more.count, since: more.since, volume }
    }

    fn delivery(&self, id: String, action: &str, group: Option<&str>, due_at: Timestamp, context: DeliveryContext) -> NewDelivery {
        NewDelivery { id, rule: self.name.clone(), action: action.to_owned(), due_at, group: group.map(str::to_owned), context }
    }

    /// When the rule may speak: now, or when its hours begin.
    fn free_at(&self, now: Timestamp) -> Timestamp {
        self.active.iter().filter_map(|interval| interval.next(now)).min().unwrap_or(now)
    }

    fn is_muted_at(&self, now: Timestamp) -> bool {
        self.mute.iter().any(|interval| interval.holds_at(now))
    }

    fn muted_by(&self, now: Timestamp) -> Option<String> {
        self.mute.iter().find(|interval| interval.holds_at(now)).map(|interval| format!("time interval {}", interval.name))
    }
}

/// The silence that holds a change's incident.
fn silence_of(silencers: &[&Silencer], change: &Change, subject: &Subject, now: Timestamp) -> Option<i64> {
    silencers.iter().find(|silencer| silencer.holds(&change.incident, subject, now)).map(|silencer| silencer.id)
}
