//! php-fpm's configuration: `request_terminate_timeout = 30s` of a pool, and PHP's own `max_execution_time`.

use domain::Millis;

use super::part::{Part, Role, listens};

/// Whether a file of any name is one.
pub fn is_one(name: &str, text: &str) -> bool {
    name.contains("fpm") || text.lines().any(|line| line.trim_start().starts_with("request_terminate_timeout"))
}

/// The limits that it sets.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "php-fpm", format!("{name}:1"));
    for (line, number) in text.lines().zip(1..) {
        let Some((key, value)) = line.split(';').next().unwrap_or_default().split_once('=') else { continue };
        let place = format!("{name}:{number}");
        match key.trim() {
            "request_terminate_timeout" => part.read("php_fpm", "request_terminate_timeout", value, duration, place),
            "php_admin_value[max_execution_time]" | "php_value[max_execution_time]" => {
                part.read("php", "max_execution_time", value, duration, place);
            }
            "listen" => part.known_as.extend(listens(value)),
            _ => {}
        }
    }
    vec![part]
}

/// Seconds, or with a unit: `30s`, `5m`, `1h`, `1d`.
fn duration(text: &str) -> Option<Millis> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(seconds * 1000).map(Millis::from_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_limits_are_read_with_their_units() {
        let text = "[www]\npm = static\n;request_terminate_timeout = 9s\nrequest_terminate_timeout = 2m ; long reports\nphp_admin_value[max_execution_time] = 30\nrequest_slowlog_timeout = 1s\n";
        let limits = &read("www.conf", text)[0].limits;
        let found: Vec<_> =
            limits.iter().map(|limit| (limit.setting.as_str(), limit.value_ms.map(Millis::as_ms), limit.place.as_deref())).collect();
        assert_eq!(
            found,
            [("request_terminate_timeout", Some(120_000), Some("www.conf:4")), ("max_execution_time", Some(30_000), Some("www.conf:5"))]
        );
        assert!(is_one("www.conf", text));
        assert!(read("www.conf", "request_terminate_timeout = 0")[0].limits.is_empty());
    }
}
