//! Incidents that turned out to be part of others. A line that names no request makes one of its own, at once; who was told of
//! it finds under the same link what it belongs to.

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::columns::{time, without_nul};
use crate::{Store, StoreError, StoredIncident, incident_row};

/// How often what an incident turned out to be may turn out to be part of another in turn.
const STEPS_MAX: i32 = 8;

impl Store {
    /// The incident of that ID, or the one that it turned out to be part of: messages about it still name the ID.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn current_incident(&self, id: &str) -> Result<Option<StoredIncident>, StoreError> {
        let row = sqlx::query(
            "with recursive known (id, step) as (
                 select $1::text, 0
                 union all
                 select superseded.superseded_by, known.step + 1
                 from known
                 join superseded on superseded.incident_id = known.id
                 where known.step < $2
             )
             select incidents.incident::text as incident, incidents.first_seen_at, incidents.changed_at
             from known
             join incidents on incidents.id = known.id
             order by known.step
             limit 1",
        )
        .bind(without_nul(id))
        .bind(STEPS_MAX)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(incident_row::stored).transpose()
    }
}

/// Remembers for incidents that are no more which ones rest on evidence of theirs.
pub(crate) async fn write(connection: &mut PgConnection, successors: Vec<(&str, &str)>, now: Timestamp) -> sqlx::Result<()> {
    if successors.is_empty() {
        return Ok(());
    }
    let (gone, by): (Vec<&str>, Vec<&str>) = successors.into_iter().unzip();
    sqlx::query(
        "insert into superseded (incident_id, superseded_by, at)
         select *, $3 from unnest($1::text[], $2::text[])
         on conflict (incident_id) do update set superseded_by = excluded.superseded_by, at = excluded.at",
    )
    .bind(gone)
    .bind(by)
    .bind(time(now))
    .execute(connection)
    .await?;
    Ok(())
}
