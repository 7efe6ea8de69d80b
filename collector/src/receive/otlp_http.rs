//! `POST /v1/traces` and `POST /v1/logs`: OpenTelemetry over HTTP, protobuf or JSON. The answer has the request's content type.
//!
//! OTLP 1.x (read 2026-11-22); what differs from the OpenTelemetry Collector: `docs/wire/otlp.md`. Clients give up the data
//! on any status but 429, 502, 503 and 504, so a passing fault is never anything else.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde_json::json;

use super::intake::Tally;
use super::otlp_answer::Answer;
use super::parts::Items;
use super::refusal::retry_after;
use super::{Receiver, Refusal, Sender, media_type, rpc_status};
use crate::parse::Context;
use crate::parse::otlp::Signal;

const TRANSPORT: &str = "otlp_http";
const EXPECTED: &str = "`application/x-protobuf` or `application/json`";

/// How requests and their answers are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
}

/// `POST /v1/traces`
pub async fn traces(State(receiver): State<Receiver>, request: Request) -> Response {
    post(&receiver, request, Signal::Traces).await
}

/// `POST /v1/logs`
pub async fn logs(State(receiver): State<Receiver>, request: Request) -> Response {
    post(&receiver, request, Signal::Logs).await
}

async fn post(receiver: &Receiver, request: Request, signal: Signal) -> Response {
    let media = match media_type(request.headers()).as_str() {
        "application/x-protobuf" | "application/protobuf" => Media::Protobuf,
        "application/json" => Media::Json,
        found => {
            let refusal = Refusal::UnknownMedia { expected: EXPECTED, found: found.to_owned() };
            return (refusal.status(), refusal.to_string()).into_response();
        }
    };
    match take(receiver, request, signal, media).await {
        Ok(tally) => media.success(&Answer::of(signal, &tally), signal),
        Err(refusal) => media.refused(&refusal, receiver.options.retry_after_seconds),
    }
}

async fn take(receiver: &Receiver, request: Request, signal: Signal, media: Media) -> Result<Tally, Refusal> {
    let (parts, body) = request.into_parts();
    let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
    let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
        if let Some(refusal) = cut_off {
            return Err(refusal);
        }
        let request = match media {
            Media::Protobuf => signal.of_protobuf(bytes),
            Media::Json => signal.of_json(&bytes),
        };
        request.map(|request| Box::new(request.items(Context::default())) as Items).map_err(|reject| Refusal::Malformed(reject.reason))
    };
    receiver.take(TRANSPORT, sender, signal.format(), (&parts.headers, body), parse).await
}

impl Media {
    fn success(self, answer: &Answer, signal: Signal) -> Response {
        match self {
            Self::Protobuf => self.response(answer.encode_to_vec()),
            Self::Json => self.response(answer.to_json(signal).to_string().into_bytes()),
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
