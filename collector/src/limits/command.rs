//! A command line and its environment, wherever they stand: Procfile, Dockerfile, compose, Kubernetes, fly.toml.

use domain::Millis;

use super::part::{Address, Part, beside, folder, listens};
use super::programs::PROGRAMS;
use super::tree::Node;
use crate::documented;

/// Words of a command, in the order in which they count, each with the place where it stands: variables of the
/// environment first.
#[derive(Clone, Debug, Default)]
pub struct Command {
    words: Vec<(String, String)>,
}

impl Command {
    /// Adds a line of words.
    pub fn add_line(&mut self, line: &str, place: &str) {
        // The options in the environment are read as if they stood before those on the command line.
        let unquoted = line.replace(['"', '\''], " ").replace("GUNICORN_CMD_ARGS=", "GUNICORN_CMD_ARGS= ");
        self.words.extend(unquoted.split_whitespace().map(|word| (word.to_owned(), place.to_owned())));
    }

    /// Adds a variable of the environment.
    pub fn add_variable(&mut self, name: &str, value: &str, place: &str) {
        if name == "GUNICORN_CMD_ARGS" {
            self.add_line(&format!("{name}={value}"), place);
        } else {
            self.words.push((format!("{name}={value}"), place.to_owned()));
        }
        // What a watchdog starts is a command of its own.
        if matches!(name, "fprocess" | "function_process") {
            self.add_line(value, place);
        }
    }

    /// Adds what a list of words, or one line, in a tree says.
    pub fn add_node(&mut self, node: Option<&Node>, file: &str) {
        let Some(node) = node else { return };
        for item in node.text().map(|_| node).into_iter().chain(node.items()) {
            self.add_line(item.text().unwrap_or_default(), &format!("{file}:{}", item.line));
        }
    }

    /// Adds an environment as trees have it: a map, a list of `NAME=value`, or a list of `{name, value}`.
    pub fn add_environment(&mut self, node: Option<&Node>, file: &str) {
        let Some(node) = node else { return };
        for (name, value) in node.entries() {
            self.add_variable(name, value.text().unwrap_or_default(), &format!("{file}:{}", value.line));
        }
        for item in node.items() {
            let pair = item.text().and_then(|text| text.split_once('='));
            let named = || Some((item.text_at(&["name"])?, item.text_at(&["value"]).unwrap_or_default()));
            if let Some((name, value)) = pair.or_else(named) {
                let line = item.get("value").map_or(item.line, |value| value.line);
                self.add_variable(name, value, &format!("{file}:{line}"));
            }
        }
    }

    /// Adds the limits that it states to a part, and what it says of its neighbours. `file` is where it would run.
    pub fn tell(&self, part: &mut Part, file: &str) {
        let words: Vec<&str> = self.words.iter().map(|(word, _)| word.as_str()).collect();
        for program in PROGRAMS.iter().filter(|program| program.is_run_by(&words)) {
            for (setting, value, position) in program.stated(&words) {
                match value {
                    Some(value) => part.state(program.layer, program.product, setting, value, self.words[position].1.clone()),
                    None => part.leave_open(program.product, setting, self.words[position].1.clone()),
                }
            }
            for setting in program.settings() {
                part.else_default(documented::limit(program.product, setting));
            }
            match program.product {
                "gunicorn" => part.made_from.push(gunicorn_file(&words, file)),
                "openfaas_gateway" => part.behind.push(Address::OpenFaas),
                _ => {}
            }
        }
        for (position, word) in words.iter().enumerate() {
            let (option, value) = word.split_once('=').unwrap_or((word, words.get(position + 1).copied().unwrap_or_default()));
            if matches!(option, "-b" | "--bind" | "--http" | "--http-socket" | "--socket" | "--port") {
                part.known_as.extend(listens(value));
            }
        }
    }
}

/// Where gunicorn looks for its configuration: `-c FILE`, else beside the application.
fn gunicorn_file(words: &[&str], file: &str) -> Address {
    let named = words.iter().enumerate().find_map(|(position, word)| match word.split_once('=') {
        Some(("-c" | "--config", path)) => Some(path),
        None if matches!(*word, "-c" | "--config") => words.get(position + 1).copied(),
        _ => None,
    });
    let path = named.unwrap_or_default().trim_start_matches("file:");
    // An absolute path is one inside an image; only its last part may be the same here.
    let path = if path.starts_with('/') { path.rsplit('/').next().unwrap_or_default() } else { path };
    Address::Folder { kind: "gunicorn", folder: folder(&beside(file, if path.is_empty() { "gunicorn.conf.py" } else { path })) }
}

/// Seconds, or a duration as Go writes it: what programs read from options and variables.
pub fn duration(text: &str) -> Option<Millis> {
    Millis::parse_seconds(text).or_else(|| crate::parse::go_duration(text))
}
