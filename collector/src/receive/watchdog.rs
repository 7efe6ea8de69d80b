//! `POST /v1/watchdog`: events of watchdogs inside functions, and the same at the path of Lambda's `Invoke`.
//!
//! Wire: `docs/wire/watchdog.md`. The sender may have under a second to live, and is then killed in the middle of a word:
//! what arrived by then is kept, and it is stored even when nobody waits for the answer any more.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::intake::Tally;
use super::parts::Items;
use super::refusal::answer;
use super::{Receiver, Refusal, Sender, media_type};
use crate::parse::{Parsed, watchdog};

const TRANSPORT: &str = "watchdog";
const EXPECTED: &str = "`application/json`, `application/x-ndjson`, `application/cloudevents+json` or `application/cloudevents-batch+json`";

/// `202` once the events are durable.
#[derive(Serialize)]
struct Answer {
    accepted: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejected: Vec<RejectedEvent>,
    /// Rejected events beyond those listed.
    #[serde(skip_serializing_if = "is_zero")]
    rejected_more: u64,
}

#[derive(Serialize)]
struct RejectedEvent {
    /// Its place in the request, from 0.
    index: u64,
    reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How a body is to be read.
enum Shape {
    Document,
    Lines,
    /// A CloudEvent whose attributes are headers.
    Binary(watchdog::Attributes),
}

/// `POST /v1/watchdog`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    let shape = match shape(request.headers()) {
        Ok(shape) => shape,
        Err(refusal) => return answer(&refusal, receiver.options.retry_after_seconds),
    };
    respond(receiver, request, shape).await
}

/// `POST /2015-03-31/functions/{name}/invocations`: the function named is the one that was to be told, not the one that
/// timed out, so its name says nothing.
pub async fn invoke(State(receiver): State<Receiver>, request: Request) -> Response {
    // An AWS SDK names no content type that says anything.
    respond(receiver, request, Shape::Document).await
}

async fn respond(receiver: Receiver, request: Request, shape: Shape) -> Response {
    let (parts, body) = request.into_parts();
    let retry_after = receiver.options.retry_after_seconds;
    let sender = match Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT) {
        Ok(sender) => sender,
        Err(refusal) => return answer(&refusal, retry_after),
    };
    // A task of its own: when the connection breaks, the server forgets about whoever was to be answered.
    let taken = tokio::spawn(take(receiver, sender, parts.headers, body, shape)).await;
    match taken {
        Ok(Ok(tally)) => accepted(tally),
        Ok(Err(refusal)) => answer(&refusal, retry_after),
        Err(_) => answer(&crate::pipeline::NotTaken::Failed.into(), retry_after),
    }
}

async fn take(receiver: Receiver, sender: Sender, headers: HeaderMap, body: Body, shape: Shape) -> Result<Tally, Refusal> {
    let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
        let parsed = match cut_off {
            Some(_) if bytes.is_empty() => Parsed::default(),
            Some(_) => watchdog::parse_cut_off(&bytes),
            None => parse(&bytes, &shape)?,
        };
        Ok(Box::new(parsed.items.into_iter()) as Items)
    };
    receiver.take(TRANSPORT, sender, watchdog::FORMAT, (&headers, body), parse).await
}

fn parse(bytes: &[u8], shape: &Shape) -> Result<Parsed, Refusal> {
    let read = match shape {
        Shape::Document => watchdog::parse_document(bytes),
        Shape::Lines => Ok(watchdog::parse_lines(bytes)),
        Shape::Binary(attributes) => watchdog::parse_binary(attributes, bytes),
    };
    read.map_err(|reject| Refusal::Malformed(reject.reason))
}

/// How the headers say that the body is to be read. No content type at all is taken for JSON: whoever posts in its last
/// half second may have left it out.
fn shape(headers: &HeaderMap) -> Result<Shape, Refusal> {
    let media = media_type(headers);
    let attribute = |name: &str| Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned());
    match media.as_str() {
        "" | "application/json" => Ok(watchdog::Attributes::from_headers(attribute).map_or(Shape::Document, Shape::Binary)),
        "application/cloudevents+json" | "application/cloudevents-batch+json" => Ok(Shape::Document),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Shape::Lines),
        _ => Err(Refusal::UnknownMedia { expected: EXPECTED, found: media }),
    }
}

fn accepted(tally: Tally) -> Response {
    let rejected_more = tally.rejected_more();
    // Nothing of it could be read: the sender's maker should notice.
    let status = if tally.accepted == 0 && tally.rejected > 0 { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
    let listed = tally.first_rejected.into_iter();
    let rejected = listed.map(|reject| RejectedEvent { index: reject.line - 1, reason: reject.reason }).collect();
    (status, Json(Answer { accepted: tally.accepted, rejected, rejected_more })).into_response()
}
