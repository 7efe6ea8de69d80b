//! Inhibition: what one told problem keeps quiet. A shared dependency hangs: one page, not fifty.
//!
//! After Alertmanager's `inhibit_rules` (<https://prometheus.io/docs/alerting/latest/configuration/#inhibit_rule>, read
//! 2026-11-27), with one difference: where an incident is both source and target, the first problem that is told keeps the
//! others quiet, since it is not known beforehand which function hits a hanging dependency first.
//!
//! ```toml
//! [[inhibit]]
//! name = "one page for a dependency"
//! equal = ["diagnosis.cause.target"]
//! lasts = "15m"
//! ```

use domain::Incident;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use store::Inhibition;
use toml::Spanned;

use super::condition::{Condition, Subject};
use super::fields::Field;
use super::group;
use crate::settings::{self, Fault};

/// How long a source counts after its latest incident, when nothing else is said: as long as Alertmanager is told it lasts.
const LASTS: SignedDuration = SignedDuration::from_mins(30);
const LASTS_MAX: SignedDuration = SignedDuration::from_hours(24);

/// An `[[inhibit]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub name: Spanned<String>,
    source: Option<Spanned<String>>,
    target: Option<Spanned<String>>,
    equal: Spanned<Vec<Spanned<String>>>,
    lasts: Option<Spanned<String>>,
}

/// One `[[inhibit]]`.
#[derive(Debug)]
pub(super) struct Inhibit {
    pub name: String,
    source: Option<Condition>,
    target: Option<Condition>,
    equal: Vec<&'static Field>,
    lasts: SignedDuration,
}

/// What an incident is to an inhibition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Which of the file's.
    pub inhibit: usize,
    /// The identity of what source and targets share.
    pub key: String,
    pub is_source: bool,
    pub is_target: bool,
}

impl Inhibit {
    /// Checks the settings.
    pub(super) fn read(table: Table) -> Result<Self, Fault> {
        let condition = |source: &Option<Spanned<String>>| {
            source.as_ref().map(|source| Condition::read(source.get_ref().trim()).map_err(|message| Fault::of(source, message))).transpose()
        };
        let lasts = match &table.lasts {
            None => LASTS,
            Some(text) => match settings::duration(text)? {
                found if found.is_positive() && found <= LASTS_MAX => found,
                _ => {
                    return Err(Fault::of(text, format!("expected more than 0 s and at most {LASTS_MAX:#}, found \"{}\"", text.get_ref())));
                }
            },
        };
        Ok(Self {
            source: condition(&table.source)?,
            target: condition(&table.target)?,
            equal: super::file::read_fields(table.equal)?,
            lasts,
            name: table.name.into_inner(),
        })
    }

    /// What the incident is to it; `None` if nothing, or if something of what must be equal is not known.
    pub(super) fn part(&self, inhibit: usize, incident: &Incident, subject: &Subject) -> Option<Part> {
        let values: Option<Vec<&str>> = self.equal.iter().map(|field| field.as_text(incident).filter(|value| !value.is_empty())).collect();
        let values = values?;
        let holds = |condition: &Option<Condition>| condition.as_ref().is_none_or(|condition| condition.holds(subject) == Ok(true));
        let (is_source, is_target) = (holds(&self.source), holds(&self.target));
        (is_source || is_target).then(|| Part { inhibit, key: group::inhibition_key(&self.name, &values), is_source, is_target })
    }

    /// Whether the inhibition that holds now keeps this incident quiet.
    pub(super) fn mutes(part: &Part, held: Option<&Inhibition>, incident: &Incident, now: Timestamp) -> bool {
        part.is_target && held.is_some_and(|held| held.until > now && held.problem != incident.problem.as_str())
    }

    /// The inhibition after a source struck: it lasts longer, or begins if the source is told.
    pub(super) fn struck(
        &self,
        part: &Part,
        held: Option<&Inhibition>,
        incident: &Incident,
        is_told: bool,
        now: Timestamp,
    ) -> Option<Inhibition> {
        let until = now.saturating_add(self.lasts).unwrap_or(Timestamp::MAX);
        match held.filter(|held| held.until > now) {
            Some(held) => part.is_source.then(|| Inhibition { until, ..held.clone() }),
            None => (part.is_source && is_told).then(|| Inhibition {
                key: part.key.clone(),
                name: self.name.clone(),
                problem: incident.problem.as_str().to_owned(),
                incident_id: incident.id.to_string(),
                until,
            }),
        }
    }
}
