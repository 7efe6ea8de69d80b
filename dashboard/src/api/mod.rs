//! `/api/overrun/v1/…`: the incidents for programs, in the shape of `overrun explain --json`.
//!
//! The prefix leaves `/api/traces`, `/api/v1/query` and the like to the query APIs that Grafana wants at the root. Unknown
//! is `null`, durations are in milliseconds, times RFC 3339 in UTC. What cannot be understood is answered with 400 and what
//! was expected. `openapi.rs` describes it; fields may be added, those there stay.

mod deliveries;
mod errors;
mod incidents;
mod openapi;
mod problems;
mod requests;
mod retries;
mod silences;

pub use deliveries::filter as parked_filter;

use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;

use crate::App;
use crate::error::Failure;

/// Evidence in one answer at most.
pub const EVIDENCE_MAX: usize = 5000;

/// All of it by path.
pub fn router() -> Router<App> {
    Router::new()
        .route("/api/overrun/openapi.json", get(openapi::show))
        .route("/api/overrun/v1/deliveries", get(deliveries::list))
        .route("/api/overrun/v1/deliveries/replay", post(deliveries::replay))
        .route("/api/overrun/v1/errors", get(errors::list))
        .route("/api/overrun/v1/errors/stream", get(errors::stream))
        .route("/api/overrun/v1/incidents", get(incidents::list))
        .route("/api/overrun/v1/incidents/{id}", get(incidents::show))
        .route("/api/overrun/v1/incidents/{id}/evidence", get(incidents::evidence))
        .route("/api/overrun/v1/problems", get(problems::list))
        .route("/api/overrun/v1/problems/{id}", get(problems::show))
        .route("/api/overrun/v1/problems/{id}/resolve", post(problems::resolve))
        .route("/api/overrun/v1/problems/{id}/reopen", post(problems::reopen))
        .route("/api/overrun/v1/problems/{id}/retry", get(retries::plan).post(retries::ask))
        .route("/api/overrun/v1/silences", get(silences::list).post(silences::add))
        .route("/api/overrun/v1/silences/{id}", get(silences::show).delete(silences::end))
        .route("/api/overrun/v1/requests/{request_id}", get(requests::show))
}

/// The answer to a program: the thing as JSON, or why there is none.
fn answer(result: Result<impl Serialize, Failure>) -> Response {
    match result {
        Ok(body) => Json(body).into_response(),
        Err(failure) => failure.into_json(),
    }
}
