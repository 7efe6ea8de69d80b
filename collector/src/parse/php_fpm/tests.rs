use super::*;
use crate::parse::tests::evidence;

fn claim(text: &str) -> Claim {
    evidence(text, read)
}

#[test]
fn a_child_that_is_ended_names_its_path_and_how_long_it_ran() {
    let claim = claim(
        "[22-Nov-2026 09:00:05] WARNING: [pool shop] child 77, script '/srv/pay.php' (request: \"POST /pay.php?a=b\") execution timed out (5.250000 sec), terminating",
    );
    assert_eq!((claim.kind, claim.pid, claim.elapsed_ms), (Kind::WorkerTimeout, Some(77), Some(Millis::from_ms(5250))));
    assert_eq!((claim.text("method"), claim.text("path"), claim.text("pool")), (Some("POST"), Some("/pay.php?a=b"), Some("shop")));
    assert_eq!(claim.started_at.map(|at| at.to_string()).as_deref(), Some("2026-11-22T08:59:59.75Z"));
    assert_eq!(claim.limit.map(|limit| (limit.setting, limit.value_ms)), Some(("request_terminate_timeout".to_owned(), None)));
}

#[test]
fn one_that_is_only_slow_is_no_timeout() {
    let claim = claim(
        "[22-Nov-2026 09:00:05] WARNING: [pool shop] child 77, script '/srv/pay.php' (request: \"GET /pay.php\") executing too slow (1.121519 sec), logging",
    );
    assert_eq!((claim.kind, claim.outcome, claim.limit), (Kind::Other, None, None));
}

#[test]
fn phps_own_limit_is_told_with_its_value() {
    for text in [
        "[22-Nov-2026 09:00:05] WARNING: [pool shop] child 77 said into stderr: \"NOTICE: PHP message: PHP Fatal error:  Maximum execution time of 30 seconds exceeded in /srv/a.php on line 3\"",
        "[22-Nov-2026 09:00:05 UTC] PHP Fatal error:  Maximum execution time of 30 seconds exceeded in /srv/a.php on line 3",
    ] {
        let claim = claim(text);
        let limit = claim.limit.as_ref().expect("named");
        assert_eq!(
            (limit.setting.as_str(), limit.value_ms, limit.layer),
            ("max_execution_time", Some(Millis::from_ms(30_000)), Layer::Application)
        );
        assert_eq!(claim.text("message"), Some("/srv/a.php on line 3"));
    }
}

#[test]
fn children_come_and_go() {
    assert_eq!(claim("[22-Nov-2026 09:00:05] NOTICE: [pool www] child 78 started").kind, Kind::WorkerBoot);
    let killed = claim(
        "[22-Nov-2026 09:00:05] WARNING: [pool www] child 78 exited on signal 11 (SIGSEGV - core dumped) after 3.004831 seconds from start",
    );
    assert_eq!((killed.kind, killed.text("signal")), (Kind::WorkerKilled, Some("SIGSEGV")));
    assert_eq!(
        claim("[22-Nov-2026 09:00:05] NOTICE: [pool www] child 78 exited with code 0 after 1.5 seconds from start").kind,
        Kind::WorkerExit
    );
}

#[test]
fn the_slow_log_shows_where_the_script_stood() {
    let text = "[22-Nov-2026 09:00:05]  [pool www] pid 77\nscript_filename = /srv/a.php\n[0x00007ff13c016140] sleep() /srv/a.php:2\n[0x00007ff13c0160e0] pay() /srv/a.php:3";
    assert!(text.lines().skip(1).all(|line| continues(text, line)));
    let frames = &claim(text).stacks[0].frames;
    assert_eq!(frames.iter().map(|frame| frame.function.as_str()).collect::<Vec<_>>(), ["pay", "sleep"]);
}

#[test]
fn access_lines_tie_by_what_says_its_meaning() {
    let tied = claim("127.0.0.1 -  22/Nov/2026:09:00:00 +0000 \"GET /a.php\" 500 /srv/a.php 1031.380 77 rid=a-1");
    assert_eq!((tied.request_id, tied.pid), (Some(RequestId::from("a-1")), None));
    assert!(matches!(read("127.0.0.1 -  22/Nov/2026:09:00:00 +0000 \"GET /a.php\" 200"), Some(Fate::Ignored(_))));
}
