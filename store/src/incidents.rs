//! Incidents as people ask for them.

use domain::{Evidence, FunctionName, Incident, IncidentState, Layer, Outcome, StackName};
use jiff::Timestamp;
use sqlx::PgConnection;

use crate::columns::{indexed, maybe_time, without_nul};
use crate::{Store, StoreError, group, incident_row};

/// Which incidents to list. All conditions hold together; what is left out does not matter.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentFilter {
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Of this stack.
    pub stack: Option<StackName>,
    /// Of this function.
    pub function: Option<FunctionName>,
    /// Whose limit fired.
    pub layer: Option<Layer>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// How far we believe it.
    pub state: Option<IncidentState>,
    /// Of this problem.
    pub problem: Option<String>,
    /// Of this release, or this version where no source names a release.
    pub release: Option<String>,
    /// A request ID, a trace ID, or words that all stand in the summary or the function's name.
    pub text: Option<String>,
    /// Older than this one: the moment and ID of the last incident of the page before.
    pub before: Option<(Timestamp, String)>,
    /// How many at most.
    pub limit: u32,
}

impl Default for IncidentFilter {
    /// The latest 50.
    fn default() -> Self {
        Self {
            from: None,
            to: None,
            stack: None,
            function: None,
            layer: None,
            outcome: None,
            state: None,
            problem: None,
            release: None,
            text: None,
            before: None,
            limit: 50,
        }
    }
}

/// An incident, and when we came to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIncident {
    /// The incident.
    pub incident: Incident,
    /// When we first wrote it.
    pub first_seen_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

/// Words of a search at most.
const WORDS_MAX: usize = 16;

impl Store {
    /// Incidents, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incidents(&self, filter: &IncidentFilter) -> Result<Vec<StoredIncident>, StoreError> {
        let text = filter.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let rows = sqlx::query(
            "select incident::text as incident, first_seen_at, changed_at
             from incidents
             where ($1::timestamptz is null or at >= $1)
               and ($2::timestamptz is null or at < $2)
               and ($3::text is null or stack = $3)
               and ($4::text is null or function = $4)
               and ($5::text is null or layer = $5)
               and ($6::text is null or outcome = $6)
               and ($7::text is null or state = $7)
               and ($8::text is null or problem = $8)
               and (
                   $9::text is null
                   or request_id = $9
                   or trace_id = lower($9)
                   or concat_ws(' ', summary, function) ilike all ($10::text[])
               )
               and ($11::timestamptz is null or (at, id) < ($11, $12))
               and ($14::text is null or release = $14)
             order by at desc, id desc
             limit $13",
        )
        .bind(maybe_time(filter.from))
        .bind(maybe_time(filter.to))
        .bind(filter.stack.as_ref().map(|stack| indexed(stack.as_str())))
        .bind(filter.function.as_ref().map(|function| without_nul(function.as_str())))
        .bind(filter.layer.map(Layer::as_str))
        .bind(filter.outcome.map(Outcome::as_str))
        .bind(filter.state.map(IncidentState::as_str))
        .bind(filter.problem.as_deref().map(indexed))
        .bind(text.map(without_nul))
        .bind(text.map(patterns))
        .bind(maybe_time(filter.before.as_ref().map(|(at, _)| *at)))
        .bind(filter.before.as_ref().map(|(_, id)| without_nul(id)))
        .bind(i64::from(filter.limit))
        .bind(filter.release.as_deref().map(without_nul))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(incident_row::stored).collect()
    }

    /// One incident, `None` if there is none of that ID.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incident(&self, id: &str) -> Result<Option<StoredIncident>, StoreError> {
        let row = sqlx::query("select incident::text as incident, first_seen_at, changed_at from incidents where id = $1")
            .bind(without_nul(id))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(incident_row::stored).transpose()
    }

    /// All that is known about what an incident is about, by time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn incident_evidence(&self, incident: &Incident) -> Result<Vec<Evidence>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        evidence(&mut connection, incident).await
    }
}

/// See [`Store::incident_evidence`].
pub(crate) async fn evidence(connection: &mut PgConnection, incident: &Incident) -> Result<Vec<Evidence>, StoreError> {
    let stack = indexed(incident.stack.as_str());
    let mut root = indexed(&incident.subject).into_owned();
    if root.starts_with("worker/") {
        // A worker dropped at shutdown is told of by its server, whose lines are found from there.
        let query = sqlx::query_scalar("select root from incidents where id = $1").bind(incident.id.as_str());
        root = query.fetch_optional(&mut *connection).await?.unwrap_or(root);
    }
    Ok(group::load(connection, &stack, &root).await?.evidence)
}

/// One pattern per word, in which nothing but our own wildcards is special.
fn patterns(text: &str) -> Vec<String> {
    let escape = |word: &str| word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    text.split_whitespace().take(WORDS_MAX).map(|word| format!("%{}%", escape(&without_nul(word)))).collect()
}
