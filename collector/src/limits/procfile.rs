//! A Procfile: `web: gunicorn app:app --timeout 30`, as Heroku, Fly and foreman read it.

use domain::Limit;

use super::{GUNICORN_SETTINGS, gunicorn_limit};

/// The limits that its command lines give.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let Some((_, command)) = line.split_once(':').filter(|_| !line.trim_start().starts_with('#')) else { continue };
        // The options in the environment are read as if they stood before those on the command line.
        let unquoted = command.replace(['"', '\''], " ").replace("GUNICORN_CMD_ARGS=", "GUNICORN_CMD_ARGS= ");
        let words: Vec<&str> = unquoted.split_whitespace().collect();
        if words.iter().any(|word| matches!(word.rsplit('/').next(), Some("gunicorn" | "GUNICORN_CMD_ARGS="))) {
            limits.extend(gunicorn(&words, &format!("{name}:{number}")));
        }
    }
    limits
}

fn gunicorn(words: &[&str], place: &str) -> Vec<Limit> {
    let of = |(long, _, short): &(&'static str, &str, Option<&str>)| {
        // The last one given wins, as in gunicorn itself.
        let position = words.iter().rposition(|word| named(word, long) || short.is_some_and(|short| named(word, short)))?;
        let word = words[position];
        let attached = short.and_then(|short| word.strip_prefix(short)).filter(|value| !value.is_empty() && !value.starts_with('='));
        let assigned = word.split_once('=').map(|(_, value)| value);
        let value = attached.or(assigned).or(words.get(position + 1).copied())?;
        gunicorn_limit(long, value, place.to_owned())
    };
    GUNICORN_SETTINGS.iter().filter_map(of).collect()
}

/// `--timeout`, `--timeout=30`; of a short option also `-t30`.
fn named(word: &str, option: &str) -> bool {
    let short = !option.starts_with("--");
    word.strip_prefix(option)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || short && rest.bytes().all(|b| b.is_ascii_digit()))
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
    fn other_programs_and_switched_off_limits_give_none() {
        check("web: uvicorn app:app --timeout-keep-alive 5", &[]);
        check("web: gunicorn app:app --timeout 0", &[]);
        check("# web: gunicorn app:app --timeout 30", &[]);
    }
}
