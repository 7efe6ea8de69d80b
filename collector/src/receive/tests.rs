//! Requests as they come, good and bad, through the routers into a real Postgres.

mod bad_input;
mod grpc;
mod last_words;
mod otlp;
mod push;
mod watchdog;

use std::io;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use domain::{Evidence, ManualClock, RequestId};
use http_body_util::BodyExt;
use serde_json::Value;
use sqlx::PgPool;
use store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::pipeline::PipelineOptions;

/// A collector in front of a database of the test's own.
struct Bench {
    receiver: Receiver,
    http: Router,
    store: Store,
    stop: CancellationToken,
}

/// What a request was answered.
struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an answer in JSON")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Bench {
    fn new(pool: PgPool) -> Self {
        Self::with(pool, ReceiveOptions::default())
    }

    fn with(pool: PgPool, options: ReceiveOptions) -> Self {
        let (store, stop) = (Store::from_pool(pool), CancellationToken::new());
        let clock = Arc::new(ManualClock::new("2026-11-22T12:05:06Z".parse().expect("a time")));
        let registry = prometheus::Registry::new();
        let pipeline = Pipeline::start(store.clone(), clock, PipelineOptions::default(), &registry, crate::fold, stop.clone());
        let receiver = Receiver::new(pipeline.expect("a new registry"), options);
        Self { http: http_router(&receiver), receiver, store, stop }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answered {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).expect("a request")).await
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let (parts, body) = self.http.clone().oneshot(request).await.expect("routers do not fail").into_parts();
        Answered { status: parts.status.as_u16(), headers: parts.headers, body: body.collect().await.expect("a body").to_bytes().to_vec() }
    }

    /// All evidence of a request.
    async fn evidence(&self, request_id: &str) -> Vec<Evidence> {
        let record = self.store.request(None, &RequestId::from(request_id)).await.expect("the database is there");
        record.map_or_else(Vec::new, |record| record.evidence)
    }

    /// The only evidence of a request.
    async fn only(&self, request_id: &str) -> Evidence {
        let mut all = self.evidence(request_id).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn items(&self, format: &str, fate: &str) -> u64 {
        self.receiver.pipeline.metrics().items.with_label_values(&[format, fate]).get()
    }
}

/// Serves a router, as the composition root does: with the address that each connection came from.
async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const TEXT: (&str, &str) = ("content-type", "text/plain");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

/// The line that a Lambda function's request ends with.
fn report(request_id: &str) -> String {
    format!(
        "REPORT RequestId: {request_id}\tDuration: 3001.52 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\n\
         2017-11-20T22:23:32.998Z {request_id} Task timed out after 3.00 seconds\n"
    )
}

/// A request ID of the form that AWS gives.
fn id(number: u32) -> String {
    format!("6f747a63-ce41-11e7-8cfe-{number:012x}")
}
