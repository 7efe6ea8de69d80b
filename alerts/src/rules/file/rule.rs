//! One `[[rule]]` table.

use std::collections::BTreeMap;

use domain::IncidentState;
use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::{named, read_fields};
use crate::actions::Action;
use crate::rules::condition::Condition;
use crate::rules::group::Grouping;
use crate::rules::schedule::TimeInterval;
use crate::rules::timing::Timing;
use crate::rules::volume::{Escalating, EscalatingTable, Threshold, ThresholdTable};
use crate::rules::{On, PAGING_STATES, Rule};
use crate::settings::{self, Fault};

/// How long a group stays quiet when the rule does not say.
const REPEAT_DEFAULT: SignedDuration = SignedDuration::from_hours(4);

/// The longest time that a group can stay quiet: it is surely remembered for so long.
const REPEAT_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// More than that is a percentage by mistake: no request goes on for ten times its limit.
const LIMIT_SHARE_MAX: f64 = 10.0;

/// Longest word for how bad it is, in bytes.
const SEVERITY_BYTES_MAX: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleTable {
    pub name: Spanned<String>,
    when: Option<Spanned<String>>,
    on: Option<Spanned<Vec<On>>>,
    states: Option<Spanned<Vec<IncidentState>>>,
    limit_share: Option<Spanned<f64>>,
    threshold: Option<ThresholdTable>,
    escalating: Option<EscalatingTable>,
    group_by: Option<Spanned<Vec<Spanned<String>>>>,
    group_wait: Option<Spanned<String>>,
    group_interval: Option<Spanned<String>>,
    repeat_interval: Option<Spanned<String>>,
    severity: Option<Spanned<String>>,
    active: Option<Spanned<Vec<Spanned<String>>>>,
    mute: Option<Spanned<Vec<Spanned<String>>>>,
    actions: Spanned<Vec<Spanned<String>>>,
}

/// Checks a rule against itself and against what else the file names.
pub(super) fn read(table: RuleTable, actions: &BTreeMap<String, Action>, intervals: &[TimeInterval]) -> Result<Rule, Fault> {
    check_personal(&table, actions)?;
    let condition = match &table.when {
        Some(source) => Some(Condition::read(source.get_ref().trim()).map_err(|message| Fault::of(source, message))?),
        None => None,
    };
    let states = match table.states {
        Some(states) if states.get_ref().is_empty() => return Err(Fault::of(&states, "expected at least one state, found none")),
        Some(states) => states.into_inner(),
        None if condition.as_ref().is_some_and(|condition| condition.mentions("state")) => IncidentState::ALL.to_vec(),
        None => PAGING_STATES.to_vec(),
    };
    let on = match table.on {
        Some(on) if on.get_ref().is_empty() => {
            return Err(Fault::of(&on, "expected at least one of `incident`, `new_problem`, `regressed`, `resolved`, found none"));
        }
        Some(on) => on.into_inner(),
        None => vec![On::Incident],
    };
    let threshold = table.threshold.as_ref().map(Threshold::read).transpose()?;
    let escalating = table.escalating.as_ref().map(Escalating::read).transpose()?;
    let by = table.group_by.map(read_fields).transpose()?;
    // What counts without saying per what counts everything together, and is not told of each further incident.
    let by = by.or_else(|| (threshold.is_some() || escalating.is_some()).then(Vec::new));
    let timing = read_timing(by.is_some(), table.group_wait.as_ref(), table.group_interval.as_ref(), table.repeat_interval.as_ref())?;
    Ok(Rule {
        name: table.name.into_inner(),
        source: table.when.map(|source| source.into_inner().trim().to_owned()),
        condition,
        on,
        states,
        limit_share: table.limit_share.as_ref().map(read_share).transpose()?,
        threshold,
        escalating,
        grouping: by.map(|by| Grouping { by, timing }),
        severity: table.severity.map(read_severity).transpose()?,
        active: read_intervals(table.active, intervals)?,
        mute: read_intervals(table.mute, intervals)?,
        actions: read_targets(table.actions, actions)?,
    })
}

/// A rule that writes to people tells each of their own request, and of nothing else.
fn check_personal(table: &RuleTable, actions: &BTreeMap<String, Action>) -> Result<(), Fault> {
    let is_personal = |name: &&Spanned<String>| actions.get(name.get_ref()).is_some_and(Action::is_personal);
    let Some(name) = table.actions.get_ref().iter().find(is_personal) else { return Ok(()) };
    let is_plain = table.on.as_ref().is_none_or(|on| on.get_ref() == &[On::Incident]);
    let keys = [
        ("on", !is_plain),
        ("group_by", table.group_by.is_some()),
        ("threshold", table.threshold.is_some()),
        ("escalating", table.escalating.is_some()),
    ];
    match keys.into_iter().find(|(_, is_there)| *is_there) {
        None => Ok(()),
        Some((key, _)) => Err(Fault::of(
            name,
            format!(
                "expected no `{key}` beside `{}`, which writes to the person whose request it was: that tells each of their own request, not one for many",
                name.get_ref()
            ),
        )),
    }
}

fn read_timing(
    groups: bool,
    wait: Option<&Spanned<String>>,
    interval: Option<&Spanned<String>>,
    repeat: Option<&Spanned<String>>,
) -> Result<Timing, Fault> {
    let (zero, shortest) = (SignedDuration::ZERO, SignedDuration::from_secs(1));
    if !groups {
        for (text, question) in [(wait, "what is to wait?"), (interval, "what is summed up?"), (repeat, "what is not to be repeated?")] {
            if let Some(text) = text
                && !settings::duration(text)?.is_zero()
            {
                return Err(Fault::of(text, format!("expected `group_by` beside it: {question}")));
            }
        }
        return Ok(Timing { wait: zero, interval: None, repeat: REPEAT_DEFAULT });
    }
    let wait = wait.map(|text| duration(text, zero, REPEAT_MAX)).transpose()?.unwrap_or(zero);
    let every = interval.map(|text| duration(text, shortest, REPEAT_MAX)).transpose()?;
    let repeat = match repeat {
        None => REPEAT_DEFAULT.max(every.unwrap_or(zero)),
        Some(text) => duration(text, shortest, REPEAT_MAX)?,
    };
    if let (Some(text), Some(found)) = (interval, every)
        && found > repeat
    {
        let message = format!("expected at most the `repeat_interval` of {repeat:#}, found \"{}\"", text.get_ref());
        return Err(Fault::of(text, message));
    }
    Ok(Timing { wait, interval: every, repeat })
}

fn duration(text: &Spanned<String>, shortest: SignedDuration, longest: SignedDuration) -> Result<SignedDuration, Fault> {
    match settings::duration(text)? {
        found if found >= shortest && found <= longest => Ok(found),
        _ => Err(Fault::of(text, format!("expected at least {shortest:#} and at most {longest:#}, found \"{}\"", text.get_ref()))),
    }
}

fn read_share(share: &Spanned<f64>) -> Result<f64, Fault> {
    let found = *share.get_ref();
    if found > 0.0 && found <= LIMIT_SHARE_MAX {
        Ok(found)
    } else {
        Err(Fault::of(share, format!("expected a share of the limit such as 0.8 for 80 %, found {found}")))
    }
}

fn read_severity(severity: Spanned<String>) -> Result<String, Fault> {
    let text = severity.get_ref();
    let is_word =
        !text.is_empty() && text.len() <= SEVERITY_BYTES_MAX && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_word {
        return Ok(severity.into_inner());
    }
    Err(Fault::of(&severity, format!("expected a word such as `page`, `warning` or `info`, found `{}`", text.escape_debug())))
}

fn read_intervals(names: Option<Spanned<Vec<Spanned<String>>>>, intervals: &[TimeInterval]) -> Result<Vec<TimeInterval>, Fault> {
    let names = names.map(Spanned::into_inner).unwrap_or_default();
    let known: Vec<&str> = intervals.iter().map(|interval| interval.name.as_str()).collect();
    let find = |name: &Spanned<String>| {
        let found = intervals.iter().find(|interval| interval.name == *name.get_ref());
        found.cloned().ok_or_else(|| Fault::of(name, named("[[time_interval]]", name.get_ref(), &known)))
    };
    names.iter().map(find).collect()
}

fn read_targets(names: Spanned<Vec<Spanned<String>>>, actions: &BTreeMap<String, Action>) -> Result<Vec<String>, Fault> {
    let mut targets: Vec<String> = Vec::new();
    if names.get_ref().is_empty() {
        return Err(Fault::of(&names, "expected the name of at least one action, found none"));
    }
    for name in names.into_inner() {
        if !actions.contains_key(name.get_ref()) {
            let known: Vec<_> = actions.keys().map(String::as_str).collect();
            return Err(Fault::of(&name, named("[[action]]", name.get_ref(), &known)));
        }
        if targets.contains(name.get_ref()) {
            return Err(Fault::of(&name, format!("expected each action once, found `{}` again", name.get_ref())));
        }
        targets.push(name.into_inner());
    }
    Ok(targets)
}
