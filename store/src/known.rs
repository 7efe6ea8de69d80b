//! Incidents as they stand before their group is folded anew.

use std::collections::{BTreeSet, HashMap};

use domain::{Incident, IncidentState};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::{StoreError, columns, incident_row};

/// An incident as it stands.
pub(crate) struct Known {
    pub(crate) subject: String,
    pub(crate) problem: String,
    pub(crate) state: IncidentState,
    pub(crate) json: String,
}

/// By ID.
pub(crate) type KnownIncidents = HashMap<String, Known>;

impl Known {
    /// The whole incident.
    pub(crate) fn incident(&self) -> Result<Incident, StoreError> {
        columns::from_json("incident", &self.json)
    }
}

/// Of the incidents that are, the one that rests on some of the evidence of one that is no more.
pub(crate) fn successor<'i>(gone: &Incident, incidents: &'i [Incident]) -> Option<&'i Incident> {
    let ids = |incident: &Incident| -> BTreeSet<String> { incident.diagnosis.evidence.iter().map(|one| one.id.clone()).collect() };
    let rested_on = ids(gone);
    incidents.iter().find(|incident| !ids(incident).is_disjoint(&rested_on))
}

/// The incidents that a group may confirm, change or supersede.
pub(crate) async fn read(
    connection: &mut PgConnection,
    stack: &str,
    root: &str,
    subjects: &[&str],
    incidents: &[Incident],
) -> Result<KnownIncidents, StoreError> {
    let rows = sqlx::query(
        "select id, subject, problem, state, incident::text as incident
         from incidents
         where stack = $1 and (subject = any($2) or root = $3)
         union
         select id, subject, problem, state, incident::text as incident
         from incidents
         where id = any($4)",
    )
    .bind(stack)
    .bind(subjects)
    .bind(root)
    .bind(incidents.iter().map(|incident| incident.id.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.iter().map(known).collect()
}

/// Reads one row: its ID, and what stands there.
pub(crate) fn known(row: &PgRow) -> Result<(String, Known), StoreError> {
    let state = incident_row::state(row.try_get("state")?)?;
    let known = Known { subject: row.try_get("subject")?, problem: row.try_get("problem")?, state, json: row.try_get("incident")? };
    Ok((row.try_get("id")?, known))
}
