//! A request that is run again: from `overrun retry` to AWS Lambda's own SDK and a stand-in that checks its signatures, and back.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Launch, Peer, eventually, fired, overrun, report, request_id, run};

/// What the daemon is told, and the rules it runs by.
struct Site {
    database: Database,
    rules: tempfile::NamedTempFile,
    aws: Vec<(&'static str, String)>,
}

impl Site {
    async fn open(target: &str, aws: Vec<(&'static str, String)>) -> Self {
        let rules = tempfile::NamedTempFile::new().expect("a file");
        let text = format!(
            "[[action]]\nname = 'again'\nkind = 'retry'\nenabled = true\nguards = {{ platform_retries = 'none', grace = '1s' }}\n\
             target = {target}\n"
        );
        std::fs::write(rules.path(), text).expect("written");
        Self { database: Database::create().await, rules, aws }
    }

    async fn start(&self) -> Daemon {
        let launch = Launch::on(&self.database).rules(self.rules.path()).with("OVERRUN__ALERTS__POLL_INTERVAL_MS", "100");
        self.aws.iter().fold(launch, |launch, (name, value)| launch.with(name, value)).start().await
    }

    /// `overrun retry` for the problem of an incident.
    fn retry(&self, incident: &Value, more: &[&str]) -> String {
        let problem = incident["problem"].as_str().expect("text");
        let mut command: Command = overrun(&["retry", "--since", "1h", "--problem", problem]);
        command.args(more).arg("--rules").arg(self.rules.path()).env("DATABASE_URL", self.database.url());
        let finished = run(&mut command, b"");
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        finished.stdout
    }
}

/// A request that was killed at its limit, whose input is known.
async fn killed(daemon: &Daemon, id: &str) -> Value {
    let mut event = fired(id);
    event["original_event"] = json!({ "order": 7 });
    daemon.watchdog(&event).await;
    daemon.push("lambda_text", &report(id)).await;
    daemon.incident(id, |incident| incident["state"] == "confirmed" && !incident["original_event"].is_null()).await
}

/// The only retry of an incident, once it is as wanted.
async fn retried(daemon: &Daemon, incident: &Value, state: &str) -> Value {
    let path = format!("/incidents/{}", incident["id"].as_str().expect("text"));
    eventually(&format!("a retry that is {state}"), async || {
        let retries = daemon.api(&path).await["retries"].clone();
        retries.as_array().expect("a list").iter().find(|retry| retry["state"] == state).cloned()
    })
    .await
}

#[tokio::test]
async fn a_killed_request_runs_again_in_aws_lambda_and_its_result_is_known() {
    let mut lambda = Peer::python("aws_lambda.py", &json!({ "function": "checkout-retry" }));
    let stand_in = lambda.next().await;
    let said = |key: &str| stand_in[key].as_str().expect("text").to_owned();
    let aws = vec![
        ("AWS_ACCESS_KEY_ID", said("key")),
        ("AWS_SECRET_ACCESS_KEY", said("secret")),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let target = format!("{{ aws_lambda = {{ function = 'checkout-retry', endpoint_url = '{}', allow_private = true }} }}", said("url"));
    let site = Site::open(&target, aws).await;
    let daemon = site.start().await;
    let id = request_id(131);
    let incident = killed(&daemon, &id).await;

    // First what would be done; nothing is.
    let plan = eventually("the first run is surely over", async || {
        let plan = site.retry(&incident, &["--dry-run"]);
        plan.contains("1 to run").then_some(plan)
    })
    .await;
    assert!(
        plan.contains(&id) && plan.contains("would be sent to AWS Lambda checkout-retry") && plan.contains("nothing was done"),
        "{plan}"
    );
    assert!(site.retry(&incident, &[]).contains("asked for 1"));
    let sent = lambda.next().await;
    assert_eq!((&sent["status"], &sent["type"]), (&202.into(), &"Event".into()), "{sent}");
    assert_eq!((&sent["payload"]["originalEvent"], &sent["payload"]["originalRequestId"]), (&json!({ "order": 7 }), &id.as_str().into()));
    let taken = retried(&daemon, &incident, "accepted").await;
    assert_eq!(sent["payload"]["overrun"]["idempotencyKey"], taken["id"]);

    // Its log says how it ended.
    let again = taken["result_request_id"].as_str().expect("AWS says it");
    let line = format!(
        "REPORT RequestId: {again}\tDuration: 3100.00 ms\tBilled Duration: 3100 ms\tMemory Size: 256 MB\tMax Memory Used: 91 MB\t\n"
    );
    daemon.push("lambda_text", &line).await;
    let result = retried(&daemon, &incident, "succeeded").await;
    assert_eq!(result["took_ms"], 3100.0);
    let page = daemon.page(&format!("/incidents/{}", incident["id"].as_str().expect("text"))).await.expect(200);
    assert!(page.body.contains("Retried once, succeeded in"), "{}", page.body);
    assert!(site.retry(&incident, &[]).contains("it was retried before: succeeded"), "never twice");
    daemon.stop().await;
}

#[tokio::test]
async fn a_function_over_http_runs_again_and_answers() {
    let mut function = Peer::python("retry_function.py", &json!({}));
    let port = function.next().await["port"].as_u64().expect("a port");
    let target = format!("{{ http = {{ url = 'http://127.0.0.1:{port}/', allow_private = true }} }}");
    let site = Site::open(&target, Vec::new()).await;
    let daemon = site.start().await;
    let incident = killed(&daemon, &request_id(132)).await;
    eventually("the first run is surely over", async || site.retry(&incident, &[]).contains("asked for 1").then_some(())).await;
    let called = function.next().await;
    assert_eq!((&called["event"], &called["first"]), (&json!({ "order": 7 }), &true.into()));
    let retry = retried(&daemon, &incident, "succeeded").await;
    assert_eq!(called["key"], format!("\"{}\"", retry["id"].as_str().expect("text")));
    assert!(retry["detail"].as_str().is_some_and(|detail| detail.contains("order 7 shipped")), "{retry}");
    daemon.stop().await;
}
