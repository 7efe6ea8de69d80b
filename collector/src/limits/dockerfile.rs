//! A Dockerfile: `ENV`, and the last `ENTRYPOINT` and `CMD` of its last stage.

use super::command::Command;
use super::part::{Address, Part, Role, folder};

/// What it runs.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "Dockerfile", format!("{name}:1"));
    part.known_as.push(Address::Folder { kind: "Dockerfile", folder: folder(name) });
    let (mut variables, mut entrypoint, mut command): (Vec<(String, String, u32)>, _, _) = (Vec::new(), None, None);
    for (instruction, number) in instructions(text) {
        let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((&instruction, ""));
        match word.to_ascii_uppercase().as_str() {
            // A stage may build on one before, whose environment it keeps; what is named twice counts as said last.
            "FROM" => (entrypoint, command) = (None, None),
            "ENV" => variables.extend(assignments(rest).into_iter().map(|(key, value)| (key, value, number))),
            "ENTRYPOINT" => (entrypoint, command) = (Some((words(rest), number)), None),
            "CMD" => command = Some((words(rest), number)),
            _ => {}
        }
    }
    let mut all = Command::default();
    for (key, value, number) in variables {
        all.add_variable(&key, &value, &format!("{name}:{number}"));
    }
    for (line, number) in entrypoint.into_iter().chain(command) {
        part.place = format!("{name}:{number}");
        all.add_line(&line, &part.place);
    }
    all.tell(&mut part, name);
    vec![part]
}

/// Instructions with the lines on which they begin; a backslash goes on in the next line.
fn instructions(text: &str) -> Vec<(String, u32)> {
    let mut found: Vec<(String, u32)> = Vec::new();
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let part = line.strip_suffix('\\').unwrap_or(line);
        match found.last_mut().filter(|_| goes_on) {
            Some((instruction, _)) => {
                instruction.push(' ');
                instruction.push_str(part);
            }
            None => found.push((part.to_owned(), number)),
        }
        goes_on = line.ends_with('\\');
    }
    found
}

/// `["gunicorn", "-t", "30"]` or a shell's line.
fn words(text: &str) -> String {
    let list = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    list.map_or_else(|| text.to_owned(), |list| list.split(',').map(|word| word.trim().trim_matches('"')).collect::<Vec<_>>().join(" "))
}

/// `A=1 B="x y"`, or the old form `A 1`.
fn assignments(text: &str) -> Vec<(String, String)> {
    let text = text.trim();
    let first = text.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        return text.split_once(char::is_whitespace).map(|(key, value)| (key.to_owned(), value.trim().to_owned())).into_iter().collect();
    }
    let (mut found, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars().chain([' ']) {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, c) if c.is_whitespace() => {
                found.extend(word.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
                word.clear();
            }
            (_, c) => word.push(c),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let one = |limit: &domain::Limit| {
            format!("{} {} {}", limit.setting, limit.value_ms.expect("read"), limit.place.as_deref().expect("known"))
        };
        read("Dockerfile", text)[0].limits.iter().map(one).collect()
    }

    #[test]
    fn the_last_command_counts_in_every_form() {
        let text = "FROM python\nCMD [\"gunicorn\", \"app:app\", \"--timeout\", \"5\"]\nFROM python\nENTRYPOINT [\"gunicorn\", \"--timeout\", \"60\"]\nCMD [\"app:app\"]\n";
        assert_eq!(told(text), ["--timeout 60 s Dockerfile:4"]);
        assert_eq!(told("FROM x\nCMD exec gunicorn app:app \\\n  --timeout 90\n"), ["--timeout 90 s Dockerfile:2"]);
    }

    #[test]
    fn a_watchdogs_environment_is_read_where_it_stands() {
        let text =
            "FROM x\nENV fprocess=\"python3 index.py\" mode=http\nENV exec_timeout 30s\nENV write_timeout=\"35s\"\nCMD [\"fwatchdog\"]\n";
        assert_eq!(told(text), ["exec_timeout 30 s Dockerfile:3", "write_timeout 35 s Dockerfile:4"]);
        assert_eq!(told("FROM x\nENV GUNICORN_CMD_ARGS=\"--timeout 7\"\nCMD gunicorn app:app\n"), ["--timeout 7 s Dockerfile:2"]);
    }
}
