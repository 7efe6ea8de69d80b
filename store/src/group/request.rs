//! Where the key of one request leads, and if nowhere, all that is stored under it: then that is the group, read in one exchange.

use domain::Evidence;
use sqlx::{PgConnection, Row};

use super::{EVIDENCE_MAX, as_bigint, evidence};
use crate::StoreError;
use crate::known::{KnownIncidents, known};
use crate::walk::{Found, KEYS_MAX};

/// What is stored under one key.
#[derive(Default)]
pub(super) struct Stored {
    /// Where its links lead; one more than the limit if there are more.
    pub leads_to: Found,
    /// Its evidence if it leads nowhere; one more than the limit if there is more.
    pub evidence: Vec<Evidence>,
    /// The incidents about it, and those that were found from it, if it leads nowhere.
    pub incidents: KnownIncidents,
}

/// Reads it. Of three kinds of rows each has columns of its own.
pub(super) async fn read(connection: &mut PgConnection, stack: &str, key: &str) -> Result<Stored, StoreError> {
    let rows = sqlx::query(
        "with leads as materialized (
             select distinct to_key
             from links_v1
             where stack = $1 and from_key = $2
             order by to_key
             limit $4
         )
         (
             select
                 stack, source, received_at, origin::text as origin, claim::text as claim,
                 null as leads_to,
                 null as id, null as subject, null as problem, null as state, null as incident
             from evidence_v1
             where stack = $1 and key = $2 and not exists (select from leads)
             order by anomalous desc, coalesce(observed_at, received_at), claim::text
             limit $3
         )
         union all
         select null, null, null::timestamptz, null, null, to_key, null, null, null, null, null
         from leads
         union all
         select null, null, null, null, null, null, id, subject, problem, state, incident::text
         from incidents
         where stack = $1 and (subject = $2 or root = $2) and not exists (select from leads)",
    )
    .bind(stack)
    .bind(key)
    .bind(as_bigint(EVIDENCE_MAX + 1))
    .bind(as_bigint(KEYS_MAX + 1))
    .fetch_all(connection)
    .await?;
    let mut stored = Stored::default();
    for row in &rows {
        if let Some(key) = row.try_get("leads_to")? {
            stored.leads_to.insert((0, key));
        } else if row.try_get::<Option<&str>, _>("id")?.is_some() {
            stored.incidents.extend([known(row)?]);
        } else {
            stored.evidence.extend(evidence(row)?);
        }
    }
    Ok(stored)
}
