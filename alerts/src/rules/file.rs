//! The rules file: TOML with `[[rule]]`, `[[action]]` and `[smtp]` tables. `docs/rules.md` describes it for users.
//!
//! ```toml
//! [[rule]]
//! name = "checkout overran"
//! when = 'incident.function.startsWith("checkout")'
//! actions = ["oncall"]
//! ```

use std::collections::BTreeMap;

use domain::IncidentState;
use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::condition::Condition;
use super::group::Grouping;
use super::{PAGING_STATES, Rule, Rules, fields};
use crate::actions::{Action, Smtp};
use crate::nearest::nearest;
use crate::settings::{self, Fault, Surroundings};

/// Most rules in one file.
const RULES_MAX: usize = 1_000;

/// Most actions in one file.
const ACTIONS_MAX: usize = 200;

/// Longest name of a rule or action, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// How long a group stays quiet when the rule does not say.
const REPEAT_DEFAULT: SignedDuration = SignedDuration::from_hours(4);

/// The longest time that a group can stay quiet: as long as deliveries are surely kept.
const REPEAT_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    name: Spanned<String>,
    when: Option<Spanned<String>>,
    states: Option<Spanned<Vec<IncidentState>>>,
    group_by: Option<Spanned<Vec<Spanned<String>>>>,
    group_wait: Option<Spanned<String>>,
    group_interval: Option<Spanned<String>>,
    repeat_interval: Option<Spanned<String>>,
    actions: Spanned<Vec<Spanned<String>>>,
}

/// Turns a parsed file into rules.
pub(super) fn read(file: Spanned<DeTable<'_>>, around: &Surroundings<'_>) -> Result<Rules, Fault> {
    let (mut rules, mut actions, mut smtp) = (Vec::new(), Vec::new(), None);
    for (key, value) in file.into_inner() {
        match key.get_ref().as_ref() {
            "rule" => rules = tables(value, "rule", RULES_MAX)?,
            "action" => actions = tables(value, "action", ACTIONS_MAX)?,
            "smtp" => smtp = Some(Smtp::read(value, around)?),
            other => {
                let names = ["rule", "action", "smtp"];
                let hint = nearest(other, names).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
                return Err(Fault::of(&key, format!("unknown key `{other}`{hint}, expected one of `rule`, `action`, `smtp`")));
            }
        }
    }
    let actions = read_actions(actions, smtp.as_ref(), around)?;
    let mut named: Vec<Rule> = Vec::new();
    for table in rules {
        let rule: RuleTable = settings::read(table)?;
        check_name(&rule.name, named.iter().any(|other| other.name == *rule.name.get_ref()))?;
        named.push(read_rule(rule, &actions)?);
    }
    Ok(Rules { list: named, actions, smtp })
}

/// The tables of `[[name]]`.
fn tables<'i>(value: Spanned<DeValue<'i>>, name: &str, count_max: usize) -> Result<Vec<Spanned<DeValue<'i>>>, Fault> {
    let at = value.span();
    match value.into_inner() {
        DeValue::Array(items) if items.iter().all(|item| item.get_ref().is_table()) => {
            if items.len() > count_max {
                return Err(Fault { at, message: format!("expected at most {count_max} `[[{name}]]` tables, found {}", items.len()) });
            }
            Ok(items.into_iter().collect())
        }
        other => Err(Fault { at, message: format!("expected `[[{name}]]` tables, found {}", other.type_str()) }),
    }
}

fn read_actions(
    tables: Vec<Spanned<DeValue<'_>>>,
    smtp: Option<&Smtp>,
    around: &Surroundings<'_>,
) -> Result<BTreeMap<String, Action>, Fault> {
    let mut actions = BTreeMap::new();
    for mut table in tables {
        let at = table.span();
        let DeValue::Table(keys) = table.get_mut() else { continue };
        let mut take = |key: &str| -> Result<Spanned<String>, Fault> {
            let value = keys.remove(key).ok_or_else(|| Fault { at: at.clone(), message: format!("expected `{key}`, which is missing") })?;
            settings::read(value)
        };
        let (name, kind) = (take("name")?, take("kind")?);
        check_name(&name, actions.contains_key(name.get_ref()))?;
        actions.insert(name.into_inner(), Action::read(&kind, table, smtp, around)?);
    }
    Ok(actions)
}

fn check_name(name: &Spanned<String>, taken: bool) -> Result<(), Fault> {
    let text = name.get_ref();
    if text.trim().is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Fault::of(
            name,
            format!("expected a name of 1 to {NAME_BYTES_MAX} bytes on one line, found `{}`", text.escape_debug()),
        ));
    }
    if taken {
        return Err(Fault::of(name, format!("expected a name that is used once, found `{text}` again")));
    }
    Ok(())
}

fn read_rule(table: RuleTable, actions: &BTreeMap<String, Action>) -> Result<Rule, Fault> {
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
    let grouping = read_grouping(table.group_by, table.group_wait, table.group_interval, table.repeat_interval)?;
    Ok(Rule {
        name: table.name.into_inner(),
        source: table.when.map(|source| source.into_inner().trim().to_owned()),
        condition,
        states,
        grouping,
        actions: read_targets(table.actions, actions)?,
    })
}

fn read_targets(names: Spanned<Vec<Spanned<String>>>, actions: &BTreeMap<String, Action>) -> Result<Vec<String>, Fault> {
    let mut targets: Vec<String> = Vec::new();
    if names.get_ref().is_empty() {
        return Err(Fault::of(&names, "expected the name of at least one action, found none"));
    }
    for name in names.into_inner() {
        if !actions.contains_key(name.get_ref()) {
            let known: Vec<_> = actions.keys().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "there is none".to_owned() } else { format!("there are {}", known.join(", ")) };
            return Err(Fault::of(&name, format!("expected the name of an `[[action]]`, found `{}`; {known}", name.get_ref())));
        }
        if targets.contains(name.get_ref()) {
            return Err(Fault::of(&name, format!("expected each action once, found `{}` again", name.get_ref())));
        }
        targets.push(name.into_inner());
    }
    Ok(targets)
}

fn read_grouping(
    group_by: Option<Spanned<Vec<Spanned<String>>>>,
    group_wait: Option<Spanned<String>>,
    group_interval: Option<Spanned<String>>,
    repeat_interval: Option<Spanned<String>>,
) -> Result<Option<Grouping>, Fault> {
    if let Some(wait) = group_wait
        && !settings::duration(&wait)?.is_zero()
    {
        return Err(Fault::of(
            &wait,
            format!("expected \"0s\", found \"{}\": this version sends the first message of a group at once", wait.get_ref()),
        ));
    }
    if let Some(interval) = group_interval {
        return Err(Fault::of(
            &interval,
            "not supported yet: nothing more is sent about a group before its `repeat_interval` is over; take it out",
        ));
    }
    let Some(group_by) = group_by else {
        return match repeat_interval {
            Some(repeat) => Err(Fault::of(&repeat, "expected `group_by` beside it: what is not to be repeated?")),
            None => Ok(None),
        };
    };
    let quiet_for = match &repeat_interval {
        None => REPEAT_DEFAULT,
        Some(repeat) => match settings::duration(repeat)? {
            found if found.is_positive() && found <= REPEAT_MAX => found,
            _ => {
                return Err(Fault::of(
                    repeat,
                    format!("expected more than 0 s and at most {REPEAT_MAX:#}, found \"{}\"", repeat.get_ref()),
                ));
            }
        },
    };
    if group_by.get_ref().is_empty() {
        return Err(Fault::of(&group_by, "expected at least one field, found none"));
    }
    let mut paths = Vec::new();
    for path in group_by.into_inner() {
        let field = fields::text_field(path.get_ref()).ok_or_else(|| {
            let names: Vec<_> = fields::text_paths().collect();
            let hint = nearest(path.get_ref(), names.iter().copied()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            Fault::of(&path, format!("unknown field `{}`{hint}, expected one of {}", path.get_ref(), names.join(", ")))
        })?;
        paths.push(field);
    }
    Ok(Some(Grouping { by: paths, quiet_for }))
}
