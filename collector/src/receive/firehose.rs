//! `POST /v1/push/firehose`: Kinesis Data Firehose's HTTP endpoint destination.
//!
//! Firehose takes nothing but `200` with its own request ID for success. It gives a batch up for good at `413`, so a body that
//! is too large is answered as something to try again, which at least reaches its error bucket.
//! <https://docs.aws.amazon.com/firehose/latest/dev/httpdeliveryrequestresponse.html>, read in November 2026.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::refusal::answer;
use super::{Receiver, Refusal, Sender};
use crate::parse::firehose::{Delivery, FORMAT};

const TRANSPORT: &str = "push";

/// `POST /v1/push/firehose`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = request_id(&parts.headers);
    let now = receiver.pipeline.clock().now().as_millisecond();
    let taken = async {
        let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
        let context = sender.context(&parts.headers);
        let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
            if let Some(refusal) = cut_off {
                return Err(refusal);
            }
            let delivery = Delivery::read(&bytes).map_err(Refusal::Malformed)?;
            let items = delivery.parse(&context).items;
            // Firehose knows no partial success: a record that cannot be decoded is a sender's fault, not a line's.
            Ok(Box::new(items.into_iter()) as Box<dyn Iterator<Item = crate::parse::Item> + Send>)
        };
        receiver.take(TRANSPORT, sender, FORMAT, (&parts.headers, body), parse).await
    };
    match taken.await {
        Ok(_) => (StatusCode::OK, Json(json!({ "requestId": id, "timestamp": now }))).into_response(),
        Err(refusal) => {
            let plain = answer(&refusal, receiver.options.retry_after_seconds);
            let status = if plain.status() == StatusCode::PAYLOAD_TOO_LARGE { StatusCode::INTERNAL_SERVER_ERROR } else { plain.status() };
            let told = json!({ "requestId": id, "timestamp": now, "errorMessage": refusal.to_string() });
            let mut response = (status, Json(told)).into_response();
            if let Some(after) = plain.headers().get("retry-after") {
                response.headers_mut().insert("retry-after", after.clone());
            }
            response
        }
    }
}

/// The same in header and body; the header is there even when the body cannot be read.
fn request_id(headers: &HeaderMap) -> String {
    headers.get("x-amz-firehose-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned()
}
