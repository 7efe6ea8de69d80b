//! Problems: incidents of one fingerprint, kept in step with them in the same transaction, and the word of a person that one
//! is resolved.

use std::collections::BTreeMap;

use domain::{Incident, IncidentState, Layer};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use crate::columns::{Query, count, indexed, maybe_time, time, times, without_nul};
use crate::{ProblemEvent, Store, StoreError, StoredIncident, changes, incident_row, silences};

/// Where a problem is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemState {
    /// Nobody has said that it is over.
    Open,
    /// Somebody has, and it was not seen since.
    Resolved,
    /// It was seen again after that.
    Regressed,
}

impl ProblemState {
    /// All states, in the order of a life.
    pub const ALL: [Self; 3] = [Self::Open, Self::Resolved, Self::Regressed];

    /// The word used in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Regressed => "regressed",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The fingerprint.
    pub id: String,
    /// The stack.
    pub stack: String,
    /// The function.
    pub function: Option<String>,
    /// The layer whose limit fired.
    pub layer: Option<Layer>,
    /// The product of that layer.
    pub product: Option<String>,
    /// Why it fired.
    pub cause: String,
    /// What was in flight.
    pub operation: Option<String>,
    /// The verdict of the latest incident.
    pub summary: String,
    /// The ID of the latest incident.
    pub latest_incident: String,
    /// How many incidents there are.
    pub incidents: u64,
    /// When the first happened.
    pub first_at: Timestamp,
    /// When the latest happened.
    pub last_at: Timestamp,
    /// Where it is in its life.
    pub state: ProblemState,
    /// When somebody last said that it is over.
    pub resolved_at: Option<Timestamp>,
    /// Who.
    pub resolved_by: Option<String>,
    /// When it was first seen after that.
    pub regressed_at: Option<Timestamp>,
}

/// Which problems to list. All conditions hold together; what is left out does not matter.
#[derive(Clone, Debug, PartialEq)]
pub struct ProblemFilter {
    /// In one of these states; none means any.
    pub states: Vec<ProblemState>,
    /// Of this stack.
    pub stack: Option<String>,
    /// Of this function.
    pub function: Option<String>,
    /// After this one in the list: when it was last seen, and its ID.
    pub before: Option<(Timestamp, String)>,
    /// How many at most.
    pub limit: u32,
}

/// The incidents of a problem that came from one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRow {
    /// The release; `None` where no source named one.
    pub release: Option<String>,
    /// How many.
    pub incidents: u64,
    /// The first of them.
    pub first_at: Timestamp,
    /// The latest of them.
    pub last_at: Timestamp,
}

/// The part `touched` of a statement that brings the rows of problems in step with their incidents, which are written already; it says
/// of each whether it may be news. [`Touched`] binds `$12` and `$13`; `$11`: now.
macro_rules! write_sql {
    () => {
        "touched as (
             insert into problems (
                 id, stack, function, layer, product, cause, operation, summary, latest_incident, incidents, first_at, last_at, state,
                 changed_at
             )
             select
                 touched.id, latest.stack, latest.function, latest.layer, latest.product, latest.cause, latest.operation, latest.summary,
                 latest.id, touched.more, first.at, latest.at, 'open', $11
             from unnest($12::text[], $13::bigint[]) as touched (id, more)
             cross join lateral (select * from incidents where problem = touched.id order by at desc, id desc limit 1) as latest
             cross join lateral (select at from incidents where problem = touched.id order by at limit 1) as first
             on conflict (id) do update set
                 stack = excluded.stack,
                 function = excluded.function,
                 layer = excluded.layer,
                 product = excluded.product,
                 cause = excluded.cause,
                 operation = excluded.operation,
                 summary = excluded.summary,
                 latest_incident = excluded.latest_incident,
                 incidents = problems.incidents + excluded.incidents,
                 first_at = excluded.first_at,
                 last_at = excluded.last_at,
                 changed_at = excluded.changed_at
             returning struck_at is null or state = 'resolved' as may_be_news
         )"
    };
}
pub(crate) use write_sql;

/// What happened to the incidents of problems within one transaction.
#[derive(Default)]
pub(crate) struct Touched(BTreeMap<String, Touch>);

#[derive(Default)]
struct Touch {
    more: i64,
    /// Those that surely overran: when, and the change that says so.
    struck: Vec<(Timestamp, i64)>,
}

impl Touched {
    /// An incident was written, which belonged to `previous` before, and `change_id` with it.
    pub(crate) fn written(&mut self, incident: &Incident, previous: Option<&str>, change_id: i64, now: Timestamp) {
        let problem = indexed(incident.problem.as_str()).into_owned();
        if previous != Some(&problem) {
            previous.inspect(|previous| self.left(previous));
            self.0.entry(problem.clone()).or_default().more += 1;
        }
        let touch = self.0.entry(problem).or_default();
        // What is only suspected, or survived, brings nothing back that somebody has mended.
        if matches!(incident.state, IncidentState::Confirmed | IncidentState::Lost) {
            touch.struck.push((incident.at().unwrap_or(now), change_id));
        }
    }

    /// An incident of that problem is no more.
    pub(crate) fn left(&mut self, problem: &str) {
        self.0.entry(problem.to_owned()).or_default().more -= 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Binds `$12` and `$13` of [`write_sql`].
    pub(crate) fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        query.bind(self.ids()).bind(self.0.values().map(|touch| touch.more).collect::<Vec<_>>())
    }

    /// What is to be done in some cases once they are written.
    pub(crate) async fn settle(&self, connection: &mut PgConnection, may_be_news: bool, now: Timestamp) -> sqlx::Result<()> {
        if may_be_news {
            self.strike(connection, now).await?;
        }
        if self.0.values().any(|touch| touch.more < 0) {
            sqlx::query("delete from problems where id = any($1) and not exists (select from incidents where problem = problems.id)")
                .bind(self.ids())
                .execute(connection)
                .await?;
        }
        Ok(())
    }

    fn ids(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// What has struck for the first time is new; what was resolved and has struck since is back. The first change says so, and that it
    /// is back where it is both.
    async fn strike(&self, connection: &mut PgConnection, now: Timestamp) -> sqlx::Result<()> {
        let struck = || self.0.iter().flat_map(|(id, touch)| touch.struck.iter().map(move |(at, change)| (id.as_str(), *at, *change)));
        let (ids, changes): (Vec<_>, Vec<_>) = struck().map(|(id, _, change)| (id, change)).unzip();
        if ids.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "with given as (
                 select problems.id, problems.struck_at, problems.state, problems.resolved_at, given.change_id, given.at
                 from unnest($1::text[], $2::bigint[], $3::timestamptz[]) as given (id, change_id, at)
                 join problems on problems.id = given.id
             ), news as (
                 select id, min(change_id) as change_id, 'new' as event, null::timestamptz as back_at
                 from given
                 where struck_at is null
                 group by id
                 union all
                 (
                     select distinct on (id) id, change_id, 'regressed', at
                     from given
                     where state = 'resolved' and at > resolved_at
                     order by id, change_id
                 )
             ), struck as (
                 update problems
                 set struck_at = coalesce(struck_at, $4),
                     state = case when back_at is null then state else 'regressed' end,
                     regressed_at = coalesce(back_at, regressed_at)
                 from (select id, max(back_at) as back_at from news group by id) as news
                 where problems.id = news.id
             )
             update incident_changes
             set problem_event = event
             from (select change_id, max(event) as event from news group by change_id) as news
             where incident_changes.id = news.change_id",
        )
        .bind(ids)
        .bind(changes)
        .bind(times(struck().map(|(_, at, _)| at)))
        .bind(time(now))
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Problems, those seen last first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_problems(&self, filter: &ProblemFilter) -> Result<Vec<Problem>, StoreError> {
        let rows = sqlx::query(
            "select *
             from problems
             where (cardinality($1::text[]) = 0 or state = any($1))
               and ($2::text is null or stack = $2)
               and ($3::text is null or function = $3)
               and ($4::timestamptz is null or (last_at, id) < ($4, $5))
             order by last_at desc, id desc
             limit $6",
        )
        .bind(filter.states.iter().map(|state| state.as_str()).collect::<Vec<_>>())
        .bind(filter.stack.as_deref().map(indexed))
        .bind(filter.function.as_deref().map(without_nul))
        .bind(maybe_time(filter.before.as_ref().map(|(at, _)| *at)))
        .bind(filter.before.as_ref().map(|(_, id)| without_nul(id)))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(problem).collect()
    }

    /// One problem, `None` if there is none of that ID.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn problem(&self, id: &str) -> Result<Option<Problem>, StoreError> {
        let row = sqlx::query("select * from problems where id = $1").bind(without_nul(id)).fetch_optional(&self.pool).await?;
        row.as_ref().map(problem).transpose()
    }

    /// Says that a problem is resolved. Returns whether there is one of that ID.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn resolve_problem(&self, id: &str, by: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.say_of_problem(id, ProblemEvent::Resolved, Some(by), now).await
    }

    /// Takes that back. Returns whether there is one of that ID.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reopen_problem(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.say_of_problem(id, ProblemEvent::Reopened, None, now).await
    }

    /// Writes what a person says of a problem; if it says anything new, as a change that rules can route.
    async fn say_of_problem(&self, id: &str, event: ProblemEvent, by: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
        let state = if event == ProblemEvent::Resolved { ProblemState::Resolved } else { ProblemState::Open };
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let found: i64 = sqlx::query_scalar(
            "with before as (
                 select id, state from problems where id = $1 for update
             ), after as (
                 update problems
                 set state = $3,
                     resolved_at = case when $3 = 'resolved' then $2 else resolved_at end,
                     resolved_by = case when $3 = 'resolved' then $4 else resolved_by end,
                     regressed_at = null,
                     changed_at = $2
                 from before
                 where problems.id = before.id
                 returning problems.latest_incident, before.state as state_before
             ), told as (
                 insert into incident_changes (at, kind, previous_state, incident_id, incident, problem_event)
                 select $2, 'updated', incidents.state, incidents.id, incidents.incident, $5
                 from after
                 join incidents on incidents.id = after.latest_incident
                 where after.state_before <> $3
             )
             select count(*) from after",
        )
        .bind(without_nul(id))
        .bind(time(now))
        .bind(state.as_str())
        .bind(by.map(without_nul))
        .bind(event.as_str())
        .fetch_one(&mut *transaction)
        .await?;
        if event == ProblemEvent::Resolved {
            silences::problem_resolved(&mut transaction, id, now).await?;
        }
        changes::announce(&mut transaction).await?;
        transaction.commit().await?;
        Ok(found > 0)
    }

    /// How many incidents of a problem fall into each of `buckets` equal parts of `[from, to)`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn problem_trend(&self, id: &str, from: Timestamp, to: Timestamp, buckets: u32) -> Result<Vec<u64>, StoreError> {
        let rows = sqlx::query(
            "select floor($4 * extract(epoch from at - $2) / extract(epoch from $3 - $2))::bigint as bucket, count(*) as number
             from incidents
             where problem = $1 and at >= $2 and at < $3
             group by bucket",
        )
        .bind(without_nul(id))
        .bind(time(from))
        .bind(time(to))
        .bind(i64::from(buckets))
        .fetch_all(&self.pool)
        .await?;
        let mut trend = vec![0; buckets as usize];
        for row in &rows {
            let bucket = usize::try_from(row.try_get::<i64, _>("bucket")?).ok();
            if let Some(number) = bucket.and_then(|bucket| trend.get_mut(bucket)) {
                *number = count(row.try_get("number")?);
            }
        }
        Ok(trend)
    }

    /// The releases that a problem was seen in, those seen last first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn problem_releases(&self, id: &str, limit: u32) -> Result<Vec<ReleaseRow>, StoreError> {
        let rows = sqlx::query(
            "select release, count(*) as number, min(at) as first_at, max(at) as last_at
             from incidents
             where problem = $1
             group by release
             order by last_at desc, release
             limit $2",
        )
        .bind(without_nul(id))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ReleaseRow {
                    release: row.try_get("release")?,
                    incidents: count(row.try_get("number")?),
                    first_at: row.try_get::<jiff_sqlx::Timestamp, _>("first_at")?.to_jiff(),
                    last_at: row.try_get::<jiff_sqlx::Timestamp, _>("last_at")?.to_jiff(),
                })
            })
            .collect()
    }

    /// Incidents of a problem that may tell most of it: its first, its slowest, and its latest `latest`, in that order, none
    /// twice.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incidents_of_problem(&self, id: &str, latest: u32) -> Result<Vec<StoredIncident>, StoreError> {
        let rows = sqlx::query(
            "with first as (
                 select id, 1 as rank from incidents where problem = $1 order by at, id limit 1
             ), slowest as (
                 select id, 2 as rank from incidents where problem = $1 and elapsed_ms is not null order by elapsed_ms desc, id limit 1
             ), latest as (
                 select id, 3 as rank from incidents where problem = $1 order by at desc, id desc limit $2
             ), chosen as (
                 select id, min(rank) as rank
                 from (select * from first union all select * from slowest union all select * from latest) as every
                 group by id
             )
             select incident::text as incident, first_seen_at, changed_at
             from chosen
             join incidents using (id)
             order by rank, at desc, id desc",
        )
        .bind(without_nul(id))
        .bind(i64::from(latest))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(incident_row::stored).collect()
    }
}

fn problem(row: &PgRow) -> Result<Problem, StoreError> {
    let maybe = |column| Ok::<_, sqlx::Error>(row.try_get::<Option<jiff_sqlx::Timestamp>, _>(column)?.map(jiff_sqlx::Timestamp::to_jiff));
    Ok(Problem {
        id: row.try_get("id")?,
        stack: row.try_get("stack")?,
        function: row.try_get("function")?,
        layer: row.try_get::<Option<&str>, _>("layer")?.map(incident_row::layer).transpose()?,
        product: row.try_get("product")?,
        cause: row.try_get("cause")?,
        operation: row.try_get("operation")?,
        summary: row.try_get("summary")?,
        latest_incident: row.try_get("latest_incident")?,
        incidents: count(row.try_get("incidents")?),
        first_at: row.try_get::<jiff_sqlx::Timestamp, _>("first_at")?.to_jiff(),
        last_at: row.try_get::<jiff_sqlx::Timestamp, _>("last_at")?.to_jiff(),
        state: state(row.try_get("state")?)?,
        resolved_at: maybe("resolved_at")?,
        resolved_by: row.try_get("resolved_by")?,
        regressed_at: maybe("regressed_at")?,
    })
}

/// Reads the word of a state.
fn state(word: &str) -> Result<ProblemState, StoreError> {
    let known = ProblemState::ALL.into_iter().find(|state| state.as_str() == word);
    known.ok_or_else(|| StoreError::UnknownWord { column: "state", found: word.to_owned() })
}

#[cfg(test)]
mod tests;
