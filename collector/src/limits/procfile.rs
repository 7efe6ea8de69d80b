//! A Procfile: `web: gunicorn app:app --timeout 30`, as Heroku, Fly and foreman read it.

mod programs;

use domain::Limit;

/// The limits that its command lines give.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let Some((_, command)) = line.split_once(':').filter(|_| !line.trim_start().starts_with('#')) else { continue };
        // The options in the environment are read as if they stood before those on the command line.
        let unquoted = command.replace(['"', '\''], " ").replace("GUNICORN_CMD_ARGS=", "GUNICORN_CMD_ARGS= ");
        let words: Vec<&str> = unquoted.split_whitespace().collect();
        for program in programs::PROGRAMS.iter().filter(|program| program.is_run_by(&words)) {
            limits.extend(program.limits(&words, &format!("{name}:{number}")));
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, i64)]) {
        let read: Vec<_> =
            read("Procfile", text).into_iter().map(|limit| (limit.setting, limit.value_ms.expect("configured").as_ms())).collect();
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
        check("g: functions_provider_url=http://p/ upstream_timeout=2s write_timeout=35s gateway", &[("upstream_timeout", 2_000)]);
        check("x: exec_timeout=10s ./mine", &[]);
    }

    #[test]
    fn other_programs_and_switched_off_limits_give_none() {
        check("web: uvicorn app:app --timeout-keep-alive 5", &[]);
        check("web: gunicorn app:app --timeout 0", &[]);
        check("# web: gunicorn app:app --timeout 30", &[]);
    }
}
