//! An incident as a row: the columns that are searched, and the whole of it as JSON; and the rows that are written with it, of what
//! changed and of its number among the errors of its stack.

use domain::{Incident, IncidentState, Layer, Millis};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::StoreError;
use crate::changes::{CHANNEL, ChangeKind};
use crate::columns::{self, indexed, maybe_time, time, without_nul};
use crate::incidents::StoredIncident;

/// An incident to be written, and why.
pub(crate) struct NewRow<'a> {
    pub(crate) incident: &'a Incident,
    /// The same as JSON.
    pub(crate) json: &'a str,
    /// The key of the group that it was found in.
    pub(crate) root: &'a str,
    /// What happened to it.
    pub(crate) kind: ChangeKind,
    /// Its state before.
    pub(crate) previous: Option<IncidentState>,
}

/// One statement for all of it, since each would wait for its own answer.
const WRITE: &str = "with incident as (
         insert into incidents (
             id, stack, subject, root, problem, request_id, trace_id, function, platform, instance, outcome, state, layer, product,
             setting, limit_ms, cause, operation, summary, at, started_at, ended_at, elapsed_ms, first_seen_at, changed_at, incident, release
         )
         values (
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, coalesce($20, $24), $21, $22, $23,
             $24, $24, $25::json, $26
         )
         on conflict (id) do update set
             stack = excluded.stack,
             subject = excluded.subject,
             root = excluded.root,
             problem = excluded.problem,
             request_id = excluded.request_id,
             trace_id = excluded.trace_id,
             function = excluded.function,
             platform = excluded.platform,
             instance = excluded.instance,
             outcome = excluded.outcome,
             state = excluded.state,
             layer = excluded.layer,
             product = excluded.product,
             setting = excluded.setting,
             limit_ms = excluded.limit_ms,
             cause = excluded.cause,
             operation = excluded.operation,
             summary = excluded.summary,
             at = coalesce($20, incidents.at),
             started_at = excluded.started_at,
             ended_at = excluded.ended_at,
             elapsed_ms = excluded.elapsed_ms,
             changed_at = excluded.changed_at,
             incident = excluded.incident,
             release = excluded.release
     ), change as (
         insert into incident_changes (at, kind, previous_state, incident_id, incident)
         values ($24, $27, $28, $1, $25::json)
         returning id
     ), next as (
         insert into error_sequences (stack, last)
         select $2, 1
         where $12 in ('confirmed', 'lost') and not exists (select from errors where incident_id = $1)
         on conflict (stack) do update set last = error_sequences.last + 1
         returning last
     ), error as (
         insert into errors (stack, sequence, incident_id, change_id, at)
         select $2, next.last, $1, change.id, $24
         from next, change
     )
     select id, pg_notify($29, $30)
     from change";

/// Inserts an incident, or overwrites all of it but when it was first seen; writes the change, and has it announced with the commit;
/// and writes it down as an error of its stack, if it is one and was not yet. Returns the ID of the change.
pub(crate) async fn write(connection: &mut PgConnection, new: &NewRow<'_>, now: Timestamp, signature: &str) -> sqlx::Result<i64> {
    let incident = new.incident;
    let fired = incident.diagnosis.limit.as_ref();
    let text = |text: Option<&str>| text.map(|text| without_nul(text).into_owned());
    let ms = |duration: Option<Millis>| duration.map(Millis::as_ms_f64);
    sqlx::query_scalar(WRITE)
        .bind(incident.id.as_str())
        .bind(indexed(incident.stack.as_str()))
        .bind(indexed(&incident.subject))
        .bind(new.root)
        .bind(indexed(incident.problem.as_str()))
        .bind(text(incident.request_id.as_ref().map(domain::RequestId::as_str)))
        .bind(text(incident.trace_id.as_ref().map(domain::TraceId::as_str)))
        .bind(text(incident.function.as_ref().map(domain::FunctionName::as_str)))
        .bind(text(incident.platform.as_ref().map(domain::Product::as_str)))
        .bind(text(incident.instance.as_ref().map(domain::Instance::as_str)))
        .bind(incident.outcome.as_str())
        .bind(incident.state.as_str())
        .bind(incident.diagnosis.layer.map(Layer::as_str))
        .bind(text(incident.diagnosis.product.as_ref().map(domain::Product::as_str)))
        .bind(text(fired.map(|fired| fired.setting.as_str())))
        .bind(ms(fired.and_then(|fired| fired.value_ms)))
        .bind(without_nul(&incident.diagnosis.cause.id))
        .bind(text(incident.diagnosis.cause.operation.as_deref()))
        .bind(without_nul(&incident.summary))
        .bind(maybe_time(incident.at()))
        .bind(maybe_time(incident.started_at))
        .bind(maybe_time(incident.ended_at))
        .bind(ms(incident.elapsed_ms))
        .bind(time(now))
        .bind(new.json)
        .bind(text(incident.release.as_deref().or(incident.version.as_deref())))
        .bind(new.kind.as_str())
        .bind(new.previous.map(IncidentState::as_str))
        .bind(CHANNEL)
        .bind(signature)
        .fetch_one(connection)
        .await
}

/// Reads a row with the columns `incident` (as text), `first_seen_at`, `changed_at`.
pub(crate) fn stored(row: &PgRow) -> Result<StoredIncident, StoreError> {
    Ok(StoredIncident {
        incident: columns::from_json("incidents", row.try_get("incident")?)?,
        first_seen_at: row.try_get::<jiff_sqlx::Timestamp, _>("first_seen_at")?.to_jiff(),
        changed_at: row.try_get::<jiff_sqlx::Timestamp, _>("changed_at")?.to_jiff(),
    })
}

/// Reads the word of a state.
pub(crate) fn state(word: &str) -> Result<IncidentState, StoreError> {
    IncidentState::ALL
        .into_iter()
        .find(|state| state.as_str() == word)
        .ok_or_else(|| StoreError::UnknownWord { column: "state", found: word.to_owned() })
}

/// Reads the word of a layer.
pub(crate) fn layer(word: &str) -> Result<Layer, StoreError> {
    Layer::ALL
        .into_iter()
        .find(|layer| layer.as_str() == word)
        .ok_or_else(|| StoreError::UnknownWord { column: "layer", found: word.to_owned() })
}
