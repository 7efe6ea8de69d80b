//! A mail to the person whose request overran, by a real mail server: from the input that a watchdog sends to their mailbox.

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Receivers, eventually, fired, overrun, report, request_id};

/// A request that was killed at its limit, with what its caller sent.
async fn killed(daemon: &Daemon, number: u32, email: &str) {
    let id = request_id(number);
    let mut event = fired(&id);
    event["original_event"] = json!({ "order": number, "body": json!({ "email": email }).to_string() });
    daemon.watchdog(&event).await;
    daemon.push("lambda_text", &report(&id)).await;
}

/// The delivery about a request, once it is at an end.
async fn told(daemon: &Daemon, number: u32) -> Value {
    let incident = daemon.incident(&request_id(number), |incident| incident["state"] == "confirmed").await;
    eventually("the end of its delivery", async || {
        let deliveries = daemon.api("/deliveries").await["deliveries"].clone();
        let of_it = |delivery: &&Value| delivery["incident_id"] == incident["id"] && delivery["state"] != "pending";
        deliveries.as_array().expect("a list").iter().find(of_it).cloned()
    })
    .await
}

#[tokio::test]
async fn the_person_whose_request_overran_is_written_to_and_nobody_else() {
    let (database, receivers) = (Database::create().await, Receivers::plain());
    let mut mailbox = receivers.open_mailbox().await;
    let rules = receivers.personal_rules("Your order {{ event.order }} did not go through. Nothing was charged.");
    let daemon = Launch::on(&database).rules(&rules).start().await;

    // What an attacker would send: two recipients, a header, another domain, a list.
    let hostile = ["eve@evil.example,ada@customers.example", "ada@customers.example\r\nBcc: eve@evil.example", "eve@evil.example", "[]"];
    for (number, email) in (301..).zip(hostile) {
        killed(&daemon, number, email).await;
        assert_eq!(told(&daemon, number).await["state"], "declined", "{email}");
    }
    killed(&daemon, 310, "Ada@customers.example").await;
    let mail = mailbox.next().await;
    assert_eq!((&mail["from"], &mail["to"]), (&"help@shop.example".into(), &json!(["Ada@customers.example"])));
    assert_eq!(mail["text"].as_str().map(str::trim_end), Some("Your order 310 did not go through. Nothing was charged."));
    assert_eq!((&mail["headers"]["subject"], &mail["headers"]["to"]), (&"Your order 310".into(), &"Ada@customers.example".into()));
    assert_eq!((&mail["html"], &mail["defects"]), (&Value::Null, &json!([])));
    let whole = mail.to_string();
    for ours in ["checkout", "overrun", "payments.internal", "list-id", "references", &request_id(310)] {
        assert!(!whole.to_ascii_lowercase().contains(ours), "{ours}: {whole}");
    }
    assert_eq!(told(&daemon, 310).await["state"], "delivered");

    // A silence holds for people as well.
    let silence = ["silence", "add", "function=checkout", "--for", "1h", "--comment", "deploy", "--to", &daemon.dashboard];
    let silence = overrun(&silence).env_remove("USER").output().expect("it runs");
    let me = std::process::Command::new("id").arg("-un").output().expect("it runs").stdout;
    let (said, me) = (String::from_utf8_lossy(&silence.stdout), String::from_utf8_lossy(&me));
    assert!(said.ends_with(&format!("  by {}: deploy\n", me.trim())), "the name of whoever asked: {said}");
    killed(&daemon, 311, "bob@customers.example").await;
    daemon.incident(&request_id(311), |incident| incident["state"] == "confirmed").await;

    // A sample is for whoever tries the rules.
    let sample = overrun(&["rules", "test", "r", "--action", "sorry", "--rules"]).arg(&rules).output().expect("it runs");
    assert!(sample.status.success(), "{}", String::from_utf8_lossy(&sample.stderr));
    let mail = mailbox.next().await;
    assert_eq!((&mail["to"], &mail["headers"]["subject"]), (&json!(["ops@shop.example"]), &"[Test] Your order".into()));
    daemon.stop().await;
    let (deliveries, pool) = ("select count(*) from deliveries", database.pool().await);
    assert_eq!(sqlx::query_scalar::<_, i64>(deliveries).fetch_one(&pool).await.expect("a number"), 5, "the silence held");
}
