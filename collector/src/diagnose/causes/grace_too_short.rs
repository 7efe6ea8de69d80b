//! `grace_too_short`: it was cut off while its server drained, because the grace period was shorter than the request.
//!
//! Looks at: a request that a stop ended, and the limit that ends the stop. Conclusive, because the order to stop and the end
//! are both told. Looks the same: a server that was told to stop at once, or a function that does not handle SIGTERM; no
//! grace period ends those, and a longer one would not help.
//! What to change: the grace period, and with it that of whatever stops the server. OpenFaaS's is `write_timeout`.

use domain::{Advice, Confidence, Limit, Millis, Outcome};

use super::{Calls, Recognised};
use crate::correlate::Case;
use crate::diagnose::advice::plain;
use crate::diagnose::firing::Firing;
use crate::diagnose::order;
use crate::estimate::as_written;

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    let grace = firing.limit.as_ref().filter(|_| firing.outcome == Outcome::DroppedAtShutdown)?;
    let waited = case.worker.as_ref().and_then(|end| Some(Millis::between(end.stopping_at?, end.at?)));
    let text = match grace.value_ms {
        Some(value) => format!("`{}` is how long a stop waits for running requests, and {value} were not enough", grace.setting),
        None => format!("`{}` is how long a stop waits for running requests; its value is not known", grace.setting),
    };
    let evidence = firing.reasons.first().map(|reason| reason.evidence.clone()).unwrap_or_default();
    let found = Recognised { waited_ms: waited.or(grace.value_ms), ..Recognised::new(firing.confidence.min(Confidence::Likely)) };
    Some(found.because(text, evidence).change(longer(case, firing, grace)))
}

/// As long as a request may take, where that is known.
fn longer(case: &Case<'_>, firing: &Firing, grace: &Limit) -> Advice {
    let longest = order::inside(case, firing).into_iter().filter_map(|limit| limit.value_ms).max();
    let to = longest.filter(|longest| grace.value_ms.is_none_or(|value| *longest > value));
    let text = match to {
        Some(longest) => format!(
            "Let a stop wait for as long as a request may take ({longest}), and let whatever stops the server (Kubernetes' `terminationGracePeriodSeconds`, ECS' `stopTimeout`, systemd's `TimeoutStopSec`) wait longer still."
        ),
        None => "Let a stop wait for as long as a request may take, and let whatever stops the server (Kubernetes' `terminationGracePeriodSeconds`, ECS' `stopTimeout`, systemd's `TimeoutStopSec`) wait longer still.".to_owned(),
    };
    let written = as_written(grace);
    Advice {
        setting: Some(grace.setting.clone()),
        place: grace.place.clone(),
        from: grace.value_ms.map(&written),
        to: to.map(&written),
        ..plain("lengthen_grace", &text)
    }
}
