//! What transports put in front of every line takes no verdict away and gives none.

use collector::correlate::Knowledge;
use collector::parse::Format;

use crate::support::{explained, fixture_path, verdicts};

/// As Docker Compose, `kubectl logs --prefix`, syslog's files and `journalctl` write them.
const PREFIXES: [&str; 4] = ["web-1  | ", "[pod/shop-7d9f/web] ", "Nov 27 15:30:00 web-1 shop[77]: ", "Nov  7 15:30:00 web-1 shop[77]: "];

/// Programs whose logs are lines of text or JSON that a process writes to its own output.
const PROGRAMS: [&str; 13] = [
    "caddy",
    "celery",
    "gunicorn",
    "haproxy",
    "hypercorn",
    "nginx",
    "of_watchdog",
    "php_fpm",
    "puma",
    "rack_timeout",
    "unicorn",
    "uvicorn",
    "uwsgi",
];

#[test]
fn a_prefix_on_every_line_changes_no_verdict() {
    let mut differing = Vec::new();
    for program in PROGRAMS {
        assert!(Format::ALL.iter().any(|format| format.name() == program), "{program}");
        let folder = std::fs::read_dir(fixture_path(program)).expect("a folder of fixtures");
        for path in folder.map(|entry| entry.expect("listed").path()).filter(|path| path.extension().is_some_and(|end| end == "log")) {
            let text = std::fs::read_to_string(&path).expect("text");
            let told = |text: &str| verdicts(&explained("app.log", text.as_bytes(), &Knowledge::default()).incidents);
            let bare = told(&text);
            for prefix in PREFIXES {
                let prefixed: String = text.lines().flat_map(|line| [prefix, line, "\n"]).collect();
                let found = told(&prefixed);
                if found != bare {
                    differing.push(format!("{} after {prefix:?}: {found:?} instead of {bare:?}", path.display()));
                }
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
