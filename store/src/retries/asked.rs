//! Retries that a person asks for: deliveries like those of rules, so that the same guards stand before them.

use domain::Incident;
use jiff::Timestamp;

use super::{time, without_nul};
use crate::{Store, StoreError, changes};

/// Incidents that can be asked for at once.
pub const ASKED_MAX: usize = 1_000;

/// What stands as the rule of a delivery that a person asked for.
pub const BY_HAND: &str = "by hand";

impl Store {
    /// Writes deliveries of these incidents to a retry action, due now, and wakes whoever makes attempts. Asking again for
    /// what is still on its way changes nothing. Returns how many were written.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ask_for_retries(&self, action: &str, incidents: &[Incident], now: Timestamp) -> Result<u64, StoreError> {
        let ids: Vec<&str> = incidents.iter().take(ASKED_MAX).map(|incident| incident.id.as_str()).collect();
        let mut transaction = self.pool.begin().await?;
        let written = sqlx::query(
            "insert into deliveries (id, change_id, incident_id, rule, action, incident, state, attempts, due_at, created_at)
             select
                 md5(concat_ws(' ', $4::text, $2::text, id, $3::timestamptz::text)), 0, id, $4, $2,
                 incident, 'pending', 0, $3, $3
             from incidents
             where id = any($1) and not exists (
                 select
                 from deliveries as earlier
                 where earlier.incident_id = incidents.id and earlier.action = $2 and earlier.state = 'pending'
             )
             on conflict (id) do nothing",
        )
        .bind(&ids)
        .bind(without_nul(action))
        .bind(time(now))
        .bind(BY_HAND)
        .execute(&mut *transaction)
        .await?;
        changes::announce(&mut transaction).await?;
        transaction.commit().await?;
        Ok(written.rows_affected())
    }
}
