//! From sockets to the pipeline: one file per transport. A receiver does four things: limit, see who sends, hand the bytes to
//! a parser, answer.
//!
//! | path | file |
//! | --- | --- |
//! | `POST /v1/watchdog`, `POST /2015-03-31/functions/{name}/invocations` | `watchdog.rs` |
//! | `POST /v1/watchdog/last_words` | `last_words.rs` |
//! | `POST /v1/push/{format}` | `log_push.rs` |
//! | `POST /v1/push/firehose` | `firehose.rs` |
//! | `/v1/push/vercel` | `vercel.rs` |
//! | `POST /loki/api/v1/push`, `/api/prom/push` | `loki.rs` |
//! | `POST /v1/traces`, `POST /v1/logs` | `otlp_http.rs` |
//! | `POST /v1/retries/{id}/{token}` | `retry_result.rs` |
//! | gRPC `TraceService/Export`, `LogsService/Export` | `otlp_grpc.rs` |
//! | syslog over TCP and UDP | `syslog.rs` |
//!
//! A `2xx` means durable. A full queue, a database that is away and a process that is stopping are answered 503 with
//! `Retry-After`; what is wrong with one item costs that item.

mod body;
mod budget;
mod firehose;
mod intake;
mod last_words;
mod log_push;
mod loki;
mod options;
mod otlp_answer;
mod otlp_grpc;
mod otlp_http;
mod parts;
mod refusal;
mod retry_result;
mod rpc_status;
mod sender;
mod storable;
mod syslog;
#[cfg(test)]
mod tests;
mod vercel;
mod watchdog;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use tokio::sync::Semaphore;

pub use options::{FirehoseOptions, ReceiveOptions, SyslogOptions, VercelOptions};
pub use refusal::Refusal;
pub use sender::Sender;
pub use syslog::{listen_tcp, listen_udp};

use crate::pipeline::Pipeline;
use budget::Budget;

/// What every transport needs. Cheap to clone.
#[derive(Clone)]
pub struct Receiver {
    pipeline: Pipeline,
    options: Arc<ReceiveOptions>,
    budget: Budget,
    /// Places for processes whose last words are waited for.
    listening: Arc<Semaphore>,
}

impl Receiver {
    /// A receiver in front of `pipeline`. Its memory bound holds for all listeners that share it.
    #[must_use]
    pub fn new(pipeline: Pipeline, options: ReceiveOptions) -> Self {
        let budget = Budget::new(options.in_flight_bytes_max, pipeline.metrics().bytes_in_flight.clone());
        let listening = Arc::new(Semaphore::new(options.last_words_open_max.min(Semaphore::MAX_PERMITS)));
        Self { pipeline, options: Arc::new(options), budget, listening }
    }

    /// Counts a request, or what stands for one, by the class of its answer.
    fn count(&self, transport: &str, class: &str) {
        self.pipeline.metrics().requests.with_label_values(&[transport, class]).inc();
    }
}

/// The ingest listener for HTTP.
pub fn http_router(receiver: &Receiver) -> Router {
    let counted = |transport: &'static str, route: MethodRouter<Receiver>| {
        let receiver = receiver.clone();
        let count = move |request: Request, next: Next| count(receiver.clone(), transport, request, next);
        route.layer(axum::middleware::from_fn(count))
    };
    Router::new()
        .route("/v1/watchdog", counted("watchdog", post(watchdog::post)))
        .route("/v1/watchdog/last_words", counted("watchdog", post(last_words::post)))
        .route("/2015-03-31/functions/{name}/invocations", counted("watchdog", post(watchdog::invoke)))
        .route("/v1/push/firehose", counted("push", post(firehose::post)))
        .route("/v1/push/vercel", counted("push", get(vercel::verify).post(vercel::post)))
        .route("/loki/api/v1/push", counted("loki", post(loki::post)))
        .route("/api/prom/push", counted("loki", post(loki::post)))
        .route("/v1/push/{format}", counted("push", post(log_push::post)))
        .route("/v1/retries/{id}/{token}", counted("retry_result", post(retry_result::post)))
        .route("/v1/traces", counted("otlp_http", post(otlp_http::traces)))
        .route("/v1/logs", counted("otlp_http", post(otlp_http::logs)))
        .fallback(unknown_path)
        .with_state(receiver.clone())
}

/// The ingest listener for gRPC.
pub fn grpc_router(receiver: &Receiver) -> Router {
    otlp_grpc::router(receiver.clone())
}

/// Counts a request by the class of its answer, and gives it a span.
async fn count(receiver: Receiver, transport: &'static str, request: Request, next: Next) -> Response {
    use tracing::Instrument as _;
    let response = next.run(request).instrument(tracing::info_span!("receive", transport)).await;
    let class = match response.status().as_u16() {
        200..300 => "2xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    receiver.count(transport, class);
    response
}

async fn unknown_path(State(_): State<Receiver>, request: Request) -> Response {
    let known = "`/v1/watchdog`, `/v1/push/{format}`, `/v1/traces`, `/v1/logs`, `/loki/api/v1/push`";
    let found = crate::parse::cut(request.uri().path(), 128);
    (StatusCode::NOT_FOUND, Json(serde_json::json!({ "error": format!("expected one of {known}, found `{found}`") }))).into_response()
}

/// The content type without its parameters, in lower case; empty when there is none.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let essence = value.as_deref().and_then(|text| text.split(';').next()).unwrap_or_default();
    crate::parse::cut(essence.trim(), 128).to_ascii_lowercase()
}
