//! `POST /loki/api/v1/push`, and the older `/api/prom/push`: Loki's agents (Promtail, Alloy, Fluent Bit's and Vector's Loki
//! outputs, client libraries).
//!
//! They want `204` for success; they try again after `429` and `5xx`, and drop what is answered by any other `4xx`. Errors are
//! plain text. Loki's HTTP API reference, read in November 2026.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::intake::Tally;
use super::parts::Items;
use super::refusal::retry_after;
use super::{Receiver, Refusal, Sender};
use crate::parse::loki::{self, FORMAT};

const TRANSPORT: &str = "loki";

/// `POST /loki/api/v1/push`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    match take(&receiver, request).await {
        Ok(Tally { accepted: 0, ignored: 0, first_rejected, .. }) if !first_rejected.is_empty() => {
            (StatusCode::BAD_REQUEST, format!("{}\n", first_rejected[0].reason)).into_response()
        }
        Ok(_) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => {
            let mut response = (refusal.status(), format!("{refusal}\n")).into_response();
            retry_after(&mut response, &refusal, receiver.options.retry_after_seconds);
            response
        }
    }
}

async fn take(receiver: &Receiver, request: Request) -> Result<Tally, Refusal> {
    let (mut parts, body) = request.into_parts();
    without_snappy(&mut parts.headers);
    let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
    let context = sender.context(&parts.headers);
    let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
        if let Some(refusal) = cut_off {
            return Err(refusal);
        }
        let parsed = loki::read_push(&bytes, &context).map_err(Refusal::Malformed)?;
        Ok(Box::new(parsed.items.into_iter()) as Items)
    };
    receiver.take(TRANSPORT, sender, FORMAT, (&parts.headers, body), parse).await
}

/// Some clients name snappy as the content's encoding; it belongs to the protobuf form and is undone with it.
fn without_snappy(headers: &mut HeaderMap) {
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "snappy") {
        headers.remove(header::CONTENT_ENCODING);
    }
}
