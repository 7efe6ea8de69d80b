//! `waiting_on_downstream`: one call to somebody else covers most of the time.
//!
//! Looks at: calls that the watchdog saw open, client spans that lasted, never ended or were open at their last heartbeat, a
//! stack that stands at a socket.
//! Conclusive, because the callee, the beginning and the end of the wait are all stated. Looks the same: a callee that is
//! slow because we asked it too often (`repeated_calls`), a connection that never came up (`connect_hang`).
//! What to change: a client timeout on that call, so that it fails and not the whole request.

use domain::{Advice, Confidence, Millis};

use super::Recognised;
use super::calls::{self, Calls, Made};
use super::stack::{self, Standing};
use crate::correlate::{Case, is_open};
use crate::diagnose::advice::{change, plain};
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !calls::is_asked(firing.outcome) {
        return None;
    }
    longest_call(case, firing, calls).or_else(|| at_a_socket(case))
}

fn longest_call(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    let (made, whole) = calls.longest()?;
    let mut found = waited_for(&made, whole);
    if let Some(timeout) = made.call.client_timeout_ms {
        let text = format!("its client timeout is {timeout}, and did not end it: many clients count each read by itself");
        found = found.and(text);
    }
    let why = format!("{} went into {}", made.wait(), made.spoken());
    Some(found.change(client_timeout_advice(case, firing, &made)).says(why))
}

/// What every cause about one long call has in common.
pub fn waited_for(made: &Made<'_>, whole: Millis) -> Recognised {
    let outcome = match (made.answered, made.fell_silent) {
        (true, _) => "was answered late",
        (false, true) => "was open when it was last heard of",
        (false, false) => "had not been answered",
    };
    let text = format!("{} of {whole} went into {}, which {outcome}", made.wait(), made.spoken());
    let found = Recognised {
        operation: Some(made.spoken()),
        waited_ms: Some(made.wait()),
        hidden_by_more_time: Some("the slow call"),
        ..Recognised::new(Confidence::Certain)
    };
    let found = found.because(text, vec![cite(made.told)]);
    match made.told.claim.elapsed_ms.filter(|_| is_open(&made.told.claim)) {
        Some(open_for) => {
            let text = format!("its span was still open at its last heartbeat, {open_for} after it had begun");
            found.and(text)
        }
        None => found,
    }
}

/// From the call's beginning to the moment when the request's limit strikes.
pub fn time_left(case: &Case<'_>, firing: &Firing, made: &Made<'_>) -> Option<Millis> {
    let (start, end) = calls::window(case, firing)?;
    let limit = firing.limit.as_ref().and_then(|limit| limit.value_ms);
    // A server that looks once a second kills later than its limit says.
    let strikes = case.deadline().or_else(|| limit.map(|limit| limit.after(start))).map_or(end, |at| at.min(end));
    Some(Millis::between(made.from, strikes)).filter(|left| *left > Millis::ZERO)
}

/// A timeout on that call, with a value that leaves a fifth of what was left for answering.
pub fn client_timeout_advice(case: &Case<'_>, firing: &Firing, made: &Made<'_>) -> Advice {
    let operation = made.spoken();
    let from =
        if made.call.no_client_timeout { Some("none".to_owned()) } else { made.call.client_timeout_ms.map(|timeout| timeout.to_string()) };
    let to = time_left(case, firing, made).and_then(shortened);
    let text = format!("Set a client timeout on {operation} that leaves time to answer: then this call fails, and not the whole request.");
    Advice { from, to: to.map(|to| to.to_string()), ..change("set_client_timeout", "client timeout", &operation, &text) }
}

/// Four fifths, in whole seconds, or in tenths where that is less than two.
fn shortened(left: Millis) -> Option<Millis> {
    const TENTH_US: i64 = 100_000;
    let most = left.as_us() / 5 * 4;
    let step = if most >= 2_000_000 { 1_000_000 } else { TENTH_US };
    Some(Millis::from_us(most / step * step)).filter(|value| *value > Millis::ZERO)
}

/// A sample of the serving thread that stands in a network call, taken while the request was stuck.
fn at_a_socket(case: &Case<'_>) -> Option<Recognised> {
    let sample = stack::samples(case).into_iter().find(|sample| sample.standing == Standing::Network)?;
    let text = "Give the call in which it stood a timeout that leaves time to answer: then this call fails, and not the whole request.";
    let found = Recognised { hidden_by_more_time: Some("the slow call"), ..Recognised::new(Confidence::Likely) };
    let found = found.because(sample.spoken(), vec![cite(sample.told)]).change(plain("set_client_timeout", text));
    Some(found.says("it was waiting for the network"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_timeout_is_a_round_number_below_what_is_left() {
        let proposed = |ms| shortened(Millis::from_ms(ms)).map(Millis::as_ms);
        assert_eq!([29_100, 2900, 900, 100].map(proposed), [Some(23_000), Some(2000), Some(700), None]);
    }
}
