//! Incidents: a filtered list, one of them, its evidence.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::{Evidence, Incident};
use jiff::Timestamp;
use serde::Serialize;
use store::StoredIncident;

use super::retries::RetryJson;
use super::silences::SilenceJson;
use super::{EVIDENCE_MAX, answer};
use crate::App;
use crate::error::Failure;
use crate::query::{self, Unknown, is_incident_id};

/// An incident as `overrun explain --json` prints it, and when we came to know of it.
#[derive(Debug, Serialize)]
pub struct IncidentJson {
    #[serde(flatten)]
    incident: Incident,
    first_seen_at: Timestamp,
    changed_at: Timestamp,
}

/// The same with the silences that hold or held it, and with what became of running its request again, where there are any.
#[derive(Serialize)]
struct WithMore {
    #[serde(flatten)]
    incident: IncidentJson,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    silences: Vec<SilenceJson>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retries: Vec<RetryJson>,
}

impl From<StoredIncident> for IncidentJson {
    fn from(stored: StoredIncident) -> Self {
        Self { incident: stored.incident, first_seen_at: stored.first_seen_at, changed_at: stored.changed_at }
    }
}

#[derive(Serialize)]
struct Page {
    incidents: Vec<IncidentJson>,
    /// To be given as `before` for the page after this one; `null` on the last.
    next: Option<String>,
}

/// Evidence, as much of it as fits into one answer.
#[derive(Debug, Serialize)]
pub struct EvidenceJson {
    /// In order of time.
    pub evidence: Vec<Evidence>,
    /// How many there are beyond it.
    pub evidence_left_out: usize,
}

impl EvidenceJson {
    /// The first of `evidence`.
    #[must_use]
    pub fn new(mut evidence: Vec<Evidence>) -> Self {
        let evidence_left_out = evidence.len().saturating_sub(EVIDENCE_MAX);
        evidence.truncate(EVIDENCE_MAX);
        Self { evidence, evidence_left_out }
    }
}

/// `GET /api/overrun/v1/incidents`
pub async fn list(State(app): State<App>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    answer(page(&app, &pairs).await)
}

async fn page(app: &App, pairs: &[(String, String)]) -> Result<Page, Failure> {
    let filter = query::read(pairs, Unknown::Refuse)?;
    let incidents = app.store.incidents(&filter).await?;
    let next = query::next_cursor(&incidents, filter.limit);
    Ok(Page { incidents: incidents.into_iter().map(IncidentJson::from).collect(), next })
}

/// `GET /api/overrun/v1/incidents/{id}`
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Response {
    answer(with_more(&app, id).await)
}

async fn with_more(app: &App, id: Result<Path<String>, PathRejection>) -> Result<WithMore, Failure> {
    let (stored, now) = (one(app, id).await?, app.clock.now());
    let (retries, silences) = tokio::try_join!(
        app.store.retries_of(&stored.incident),
        app.store.silences_of_incident(stored.incident.id.as_str(), stored.incident.problem.as_str(), now)
    )?;
    Ok(WithMore {
        incident: stored.into(),
        retries: retries.into_iter().map(RetryJson::from).collect(),
        silences: silences.into_iter().map(|silence| SilenceJson::new(silence, now)).collect(),
    })
}

/// `GET /api/overrun/v1/incidents/{id}/evidence`
pub async fn evidence(State(app): State<App>, id: Result<Path<String>, PathRejection>) -> Response {
    answer(evidence_of(&app, id).await)
}

async fn evidence_of(app: &App, id: Result<Path<String>, PathRejection>) -> Result<EvidenceJson, Failure> {
    let stored = one(app, id).await?;
    Ok(EvidenceJson::new(app.store.incident_evidence(&stored.incident).await?))
}

async fn one(app: &App, id: Result<Path<String>, PathRejection>) -> Result<StoredIncident, Failure> {
    const NOT_FOUND: Failure = Failure::NotFound("incident");
    let Path(id) = id.map_err(|_| NOT_FOUND)?;
    if !is_incident_id(&id) {
        return Err(NOT_FOUND);
    }
    app.store.current_incident(&id).await?.ok_or(NOT_FOUND)
}
