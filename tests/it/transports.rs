//! Logs as the programs and platforms send them that people have already: `logger`, Loki's clients, drains.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Peer, Process, closed_port, eventually, report, request_id, run};

/// The lines of an invocation that timed out.
fn lines(number: u32) -> Vec<String> {
    report(&request_id(number)).lines().map(str::to_owned).collect()
}

/// util-linux's `logger`, as its documentation shows it.
fn logger(port: u16, options: &[&str]) -> Command {
    let mut command = Command::new("logger");
    command.args(["--server", "127.0.0.1", "--port", &port.to_string(), "--tag", "invoices", "--id=300"]).args(options);
    command
}

#[tokio::test]
async fn logger_sends_over_tcp_in_both_framings_and_over_udp() {
    let (database, tcp, udp) = (Database::create().await, closed_port(), closed_port());
    let launch = Launch::on(&database).with("OVERRUN__INGEST__SYSLOG_TCP", &format!("127.0.0.1:{tcp}"));
    let daemon = launch.with("OVERRUN__INGEST__SYSLOG_UDP", &format!("127.0.0.1:{udp}")).start().await;
    let ways: [(u16, &[&str]); 4] = [
        (tcp, &["--tcp", "--octet-count", "--rfc5424"]),
        (tcp, &["--tcp", "--rfc5424=notq"]),
        (tcp, &["--tcp", "--rfc3164"]),
        (udp, &["--udp", "--rfc5424", "--sd-id", "overrun@32473", "--sd-param", "limit_ms=\"3000\""]),
    ];
    for (number, (port, options)) in (0x610..).zip(ways) {
        let sent = run(&mut logger(port, options), report(&request_id(number)).as_bytes());
        assert_eq!((sent.code, sent.stderr.as_str()), (0, ""), "{options:?}");
        let incident = daemon.incident(&request_id(number), |incident| incident["state"] == "confirmed").await;
        assert_eq!(incident["diagnosis"]["product"], "aws_lambda", "{options:?}");
    }
    let sources = daemon.page("/sources").await.expect(200).body;
    assert!(sources.contains("syslog_tcp") && sources.contains("syslog_udp"), "{sources}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_syslog_connection_that_misbehaves_costs_itself_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (database, port) = (Database::create().await, closed_port());
    let launch = Launch::on(&database).with("OVERRUN__INGEST__SYSLOG_TCP", &format!("127.0.0.1:{port}"));
    let launch = launch.with("OVERRUN__RECEIVE__SYSLOG__CONNECTIONS_MAX", "1").with("OVERRUN__RECEIVE__SYSLOG__MESSAGE_BYTES_MAX", "1000");
    let daemon = launch.start().await;
    let connect = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a listener");
    let mut first = connect().await;
    // Far too long, then one that is none, then a good one.
    let good = lines(0x620).concat();
    assert!(good.len() < 900);
    first.write_all(format!("5000 <13>1 {}", "x".repeat(4994)).as_bytes()).await.expect("it reads");
    first.write_all(b"<999>1 - - - - - - x\n").await.expect("it reads");
    for line in lines(0x620) {
        first.write_all(format!("<13>1 2026-11-20T12:00:03Z web-1 invoices 300 - - {line}\n").as_bytes()).await.expect("it reads");
    }
    daemon.incident(&request_id(0x620), |_| true).await;
    eventually("both are counted", async || {
        let metrics = daemon.page("/metrics").await.body;
        metrics.lines().any(|line| line == r#"overrun_receive_items_total{fate="rejected",format="syslog"} 2"#).then_some(())
    })
    .await;
    // One connection is all there is room for.
    let mut second = connect().await;
    assert_eq!(second.read(&mut [0; 1]).await.ok().unwrap_or(0), 0, "closed at once");
    drop(first);
    eventually("there is room again", async || {
        let mut third = connect().await;
        third.write_all(format!("<13>1 - web-1 invoices 300 - - {}\n", lines(0x621)[2]).as_bytes()).await.ok()?;
        third.shutdown().await.ok()?;
        daemon.request(&request_id(0x621)).await
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn lokis_clients_push_json_and_protobuf() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let labels = json!({ "job": "lambda", "function_name": "invoices" });
    let settings = |number| json!({ "endpoint": daemon.ingest, "labels": labels, "metadata": { "trace_id": "58859819458dff51e3cd08eef11dc7ca" }, "lines": lines(number) });
    Peer::python("push_loki.py", &settings(0x630)).succeeded().await;
    let mut node = Peer::node("push_loki.mjs", &settings(0x631));
    assert_eq!(node.next().await["content_type"], "application/x-protobuf", "its snappy is missing, so it fell back to JSON");
    node.succeeded().await;
    for number in [0x630, 0x631] {
        let incident = daemon.incident(&request_id(number), |incident| incident["state"] == "confirmed").await;
        assert_eq!((&incident["function"], &incident["outcome"]), (&"invoices".into(), &"timeout".into()));
    }
    let bad = daemon.post("/loki/api/v1/push", "application/json", "hello").await.expect(400);
    assert!(bad.header("content-type").starts_with("text/plain") && bad.body.contains("expected"), "{bad:?}");
    daemon.stop().await;
}

async fn drain(daemon: &Daemon, settings: Value) -> Value {
    let Value::Object(mut settings) = settings else { panic!("settings are an object") };
    settings.insert("endpoint".to_owned(), daemon.ingest.clone().into());
    let mut sender = Peer::python("send_drain.py", &Value::Object(settings));
    let answer = sender.next().await;
    sender.succeeded().await;
    answer
}

#[tokio::test]
async fn drains_get_the_answers_that_they_want() {
    let database = Database::create().await;
    let launch = Launch::on(&database).with("OVERRUN__RECEIVE__FIREHOSE__ACCESS_KEY", "s3cret");
    let launch = launch.with("OVERRUN__RECEIVE__VERCEL__SECRET", "dr4in").with("OVERRUN__RECEIVE__VERCEL__VERIFY", "8d3c");
    let daemon = launch.start().await;
    let repeated =
        |metrics: &str| metrics.lines().find_map(|line| line.strip_prefix("overrun_pipeline_batches_repeated_total ")?.parse::<u64>().ok());

    let frame = json!({ "platform": "logplex", "frame_id": "09C557EAFCFB6CF2740EE62F62971098", "lines": lines(0x640) });
    for _ in 0..2 {
        let answer = drain(&daemon, frame.clone()).await;
        assert_eq!((&answer["status"], &answer["body"]), (&204.into(), &"".into()));
    }
    daemon.incident(&request_id(0x640), |_| true).await;

    let delivery = |key: &str| json!({ "platform": "firehose", "request_id": "ad91c01f-f182-4c7e-a16c-eff43671e120", "access_key": key, "lines": lines(0x641) });
    let refused = drain(&daemon, delivery("wrong")).await;
    let told: Value = serde_json::from_str(refused["body"].as_str().expect("text")).expect("JSON");
    assert_eq!((&refused["status"], &told["requestId"]), (&401.into(), &"ad91c01f-f182-4c7e-a16c-eff43671e120".into()));
    assert!(told["errorMessage"].is_string() && told["timestamp"].is_i64(), "{told}");
    assert!(daemon.request(&request_id(0x641)).await.is_none());
    for _ in 0..2 {
        let answer = drain(&daemon, delivery("s3cret")).await;
        assert_eq!((&answer["status"], &answer["headers"]["content-type"]), (&200.into(), &"application/json".into()));
    }
    let incident = daemon.incident(&request_id(0x641), |_| true).await;
    assert_eq!((&incident["function"], &incident["stack"]), (&"invoices".into(), &"invoicing".into()));
    assert_eq!(repeated(&daemon.page("/metrics").await.body), Some(2), "one frame and one delivery came twice");

    let words = vec!["Vercel Runtime Timeout Error: Task timed out after 10 seconds".to_owned()];
    let signed = |secret: &str| json!({ "platform": "vercel", "secret": secret, "request_id": request_id(0x642), "lines": words });
    let refused = drain(&daemon, signed("other")).await;
    assert_eq!((&refused["status"], &refused["headers"]["x-vercel-verify"]), (&401.into(), &"8d3c".into()));
    let taken = drain(&daemon, signed("dr4in")).await;
    assert_eq!((&taken["status"], &taken["headers"]["x-vercel-verify"]), (&200.into(), &"8d3c".into()));
    let incident = daemon.incident(&request_id(0x642), |_| true).await;
    assert_eq!((&incident["diagnosis"]["product"], &incident["diagnosis"]["limit"]["value_ms"]), (&"vercel".into(), &10000.into()));

    let taken = drain(&daemon, json!({ "platform": "cloudwatch", "lines": lines(0x643) })).await;
    assert_eq!(taken["status"], 202);
    daemon.incident(&request_id(0x643), |_| true).await;
    let broken = daemon.post("/v1/push/cloudwatch", "application/json", r#"{"awslogs":{"data":"H4sIAGJyb2tlbg=="}}"#).await.expect(400);
    assert!(broken.json()["rejected"][0]["reason"].as_str().is_some_and(|reason| reason.contains("gzip")), "{}", broken.body);
    daemon.stop().await;
}

#[tokio::test]
async fn shippers_bodies_are_read_however_they_are_framed() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let records: Vec<Value> = lines(0x650)
        .iter()
        .map(|line| json!({ "date": 1_795_176_003.25, "log": line, "kubernetes": { "pod_name": "invoices-7d9f" } }))
        .collect();
    let stream: String = records.iter().map(Value::to_string).collect();
    for body in [json!(records).to_string(), stream] {
        let answer = daemon.post("/v1/push/json_lines", "application/json", body).await.expect(202);
        assert_eq!((&answer.json()["accepted"], &answer.json()["rejected"]), (&3.into(), &json!([])));
    }
    daemon.incident(&request_id(0x650), |_| true).await;
    daemon.stop().await;
}

/// A container's log file, followed behind its rotations and through a restart of the shipper: nothing is lost, and nothing is
/// sent again that was acknowledged.
#[tokio::test]
async fn a_shipper_goes_on_where_it_was() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let dir = tempfile::tempdir().expect("a directory");
    let (path, state) = (dir.path().join("0.log"), dir.path().join("ship.state"));
    let logged =
        |number: u32| lines(number).iter().map(|line| format!("2026-11-20T12:00:03.1Z stdout F {line}\n")).collect::<Vec<_>>().concat();
    let ship = || {
        let arguments = ["ship", "--follow", "--format", "cri", "--instance", "invoices-7d9f", "--to", &daemon.ingest, "--state"];
        let mut command = crate::support::overrun(&arguments);
        Process::spawn("overrun ship", command.arg(&state).arg(&path))
    };
    let accepted = async || {
        let metrics = daemon.page("/metrics").await.body;
        let count = |line: &str| line.strip_prefix(r#"overrun_receive_items_total{fate="evidence",format="cri"} "#)?.parse::<u64>().ok();
        metrics.lines().find_map(count).unwrap_or(0)
    };

    std::fs::write(&path, logged(0x660)).expect("writable");
    let mut shipping = ship();
    daemon.incident(&request_id(0x660), |_| true).await;
    eventually("how far it is was written down", async || std::fs::read(&state).ok()).await;
    shipping.signal("TERM");
    assert!(shipping.finished().await.success());
    assert_eq!(accepted().await, 3);

    // While it is away the file goes on, is renamed, and a new one begins.
    let mut whole = std::fs::OpenOptions::new().append(true).open(&path).expect("writable");
    std::io::Write::write_all(&mut whole, logged(0x661).as_bytes()).expect("writable");
    std::fs::rename(&path, dir.path().join("0.log.20261120-120003")).expect("renamed");
    std::fs::write(&path, logged(0x662)).expect("writable");
    let mut shipping = ship();
    for number in [0x661, 0x662] {
        daemon.incident(&request_id(number), |_| true).await;
    }
    eventually("three lines of each request, once", async || (accepted().await == 9).then_some(())).await;
    // Killed, not stopped: what is written down may be behind what was taken, never ahead of it.
    shipping.kill();
    let mut more = std::fs::OpenOptions::new().append(true).open(&path).expect("writable");
    std::io::Write::write_all(&mut more, logged(0x663).as_bytes()).expect("writable");
    let mut shipping = ship();
    daemon.incident(&request_id(0x663), |_| true).await;
    // Cut as `copytruncate` does while it is away, and longer again than it was: the same inode, other words.
    shipping.signal("TERM");
    assert!(shipping.finished().await.success());
    std::fs::write(&path, [logged(0x664), logged(0x665), logged(0x666)].concat()).expect("writable");
    let mut shipping = ship();
    for number in [0x664, 0x665, 0x666] {
        daemon.incident(&request_id(number), |_| true).await;
    }
    shipping.signal("TERM");
    assert!(shipping.finished().await.success());
    daemon.stop().await;
}
