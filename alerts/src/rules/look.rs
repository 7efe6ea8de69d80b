//! The first step of routing: which rules match which changes, and what has to be known to decide about them.

use std::collections::BTreeMap;

use domain::Incident;
use jiff::Timestamp;
use store::{Change, ProblemEvent, Wanted};

use super::condition::Subject;
use super::group::{self, Phase};
use super::inhibit::Part;
use super::{On, Rule, Rules};

/// What matched, for the second step.
#[derive(Default)]
pub(crate) struct Matched {
    /// Changes that some rule matches.
    pub(super) changes: Vec<MatchedChange>,
    /// Rules whose condition could not be evaluated, and why.
    pub faults: Vec<(String, String)>,
}

/// One change that some rule matches, or that a silence may hold.
pub(super) struct MatchedChange {
    /// Which of the changes.
    pub change: usize,
    /// The incident, as conditions see it.
    pub subject: Subject,
    pub matches: Vec<Match>,
    /// What it is to the inhibitions.
    pub parts: Vec<Part>,
}

/// One rule that matches one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// Which of the rules.
    pub rule: usize,
    pub kind: Kind,
    /// Its identity.
    pub id: String,
    /// The identities of the same incident in states that say more or less.
    pub others: Vec<String>,
    /// The group that it belongs to, without and with each action.
    pub group: Option<String>,
}

/// Why a rule looks at a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An incident as others.
    Usual,
    /// Its problem is back: news, however lately its group was told of.
    Urgent,
    /// Its problem is resolved.
    Resolved,
}

impl Rules {
    /// Looks at changes.
    ///
    /// Any kind of change is looked at, since late evidence can be what makes a rule match; the identity of a match keeps
    /// the same thing from being told twice.
    pub(crate) fn look(&self, changes: &[Change]) -> (Wanted, Matched) {
        let (mut found, mut wanted) = (Matched::default(), Wanted { silences: true, ..Wanted::default() });
        let mut latest: BTreeMap<(usize, String), Timestamp> = BTreeMap::new();
        for (number, change) in changes.iter().enumerate() {
            let subject = Subject::of(&change.incident);
            let matches: Vec<Match> = (0..self.list.len()).filter_map(|rule| self.match_of(rule, change, &subject, &mut found)).collect();
            let parts: Vec<Part> = if matches.iter().any(|one| one.kind != Kind::Resolved) {
                self.inhibits.iter().enumerate().filter_map(|(n, inhibit)| inhibit.part(n, &change.incident, &subject)).collect()
            } else {
                Vec::new()
            };
            for one in &matches {
                let at = happened_at(change);
                self.want(one, at, &mut wanted);
                if let (Some(_), Some(group)) = (self.list[one.rule].escalating, &one.group) {
                    let latest = latest.entry((one.rule, group.clone())).or_insert(at);
                    *latest = at.max(*latest);
                }
            }
            wanted.inhibitions.extend(parts.iter().map(|part| part.key.clone()));
            found.changes.push(MatchedChange { change: number, subject, matches, parts });
        }
        // Whether something escalates is asked once for all incidents of a batch.
        let rates = latest.into_iter().filter_map(|((rule, group), at)| Some(self.list[rule].escalating?.wanted(group, at)));
        wanted.rates.extend(rates);
        (wanted, found)
    }

    fn match_of(&self, number: usize, change: &Change, subject: &Subject, found: &mut Matched) -> Option<Match> {
        let (rule, incident) = (&self.list[number], &change.incident);
        let kind = rule.kind(change)?;
        if let Some(condition) = &rule.condition {
            match condition.holds(subject) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(why) => {
                    found.faults.push((rule.name.clone(), why));
                    return None;
                }
            }
        }
        let phase = Phase::of(incident.state);
        let others = Phase::ALL.into_iter().filter(|other| *other != phase).map(|other| group::match_id(incident, other, &rule.name));
        Some(Match {
            rule: number,
            kind,
            id: group::match_id(incident, phase, &rule.name),
            others: others.collect(),
            group: rule.grouping.as_ref().map(|grouping| grouping.key(incident, &rule.name)),
        })
    }

    /// What has to be known to decide about a match.
    fn want(&self, one: &Match, at: Timestamp, wanted: &mut Wanted) {
        if one.kind == Kind::Resolved {
            return;
        }
        wanted.matches.push(one.id.clone());
        let Some(group) = &one.group else { return };
        wanted.matches.extend(one.others.iter().cloned());
        let rule = &self.list[one.rule];
        wanted.groups.extend(rule.actions.iter().map(|action| group::action_key(group, action)));
        wanted.windows.extend(rule.threshold.map(|threshold| threshold.wanted(group.clone(), at)));
    }
}

impl Rule {
    /// Why the rule looks at a change; `None` if it does not.
    fn kind(&self, change: &Change) -> Option<Kind> {
        let asks = |on| self.on.contains(&on);
        match change.problem_event {
            Some(ProblemEvent::Resolved) => return asks(On::Resolved).then_some(Kind::Resolved),
            Some(ProblemEvent::Reopened) => return None,
            Some(ProblemEvent::New | ProblemEvent::Regressed) | None => {}
        }
        if !self.states.contains(&change.incident.state) || !self.uses_enough_of_its_limit(&change.incident) {
            return None;
        }
        match change.problem_event {
            Some(ProblemEvent::Regressed) if asks(On::Regressed) || asks(On::Incident) => Some(Kind::Urgent),
            Some(ProblemEvent::New) if asks(On::NewProblem) => Some(Kind::Usual),
            _ => asks(On::Incident).then_some(Kind::Usual),
        }
    }

    fn uses_enough_of_its_limit(&self, incident: &Incident) -> bool {
        let Some(share) = self.limit_share else { return true };
        let limit = incident.diagnosis.limit.as_ref().and_then(|limit| limit.value_ms);
        match (incident.elapsed_ms, limit) {
            (Some(elapsed), Some(limit)) => elapsed.as_ms_f64() >= share * limit.as_ms_f64(),
            _ => false,
        }
    }
}

/// When the incident of a change happened.
pub(super) fn happened_at(change: &Change) -> Timestamp {
    change.incident.at().unwrap_or(change.at)
}
