//! Which incident matches which rule, and what is to be sent for it. Pure.

mod condition;
mod error;
mod fields;
mod file;
mod group;
mod summary;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use domain::{Incident, IncidentState};
use jiff::Timestamp;
use store::{Change, NewDelivery, Quiet};
use toml::de::DeTable;

use self::condition::{Condition, Subject};
use self::group::Grouping;
use crate::actions::{Action, Smtp};
use crate::settings::{Fault, Source, Surroundings};

pub use self::error::RulesError;
pub use self::summary::{ActionSummary, RuleSummary, Summary};

/// The states that people are told of unless a rule asks for others (design.md §2).
const PAGING_STATES: [IncidentState; 2] = [IncidentState::Confirmed, IncidentState::Lost];

/// A validated rules file. The default has no rules: everything is shown and nothing is sent.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<Rule>,
    actions: BTreeMap<String, Action>,
    smtp: Option<Smtp>,
}

/// One `[[rule]]`.
#[derive(Debug)]
struct Rule {
    name: String,
    /// The condition as written.
    source: Option<String>,
    condition: Option<Condition>,
    states: Vec<IncidentState>,
    grouping: Option<Grouping>,
    actions: Vec<String>,
}

/// What the rules make of one change.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    /// What is to be sent.
    pub deliveries: Vec<NewDelivery>,
    /// Rules whose condition could not be evaluated, and why.
    pub faults: Vec<(String, String)>,
}

impl Rules {
    /// Reads the text of a rules file. `file` is its name, for messages and as the start of relative paths in it.
    ///
    /// # Errors
    /// The first thing that is wrong, with line and key: TOML, unknown keys, conditions, names, secrets.
    pub fn parse(text: &str, file: &str) -> Result<Self, RulesError> {
        Self::parse_with(text, file, &crate::load::read_text)
    }

    /// The same with a given way to read the files that hold secrets.
    pub(crate) fn parse_with(text: &str, file: &str, read_file: &dyn Fn(&Path) -> io::Result<String>) -> Result<Self, RulesError> {
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        let table = DeTable::parse(text).map_err(|error| RulesError::new(file, &Source::unread(text), Fault::from(error)))?;
        let source = Source::new(text, table.get_ref());
        file::read(table, &Surroundings { folder, read_file }).map_err(|fault| RulesError::new(file, &source, fault))
    }

    /// What is to be sent for a change.
    ///
    /// Any kind of change is looked at, since late evidence can be what makes a rule match; the identity of a delivery
    /// keeps the same thing from being told twice.
    pub(crate) fn route(&self, change: &Change, now: Timestamp) -> Routed {
        let incident = &change.incident;
        let mut routed = Routed::default();
        let mut subject = None;
        for rule in self.list.iter().filter(|rule| rule.states.contains(&incident.state)) {
            let matched = match &rule.condition {
                None => Ok(true),
                Some(condition) => condition.holds(subject.get_or_insert_with(|| Subject::of(incident))),
            };
            match matched {
                Ok(true) => routed.deliveries.extend(rule.actions.iter().map(|action| rule.delivery(incident, action, now))),
                Ok(false) => {}
                Err(why) => routed.faults.push((rule.name.clone(), why)),
            }
        }
        routed
    }

    /// The action of this name.
    pub(crate) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.get(name)
    }

    /// The mail server.
    pub(crate) fn smtp(&self) -> Option<&Smtp> {
        self.smtp.as_ref()
    }
}

impl Rule {
    fn delivery(&self, incident: &Incident, action: &str, now: Timestamp) -> NewDelivery {
        NewDelivery {
            id: group::delivery_id(incident, &self.name, action),
            rule: self.name.clone(),
            action: action.to_owned(),
            due_at: now,
            quiet: self.grouping.as_ref().map(|grouping| Quiet {
                group: grouping.key(incident, &self.name, action),
                since: now.saturating_sub(grouping.quiet_for).unwrap_or(Timestamp::MIN),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
