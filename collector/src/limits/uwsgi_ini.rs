//! uWSGI's ini file: `harakiri = 30` in its section `[uwsgi]`.
//!
//! Options as uWSGI's documentation has them, read in November 2026. Numbers are seconds.

use domain::Millis;

use super::part::{Part, Role, listens};

/// Whether a file of any name is one.
pub fn is_one(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "[uwsgi]")
}

/// The limits that it sets.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "uwsgi", format!("{name}:1"));
    let mut is_own = false;
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.starts_with('[') {
            is_own = line == "[uwsgi]";
        }
        let Some((key, value)) = line.split_once('=').filter(|_| is_own && !line.starts_with([';', '#'])) else { continue };
        match key.trim() {
            setting @ ("harakiri" | "worker-reload-mercy") => {
                part.read("uwsgi", setting, value, Millis::parse_seconds, format!("{name}:{number}"));
            }
            "http" | "http-socket" | "socket" | "uwsgi-socket" | "fastcgi-socket" => part.known_as.extend(listens(value)),
            _ => {}
        }
    }
    vec![part]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_section_is_read() {
        let text = "[other]\nharakiri = 1\n[uwsgi]\nhttp-socket = :8000\n; harakiri = 2\nharakiri = 90\nworker-reload-mercy = %(mercy)\n";
        assert!(is_one(text));
        let parts = read("uwsgi.ini", text);
        assert_eq!(parts[0].limits.len(), 1);
        assert_eq!(
            (parts[0].limits[0].value_ms, parts[0].limits[0].place.as_deref()),
            (Some(Millis::from_ms(90_000)), Some("uwsgi.ini:6"))
        );
        assert_eq!(parts[0].unknown.len(), 1);
    }
}
