//! `POST /v1/watchdog/last_words`: a request that is begun when a process starts and that only its death ends.
//!
//! Wire: `docs/wire/watchdog.md`. Head and first line come at the start; the rest is written in C in the moment when
//! nothing else in the process can run. What has come is read as soon as nothing more does, not when the connection ends: a
//! child of the process may hold it open.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::time::{Duration, timeout};

use super::intake::Tally;
use super::parts::{Arrival, Source};
use super::refusal::answer;
use super::{Receiver, Refusal, Sender};
use crate::parse::{Parsed, watchdog};

const TRANSPORT: &str = "watchdog";
/// A dump is written in pieces of 1 to 30 bytes within some milliseconds; after this long without one it is whole.
const QUIET: Duration = Duration::from_millis(100);
/// The most that is kept of what was said at once: 64 threads of 100 frames are under 1 MiB.
const WORDS_BYTES_MAX: usize = 1 << 20;

/// `POST /v1/watchdog/last_words`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let retry_after = receiver.options.retry_after_seconds;
    let sender = match Sender::of(&parts.uri, &parts.headers, &parts.extensions, TRANSPORT) {
        Ok(sender) => sender,
        Err(refusal) => return answer(&refusal, retry_after),
    };
    // A task of its own: when the connection breaks, the server forgets about whoever was to be answered.
    match tokio::spawn(listen(receiver, sender, body)).await {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(refusal)) => answer(&refusal, retry_after),
        Err(_) => answer(&crate::pipeline::NotTaken::Failed.into(), retry_after),
    }
}

/// Listens until the process dies, has nothing to say for too long, or the daemon stops.
async fn listen(receiver: Receiver, sender: Sender, body: Body) -> Result<(), Refusal> {
    let _place = receiver.listening.clone().try_acquire_owned().map_err(|_| Refusal::Busy)?;
    let idle = Duration::from_millis(receiver.options.last_words_idle_ms_max);
    let mut stream = body.into_data_stream();
    let mut reservation = receiver.budget.reservation();
    let (mut speaker, mut words) = (None, Vec::new());
    loop {
        let is_silent = speaker.is_none() || words.is_empty();
        let next = tokio::select! {
            () = receiver.pipeline.stopping() => None,
            next = timeout(if is_silent { idle } else { QUIET }, stream.next()) => Some(next),
        };
        let ended = match next {
            Some(Ok(Some(Ok(chunk)))) => {
                let room = WORDS_BYTES_MAX.saturating_sub(words.len()).min(chunk.len());
                reservation.grow(room)?;
                words.extend_from_slice(&chunk[..room]);
                if speaker.is_none() {
                    speaker = first_line(&mut words)?;
                }
                continue;
            }
            Some(Ok(Some(Err(_)) | None)) | None => true,
            Some(Err(_)) => is_silent,
        };
        if let Some(speaker) = &speaker
            && !words.is_empty()
        {
            let said = std::mem::take(&mut words);
            reservation.shrink(said.len());
            take(&receiver, &sender, speaker, said).await?;
        }
        if ended {
            return Ok(());
        }
    }
}

/// Takes the first line out of what has come, once it is whole.
fn first_line(words: &mut Vec<u8>) -> Result<Option<watchdog::Speaker>, Refusal> {
    let Some(end) = words.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
    let line: Vec<u8> = words.drain(..=end).collect();
    let speaker = watchdog::Speaker::read(String::from_utf8_lossy(&line).trim_end());
    speaker.map(Some).map_err(|reject| Refusal::Malformed(reject.reason))
}

async fn take(receiver: &Receiver, sender: &Sender, speaker: &watchdog::Speaker, said: Vec<u8>) -> Result<Tally, Refusal> {
    receiver.pipeline.metrics().bytes.with_label_values(&[TRANSPORT]).inc_by(said.len() as u64);
    let received_at = receiver.pipeline.clock().now();
    let Parsed { items, .. } = watchdog::parse_last_words(speaker, &String::from_utf8_lossy(&said), received_at);
    let arrival = Arrival { sender: sender.clone(), format: watchdog::FORMAT, received_at, bytes: said.len() as u64 };
    let digest = arrival.digest(&said);
    let source = Source::new(Box::new(items.into_iter()), arrival, digest);
    let reservation = receiver.budget.reservation();
    receiver.store(said.len(), move || Ok((source, reservation))).await
}
