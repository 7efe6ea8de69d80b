//! What every transport does once it knows who sends what: read the body, parse it, store what it says, count.

use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::body::Body;
use axum::http::HeaderMap;
use store::Rejected;

use super::budget::Reservation;
use super::parts::{Arrival, Items, Part, Source, Taken};
use super::{Receiver, Refusal, Sender, body};
use crate::pipeline::NotTaken;

/// Up to this size a body is read where it arrived; a larger one would hold up other connections.
const INLINE_BYTES_MAX: usize = 32 << 10;
/// What a piece of evidence takes in memory, until it is stored: measured at 2 to 3 KiB for Lambda's REPORT lines.
const ROW_BYTES: usize = 3 << 10;

/// How many items of a request met which fate.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Items that are evidence.
    pub accepted: u64,
    /// Items that say nothing about a request.
    pub ignored: u64,
    /// Items that could not be read.
    pub rejected: u64,
    /// The first of these.
    pub first_rejected: Vec<Rejected>,
}

impl Tally {
    /// How many rejected items are not among the first.
    pub fn rejected_more(&self) -> u64 {
        self.rejected - self.first_rejected.len() as u64
    }
}

impl Receiver {
    /// Reads a body, has it parsed, and stores what it says. `parse` is told why the body is not whole, if it is not.
    ///
    /// # Errors
    ///
    /// When the request as a whole is refused. Parts of it may be stored then; coming again with the same is harmless.
    pub async fn take<T: Into<Taken>>(
        &self,
        transport: &'static str,
        sender: Sender,
        format: &'static str,
        (headers, body): (&HeaderMap, Body),
        parse: impl FnOnce(Vec<u8>, Option<Refusal>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Tally, Refusal> {
        if self.pipeline.is_stopping() {
            return Err(NotTaken::Stopping.into());
        }
        let received = body::receive(headers, body, &self.options, self.budget.reservation()).await?;
        let wire_bytes = received.bytes.len();
        self.pipeline.metrics().bytes.with_label_values(&[transport]).inc_by(wire_bytes as u64);
        let (options, received_at) = (self.options.clone(), self.pipeline.clock().now());
        let open = move || {
            let cut_off = received.cut_off.clone();
            let (bytes, reservation) = received.decoded(&options)?;
            let arrival = Arrival { sender, format, received_at, bytes: bytes.len() as u64 };
            let by_body = arrival.digest(&bytes);
            let Taken { items, identity } = parse(bytes, cut_off)?.into();
            let digest = identity.map_or(by_body, |identity| arrival.named_digest(&identity));
            Ok((Source::new(items, arrival, digest), reservation))
        };
        self.store(wire_bytes, open).await
    }

    /// Has bytes parsed that came by no request, and stores what they say. `identity` tells them from the same bytes at another time.
    ///
    /// # Errors
    ///
    /// As [`Receiver::take`].
    pub async fn take_bytes(
        &self,
        transport: &'static str,
        arrival: Arrival,
        (bytes, reservation): (Vec<u8>, Reservation),
        identity: blake3::Hash,
        parse: impl FnOnce(Vec<u8>) -> Items + Send + 'static,
    ) -> Result<Tally, Refusal> {
        if self.pipeline.is_stopping() {
            return Err(NotTaken::Stopping.into());
        }
        let size = bytes.len();
        self.pipeline.metrics().bytes.with_label_values(&[transport]).inc_by(size as u64);
        let digest = arrival.named_digest(&identity);
        self.store(size, move || Ok((Source::new(parse(bytes), arrival, digest), reservation))).await
    }

    /// Opens a source and stores it part by part. `size` tells whether that is done beside the event loop.
    ///
    /// # Errors
    ///
    /// As [`Receiver::take`].
    pub async fn store(
        &self,
        size: usize,
        open: impl FnOnce() -> Result<(Source, Reservation), Refusal> + Send + 'static,
    ) -> Result<Tally, Refusal> {
        let rows_max = self.pipeline.batch_rows_max();
        let mut tally = Tally::default();
        let first = move || {
            let (mut source, reservation) = open()?;
            let part = source.next_part(rows_max);
            Ok((source, reservation, part))
        };
        let (mut source, mut reservation, mut part) = self.read(size, first).await?;
        loop {
            let (bytes, is_last) = (part.rows() * ROW_BYTES, part.is_last);
            reservation.grow(bytes)?;
            self.store_part(part, source.format(), &mut tally).await?;
            reservation.shrink(bytes);
            if is_last {
                return Ok(tally);
            }
            let next = move || {
                let part = source.next_part(rows_max);
                Ok((source, part))
            };
            (source, part) = self.read(size, next).await?;
        }
    }

    async fn store_part(&self, part: Part, format: &str, tally: &mut Tally) -> Result<(), Refusal> {
        let Part { batches, accepted, ignored, rejected, is_last: _ } = part;
        if !batches.is_empty() {
            self.pipeline.submit(batches).await?;
        }
        let items = &self.pipeline.metrics().items;
        for (fate, count) in [("evidence", accepted), ("ignored", ignored), ("rejected", rejected.len() as u64)] {
            items.with_label_values(&[format, fate]).inc_by(count);
        }
        tally.accepted += accepted;
        tally.ignored += ignored;
        tally.rejected += rejected.len() as u64;
        let room = self.options.rejected_in_answer_max.saturating_sub(tally.first_rejected.len());
        tally.first_rejected.extend(rejected.into_iter().take(room));
        Ok(())
    }

    /// Runs a parser: beside the event loop when there is much to read, and with panics caught.
    async fn read<T: Send + 'static>(&self, size: usize, work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
        let guarded = || catch_unwind(AssertUnwindSafe(work)).ok();
        let read = if size <= INLINE_BYTES_MAX { guarded() } else { tokio::task::spawn_blocking(guarded).await.ok().flatten() };
        read.unwrap_or_else(|| {
            self.pipeline.metrics().panicked("parse");
            Err(NotTaken::Failed.into())
        })
    }
}
