//! A Caddyfile: `reverse_proxy` and the timers of its transport.

use super::part::{Part, Role, upstream};

/// The timers that end requests.
const TIMERS: [&str; 4] = ["response_header_timeout", "dial_timeout", "read_timeout", "write_timeout"];

/// Its proxies with their limits.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = Part::new(Role::Unused, "caddy", format!("{name}:1"));
    let mut depth = 0_usize;
    // The depth at which the directive stands whose block is open.
    let mut inside: Option<usize> = None;
    for (line, number) in text.lines().zip(1..) {
        let words: Vec<&str> =
            line.split(" #").next().unwrap_or_default().split_whitespace().filter(|word| !word.starts_with('#')).collect();
        let place = format!("{name}:{number}");
        match words.first().copied() {
            Some("reverse_proxy" | "php_fastcgi") => {
                let targets: Vec<_> = words[1..].iter().filter(|word| !word.starts_with(['/', '@', '*', '{'])).collect();
                let shown = targets.iter().map(|target| **target).collect::<Vec<_>>().join(" ");
                let mut part = Part::new(Role::Front, format!("caddy → {shown}"), place);
                part.behind = targets.iter().filter_map(|target| upstream(target)).collect();
                parts.push(part);
                inside = words.last().is_some_and(|word| *word == "{").then_some(depth);
            }
            Some("to") if inside.is_some() => {
                if let Some(part) = parts.last_mut() {
                    part.behind.extend(words[1..].iter().filter_map(|target| upstream(target)));
                }
            }
            Some(setting) if TIMERS.contains(&setting) => {
                let part = parts.last_mut().filter(|_| inside.is_some()).unwrap_or(&mut rest);
                part.read("caddy", setting, words.get(1).unwrap_or(&""), crate::parse::go_duration, place);
            }
            _ => {}
        }
        depth += words.iter().filter(|word| word.ends_with('{')).count();
        depth = depth.saturating_sub(words.iter().filter(|word| **word == "}").count());
        inside = inside.filter(|at| depth > *at);
    }
    parts.extend(Some(rest).filter(|rest| !rest.limits.is_empty()));
    parts
}

#[cfg(test)]
mod tests {
    use domain::Millis;

    use super::*;
    use crate::limits::part::Address;

    #[test]
    fn the_transports_timers_are_read() {
        let text = "h {\n  reverse_proxy /api/* app:80 {\n    transport http {\n      response_header_timeout 1m30s\n      # dial_timeout 1s\n      read_timeout {$T}\n    }\n  }\n  reverse_proxy localhost:9000\n}\n";
        let parts = read("Caddyfile", text);
        let limits = &parts[0].limits;
        assert_eq!((limits.len(), limits[0].value_ms, limits[0].place.as_deref()), (1, Some(Millis::from_ms(90_000)), Some("Caddyfile:4")));
        assert_eq!(parts[0].behind, [Address::Host { host: "app".to_owned(), port: Some(80) }]);
        assert_eq!((parts.len(), parts[1].limits.len(), parts[1].name.as_str()), (2, 0, "caddy → localhost:9000"));
    }
}
