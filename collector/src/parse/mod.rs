//! From bytes to claims: one file per format, pure.
//!
//! A parser never fails as a whole. Every item of its input ends in exactly one [`Fate`]. What a source does not say is
//! left out, never made up: no request IDs, no limits, no times.

mod access_line;
pub mod access_log;
pub mod alb;
pub mod apache;
pub mod api_gateway_access;
pub mod api_gateway_execution;
pub mod aws_logs;
pub mod azure_eventhub;
pub mod azure_functions;
pub mod caddy;
mod carried;
pub mod celery;
pub mod classic_watchdog;
pub mod cloudflare;
pub mod cloudfront;
pub mod cloudwatch;
mod continuation;
pub mod cri;
pub mod docker;
pub mod documents;
mod envelope;
mod events;
pub mod facts;
pub mod firehose;
pub mod fly;
mod formats;
pub mod gateway_facts;
pub mod gcp;
pub mod gcp_pubsub;
mod go;
pub mod gunicorn;
pub mod haproxy;
pub mod heroku;
pub mod hypercorn;
pub mod journald;
pub mod json_lines;
pub mod knative;
pub mod lambda_app;
pub mod lambda_app_json;
pub mod lambda_async;
pub mod lambda_fields;
pub mod lambda_invoke_error;
pub mod lambda_json;
pub mod lambda_report;
pub mod lambda_telemetry;
pub mod lambda_text;
pub mod logplex;
pub mod loki;
mod marks;
pub mod netlify;
pub mod nginx;
pub mod of_watchdog;
mod openfaas;
pub mod openfaas_gateway;
pub mod openwhisk;
pub mod openwhisk_events;
pub mod otlp;
pub mod otlp_logs;
pub mod otlp_traces;
pub mod php_fpm;
mod pieces;
pub mod puma;
mod python;
mod python_logging;
pub mod rack_timeout;
pub mod redact;
mod ruby;
mod sieve;
pub mod syslog;
pub mod times;
pub mod trace_header;
pub mod tracepoints;
pub mod unicorn;
pub mod uvicorn;
pub mod uwsgi;
pub mod varnish;
pub mod vercel;
pub mod watchdog;

use std::collections::BTreeMap;

use domain::{Claim, FunctionName, Instance, Kind};
use jiff::Timestamp;

pub use pieces::{items, pieces};

pub use formats::Format;
pub(crate) use formats::Lines;
pub(crate) use go::duration as go_duration;
pub use sieve::Unclaimed;

/// What is known about an input as a whole before a line of it is read.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Where it was written, if the sender or the transport says so.
    pub instance: Option<Instance>,
    /// The function that wrote it.
    pub function: Option<FunctionName>,
    /// Time of the transport, for items that carry none of their own.
    pub sent_at: Option<Timestamp>,
    /// Headers of the request that brought it, names in lower case: what transports say beside the body.
    pub headers: BTreeMap<String, String>,
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
    /// What became of it.
    pub fate: Fate,
}

/// What became of one item: evidence, ignored in one of two ways, or rejected.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It says something about a request, a process or an instance.
    Evidence(Box<Claim>),
    /// Well formed, but says nothing that a diagnosis could use; with what could be read in it, for `overrun parse`.
    Ignored(Box<Claim>),
    /// So many lines that no format claims, where nobody wants to see them: passed over together.
    Passed(u64),
    /// It could not be read.
    Rejected(Reject),
}

/// Lines that were passed over and not told of yet.
#[derive(Debug, Default)]
struct PassedLines {
    /// The number of the first.
    first: u64,
    count: u64,
}

impl PassedLines {
    /// So many more, from that one on.
    fn add(&mut self, line: u64, count: u64) {
        self.first = if self.count == 0 { line } else { self.first.min(line) };
        self.count += count;
    }

    /// All that were passed over elsewhere, which is `line` here.
    fn append(&mut self, line: u64, others: &Self) {
        if others.count > 0 {
            self.add(line, others.count);
        }
    }

    /// What is told of them, if there are any.
    fn take(&mut self) -> Option<Item> {
        let Self { first, count } = std::mem::take(self);
        (count > 0).then_some(Item { line: first, fate: Fate::Passed(count) })
    }
}

impl Fate {
    /// The same with `raw` as the text it was read from.
    #[must_use]
    fn with_raw(self, raw: &str) -> Self {
        let own = |mut claim: Box<Claim>| {
            cut(raw.trim_end(), RAW_BYTES_MAX).clone_into(&mut claim.raw);
            claim
        };
        match self {
            Self::Evidence(claim) => Self::Evidence(own(claim)),
            Self::Ignored(claim) => Self::Ignored(own(claim)),
            other @ (Self::Passed(_) | Self::Rejected(_)) => other,
        }
    }
}

/// Takes what is found in an input, in its order.
pub trait Visitor {
    /// An item, or lines that were passed over.
    fn item(&mut self, item: Item);

    /// A Lambda function's report of an invocation: in most logs more frequent than all other evidence together. Whoever needs no
    /// claim of it makes none.
    fn report(&mut self, report: &Unclaimed<'_>) {
        self.item(Item { line: report.line, fate: Fate::Evidence(report.claim()) });
    }
}

impl Visitor for Vec<Item> {
    fn item(&mut self, item: Item) {
        self.push(item);
    }
}

/// Why an item was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// What was expected and what was found.
    pub reason: String,
    /// The item's text, cut at a limit.
    pub text: String,
}

impl Reject {
    /// A rejection; the text is cut to what a person needs to find the line again.
    #[must_use]
    pub fn new(reason: impl Into<String>, text: &str) -> Self {
        Self { reason: reason.into(), text: cut(text, REJECT_TEXT_BYTES_MAX).to_owned() }
    }
}

/// How much of a rejected item's text is kept.
pub const REJECT_TEXT_BYTES_MAX: usize = 512;
/// How much of an item's text is kept as its raw form: a REPORT line with X-Ray is 300 bytes, a deep traceback 6 KiB.
pub const RAW_BYTES_MAX: usize = 16 * 1024;
/// The longest line that is read; longer ones are rejected, since no format here writes them.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// `text` cut to at most `bytes_max` bytes at a character boundary.
#[must_use]
pub fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

/// An ordinary line: nobody's format, or an application's own words.
pub(crate) fn app_log(format: &str, text: &str) -> Claim {
    let raw = cut(text.trim_end_matches(['\r', '\n']), RAW_BYTES_MAX);
    Claim::new(Kind::AppLog, format, raw).with("message", raw)
}

#[cfg(test)]
mod tests;
