//! The verbs of the flow, in order: receive, parse, correlate, diagnose, and hand over to the store.
//!
//! ```text
//! receive → parse → Evidence → correlate → diagnose → Incident → store
//! ```
//!
//! `parse`, `correlate`, `diagnose`, `limits` and `documented` are pure: same input, same output; no clock, no random numbers, no I/O, no
//! logging. To add a format: one file in `parse/` and a line in [`parse::Format`]. To add a cause: one file in
//! `diagnose/causes/` and a line in its list. To add a transport: one file in `receive/` and a line in its router.

pub mod correlate;
pub mod diagnose;
pub mod documented;
pub mod estimate;
pub mod explain;
mod fold;
pub mod limits;
pub mod lint;
pub mod parse;
pub mod pipeline;
pub mod receive;
pub mod startup;

pub use fold::{fold, fold_knowing};
pub use pipeline::{Pipeline, PipelineOptions};
pub use receive::{ReceiveOptions, Receiver};
