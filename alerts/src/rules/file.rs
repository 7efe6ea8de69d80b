//! The rules file: TOML with the tables of [`TABLES`]. `docs/rules.md` describes it for users.
//!
//! ```toml
//! [[rule]]
//! name = "checkout overran"
//! when = 'incident.function.startsWith("checkout")'
//! actions = ["oncall"]
//! ```

mod rule;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use self::rule::RuleTable;
use super::fields::Field;
use super::inhibit::{self, Inhibit};
use super::schedule::{self, TimeInterval};
use super::{Rule, Rules, fields};
use crate::actions::{Action, Smtp};
use crate::nearest::nearest;
use crate::settings::{self, Fault, Surroundings};

/// Most rules in one file.
const RULES_MAX: usize = 1_000;

/// Most actions in one file.
const ACTIONS_MAX: usize = 200;

/// Most inhibitions and most time intervals in one file.
const OTHERS_MAX: usize = 100;

/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// What a file consists of.
const TABLES: [&str; 5] = ["rule", "action", "smtp", "inhibit", "time_interval"];

/// Turns a parsed file into rules.
pub(super) fn read(file: Spanned<DeTable<'_>>, around: &Surroundings<'_>) -> Result<Rules, Fault> {
    let (mut rules, mut actions, mut inhibits, mut intervals, mut smtp) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), None);
    for (key, value) in file.into_inner() {
        match key.get_ref().as_ref() {
            "rule" => rules = tables(value, "rule", RULES_MAX)?,
            "action" => actions = tables(value, "action", ACTIONS_MAX)?,
            "inhibit" => inhibits = tables(value, "inhibit", OTHERS_MAX)?,
            "time_interval" => intervals = tables(value, "time_interval", OTHERS_MAX)?,
            "smtp" => smtp = Some(Smtp::read(value, around)?),
            other => {
                let hint = nearest(other, TABLES).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
                let known = TABLES.map(|name| format!("`{name}`")).join(", ");
                return Err(Fault::of(&key, format!("unknown key `{other}`{hint}, expected one of {known}")));
            }
        }
    }
    let actions = read_actions(actions, smtp.as_ref(), around)?;
    let intervals = read_named(intervals, |table: &schedule::Table| &table.name, TimeInterval::read)?;
    let inhibits = read_named(inhibits, |table: &inhibit::Table| &table.name, Inhibit::read)?;
    let list: Vec<Rule> = read_named(rules, |table: &RuleTable| &table.name, |table| rule::read(table, &actions, &intervals))?;
    Ok(Rules { list, inhibits, actions, smtp })
}

/// Reads tables whose names are used once.
fn read_named<T: DeserializeOwned, R>(
    tables: Vec<Spanned<DeValue<'_>>>,
    name: impl Fn(&T) -> &Spanned<String>,
    read: impl Fn(T) -> Result<R, Fault>,
) -> Result<Vec<R>, Fault> {
    let mut names: Vec<String> = Vec::new();
    let mut found = Vec::with_capacity(tables.len());
    for table in tables {
        let table: T = settings::read(table)?;
        check_name(name(&table), names.contains(name(&table).get_ref()))?;
        names.push(name(&table).get_ref().clone());
        found.push(read(table)?);
    }
    Ok(found)
}

/// The fields that a list of paths names; only texts can be compared.
pub(super) fn read_fields(paths: Spanned<Vec<Spanned<String>>>) -> Result<Vec<&'static Field>, Fault> {
    if paths.get_ref().is_empty() {
        return Err(Fault::of(&paths, "expected at least one field, found none"));
    }
    let field = |path: Spanned<String>| {
        fields::text_field(path.get_ref()).ok_or_else(|| {
            let names: Vec<_> = fields::text_paths().collect();
            let hint = nearest(path.get_ref(), names.iter().copied()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            Fault::of(&path, format!("unknown field `{}`{hint}, expected one of {}", path.get_ref(), names.join(", ")))
        })
    };
    paths.into_inner().into_iter().map(field).collect()
}

/// What is said of a name that nothing in the file has.
pub(super) fn named(what: &str, found: &str, known: &[&str]) -> String {
    let hint = nearest(found, known.iter().copied()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    let known = match known {
        [] => "there is none".to_owned(),
        known => format!("there are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    let article = if what.starts_with("[[a") { "an" } else { "a" };
    format!("expected the name of {article} `{what}`, found `{found}`{hint}; {known}")
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
    if text == store::BY_HAND {
        return Err(Fault::of(name, format!("expected another name, found `{text}`: that is what stands for a person who asks")));
    }
    if taken {
        return Err(Fault::of(name, format!("expected a name that is used once, found `{text}` again")));
    }
    Ok(())
}
