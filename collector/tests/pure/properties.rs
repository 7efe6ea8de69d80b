//! The central invariant: incidents are a function of the *set* of claims. Order, repetition and batching of arrival, and
//! what else is known of other requests, change nothing.

use std::collections::BTreeSet;

use collector::fold;
use domain::{Evidence, Incident, Instance, SourceName, StackName};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{LATER, Span, at, evidence, evidence_of, fixture};

/// Everything that `fold` says, as bytes.
pub fn said(evidence: &[Evidence], as_of: Timestamp) -> String {
    let folded = fold(evidence, as_of);
    format!("{}\n{:?}", serde_json::to_string(&folded.incidents).expect("JSON"), folded.recheck_at)
}

/// Lines with few IDs, processes and moments, so that they collide in every way. Two servers, two log streams.
fn any_line() -> impl Strategy<Value = String> {
    let id = select(vec!["11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"]);
    let time = (0_u32..3, 0_u32..60, select(vec![0, 0, 500]))
        .prop_map(|(minute, second, ms)| format!("2026-11-22T12:0{minute}:{second:02}.{ms:03}"));
    let short = (id, time, 0_u32..3, 0_u32..2);
    let kind = 0_usize..39;
    (short, kind).prop_map(|((id, time, pid, place), kind)| line(kind, id, &time, pid + 7, place))
}

fn line(kind: usize, id: &str, time: &str, pid: u32, place: u32) -> String {
    const REPORTS: [&str; 6] = [
        "250.00 ms\\tBilled Duration: 251 ms\\tMemory Size: 128 MB\\tMax Memory Used: 40 MB",
        "3000.00 ms\\tBilled Duration: 3000 ms\\tMemory Size: 128 MB\\tMax Memory Used: 128 MB\\tStatus: timeout",
        "3001.52 ms\\tBilled Duration: 3000 ms",
        "133.61 ms\\tStatus: error\\tError Type: Runtime.ExitError",
        "812.00 ms\\tStatus: error\\tError Type: Runtime.OutOfMemory",
        "100.00 ms\\tInit Duration: 84.00 ms",
    ];
    const INITS: [&str; 3] = [
        "INIT_REPORT Init Duration: 10005.10 ms\\tPhase: init\\tStatus: timeout",
        "INIT_REPORT Init Duration: 2990.00 ms\\tPhase: invoke\\tStatus: error\\tError Type: Runtime.Unknown",
        "INIT_START Runtime Version: python:3.12.v27",
    ];
    let cloudwatch = |text: String| format!("{{\"timestamp\":\"{time}Z\",\"logStream\":\"stream-{place}\",\"message\":\"{text}\"}}\n");
    let gunicorn = |writer: u32, level: &str, text: String| {
        format!("{time}Z app[web.{place}]: [{} +0000] [{writer}] [{level}] {text}\n", time[..19].replace('T', " "))
    };
    let watchdog = |kind: &str, left: i32| {
        format!(
            "{{\"kind\":\"{kind}\",\"request_id\":\"{id}\",\"instance\":\"web.{place}\",\"pid\":{pid},\"observed_at\":\"{time}Z\",\"left_ms\":{left},\"limit_ms\":3000,\"platform\":\"aws_lambda\"}}\n"
        )
    };
    let told = |span_kind: u8, id_attribute: bool, tell: fn(&Span<'_>, u32) -> String| {
        let from_ms = u64::from(pid) * 1000;
        let attributes = [("faas.invocation_id", id)];
        let (span, parent) = if id_attribute { ("bbbbbbbbbbbbbbbb", "aaaaaaaaaaaaaaaa") } else { ("aaaaaaaaaaaaaaaa", "") };
        let attributes: &[_] = if id_attribute { &attributes } else { &[] };
        let span = Span {
            service: "shop",
            trace: "5b8efff798038103d269b633813fc60c",
            id: span,
            parent,
            kind: span_kind,
            from_ms,
            to_ms: from_ms + 900 * u64::from(place),
            failed: !id_attribute,
            attributes,
        };
        tell(&span, place)
    };
    let span = |span_kind: u8, id_attribute: bool| told(span_kind, id_attribute, |span, _| span.line());
    match kind {
        0 => cloudwatch(format!("START RequestId: {id} Version: 7")),
        1 => cloudwatch(format!("END RequestId: {id}")),
        2..=7 => cloudwatch(format!("REPORT RequestId: {id}\\tDuration: {}", REPORTS[kind - 2])),
        8 => cloudwatch(format!("{time}Z {id} Task timed out after 3.00 seconds")),
        9 => cloudwatch(format!("RequestId: {id} Error: Runtime exited with error: signal: killed\\nRuntime.ExitError")),
        10..=12 => cloudwatch(INITS[kind - 10].to_owned()),
        13 => gunicorn(1, "INFO", "Starting gunicorn 21.2.0".to_owned()),
        14 => gunicorn(1, "INFO", "Handling signal: term".to_owned()),
        15 => gunicorn(1, "INFO", "Shutting down: Master".to_owned()),
        16 => gunicorn(pid, "INFO", format!("Booting worker with pid: {pid}")),
        17 => gunicorn(1, "CRITICAL", format!("WORKER TIMEOUT (pid:{pid})")),
        18 => gunicorn(pid, "INFO", format!("Worker exiting (pid: {pid})")),
        19 => gunicorn(1, "ERROR", format!("Worker (pid:{pid}) was sent SIGKILL! Perhaps out of memory?")),
        20 => gunicorn(1, "ERROR", format!("Worker (pid:{pid}) exited with code 1")),
        21 => gunicorn(pid, "ERROR", "Exception in worker process".to_owned()),
        22 => {
            let moment = jiff::fmt::strtime::format("%d/%b/%Y:%H:%M:%S", at(&format!("{time}Z"))).expect("a time");
            format!(
                "{time}Z app[web.{place}]: 127.0.0.1 - - [{moment} +0000] \"GET /r HTTP/1.1\" 500 0 \"-\" \"-\" 4000 rid={id} pid=<{pid}>\n"
            )
        }
        23 => watchdog("armed", 1500),
        24 => watchdog("fired", 500),
        25 => watchdog("fired", -500),
        26 => watchdog("closed", 200),
        // A whole stop, with a worker that does not leave.
        30..=33 => {
            let later = at(&format!("{time}Z")) + SignedDuration::from_secs(4);
            let later = jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%S.000", later).expect("a time");
            let boot = line(16, id, time, pid, place);
            format!("{}{boot}{}{}", line(13, id, time, pid, place), line(14, id, time, pid, place), line(15, id, &later, pid, place))
        }
        27 => span(2, true),
        28 => span(3, false),
        34 => told(2, true, |span, place| span.partial("heartbeat", 9000 + 500 * u64::from(place), 500)),
        35 | 36 => told(3, kind == 35, |span, place| span.partial("heartbeat", 9500 + 700 * u64::from(place), 500)),
        37 => told(3, true, |span, place| span.partial("stop", 9900 + u64::from(place), 500)),
        _ => span(3, true),
    }
}

/// Evidence of a handful of such lines.
fn any_evidence() -> impl Strategy<Value = Vec<Evidence>> {
    vec(any_line(), 0..24).prop_map(|lines| evidence(&lines.concat()))
}

/// Evidence of real files, a few together, each as if it ran on an instance of its own.
fn real_evidence() -> impl Strategy<Value = Vec<Evidence>> {
    const FILES: [&str; 16] = [
        "gunicorn/fly-21.2.0.log",
        "gunicorn/19.9.0-cascade.log",
        "gunicorn/21.2.0-boot-timeout.log",
        "gunicorn/21.2.0-sys-exit-in-handler.log",
        "gunicorn/22.0.0-sync.log",
        "gunicorn/23.0.0-gthread-native-gil-many-in-flight.log",
        "gunicorn/27.0.1-sync-merged-request-id.log",
        "gunicorn/27.0.1-usr2-upgrade.log",
        "gunicorn/27.0.1-graceful-timeout-sync.log",
        "lambda_text/born.log",
        "lambda_text/timeout-during-init.log",
        "lambda_text/timeout-in-report.log",
        "watchdog/every-kind.jsonl",
        "otlp_traces/python-gunicorn-21.2.0-aborted.pb",
        "otlp_logs/python-gunicorn-27.0.1.pb",
        "otlp_logs/python-partial-span-processor-0.0.9.pb",
    ];
    let one = select(FILES.to_vec()).prop_map(|file| evidence_of(&fixture(file), Some(file)));
    vec(one, 1..4).prop_map(|files| files.concat())
}

/// The same claims as they may arrive: in any order, some again, later, from somebody else.
pub fn arrivals(evidence: Vec<Evidence>) -> impl Strategy<Value = (Vec<Evidence>, Vec<Evidence>)> {
    let count = evidence.len();
    let again = vec((0..count.max(1), 0_i64..1000, select(vec!["test", "another"])), 0..8);
    (Just(evidence), again).prop_flat_map(move |(evidence, again)| {
        let mut all = evidence.clone();
        if count > 0 {
            all.extend(again.into_iter().map(|(index, seconds, source)| Evidence {
                received_at: evidence[index].received_at + SignedDuration::from_secs(seconds),
                source: SourceName::from(source),
                ..evidence[index].clone()
            }));
        }
        (Just(evidence), Just(all).prop_shuffle())
    })
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    select(vec!["2026-11-22T12:00:30Z", "2026-11-22T12:02:00.250Z", "2026-11-22T12:03:59Z", LATER]).prop_map(at)
}

/// The same evidence, moved to another place: other request IDs, traces and instances.
fn elsewhere(evidence: &[Evidence]) -> Vec<Evidence> {
    let moved = evidence.iter().map(|one| {
        let json = serde_json::to_string(&one.claim).expect("JSON");
        let json = json
            .replace("1111-", "9999-")
            .replace("2222-", "8888-")
            .replace("web.", "other.")
            .replace("stream-", "other-")
            .replace("5b8efff7", "77777777");
        Evidence { claim: serde_json::from_str(&json).expect("a claim"), ..one.clone() }
    });
    moved.collect()
}

fn ids(incidents: &[Incident]) -> BTreeSet<&str> {
    incidents.iter().map(|incident| incident.id.as_str()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_repetition_and_batching_change_nothing((once, arrived) in any_evidence().prop_flat_map(arrivals), as_of in any_moment()) {
        prop_assert_eq!(said(&once, as_of), said(&arrived, as_of));
    }

    #[test]
    fn an_incident_has_one_identity(evidence in any_evidence(), as_of in any_moment()) {
        let incidents = fold(&evidence, as_of).incidents;
        prop_assert_eq!(ids(&incidents).len(), incidents.len());
    }

    #[test]
    fn what_is_known_of_others_changes_nothing(evidence in any_evidence(), as_of in any_moment()) {
        let mut both = fold(&evidence, as_of).incidents;
        let others = elsewhere(&evidence);
        both.extend(fold(&others, as_of).incidents);
        let together = fold(&[evidence, others].concat(), as_of).incidents;
        let texts = |incidents: &[Incident]| incidents.iter().map(|incident| serde_json::to_string(incident).expect("JSON")).collect::<BTreeSet<_>>();
        prop_assert_eq!(texts(&together), texts(&both));
    }

    #[test]
    fn stacks_are_worlds_of_their_own(evidence in any_evidence(), as_of in any_moment()) {
        let other: Vec<Evidence> = evidence.iter().map(|one| Evidence { stack: StackName::from("other"), ..one.clone() }).collect();
        let alone = fold(&evidence, as_of).incidents.len();
        let both = fold(&[evidence, other].concat(), as_of).incidents;
        prop_assert_eq!((both.len(), ids(&both).len()), (2 * alone, 2 * alone));
    }

    #[test]
    fn runs_of_one_request_id_are_kept_apart(shuffled in Just(three_runs()).prop_shuffle()) {
        let incidents = fold(&shuffled, at(LATER)).incidents;
        let told: Vec<_> = incidents.iter().map(|incident| (incident.attempt, incident.outcome, incident.instance.as_ref().map(Instance::as_str))).collect();
        prop_assert_eq!(told, [(1, domain::Outcome::Timeout, Some("stream-1")), (3, domain::Outcome::Crash, Some("stream-1"))]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_holds_for_real_files((once, arrived) in real_evidence().prop_flat_map(arrivals)) {
        prop_assert_eq!(said(&once, at(LATER)), said(&arrived, at(LATER)));
    }
}

/// A timeout, a success in another environment, and a crash back in the first: the platform's own retries.
fn three_runs() -> Vec<Evidence> {
    let id = "11111111-2222-4333-8444-555555555555";
    let run = |kinds: [usize; 3], minute: u32, place: u32| {
        kinds.map(|kind| line(kind, id, &format!("2026-11-22T12:0{minute}:0{}.000", kind.min(3)), 7, place)).concat()
    };
    evidence(&[run([0, 1, 3], 1, 1), run([0, 1, 2], 3, 0), run([0, 1, 5], 6, 1)].concat())
}

#[test]
fn deadlines_decide_by_the_moment_asked_and_nothing_else() {
    let events = evidence(&line(23, "11111111-2222-4333-8444-555555555555", "2026-11-22T12:00:00.000", 7, 0));
    let recheck = fold(&events, at("2026-11-22T12:00:01Z")).recheck_at.expect("a deadline to come");
    assert!(fold(&events, recheck - SignedDuration::from_millis(1)).incidents.is_empty());
    assert_eq!(fold(&events, recheck).incidents.len(), 1);
}

#[test]
fn which_arrival_of_a_claim_was_first_changes_nothing() {
    let bytes = fixture("lambda_text/born.log");
    let (mut one, mut other) = (evidence_of(&bytes, Some("a.log")), evidence_of(&bytes, Some("b.log")));
    let text = said(&[one.clone(), other.clone()].concat(), at(LATER));
    for evidence in one.iter_mut().chain(&mut other) {
        evidence.received_at -= SignedDuration::from_secs(evidence.origin.as_ref().map_or(0, |origin| i64::from(origin.file == "b.log")));
    }
    assert_eq!(said(&[other, one].concat(), at(LATER)), text);
    assert!(text.contains("a.log") && !text.contains("b.log"));
}
