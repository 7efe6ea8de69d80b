//! Which incidents are told together, and the identities that keep a message from being sent twice.

use domain::{Incident, IncidentState};
use jiff::SignedDuration;

use super::fields::Field;

/// A rule's `group_by` and `repeat_interval`.
#[derive(Debug)]
pub(super) struct Grouping {
    /// Incidents that agree in these are one group.
    pub by: Vec<&'static Field>,
    /// After a message about a group, nothing more is sent about it for this long.
    pub quiet_for: SignedDuration,
}

impl Grouping {
    /// The identity of the incident's group, for one rule and one action: 32 hex digits.
    pub(super) fn key(&self, incident: &Incident, rule: &str, action: &str) -> String {
        let values = self.by.iter().flat_map(|field| [field.path, field.as_text(incident).unwrap_or_default()]);
        digest(["overrun group", rule, action].into_iter().chain(values))
    }
}

/// How much an incident's state says: what people are told again when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It may have overrun.
    Early,
    /// It overran, told by a line or by silence.
    Overran,
    /// It did not after all.
    Survived,
}

impl Phase {
    fn of(state: IncidentState) -> Self {
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

fn digest<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // The length first, so that no two lists of parts run together to the same bytes.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}
