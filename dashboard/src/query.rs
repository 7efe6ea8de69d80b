//! The parameters by which incidents and problems are asked for, the same for the pages and the API.
//!
//! ```text
//! ?from=2026-11-22T12:00:00Z&to=1795350000000&stack=&function=checkout&layer=app_server&outcome=timeout&state=confirmed
//! &problem=…&release=…&q=…&before=…&limit=50
//! ```

mod problems;

use domain::{IncidentState, Layer, Outcome};
use jiff::Timestamp;
use store::{IncidentFilter, StoredIncident};
use thiserror::Error;

pub use self::problems::{is_problem_id, next_problem, read_problems};

/// Incidents per page where the asker does not say.
pub const LIMIT_DEFAULT: u32 = 50;
/// Incidents per page at most.
pub const LIMIT_MAX: u32 = 200;
/// Longest value of a parameter, in bytes.
const VALUE_BYTES_MAX: usize = 1024;

/// Names of the parameters, in the order in which errors list them.
const NAMES: [&str; 12] = ["from", "to", "stack", "function", "layer", "outcome", "state", "problem", "release", "q", "before", "limit"];

/// A parameter that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}`: expected {expected}, found `{found}`")]
pub struct BadParameter {
    /// Its name.
    pub name: String,
    /// What would have been understood.
    pub expected: String,
    /// What was given.
    pub found: String,
}

impl BadParameter {
    /// A parameter `name` that holds `found` where `expected` should stand.
    #[must_use]
    pub fn new(name: &str, expected: impl Into<String>, found: &str) -> Self {
        Self { name: name.to_owned(), expected: expected.into(), found: found.chars().take(100).collect() }
    }
}

/// What to do with a parameter of another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Say so: a misspelt filter that filters nothing misleads a program.
    Refuse,
    /// Take no notice: links pasted into chats come back with additions.
    Ignore,
}

impl Unknown {
    /// Whether a parameter is to be read: it is one of `names`.
    fn takes(self, name: &str, names: &[&str]) -> Result<bool, BadParameter> {
        match self {
            _ if names.contains(&name) => Ok(true),
            Self::Ignore => Ok(false),
            Self::Refuse => Err(BadParameter::new(name, format!("one of {}", names.join(", ")), name)),
        }
    }
}

/// Refuses values that are longer than any that would find something, or that no database holds.
fn text(name: &str, value: &str) -> Result<(), BadParameter> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(BadParameter::new(name, format!("at most {VALUE_BYTES_MAX} bytes"), value));
    }
    if value.contains('\0') {
        return Err(BadParameter::new(name, "text without NUL", value));
    }
    Ok(())
}

/// Reads a query. Empty values are absent ones: a form sends all its fields.
///
/// # Errors
///
/// The first parameter that cannot be understood.
pub fn read(pairs: &[(String, String)], unknown: Unknown) -> Result<IncidentFilter, BadParameter> {
    let mut filter = IncidentFilter { limit: LIMIT_DEFAULT, ..IncidentFilter::default() };
    for (name, value) in pairs.iter().map(|(name, value)| (name.as_str(), value.trim())) {
        if !unknown.takes(name, &NAMES)? || value.is_empty() {
            continue;
        }
        text(name, value)?;
        match name {
            "from" => filter.from = Some(time(name, value)?),
            "to" => filter.to = Some(time(name, value)?),
            "stack" => filter.stack = Some(value.into()),
            "function" => filter.function = Some(value.into()),
            "layer" => filter.layer = Some(one_of(name, value, &Layer::ALL, Layer::as_str)?),
            "outcome" => filter.outcome = Some(one_of(name, value, &Outcome::ALL, Outcome::as_str)?),
            "state" => filter.state = Some(one_of(name, value, &IncidentState::ALL, IncidentState::as_str)?),
            "problem" => filter.problem = Some(value.to_owned()),
            "q" => filter.text = Some(value.to_owned()),
            "release" => filter.release = Some(value.to_owned()),
            "before" => filter.before = Some(place(value, is_incident_id)?),
            _ => filter.limit = limit(value)?,
        }
    }
    Ok(filter)
}

/// A time as RFC 3339 or as milliseconds since the epoch.
///
/// # Errors
///
/// When it is neither.
pub fn time(name: &str, value: &str) -> Result<Timestamp, BadParameter> {
    let epoch = value.parse().ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    // A `+` that was not percent-encoded arrives as a space.
    let written = || value.parse().ok().or_else(|| value.replace(' ', "+").parse().ok());
    epoch
        .or_else(written)
        .ok_or_else(|| BadParameter::new(name, "a time as RFC 3339 (2026-11-22T12:00:00Z) or in milliseconds since 1970", value))
}

fn one_of<T: Copy>(name: &str, value: &str, all: &[T], as_str: impl Fn(T) -> &'static str) -> Result<T, BadParameter> {
    all.iter().copied().find(|item| as_str(*item) == value).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|item| as_str(*item)).collect();
        BadParameter::new(name, format!("one of {}", known.join(", ")), value)
    })
}

/// A number of entries.
///
/// # Errors
///
/// When it is none, or too high.
pub fn limit(value: &str) -> Result<u32, BadParameter> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| BadParameter::new("limit", format!("a number from 1 to {LIMIT_MAX}"), value))
}

/// The last of the page before: its time and its ID.
fn place(value: &str, is_id: fn(&str) -> bool) -> Result<(Timestamp, String), BadParameter> {
    let parts = value.split_once('~').and_then(|(at, id)| Some((at.parse().ok()?, id)));
    let (at, id) = parts
        .filter(|(_, id)| is_id(id))
        .ok_or_else(|| BadParameter::new("before", "the `next` of the page before, as it was given", value))?;
    Ok((at, id.to_owned()))
}

/// Whether `id` can be the ID of an incident: 24 hex digits.
#[must_use]
pub fn is_incident_id(id: &str) -> bool {
    id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
}

/// Where the next page begins, if this one is full.
#[must_use]
pub fn next_cursor(page: &[StoredIncident], limit: u32) -> Option<String> {
    let last = page.last().filter(|_| page.len() >= limit as usize)?;
    let at = last.incident.at().unwrap_or(last.first_seen_at);
    Some(format!("{at}~{}", last.incident.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &[(&str, &str)]) -> Result<IncidentFilter, String> {
        let pairs: Vec<_> = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        read(&pairs, Unknown::Refuse).map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_rfc_3339_or_milliseconds() {
        let expected: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        for text in ["2026-11-22T12:00:00Z", "1795348800000", "2026-11-22T13:00:00+01:00", "2026-11-22T13:00:00 01:00"] {
            assert_eq!(check(&[("from", text)]).expect(text).from, Some(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let said = |name, value| check(&[(name, value)]).expect_err("bad");
        assert_eq!(
            said("from", "yesterday"),
            "`from`: expected a time as RFC 3339 (2026-11-22T12:00:00Z) or in milliseconds since 1970, found `yesterday`"
        );
        assert_eq!(said("state", "open"), "`state`: expected one of suspected, confirmed, survived, lost, found `open`");
        assert_eq!(said("limit", "0"), "`limit`: expected a number from 1 to 200, found `0`");
        assert_eq!(said("before", "x"), "`before`: expected the `next` of the page before, as it was given, found `x`");
        assert!(said("functoin", "checkout").starts_with("`functoin`: expected one of from, to, stack, function"));
        assert!(said("q", "a\0b").starts_with("`q`: expected text without NUL"));
    }

    #[test]
    fn empty_values_are_absent() {
        let filter = check(&[("from", ""), ("layer", " "), ("function", "checkout")]).expect("fine");
        assert_eq!((filter.from, filter.layer, filter.limit), (None, None, LIMIT_DEFAULT));
    }
}
