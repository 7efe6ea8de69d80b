//! A request that is run again: from `overrun retry` to AWS Lambda's own SDK and a stand-in that checks its signatures, and back.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Lambda, Launch, Peer, closed_port, eventually, fired, overrun, report, request_id, run, send};

/// What the daemon is told, and the rules it runs by.
struct Site {
    database: Database,
    rules: tempfile::NamedTempFile,
}

impl Site {
    async fn open(target: &str) -> Self {
        let rules = tempfile::NamedTempFile::new().expect("a file");
        let text = format!(
            "[[action]]\nname = 'again'\nkind = 'retry'\nenabled = true\nguards = {{ platform_retries = 'none', grace = '1s' }}\n\
             target = {target}\n"
        );
        std::fs::write(rules.path(), text).expect("written");
        Self { database: Database::create().await, rules }
    }

    fn launch(&self) -> Launch {
        Launch::on(&self.database).rules(self.rules.path()).with("OVERRUN__ALERTS__POLL_INTERVAL_MS", "100")
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

    /// The same as soon as the first run is surely over.
    async fn retry_once_over(&self, incident: &Value) {
        eventually("the first run is surely over", async || self.retry(incident, &[]).contains("asked for 1").then_some(())).await;
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
    let mut lambda = Lambda::with("checkout-retry").await;
    let site = Site::open(&lambda.target()).await;
    let daemon = lambda.sign_in(site.launch()).start().await;
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
    let site = Site::open(&target).await;
    let daemon = site.launch().start().await;
    let incident = killed(&daemon, &request_id(132)).await;
    site.retry_once_over(&incident).await;
    let called = function.next().await;
    assert_eq!((&called["event"], &called["first"]), (&json!({ "order": 7 }), &true.into()));
    let retry = retried(&daemon, &incident, "succeeded").await;
    assert_eq!(called["key"], format!("\"{}\"", retry["id"].as_str().expect("text")));
    assert!(retry["detail"].as_str().is_some_and(|detail| detail.contains("order 7 shipped")), "{retry}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_function_of_openfaas_runs_again_and_the_gateway_posts_what_became_of_it() {
    for (number, status, state) in [(133, 200, "succeeded"), (134, 503, "failed")] {
        let mut gateway = Peer::python("openfaas_gateway.py", &json!({ "status": status }));
        let port = gateway.next().await["port"].as_u64().expect("a port");
        // Chosen before the daemon starts, since the rules name it.
        let ingest = closed_port();
        let site = Site::open(&format!(
            "{{ openfaas = {{ gateway_url = 'http://127.0.0.1:{port}', function = 'again.openfaas-fn', \
             callback_url = 'http://127.0.0.1:{ingest}', authorization = 'Basic b3ZlcnJ1bjphbnk=', allow_private = true }} }}"
        ))
        .await;
        let daemon = site.launch().with("OVERRUN__INGEST__HTTP", &format!("127.0.0.1:{ingest}")).start().await;
        let id = request_id(number);
        let incident = killed(&daemon, &id).await;
        site.retry_once_over(&incident).await;

        let called = gateway.next().await;
        assert_eq!(called["path"], "/async-function/again.openfaas-fn");
        assert_eq!(called["headers"]["authorization"], "Basic b3ZlcnJ1bjphbnk=");
        assert_eq!((&called["body"]["originalEvent"], &called["body"]["originalRequestId"]), (&json!({ "order": 7 }), &id.as_str().into()));
        let posted = gateway.next().await;
        assert_eq!(posted["callback"], 204, "{posted}");
        let retry = retried(&daemon, &incident, state).await;
        assert_eq!(called["body"]["overrun"]["idempotencyKey"], retry["id"]);
        assert_eq!(retry["detail"], format!("the function answered {status}"));
        let took_ms = posted["duration"].as_str().and_then(|seconds| seconds.parse::<f64>().ok()).expect("seconds") * 1_000.0;
        assert!(retry["took_ms"].as_f64().is_some_and(|ms| (ms - took_ms).abs() < 0.01), "{retry} {took_ms}");

        // Whoever does not know the token, or comes again, changes nothing.
        let callback = called["headers"]["x-callback-url"].as_str().expect("an address");
        let path = callback.strip_prefix(&daemon.ingest).expect("the daemon's");
        let (of_retry, _) = path.rsplit_once('/').expect("a token");
        for path in [path.to_owned(), format!("{of_retry}/guessed")] {
            let answer = send(daemon.ingest(&path).header("x-function-status", "200")).await.expect("an answer");
            assert_eq!(answer.status, 404, "{}", answer.body);
        }
        assert_eq!(retried(&daemon, &incident, state).await, retry);
        daemon.stop().await;
    }
}
