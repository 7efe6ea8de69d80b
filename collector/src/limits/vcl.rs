//! A VCL file: timers of backends, and of fetches (`bereq.`), with their units.

use domain::Millis;

use super::part::{Address, Part, Role, upstream};
use crate::documented;

/// The timers that end requests; each is a parameter of varnishd as well.
pub const TIMERS: [&str; 3] = ["first_byte_timeout", "between_bytes_timeout", "connect_timeout"];

/// Its backends with their limits, and what fetches set.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut fetches = Part::new(Role::Unused, "varnish", format!("{name}:1"));
    let mut in_backend = false;
    for (line, number) in text.lines().zip(1..) {
        let code = line.split("//").next().unwrap_or_default().split('#').next().unwrap_or_default();
        for statement in code.split_inclusive([';', '{', '}']) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            if let ["backend", backend, ..] = words.as_slice()
                && statement.ends_with('{')
            {
                let backend = backend.trim_end_matches('{');
                let mut part = Part::new(Role::Front, format!("varnish backend {backend}"), format!("{name}:{number}"));
                for timer in TIMERS {
                    part.else_default(documented::limit("varnish", timer));
                }
                parts.push(part);
                in_backend = true;
            }
            if let Some((target, value)) = statement.trim_end_matches([';', '{', '}']).split_once('=') {
                let part = parts.last_mut().filter(|_| in_backend).unwrap_or(&mut fetches);
                assigned(part, target.trim(), value.trim(), format!("{name}:{number}"));
            }
            // A probe's block inside a backend's says nothing that is read here.
            in_backend &= !statement.ends_with('}');
        }
    }
    parts.extend(Some(fetches).filter(|fetches| !fetches.limits.is_empty()));
    parts
}

fn assigned(part: &mut Part, target: &str, value: &str, place: String) {
    let setting = target.trim_start_matches("set ").trim().trim_start_matches("bereq.").trim_start_matches('.');
    match setting {
        setting if TIMERS.contains(&setting) => part.read("varnish", setting, value, duration, place),
        "host" => part.behind = upstream(value).into_iter().collect(),
        "port" => {
            let given = value.trim_matches('"').parse().ok();
            if let Some(Address::Host { port, .. } | Address::Local { port }) = part.behind.first_mut() {
                *port = given;
            }
        }
        _ => {}
    }
}

/// `1s`, `500ms`, `1.5m`: in VCL a unit is required.
fn duration(text: &str) -> Option<Millis> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(digits);
    let times = match unit {
        "ms" => return Millis::parse_ms(number),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    Some(Millis::from_us(Millis::parse_seconds(number)?.as_us().checked_mul(times)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_and_fetches_are_read() {
        let text = "vcl 4.1;\nbackend a { .host = \"app\"; .port = \"8000\"; .first_byte_timeout = 1s; }\nsub vcl_backend_fetch {\n  set bereq.between_bytes_timeout = 500ms;\n  # set bereq.connect_timeout = 1s;\n}\n";
        let parts = read("default.vcl", text);
        let told: Vec<_> = parts
            .iter()
            .flat_map(|part| part.limits.iter().map(|limit| format!("{}: {} {}", part.name, limit.setting, limit.value_ms.expect("read"))))
            .collect();
        assert_eq!(told, ["varnish backend a: first_byte_timeout 1 s", "varnish: between_bytes_timeout 500 ms"]);
        assert_eq!(parts[0].behind, [Address::Host { host: "app".to_owned(), port: Some(8000) }]);
    }
}
