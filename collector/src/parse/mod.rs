//! From bytes to claims: one file per format, pure.
//!
//! A parser never fails as a whole. Every item of its input ends in exactly one [`Fate`]. What a source does not say is
//! left out, never made up: no request IDs, no limits, no times.

use domain::{Claim, FunctionName, Instance};
use jiff::Timestamp;

/// What is known about an input as a whole before a line of it is read.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Where it was written, if the sender or the transport says so.
    pub instance: Option<Instance>,
    /// The function that wrote it.
    pub function: Option<FunctionName>,
    /// Time of the transport, for items that carry none of their own.
    pub sent_at: Option<Timestamp>,
    /// Whether the line number is a statement about order: it is in a file, it is not in a batch that was cut anyhow.
    pub positions: bool,
}

/// Everything one input yielded.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The items in input order.
    pub items: Vec<Item>,
    /// How many physical lines (or records, where the format has no lines) were read.
    pub lines: u64,
}

/// One item: a line with its continuation lines, or one record.
#[derive(Clone, Debug)]
pub struct Item {
    /// The number of its first line or record, from 1.
    pub line: u64,
    /// How many physical lines it spans.
    pub lines: u64,
    /// What became of it.
    pub fate: Fate,
}

/// What became of one item. There is no fourth way.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It says something about a request, a process or an instance.
    Evidence(Box<Claim>),
    /// Well formed, but says nothing that a diagnosis could use; with what could be read in it, for `overrun parse`.
    Ignored(Box<Claim>),
    /// It could not be read.
    Rejected(Reject),
}

/// Why an item was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What was expected and what was found.
    pub reason: String,
    /// The item's text, cut at a limit.
    pub text: String,
}
