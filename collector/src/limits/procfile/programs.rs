//! The programs whose limits stand in command lines and environments: one row each.
//!
//! Names and units are from the programs' own help and documentation, read in November 2026.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// One program.
pub struct Program {
    product: &'static str,
    layer: Layer,
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
        told_by: |words| words.iter().any(|word| word.starts_with("functions_provider_url=")),
        settings: &[setting("upstream_timeout", &[], &["upstream_timeout"])],
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

    /// The limits that the words give.
    pub fn limits<'w>(&'w self, words: &'w [&str], place: &'w str) -> impl Iterator<Item = Limit> + 'w {
        let limit = |setting: &Setting, value: Millis| Limit {
            layer: self.layer,
            product: Product::from(self.product),
            setting: setting.name.to_owned(),
            value_ms: Some(value),
            known_from: KnownFrom::Configured,
            place: Some(place.to_owned()),
        };
        // 0 switches a limit off.
        let stated = |setting: &Setting| setting.option(words).or_else(|| setting.variable(words)).and_then(value);
        self.settings
            .iter()
            .filter_map(move |setting| stated(setting).filter(|value| *value > Millis::ZERO).map(|value| limit(setting, value)))
    }
}

/// Seconds, or a duration as Go writes it.
fn value(text: &str) -> Option<Millis> {
    Millis::parse_seconds(text).or_else(|| crate::parse::go_duration(text))
}

impl Setting {
    /// The last one given wins.
    fn option<'w>(&self, words: &[&'w str]) -> Option<&'w str> {
        let position = words.iter().rposition(|word| self.options.iter().any(|option| named(word, option)))?;
        let word = words[position];
        let short = self.options.iter().filter(|option| !option.starts_with("--")).find_map(|short| word.strip_prefix(short));
        let attached = short.filter(|value| !word.starts_with("--") && !value.is_empty() && !value.starts_with('='));
        let assigned = word.split_once('=').map(|(_, value)| value);
        attached.or(assigned).or(words.get(position + 1).copied())
    }

    fn variable<'w>(&self, words: &[&'w str]) -> Option<&'w str> {
        let of = |name: &&str| words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        self.variables.iter().find_map(of)
    }
}

/// `--timeout`, `--timeout=30`; of a short option also `-t30`.
fn named(word: &str, option: &str) -> bool {
    let short = !option.starts_with("--");
    word.strip_prefix(option)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('=') || short && rest.bytes().all(|b| b.is_ascii_digit()))
}
