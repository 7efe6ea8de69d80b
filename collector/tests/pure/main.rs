//! The pure half of the collector as a whole: from bytes to verdicts, without server, database or clock.

mod callers;
mod causes;
mod celery;
mod daemons;
mod everything;
mod liars;
mod open_spans;
mod parsers;
mod platforms;
mod prefixes;
mod problems;
mod properties;
mod proxies;
mod runs;
mod stories;
mod support;
mod watchdogs;
