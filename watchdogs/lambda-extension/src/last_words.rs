//! The last words of a process in which nothing can run any more: a request that is begun when it starts and that only its end ends.
//!
//! The function and what it writes die together, so what has come is shipped as a request of its own as soon as nothing more comes.
//! Wire: `docs/wire/watchdog.md`.

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Duration, timeout};

use crate::ship::{Shipment, Shipper};

pub const PATH: &str = "/v1/watchdog/last_words";
/// After this long without a piece of it, what is being written is whole; as the collector has it.
const QUIET: Duration = Duration::from_millis(100);
/// Longest line that says who speaks.
const SPEAKER_BYTES_MAX: usize = 16 * 1024;
/// The most that is kept of what was said at once.
const WORDS_BYTES_MAX: usize = 1024 * 1024;

/// Listens until the process ends or lets go; whether it said who speaks.
pub async fn listen(body: Body, shipper: &Shipper) -> bool {
    let mut stream = body.into_data_stream();
    let Some((speaker, mut words)) = first_line(&mut stream).await else { return false };
    loop {
        let more = if words.is_empty() { Ok(stream.next().await) } else { timeout(QUIET, stream.next()).await };
        if let Ok(Some(Ok(piece))) = &more {
            let room = WORDS_BYTES_MAX.saturating_sub(words.len()).min(piece.len());
            words.extend_from_slice(&piece[..room]);
            continue;
        }
        if !words.is_empty() {
            let said = [&speaker[..], &words[..]].concat();
            shipper.send(Shipment::urgent(PATH, "text/plain", said.into()));
            words.clear();
        }
        if more.is_ok() {
            return true;
        }
    }
}

/// The line that says who speaks, and what has come behind it.
async fn first_line(stream: &mut BodyDataStream) -> Option<(Bytes, BytesMut)> {
    let mut come = BytesMut::new();
    while come.len() <= SPEAKER_BYTES_MAX {
        if let Some(end) = come.iter().position(|byte| *byte == b'\n') {
            let speaker = come.split_to(end + 1).freeze();
            return Some((speaker, come));
        }
        come.extend_from_slice(&stream.next().await?.ok()?);
    }
    None
}
