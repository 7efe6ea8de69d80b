//! `POST /v1/push/{format}`: log lines of any format that is read, as text.
//!
//! Wire: `docs/wire/push.md`. Any content type is taken, since the path says what it is; gzip is.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::intake::Tally;
use super::refusal::answer;
use super::{Receiver, Refusal, Sender};
use crate::parse::{self, Format, cut};

const TRANSPORT: &str = "push";

/// `202` once the evidence is durable.
#[derive(Serialize)]
struct Answer {
    /// Items that are evidence.
    accepted: u64,
    /// Items that say nothing about a request.
    ignored: u64,
    /// The first items that could not be read.
    rejected: Vec<RejectedLine>,
    /// How many more there were.
    rejected_more: u64,
}

#[derive(Serialize)]
struct RejectedLine {
    /// Its line, from 1.
    line: u64,
    reason: String,
}

/// `POST /v1/push/{format}`
pub async fn post(State(receiver): State<Receiver>, Path(format): Path<String>, request: Request) -> Response {
    match take(&receiver, &format, request).await {
        Ok(tally) => accepted(tally),
        Err(refusal) => answer(&refusal, receiver.options.retry_after_seconds),
    }
}

async fn take(receiver: &Receiver, format: &str, request: Request) -> Result<Tally, Refusal> {
    let format = Format::from_name(format).ok_or_else(|| Refusal::UnknownFormat {
        expected: Format::ALL.map(|format| format!("`{}`", format.name())).join(", "),
        found: cut(format, 64).to_owned(),
    })?;
    let (parts, body) = request.into_parts();
    let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
    let context = sender.context(&parts.headers);
    let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| cut_off.map_or_else(|| Ok(parse::items(format, bytes, context)), Err);
    receiver.take(TRANSPORT, sender, format.name(), (&parts.headers, body), parse).await
}

fn accepted(tally: Tally) -> Response {
    let rejected_more = tally.rejected_more();
    let listed = tally.first_rejected.into_iter();
    let rejected = listed.map(|reject| RejectedLine { line: reject.line, reason: reject.reason }).collect();
    let answer = Answer { accepted: tally.accepted, ignored: tally.ignored, rejected, rejected_more };
    (StatusCode::ACCEPTED, Json(answer)).into_response()
}
