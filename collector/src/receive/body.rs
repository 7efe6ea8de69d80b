//! Bodies, read with limits: bytes on the wire, bytes after decompression, time, and bytes over all requests.
//!
//! axum's own limit is not used: it counts on the wire only and answers in a form of its own.

use std::io::Read;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt;
use tokio::time::{Duration, Instant, timeout_at};

use super::budget::Reservation;
use super::{ReceiveOptions, Refusal};

/// How long a sender of too much is listened to before it is answered. A client that is still writing when it is answered
/// often never reads the answer.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);
/// How much of it is read, as a multiple of what a body may have.
const DRAIN_FACTOR: usize = 4;
/// How much is decompressed at once.
const CHUNK_BYTES: usize = 64 << 10;

/// A body as it came over the wire.
#[derive(Debug)]
pub struct Received {
    /// What arrived.
    pub bytes: Vec<u8>,
    /// How it is encoded.
    pub encoding: Encoding,
    /// Why that is not all of it, if it is not.
    pub cut_off: Option<Refusal>,
    /// The memory it takes.
    pub reservation: Reservation,
}

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// In gzip, of one or several members.
    Gzip,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let named =
            headers.get(header::CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase());
        match named.as_deref() {
            None | Some("" | "identity") => Ok(Self::Identity),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some(found) => Err(Refusal::UnknownEncoding { found: crate::parse::cut(found, 64).to_owned() }),
        }
    }
}

/// Reads a body to its end, or to where its sender stopped.
pub async fn receive(headers: &HeaderMap, body: Body, options: &ReceiveOptions, reservation: Reservation) -> Result<Received, Refusal> {
    let encoding = Encoding::of(headers)?;
    let bytes_max = options.body_bytes_max;
    let too_large = Refusal::TooLarge { bytes_max, decompressed: false };
    let declared: Option<usize> = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length| length > bytes_max) && headers.contains_key(header::EXPECT) {
        // It waits for our word before it sends anything: this is our word.
        return Err(too_large);
    }
    let deadline = Instant::now() + options.body_time_max();
    let mut stream = body.into_data_stream();
    let mut received = Received { bytes: Vec::new(), encoding, cut_off: None, reservation };
    loop {
        let found_bytes = received.bytes.len();
        match timeout_at(deadline, stream.next()).await {
            Ok(Some(Ok(chunk))) => {
                if found_bytes + chunk.len() > bytes_max || declared.is_some_and(|length| length > bytes_max) {
                    drop(received);
                    drain(stream, bytes_max).await;
                    return Err(too_large);
                }
                if let Err(busy) = received.reservation.grow(chunk.len()) {
                    drop(received);
                    drain(stream, bytes_max).await;
                    return Err(busy);
                }
                received.bytes.extend_from_slice(&chunk);
            }
            Ok(Some(Err(_))) => received.cut_off = Some(Refusal::CutOff { found_bytes }),
            Err(_) => received.cut_off = Some(Refusal::TooSlow { ms_max: options.body_ms_max, found_bytes }),
            Ok(None) => return Ok(received),
        }
        if received.cut_off.is_some() {
            return Ok(received);
        }
    }
}

/// Reads on, keeping nothing, until the sender is done or has had its share.
async fn drain(mut stream: BodyDataStream, bytes_max: usize) {
    let deadline = Instant::now() + DRAIN_TIME_MAX;
    let mut drained = 0;
    while let Ok(Some(Ok(chunk))) = timeout_at(deadline, stream.next()).await {
        drained += chunk.len();
        if drained > bytes_max.saturating_mul(DRAIN_FACTOR) {
            return;
        }
    }
}

impl Received {
    /// The body after decompression, and the memory that it and its origin take.
    pub fn decoded(mut self, options: &ReceiveOptions) -> Result<(Vec<u8>, Reservation), Refusal> {
        if self.encoding == Encoding::Identity {
            return Ok((self.bytes, self.reservation));
        }
        let mut reader = MultiGzDecoder::new(self.bytes.as_slice());
        let mut decoded = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok((decoded, self.reservation)),
                Ok(count) if decoded.len() + count > options.decompressed_bytes_max => {
                    return Err(Refusal::TooLarge { bytes_max: options.decompressed_bytes_max, decompressed: true });
                }
                Ok(count) => {
                    self.reservation.grow(count)?;
                    decoded.extend_from_slice(&chunk[..count]);
                }
                // What was compressed before the sender died is still of use.
                Err(_) if self.cut_off.is_some() => return Ok((decoded, self.reservation)),
                Err(error) => return Err(Refusal::BrokenEncoding { found: error.to_string() }),
            }
        }
    }
}
