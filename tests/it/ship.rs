//! `overrun ship`: in the middle of a pipe it must never be the cause of a problem, and nothing gets lost on the way.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{
    Daemon, Database, Launch, Process, checkout, client, closed_port, eventually, overrun, peak_memory_mib, report, request_id, run, send,
};

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

/// Ctrl-C reaches every program of a pipe; the one in front may still have something to say.
#[tokio::test]
async fn a_signal_does_not_cost_the_last_words_of_the_program_in_front() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    for (number, name) in [(107, "INT"), (108, "TERM")] {
        let mut shipping = Process::spawn("overrun ship", &mut overrun(&["ship", "--to", &daemon.ingest]));
        let id = request_id(number);
        let words = report(&id);
        let (first, last) = words.split_at(words.find("END").expect("the second line"));
        shipping.write(first.as_bytes());
        assert_eq!(shipping.line().await.as_deref(), Some(first.trim_end()));
        shipping.signal(name);
        shipping.write(last.as_bytes());
        let status = shipping.finished().await;
        assert!(status.success(), "{name}: {status}");
        daemon.incident(&id, |_| true).await;
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_steady_trickle_of_lines_delays_none_of_them() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let mut shipping = Process::spawn("overrun ship", &mut overrun(&["ship", "--quiet", "--to", &daemon.ingest]));
    let id = request_id(113);
    shipping.write(report(&id).as_bytes());
    // Another line every time that somebody looks.
    eventually("the first lines", async || {
        shipping.write(b"127.0.0.1 - - [23/Nov/2026:12:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n");
        daemon.request(&id).await
    })
    .await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_has_no_line_end_yet_is_passed_on_and_does_not_fill_the_memory() {
    let port = closed_port();
    let dir = tempfile::tempdir().expect("a directory");
    let passed_on = dir.path().join("passed-on");
    let mut command = overrun(&["ship", "--to", &format!("http://127.0.0.1:{port}")]);
    command.stdin(Stdio::piped()).stdout(File::create(&passed_on).expect("writable")).stderr(Stdio::null());
    let mut shipping = command.spawn().expect("the binary was built");
    let mut stdin = shipping.stdin.take().expect("piped");
    let mut written = 0;
    let mut write = |bytes: &[u8]| {
        stdin.write_all(bytes).expect("it reads");
        written += bytes.len() as u64;
        written
    };
    let arrived = async |bytes: u64| {
        let length = || std::fs::metadata(&passed_on).expect("readable").len();
        eventually("all of it is passed on", async || (length() == bytes).then_some(())).await;
    };
    arrived(write(b"password: ")).await;
    // Lines without an end, and far more of them than there is room for while nobody takes them.
    let endless = vec![b'x'; 1 << 20];
    for _ in 0..300 {
        write(&endless);
    }
    arrived(write(b"\n")).await;
    let memory_mib = peak_memory_mib(shipping.id());
    shipping.kill().and_then(|()| shipping.wait()).expect("a child");
    assert!(memory_mib < 150, "{memory_mib} MiB");
}

#[tokio::test]
async fn a_file_is_followed_through_its_rotations() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.log");
    std::fs::write(&path, report(&request_id(109))).expect("written");
    let file = path.to_str().expect("text");
    let mut shipping = Process::spawn("overrun ship", &mut overrun(&["ship", "--follow", "--to", &daemon.ingest, file]));
    daemon.incident(&request_id(109), |_| true).await;
    // Renamed, as logrotate does, while its writer goes on for a while.
    let mut old = OpenOptions::new().append(true).open(&path).expect("writable");
    std::fs::rename(&path, dir.path().join("app.log.1")).expect("renamed");
    old.write_all(report(&request_id(110)).as_bytes()).expect("written");
    std::fs::write(&path, report(&request_id(111))).expect("written");
    daemon.incident(&request_id(110), |_| true).await;
    daemon.incident(&request_id(111), |_| true).await;
    // Cut to nothing, as logrotate does with `copytruncate`.
    std::fs::write(&path, "").expect("written");
    eventually("it has noticed", async || shipping.errors().contains("was cut").then_some(())).await;
    std::fs::write(&path, report(&request_id(112))).expect("written");
    daemon.incident(&request_id(112), |_| true).await;
    shipping.signal("TERM");
    let status = shipping.finished().await;
    assert!(status.success(), "{status}");
    daemon.stop().await;
}

/// Whatever happens to the file's name while the shipper is away or has to wait, nothing of it is left out.
#[tokio::test]
async fn a_file_that_was_rotated_more_than_once_meanwhile_is_read_through_all_of_its_names() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("app.log");
    let state = dir.path().join("shipped");
    let mut ship = overrun(&["ship", "--to", &daemon.ingest, "--state"]);
    ship.args([&state, &path]);
    std::fs::write(&path, report(&request_id(114))).expect("written");
    assert_eq!(run(&mut ship, b"").code, 0);
    for (number, rotated) in [(115, "app.log.3"), (116, "app.log.2"), (117, "app.log.1")] {
        std::fs::rename(&path, dir.path().join(rotated)).expect("renamed");
        std::fs::write(&path, report(&request_id(number))).expect("written");
    }
    std::fs::write(dir.path().join("app.log.err"), report(&request_id(118))).expect("written");
    let finished = run(&mut ship, b"");
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    for number in 114..=117 {
        daemon.incident(&request_id(number), |_| true).await;
    }
    assert!(daemon.request(&request_id(118)).await.is_none(), "a log of another name");
    daemon.stop().await;
}

/// `gunicorn … 2>&1 | overrun ship`, as the documentation says, with a worker that runs into its timeout.
#[tokio::test]
async fn a_real_gunicorn_is_explained_through_the_pipe() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let port = closed_port();
    let ship = overrun(&["ship", "--to", &daemon.ingest, "--function", "shop", "--instance", "web-1"]);
    let [gunicorn, mut shipping] = Process::pipe(("gunicorn", gunicorn(port)), ("overrun ship", ship));
    let url = format!("http://127.0.0.1:{port}");
    eventually("gunicorn answers", async || send(client().get(&url)).await.ok().filter(|answer| answer.status == 200)).await;
    // Its worker is killed, and the connection with it.
    let slow = send(client().get(format!("{url}/slow"))).await;
    assert!(slow.is_err() || slow.is_ok_and(|answer| answer.status >= 500));
    let incident = eventually("the worker's incident", async || {
        let listed = daemon.api("/incidents").await;
        listed["incidents"].as_array().expect("a list").first().cloned()
    })
    .await;
    let diagnosis = &incident["diagnosis"];
    assert_eq!((&incident["outcome"], &incident["state"], &incident["function"]), (&"timeout".into(), &"confirmed".into(), &"shop".into()));
    assert_eq!((&diagnosis["layer"], &diagnosis["product"]), (&"app_server".into(), &"gunicorn".into()));
    assert_eq!(diagnosis["limit"]["setting"], "--timeout");
    gunicorn.signal("TERM");
    // The end of its input is its end, once everything is delivered.
    let status = shipping.finished().await;
    assert!(status.success(), "{status}");
    daemon.stop().await;
}

fn gunicorn(port: u16) -> Command {
    let program = checkout(".venv/bin/gunicorn");
    assert!(program.exists(), "`{}` is missing: run scripts/test-peers", program.display());
    let mut command = Command::new(program);
    command.args(["--workers", "1", "--timeout", "1", "--bind", &format!("127.0.0.1:{port}"), "slow_app:app"]);
    command.current_dir(checkout("tests/support")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
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
