//! An error as people see it in Bugsink, a server that speaks Sentry's protocol.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Peer, fired, report, request_id};

/// A request that waits for a payment, as its stack says, and is killed at its limit.
async fn overran(daemon: &Daemon, id: &str) -> Value {
    let mut event = fired(id);
    event["stacks"] = json!([{
        "name": "MainThread", "serving": true,
        "frames": [
            { "function": "handler", "file": "/var/task/app.py", "line": 41 },
            { "function": "charge", "file": "/var/task/payments.py", "line": 17 },
            { "function": "recv_into", "file": "/var/lang/lib/python3.12/ssl.py", "line": 1103 },
        ],
    }]);
    event["original_event"] = json!({ "order": 7 });
    daemon.watchdog(&event).await;
    daemon.push("lambda_text", &report(id)).await;
    daemon.incident(id, |incident| incident["state"] == "confirmed" && !incident["original_event"].is_null()).await
}

#[tokio::test]
async fn an_error_is_shown_with_its_frames_and_a_problem_is_one_issue() {
    let mut bugsink = Peer::python("bugsink.py", &json!({}));
    let dsn = bugsink.next().await["dsn"].as_str().expect("a DSN").to_owned();
    let rules = tempfile::NamedTempFile::new().expect("a file");
    let text = format!(
        "[[rule]]\nname = 'errors'\nactions = ['bugs']\n\
         [[action]]\nname = 'bugs'\nkind = 'sentry'\ndsn = '{dsn}'\nenvironment = 'prod'\nallow_private = true\n"
    );
    std::fs::write(rules.path(), text).expect("written");
    let database = Database::create().await;
    let daemon = Launch::on(&database).rules(rules.path()).start().await;

    for number in [151, 152] {
        let id = request_id(number);
        let incident = overran(&daemon, &id).await;
        let seen = bugsink.next().await;
        assert_eq!((&seen["status"], &seen["issues"]), (&200.into(), &1.into()), "one problem is one issue: {seen:#}");
        let event = &seen["event"]["data"];
        let exception = &event["exception"]["values"][0];
        assert_eq!(exception["type"], "FunctionTimeout");
        assert_eq!(exception["value"], format!("checkout: {}", incident["summary"].as_str().expect("a verdict")));
        assert_eq!((&event["environment"], &event["tags"]["request_id"]), (&"prod".into(), &id.as_str().into()), "{event:#}");
        assert_eq!(event["fingerprint"], json!(["overrun", incident["problem"]]));
        let (stacktrace, page) = (seen["stacktrace"].as_str().expect("text"), seen["page"].as_str().expect("text"));
        for (function, file) in [("handler", "app.py"), ("charge", "payments.py"), ("recv_into", "ssl.py")] {
            assert!(stacktrace.contains(function) && stacktrace.contains(file), "{function} in {file}\n{stacktrace}");
            assert!(page.contains(function) && page.contains(file), "{function} in {file}\n{page}");
        }
        assert!(page.contains("FunctionTimeout") && page.contains("function timeout (3 s) fired"), "{page}");
    }
    daemon.stop().await;
}
