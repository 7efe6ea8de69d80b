//! Which incident matches which rule, and what is to be sent for it. Pure.

mod condition;
mod error;
mod fields;
mod file;
mod group;
mod inhibit;
mod look;
mod plan;
mod replay;
mod schedule;
mod silence;
mod summary;
mod timing;
mod volume;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use domain::IncidentState;
use serde::Deserialize;
use toml::de::DeTable;

use self::condition::Condition;
use self::group::Grouping;
use self::inhibit::Inhibit;
use self::schedule::TimeInterval;
use self::volume::{Escalating, Threshold};
use crate::actions::{Action, Smtp};
use crate::settings::{Fault, Source, Surroundings};

pub use self::error::RulesError;
pub(crate) use self::look::Matched;
pub use self::replay::{Replay, Replayed, Told};
pub(crate) use self::silence::Silencer;
pub use self::silence::check_silence;
pub use self::summary::{ActionSummary, RuleSummary, Summary};

/// The states that people are told of unless a rule asks for others (design.md §2).
const PAGING_STATES: [IncidentState; 2] = [IncidentState::Confirmed, IncidentState::Lost];

/// A validated rules file. The default has no rules: everything is shown and nothing is sent.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<Rule>,
    inhibits: Vec<Inhibit>,
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
    on: Vec<On>,
    states: Vec<IncidentState>,
    /// How much of the limit the request must have used, from 0 to 1 and beyond.
    limit_share: Option<f64>,
    threshold: Option<Threshold>,
    escalating: Option<Escalating>,
    grouping: Option<Grouping>,
    severity: Option<String>,
    /// Times in which it speaks; outside of them it waits. None: always.
    active: Vec<TimeInterval>,
    /// Times of which it never speaks.
    mute: Vec<TimeInterval>,
    actions: Vec<String>,
}

/// What a rule is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum On {
    /// Every incident.
    Incident,
    /// The first incident of a problem that surely overran.
    NewProblem,
    /// A problem that is back after somebody had resolved it.
    Regressed,
    /// A problem of which somebody says that it is resolved.
    Resolved,
}

impl On {
    fn as_str(self) -> &'static str {
        match self {
            Self::Incident => "incident",
            Self::NewProblem => "new_problem",
            Self::Regressed => "regressed",
            Self::Resolved => "resolved",
        }
    }
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

    /// The names of a rule's actions; an error with the rules there are, if there is none of that name.
    pub(crate) fn actions_of(&self, rule: &str) -> Result<&[String], String> {
        let found = self.list.iter().find(|known| known.name == rule);
        found.map(|rule| rule.actions.as_slice()).ok_or_else(|| {
            let names: Vec<_> = self.list.iter().map(|rule| rule.name.as_str()).collect();
            file::named("[[rule]]", rule, &names)
        })
    }

    /// How bad a rule says that it is.
    pub(crate) fn severity_of(&self, rule: &str) -> Option<&str> {
        self.list.iter().find(|known| known.name == rule)?.severity.as_deref()
    }

    /// The action of this name.
    pub(crate) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.get(name)
    }

    /// Whether a rule tells those who run the system.
    fn tells_on_call(&self, rule: &Rule) -> bool {
        rule.actions.iter().filter_map(|name| self.action(name)).any(Action::tells_on_call)
    }

    /// All actions by name.
    pub(crate) fn actions(&self) -> impl Iterator<Item = (&str, &Action)> {
        self.actions.iter().map(|(name, action)| (name.as_str(), action))
    }

    /// The mail server.
    pub(crate) fn smtp(&self) -> Option<&Smtp> {
        self.smtp.as_ref()
    }
}

#[cfg(test)]
mod tests;
