//! Retries: requests that were run again. Decided under a lock that all processes share, written down before anything is
//! sent, and kept with what became of them.

mod asked;
mod results;

use domain::{Evidence, Incident, Millis};
use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use crate::columns::{self, cut, indexed, maybe_time, time, without_nul};
use crate::{Store, StoreError, StoredIncident, incident_row, locks};

pub use self::asked::{ASKED_MAX, BY_HAND};

/// Rows of history that a decision looks at; no cap may be higher.
pub const HISTORY_MAX: u32 = 1_000;

/// How far back the retries of a problem count.
pub const PROBLEM_SPAN: SignedDuration = SignedDuration::from_hours(24);

/// How far back the retries of an action count.
pub const ACTION_SPAN: SignedDuration = SignedDuration::from_hours(1);

/// Bytes kept of what the other side said.
const DETAIL_BYTES_MAX: usize = 2048;

/// How long after it was taken a result is first looked for.
const FIRST_LOOK: SignedDuration = SignedDuration::from_secs(1);

/// What became of a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryState {
    /// It is being sent.
    Begun,
    /// The other side said that it did not take it: it has surely not run.
    NotTaken,
    /// The other side took it and will run it; the result is to come.
    Accepted,
    /// It ran and ended well.
    Succeeded,
    /// It ran and failed.
    Failed,
    /// Nobody can tell whether it ran: no answer came, or the process that sent it died.
    Unknown,
}

impl RetryState {
    /// All states, in the order of a life.
    pub const ALL: [Self; 6] = [Self::Begun, Self::NotTaken, Self::Accepted, Self::Succeeded, Self::Failed, Self::Unknown];

    /// The word used in SQL and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::NotTaken => "not_taken",
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or_else(|| StoreError::UnknownWord { column: "state", found: word.to_owned() })
    }
}

/// One retry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The idempotency key.
    pub id: String,
    /// The incident: one attempt of the platform at the request.
    pub incident_id: String,
    /// Which attempt of the platform it repeats, from 1.
    pub attempt: u32,
    /// Which retry of the request it is, from 1.
    pub number: u32,
    /// The rule that asked for it, or who asked by hand.
    pub rule: String,
    /// The action.
    pub action: String,
    /// What became of it.
    pub state: RetryState,
    /// When it was decided.
    pub begun_at: Timestamp,
    /// When its result was known.
    pub ended_at: Option<Timestamp>,
    /// How long the run took.
    pub took_ms: Option<Millis>,
    /// What the other side said, or how the run ended.
    pub detail: String,
    /// The request ID under which it runs.
    pub result_request_id: Option<String>,
}

/// A retry that may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRetry {
    /// The idempotency key: the same as before if the one of that key was not taken.
    pub id: String,
    /// Which retry of the request it is, from 1.
    pub number: u32,
    /// The rule that asked for it, or who asked by hand.
    pub rule: String,
    /// The delivery that it is made for.
    pub delivery_id: String,
    /// Digest of the token in the address to which its result is posted, if it is to be posted.
    pub token_digest: Option<String>,
}

/// What a decision about a retry rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryCase {
    /// The incident as it is now.
    pub incident: Incident,
    /// Everything known about its request.
    pub evidence: Vec<Evidence>,
    /// What was retried before.
    pub history: RetryHistory,
}

/// What was retried before, and how much of the problem there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryHistory {
    /// Retries of the same request, all its attempts, oldest first.
    pub of_request: Vec<Retry>,
    /// Retries of the same problem within [`PROBLEM_SPAN`], oldest first.
    pub of_problem: Vec<Retry>,
    /// Retries by the same action within [`ACTION_SPAN`], oldest first.
    pub of_action: Vec<Retry>,
    /// Incidents of the problem since the moment that was asked for.
    pub struck: u32,
    /// Whether the request is itself one of our retries.
    pub is_a_retry: bool,
}

/// Which part of history a decision asks for.
#[derive(Clone, Copy, Debug)]
pub struct RetryScope<'a> {
    /// The retry action.
    pub action: &'a str,
    /// Incidents of the problem are counted since this moment.
    pub struck_since: Timestamp,
    /// What time it is.
    pub now: Timestamp,
}

/// How a retry went on after it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryStep {
    /// What became of it.
    pub state: RetryState,
    /// How long the run took, if that is known.
    pub took: Option<Millis>,
    /// What the other side said.
    pub detail: String,
    /// The request ID under which it runs, if the other side said one.
    pub result_request_id: Option<String>,
}

impl Store {
    /// Decides about a retry while nobody else does: `decide` sees the case, and what it answers is written before anybody
    /// else looks. `None` if there is no such incident any more.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is to be sent.
    pub async fn begin_retry<T: Send>(
        &self,
        incident_id: &str,
        scope: RetryScope<'_>,
        decide: impl FnOnce(&RetryCase) -> (T, Option<NewRetry>) + Send,
    ) -> Result<Option<T>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        locks::retries(&mut transaction).await?;
        let Some(case) = case(&mut transaction, incident_id, scope).await? else { return Ok(None) };
        let (decision, new) = decide(&case);
        if let Some(new) = new {
            write(&mut transaction, &case.incident, &new, scope).await?;
        }
        transaction.commit().await?;
        Ok(Some(decision))
    }

    /// The same case, to be looked at only.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retry_case(&self, incident_id: &str, scope: RetryScope<'_>) -> Result<Option<RetryCase>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        case(&mut connection, incident_id, scope).await
    }

    /// Writes down how a retry that was begun went on. One whose result is known already stays as it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn step_retry(&self, id: &str, step: &RetryStep, now: Timestamp) -> Result<(), StoreError> {
        let is_end = !matches!(step.state, RetryState::Begun | RetryState::Accepted);
        let looks = step.state == RetryState::Accepted && step.result_request_id.is_some();
        let first_look = now.saturating_add(FIRST_LOOK).unwrap_or(now);
        sqlx::query(
            "update retries
             set state = $2,
                 ended_at = $3,
                 took_ms = $4,
                 detail = $5,
                 result_request_id = coalesce($6, result_request_id),
                 look_at = $7
             where id = $1 and state in ('begun', 'accepted')",
        )
        .bind(without_nul(id))
        .bind(step.state.as_str())
        .bind(maybe_time(is_end.then_some(now)))
        .bind(step.took.map(Millis::as_ms_f64))
        .bind(cut(&step.detail, DETAIL_BYTES_MAX))
        .bind(step.result_request_id.as_deref().map(indexed))
        .bind(maybe_time(looks.then_some(first_look)))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The retries of an incident's request, all its attempts, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn retries_of(&self, incident: &Incident) -> Result<Vec<Retry>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        of_request(&mut connection, incident).await
    }
}

async fn case(connection: &mut PgConnection, incident_id: &str, scope: RetryScope<'_>) -> Result<Option<RetryCase>, StoreError> {
    let row = sqlx::query("select incident::text as incident, first_seen_at, changed_at from incidents where id = $1")
        .bind(without_nul(incident_id))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let StoredIncident { incident, .. } = incident_row::stored(&row)?;
    let evidence = crate::incidents::evidence(connection, &incident).await?;
    let problem = indexed(incident.problem.as_str());
    let since = |span| maybe_time(scope.now.saturating_sub(span).ok());
    let of_problem = sqlx::query("select * from retries where problem = $1 and begun_at > $2 order by begun_at desc, id limit $3")
        .bind(&problem)
        .bind(since(PROBLEM_SPAN))
        .bind(i64::from(HISTORY_MAX))
        .fetch_all(&mut *connection)
        .await?;
    let of_action = sqlx::query("select * from retries where action = $1 and begun_at > $2 order by begun_at desc, id limit $3")
        .bind(without_nul(scope.action))
        .bind(since(ACTION_SPAN))
        .bind(i64::from(HISTORY_MAX))
        .fetch_all(&mut *connection)
        .await?;
    let struck: i64 = sqlx::query_scalar(
        "select count(*)
         from (
             select from incidents
             where problem = $1 and at >= $2 and state in ('confirmed', 'lost')
             limit $3
         ) as struck",
    )
    .bind(&problem)
    .bind(time(scope.struck_since))
    .bind(i64::from(HISTORY_MAX))
    .fetch_one(&mut *connection)
    .await?;
    let is_a_retry: bool = sqlx::query_scalar("select exists (select from retries where result_request_id = $1)")
        .bind(incident.request_id.as_ref().map(|id| indexed(id.as_str())))
        .fetch_one(&mut *connection)
        .await?;
    let of_request = of_request(connection, &incident).await?;
    let oldest_first = |rows: Vec<PgRow>| rows.iter().rev().map(retry).collect::<Result<Vec<_>, _>>();
    let history = RetryHistory {
        of_request,
        of_problem: oldest_first(of_problem)?,
        of_action: oldest_first(of_action)?,
        struck: u32::try_from(struck).unwrap_or(HISTORY_MAX),
        is_a_retry,
    };
    Ok(Some(RetryCase { incident, evidence, history }))
}

async fn of_request(connection: &mut PgConnection, incident: &Incident) -> Result<Vec<Retry>, StoreError> {
    let rows = sqlx::query("select * from retries where subject = $1 and stack = $2 order by begun_at, id limit $3")
        .bind(indexed(&incident.subject))
        .bind(indexed(incident.stack.as_str()))
        .bind(i64::from(HISTORY_MAX))
        .fetch_all(connection)
        .await?;
    rows.iter().map(retry).collect()
}

async fn write(connection: &mut PgConnection, incident: &Incident, new: &NewRetry, scope: RetryScope<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into retries (
             id, incident_id, problem, stack, subject, attempt, number, rule, action, delivery_id, state, begun_at, detail, token_digest
         )
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'begun', $11, '', $12)
         on conflict (id) do update
         set state = 'begun', begun_at = excluded.begun_at, ended_at = null, detail = '', token_digest = excluded.token_digest,
             action = excluded.action, rule = excluded.rule, delivery_id = excluded.delivery_id
         where retries.state = 'not_taken'",
    )
    .bind(without_nul(&new.id))
    .bind(incident.id.as_str())
    .bind(indexed(incident.problem.as_str()))
    .bind(indexed(incident.stack.as_str()))
    .bind(indexed(&incident.subject))
    .bind(i64::from(incident.attempt))
    .bind(i64::from(new.number))
    .bind(without_nul(&new.rule))
    .bind(without_nul(scope.action))
    .bind(without_nul(&new.delivery_id))
    .bind(time(scope.now))
    .bind(new.token_digest.as_deref())
    .execute(connection)
    .await?;
    Ok(())
}

fn retry(row: &PgRow) -> Result<Retry, StoreError> {
    let whole = |name| row.try_get::<i32, _>(name).map(|number| u32::try_from(number).unwrap_or(0));
    Ok(Retry {
        id: row.try_get("id")?,
        incident_id: row.try_get("incident_id")?,
        attempt: whole("attempt")?,
        number: whole("number")?,
        rule: row.try_get("rule")?,
        action: row.try_get("action")?,
        state: RetryState::from_word(row.try_get("state")?)?,
        begun_at: row.try_get::<jiff_sqlx::Timestamp, _>("begun_at")?.to_jiff(),
        ended_at: columns::read_time(row.try_get("ended_at")?),
        took_ms: row.try_get::<Option<f64>, _>("took_ms")?.map(Millis::from_ms_f64),
        detail: row.try_get("detail")?,
        result_request_id: row.try_get("result_request_id")?,
    })
}

#[cfg(test)]
mod tests;
