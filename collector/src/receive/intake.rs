//! From parsed items to stored batches: what every transport does after its bytes are read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use axum::body::Body;
use axum::http::HeaderMap;
use domain::{Claim, Evidence, FunctionName, StackName, Value};
use jiff::Timestamp;
use store::{Batch, Rejected};

use super::{Receiver, Refusal, Sender, body};
use crate::parse::{Fate, Parsed, cut};
use crate::pipeline::NotTaken;

/// Up to this size a body is read where it arrived; a larger one would hold up other connections.
const INLINE_BYTES_MAX: usize = 32 << 10;
/// How much of a rejected item's text is kept.
const REJECT_TEXT_BYTES_MAX: usize = 512;

/// Parsed items, ready to be stored, and what to tell their sender.
#[derive(Debug)]
pub struct Intake {
    batches: Vec<Batch>,
    format: String,
    /// What became of them.
    pub tally: Tally,
}

/// How many items met which fate.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Items that are evidence.
    pub accepted: u64,
    /// Items that say nothing about a request.
    pub ignored: u64,
    /// Items that could not be read.
    pub rejected: Vec<Rejected>,
}

/// What was received, beside its items.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who sent it.
    pub sender: &'a Sender,
    /// What it was read as.
    pub format: &'a str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The decoded body.
    pub body: &'a [u8],
}

impl Intake {
    /// Sorts items into batches of at most `rows_max`, one stack each.
    pub fn new(parsed: Parsed, arrival: Arrival<'_>, rows_max: usize) -> Self {
        let Arrival { sender, format, received_at, body } = arrival;
        let mut tally = Tally::default();
        let mut by_stack: Vec<(StackName, Vec<Evidence>)> = Vec::new();
        for item in parsed.items {
            let claim = match item.fate {
                Fate::Evidence(claim) => match unstorable(&claim) {
                    None => claim,
                    Some(reason) => {
                        tally.rejected.push(rejected(item.line, reason, &claim.raw));
                        continue;
                    }
                },
                Fate::Ignored(claim) => {
                    match unstorable(&claim) {
                        None => tally.ignored += 1,
                        Some(reason) => tally.rejected.push(rejected(item.line, reason, &claim.raw)),
                    }
                    continue;
                }
                Fate::Rejected(reject) => {
                    tally.rejected.push(rejected(item.line, reject.reason, &reject.text));
                    continue;
                }
            };
            tally.accepted += 1;
            let evidence = evidence(*claim, sender, received_at);
            match by_stack.iter_mut().find(|(stack, _)| *stack == evidence.stack) {
                Some((_, list)) => list.push(evidence),
                None => by_stack.push((evidence.stack.clone(), vec![evidence])),
            }
        }
        let batches = batches(by_stack, &tally, arrival, rows_max, digest(sender, format, body));
        Self { batches, format: format.to_owned(), tally }
    }
}

fn batches(
    by_stack: Vec<(StackName, Vec<Evidence>)>,
    tally: &Tally,
    arrival: Arrival<'_>,
    rows_max: usize,
    digest: blake3::Hash,
) -> Vec<Batch> {
    let Arrival { sender, format, received_at, body } = arrival;
    let empty = |stack: StackName, number: usize| Batch {
        digest: part_digest(digest, number),
        stack,
        source: sender.source.clone(),
        format: format.to_owned(),
        received_at,
        bytes: 0,
        evidence: Vec::new(),
        ignored: 0,
        rejected: Vec::new(),
    };
    let mut batches: Vec<Batch> = Vec::new();
    for (stack, evidence) in by_stack {
        let mut rest = evidence.into_iter().peekable();
        while rest.peek().is_some() {
            let evidence = rest.by_ref().take(rows_max).collect();
            batches.push(Batch { evidence, ..empty(stack.clone(), batches.len()) });
        }
    }
    if batches.is_empty() && (tally.ignored > 0 || !tally.rejected.is_empty()) {
        batches.push(empty(sender.stack.clone(), 0));
    }
    if let Some(first) = batches.first_mut() {
        first.bytes = body.len() as u64;
        first.ignored = tally.ignored;
        first.rejected.clone_from(&tally.rejected);
    }
    batches
}

impl Receiver {
    /// Reads a body, has it parsed, and stores what it says. `parse` is told why the body is not whole, if it is not.
    ///
    /// # Errors
    ///
    /// When the request as a whole is refused.
    pub async fn take(
        &self,
        transport: &'static str,
        sender: Sender,
        format: &'static str,
        (headers, body): (&HeaderMap, Body),
        parse: impl FnOnce(&[u8], Option<Refusal>) -> Result<Parsed, Refusal> + Send + 'static,
    ) -> Result<Tally, Refusal> {
        if self.pipeline.is_stopping() {
            return Err(NotTaken::Stopping.into());
        }
        let received = body::receive(headers, body, &self.options, self.budget.reservation()).await?;
        let wire_bytes = received.bytes.len();
        self.pipeline.metrics().bytes.with_label_values(&[transport]).inc_by(wire_bytes as u64);
        let (options, received_at, rows_max) = (self.options.clone(), self.pipeline.clock().now(), self.pipeline.batch_rows_max());
        let work = move || {
            let cut_off = received.cut_off.clone();
            let (bytes, reservation) = received.decoded(&options)?;
            let arrival = Arrival { sender: &sender, format, received_at, body: &bytes };
            Ok((Intake::new(parse(&bytes, cut_off)?, arrival, rows_max), reservation))
        };
        // The reservation lives until the answer: until then, what was read takes memory.
        let (intake, _reservation) = self.read(wire_bytes, work).await?;
        self.store(intake).await
    }

    /// Stores what was read and counts it.
    ///
    /// # Errors
    ///
    /// When the pipeline does not take it.
    pub async fn store(&self, intake: Intake) -> Result<Tally, Refusal> {
        let Intake { batches, format, tally } = intake;
        if !batches.is_empty() {
            self.pipeline.submit(batches).await?;
        }
        let items = &self.pipeline.metrics().items;
        for (fate, count) in [("evidence", tally.accepted), ("ignored", tally.ignored), ("rejected", tally.rejected.len() as u64)] {
            items.with_label_values(&[&format, fate]).inc_by(count);
        }
        Ok(tally)
    }

    /// Runs a parser over a body: beside the event loop when the body is large, and with panics caught.
    ///
    /// # Errors
    ///
    /// What the parser says, and [`NotTaken::Failed`] when it panicked.
    pub async fn read<T: Send + 'static>(
        &self,
        body_bytes: usize,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let guarded = || catch_unwind(AssertUnwindSafe(work)).ok();
        let read = if body_bytes <= INLINE_BYTES_MAX { guarded() } else { tokio::task::spawn_blocking(guarded).await.ok().flatten() };
        read.unwrap_or_else(|| {
            self.pipeline.metrics().panicked("parse");
            Err(NotTaken::Failed.into())
        })
    }
}

fn evidence(mut claim: Claim, sender: &Sender, received_at: Timestamp) -> Evidence {
    sender.complete(&mut claim);
    // An event may name its own stack: one collector of a team, several stacks behind it.
    let stack = claim.text("stack").filter(|_| claim.format == crate::parse::watchdog::FORMAT).map(StackName::from);
    Evidence { stack: stack.unwrap_or_else(|| sender.stack.clone()), source: sender.source.clone(), received_at, origin: None, claim }
}

fn rejected(line: u64, reason: impl Into<String>, text: &str) -> Rejected {
    Rejected { line, reason: reason.into(), text: cut(text, REJECT_TEXT_BYTES_MAX).to_owned() }
}

/// Why a claim cannot be stored as it is: Postgres has no text with a NUL in it, and a changed one would be another.
fn unstorable(claim: &Claim) -> Option<&'static str> {
    let text = |text: &str| text.contains('\0');
    let ids = [
        claim.request_id.as_ref().map(domain::RequestId::as_str),
        claim.instance.as_ref().map(domain::Instance::as_str),
        claim.function.as_ref().map(FunctionName::as_str),
        claim.platform.as_ref().map(domain::Product::as_str),
    ];
    let calls = || claim.calls.iter().any(|call| text(&call.operation) || call.target.as_deref().is_some_and(text));
    let frames = || {
        claim.stacks.iter().flat_map(|stack| &stack.frames).any(|frame| text(&frame.function) || frame.file.as_deref().is_some_and(text))
    };
    let names = || claim.stacks.iter().any(|stack| stack.name.as_deref().is_some_and(text));
    let attributes = || claim.attributes.iter().any(|(name, value)| text(name) || has_nul(value));
    let found = text(&claim.raw) || ids.into_iter().flatten().any(text) || calls() || frames() || names() || attributes();
    found.then_some("expected text, found a NUL byte in it")
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::List(list) => list.iter().any(has_nul),
        Value::Map(map) => map.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Flag(_) | Value::Number(_) => false,
    }
}

/// By what a repeated body is recognised. Two senders of one short line are told apart; the same line sent twice by one
/// sender is one batch, and would have folded into the same incident anyway.
fn digest(sender: &Sender, format: &str, body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    sender.digest_into(&mut hasher);
    hasher.update(&(format.len() as u64).to_le_bytes());
    hasher.update(format.as_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A body that makes several batches makes the same ones again.
fn part_digest(whole: blake3::Hash, number: usize) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(whole.as_bytes());
    hasher.update(&(number as u64).to_le_bytes());
    hasher.finalize().into()
}
