//! `gunicorn.conf.py`: plain assignments at the top level. It is a program; what it computes is not known to us.

use domain::Millis;

use super::part::{Address, Part, Role, folder, listens};
use crate::documented;

/// The two limits of gunicorn that end requests: as an option, and as a name in Python.
const SETTINGS: [(&str, &str); 2] = [("--timeout", "timeout"), ("--graceful-timeout", "graceful_timeout")];

/// The limits that it assigns as plain numbers.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "gunicorn", format!("{name}:1"));
    part.known_as.push(Address::Folder { kind: "gunicorn", folder: folder(name) });
    for (setting, _) in SETTINGS {
        part.else_default(documented::limit("gunicorn", setting));
    }
    for (line, number) in text.lines().zip(1..) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.split('#').next().unwrap_or_default().trim();
        if key.trim_end() == "bind" {
            part.known_as.extend(listens(value));
        }
        if let Some((setting, _)) = SETTINGS.iter().find(|(_, python)| key.trim_end() == *python) {
            part.read("gunicorn", setting, value, Millis::parse_seconds, format!("{name}:{number}"));
        }
    }
    vec![part]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_assignments_are_read_and_nothing_else() {
        let text =
            "import os\nbind = '127.0.0.1:8000'\ntimeout = 90  # slow reports\ngraceful_timeout = int(os.environ['G'])\n    timeout = 1\n";
        let parts = read("gunicorn.conf.py", text);
        let limits = &parts[0].limits;
        assert_eq!(limits.len(), 1);
        assert_eq!((limits[0].value_ms.expect("read").as_ms(), limits[0].place.as_deref()), (90_000, Some("gunicorn.conf.py:3")));
        assert_eq!(parts[0].unknown.len(), 1);
        assert!(parts[0].known_as.contains(&Address::Local { port: Some(8000) }));
    }
}
