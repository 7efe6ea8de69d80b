//! Real runs of gunicorn, each with what truly happened in it: nothing missed, nothing invented.
//!
//! The truth was written down while they ran, by those who started, slowed and killed them; see
//! `tests/fixtures/gunicorn/ORIGIN.md`.

use collector::correlate::Knowledge;
use domain::{Confidence, Incident, Layer, Outcome};

use crate::support::{explained, fixture, gunicorn_with};

/// The run (version and situation), the limits it ran under, and the workers whose requests came to harm: process ID, how,
/// and the request's ID where the log holds one. `perhaps`: the lines do not prove it.
const RUNS: [(&str, &str, &str); 87] = [
    ("19.10.0-killed", "--timeout 30", ""),
    ("24.0.0-abort-swallowed", "--timeout 2", "29535 timed out"),
    ("24.0.0-killed", "--timeout 30", "29613 crashed"),
    ("26.2.0-sync", "--timeout 2", "30844 timed out"),
    ("21.2.0-gevent-graceful", "--timeout 30 --graceful-timeout 3", "21939 dropped"),
    ("21.2.0-sync-with-access", "--timeout 2", "22011 timed out"),
    ("24.1.1-gevent-block-others-finish", "--timeout 2", "22155 timed out"),
    ("24.1.1-gthread-graceful", "--timeout 30 --graceful-timeout 3", "22299 dropped"),
    ("24.1.1-timeout-1", "--timeout 1", "22584 timed out d9a99111"),
    ("24.1.1-uvicorn-killed-stop-idle", "--timeout 30", "22288 crashed"),
    ("27.0.1-log-level-warning", "--timeout 2", "23273 timed out 8cd7814d"),
    ("27.0.1-sync-killed-with-access", "--timeout 30", "23263 crashed"),
    ("27.0.1-uvicorn-graceful", "--timeout 30 --graceful-timeout 3", "22970 dropped"),
    ("27.0.1-waits-for-an-answer", "--timeout 2", "1632 timed out"),
    ("23.0.0-event-loop-idle", "--timeout 2", "1890 timed out"),
    ("19.9.0-cascade", "--timeout 2", "9322 timed out, 9378 timed out, 9421 timed out"),
    ("19.9.0-graceful-timeout", "--timeout 30 --graceful-timeout 3", "9480 dropped"),
    ("19.9.0-killed-then-slow-stop", "--timeout 30 --graceful-timeout 10", ""),
    ("19.9.0-killed", "--timeout 30", ""),
    ("19.9.0-sync", "--timeout 2", "8387 timed out"),
    ("19.9.0-usr2-upgrade", "--timeout 30 --graceful-timeout 3", "9700 dropped"),
    ("20.0.4-boot-hangs", "--timeout 2", "10242 timed out, 10489 timed out, 10693 timed out, 11105 dropped"),
    ("20.0.4-graceful-timeout", "--timeout 30 --graceful-timeout 3", "10513 dropped"),
    ("20.0.4-killed", "--timeout 30", ""),
    ("20.0.4-native-block", "--timeout 2", "9734 timed out"),
    ("20.0.4-sync", "--timeout 2", "9721 timed out"),
    ("20.0.4-worker-failed-to-boot", "--timeout 30", "10145 crashed, 10147 crashed"),
    ("20.1.0-cascade", "--timeout 2", "11393 timed out, 11465 timed out, 11483 timed out"),
    ("20.1.0-killed-from-outside", "--timeout 30", "12883 crashed"),
    ("20.1.0-segfault", "--timeout 30", "11523 crashed"),
    ("20.1.0-sync-native-lock", "--timeout 2", "2392 timed out"),
    ("20.1.0-sync", "--timeout 2", "8803 timed out"),
    ("21.2.0-boot-hangs", "--timeout 2", "13004 timed out, 13486 timed out, 13793 timed out, 14370 dropped"),
    ("21.2.0-boot-timeout", "--timeout 2", "12497 timed out, 12505 timed out, 12534 timed out"),
    ("21.2.0-graceful-timeout", "--timeout 30 --graceful-timeout 3", "13496 dropped"),
    ("21.2.0-hup", "--timeout 30", ""),
    ("21.2.0-killed-from-outside", "--timeout 30", "12896 crashed"),
    ("21.2.0-max-requests", "--timeout 30", ""),
    ("21.2.0-sync-json-log-config", "--timeout 2", "12970 timed out"),
    ("21.2.0-sync-merged-request-id", "--timeout 2", "10032 timed out"),
    ("21.2.0-sync-native-lock", "--timeout 2", "2542 timed out"),
    ("21.2.0-sync-streaming", "--timeout 2", "5777 timed out db28f456"),
    ("21.2.0-sync", "--timeout 2", "8901 timed out"),
    ("21.2.0-sys-exit-in-handler", "--timeout 30", "13487 crashed, 13492 crashed"),
    ("21.2.0-two-workers-time-out", "--timeout 2", "11803 timed out, 11826 timed out"),
    ("22.0.0-abort-swallowed", "--timeout 2", "14955 timed out"),
    ("22.0.0-hup-old-worker-times-out", "--timeout 3", "14981 timed out"),
    ("22.0.0-sigint-busy", "--timeout 30 --graceful-timeout 3", "15071 dropped"),
    ("22.0.0-sync", "--timeout 2", "14605 timed out"),
    ("22.0.0-usr2-upgrade", "--timeout 30 --graceful-timeout 3", ""),
    ("22.0.0-worker-failed-to-boot", "--timeout 30", "15019 crashed, 15020 crashed"),
    ("23.0.0-application-error", "--timeout 2", ""),
    ("23.0.0-client-gives-up", "--timeout 30", ""),
    ("23.0.0-gevent-native-block", "--timeout 2", "3387 timed out"),
    ("23.0.0-gevent-native-sleep", "--timeout 2", "3791 timed out"),
    ("23.0.0-gevent-slow-but-fine", "--timeout 2", ""),
    ("23.0.0-graceful-timeout-sync", "--timeout 30 --graceful-timeout 2", "12860 dropped"),
    ("23.0.0-gthread-native-gil-many-in-flight", "--timeout 2", "2898 timed out"),
    ("23.0.0-gthread-slow-but-fine", "--timeout 2", ""),
    ("23.0.0-stop-idle", "--timeout 30", ""),
    ("23.0.0-sync-streaming", "--timeout 2", "5794 timed out c9a12ff9"),
    ("23.0.0-sync", "--timeout 2", "9117 timed out"),
    ("23.0.0-ttin-ttou", "--timeout 30", ""),
    ("23.0.0-uvicorn-worker-blocking", "--timeout 2", "12067 timed out"),
    ("24.1.1-hup-old-worker-times-out", "--timeout 3", ""),
    ("24.1.1-killed", "--timeout 30", "15725 crashed"),
    ("24.1.1-sync", "--timeout 2", "15617 timed out"),
    ("24.1.1-tz-manila", "--timeout 2", "15659 timed out"),
    ("24.1.1-worker-sigterm-from-outside", "--timeout 30", ""),
    ("25.3.0-graceful-finishes", "--timeout 30 --graceful-timeout 10", ""),
    ("25.3.0-gthread", "--timeout 2", "16233 timed out"),
    ("25.3.0-sync", "--timeout 2", "9397 timed out"),
    ("27.0.1-boot-hang-not-timed-out", "--timeout 2", ""),
    ("27.0.1-cascade", "--timeout 2", "16405 timed out, 16739 timed out, 17012 timed out"),
    ("27.0.1-graceful-timeout-gthread", "--timeout 30 --graceful-timeout 2", "13266 perhaps dropped"),
    ("27.0.1-graceful-timeout-sync", "--timeout 30 --graceful-timeout 2", "12877 dropped"),
    ("27.0.1-max-requests", "--timeout 30", ""),
    ("27.0.1-segfault", "--timeout 30", "17079 crashed"),
    ("27.0.1-sigquit-busy", "--timeout 30 --graceful-timeout 3", "17140 dropped"),
    ("27.0.1-sync-merged-request-id", "--timeout 2", "10140 timed out 7e96acfc"),
    ("27.0.1-sync-native-lock", "--timeout 2", "2743 timed out"),
    ("27.0.1-sync", "--timeout 2", "9602 timed out"),
    ("27.0.1-sys-exit-in-handler", "--timeout 30", "17112 crashed"),
    ("27.0.1-two-workers-time-out", "--timeout 2", "16352 timed out, 16353 timed out"),
    ("27.0.1-usr2-upgrade", "--timeout 30 --graceful-timeout 3", "17188 dropped"),
    ("27.0.1-uvicorn-worker-blocking", "--timeout 2", "12251 timed out"),
    ("27.0.1-worker-failed-to-boot", "--timeout 30", "17054 crashed, 17056 crashed"),
];

/// What the truth calls it, with the layer and the setting that go with it.
fn spoken(incident: &Incident) -> String {
    let diagnosis = &incident.diagnosis;
    let setting = diagnosis.limit.as_ref().map(|limit| limit.setting.as_str());
    let how = match (incident.outcome, setting) {
        (Outcome::Timeout, Some("--timeout")) => "timed out",
        (Outcome::DroppedAtShutdown, Some("--graceful-timeout") | None) => "dropped",
        (Outcome::Crash, None) => "crashed",
        (outcome, setting) => panic!("{outcome:?} by {setting:?}"),
    };
    assert_eq!((diagnosis.layer, diagnosis.product.as_ref().map(domain::Product::as_str)), (Some(Layer::AppServer), Some("gunicorn")));
    let sure = if diagnosis.confidence >= Confidence::Likely { "" } else { "perhaps " };
    let request = incident.request_id.as_ref().map_or(String::new(), |id| format!(" {}", &id.as_str()[..8]));
    format!("{} {sure}{how}{request}", incident.pid.expect("every line names a process"))
}

#[test]
fn every_run_is_told_as_it_was() {
    for (run, options, truth) in RUNS {
        let name = format!("gunicorn/{run}.log");
        let report = explained(&name, &fixture(&name), &gunicorn_with(options));
        let told: Vec<String> = report.incidents.iter().map(spoken).collect();
        assert_eq!(told.join(", "), truth, "{run} {options}");
        for incident in &report.incidents {
            let limit = incident.diagnosis.limit.as_ref().and_then(|limit| limit.value_ms).filter(|_| incident.outcome == Outcome::Timeout);
            let took = incident.elapsed_ms.zip(limit).is_none_or(|(elapsed, limit)| elapsed >= limit);
            assert!(took, "{run}: {:?} is less than the limit, as gunicorn says of a request that it aborts", incident.elapsed_ms);
            limits_are_those_configured(incident, options, run);
            the_decisive_line_is_cited(incident, run);
        }
    }
}

#[test]
fn logs_alone_give_the_same_without_values() {
    for (run, _, truth) in RUNS {
        let name = format!("gunicorn/{run}.log");
        let incidents = explained(&name, &fixture(&name), &Knowledge::default()).incidents;
        let told: Vec<String> = incidents.iter().map(spoken).collect();
        // That somebody left when the grace period was over can be told only if that is known.
        let expected: Vec<&str> = truth.split(", ").filter(|truth| !truth.is_empty() && !truth.contains("perhaps")).collect();
        assert_eq!(told, expected, "{run}");
        assert!(incidents.iter().all(|incident| incident.diagnosis.limit.as_ref().is_none_or(|limit| limit.value_ms.is_none())), "{run}");
    }
}

#[test]
fn a_prefix_on_every_line_changes_nothing_but_the_instance() {
    for (run, options, truth) in RUNS {
        let name = format!("gunicorn/{run}.log");
        let text = String::from_utf8(fixture(&name)).expect("text");
        for prefix in ["web-1  | ", "2026-11-22T12:00:00.123Z app[web.1]: ", "Nov 22 12:00:00 shop gunicorn[99]: "] {
            // A transport that puts JSON behind a syslog header is not one we know.
            if text.starts_with('{') && prefix.starts_with("Nov") {
                continue;
            }
            let prefixed: String = text.lines().flat_map(|line| [prefix, line, "\n"]).collect();
            let incidents = explained(&name, prefixed.as_bytes(), &gunicorn_with(options)).incidents;
            assert_eq!(incidents.iter().map(spoken).collect::<Vec<_>>().join(", "), truth, "{run} behind `{prefix}`");
            assert!(incidents.iter().all(|incident| incident.instance.is_some()), "{run} behind `{prefix}`");
        }
    }
}

fn limits_are_those_configured(incident: &Incident, options: &str, run: &str) {
    let Some(limit) = &incident.diagnosis.limit else { return };
    let words: Vec<&str> = options.split(' ').collect();
    let configured = words.iter().position(|word| *word == limit.setting).and_then(|at| words[at + 1].parse::<i64>().ok());
    assert_eq!(limit.value_ms.map(|value| value.as_ms() / 1000), configured, "{run}");
}

fn the_decisive_line_is_cited(incident: &Incident, run: &str) {
    let pid = incident.pid.expect("a process").to_string();
    let cited = &incident.diagnosis.evidence;
    let of_worker = cited.iter().any(|citation| citation.text.contains(&pid));
    let of_stop = cited.iter().any(|citation| citation.text.contains("Shutting down: Master"));
    assert!(of_worker || of_stop, "{run}: {cited:#?}");
    assert!(cited.iter().all(|citation| citation.line.is_some() && citation.file.is_some()), "{run}");
}
