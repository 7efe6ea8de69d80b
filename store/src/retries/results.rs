//! What became of retries that were taken: looked for among the evidence, or posted back by who ran them.

use domain::{Incident, Millis, RequestId};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use super::{Retry, RetryState, cut, maybe_time, retry, time, without_nul};
use crate::columns;
use crate::{Store, StoreError, incident_row};

/// The shortest and the longest time between two looks for one result; the older it is, the longer.
const LOOK_PAUSE_MIN: SignedDuration = SignedDuration::from_secs(1);
const LOOK_PAUSE_MAX: SignedDuration = SignedDuration::from_mins(5);

/// How long a result is looked for.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Bytes kept of what the other side said.
const DETAIL_BYTES_MAX: usize = 2048;

impl Store {
    /// Retries whose result is worth a look now. Each is given to one caller, and is next due the later the older it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_retry_results(&self, now: Timestamp, limit: u32) -> Result<Vec<Retry>, StoreError> {
        let rows = sqlx::query(
            "with due as (
                 select id
                 from retries
                 where look_at <= $1
                 order by look_at
                 limit $2
                 for update skip locked
             )
             update retries
             set look_at = case
                 when begun_at < $1 - $5 * interval '1 second' then null
                 else $1 + least(greatest(($1 - begun_at) / 4, $3 * interval '1 second'), $4 * interval '1 second')
             end
             from due
             where retries.id = due.id
             returning retries.*",
        )
        .bind(time(now))
        .bind(i64::from(limit))
        .bind(LOOK_PAUSE_MIN.as_secs_f64())
        .bind(LOOK_PAUSE_MAX.as_secs_f64())
        .bind(LOOKED_FOR.as_secs_f64())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(retry).collect()
    }

    /// Incidents of a request in whatever stack it ran, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incidents_of_request(&self, request_id: &RequestId) -> Result<Vec<Incident>, StoreError> {
        let rows = sqlx::query(
            "select incident::text as incident, first_seen_at, changed_at
             from incidents
             where request_id = $1
             order by at desc, id desc
             limit 10",
        )
        .bind(without_nul(request_id.as_str()))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| incident_row::stored(row).map(|stored| stored.incident)).collect()
    }

    /// Takes the result that was posted to the address of a retry; `false` if there is no such retry, if the token is not
    /// its own, or if its result is known already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn post_retry_result(
        &self,
        id: &str,
        token_digest: &str,
        state: RetryState,
        took: Option<Millis>,
        detail: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "update retries
             set state = $3, ended_at = $4, took_ms = $5, detail = $6, look_at = null
             where id = $1 and token_digest = $2 and state in ('begun', 'accepted', 'unknown')",
        )
        .bind(without_nul(id))
        .bind(without_nul(token_digest))
        .bind(state.as_str())
        .bind(maybe_time(Some(now)))
        .bind(took.map(Millis::as_ms_f64))
        .bind(cut(detail, DETAIL_BYTES_MAX))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives up retries whose sending has not ended since `before`: the process that sent them died, and nobody can tell
    /// whether they ran. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_up_begun_retries(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "update retries
             set state = 'unknown', ended_at = $2, detail = 'the process that sent it died before it heard the answer'
             where state = 'begun' and begun_at < $1",
        )
        .bind(time(before))
        .bind(time(now))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected())
    }

    /// How many retries stand where, of those begun since a moment, for a metric.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retries_by_state(&self, since: Timestamp) -> Result<Vec<(RetryState, u64)>, StoreError> {
        let rows = sqlx::query("select state, count(*) as number from retries where begun_at >= $1 group by state")
            .bind(time(since))
            .fetch_all(&self.pool)
            .await?;
        let read =
            |row: &sqlx::postgres::PgRow| Ok((RetryState::from_word(row.try_get("state")?)?, columns::count(row.try_get("number")?)));
        rows.iter().map(read).collect()
    }
}
