//! Without a database of one's own: the daemon runs a private Postgres, and leaves no process behind.

use std::path::Path;
use std::process::Command;

use crate::support::{DataDir, Launch, Process, client, eventually, overrun, report, request_id, run};

fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

/// Clusters that lie elsewhere, since their user could not reach the data directory.
fn clusters_elsewhere() -> Vec<String> {
    entries(Path::new("/var/lib/overrun"))
}

/// The demo beside whatever else listens here, with its data in `dir`.
fn demo(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = overrun(&[&["demo"], arguments].concat());
    for key in ["OVERRUN__INGEST__HTTP", "OVERRUN__INGEST__GRPC", "OVERRUN__DASHBOARD__HTTP"] {
        command.env(key, "127.0.0.1:0");
    }
    command.env("TMPDIR", dir);
    command
}

#[tokio::test]
async fn data_outlives_a_killed_daemon_and_a_stop_stops_postgres() {
    let dir = DataDir::create();
    let daemon = Launch::in_directory(dir.path()).start().await;
    let postgres = dir.postgres().expect("a private Postgres");
    let said = Launch::in_directory(dir.path()).refused().await;
    assert!(said.contains("postgres.lock") && said.contains("another overrun is running with this data directory"), "{said}");
    let id = request_id(91);
    daemon.push("lambda_text", &report(&id)).await;
    let incident = daemon.incident(&id, |_| true).await;

    daemon.kill();
    assert_eq!(dir.postgres(), Some(postgres), "a killed daemon takes nothing with it");
    let daemon = Launch::in_directory(dir.path()).start().await;
    assert_eq!(dir.postgres(), Some(postgres), "it was taken over, not started anew");
    assert_eq!(daemon.incident(&id, |_| true).await, incident);
    daemon.stop().await;
    eventually("Postgres has ended", async || (!is_running(postgres)).then_some(())).await;

    // It starts again on what is there.
    let daemon = Launch::in_directory(dir.path()).start().await;
    let postgres = dir.postgres().expect("a private Postgres");
    assert_eq!(daemon.incident(&id, |_| true).await, incident);
    daemon.stop().await;
    assert!(!is_running(postgres), "the daemon's end is Postgres's end");
}

#[tokio::test]
async fn commands_about_alerts_run_beside_the_daemon_that_has_the_database() {
    let (dir, rules) = (DataDir::create(), tempfile::NamedTempFile::new().expect("a file"));
    let text = "[[action]]\nname = 'again'\nkind = 'retry'\ntarget = { http = { url = 'https://retry.example.com/' } }\n";
    std::fs::write(rules.path(), text).expect("written");
    let daemon = Launch::in_directory(dir.path()).start().await;
    daemon.push("lambda_text", &report(&request_id(92))).await;
    let problem = daemon.incident(&request_id(92), |_| true).await["problem"].as_str().expect("text").to_owned();
    for (arguments, expected) in [
        (vec!["deliveries", "parked"], ""),
        (vec!["retry", "--dry-run", "--since", "1h", "--problem", &problem], &*request_id(92)),
        (vec!["rules", "replay", "--since", "1h"], "nothing was sent"),
    ] {
        let finished = run(overrun(&arguments).arg("--data-dir").arg(dir.path()).arg("--rules").arg(rules.path()), b"");
        assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(finished.stdout.contains(expected), "{arguments:?}: {}", finished.stdout);
    }
    daemon.stop().await;
}

#[test]
fn the_demo_shows_verdicts_and_leaves_nothing_behind() {
    let (dir, elsewhere) = (tempfile::tempdir().expect("a directory"), clusters_elsewhere());
    let began = std::time::Instant::now();
    let finished = run(&mut demo(dir.path(), &["--once"]), b"");
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{}", finished.stdout);
    for expected in [
        "  - AWS Lambda's function timeout (3 s) fired (seed)\n",
        "  - AWS Lambda's function timeout (3 s) fired; 2.52 s went into POST payments.internal/charge, which has no client timeout",
        "gunicorn's worker timeout",
        "\nOpen   http://127.0.0.1:",
        "\nSend   http://127.0.0.1:",
    ] {
        assert!(finished.stdout.contains(expected), "{expected}\n---\n{}", finished.stdout);
    }
    assert_eq!((entries(dir.path()), clusters_elsewhere()), (Vec::new(), elsewhere));
    assert!(began.elapsed() < std::time::Duration::from_mins(1));
}

#[tokio::test]
async fn the_demo_shows_the_alert_about_what_somebody_sends_to_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut demo = Process::spawn("demo", &mut demo(dir.path(), &[]));
    let send = line_with(&mut demo, "Send   ").await;
    line_with(&mut demo, "Stop   ").await;
    let url = send.split_whitespace().nth(1).expect("an address");
    let request = client().post(format!("{url}/v1/push/lambda_text")).body(report(&request_id(93)));
    assert!(request.send().await.expect("answered").status().is_success());
    let alert = line_with(&mut demo, &request_id(93)).await;
    assert!(alert.starts_with("  - AWS Lambda's function timeout"), "{alert}");
    demo.signal("INT");
    assert!(demo.finished().await.success(), "{}", demo.errors());
    assert_eq!(entries(dir.path()), Vec::<String>::new());
}

/// The next line of standard output with this in it.
async fn line_with(process: &mut Process, part: &str) -> String {
    loop {
        let line = process.line().await.unwrap_or_else(|| panic!("it ended without `{part}`: {}", process.errors()));
        if line.contains(part) {
            return line;
        }
    }
}
