//! `nginx.conf`, a file of `conf.d`, a site: the timers of the HTTP core and of the upstream modules.
//!
//! A directive may stand in `http`, `server` and `location`, each with another value. All are given, with their lines; which
//! one held is for the elapsed time to say.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// The timers that end requests.
const SETTINGS: [&str; 3] = ["client_body_timeout", "client_header_timeout", "send_timeout"];
const MODULES: [&str; 6] = ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"];
const TIMERS: [&str; 3] = ["connect_timeout", "send_timeout", "read_timeout"];

/// Whether a file of any name is one.
pub fn is_one(name: &str, text: &str) -> bool {
    let opens = |line: &str| ["http {", "server {", "location ", "upstream ", "events {"].iter().any(|block| line.starts_with(block));
    name.contains("nginx")
        || text.contains('{') && text.lines().any(|line| opens(line.trim_start()) || line.trim_start().starts_with("proxy_"))
}

/// The limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let code = line.split('#').next().unwrap_or_default();
        // Several directives may stand in one line, and blocks begin and end in it.
        for directive in code.split([';', '{', '}']) {
            let mut words = directive.split_whitespace();
            let (Some(setting), Some(value)) = (words.next(), words.next()) else { continue };
            if is_timer(setting)
                && let Some(value) = duration(value)
            {
                limits.push(Limit {
                    layer: Layer::Router,
                    product: Product::NGINX,
                    setting: setting.to_owned(),
                    value_ms: Some(value),
                    known_from: KnownFrom::Configured,
                    place: Some(format!("{name}:{number}")),
                });
            }
        }
    }
    limits
}

fn is_timer(setting: &str) -> bool {
    let of_module = setting.split_once('_').is_some_and(|(module, timer)| MODULES.contains(&module) && TIMERS.contains(&timer));
    SETTINGS.contains(&setting) || of_module
}

/// `60s`, `60`, `1m30s`, `500ms`; without a unit, seconds.
fn duration(text: &str) -> Option<Millis> {
    let mut rest = text;
    let mut sum = Millis::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).map_or(tail, |end| &tail[..end]);
        let ms: i64 = match unit {
            "" | "s" => 1000,
            "ms" => 1,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        sum = sum.plus(Millis::from_ms(number.parse::<i64>().ok()?.checked_mul(ms)?));
        rest = &tail[unit.len()..];
    }
    (sum > Millis::ZERO).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_and_spelling_is_read() {
        let text = "http {\n  proxy_read_timeout 60s; # long\n  server { location / { proxy_pass http://app; proxy_read_timeout 1m30s; fastcgi_read_timeout 5; } }\n\
                    # proxy_connect_timeout 1s;\n  client_body_timeout 500ms;\n  keepalive_timeout 75s;\n  proxy_send_timeout $slow;\n}\n";
        let read: Vec<_> = read("nginx.conf", text)
            .into_iter()
            .map(|limit| format!("{} {} {}", limit.setting, limit.value_ms.expect("read"), limit.place.expect("known")))
            .collect();
        assert_eq!(
            read,
            [
                "proxy_read_timeout 60 s nginx.conf:2",
                "proxy_read_timeout 90 s nginx.conf:3",
                "fastcgi_read_timeout 5 s nginx.conf:3",
                "client_body_timeout 500 ms nginx.conf:5"
            ]
        );
    }
}
