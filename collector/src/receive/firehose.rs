//! `POST /v1/push/firehose`: Kinesis Data Firehose's HTTP endpoint destination.
//!
//! Firehose takes nothing but `200` with its own request ID for success. It gives a batch up for good at `413`, so a body that
//! is too large is answered as something to try again, which at least reaches its error bucket. A try again has the same
//! request ID, by which it is recognised.
//! <https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html>, read in November 2026.

use std::sync::{Arc, OnceLock};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};

use super::intake::Tally;
use super::parts::{Items, Taken};
use super::refusal::retry_after;
use super::{Receiver, Refusal, Sender};
use crate::parse::firehose::{Delivery, FORMAT};

const TRANSPORT: &str = "push";

/// What a delivery stream's parameters may say about its sender: the only headers that its users can set.
const NAMES: [&str; 4] = ["stack", "source", "instance", "function"];

/// `POST /v1/push/firehose`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    add_common_attributes(&mut parts.headers);
    let now = receiver.pipeline.clock().now().as_millisecond();
    // The same in header and body; the header is there even when the body cannot be read.
    let id = Arc::new(OnceLock::new());
    if let Some(named) = parts.headers.get("x-amz-firehose-request-id").and_then(|id| id.to_str().ok()) {
        let _ = id.set(named.to_owned());
    }
    let named_in_body = Arc::clone(&id);
    let taken = async {
        check_key(receiver.options.firehose.access_key.as_ref(), &parts.headers)?;
        let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
        let context = sender.context(&parts.headers);
        let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
            if let Some(refusal) = cut_off {
                return Err(refusal);
            }
            let delivery = Delivery::read(bytes).map_err(Refusal::Malformed)?;
            let _ = named_in_body.set(delivery.request_id.clone());
            let identity = Some(delivery.identity());
            let items: Items = Box::new(delivery.items(context));
            Ok(Taken { items, identity })
        };
        receiver.take(TRANSPORT, sender, FORMAT, (&parts.headers, body), parse).await
    };
    let taken = taken.await;
    let id = id.get().map_or("", String::as_str);
    let failed = |status: StatusCode, message: &str| {
        (status, Json(json!({ "requestId": id, "timestamp": now, "errorMessage": message }))).into_response()
    };
    match taken {
        // Firehose knows no partial success: a record that cannot be decoded is its sender's fault, and costs no other.
        Ok(Tally { accepted: 0, ignored: 0, first_rejected, .. }) if !first_rejected.is_empty() => {
            failed(StatusCode::BAD_REQUEST, &first_rejected[0].reason)
        }
        Ok(_) => (StatusCode::OK, Json(json!({ "requestId": id, "timestamp": now }))).into_response(),
        Err(refusal) => {
            let status = refusal.status();
            let status = if status == StatusCode::PAYLOAD_TOO_LARGE { StatusCode::INTERNAL_SERVER_ERROR } else { status };
            let mut response = failed(status, &refusal.to_string());
            retry_after(&mut response, &refusal, receiver.options.retry_after_seconds);
            response
        }
    }
}

/// Digests are compared, in constant time as `blake3::Hash` does, so that nothing is learned from how long it takes.
fn check_key(expected: Option<&SecretString>, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(expected) = expected else { return Ok(()) };
    let found = headers.get("x-amz-firehose-access-key").map(HeaderValue::as_bytes).unwrap_or_default();
    if blake3::hash(found) == blake3::hash(expected.expose_secret().as_bytes()) {
        return Ok(());
    }
    Err(Refusal::NotAllowed("expected the access key of `receive.firehose.access_key`, found another or none"))
}

/// `{"commonAttributes": {"stack": "prod"}}` says the same as a header `overrun-stack: prod`.
fn add_common_attributes(headers: &mut HeaderMap) {
    let common = headers.get("x-amz-firehose-common-attributes").and_then(|value| serde_json::from_slice::<Value>(value.as_bytes()).ok());
    let Some(attributes) = common.as_ref().and_then(|common| common.get("commonAttributes")) else { return };
    for name in NAMES {
        let value = attributes.get(name).and_then(Value::as_str).and_then(|value| HeaderValue::from_str(value).ok());
        let header = HeaderName::try_from(format!("overrun-{name}"));
        if let (Some(value), Ok(header)) = (value, header) {
            headers.entry(header).or_insert(value);
        }
    }
}
