//! `overrun explain` and `overrun parse`: verdicts from files, without a server or a database.

use serde_json::Value;

use crate::support::{Finished, checkout, fixture, overrun, run};

const BORN: &str = "tests/fixtures/lambda_text/born.log";
const FLY: &str = "tests/fixtures/gunicorn/fly-21.2.0.log";

fn explain(arguments: &[&str], stdin: &str) -> Finished {
    run(overrun(&["explain"]).args(arguments).current_dir(checkout("")), stdin.as_bytes())
}

fn explain_json(arguments: &[&str]) -> Value {
    let finished = explain(&[&["--json"], arguments].concat(), "");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    serde_json::from_str(&finished.stdout).expect("one JSON object")
}

/// The lines that a diagnosis rests on.
fn cited(incident: &Value) -> Vec<u64> {
    let evidence = incident["diagnosis"]["evidence"].as_array().expect("a list");
    evidence.iter().map(|cited| cited["line"].as_u64().expect("a line")).collect()
}

#[test]
fn the_lambda_log_that_started_it_all_is_explained() {
    let report = explain_json(&[BORN]);
    let [incident] = report["incidents"].as_array().expect("a list").as_slice() else { panic!("{report:#}") };
    assert_eq!(incident["request_id"], "6f747a63-ce41-11e7-8cfe-3d61dad3d219");
    assert_eq!(incident["summary"], "AWS Lambda's function timeout (3 s) fired");
    assert_eq!((&incident["outcome"], &incident["state"]), (&"timeout".into(), &"confirmed".into()));
    assert_eq!((&incident["elapsed_ms"], &incident["ended_at"]), (&3001.52.into(), &"2017-11-20T22:23:32.998Z".into()));
    let diagnosis = &incident["diagnosis"];
    assert_eq!((&diagnosis["layer"], &diagnosis["product"]), (&"platform".into(), &"aws_lambda".into()));
    assert_eq!(diagnosis["limit"], serde_json::json!({ "setting": "Timeout", "value_ms": 3000, "known_from": "claimed" }));
    assert_eq!((&diagnosis["confidence"], cited(incident)), (&"certain".into(), vec![3, 4]));
    assert_eq!(diagnosis["advice"][0]["setting"], "Timeout", "{diagnosis:#}");
    assert_eq!((&report["read"]["evidence"], &report["read"]["rejected"]), (&4.into(), &0.into()));
}

#[test]
fn the_gunicorn_log_from_fly_is_blamed_on_gunicorn_and_not_on_the_platform() {
    let report = explain_json(&[FLY]);
    let [incident] = report["incidents"].as_array().expect("a list").as_slice() else { panic!("{report:#}") };
    assert_eq!((&incident["request_id"], &incident["pid"], &incident["instance"]), (&Value::Null, &322.into(), &"xyz".into()));
    let diagnosis = &incident["diagnosis"];
    assert_eq!((&diagnosis["layer"], &diagnosis["product"]), (&"app_server".into(), &"gunicorn".into()));
    assert_eq!((&diagnosis["limit"]["setting"], &diagnosis["limit"]["value_ms"]), (&"--timeout".into(), &Value::Null));
    assert_eq!((&diagnosis["confidence"], cited(incident)), (&"certain".into(), vec![5]));
    let advice = &diagnosis["advice"][0];
    assert_eq!(advice["setting"], "--timeout");
    assert!(advice["where"].as_str().is_some_and(|place| place.contains("fly.toml") && place.contains("gunicorn.conf.py")), "{advice:#}");
    assert!(!report.to_string().contains("idle"), "the platform's limit of 60 s has nothing to do with it");
}

#[test]
fn people_read_the_verdict_first_and_the_lines_below_it() {
    let finished = explain(&[BORN, FLY], "");
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    assert!(finished.stdout.starts_with("AWS Lambda's function timeout (3 s) fired\n"), "{}", finished.stdout);
    for expected in [
        "born.log:4: 2017-11-20T22:23:32.998Z 6f747a63-ce41-11e7-8cfe-3d61dad3d219 Task timed out after 3.00 seconds",
        "\ngunicorn's worker timeout (`--timeout`, value not known) fired\n",
        "fly-21.2.0.log:5: 2023-12-28T11:04:25.070 app[xyz] cdg [info]",
        "14 lines: 12 evidence, 1 ignored, 0 rejected",
    ] {
        assert!(finished.stdout.contains(expected), "{expected}\n---\n{}", finished.stdout);
    }
}

#[test]
fn a_procfile_gives_the_limit_that_the_log_does_not_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let procfile = dir.path().join("Procfile");
    std::fs::write(&procfile, "web: gunicorn app:app --timeout 60 --workers 2\n").expect("written");
    let report = explain_json(&["--limits", procfile.to_str().expect("text"), FLY]);
    let limit = &report["incidents"][0]["diagnosis"]["limit"];
    assert_eq!(*limit, serde_json::json!({ "setting": "--timeout", "value_ms": 60000, "known_from": "configured", "where": "Procfile:1" }));
    assert!(report["incidents"][0]["summary"].as_str().is_some_and(|summary| summary.contains("60 s")), "{report:#}");
}

#[test]
fn standard_input_is_read_like_a_file_and_formats_may_be_mixed() {
    let mixed = [fixture("lambda_text/born.log"), fixture("gunicorn/fly-21.2.0.log")].concat();
    for arguments in [&[][..], &["-"]] {
        let finished = explain(arguments, &mixed);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let timeouts = finished.stdout.lines().filter(|line| line.starts_with("  timeout · certain")).count();
        assert_eq!(timeouts, 2, "{}", finished.stdout);
    }
}

#[test]
fn scripts_learn_from_the_exit_status_whether_something_overran() {
    assert_eq!(explain(&["--fail-on-timeout", BORN], "").code, 1);
    assert_eq!(explain(&[BORN], "").code, 0);
    let healthy = "REPORT RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t\
                   Max Memory Used: 20 MB\n";
    let finished = explain(&["--fail-on-timeout"], healthy);
    assert_eq!(finished.code, 0);
    assert!(finished.stdout.starts_with("No request overran in what was read."), "{}", finished.stdout);
    let missing = explain(&["--fail-on-timeout", "no-such.log"], "");
    assert_eq!((missing.code, missing.stdout.as_str()), (2, ""));
    assert!(missing.stderr.contains("`no-such.log`"), "{}", missing.stderr);
    let misspelt = explain(&["--format", "lamda", BORN], "");
    assert_eq!(misspelt.code, 2);
    assert!(misspelt.stderr.contains("lambda_text") && misspelt.stderr.contains("`lamda`"), "{}", misspelt.stderr);
}

#[test]
fn hostile_lines_cannot_steer_the_terminal() {
    let log = fixture("gunicorn/fly-21.2.0.log").replace("app[xyz]", "app[\u{1b}]0;owned\u{7}\u{9b}2Jxyz]");
    let finished = explain(&[], &log);
    assert!(finished.stdout.contains("fired"), "{}", finished.stdout);
    assert!(!finished.stdout.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{:?}", finished.stdout);
}

#[test]
fn parse_shows_the_fate_of_every_item() {
    let input = ["nothing that anybody knows\n", &fixture("lambda_text/born.log"), &fixture("gunicorn/fly-21.2.0.log")].concat();
    let finished = run(&mut overrun(&["parse", "--json"]), input.as_bytes());
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let items: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(items.iter().all(|item| ["evidence", "ignored", "rejected"].contains(&item["fate"].as_str().expect("a word"))));
    let lines: Vec<_> = items.iter().map(|item| item["line"].as_u64().expect("a line")).collect();
    assert!(lines.is_sorted() && lines.first() == Some(&1), "{lines:?}");
    let notice = items.iter().find(|item| item["kind"] == "timeout_notice").expect("it is in there");
    assert_eq!((&notice["request_id"], &notice["limit_ms"]), (&"6f747a63-ce41-11e7-8cfe-3d61dad3d219".into(), &3000.into()));
    assert!(items.iter().any(|item| item["kind"] == "worker_timeout" && item["pid"] == 322), "{items:#?}");
    let told = run(&mut overrun(&["parse", "--format", "gunicorn", "--header", "overrun-instance: web-7", "--json"]), FLY_LINE.as_bytes());
    assert!(told.stdout.contains(r#""instance":"web-7""#), "{}", told.stdout);
}

const FLY_LINE: &str = "[2023-12-28 11:04:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)\n";
