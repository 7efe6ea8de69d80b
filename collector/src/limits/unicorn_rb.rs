//! unicorn's configuration, a Ruby program: `timeout 30` at the top level. What it computes is not known to us.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// The limit that it sets as a plain number.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let set = |(line, number): (&str, u32)| {
        let value = line.split('#').next()?.strip_prefix("timeout")?;
        let value = value.trim_matches(['(', ')', ' ', '\t']);
        let seconds: i64 = value.parse().ok()?;
        Some(Limit {
            layer: Layer::AppServer,
            product: Product::from("unicorn"),
            setting: "timeout".to_owned(),
            value_ms: Some(Millis::from_ms(seconds.checked_mul(1000)?)),
            known_from: KnownFrom::Configured,
            place: Some(format!("{name}:{number}")),
        })
    };
    text.lines().zip(1..).filter_map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_is_read() {
        let limits = read("unicorn.rb", "worker_processes 2\ntimeout 45 # slow\ntimeout Integer(ENV['T'])\n  timeout 1\n");
        let found: Vec<_> = limits.iter().map(|limit| (limit.value_ms.map(Millis::as_ms), limit.place.as_deref())).collect();
        assert_eq!(found, [(Some(45_000), Some("unicorn.rb:2"))]);
    }
}
