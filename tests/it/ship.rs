//! `overrun ship`: in the middle of a pipe it must never be the cause of a problem, and nothing gets lost on the way.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Daemon, Database, Launch, Process, closed_port, eventually, overrun, report, request_id, run};

#[tokio::test]
async fn what_comes_through_the_pipe_goes_on_unchanged_and_arrives() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let dir = tempfile::tempdir().expect("a directory");
    let passed_on = dir.path().join("passed-on");
    let id = request_id(101);
    // A line that is no text, and one without an end.
    let input = [b"\xff\xfe no text\r\n\n".as_slice(), report(&id).as_bytes(), b"the last word"].concat();
    let source = dir.path().join("input");
    std::fs::write(&source, &input).expect("written");
    let mut shipping = overrun(&["ship", "--to", &daemon.ingest, "--function", "checkout", "--instance", "web-1"])
        .stdin(File::open(&source).expect("readable"))
        .stdout(File::create(&passed_on).expect("writable"))
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the binary was built");
    let status = eventually("the end of `overrun ship`", async || shipping.try_wait().expect("a child")).await;
    assert!(status.success(), "{status}");
    assert_eq!(std::fs::read(&passed_on).expect("readable"), input, "to the byte");
    let incident = daemon.incident(&id, |_| true).await;
    assert_eq!((&incident["function"], &incident["instance"]), (&"checkout".into(), &"web-1".into()));
    let quiet = run(&mut overrun(&["ship", "--to", &daemon.ingest, "--quiet"]), report(&request_id(102)).as_bytes());
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (0, "", ""));
    assert!(daemon.request(&request_id(102)).await.is_some(), "it ends when all is acknowledged");
    daemon.stop().await;
}

#[tokio::test]
async fn a_collector_that_is_away_at_first_gets_everything_once_it_is_back() {
    let database = Database::create().await;
    let port = closed_port();
    let address = format!("127.0.0.1:{port}");
    let mut shipping = Process::spawn("overrun ship", &mut overrun(&["ship", "--to", &format!("http://{address}")]));
    let ids: Vec<String> = (0..5).map(|n| request_id(1030 + n)).collect();
    for id in &ids {
        shipping.write(report(id).as_bytes());
        for line in report(id).lines() {
            assert_eq!(shipping.line().await.as_deref(), Some(line), "passed on at once, whatever becomes of the collector");
        }
    }
    eventually("it says that nobody listens", async || shipping.errors().contains("cannot be reached, trying again").then_some(())).await;
    let daemon = Launch::on(&database).with("OVERRUN__INGEST__HTTP", &address).start().await;
    let status = shipping.finished().await;
    assert!(status.success(), "{status}");
    for id in &ids {
        daemon.incident(id, |_| true).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_file_is_followed_as_it_grows() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.log");
    std::fs::write(&path, report(&request_id(104))).expect("written");
    let file = path.to_str().expect("text");
    let _shipping = Process::spawn("overrun ship", &mut overrun(&["ship", "--follow", "--to", &daemon.ingest, file]));
    daemon.incident(&request_id(104), |_| true).await;
    let mut log = OpenOptions::new().append(true).open(&path).expect("writable");
    let more = report(&request_id(105));
    let (first, second) = more.split_at(more.len() / 2);
    // Half a line is not a line.
    log.write_all(first.as_bytes()).expect("written");
    eventually("the whole lines before it", async || daemon.request(&request_id(105)).await).await;
    log.write_all(second.as_bytes()).expect("written");
    daemon.incident(&request_id(105), |_| true).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_no_collector_will_ever_take_is_said_and_does_not_stop_the_pipe() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = format!("http://{}", listener.local_addr().expect("an address"));
    // A server that is none of ours.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut buffer = [0; 4096];
            let _ = std::io::Read::read(&mut stream, &mut buffer);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\nconnection: close\r\n\r\nnot here\n");
        }
    });
    let finished = run(&mut overrun(&["ship", "--to", &to]), b"one\ntwo\n");
    assert_eq!((finished.code, finished.stdout.as_str()), (2, "one\ntwo\n"));
    assert!(finished.stderr.contains("404") && finished.stderr.contains("not here"), "{}", finished.stderr);
}

/// Shipped twice, by a restart of the sender for instance, it is still one incident.
#[tokio::test]
async fn a_file_that_is_shipped_twice_tells_the_same_once() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.log");
    std::fs::write(&path, report(&request_id(106))).expect("written");
    for _ in 0..2 {
        let finished = run(&mut overrun(&["ship", "--to", &daemon.ingest, path.to_str().expect("text")]), b"");
        assert_eq!((finished.code, finished.stdout.as_str()), (0, ""), "{}", finished.stderr);
    }
    daemon.incident(&request_id(106), |_| true).await;
    let listed: Value = daemon.api("/incidents").await;
    assert_eq!(listed["incidents"].as_array().map(Vec::len), Some(1));
    daemon.stop().await;
}
