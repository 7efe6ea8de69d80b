//! `POST /v1/retries/{id}/{token}`: the result of a retry, posted by who ran it.
//!
//! OpenFaaS's gateway posts the function's answer with `X-Duration-Seconds` and `X-Function-Status` (docs.openfaas.com/reference/async,
//! read 2026-11-22). The token is known to nobody but us and the gateway; its digest is what is stored.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::Millis;
use store::RetryState;

use super::Receiver;

/// Longest ID and token; ours are shorter.
const PART_BYTES_MAX: usize = 128;

/// Seconds after which to come again if the database is away.
const RETRY_AFTER_S: &str = "5";

/// Takes the result. The body is what the function answered, and nobody's business.
pub(super) async fn post(
    State(receiver): State<Receiver>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let Ok(Path((id, token))) = path else { return StatusCode::NOT_FOUND.into_response() };
    if id.len() > PART_BYTES_MAX || token.len() > PART_BYTES_MAX {
        return StatusCode::NOT_FOUND.into_response();
    }
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let Some(status) = said("x-function-status").and_then(|status| status.parse::<u16>().ok()) else {
        let expected = "expected `X-Function-Status`, a status of HTTP, found none";
        return (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": expected }))).into_response();
    };
    let seconds = said("x-duration-seconds").and_then(|seconds| seconds.parse::<f64>().ok()).filter(|seconds| seconds.is_finite());
    let took = seconds.map(|seconds| Millis::from_ms_f64(seconds * 1_000.0));
    let state = if (200..300).contains(&status) { RetryState::Succeeded } else { RetryState::Failed };
    let digest = blake3::hash(token.as_bytes()).to_hex();
    let (store, now) = (receiver.pipeline.store(), receiver.pipeline.clock().now());
    match store.post_retry_result(&id, &digest, state, took, &format!("the function answered {status}"), now).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the result of a retry could not be written down");
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER_S)]).into_response()
        }
    }
}
