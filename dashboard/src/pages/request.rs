//! One request: everything that any source said about it, and the incidents it came to.

use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::{RequestId, StackName};
use jiff::Timestamp;
use serde::Deserialize;
use store::RequestRecord;

use super::evidence::EvidenceTable;
use super::incident_list::IncidentTable;
use super::{Shell, respond};
use crate::App;
use crate::error::Failure;
use crate::links::encoded;
use crate::moment::counted;
use crate::text::{Sentence, Text};

/// Longest ID that is looked up, in bytes; no platform issues longer ones.
pub const ID_BYTES_MAX: usize = 1024;

#[derive(Template)]
#[template(path = "pages/request.html")]
struct RequestPage {
    shell: Shell,
    headline: Sentence,
    request_id: Text,
    stack: Option<Text>,
    known: Option<Known>,
    json: String,
    search: String,
}

struct Known {
    incidents: usize,
    table: IncidentTable,
    evidence: EvidenceTable,
}

/// `?stack=`
#[derive(Deserialize)]
pub struct Parameters {
    stack: Option<String>,
}

/// `GET /requests/{request_id}`
pub async fn show(
    State(app): State<App>,
    id: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let page = match id {
        Ok(Path(id)) if id.len() <= ID_BYTES_MAX => {
            let stack = parameters.ok().and_then(|Query(parameters)| parameters.stack).filter(|stack| !stack.is_empty());
            view(&app, &id, stack.map(StackName::from)).await
        }
        _ => Err(Failure::NotFound("request")),
    };
    let is_unknown = page.as_ref().is_ok_and(|page| page.known.is_none());
    let mut response = respond(&app, page);
    if is_unknown {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

async fn view(app: &App, id: &str, stack: Option<StackName>) -> Result<RequestPage, Failure> {
    let now = app.clock.now();
    let record = app.store.request(stack.as_ref(), &RequestId::from(id)).await?;
    let request_id = Text::name(id);
    let stack = record.as_ref().map(|record| &record.stack).or(stack.as_ref());
    Ok(RequestPage {
        shell: Shell::new(app, format!("request {request_id}"), "/requests/", now),
        headline: Sentence::new(&headline(record.as_ref())),
        request_id,
        stack: stack.filter(|stack| stack.as_str() != "default").map(|stack| Text::name(stack.as_str())),
        known: record.as_ref().map(|record| known(app, record, id, now)),
        json: app.links.request_json(id),
        search: app.links.path(&format!("/search?q={}", encoded(id))),
    })
}

fn headline(record: Option<&RequestRecord>) -> String {
    let Some(record) = record else { return "Nothing is known of this request".to_owned() };
    let pieces = counted(record.evidence.len() as u64, "piece of evidence", "pieces of evidence");
    match record.incidents.as_slice() {
        [] => format!("{pieces}, no incident"),
        [one] => one.incident.summary.clone(),
        many => format!("{} of one request; the latest: {}", counted(many.len() as u64, "incident", "incidents"), many[0].incident.summary),
    }
}

fn known(app: &App, record: &RequestRecord, id: &str, now: Timestamp) -> Known {
    let diagnoses: Vec<_> = record.incidents.iter().map(|stored| &stored.incident.diagnosis).collect();
    Known {
        incidents: record.incidents.len(),
        table: IncidentTable::new(&record.incidents, &app.links, now),
        evidence: EvidenceTable::new(&record.evidence, &diagnoses, app.links.request_json(id), now),
    }
}
