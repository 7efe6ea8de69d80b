//! Apache's configuration: `Timeout`, mod_proxy, mod_reqtimeout, and mod_wsgi's daemon processes.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

/// Whether a file of any name is one.
pub fn is_one(name: &str, text: &str) -> bool {
    const OWN: [&str; 8] =
        ["loadmodule ", "<virtualhost", "proxypass", "proxytimeout", "customlog ", "wsgidaemonprocess", "requestreadtimeout", "<ifmodule"];
    let is_own = |line: &str| OWN.iter().any(|own| line.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own)));
    name.contains("apache") || name.contains("httpd") || text.lines().any(|line| is_own(line.trim_start()))
}

/// The limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((directive, arguments)) = words.split_first().filter(|(first, _)| !first.starts_with('#')) else { continue };
        let place = format!("{name}:{number}");
        let mut add = |product: Product, setting: &str, value: Option<Millis>| {
            let layer = if product == Product::MOD_WSGI { Layer::AppServer } else { Layer::Router };
            // 0 switches a limit off.
            limits.extend(value.filter(|value| *value > Millis::ZERO).map(|value| Limit {
                layer,
                product,
                setting: setting.to_owned(),
                value_ms: Some(value),
                known_from: KnownFrom::Configured,
                place: Some(place.clone()),
            }));
        };
        let options = || arguments.iter().filter_map(|word| word.split_once('='));
        match directive.to_ascii_lowercase().as_str() {
            "timeout" => add(Product::APACHE, "Timeout", arguments.first().and_then(|value| duration(value))),
            "proxytimeout" => add(Product::APACHE, "ProxyTimeout", arguments.first().and_then(|value| duration(value))),
            "proxypass" | "proxypassmatch" | "proxyset" | "balancermember" => {
                for (option, value) in options().filter(|(option, _)| matches!(*option, "timeout" | "connectiontimeout")) {
                    add(Product::APACHE, &format!("ProxyPass {option}"), duration(value));
                }
            }
            "requestreadtimeout" => {
                for (part, value) in options().filter(|(part, _)| matches!(*part, "header" | "body")) {
                    add(Product::APACHE, &format!("RequestReadTimeout {part}"), first_wait(value));
                }
            }
            "wsgidaemonprocess" => {
                for (option, value) in options().filter(|(option, _)| DAEMON.contains(option)) {
                    add(Product::MOD_WSGI, option, duration(value));
                }
            }
            _ => {}
        }
    }
    limits
}

/// The options of a daemon process that end requests.
const DAEMON: [&str; 5] = ["request-timeout", "socket-timeout", "deadlock-timeout", "startup-timeout", "queue-timeout"];

/// `10`, or `20-40,MinRate=500`: a wait that grows with what comes in has no one value.
fn first_wait(text: &str) -> Option<Millis> {
    if text.contains("MinRate") || text.contains('-') {
        return None;
    }
    duration(text)
}

/// Seconds; mod_proxy also knows `500ms`.
fn duration(text: &str) -> Option<Millis> {
    match text.strip_suffix("ms") {
        Some(ms) => Millis::parse_ms(ms),
        None => Millis::parse_seconds(text.strip_suffix('s').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_and_options_are_read() {
        let text = "Timeout 60\nproxytimeout 5\n# ProxyTimeout 9\nProxyPass / http://app:8000/ connectiontimeout=500ms timeout=30 retry=0\n\
                    RequestReadTimeout header=20-40,MinRate=500 body=10\nWSGIDaemonProcess app threads=2 request-timeout=12 socket-timeout=0\n";
        let read: Vec<_> = read("apache2.conf", text)
            .into_iter()
            .map(|limit| format!("{} {} {}", limit.product, limit.setting, limit.value_ms.expect("read")))
            .collect();
        assert_eq!(
            read,
            [
                "apache Timeout 60 s",
                "apache ProxyTimeout 5 s",
                "apache ProxyPass connectiontimeout 500 ms",
                "apache ProxyPass timeout 30 s",
                "apache RequestReadTimeout body 10 s",
                "mod_wsgi request-timeout 12 s"
            ]
        );
    }
}
