//! `overrun lint` over projects as people write them: inversions are found, sound stacks are left alone.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Finished, checkout, fixture, overrun, run};

const FIXTURES: &str = "tests/fixtures/lint";

fn lint(arguments: &[&str]) -> Finished {
    run(overrun(&["lint"]).args(arguments).current_dir(checkout("")), b"")
}

fn lint_json(project: &str) -> (i32, Value) {
    let finished = lint(&["--format", "json", &format!("{FIXTURES}/{project}")]);
    (finished.code, serde_json::from_str(&finished.stdout).expect("one JSON object"))
}

/// The projects in a folder of fixtures.
fn projects(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(checkout(FIXTURES).join(folder)).expect("a folder of ours can be listed");
    let mut names: Vec<String> =
        entries.map(|entry| format!("{folder}/{}", entry.expect("an entry").file_name().to_string_lossy())).collect();
    names.sort();
    names
}

type Planted = (&'static str, &'static str, (&'static str, i64, bool), (&'static str, i64));

/// Each planted inversion: project, rule, outer limit, inner limit; setting, value in ms, whether it is a default.
const PLANTED: [Planted; 17] = [
    ("alb-ecs", "outer_shorter_than_inner", ("idle_timeout.timeout_seconds", 60_000, false), ("--timeout", 120_000)),
    ("apache-mod-proxy", "outer_shorter_than_inner", ("ProxyPass timeout", 20_000, false), ("timeout", 60_000)),
    ("azure-http", "outer_shorter_than_inner", ("(fixed) HTTP front end", 230_000, true), ("functionTimeout", 600_000)),
    ("caddy-php", "outer_shorter_than_inner", ("response_header_timeout", 15_000, false), ("--timeout", 45_000)),
    ("cloud-run", "outer_shorter_than_inner", ("--timeout", 60_000, false), ("--timeout", 600_000)),
    ("cloudformation-sqs", "redelivered_too_soon", ("VisibilityTimeout", 60_000, false), ("Timeout", 300_000)),
    ("cloudfront-api", "outer_shorter_than_inner", ("OriginReadTimeout", 10_000, false), ("Timeout", 20_000)),
    ("haproxy-uwsgi", "outer_shorter_than_inner", ("timeout server", 20_000, false), ("harakiri", 60_000)),
    ("heroku", "outer_shorter_than_inner", ("(fixed) request timeout", 30_000, true), ("--timeout", 120_000)),
    ("kubernetes-grace", "grace_too_short", ("terminationGracePeriodSeconds", 30_000, false), ("--graceful-timeout", 60_000)),
    (
        "kubernetes-ingress",
        "outer_shorter_than_inner",
        ("nginx.ingress.kubernetes.io/proxy-read-timeout", 45_000, false),
        ("--timeout", 90_000),
    ),
    ("nginx-gunicorn", "outer_shorter_than_inner", ("proxy_read_timeout", 30_000, false), ("--timeout", 120_000)),
    ("openfaas-gateway", "outer_shorter_than_inner", ("upstream_timeout", 60_000, false), ("exec_timeout", 300_000)),
    ("openfaas-watchdog", "settings_out_of_order", ("write_timeout", 30_000, false), ("exec_timeout", 60_000)),
    ("openwhisk-web-action", "outer_shorter_than_inner", ("(fixed) blocking wait", 60_000, true), ("timeout", 180_000)),
    ("sam-rest-api", "outer_shorter_than_inner", ("TimeoutInMillis", 29_000, true), ("Timeout", 60_000)),
    ("serverless-http-api", "outer_shorter_than_inner", ("TimeoutInMillis", 30_000, true), ("Timeout", 120_000)),
];

#[test]
fn every_planted_inversion_is_found_and_nothing_else() {
    assert_eq!(projects("planted"), PLANTED.map(|(project, ..)| format!("planted/{project}")));
    for (project, rule, outer, inner) in PLANTED {
        let (code, report) = lint_json(&format!("planted/{project}"));
        let [finding] = report["inversions"].as_array().expect("a list").as_slice() else { panic!("{project}: {report:#}") };
        let known_from = if outer.2 { "default" } else { "configured" };
        assert_eq!((code, finding["rule"].as_str()), (1, Some(rule)), "{project}");
        let told = |limit: &Value| (limit["setting"].clone(), limit["value_ms"].clone(), limit["known_from"].clone());
        assert_eq!(told(&finding["outer"]), (outer.0.into(), outer.1.into(), known_from.into()), "{project}");
        assert_eq!(told(&finding["inner"]), (inner.0.into(), inner.1.into(), "configured".into()), "{project}");
        assert!(finding["inner"]["where"].is_string() && finding["advice"].is_string(), "{project}: {finding:#}");
    }
}

#[test]
fn sound_stacks_are_left_alone() {
    let sound = projects("sound");
    assert!(sound.len() >= 10, "{sound:?}");
    for project in sound {
        let (code, report) = lint_json(&project);
        assert_eq!((code, &report["inversions"]), (0, &Value::Array(Vec::new())), "{project}");
        assert_eq!(report["unreadable"], Value::Array(Vec::new()), "{project}");
    }
}

#[test]
fn people_read_the_chain_and_the_verdict() {
    let finished = lint(&[&format!("{FIXTURES}/planted/sam-rest-api")]);
    assert_eq!(finished.code, 1);
    let expected = "  CheckoutFunction\n    AWS Lambda Timeout                                 60 s  template.yaml:27\n  ✗ API Gateway gives up at 29 s, the function runs until 60 s";
    assert!(finished.stdout.contains(expected), "{}", finished.stdout);
    assert!(finished.stdout.ends_with("3 functions and services in 1 file, 1 inversion\n"), "{}", finished.stdout);
}

#[test]
fn github_annotates_the_line_to_change() {
    let finished = lint(&["--format", "github", &format!("{FIXTURES}/planted/nginx-gunicorn")]);
    let begin = "::error file=deploy/nginx/site.conf,line=17,title=outer_shorter_than_inner::nginx gives up at 30 s, gunicorn does not step in until 120 s";
    assert!(finished.code == 1 && finished.stdout.starts_with(begin) && finished.stdout.lines().count() == 1, "{}", finished.stdout);
}

#[test]
fn sarif_is_valid_against_the_official_schema() {
    for folder in ["planted", "sound"] {
        let finished = lint(&["--format", "sarif", &format!("{FIXTURES}/{folder}")]);
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), &finished.stdout).expect("it can be written to");
        let program = checkout(".venv/bin/sarif-kit");
        assert!(program.exists(), "`{}` is missing: run scripts/test-peers", program.display());
        let checked = run(Command::new(program).arg("validate").arg(file.path()), b"");
        assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
        let results = &serde_json::from_str::<Value>(&finished.stdout).expect("JSON")["runs"][0]["results"];
        assert_eq!(results.as_array().is_some_and(Vec::is_empty), finished.code == 0);
    }
}

#[test]
fn what_cannot_be_read_is_named_and_stops_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).expect("it can be written to");
    write("template.yaml", b"Resources: [\n");
    write("nginx.conf", b"\xff\xfe");
    write("Procfile", b"web: gunicorn app:app --timeout 45\n");
    let finished = lint(&[folder.path().to_str().expect("UTF-8")]);
    assert_eq!(finished.code, 1, "{}", finished.stdout);
    for expected in
        ["template.yaml:", "expected YAML, found", "nginx.conf: expected UTF-8 text, found other bytes", "1 inversion, 2 files not read"]
    {
        assert!(finished.stdout.contains(expected), "{expected}: {}", finished.stdout);
    }
}

#[test]
fn usage_errors_are_told_apart_from_inversions() {
    let missing = lint(&["no/such/folder"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("expected a folder, found nothing at `no/such/folder`"), "{}", missing.stderr);
    assert_eq!(lint(&["--format", "xml"]).code, 2);
}

#[test]
fn imported_limits_say_where_they_are_set() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let stack = folder.path().join("stack.yml");
    let text = "provider:\n  name: openfaas\nfunctions:\n  orders:\n    environment:\n      exec_timeout: 2s\n      write_timeout: 5s\n";
    fs::write(&stack, text).expect("it can be written to");
    let log = fixture("of_watchdog/0.11.6-exec-timeout.log");
    let finished = run(overrun(&["explain", "--json", "--limits"]).arg(&stack).arg("-").current_dir(checkout("")), log.as_bytes());
    assert!(finished.code == 0 && finished.stderr.is_empty(), "{}", finished.stderr);
    let report: Value = serde_json::from_str(&finished.stdout).expect("one JSON object");
    let advice = report["incidents"][0]["diagnosis"]["advice"].as_array().expect("a list").clone();
    assert!(advice.iter().any(|one| one["setting"] == "exec_timeout" && one["where"] == "stack.yml:6"), "{advice:#?}");
}
