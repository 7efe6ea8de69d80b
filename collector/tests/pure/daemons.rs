//! Apache's mod_wsgi: one process says that an answer broke off, another one why.

use collector::correlate::Knowledge;

use crate::support::{explained, fixture, only, verdicts};

fn told(name: &str) -> Vec<domain::Incident> {
    let path = format!("apache/{name}");
    explained(&path, &fixture(&path), &Knowledge::default()).incidents
}

#[test]
fn a_timer_of_the_daemon_is_why_all_its_requests_were_lost() {
    let lost = told("mod-wsgi-threads.log");
    assert_eq!(verdicts(&lost), ["timeout confirmed certain app_server mod_wsgi request-timeout -"; 4]);
}

#[test]
fn a_daemon_that_a_signal_ended_is_no_timeout() {
    let lost = only(told("mod-wsgi-killed.log"));
    assert_eq!(verdicts(&[lost]), ["crash confirmed likely app_server mod_wsgi - -"]);
}

#[test]
fn a_signal_at_another_time_explains_nothing() {
    let path = "apache/mod-wsgi-killed.log";
    let text = String::from_utf8(fixture(path)).expect("text").replace("19:16:42.760", "19:18:42.760");
    let lost = only(explained(path, text.as_bytes(), &Knowledge::default()).incidents);
    assert_eq!(verdicts(&[lost]), ["timeout confirmed possible app_server mod_wsgi request-timeout -"]);
}

#[test]
fn requests_that_waited_too_long_for_a_thread_are_told_each() {
    assert_eq!(verdicts(&told("mod-wsgi-queue.log")), ["timeout confirmed certain app_server mod_wsgi queue-timeout -"; 2]);
}

#[test]
fn without_a_limit_of_its_own_mod_wsgi_waits_as_long_as_apache() {
    let conf = "Timeout 2\nWSGIDaemonProcess app threads=1\n";
    let knowledge = Knowledge { limits: collector::limits::read("apache2.conf", conf).expect("a configuration"), ..Knowledge::default() };
    let line = "[Fri Nov 27 19:16:30.743018 2026] [wsgi:error] [pid 1316:tid 2130] [client 127.0.0.1:46926] Timeout when reading response headers from daemon process 'app': /srv/app/app.wsgi\n";
    let lost = only(explained("error.log", line.as_bytes(), &knowledge).incidents);
    assert_eq!(verdicts(&[lost]), ["timeout confirmed certain router apache Timeout 2000"]);
}
