//! One request: everything that any source said about it.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use domain::{RequestId, StackName};
use serde::Serialize;
use store::RequestRecord;

use super::answer;
use super::incidents::{EvidenceJson, IncidentJson};
use crate::App;
use crate::error::Failure;
use crate::query::BadParameter;

/// Longest ID that is looked up, in bytes; no platform issues longer ones.
const ID_BYTES_MAX: usize = 1024;

#[derive(Serialize)]
struct RequestJson {
    request_id: String,
    stack: StackName,
    /// The highest attempt that an incident or a source names; `null` when none does.
    attempts: Option<u32>,
    incidents: Vec<IncidentJson>,
    #[serde(flatten)]
    evidence: EvidenceJson,
}

/// `GET /api/overrun/v1/requests/{request_id}`
pub async fn show(State(app): State<App>, id: Result<Path<String>, PathRejection>, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    answer(view(&app, id, &pairs).await)
}

async fn view(app: &App, id: Result<Path<String>, PathRejection>, pairs: &[(String, String)]) -> Result<RequestJson, Failure> {
    let Path(id) = id.map_err(|_| Failure::NotFound("request"))?;
    if id.len() > ID_BYTES_MAX {
        return Err(BadParameter::new("request_id", format!("at most {ID_BYTES_MAX} bytes"), &id).into());
    }
    let stack = stack(pairs)?;
    let record = app.store.request(stack.as_ref(), &RequestId::from(id.as_str())).await?;
    record.map(|record| json(id, record)).ok_or(Failure::NotFound("request"))
}

fn stack(pairs: &[(String, String)]) -> Result<Option<StackName>, BadParameter> {
    let mut stack = None;
    for (name, value) in pairs {
        match name.as_str() {
            "stack" if value.is_empty() => {}
            "stack" if value.len() <= ID_BYTES_MAX => stack = Some(StackName::from(value.as_str())),
            "stack" => return Err(BadParameter::new("stack", format!("at most {ID_BYTES_MAX} bytes"), value)),
            other => return Err(BadParameter::new(other, "no parameter but stack", other)),
        }
    }
    Ok(stack)
}

fn json(request_id: String, record: RequestRecord) -> RequestJson {
    let by_incidents = record.incidents.iter().map(|stored| stored.incident.attempt);
    let by_claims = record.evidence.iter().filter_map(|evidence| evidence.claim.attempt);
    RequestJson {
        request_id,
        attempts: by_incidents.chain(by_claims).max(),
        stack: record.stack,
        incidents: record.incidents.into_iter().map(IncidentJson::from).collect(),
        evidence: EvidenceJson::new(record.evidence),
    }
}
