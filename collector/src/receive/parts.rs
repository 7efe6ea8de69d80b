//! A request's items as parts that fit a commit: read while they are taken, so that a large body's claims are not all in
//! memory at once.

use domain::{Claim, Evidence, StackName, Value};
use jiff::Timestamp;
use store::{Batch, Rejected};

use super::Sender;
use super::storable::unstorable;
use crate::parse::{Fate, Item, Reject, cut, otlp_traces, redact, watchdog};

/// How much of a rejected item's text is kept.
const REJECT_TEXT_BYTES_MAX: usize = 512;

/// Items of a request, made while they are taken.
pub type Items = Box<dyn Iterator<Item = Item> + Send>;

/// What a body was read as.
pub struct Taken {
    /// What it holds.
    pub items: Items,
    /// By what its sender recognises it when it is sent again; by default by the body itself.
    pub identity: Option<blake3::Hash>,
}

impl From<Items> for Taken {
    fn from(items: Items) -> Self {
        Self { items, identity: None }
    }
}

/// What is left of a request.
pub struct Source {
    items: Items,
    arrival: Arrival,
    /// By what the request is recognised when it comes again.
    digest: blake3::Hash,
    /// How many batches were made of it.
    batches: u64,
}

/// What was received, beside its items.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Who sent it.
    pub sender: Sender,
    /// What it was read as.
    pub format: &'static str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// Size of the body after decompression.
    pub bytes: u64,
}

/// As many items as fit a commit.
#[derive(Debug, Default)]
pub struct Part {
    /// Their evidence, one stack each. None if there is nothing to be stored.
    pub batches: Vec<Batch>,
    /// Pieces of evidence.
    pub accepted: u64,
    /// Items that say nothing about a request; of what no format claims each line is one.
    pub ignored: u64,
    /// Items that could not be read.
    pub rejected: Vec<Rejected>,
    /// Nothing follows.
    pub is_last: bool,
}

impl Part {
    /// How many rows it makes.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(|batch| batch.evidence.len()).sum()
    }
}

impl Source {
    /// The items of a body with that digest.
    pub fn new(items: Items, arrival: Arrival, digest: blake3::Hash) -> Self {
        Self { items, arrival, digest, batches: 0 }
    }

    /// What the request was read as.
    pub fn format(&self) -> &'static str {
        self.arrival.format
    }

    /// Takes items until they hold `rows_max` pieces of evidence, or as many rejects.
    pub fn next_part(&mut self, rows_max: usize) -> Part {
        let mut part = Part::default();
        let mut by_stack: Vec<(StackName, Vec<Evidence>)> = Vec::new();
        let rows_max = rows_max as u64;
        while part.accepted < rows_max && (part.rejected.len() as u64) < rows_max {
            let Some(Item { line, fate }) = self.items.next() else {
                part.is_last = true;
                break;
            };
            match stored_fate(fate) {
                Fate::Evidence(claim) => {
                    part.accepted += 1;
                    let evidence = self.arrival.evidence(*claim);
                    match by_stack.iter_mut().find(|(stack, _)| *stack == evidence.stack) {
                        Some((_, list)) => list.push(evidence),
                        None => by_stack.push((evidence.stack.clone(), vec![evidence])),
                    }
                }
                Fate::Ignored(_) => part.ignored += 1,
                Fate::Passed(lines) => part.ignored += lines,
                Fate::Rejected(Reject { reason, mut text }) => {
                    redact::received(&mut text);
                    let text = cut(&text, REJECT_TEXT_BYTES_MAX).to_owned();
                    part.rejected.push(Rejected { line, reason, text });
                }
            }
        }
        if by_stack.is_empty() && (part.ignored > 0 || !part.rejected.is_empty()) {
            by_stack.push((self.arrival.sender.stack.clone(), Vec::new()));
        }
        for (stack, evidence) in by_stack {
            let batch = self.batch(stack, evidence);
            part.batches.push(batch);
        }
        if let Some(first) = part.batches.first_mut() {
            first.ignored = part.ignored;
            first.rejected.clone_from(&part.rejected);
        }
        part
    }

    fn batch(&mut self, stack: StackName, evidence: Vec<Evidence>) -> Batch {
        let number = self.batches;
        self.batches += 1;
        let Arrival { sender, format, received_at, bytes } = &self.arrival;
        // A request that makes several batches makes the same ones again.
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.digest.as_bytes()).update(&number.to_le_bytes());
        Batch {
            digest: hasher.finalize().into(),
            stack,
            source: sender.source.clone(),
            format: (*format).to_owned(),
            received_at: *received_at,
            bytes: if number == 0 { *bytes } else { 0 },
            evidence,
            ignored: 0,
            rejected: Vec::new(),
        }
    }
}

/// The fate of an item once it is known whether it can be stored.
fn stored_fate(fate: Fate) -> Fate {
    let reason = match &fate {
        Fate::Evidence(claim) | Fate::Ignored(claim) => unstorable(claim).map(|reason| Reject::new(reason, &claim.raw)),
        Fate::Passed(_) | Fate::Rejected(_) => None,
    };
    reason.map_or(fate, Fate::Rejected)
}

impl Arrival {
    /// By what a repeated body is recognised. Two senders of one short line are told apart; the same line sent twice by one
    /// sender is one batch, and would have folded into the same incident anyway.
    pub fn digest(&self, body: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        self.sender.digest_into(&mut hasher);
        hasher.update(&(self.format.len() as u64).to_le_bytes()).update(self.format.as_bytes());
        hasher.update(body).finalize()
    }

    /// By what a request is recognised whose sender has a name for it, wherever it comes from the second time.
    pub fn named_digest(&self, identity: &blake3::Hash) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for part in [self.sender.stack.as_str(), self.sender.source.as_str(), self.format] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.update(identity.as_bytes()).finalize()
    }

    fn evidence(&self, mut claim: Claim) -> Evidence {
        self.sender.complete(&mut claim);
        // A request line holds what its client put into it. Spans were gone through, key by key, when they were read.
        if claim.format != otlp_traces::FORMAT {
            redact::received(&mut claim.raw);
            for value in claim.attributes.values_mut() {
                if let Value::Text(text) = value {
                    redact::received(text);
                }
            }
        }
        // An event may name its own stack: one collector of a team, several stacks behind it.
        let stack = claim.text("stack").filter(|_| claim.format == watchdog::FORMAT).map(StackName::from);
        let (stack, source) = (stack.unwrap_or_else(|| self.sender.stack.clone()), self.sender.source.clone());
        Evidence { stack, source, received_at: self.received_at, origin: None, claim }
    }
}
