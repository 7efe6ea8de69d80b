//! unicorn's configuration, a Ruby program: `timeout 30` at the top level. What it computes is not known to us.

use domain::Millis;

use super::part::{Part, Role, listens};
use crate::documented;

/// The limit that it sets as a plain number.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "unicorn", format!("{name}:1"));
    part.else_default(documented::limit("unicorn", "timeout"));
    for (line, number) in text.lines().zip(1..) {
        let code = line.split('#').next().unwrap_or_default();
        if let Some(value) = code.strip_prefix("timeout") {
            let value = value.trim_matches(['(', ')', ' ', '\t']);
            part.read("unicorn", "timeout", value, Millis::parse_seconds, format!("{name}:{number}"));
        } else if let Some(address) = code.strip_prefix("listen ") {
            part.known_as.extend(listens(address.split(',').next().unwrap_or_default()));
        }
    }
    vec![part]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_is_read() {
        let parts = read("unicorn.rb", "worker_processes 2\ntimeout 45 # slow\ntimeout Integer(ENV['T'])\n  timeout 1\n");
        let found: Vec<_> = parts[0].limits.iter().map(|limit| (limit.value_ms.map(Millis::as_ms), limit.place.as_deref())).collect();
        assert_eq!(found, [(Some(45_000), Some("unicorn.rb:2"))]);
        assert_eq!(parts[0].unknown.len(), 1);
    }
}
