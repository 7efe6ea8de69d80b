//! From an event to the people and programs who are told of it: a real HTTP server and a real mail server.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Receivers, fired, report, request_id};

const VERDICT: &str = "AWS Lambda's function timeout (3 s) fired";

/// A request whose watchdog fires and which is then killed at its limit; returns the incident.
async fn overrun(daemon: &Daemon, id: &str) -> Value {
    daemon.watchdog(&fired(id)).await;
    let suspected = daemon.incident(id, |_| true).await;
    assert_eq!(suspected["state"], "suspected", "the watchdog alone is not believed");
    daemon.push("lambda_text", &report(id)).await;
    let incident = daemon.incident(id, |incident| incident["state"] == "confirmed").await;
    assert!(incident["summary"].as_str().is_some_and(|summary| summary.starts_with(VERDICT)), "{incident:#}");
    incident
}

fn check_webhook(said: &Value, incident: &Value) {
    assert_eq!(said["refused"], Value::Null, "the libraries of both specifications accept it");
    let (headers, event) = (&said["headers"], &said["event"]);
    assert_eq!((&said["path"], &headers["content-type"]), (&"/hook".into(), &"application/cloudevents+json; charset=utf-8".into()));
    assert_eq!(headers["webhook-id"], event["id"], "one identity for both");
    assert_eq!((&event["specversion"], &event["type"]), (&"1.0".into(), &"dev.overrun.incident.v1".into()));
    assert_eq!((&event["source"], &event["subject"]), (&"urn:overrun:stack:default".into(), &"checkout".into()));
    let data = &event["data"];
    assert_eq!((&data["id"], &data["summary"], &data["state"]), (&incident["id"], &incident["summary"], &"confirmed".into()));
    assert_eq!(data["diagnosis"]["cause"]["operation"], "POST payments.internal/charge");
    assert_eq!(data["rule"], "everything that overran");
    assert!(
        data["link"].as_str().is_some_and(|link| link.ends_with(&format!("/incidents/{}", incident["id"].as_str().expect("text")))),
        "{data:#}"
    );
}

fn check_mail(mail: &Value, incident: &Value) {
    assert_eq!((&mail["from"], &mail["to"]), (&"overrun@example.com".into(), &json!(["oncall@example.com"])));
    assert_eq!(mail["parts"], json!(["text/plain", "multipart/related"]), "what shows HTML takes the last");
    assert_eq!(mail["defects"], json!([]));
    let (headers, text) = (&mail["headers"], mail["text"].as_str().expect("text"));
    let verdict = format!("checkout: {}", incident["summary"].as_str().expect("a verdict"));
    assert_eq!(text.lines().next(), Some(verdict.as_str()), "the first line is the verdict");
    assert!(headers["subject"].as_str().is_some_and(|subject| subject.starts_with(&format!("checkout: {VERDICT}"))), "{headers:#}");
    let id = incident["id"].as_str().expect("text");
    let html = mail["html"].as_str().expect("text");
    for expected in ["POST payments.internal/charge", incident["request_id"].as_str().expect("text"), &format!("/incidents/{id}")] {
        assert!(text.contains(expected) && html.contains(expected), "{expected}\n---\n{text}\n---\n{html}");
    }
    let picture = &mail["pictures"][0];
    assert_eq!((&picture["type"], mail["pictures"].as_array().map(Vec::len)), (&"image/png".into(), Some(1)));
    let id = picture["id"].as_str().expect("text").trim_matches(['<', '>']);
    let cited = format!("<img src=\"cid:{id}\" width=\"360\"");
    assert!(html.contains(&cited) && html.contains("alt=\"Timeline of the request: +0 s "), "{html}");
    assert!(text.lines().any(|line| line.starts_with("- +0 s ")), "the same in words\n{text}");
    let loads = ["src=", "<script", "url(", "<link"].map(|word| html.matches(word).count());
    assert_eq!(loads, [1, 0, 0, 0], "nothing is loaded from elsewhere");
    assert_eq!((&headers["auto-submitted"], &headers["to"]), (&"auto-generated".into(), &"On call <oncall@example.com>".into()));
    assert_eq!(headers["list-id"], "default <default.overrun.example.com>");
    assert!(headers["message-id"].as_str().is_some_and(|id| id.ends_with("@example.com>")), "{headers:#}");
    assert!(headers["date"].is_string(), "{headers:#}");
}

#[tokio::test]
async fn a_killed_request_reaches_a_webhook_and_a_mailbox() {
    let (database, receivers) = (Database::create().await, Receivers::with_tls());
    let (mut webhook, mut mailbox) = (receivers.open_webhook(&json!([])).await, receivers.open_mailbox().await);
    let daemon = Launch::on(&database).rules(&receivers.rules()).start().await;
    let incident = overrun(&daemon, &request_id(31)).await;
    check_webhook(&webhook.next().await, &incident);
    let mail = mailbox.next().await;
    assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &"overrun".into()), "over TLS, and after a login");
    check_mail(&mail, &incident);
    // What comes late adds to the incident and tells nobody again; the next request is the next to be told.
    daemon.push("lambda_text", &format!("2026-11-23T00:00:00.000Z {} Task timed out after 3.00 seconds\n", request_id(31))).await;
    let other = overrun(&daemon, &request_id(32)).await;
    check_webhook(&webhook.next().await, &other);
    check_mail(&mailbox.next().await, &other);
    daemon.stop().await;
}

#[tokio::test]
async fn the_libraries_of_node_js_accept_a_webhook_too() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let mut webhook = receivers.open_webhook_in_node().await;
    let _mailbox = receivers.open_mailbox().await;
    let daemon = Launch::on(&database).rules(&receivers.rules()).start().await;
    let incident = overrun(&daemon, &request_id(30)).await;
    check_webhook(&webhook.next().await, &incident);
    daemon.stop().await;
}

#[tokio::test]
async fn a_mail_server_without_tls_is_spoken_to_where_the_rules_say_so() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let mut mailbox = receivers.open_mailbox().await;
    let daemon = Launch::on(&database).rules(&receivers.rules()).start().await;
    let incident = overrun(&daemon, &request_id(33)).await;
    let mail = mailbox.next().await;
    assert_eq!(mail["tls"], false);
    check_mail(&mail, &incident);
    daemon.stop().await;
}

#[tokio::test]
async fn two_daemons_tell_once() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let (mut webhook, mut mailbox) = (receivers.open_webhook(&json!([])).await, receivers.open_mailbox().await);
    let daemons =
        [Launch::on(&database).rules(&receivers.rules()).start().await, Launch::on(&database).rules(&receivers.rules()).start().await];
    for (number, id) in [request_id(34), request_id(35), request_id(36)].iter().enumerate() {
        let incident = overrun(&daemons[number % 2], id).await;
        check_webhook(&webhook.next().await, &incident);
        check_mail(&mailbox.next().await, &incident);
    }
}

#[tokio::test]
async fn new_rules_are_taken_while_it_runs_and_bad_ones_are_not() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let (mut webhook, _mailbox) = (receivers.open_webhook(&json!([])).await, receivers.open_mailbox().await);
    let rules = receivers.rules();
    let good = std::fs::read_to_string(&rules).expect("just written");
    std::fs::write(&rules, "").expect("written");
    let daemon = Launch::on(&database).rules(&rules).start().await;
    overrun(&daemon, &request_id(37)).await;
    std::fs::write(&rules, good.replace("everything that overran", "everything since")).expect("written");
    daemon.reload("the rules were read again").await;
    let incident = overrun(&daemon, &request_id(38)).await;
    let said = webhook.next().await;
    assert_eq!((&said["event"]["data"]["id"], &said["event"]["data"]["rule"]), (&incident["id"], &"everything since".into()));
    std::fs::write(&rules, good.replace("'inbox', 'oncall'", "'inbx'")).expect("written");
    daemon.reload("the rules file is bad; the rules in force stay").await;
    let incident = overrun(&daemon, &request_id(39)).await;
    assert_eq!(webhook.next().await["event"]["data"]["id"], incident["id"]);
    daemon.stop().await;
}
