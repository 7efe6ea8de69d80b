//! What to change: what the cause asks for, what the end asks for, and the setting of the limit that fired: where it is set,
//! what stands around it, and whether changing it would only hide the problem.

use std::fmt::Write as _;

use domain::{Advice, Cause, Limit, Outcome};

use super::causes::{Recognised, send_more};
use super::firing::Firing;
use super::order;
use crate::correlate::{Case, Ending};
use crate::documented;
use crate::estimate::{self, as_written};

/// What to change, most useful first.
pub fn for_case(case: &Case<'_>, firing: &Firing, why: &Cause, found: &mut Recognised) -> Vec<Advice> {
    let mut advice = std::mem::take(&mut found.advice);
    advice.extend(for_outcome(case, firing));
    let told = |limit: &Limit| advice.iter().any(|one| one.setting.as_deref() == Some(&limit.setting));
    let limit = firing.limit.as_ref().filter(|limit| !told(limit));
    let fired = limit.and_then(|limit| for_limit(limit, found.hidden_by_more_time, order::room(case, firing)));
    advice.extend(fired);
    from_history(case, firing, why, &mut advice);
    if why.id == Cause::UNKNOWN && matches!(firing.outcome, Outcome::Timeout | Outcome::DroppedAtShutdown) {
        advice.extend(send_more(case));
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

/// Advice that names no setting.
pub fn plain(kind: &str, text: &str) -> Advice {
    Advice { kind: kind.to_owned(), setting: None, place: None, from: None, to: None, text: text.to_owned() }
}

/// Advice about a setting, and where it is set.
pub fn change(kind: &str, setting: &str, place: &str, text: &str) -> Advice {
    Advice { setting: Some(setting.to_owned()), place: Some(place.to_owned()), ..plain(kind, text) }
}

fn for_outcome(case: &Case<'_>, firing: &Firing) -> Option<Advice> {
    let ending = case.worker.as_ref().map(|end| end.ending);
    match (firing.outcome, ending) {
        (Outcome::Crash, Some(Ending::Killed)) => {
            let signal = case.worker.as_ref().and_then(|end| end.evidence.first()?.claim.text("signal"));
            Some(plain("investigate", about_signal(signal)))
        }
        (Outcome::Crash, _) => Some(plain(
            "investigate",
            "Read the function's last lines before the end: a crash is the code's or the runtime's, no setting cures it.",
        )),
        (Outcome::DroppedAtShutdown, _) if firing.limit.is_none() => Some(plain(
            "handle_stop",
            "Stop it with SIGTERM, which waits for running requests, and let the function handle SIGTERM: one that does not ends at once, whatever the grace period.",
        )),
        _ => None,
    }
}

/// Who may have sent it, and where that would stand.
fn about_signal(signal: Option<&str>) -> &'static str {
    match signal {
        Some("SIGHUP") => {
            "A worker that gets SIGHUP ends at once, with what it is serving. A reload that is sent by name (`pkill -HUP`, `killall -HUP`) or to the process group reaches the workers too: send it to the main process alone."
        }
        Some("SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGFPE") => {
            "Native code crashed. Its core dump tells where (`coredumpctl`), in Python also `PYTHONFAULTHANDLER=1`, which prints the stack."
        }
        _ => {
            "Look into the kernel's log of that host at that second (`dmesg -T`, `journalctl -k`): it names the process if memory ran out. Else somebody or something sent the signal."
        }
    }
}

/// Where a setting of AWS Lambda other than a limit is set.
pub const LAMBDA_PLACE: &str = "function configuration: `MemorySize` in SAM and CloudFormation, `memorySize` in serverless.yml, `aws lambda update-function-configuration`";

/// `hides`: what a longer limit would only hide. `room`: what stands around the limit.
fn for_limit(limit: &Limit, hides: Option<&str>, room: Option<String>) -> Option<Advice> {
    let documented = documented::limit(limit.product.as_str(), &limit.setting)?;
    let mut text = documented.advice()?;
    if limit.value_ms.is_none() {
        let default = documented.default().map_or_else(String::new, |default| format!(" (by default {default})"));
        let _ = write!(text, " Its value is not in the log{default}: give the configuration with `--limits` to have it checked.");
    }
    if let Some(room) = room {
        let _ = write!(text, " {room}");
    }
    if let Some(hidden) = hides {
        let _ = write!(text, " Raising it alone hides {hidden}.");
    }
    Some(Advice {
        setting: Some(limit.setting.clone()),
        place: Some(limit.place.clone().unwrap_or_else(|| documented.place())),
        from: limit.value_ms.map(as_written(limit)),
        ..plain("change_setting", &text)
    })
}
