//! A Caddyfile: the timers of `reverse_proxy`'s transport.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// The timers that end requests.
const TIMERS: [&str; 4] = ["response_header_timeout", "dial_timeout", "read_timeout", "write_timeout"];

/// The limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let stated = |(line, number): (&str, u32)| {
        let mut words = line.split_whitespace();
        let setting = words.next().filter(|word| TIMERS.contains(word))?;
        let value = crate::parse::go_duration(words.next()?)?;
        (value > Millis::ZERO).then(|| Limit {
            layer: Layer::Router,
            product: Product::CADDY,
            setting: setting.to_owned(),
            value_ms: Some(value),
            known_from: KnownFrom::Configured,
            place: Some(format!("{name}:{number}")),
        })
    };
    text.lines().zip(1..).filter_map(stated).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transports_timers_are_read() {
        let text = "h {\n  reverse_proxy app:80 {\n    transport http {\n      response_header_timeout 1m30s\n      # dial_timeout 1s\n      read_timeout {$T}\n    }\n  }\n}\n";
        let read = read("Caddyfile", text);
        assert_eq!((read.len(), read[0].value_ms, read[0].place.as_deref()), (1, Some(Millis::from_ms(90_000)), Some("Caddyfile:4")));
    }
}
