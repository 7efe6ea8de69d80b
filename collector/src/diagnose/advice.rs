//! What to change: the exact setting and where it is set, and whether changing it would only hide the problem.

use std::fmt::Write as _;

use domain::{Advice, Cause, Limit, Outcome};

use super::firing::Firing;
use crate::correlate::{Case, Ending};
use crate::documented::{self, Bounds};
use crate::estimate::{self, as_written};

/// What to change, most useful first.
pub fn for_case(case: &Case<'_>, firing: &Firing, why: &Cause) -> Vec<Advice> {
    let mut advice = Vec::new();
    advice.extend(for_cause(case, why));
    advice.extend(for_outcome(case, firing));
    advice.extend(firing.limit.as_ref().and_then(|limit| for_limit(limit, why)));
    from_history(case, firing, why, &mut advice);
    let stack_known = case.evidence().any(|one| !one.claim.stacks.is_empty());
    if why.id == Cause::UNKNOWN && !stack_known && matches!(firing.outcome, Outcome::Timeout | Outcome::DroppedAtShutdown) {
        advice.push(plain(
            "send_more",
            "Nothing says what it was doing. Send spans or watchdog events of this function: they name the call that was in flight.",
        ));
    }
    advice
}

/// Where the function's other requests are known, what they say about the limit that ended this one.
fn from_history(case: &Case<'_>, firing: &Firing, why: &Cause, advice: &mut Vec<Advice>) {
    let may_be_too_low = firing.outcome == Outcome::Timeout && [Cause::UNKNOWN, "limit_too_low"].contains(&why.id.as_str());
    let function = || case.any(|claim| claim.function.clone());
    let Some((limit, function)) = firing.limit.as_ref().filter(|_| may_be_too_low).zip(function()) else { return };
    let Some(history) = case.knowledge.history.get(&function) else { return };
    let around: Vec<Limit> = case.knowledge.of(Some(&function)).cloned().collect();
    let said = estimate::advice(history, limit, &around);
    match advice.iter_mut().find(|known| known.setting.as_ref() == Some(&limit.setting)) {
        Some(known) => {
            known.to = said.to;
            known.text = format!("{} {}", said.text, known.text);
        }
        None => advice.push(said),
    }
}

fn plain(kind: &str, text: &str) -> Advice {
    Advice { kind: kind.to_owned(), setting: None, place: None, from: None, to: None, text: text.to_owned() }
}

fn for_cause(case: &Case<'_>, why: &Cause) -> Option<Advice> {
    match (why.id.as_str(), &why.operation) {
        ("waiting_on_downstream", Some(operation)) => {
            let call = case.own.iter().flat_map(|one| &one.claim.calls).find(|call| spoken_by(call, operation))?;
            let from =
                if call.no_client_timeout { Some("none".to_owned()) } else { call.client_timeout_ms.map(|timeout| timeout.to_string()) };
            let text =
                format!("Set a client timeout on {operation} that leaves time to answer: then this call fails, and not the whole request.");
            Some(Advice {
                setting: Some("client timeout".to_owned()),
                place: Some(operation.clone()),
                from,
                ..plain("set_client_timeout", &text)
            })
        }
        ("waiting_on_downstream", None) => Some(plain(
            "set_client_timeout",
            "Give the call in which it stood a timeout that leaves time to answer: then this call fails, and not the whole request.",
        )),
        ("cold_start", _) => Some(plain(
            "shorten_start",
            "Shorten the start: precompute, reuse between requests, strip what is not needed, load lazily, or replace what dominates.",
        )),
        ("memory_pressure", _) => {
            let size = case.any(|claim| claim.number("memory_size_mb"));
            let text = "Raise the memory (on Lambda processor time grows with it) or find what fills it.";
            Some(Advice {
                setting: Some("MemorySize".to_owned()),
                place: Some(LAMBDA_PLACE.to_owned()),
                from: size.map(|mb| format!("{mb} MB")),
                ..plain("raise_memory", text)
            })
        }
        _ => None,
    }
}

fn spoken_by(call: &domain::Call, operation: &str) -> bool {
    call.target.as_ref().map_or(call.operation == operation, |target| operation == format!("{} {target}", call.operation))
}

fn for_outcome(case: &Case<'_>, firing: &Firing) -> Option<Advice> {
    let ending = case.worker.as_ref().map(|end| end.ending);
    match (firing.outcome, ending) {
        (Outcome::Crash, Some(Ending::Killed)) => Some(plain(
            "investigate",
            "Look into the kernel's log of that host at that second (`dmesg -T`, `journalctl -k`): it names the process if memory ran out. Else somebody or something sent the signal.",
        )),
        (Outcome::Crash, _) => Some(plain(
            "investigate",
            "Read the function's last lines before the end: a crash is the code's or the runtime's, no setting cures it.",
        )),
        _ => None,
    }
}

/// Where a setting of AWS Lambda other than a limit is set.
const LAMBDA_PLACE: &str = "function configuration: `MemorySize` in SAM and CloudFormation, `memorySize` in serverless.yml, `aws lambda update-function-configuration`";

fn for_limit(limit: &Limit, cause: &Cause) -> Option<Advice> {
    let documented = documented::limit(limit.product.as_str(), &limit.setting)?;
    let mut text = documented.advice()?;
    if limit.value_ms.is_none() {
        let default = documented.default().map_or_else(String::new, |default| format!(" (by default {default})"));
        let _ = write!(text, " Its value is not in the log{default}: give the configuration with `--limits` to have it checked.");
    }
    if cause.id == "waiting_on_downstream" && documented.bounds == Bounds::Request {
        text.push_str(" Raising it alone hides the slow call.");
    }
    Some(Advice {
        setting: Some(limit.setting.clone()),
        place: Some(limit.place.clone().unwrap_or_else(|| documented.place())),
        from: limit.value_ms.map(as_written(limit)),
        ..plain("change_setting", &text)
    })
}
