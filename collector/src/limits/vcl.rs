//! A VCL file: timers of backends, and of fetches (`bereq.`), with their units.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// The timers that end requests; each is a parameter of varnishd as well.
pub const TIMERS: [&str; 3] = ["first_byte_timeout", "between_bytes_timeout", "connect_timeout"];

/// The limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let code = line.split("//").next().unwrap_or_default().split('#').next().unwrap_or_default();
        for statement in code.split([';', '{', '}']) {
            let Some((target, value)) = statement.split_once('=') else { continue };
            let setting = target.trim().trim_start_matches("set ").trim().trim_start_matches("bereq.").trim_start_matches('.');
            if TIMERS.contains(&setting)
                && let Some(value) = duration(value.trim())
            {
                limits.push(limit(setting, value, format!("{name}:{number}")));
            }
        }
    }
    limits
}

/// A limit of Varnish that configuration states.
pub fn limit(setting: &str, value: Millis, place: String) -> Limit {
    Limit {
        layer: Layer::Cdn,
        product: Product::VARNISH,
        setting: setting.to_owned(),
        value_ms: Some(value),
        known_from: KnownFrom::Configured,
        place: Some(place),
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
        let text = "vcl 4.1;\nbackend a { .host = \"h\"; .first_byte_timeout = 1s; }\nsub vcl_backend_fetch {\n  set bereq.between_bytes_timeout = 500ms;\n  # set bereq.connect_timeout = 1s;\n}\n";
        let read: Vec<_> =
            read("default.vcl", text).into_iter().map(|limit| format!("{} {}", limit.setting, limit.value_ms.expect("read"))).collect();
        assert_eq!(read, ["first_byte_timeout 1 s", "between_bytes_timeout 500 ms"]);
    }
}
