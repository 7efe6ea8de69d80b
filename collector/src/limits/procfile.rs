//! A Procfile: `web: gunicorn app:app --timeout 30`, as Heroku, Fly and foreman read it.

use super::command::Command;
use super::part::{Address, Part, Role, folder};
use crate::documented;

/// Its processes. Behind Heroku's router is the one called `web`.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let Some((process, line)) = line.split_once(':').filter(|_| !line.trim_start().starts_with('#')) else { continue };
        let process = process.trim();
        let place = format!("{name}:{number}");
        let id = Address::Resource { file: name.to_owned(), id: process.to_owned() };
        let mut part = Part::new(Role::Server, process, place.clone());
        let mut command = Command::default();
        command.add_line(line, &place);
        command.tell(&mut part, name);
        part.known_as.push(id.clone());
        if process == "web" {
            part.known_as.push(Address::Folder { kind: "Procfile", folder: folder(name) });
            // `Procfile.dev` and its like are for other hands.
            if name.rsplit('/').next() == Some("Procfile") {
                parts.push(heroku(place, id));
            }
        }
        parts.push(part);
    }
    parts
}

fn heroku(place: String, web: Address) -> Part {
    let mut part = Part::new(Role::Heroku, "Heroku", place);
    for setting in ["(fixed) request timeout", "(fixed) exit timeout"] {
        part.else_default(documented::limit("heroku", setting));
    }
    part.behind.push(web);
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, i64)]) {
        let read: Vec<_> = read("Procfile", text)
            .into_iter()
            .flat_map(|part| part.limits)
            .map(|limit| (limit.setting, limit.value_ms.expect("configured").as_ms()))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(setting, ms)| ((*setting).to_owned(), *ms)).collect();
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn gunicorns_options_are_read_in_every_spelling() {
        check("web: gunicorn app:app --timeout 30 -w 2", &[("--timeout", 30_000)]);
        check("web: gunicorn app:app -t 5 --graceful-timeout=2", &[("--timeout", 5_000), ("--graceful-timeout", 2_000)]);
        check("web: /venv/bin/gunicorn --timeout=10 app:app --timeout 20", &[("--timeout", 20_000)]);
        check("web: gunicorn -t45 'app:make()'", &[("--timeout", 45_000)]);
    }

    #[test]
    fn the_environment_counts_and_the_command_line_outranks_it() {
        check(
            "web: GUNICORN_CMD_ARGS=\"--timeout 5 --graceful-timeout=3\" ./start.sh",
            &[("--timeout", 5_000), ("--graceful-timeout", 3_000)],
        );
        check("web: GUNICORN_CMD_ARGS=--timeout=5 gunicorn app:app --timeout 9", &[("--timeout", 9_000)]);
    }

    #[test]
    fn a_format_of_access_lines_is_no_option() {
        check("web: gunicorn app:app --access-logformat '%(t)s \"%(r)s\" -t %(L)s' --timeout 7", &[("--timeout", 7_000)]);
    }

    #[test]
    fn each_programs_own_options_are_read() {
        check("w: uwsgi --http :80 --harakiri 20 -p 2", &[("harakiri", 20_000)]);
        check("w: UWSGI_HARAKIRI=5 uwsgi --ini a.ini", &[("harakiri", 5_000)]);
        check(
            "w: celery -A shop worker --time-limit=300 --soft-time-limit 2.5",
            &[("--soft-time-limit", 2_500), ("--time-limit", 300_000)],
        );
        check("w: uvicorn app:app --timeout-graceful-shutdown 7", &[("--timeout-graceful-shutdown", 7_000)]);
        check("w: python -m hypercorn app:app --graceful-timeout 4", &[("--graceful-timeout", 4_000)]);
        check("w: RACK_TIMEOUT_SERVICE_TIMEOUT=15 bundle exec puma -t 2:2", &[("service_timeout", 15_000)]);
    }

    #[test]
    fn watchdogs_and_gateway_are_told_by_their_variables() {
        check(
            "f: mode=http fprocess=python3 /srv/app.py exec_timeout=1m30s write_timeout=95s fwatchdog",
            &[("exec_timeout", 90_000), ("write_timeout", 95_000)],
        );
        check("f: fprocess=cat exec_timeout=10s fwatchdog", &[("exec_timeout", 10_000), ("exec_timeout", 10_000)]);
        check(
            "g: functions_provider_url=http://p/ upstream_timeout=2s write_timeout=35s gateway",
            &[("upstream_timeout", 2_000), ("write_timeout", 35_000)],
        );
        check("x: exec_timeout=10s ./mine", &[]);
    }

    #[test]
    fn other_programs_and_switched_off_limits_give_none() {
        check("web: uvicorn app:app --timeout-keep-alive 5", &[]);
        check("web: gunicorn app:app --timeout 0", &[]);
        check("# web: gunicorn app:app --timeout 30", &[]);
        check("web: gunicorn app:app --timeout $TIMEOUT", &[]);
    }

    #[test]
    fn only_the_process_called_web_is_behind_the_router() {
        let parts = read("Procfile", "web: gunicorn app:app\nworker: celery -A shop worker\n");
        let roles: Vec<_> = parts.iter().map(|part| (part.name.as_str(), part.role, part.behind.len())).collect();
        assert_eq!(roles, [("Heroku", Role::Heroku, 1), ("web", Role::Server, 0), ("worker", Role::Server, 0)]);
        assert_eq!(parts[1].defaults.len(), 2);
    }
}
