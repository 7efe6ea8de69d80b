//! `haproxy.cfg`: `timeout …` in `defaults`, `frontend`, `backend` and `listen`. Each section may have its own; all are given.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// The timers that end requests.
const TIMERS: [&str; 5] = ["connect", "server", "client", "queue", "http-request"];

/// The limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let stated = |(line, number): (&str, u32)| {
        let mut words = line.split('#').next()?.split_whitespace();
        (words.next()? == "timeout").then_some(())?;
        let timer = words.next().filter(|timer| TIMERS.contains(timer))?;
        Some(Limit {
            layer: Layer::Router,
            product: Product::HAPROXY,
            setting: format!("timeout {timer}"),
            value_ms: Some(duration(words.next()?)?),
            known_from: KnownFrom::Configured,
            place: Some(format!("{name}:{number}")),
        })
    };
    text.lines().zip(1..).filter_map(stated).collect()
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

    #[test]
    fn a_number_without_a_unit_is_milliseconds() {
        let text = "defaults\n  timeout connect 1s\n  timeout server 1500  # ms\n  timeout tunnel 1h\nbackend b\n  timeout server 2m\n  timeout queue ${Q}\n";
        let read: Vec<_> = read("haproxy.cfg", text)
            .into_iter()
            .map(|limit| format!("{} {} {}", limit.setting, limit.value_ms.expect("read"), limit.place.expect("known")))
            .collect();
        assert_eq!(read, ["timeout connect 1 s haproxy.cfg:2", "timeout server 1.5 s haproxy.cfg:3", "timeout server 2 min haproxy.cfg:6"]);
    }
}
