//! From bytes to claims: one file per format, pure.
//!
//! A parser never fails as a whole. Every item of its input ends in exactly one [`Fate`]. What a source does not say is
//! left out, never made up: no request IDs, no limits, no times.

pub mod access_log;
pub mod envelope;
mod events;
pub mod facts;
pub mod gunicorn;
pub mod lambda_app;
pub mod lambda_app_json;
pub mod lambda_fields;
pub mod lambda_text;
pub mod otlp;
mod pieces;
pub mod redact;
pub mod times;
pub mod watchdog;

use std::collections::BTreeMap;

use domain::{Claim, FunctionName, Instance, Kind};
use jiff::Timestamp;

pub use pieces::items;

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
            rejected @ Self::Rejected(_) => rejected,
        }
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

/// A format that can be asked for by name. The set is closed: one line per format, see `docs/formats/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Decided line by line, so that a file may mix formats.
    Auto,
    /// AWS Lambda's text log format.
    LambdaText,
    /// gunicorn's error and access log.
    Gunicorn,
    /// Events of a watchdog inside a function.
    Watchdog,
    /// OpenTelemetry traces, protobuf or JSON.
    OtlpTraces,
}

impl Format {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Auto, Self::LambdaText, Self::Gunicorn, Self::Watchdog, Self::OtlpTraces];

    /// The format's name on the command line, in URLs, labels and docs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::LambdaText => lambda_text::FORMAT,
            Self::Gunicorn => gunicorn::FORMAT,
            Self::Watchdog => watchdog::FORMAT,
            Self::OtlpTraces => otlp::FORMAT,
        }
    }

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// How its lines are told and read, for a format of lines.
    fn lines(self) -> Option<Lines> {
        match self {
            Self::LambdaText => Some(lambda_text::LINES),
            Self::Gunicorn => Some(gunicorn::LINES),
            Self::Auto | Self::Watchdog | Self::OtlpTraces => None,
        }
    }

    /// How its JSON objects are read, for a format of records. A reader gives `None` for an object of another shape.
    fn records(self) -> Option<ReadRecord> {
        match self {
            Self::Gunicorn => Some(gunicorn::read_record),
            Self::Auto | Self::LambdaText | Self::Watchdog | Self::OtlpTraces => None,
        }
    }

    /// How JSON objects are read that an application wrote in a shape of its own; asked last, since they look like wrappers.
    fn application_records(self) -> Option<ReadRecord> {
        match self {
            Self::LambdaText => Some(lambda_app_json::read_record),
            Self::Auto | Self::Gunicorn | Self::Watchdog | Self::OtlpTraces => None,
        }
    }

    /// The formats that an input of this one may hold.
    fn candidates(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |format| *format == self || self == Self::Auto)
    }

    fn line_readers(self) -> impl Iterator<Item = Lines> {
        self.candidates().filter_map(Self::lines)
    }

    fn record_readers(self) -> impl Iterator<Item = ReadRecord> {
        self.candidates().filter_map(Self::records)
    }

    fn own_words(self) -> impl Iterator<Item = ReadRecord> {
        self.candidates().filter_map(Self::application_records)
    }

    /// Reads an input. Never fails: what cannot be read is an item with [`Fate::Rejected`].
    #[must_use]
    pub fn parse(self, input: &[u8], context: &Context) -> Parsed {
        match self {
            Self::Auto if otlp::looks_like_protobuf_traces(input) => otlp::parse(input),
            Self::OtlpTraces => otlp::parse(input),
            Self::Watchdog => watchdog::parse(input),
            Self::Auto | Self::LambdaText | Self::Gunicorn => events::parse(self, input, context),
        }
    }
}

/// How a format of lines tells and reads its events.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    /// Where in a line an event of this format begins: 0 for a bare one, more behind a transport's prefix that only this
    /// format's head can end. `None` when the line does not begin one by its first look; cheap, may be wrong for the better.
    pub begins: fn(&str) -> Option<usize>,
    /// Reads a whole event, continuation lines included. `None` when it is not of this format after all.
    pub read: fn(&str) -> Option<Fate>,
}

/// Reads a JSON object. `None` when it is not of this format.
pub(crate) type ReadRecord = fn(&serde_json::Map<String, serde_json::Value>, &str) -> Option<Vec<Fate>>;

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
