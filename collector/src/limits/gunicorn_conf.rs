//! `gunicorn.conf.py`: plain assignments at the top level. It is a program; what it computes is not known to us.

use domain::Limit;

use super::{GUNICORN_SETTINGS, gunicorn_limit};

/// The limits that it assigns as plain numbers.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let assigned = |(line, number): (&str, u32)| {
        let (key, value) = line.split_once('=')?;
        let (setting, _) = GUNICORN_SETTINGS.iter().find(|(_, python)| key.trim_end() == *python)?;
        let value = value.split('#').next().unwrap_or_default().trim();
        gunicorn_limit(setting, value, format!("{name}:{number}"))
    };
    text.lines().zip(1..).filter_map(assigned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_assignments_are_read_and_nothing_else() {
        let text = "import os\ntimeout = 90  # slow reports\ngraceful_timeout = int(os.environ['G'])\n    timeout = 1\n";
        let limits = read("gunicorn.conf.py", text);
        assert_eq!(limits.len(), 1);
        assert_eq!((limits[0].value_ms.expect("read").as_ms(), limits[0].place.as_deref()), (90_000, Some("gunicorn.conf.py:2")));
    }
}
