//! What a rules file says, for `overrun rules check` to print.

use std::fmt;

use domain::IncidentState;

use super::{Rule, Rules};

/// All rules and actions, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The rules in the order of the file.
    pub rules: Vec<RuleSummary>,
    /// The actions by name.
    pub actions: Vec<ActionSummary>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSummary {
    /// Its name.
    pub name: String,
    /// Its condition as written; `None` when every incident matches.
    pub when: Option<String>,
    /// The states of an incident that it tells of.
    pub states: Vec<IncidentState>,
    /// The fields that make a group; empty when every incident is told.
    pub group_by: Vec<String>,
    /// How long a group stays quiet after a message, as `4h`.
    pub repeat_interval: Option<String>,
    /// The names of its actions.
    pub actions: Vec<String>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionSummary {
    /// Its name.
    pub name: String,
    /// `webhook` or `email`.
    pub kind: &'static str,
    /// Where it goes, without paths, keys and addresses of people.
    pub target: String,
}

impl Rules {
    /// What the file says.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let action = |(name, action): (&String, &crate::actions::Action)| ActionSummary {
            name: name.clone(),
            kind: action.kind(),
            target: action.target(),
        };
        Summary { rules: self.list.iter().map(summarise).collect(), actions: self.actions.iter().map(action).collect() }
    }
}

fn summarise(rule: &Rule) -> RuleSummary {
    RuleSummary {
        name: rule.name.clone(),
        when: rule.source.clone(),
        states: rule.states.clone(),
        group_by: rule.grouping.iter().flat_map(|grouping| &grouping.by).map(|field| field.path.to_owned()).collect(),
        repeat_interval: rule.grouping.as_ref().map(|grouping| format!("{:#}", grouping.quiet_for)),
        actions: rule.actions.clone(),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        writeln!(f, "{}, {}", count(self.rules.len(), "rule"), count(self.actions.len(), "action"))?;
        for rule in &self.rules {
            let states: Vec<_> = rule.states.iter().map(|state| state.as_str()).collect();
            writeln!(f, "rule `{}`", rule.name)?;
            writeln!(f, "  when     {}", rule.when.as_deref().unwrap_or("any incident"))?;
            writeln!(f, "  states   {}", states.join(", "))?;
            if let Some(repeat) = &rule.repeat_interval {
                writeln!(f, "  groups   by {}, each at most once in {repeat}", rule.group_by.join(", "))?;
            }
            writeln!(f, "  actions  {}", rule.actions.join(", "))?;
        }
        for action in &self.actions {
            writeln!(f, "action `{}`: {} to {}", action.name, action.kind, action.target)?;
        }
        Ok(())
    }
}
