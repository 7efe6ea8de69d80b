//! Every error of a stack, in order, to sinks of every kind; what they get is read by the libraries of its specifications.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Lambda, Launch, Peer, closed_port, fired, report, request_id};

const SECRET: &str = "whsec_b3ZlcnJ1bi1zdG9yeS1zZWNyZXQtMzItYnl0ZXMhIQ==";

/// A request that is killed at its limit, whose input is known.
async fn overran(daemon: &Daemon, id: &str) {
    let mut event = fired(id);
    event["original_event"] = json!({ "order": 7 });
    daemon.watchdog(&event).await;
    daemon.push("lambda_text", &report(id)).await;
    daemon.incident(id, |incident| incident["state"] == "confirmed" && !incident["original_event"].is_null()).await;
}

/// That an event is the error so many of the stack, and about this request.
fn check(sink: &str, event: &Value, sequence: u32, id: &str) {
    assert_eq!(
        (&event["specversion"], &event["type"], &event["source"]),
        (&"1.0".into(), &"dev.overrun.error.v1".into(), &"urn:overrun:stack:default".into()),
        "{sink}: {event:#}"
    );
    assert_eq!(event["sequence"], format!("{sequence:019}"), "{sink}");
    let data = &event["data"];
    assert_eq!((&data["message"], &data["originalRequestId"]), (&"Function timed out".into(), &id.into()), "{sink}");
    assert_eq!(data["originalEvent"], json!({ "order": 7 }), "{sink}");
    assert_eq!(data["overrun"]["diagnosis"]["cause"]["operation"], "POST payments.internal/charge", "{sink}");
}

#[tokio::test]
async fn every_error_reaches_sinks_in_python_and_node_lambda_and_openfaas_in_order() {
    let ports = [closed_port(), closed_port()];
    let mut python = Peer::python("webhook_receiver.py", &json!({ "port": ports[0], "secret": SECRET }));
    let mut node = Peer::node("webhook_receiver.mjs", &json!({ "port": ports[1], "secret": SECRET }));
    let mut lambda = Lambda::with("errors").await;
    let mut gateway = Peer::python("openfaas_gateway.py", &json!({}));
    for receiver in [&mut python, &mut node] {
        assert_eq!(receiver.next().await, json!({ "listening": true }));
    }
    let gateway_port = gateway.next().await["port"].as_u64().expect("a port");
    let http = |port| format!("{{ http = {{ url = 'http://127.0.0.1:{port}/errors', secret = '{SECRET}', allow_private = true }} }}");
    let sinks = [
        ("python", http(ports[0])),
        ("node", http(ports[1])),
        ("lambda", lambda.target()),
        (
            "faas",
            format!("{{ openfaas = {{ gateway_url = 'http://127.0.0.1:{gateway_port}', function = 'errors', allow_private = true }} }}"),
        ),
    ];
    let actions = sinks.iter().map(|(name, target)| format!("[[action]]\nname = '{name}'\nkind = 'errors_node'\ntarget = {target}\n"));
    let actions: String = actions.collect();
    let rules = format!("[[rule]]\nname = 'every error'\nactions = ['python', 'node', 'lambda', 'faas']\n{actions}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), rules).expect("written");
    let database = Database::create().await;
    let daemon = lambda.sign_in(Launch::on(&database).rules(file.path())).start().await;

    let ids = [request_id(141), request_id(142)];
    for id in &ids {
        overran(&daemon, id).await;
    }
    let listed = daemon.api("/errors?stack=default&after=0").await["errors"].clone();
    for (sequence, (id, listed)) in (1..).zip(ids.iter().zip(listed.as_array().expect("a list"))) {
        check("the list", listed, sequence, id);
        for (sink, said) in [("python", python.next().await), ("node", node.next().await)] {
            assert_eq!((&said["refused"], &said["path"]), (&Value::Null, &"/errors".into()), "{sink}: {said:#}");
            assert_eq!(said["headers"]["content-type"], "application/cloudevents+json; charset=utf-8", "{sink}");
            check(sink, &said["event"], sequence, id);
            assert_eq!(said["event"]["data"], listed["data"], "{sink} gets what subscribers get");
        }
        let invoked = lambda.next().await;
        assert_eq!((&invoked["status"], &invoked["type"]), (&202.into(), &"Event".into()), "{invoked:#}");
        check("lambda", &invoked["payload"], sequence, id);
        let called = gateway.next().await;
        assert_eq!(called["path"], "/async-function/errors");
        assert_eq!(called["headers"].get("x-callback-url"), None, "nothing is asked back of a sink");
        check("openfaas", &called["event"], sequence, id);
    }
    daemon.stop().await;
}
