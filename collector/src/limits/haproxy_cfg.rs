//! `haproxy.cfg`: `timeout …` in `defaults`, `frontend`, `backend` and `listen`. What a section does not set, the `defaults`
//! above it do.

use domain::{Layer, Millis};

use super::part::{Part, Role, upstream};

/// The timers that end requests.
const TIMERS: [&str; 5] = ["connect", "server", "client", "queue", "http-request"];
/// Those that a backend has.
const OF_BACKENDS: [&str; 3] = ["connect", "server", "queue"];
/// Words that begin a section.
const SECTIONS: [&str; 11] =
    ["global", "defaults", "frontend", "backend", "listen", "userlist", "peers", "resolvers", "program", "cache", "mailers"];

/// Timer, value if it is known, line.
type Timer<'t> = (&'t str, Option<Millis>, u32);

#[derive(Default)]
struct Section<'t> {
    kind: &'t str,
    name: &'t str,
    line: u32,
    timers: Vec<Timer<'t>>,
    servers: Vec<&'t str>,
}

/// Its backends with their limits, and limits that are no backend's.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let sections = sections(text);
    let mut parts: Vec<Part> = Vec::new();
    let mut defaults: &[Timer<'_>] = &[];
    let mut rest = Part::new(Role::Unused, "haproxy", format!("{name}:1"));
    for section in &sections {
        if section.kind == "defaults" {
            defaults = &section.timers;
        }
        if matches!(section.kind, "backend" | "listen") {
            parts.push(backend(section, defaults, name));
        }
    }
    let used: Vec<_> = parts.iter().flat_map(|part| &part.limits).filter_map(|limit| limit.place.clone()).collect();
    for (timer, value, line) in sections.iter().flat_map(|section| &section.timers) {
        let place = format!("{name}:{line}");
        if let Some(value) = value.filter(|_| !used.contains(&place)) {
            rest.state(Layer::Router, "haproxy", &format!("timeout {timer}"), value, place);
        }
    }
    parts.extend(Some(rest).filter(|rest| !rest.limits.is_empty()));
    parts
}

fn backend(section: &Section<'_>, defaults: &[Timer<'_>], name: &str) -> Part {
    let title = format!("haproxy {} {}", section.kind, section.name);
    let mut part = Part::new(Role::Front, title, format!("{name}:{}", section.line));
    for timer in OF_BACKENDS {
        let last = |timers: &[Timer<'_>]| timers.iter().rev().find(|(name, ..)| *name == timer).map(|(_, value, line)| (*value, *line));
        match last(&section.timers).or_else(|| last(defaults)) {
            Some((Some(value), line)) => part.state(Layer::Router, "haproxy", &format!("timeout {timer}"), value, format!("{name}:{line}")),
            Some((None, line)) => part.leave_open("haproxy", &format!("timeout {timer}"), format!("{name}:{line}")),
            None => {}
        }
    }
    part.behind = section.servers.iter().filter_map(|server| upstream(server)).collect();
    part
}

fn sections(text: &str) -> Vec<Section<'_>> {
    let mut sections = vec![Section::default()];
    for (line, number) in text.lines().zip(1..) {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let Some(first) = words.first().copied() else { continue };
        if SECTIONS.contains(&first) {
            let name = words.get(1).copied().unwrap_or_default();
            sections.push(Section { kind: first, name, line: number, ..Section::default() });
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        match (first, words.get(1), words.get(2)) {
            ("timeout", Some(timer), Some(value)) if TIMERS.contains(timer) => section.timers.push((timer, duration(value), number)),
            ("server", Some(_), Some(address)) => section.servers.push(address),
            _ => {}
        }
    }
    sections
}

/// `1s`, `1500`, `10m`; without a unit, milliseconds.
fn duration(text: &str) -> Option<Millis> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..digits].parse().ok()?;
    let value = match &text[digits..] {
        "us" => Millis::from_us(number),
        "" | "ms" => Millis::from_ms(number),
        "s" => Millis::from_ms(number.checked_mul(1000)?),
        "m" => Millis::from_ms(number.checked_mul(60_000)?),
        "h" => Millis::from_ms(number.checked_mul(3_600_000)?),
        "d" => Millis::from_ms(number.checked_mul(86_400_000)?),
        _ => return None,
    };
    (value > Millis::ZERO).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::part::Address;

    fn told(part: &Part) -> Vec<String> {
        let one = |limit: &domain::Limit| {
            format!("{} {} {}", limit.setting, limit.value_ms.expect("read"), limit.place.as_deref().expect("known"))
        };
        part.limits.iter().map(one).collect()
    }

    #[test]
    fn a_number_without_a_unit_is_milliseconds() {
        let text = "defaults\n  timeout connect 1s\n  timeout server 1500  # ms\n  timeout tunnel 1h\nbackend b\n  timeout server 2m\n  timeout queue ${Q}\n";
        let parts = read("haproxy.cfg", text);
        assert_eq!(told(&parts[0]), ["timeout connect 1 s haproxy.cfg:2", "timeout server 2 min haproxy.cfg:6"]);
        assert_eq!(told(&parts[1]), ["timeout server 1.5 s haproxy.cfg:3"]);
    }

    #[test]
    fn a_backend_leads_to_its_servers() {
        let text = "defaults\n  timeout client 30s\nbackend api\n  server s1 app:8000 check\n  server s2 127.0.0.1:8001\n";
        let parts = read("haproxy.cfg", text);
        assert_eq!(parts[0].name, "haproxy backend api");
        assert_eq!(parts[0].behind, [Address::Host { host: "app".to_owned(), port: Some(8000) }, Address::Local { port: Some(8001) }]);
        assert_eq!(told(&parts[1]), ["timeout client 30 s haproxy.cfg:2"]);
    }
}
