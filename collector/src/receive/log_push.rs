//! `POST /v1/push/{format}`: log lines of any format that is read, as text.
//!
//! Wire: `docs/wire/push.md`. Any content type is taken, since the path says what it is; gzip is.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::intake::Tally;
use super::parts::Taken;
use super::refusal::answer;
use super::{Receiver, Refusal, Sender};
use crate::parse::{self, Format, cut};

const TRANSPORT: &str = "push";

/// Formats whose senders put lines into something of their own. If nothing could be taken out of it, they are told so, and may
/// come again; single lines that cannot be read are not their business.
const WRAPPED: [Format; 2] = [Format::Cloudwatch, Format::GcpPubsub];

/// `202` once the evidence is durable.
#[derive(Serialize)]
pub struct Answer {
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
pub async fn post(State(receiver): State<Receiver>, Path(name): Path<String>, request: Request) -> Response {
    let taken = async {
        let format = Format::from_name(&name).ok_or_else(|| Refusal::UnknownFormat {
            expected: Format::ALL.map(|format| format!("`{}`", format.name())).join(", "),
            found: cut(&name, 64).to_owned(),
        })?;
        Ok((format, take(&receiver, format, request, |_| Ok(())).await?))
    };
    match taken.await {
        Ok((format, tally)) => accepted(format, tally),
        Err(refusal) => answer(&refusal, receiver.options.retry_after_seconds),
    }
}

/// Reads a request's body as `format`, once `check` has looked at it.
///
/// # Errors
///
/// When the request as a whole is refused.
pub async fn take(
    receiver: &Receiver,
    format: Format,
    request: Request,
    check: impl FnOnce(&[u8]) -> Result<(), Refusal> + Send + 'static,
) -> Result<Tally, Refusal> {
    let (parts, body) = request.into_parts();
    let sender = Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT)?;
    let context = sender.context(&parts.headers);
    let frame_id = parts.headers.get("logplex-frame-id").filter(|_| format == Format::Logplex).map(|id| id.as_bytes().to_vec());
    let parse = move |bytes: Vec<u8>, cut_off: Option<Refusal>| {
        if let Some(refusal) = cut_off {
            return Err(refusal);
        }
        check(&bytes)?;
        // A frame that is sent again has the same ID; the same words in another frame are other words.
        let identity = frame_id.map(|id| blake3::Hasher::new().update(&id).update(&bytes).finalize());
        Ok(Taken { items: parse::items(format, bytes, context), identity })
    };
    receiver.take(TRANSPORT, sender, format.name(), (&parts.headers, body), parse).await
}

fn accepted(format: Format, tally: Tally) -> Response {
    if format == Format::Logplex {
        // Logplex wants an empty answer.
        return StatusCode::NO_CONTENT.into_response();
    }
    let nothing = tally.accepted + tally.ignored == 0 && tally.rejected > 0;
    let status = if nothing && WRAPPED.contains(&format) { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
    (status, told(tally)).into_response()
}

/// What became of the items.
pub fn told(tally: Tally) -> Json<Answer> {
    let rejected_more = tally.rejected_more();
    let listed = tally.first_rejected.into_iter();
    let rejected = listed.map(|reject| RejectedLine { line: reject.line, reason: reject.reason }).collect();
    Json(Answer { accepted: tally.accepted, ignored: tally.ignored, rejected, rejected_more })
}
