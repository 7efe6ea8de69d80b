//! Watchdog events as their different senders send them.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{Daemon, Database, Peer, eventually, fired, report, request_id};

#[tokio::test]
async fn the_classic_wrapper_is_understood_at_both_of_its_addresses() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    for (number, path) in [(131, "/v1/watchdog"), (132, "/2015-03-31/functions/errors/invocations")] {
        let id = request_id(number);
        let event = json!({ "message": "Function timed out", "originalEvent": { "order": "8831", "password": "hunter2" }, "originalRequestId": id });
        let answer = daemon.post(path, "application/json", event.to_string()).await.expect(202);
        assert_eq!(answer.json()["accepted"], 1);
        assert_eq!(daemon.incident(&id, |_| true).await["state"], "suspected");
        daemon.push("lambda_text", &report(&id)).await;
        let incident = daemon.incident(&id, |incident| incident["state"] == "confirmed").await;
        assert_eq!(incident["original_event"]["order"], "8831", "{incident:#}");
        assert!(!daemon.request(&id).await.expect("known").to_string().contains("hunter2"), "secrets are taken out before they are stored");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn cloud_events_are_read_structured_and_binary() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let event = |number: u32| {
        let mut event = fired(&request_id(number));
        event.as_object_mut().expect("an object").remove("function");
        event
    };
    let settings = json!({
        "endpoint": daemon.ingest, "structured": event(133), "binary": event(134), "source": "urn:overrun:stack:shop", "subject": "checkout",
    });
    let mut sender = Peer::python("post_events.py", &settings);
    for number in [133, 134] {
        let answer = sender.next().await;
        assert_eq!((&answer["status"], &answer["body"]), (&202.into(), &r#"{"accepted":1}"#.into()));
        let incident = daemon.incident(&request_id(number), |_| true).await;
        assert_eq!((&incident["stack"], &incident["function"]), (&"shop".into(), &"checkout".into()));
    }
    sender.succeeded().await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_sender_that_is_killed_in_the_middle_of_a_word_is_heard_all_the_same() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let host = daemon.ingest.trim_start_matches("http://");
    let (whole, half) = (fired(&request_id(135)).to_string(), fired(&request_id(136)).to_string());
    let body = format!("{whole}\n{}", &half[..half.len() / 2]);
    let announced = whole.len() + half.len() + 2;
    let mut socket = TcpStream::connect(host).await.expect("a listener");
    let head =
        format!("POST /v1/watchdog HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-ndjson\r\ncontent-length: {announced}\r\n\r\n");
    socket.write_all(format!("{head}{body}").as_bytes()).await.expect("written");
    drop(socket);
    let request = eventually("what arrived before its end", async || daemon.request(&request_id(135)).await).await;
    let evidence: &Vec<Value> = request["evidence"].as_array().expect("a list");
    assert_eq!((evidence.len(), &evidence[0]["claim"]["kind"]), (1, &"watchdog_fired".into()));
    daemon.stop().await;
}

#[tokio::test]
async fn a_node_function_tells_where_it_is_stuck_before_it_is_killed() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let mut function = Peer::node("watched_function.mjs", &json!({ "endpoint": daemon.ingest }));
    function.next().await;
    let (survivor, victim) = (request_id(137), request_id(138));

    function.tell(&json!({ "request_id": survivor, "way": "ends", "limit_ms": 3000 }));
    assert_eq!(function.next().await["ended"], survivor.as_str());
    daemon.incident(&survivor, |incident| incident["state"] == "survived").await;

    function.tell(&json!({ "request_id": victim, "way": "blocks", "limit_ms": 3000 }));
    let stuck = |request: &Value| {
        let evidence = request["evidence"].as_array().expect("a list").clone();
        let innermost = |one: &Value| one["claim"]["stacks"][0]["frames"].as_array()?.last()?["function"].as_str().map(str::to_owned);
        evidence.iter().any(|one| innermost(one).as_deref() == Some("reconcileEveryOrder"))
    };
    eventually("the stack of the blocked main thread", async || daemon.request(&victim).await.filter(stuck)).await;
    daemon.incident(&victim, |incident| incident["state"] == "suspected").await;
    // It is killed when the test drops it; this is what the platform says then.
    drop(function);
    daemon.push("lambda_text", &report(&victim)).await;
    let incident = daemon.incident(&victim, |incident| incident["state"] == "confirmed").await;
    assert_eq!((&incident["outcome"], &incident["function"]), (&"timeout".into(), &"checkout".into()));
    assert!(incident["original_event"]["way"] == "blocks", "{incident:#}");
    daemon.stop().await;
}
