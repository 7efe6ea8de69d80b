//! `limit_too_low`, and what the history of a function proposes.

use super::support::{ID, call, cause, fired, folded, timed_out};
use crate::support::explained_text;

/// Sections that were left so many ms after 12:00:00.
fn sections(left: &[(&str, u32)]) -> String {
    let event = |(name, ms): &(&str, u32)| {
        format!(
            "{{\"kind\":\"tracepoint\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-22T12:00:{:02}.{:03}Z\",\"section\":\"{name}\",\"phase\":\"closed\"}}\n",
            ms / 1000,
            ms % 1000
        )
    };
    left.iter().map(event).collect()
}

#[test]
fn steady_work_until_the_end_means_a_limit_too_low() {
    let steps = [("read", 400), ("resize", 1000), ("read", 1500), ("write", 2100), ("read", 2500), ("resize", 2900)];
    let incident = folded(&(timed_out("") + &sections(&steps)));
    assert_eq!(cause(&incident), ("limit_too_low", None, None));
    let reason = &incident.diagnosis.reasons.last().expect("one").text;
    assert_eq!(
        reason,
        "6 steps of 3 kinds finished one after the other, the last 100 ms before the end; nothing stood still for more than 600 ms of 3 s"
    );
}

#[test]
fn work_that_stood_still_or_repeats_is_no_limit_too_low() {
    let stood_still = [("read", 400), ("resize", 1000), ("write", 1500), ("read", 1900), ("resize", 2200)];
    let began_late = [("read", 900), ("resize", 1200), ("write", 1800), ("read", 2500), ("resize", 2900)];
    let one_kind = [("read", 400), ("read", 1000), ("read", 1500), ("read", 2100), ("read", 2500), ("read", 2900)];
    let few = [("read", 700), ("resize", 1400), ("write", 2100), ("read", 2800)];
    for steps in [&stood_still[..], &began_late, &one_kind, &few] {
        assert_eq!(cause(&folded(&(timed_out("") + &sections(steps)))).0, "unknown", "{steps:?}");
    }
    // One call that covers most of it is the culprit, whatever else went on.
    let steady = [("read", 400), ("resize", 1000), ("read", 1500), ("write", 2100), ("read", 2500), ("resize", 2900)];
    let with_call = timed_out("") + &sections(&steady) + &fired(&call("00.100", ""));
    assert_eq!(cause(&folded(&with_call)).0, "waiting_on_downstream");
}

/// What `explain` advises about a function of which these many requests stand in the same file; every tenth is cut off.
fn advised(runs: u32) -> domain::Advice {
    let line = |number: u32, text: String| {
        let at = format!("2026-11-22T12:{:02}:{:02}.000Z", number / 60 % 60, number % 60);
        serde_json::json!({"timestamp": at, "logGroup": "/aws/lambda/resize", "logStream": "s", "message": text}).to_string() + "\n"
    };
    let request = |number: u32| {
        // Quantiles of a log-logistic distribution with median 500 ms.
        let ms = 500.0 * (f64::from(number) / f64::from(runs - number)).powf(0.3);
        let id = format!("{number:08x}-2222-4333-8444-555555555555");
        let (ms, status) = if ms < 1000.0 { (ms, "") } else { (1000.0, "\tStatus: timeout") };
        line(number, format!("REPORT RequestId: {id}\tDuration: {ms:.2} ms\tBilled Duration: {} ms{status}", ms.ceil()))
    };
    let text: String = (1..runs).map(request).collect();
    let incident = explained_text(&text).into_iter().next().expect("some are cut off");
    incident.diagnosis.advice.into_iter().find(|advice| advice.setting.as_deref() == Some("Timeout")).expect("its limit fired")
}

#[test]
fn a_value_is_proposed_from_the_other_requests_of_the_file() {
    let advice = advised(1200);
    // 99.5 % need 500 ms · 199^0.3 = 2.45 s.
    let to = advice.to.expect("a value");
    assert!(["3 s", "4 s"].contains(&to.as_str()), "{to}");
    assert!(advice.text.starts_with("99.5 % of its requests need at most"), "{}", advice.text);
    assert_eq!(advised(400).to, None);
}
