//! Which incidents are told together, and the identities that keep a message from being sent twice.

use domain::{Incident, IncidentState};

use super::fields::Field;
use super::timing::Timing;

/// A rule's `group_by` and its times.
#[derive(Debug)]
pub(super) struct Grouping {
    /// Incidents that agree in these are one group; none: all of the rule's are.
    pub by: Vec<&'static Field>,
    /// When a group is told of.
    pub timing: Timing,
}

impl Grouping {
    /// The identity of the incident's group, for one rule: 32 hex digits.
    pub(super) fn key(&self, incident: &Incident, rule: &str) -> String {
        let values = self.by.iter().flat_map(|field| [field.path, field.as_text(incident).unwrap_or_default()]);
        digest(["overrun group", rule].into_iter().chain(values))
    }
}

/// The identity of what an action is told about a group.
pub(super) fn action_key(group: &str, action: &str) -> String {
    digest(["overrun group of action", group, action])
}

/// The identity of what the source and the targets of an inhibition share.
pub(super) fn inhibition_key(name: &str, values: &[&str]) -> String {
    digest(["overrun inhibition", name].into_iter().chain(values.iter().copied()))
}

/// How much an incident's state says: what people are told again when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It may have overrun.
    Early,
    /// It overran, told by a line or by silence.
    Overran,
    /// It did not after all.
    Survived,
}

impl Phase {
    pub(super) const ALL: [Self; 3] = [Self::Early, Self::Overran, Self::Survived];

    pub(super) fn of(state: IncidentState) -> Self {
        match state {
            IncidentState::Suspected => Self::Early,
            IncidentState::Confirmed | IncidentState::Lost => Self::Overran,
            IncidentState::Survived => Self::Survived,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Overran => "overran",
            Self::Survived => "survived",
        }
    }
}

/// The identity of a delivery: 32 hex digits.
///
/// It names what is told to whom and not the change that caused it. So late evidence that only adds to an incident tells
/// nobody twice, while an incident that a rule matches only after late evidence named its function is still told.
pub(super) fn delivery_id(incident: &Incident, rule: &str, action: &str) -> String {
    digest(["overrun delivery", incident.id.as_str(), Phase::of(incident.state).as_str(), rule, action])
}

/// The identity of a message about a group that waited, told with the change `change`.
pub(super) fn message_id(group: &str, change: i64) -> String {
    digest(["overrun group delivery", group, &change.to_string()])
}

/// The identity of the message that a problem is resolved, by the change that says so.
pub(super) fn resolved_id(change: i64, rule: &str, action: &str) -> String {
    digest(["overrun resolved", &change.to_string(), rule, action])
}

/// The identity of a match.
pub(super) fn match_id(incident: &Incident, phase: Phase, rule: &str) -> String {
    digest(["overrun match", incident.id.as_str(), phase.as_str(), rule])
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // The length first, so that no two lists of parts run together to the same bytes.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
