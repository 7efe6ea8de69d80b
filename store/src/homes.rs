//! Which group decides about an incident that several show: its *home* is the key of its subject; where it is about a single
//! claim, the key under which that is stored. From there its evidence is nearest, whatever a bound cuts off further out.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Incident, Key, Kind};

use crate::columns::{indexed, key_text};
use crate::group::Group;

/// The homes of what a group tells of.
pub(crate) struct Homes<'g> {
    keys: &'g BTreeSet<String>,
    /// Where single claims are stored that an incident may be about, by its subject then, and whether they are reason to look.
    claims: BTreeMap<String, (String, bool)>,
}

impl<'g> Homes<'g> {
    /// Of what that group has read.
    pub(crate) fn of(group: &'g Group) -> Self {
        let mut claims = BTreeMap::new();
        // Under its only key all is at home.
        for claim in group.evidence.iter().map(|evidence| &evidence.claim).filter(|_| group.keys.len() > 1) {
            let is_anomalous = claim.is_anomalous();
            if is_anomalous || matches!(claim.kind, Kind::GatewayRequest | Kind::ProxyError) {
                claims.insert(key_text(&Key::Loose(claim.id())), (key_text(&claim.key()), is_anomalous));
            }
        }
        Self { keys: &group.keys, claims }
    }

    /// Subjects of incidents that rest on what the group has read.
    pub(crate) fn subjects(&self) -> Vec<&str> {
        self.keys.iter().chain(self.claims.keys()).map(String::as_str).collect()
    }

    /// Whether the group has read what that subject stands for.
    pub(crate) fn sees(&self, subject: &str) -> bool {
        self.keys.contains(subject) || self.claims.contains_key(subject)
    }

    /// The home of an incident; `None` if it is about a claim that the group has not read.
    pub(crate) fn home(&self, incident: &Incident) -> Option<String> {
        let subject = indexed(&incident.subject);
        if self.keys.contains(subject.as_ref()) || !subject.starts_with("loose/") {
            return Some(subject.into_owned());
        }
        match self.claims.get(subject.as_ref())? {
            (key, true) => Some(key.clone()),
            // A line that is harmless by itself: nobody looks from there, but from those that say more of it.
            _ => incident.diagnosis.evidence.iter().find_map(|cited| match self.claims.get(&format!("loose/{}", cited.id)) {
                Some((key, true)) => Some(key.clone()),
                _ => None,
            }),
        }
    }
}
