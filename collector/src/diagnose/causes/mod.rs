//! Why it took so long. One file per cause; each says what it looks at, why that is conclusive, and what else could look
//! the same. The first that recognises a case is its cause; none is `unknown`.

mod caller_left;
mod cold_start;
mod limit_too_low;
mod memory_pressure;
mod waiting_on_downstream;

use domain::{Cause, Reason};

use super::firing::Firing;
use crate::correlate::Case;

/// What a cause recognised, and why.
pub struct Recognised {
    /// The operation in flight, where the cause is about one.
    pub operation: Option<String>,
    /// How long that took.
    pub waited_ms: Option<domain::Millis>,
    /// The steps of the argument.
    pub reasons: Vec<Reason>,
}

/// How a cause looks at a case.
pub type Recognise = fn(&Case<'_>, &Firing) -> Option<Recognised>;

/// Every cause: its name, which is that of its page in `docs/causes/`, and how it is recognised. The more specific first.
pub const CAUSES: [(&str, Recognise); 5] = [
    ("caller_left", caller_left::recognise),
    ("cold_start", cold_start::recognise),
    ("waiting_on_downstream", waiting_on_downstream::recognise),
    ("memory_pressure", memory_pressure::recognise),
    ("limit_too_low", limit_too_low::recognise),
];

/// The cause of a case, and why we say so.
pub fn recognise(case: &Case<'_>, firing: &Firing) -> (Cause, Vec<Reason>) {
    let found = CAUSES.iter().find_map(|(id, recognise)| Some((*id, recognise(case, firing)?)));
    match found {
        Some((id, found)) => (Cause { id: id.to_owned(), operation: found.operation, waited_ms: found.waited_ms }, found.reasons),
        None => (Cause::default(), Vec::new()),
    }
}
