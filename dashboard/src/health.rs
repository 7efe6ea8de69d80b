//! What orchestrators and Prometheus ask: `/healthz`, `/readyz`, `/metrics`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use prometheus::{Encoder, TextEncoder};

use crate::App;

/// The text format's content type; Prometheus 3 refuses a scrape without one that it knows.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The three of them.
pub fn router() -> Router<App> {
    Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn ready(State(app): State<App>) -> Response {
    match app.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready: the database does not answer");
            let text = "not ready: the database does not answer; evidence is not shown until it does\n";
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], text).into_response()
        }
    }
}

async fn metrics(State(app): State<App>) -> Response {
    let mut body = Vec::new();
    match TextEncoder::new().encode(&app.registry.gather(), &mut body) {
        Ok(()) => ([(CONTENT_TYPE, EXPOSITION)], body).into_response(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "metrics could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "metrics could not be written\n").into_response()
        }
    }
}
