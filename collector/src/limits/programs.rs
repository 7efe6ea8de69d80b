//! The programs whose limits stand in command lines and environments: one row each.
//!
//! Names and units are from the programs' own help and documentation, read in November 2026.

use domain::{Layer, Millis};

use super::command::duration;

/// One program.
pub struct Program {
    /// As the table names it.
    pub product: &'static str,
    /// Its layer.
    pub layer: Layer,
    /// Words of which one is in its command line, or begins one.
    told_by: fn(&[&str]) -> bool,
    settings: &'static [Setting],
}

/// One limit.
struct Setting {
    /// As its users write it.
    name: &'static str,
    /// Options of the command line.
    options: &'static [&'static str],
    /// Variables of the environment; an option outranks them.
    variables: &'static [&'static str],
}

const fn setting(name: &'static str, options: &'static [&'static str], variables: &'static [&'static str]) -> Setting {
    Setting { name, options, variables }
}

/// Every program that is known.
pub const PROGRAMS: &[Program] = &[
    Program {
        product: "gunicorn",
        layer: Layer::AppServer,
        told_by: |words| runs(words, "gunicorn") || words.contains(&"GUNICORN_CMD_ARGS="),
        settings: &[setting("--timeout", &["--timeout", "-t"], &[]), setting("--graceful-timeout", &["--graceful-timeout"], &[])],
    },
    Program {
        product: "uwsgi",
        layer: Layer::AppServer,
        told_by: |words| runs(words, "uwsgi"),
        settings: &[setting("harakiri", &["--harakiri", "-t"], &["UWSGI_HARAKIRI"])],
    },
    Program {
        product: "celery",
        layer: Layer::AppServer,
        told_by: |words| runs(words, "celery") && words.contains(&"worker"),
        settings: &[setting("--soft-time-limit", &["--soft-time-limit"], &[]), setting("--time-limit", &["--time-limit"], &[])],
    },
    Program {
        product: "uvicorn",
        layer: Layer::AppServer,
        told_by: |words| runs(words, "uvicorn"),
        settings: &[setting("--timeout-graceful-shutdown", &["--timeout-graceful-shutdown"], &["UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"])],
    },
    Program {
        product: "hypercorn",
        layer: Layer::AppServer,
        told_by: |words| runs(words, "hypercorn"),
        settings: &[setting("--graceful-timeout", &["--graceful-timeout"], &[])],
    },
    Program {
        product: "rack_timeout",
        layer: Layer::AppServer,
        told_by: |words| words.iter().any(|word| word.starts_with("RACK_TIMEOUT_")),
        settings: &[
            setting("service_timeout", &[], &["RACK_TIMEOUT_SERVICE_TIMEOUT"]),
            setting("wait_timeout", &[], &["RACK_TIMEOUT_WAIT_TIMEOUT"]),
        ],
    },
    Program { product: "of_watchdog", layer: Layer::FunctionWatchdog, told_by: |words| runs_watchdog(words), settings: WATCHDOG },
    // The classic one has no modes; a command line without a mode may be either's, and the log says whose it is.
    Program {
        product: "classic_watchdog",
        layer: Layer::FunctionWatchdog,
        told_by: |words| runs_watchdog(words) && !words.iter().any(|word| word.starts_with("mode=")),
        settings: WATCHDOG,
    },
    Program {
        product: "openfaas_gateway",
        layer: Layer::Gateway,
        told_by: |words| words.iter().any(|word| word.starts_with("functions_provider_url=") || word.starts_with("upstream_timeout=")),
        settings: &[
            setting("upstream_timeout", &[], &["upstream_timeout"]),
            setting("read_timeout", &[], &["read_timeout"]),
            setting("write_timeout", &[], &["write_timeout"]),
        ],
    },
];

/// What both of OpenFaaS's watchdogs read.
const WATCHDOG: &[Setting] = &[
    setting("exec_timeout", &[], &["exec_timeout"]),
    setting("read_timeout", &[], &["read_timeout"]),
    setting("write_timeout", &[], &["write_timeout"]),
];

fn runs(words: &[&str], program: &str) -> bool {
    words.iter().any(|word| word.rsplit('/').next() == Some(program))
}

fn runs_watchdog(words: &[&str]) -> bool {
    ["fwatchdog", "of-watchdog"].iter().any(|program| runs(words, program))
}

impl Program {
    /// Whether these words run it.
    pub fn is_run_by(&self, words: &[&str]) -> bool {
        (self.told_by)(words)
    }

    /// What the words say of its settings: the value, or `None` for one that is only known where it runs, and which word says so.
    pub fn stated<'w>(&'w self, words: &'w [&'w str]) -> impl Iterator<Item = (&'static str, Option<Millis>, usize)> + 'w {
        let said = |setting: &'w Setting| setting.option(words).or_else(|| setting.variable(words));
        self.settings.iter().filter_map(move |setting| said(setting).map(|(value, position)| (setting.name, duration(value), position)))
    }

    /// The names of its settings.
    pub fn settings(&self) -> impl Iterator<Item = &'static str> {
        self.settings.iter().map(|setting| setting.name)
    }
}

impl Setting {
    /// The last one given wins.
    fn option<'w>(&self, words: &[&'w str]) -> Option<(&'w str, usize)> {
        let position = words.iter().rposition(|word| self.options.iter().any(|option| named(word, option)))?;
        let word = words[position];
        let short = self.options.iter().filter(|option| !option.starts_with("--")).find_map(|short| word.strip_prefix(short));
        let attached = short.filter(|value| !word.starts_with("--") && !value.is_empty() && !value.starts_with('='));
        let assigned = word.split_once('=').map(|(_, value)| value);
        attached.or(assigned).or(words.get(position + 1).copied()).map(|value| (value, position))
    }

    fn variable<'w>(&self, words: &[&'w str]) -> Option<(&'w str, usize)> {
        let value = |name: &str, word: &'w str| word.strip_prefix(name)?.strip_prefix('=');
        let of = |name: &&str| words.iter().enumerate().rev().find_map(|(position, word)| Some((value(name, word)?, position)));
        self.variables.iter().find_map(of)
    }
}

/// `--timeout`, `--timeout=30`; of a short option also `-t30`.
fn named(word: &str, option: &str) -> bool {
    let short = !option.starts_with("--");
    word.strip_prefix(option)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || short && rest.bytes().all(|b| b.is_ascii_digit()))
}
