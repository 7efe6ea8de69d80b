//! What people and programs see over HTTP.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Daemon, Database, eventually, fired, report, request_id};

const VERDICT: &str = "AWS Lambda&#39;s function timeout (3 s) fired";

#[tokio::test]
async fn pages_show_the_verdict() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let empty = daemon.page("/").await.expect(200);
    assert!(empty.body.contains(&daemon.ingest), "an empty page says where to send");
    let id = request_id(111);
    daemon.watchdog(&fired(&id)).await;
    daemon.push("lambda_text", &report(&id)).await;
    let incident = daemon.incident(&id, |incident| incident["state"] == "confirmed").await;
    let page = format!("/incidents/{}", incident["id"].as_str().expect("text"));
    for (path, expected) in [
        ("/", vec![VERDICT, "payments.internal/charge"]),
        ("/incidents", vec![VERDICT, "checkout"]),
        (&page, vec![VERDICT, "payments.internal/charge", "client timeout", "<svg", "REPORT RequestId", &id]),
    ] {
        let answer = daemon.page(path).await.expect(200);
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        // Numbers and their units are held together.
        let body = answer.body.replace('\u{a0}', " ");
        for expected in expected {
            assert!(body.contains(expected), "{path}: {expected}\n{body}");
        }
    }
    assert_eq!(daemon.page("/incidents/000000000000000000000000").await.status, 404);
    let listed = daemon.api("/incidents?outcome=timeout&layer=platform").await;
    assert_eq!(listed["incidents"][0]["id"], incident["id"]);
    let refused = daemon.page("/api/overrun/v1/incidents?layer=plattform").await.expect(400).json();
    assert!(refused["expected"].as_str().is_some_and(|expected| expected.contains("platform")), "{refused:#}");
    daemon.stop().await;
}

#[tokio::test]
async fn text_from_functions_stays_text() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let id = request_id(112);
    let mut event = fired(&id);
    event["function"] = "<script>alert(1)</script>".into();
    event["in_flight"][0]["target"] = "\"><img src=x onerror=alert(2)>".into();
    daemon.watchdog(&event).await;
    daemon.push("lambda_text", &report(&id)).await;
    let incident = daemon.incident(&id, |incident| incident["state"] == "confirmed").await;
    for path in ["/".to_owned(), "/incidents".to_owned(), format!("/incidents/{}", incident["id"].as_str().expect("text"))] {
        let body = daemon.page(&path).await.expect(200).body;
        assert!(!body.contains("<script>alert") && !body.contains("<img src=x"), "{path}");
        assert!(body.contains("alert(1)"), "{path}: it is shown");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn orchestrators_and_prometheus_are_answered() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    assert_eq!((daemon.page("/healthz").await.status, daemon.page("/readyz").await.status), (200, 200));
    daemon.push("lambda_text", &format!("{}no line of Lambda's\n", report(&request_id(113)))).await;
    daemon.incident(&request_id(113), |_| true).await;
    let metrics = eventually("the fold is counted", async || {
        let metrics = daemon.page("/metrics").await.expect(200);
        metrics.body.contains("process_resident_memory_bytes").then_some(metrics)
    })
    .await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"), "{:?}", metrics.headers);
    assert!(metrics.body.contains("overrun_"), "{}", metrics.body);
    check_exposition(&metrics.body);
    daemon.stop().await;
}

/// By Prometheus's own tool where it is installed; its most important rules in any case.
fn check_exposition(text: &str) {
    let mut typed = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kind != "counter" || name.ends_with("_total"), "a counter ends in _total: {line}");
            assert!(text.contains(&format!("# HELP {name} ")), "{line}");
            typed.push(name);
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let name = series.split('{').next().expect("a name");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            assert!(typed.contains(&name) || base.is_some_and(|base| typed.contains(&base)), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else { return };
    promtool.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("a child");
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
