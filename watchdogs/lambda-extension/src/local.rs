//! What comes in on this machine: batches of the Telemetry API, and the events of SDKs inside the function.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;

use crate::last_words;
use crate::settings::Settings;
use crate::ship::{Shipment, Shipper};
use crate::watch::Watch;

/// Largest body: more than Lambda puts in a batch, and than an SDK sends.
const BODY_BYTES_MAX: usize = 1024 * 1024;

struct Shared {
    settings: Arc<Settings>,
    watch: Watch,
    shipper: Shipper,
}

/// Begins to listen, on the port where SDKs send by default or, if that is taken, on any; returns which.
pub async fn listen(settings: &Arc<Settings>, watch: Watch, shipper: Shipper) -> std::io::Result<u16> {
    let listener = match TcpListener::bind(("0.0.0.0", settings.port)).await {
        Ok(listener) => listener,
        Err(error) => {
            crate::say(&format!("port {} is taken, so events of SDKs go past this extension: {error}", settings.port));
            TcpListener::bind(("0.0.0.0", 0)).await?
        }
    };
    let port = listener.local_addr()?.port();
    let shared = Arc::new(Shared { settings: Arc::clone(settings), watch, shipper });
    let router = Router::new()
        .route("/telemetry", post(telemetry))
        .route("/v1/{*rest}", post(forward))
        .route(last_words::PATH, post(last_words))
        .route("/2015-03-31/functions/{name}/invocations", post(forward))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

/// As much of a telemetry event as matters here.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    record: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimeDone<'a> {
    request_id: &'a str,
    status: &'a str,
}

/// Reads when an invocation ended, and passes the batch on as it came.
async fn telemetry(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    let events: Vec<&RawValue> = serde_json::from_slice(&body).unwrap_or_default();
    let mut kept = Vec::new();
    for event in &events {
        let head: Option<Head<'_>> = serde_json::from_str(event.get()).ok();
        let kind = head.as_ref().map_or("", |head| head.kind);
        if kind == "platform.runtimeDone"
            && let Some(done) = head.as_ref().and_then(|head| serde_json::from_str::<RuntimeDone<'_>>(head.record?.get()).ok())
        {
            shared.watch.done(done.request_id, done.status);
        }
        if shared.settings.function_logs || kind != "function" {
            kept.push(event.get());
        }
    }
    if !kept.is_empty() {
        let batch = format!("[{}]", kept.join(","));
        shared.shipper.send(Shipment::ordinary("/v1/push/lambda_telemetry", "application/json", batch.into()));
    }
    StatusCode::OK
}

/// Answers when the process that may speak is done with it.
async fn last_words(State(shared): State<Arc<Shared>>, body: Body) -> StatusCode {
    if last_words::listen(body, &shared.shipper).await { StatusCode::OK } else { StatusCode::BAD_REQUEST }
}

/// Takes what an SDK sends to its collector, and answers at once: the function does not wait for the network.
async fn forward(State(shared): State<Arc<Shared>>, OriginalUri(uri): OriginalUri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE).unwrap_or("application/json");
    let path = uri.path_and_query().map_or(uri.path(), |path| path.as_str());
    let mut shipment = Shipment::urgent(path, content_type, body);
    shipment.content_encoding = text(header::CONTENT_ENCODING).map(str::to_owned);
    if shared.shipper.send(shipment) {
        StatusCode::ACCEPTED.into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response()
    }
}
