//! Puma's configuration, a Ruby program: `worker_timeout 60` and the like at the top level. What it computes is not known to us.

use domain::Millis;

use super::part::{Part, Role, listens};

/// The settings that are limits.
const TIMERS: [&str; 4] = ["worker_timeout", "worker_boot_timeout", "worker_shutdown_timeout", "force_shutdown_after"];

/// Whether a Ruby file is one.
pub fn is_one(base: &str, text: &str) -> bool {
    base.contains("puma") || text.lines().any(|line| TIMERS.iter().any(|timer| setting(line, timer).is_some()))
}

/// The limits that it sets as plain numbers.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "puma", format!("{name}:1"));
    for (line, number) in text.lines().zip(1..) {
        let code = line.split('#').next().unwrap_or_default();
        for timer in TIMERS {
            // `force_shutdown_after :forever` is no limit.
            if let Some(value) = setting(code, timer).filter(|value| !value.starts_with(':')) {
                part.read("puma", timer, value, Millis::parse_seconds, format!("{name}:{number}"));
            }
        }
        if let Some(address) = code.strip_prefix("bind ") {
            part.known_as.extend(listens(address.trim_matches([' ', '"', '\'']).trim_start_matches("tcp://")));
        }
    }
    vec![part]
}

fn setting<'t>(line: &'t str, name: &str) -> Option<&'t str> {
    let value = line.strip_prefix(name)?;
    value.starts_with([' ', '(', '\t']).then(|| value.trim_matches(['(', ')', ' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_numbers_are_read() {
        let text = "workers 2\nworker_timeout 45 # slow\nworker_boot_timeout Integer(ENV['T'])\nforce_shutdown_after :forever\n";
        let parts = read("config/puma.rb", text);
        let found: Vec<_> = parts[0].limits.iter().map(|limit| (limit.setting.as_str(), limit.value_ms.map(Millis::as_ms))).collect();
        assert_eq!(found, [("worker_timeout", Some(45_000))]);
        assert_eq!(parts[0].unknown.len(), 1);
        assert!(is_one("server.rb", text) && !is_one("unicorn.rb", "timeout 30\n"));
    }
}
