//! Whether a request may be run again: one pure function over the incident, what was retried before, and the time.
//!
//! Running a request again is the one thing that Overrun does to somebody's system. So it is refused unless everything speaks
//! for it: the input is known and whole, the first run is surely over, nobody else repeats it, and what was repeated before
//! did not fail. Each reason to refuse is a variant of [`Why`], and [`decide()`] asks for them in order.

mod decide;
mod first_run;
mod guards;
mod platform;
#[cfg(test)]
mod properties;
mod result;
mod why;

pub(crate) use self::decide::{Asked, Decision, decide};
pub(crate) use self::guards::{Guards, Keys};
pub(crate) use self::result::result_of;
pub(crate) use self::why::Why;
