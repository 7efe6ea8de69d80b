//! The watchdog for Python inside the programs that it is made for, and the daemon that it talks to.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Daemon, Database, Peer, Process, checkout, client, closed_port, eventually, overrun, request_id, send};

/// gunicorn's newest version with a sync worker, `--timeout 2`, and one line in its configuration.
fn gunicorn(port: u16, daemon: &Daemon) -> Command {
    let program = checkout(".venv/bin/gunicorn");
    assert!(program.exists(), "`{}` is missing: run scripts/test-peers", program.display());
    let mut command = Command::new(program);
    command.args([
        "--workers",
        "1",
        "--timeout",
        "2",
        "--bind",
        &format!("127.0.0.1:{port}"),
        "--config",
        "watched.conf.py",
        "stuck_app:app",
    ]);
    command.current_dir(checkout("tests/support"));
    command.env("PYTHONPATH", checkout("watchdogs/python/src")).env("OVERRUN_ENDPOINT", &daemon.ingest);
    command
}

/// A request gets stuck; gunicorn's own lines come through `overrun ship`, the rest from inside the worker.
async fn stuck(path: &str, id: &str) -> (Value, Value) {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let port = closed_port();
    let ship = overrun(&["ship", "--to", &daemon.ingest, "--format", "gunicorn"]);
    let [mut gunicorn, mut shipping] = Process::pipe(("gunicorn", gunicorn(port, &daemon)), ("overrun ship", ship));
    eventually("a worker", async || send(client().get(format!("http://127.0.0.1:{port}/fast"))).await.ok()).await;
    // It is cut off; what is answered, if anything, depends on gunicorn's version.
    let _ = send(client().get(format!("http://127.0.0.1:{port}{path}")).header("x-request-id", id)).await;
    let arbiters_line = |incident: &Value| incident.to_string().contains("[CRITICAL] WORKER TIMEOUT");
    let incident = daemon.incident(id, |incident| incident["state"] == "confirmed").await;
    let request = eventually("the arbiter's line beside the worker's", async || daemon.request(id).await.filter(arbiters_line)).await;
    let listed = daemon.api("/incidents").await;
    assert_eq!(listed["incidents"].as_array().map(Vec::len), Some(1), "{listed:#}");
    gunicorn.kill();
    shipping.kill();
    daemon.stop().await;
    (incident, request)
}

fn check(incident: &Value, request: &Value, path: &str, function: &str) {
    let diagnosis = &incident["diagnosis"];
    assert_eq!((&diagnosis["layer"], &diagnosis["product"]), (&"app_server".into(), &"gunicorn".into()), "{incident:#}");
    assert_eq!((&diagnosis["limit"]["setting"], &diagnosis["limit"]["value_ms"]), (&"--timeout".into(), &2000.into()));
    let elapsed = incident["elapsed_ms"].as_f64().expect("known");
    assert!((1000.0..5000.0).contains(&elapsed), "{elapsed}");
    let alarm = request["evidence"].as_array().expect("a list").iter().find(|one| one["claim"]["kind"] == "watchdog_fired");
    let alarm = &alarm.expect("the watchdog's word")["claim"];
    assert_eq!((&alarm["attributes"]["method"], &alarm["attributes"]["path"]), (&"GET".into(), &path.into()));
    let frames = alarm["stacks"][0]["frames"].as_array().expect("a stack");
    assert!(frames.iter().any(|frame| frame["function"] == function), "{frames:#?}");
    assert!(incident.to_string().contains(&format!("it was serving `GET {path}` and stood in")), "{incident:#}");
}

#[tokio::test]
async fn a_worker_timeout_is_one_incident_with_the_request_and_the_line_that_is_stuck() {
    let id = request_id(161);
    let (incident, request) = stuck("/sleep", &id).await;
    check(&incident, &request, "/sleep", "wait_for_orders");
}

/// No Python runs any more, and no signal is looked at.
#[tokio::test]
async fn a_request_that_holds_the_interpreter_lock_has_a_last_word() {
    let id = request_id(162);
    let (incident, request) = stuck("/lock", &id).await;
    check(&incident, &request, "/lock", "wait_for_native_lock");
}

#[tokio::test]
async fn a_request_that_ends_just_in_time_has_survived() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let id = request_id(163);
    let settings = json!({ "request_id": id, "limit_ms": 3000, "takes_ms": 2800 });
    let environment = [("PYTHONPATH", checkout("watchdogs/python/src").display().to_string()), ("OVERRUN_ENDPOINT", daemon.ingest.clone())];
    let mut survivor = Peer::python_with("survivor.py", &settings, &environment);
    assert_eq!(survivor.next().await["ended"], true);
    survivor.succeeded().await;
    let incident = daemon.incident(&id, |incident| incident["state"] == "survived").await;
    assert_eq!((&incident["outcome"], &incident["function"]), (&"near_miss".into(), &"checkout".into()));
    daemon.stop().await;
}
