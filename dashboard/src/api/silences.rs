//! Silences: those that hold, one of them, a new one, the end of one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use store::Silence;

use super::answer;
use crate::App;
use crate::error::Failure;
use crate::own_page;
use crate::query::BadParameter;
use crate::silencing::Asked;

/// Who asks while nobody has to say who they are.
const SOMEBODY: &str = "somebody by the API";

/// A silence.
#[derive(Debug, Serialize)]
pub struct SilenceJson {
    id: i64,
    matchers: BTreeMap<String, String>,
    condition: Option<String>,
    comment: String,
    created_by: String,
    created_at: Timestamp,
    /// `null`: when the problem is resolved.
    ends_at: Option<Timestamp>,
    holds: bool,
}

impl SilenceJson {
    /// A silence, seen at `now`.
    #[must_use]
    pub fn new(silence: Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id,
            holds: silence.holds_at(now),
            created_at: silence.created_at,
            matchers: silence.asked.matchers,
            condition: silence.asked.condition,
            comment: silence.asked.comment,
            created_by: silence.asked.created_by,
            ends_at: silence.asked.ends_at,
        }
    }
}

#[derive(Serialize)]
struct List {
    silences: Vec<SilenceJson>,
}

/// `GET /api/overrun/v1/silences`
pub async fn list(State(app): State<App>) -> Response {
    let found = async {
        let now = app.clock.now();
        let silences = app.store.silences(now).await?;
        Ok(List { silences: silences.into_iter().map(|silence| SilenceJson::new(silence, now)).collect() })
    };
    answer(found.await)
}

/// `GET /api/overrun/v1/silences/{id}`
pub async fn show(State(app): State<App>, id: Result<Path<i64>, PathRejection>) -> Response {
    let found = async { one(&app, known(id)?).await };
    answer(found.await)
}

/// `POST /api/overrun/v1/silences`
pub async fn add(State(app): State<App>, headers: HeaderMap, asked: Result<Json<Asked>, JsonRejection>) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let Json(asked) =
            asked.map_err(|why| BadParameter::new("body", format!("a silence as JSON: {}", why.body_text()), "something else"))?;
        one(&app, asked.begin(&app, SOMEBODY).await?).await
    };
    answer(done.await)
}

/// `DELETE /api/overrun/v1/silences/{id}`
pub async fn end(State(app): State<App>, id: Result<Path<i64>, PathRejection>, headers: HeaderMap) -> Response {
    let done = async {
        own_page::check(&headers)?;
        let id = known(id)?;
        app.store.end_silence(id, app.clock.now()).await?;
        one(&app, id).await
    };
    answer(done.await)
}

fn known(id: Result<Path<i64>, PathRejection>) -> Result<i64, Failure> {
    id.map(|Path(id)| id).map_err(|_| Failure::NotFound("silence"))
}

async fn one(app: &App, id: i64) -> Result<SilenceJson, Failure> {
    let found = app.store.silence(id).await?.ok_or(Failure::NotFound("silence"))?;
    Ok(SilenceJson::new(found, app.clock.now()))
}
