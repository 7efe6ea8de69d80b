//! What a rules file says, for `overrun rules check` to print.

use std::fmt;

use domain::IncidentState;

use super::schedule::TimeInterval;
use super::timing::Timing;
use super::{On, Rule, Rules};

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
    /// When a group is told of, in words; `None` without groups.
    pub told: Option<String>,
    /// What else has to hold, in words.
    pub only: Vec<String>,
    /// How bad it is.
    pub severity: Option<String>,
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
        told: rule.grouping.as_ref().map(|grouping| told(grouping.timing)),
        only: only(rule),
        severity: rule.severity.clone(),
        actions: rule.actions.clone(),
    }
}

fn told(timing: Timing) -> String {
    let wait = if timing.wait.is_zero() { "each told at once".to_owned() } else { format!("each told after {:#}", timing.wait) };
    let interval = timing.interval.map(|interval| format!(", how many more every {interval:#}")).unwrap_or_default();
    format!("{wait}{interval}, anew after {:#}", timing.repeat)
}

fn only(rule: &Rule) -> Vec<String> {
    let names = |intervals: &[TimeInterval]| intervals.iter().map(|interval| interval.name.as_str()).collect::<Vec<_>>().join(", ");
    let is_usual = rule.on == [On::Incident];
    let on = (!is_usual).then(|| format!("on {}", rule.on.iter().map(|on| on.as_str()).collect::<Vec<_>>().join(", ")));
    let share = rule.limit_share.map(|share| format!("requests that used {share} of their limit"));
    let threshold = rule.threshold.map(|threshold| format!("{} or more within {:#}", threshold.count, threshold.window));
    let escalating = rule.escalating.map(|escalating| {
        format!("{} or more within {:#} and {} times as many as usual", escalating.at_least, escalating.window, escalating.factor)
    });
    let active = (!rule.active.is_empty()).then(|| format!("in {}", names(&rule.active)));
    let mute = (!rule.mute.is_empty()).then(|| format!("not in {}", names(&rule.mute)));
    [on, share, threshold, escalating, active, mute].into_iter().flatten().collect()
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
            for only in &rule.only {
                writeln!(f, "  only     {only}")?;
            }
            if let Some(told) = &rule.told {
                let by = if rule.group_by.is_empty() { "all together".to_owned() } else { format!("by {}", rule.group_by.join(", ")) };
                writeln!(f, "  groups   {by}, {told}")?;
            }
            if let Some(severity) = &rule.severity {
                writeln!(f, "  severity {severity}")?;
            }
            writeln!(f, "  actions  {}", rule.actions.join(", "))?;
        }
        for action in &self.actions {
            writeln!(f, "action `{}`: {} to {}", action.name, action.kind, action.target)?;
        }
        Ok(())
    }
}
