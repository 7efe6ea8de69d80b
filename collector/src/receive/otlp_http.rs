//! `POST /v1/traces`: OpenTelemetry traces over HTTP, protobuf or JSON. The answer has the request's content type.
//!
//! OTLP 1.x (read 2026-11-22); what differs from the OpenTelemetry Collector: `docs/wire/otlp.md`. Clients give up the data
//! on any status but 429, 502, 503 and 504, so a passing fault is never anything else.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::json;

use super::intake::Tally;
use super::parts::Items;
use super::refusal::retry_after;
use super::{Receiver, Refusal, Sender, media_type, rpc_status};
use crate::parse::otlp;

const TRANSPORT: &str = "otlp_http";
const EXPECTED: &str = "`application/x-protobuf` or `application/json`";

/// How requests and their answers are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
}

/// `POST /v1/traces`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    let media = match media_type(request.headers()).as_str() {
        "application/x-protobuf" | "application/protobuf" => Media::Protobuf,
        "application/json" => Media::Json,
        found => {
            let refusal = Refusal::UnknownMedia { expected: EXPECTED, found: found.to_owned() };
            return (refusal.status(), refusal.to_string()).into_response();
        }
    };
    match take(&receiver, request, media).await {
        Ok(tally) => media.success(&partial_success(&tally)),
        Err(refusal) => media.refused(&refusal, receiver.options.retry_after_seconds),
    }
}

async fn take(receiver: &Receiver, request: Request, media: Media) -> Result<Tally, Refusal> {
    let (parts, body) = request.into_parts();
    let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
    let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
        if let Some(refusal) = cut_off {
            return Err(refusal);
        }
        let request = match media {
            Media::Protobuf => otlp::decode_protobuf(&bytes),
            Media::Json => otlp::decode_json(&bytes),
        };
        request.map(|request| Box::new(otlp::items(request)) as Items).map_err(|reject| Refusal::Malformed(reject.reason))
    };
    receiver.take(TRANSPORT, sender, otlp::FORMAT, (&parts.headers, body), parse).await
}

/// What both transports answer once the spans are durable: nothing, or how many were refused and why.
pub fn partial_success(tally: &Tally) -> ExportTraceServiceResponse {
    let partial_success = tally.first_rejected.first().map(|first| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(tally.rejected).unwrap_or(i64::MAX),
        error_message: format!("span {}: {}", first.line, first.reason),
    });
    ExportTraceServiceResponse { partial_success }
}

impl Media {
    fn success(self, response: &ExportTraceServiceResponse) -> Response {
        match self {
            Self::Protobuf => self.response(response.encode_to_vec()),
            Self::Json => {
                let partial = response.partial_success.as_ref().map(|partial| {
                    // 64-bit integers are text in protobuf's JSON.
                    json!({"partialSuccess": {"rejectedSpans": partial.rejected_spans.to_string(), "errorMessage": partial.error_message}})
                });
                self.response(partial.unwrap_or_else(|| json!({})).to_string().into_bytes())
            }
        }
    }

    fn refused(self, refusal: &Refusal, retry_after_seconds: u32) -> Response {
        let status = rpc_status::status(refusal, retry_after_seconds);
        let mut response = match self {
            Self::Protobuf => self.response(status.encode_to_vec()),
            Self::Json => self.response(json!({"code": status.code, "message": status.message}).to_string().into_bytes()),
        };
        // OTLP's table has 400 for an encoding it does not know, not 415.
        let unknown_encoding = matches!(refusal, Refusal::UnknownEncoding { .. });
        *response.status_mut() = if unknown_encoding { axum::http::StatusCode::BAD_REQUEST } else { refusal.status() };
        retry_after(&mut response, refusal, retry_after_seconds);
        response
    }

    fn response(self, body: Vec<u8>) -> Response {
        let name = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        ([(header::CONTENT_TYPE, HeaderValue::from_static(name))], body).into_response()
    }
}
