//! Apache's configuration: `Timeout`, mod_proxy, mod_reqtimeout, and mod_wsgi's daemon processes.

use domain::{Layer, Millis};

use super::part::{Part, Role, upstream};
use crate::documented;

/// Whether a file of any name is one.
pub fn is_one(name: &str, text: &str) -> bool {
    const OWN: [&str; 8] =
        ["loadmodule ", "<virtualhost", "proxypass", "proxytimeout", "customlog ", "wsgidaemonprocess", "requestreadtimeout", "<ifmodule"];
    let is_own = |line: &str| OWN.iter().any(|own| line.get(..own.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(own)));
    name.contains("apache") || name.contains("httpd") || text.lines().any(|line| is_own(line.trim_start()))
}

/// A directive that sets a limit: product, setting, value, line, and the virtual host that it stands in.
struct Stated {
    product: &'static str,
    setting: String,
    value: Option<Millis>,
    line: u32,
    host: usize,
}

/// A place where requests are passed on.
struct Pass {
    target: String,
    line: u32,
    host: usize,
}

/// Where it passes requests on, its daemon processes, and the limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let (mut stated, mut passes) = (Vec::new(), Vec::new());
    // 0 is the server itself.
    let (mut host, mut hosts) = (0, 0);
    for (line, number) in text.lines().zip(1..) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((directive, arguments)) = words.split_first().filter(|(first, _)| !first.starts_with('#')) else { continue };
        let directive = directive.to_ascii_lowercase();
        match directive.as_str() {
            "<virtualhost" => {
                hosts += 1;
                host = hosts;
            }
            "</virtualhost>" => host = 0,
            "proxypass" | "proxypassmatch" => {
                let target = arguments.iter().find(|word| word.contains("://"));
                passes.extend(target.map(|target| Pass { target: (*target).to_owned(), line: number, host }));
            }
            _ => {}
        }
        directive_limits(&directive, arguments, &mut |product, setting, value| {
            stated.push(Stated { product, setting, value, line: number, host });
        });
    }
    parts(name, &stated, &passes)
}

fn directive_limits(directive: &str, arguments: &[&str], add: &mut impl FnMut(&'static str, String, Option<Millis>)) {
    let options = || arguments.iter().filter_map(|word| word.split_once('='));
    match directive {
        "timeout" => add("apache", "Timeout".to_owned(), arguments.first().and_then(|value| duration(value))),
        "proxytimeout" => add("apache", "ProxyTimeout".to_owned(), arguments.first().and_then(|value| duration(value))),
        "proxypass" | "proxypassmatch" | "proxyset" | "balancermember" => {
            for (option, value) in options().filter(|(option, _)| matches!(*option, "timeout" | "connectiontimeout")) {
                add("apache", format!("ProxyPass {option}"), duration(value));
            }
        }
        "requestreadtimeout" => {
            for (part, value) in options().filter(|(part, _)| matches!(*part, "header" | "body")) {
                add("apache", format!("RequestReadTimeout {part}"), first_wait(value));
            }
        }
        "wsgidaemonprocess" => {
            for (option, value) in options().filter(|(option, _)| DAEMON.contains(option)) {
                add("mod_wsgi", option.to_owned(), duration(value));
            }
        }
        _ => {}
    }
}

fn parts(name: &str, stated: &[Stated], passes: &[Pass]) -> Vec<Part> {
    let place = |line: u32| format!("{name}:{line}");
    let state = |part: &mut Part, one: &Stated| {
        let layer = if one.product == "mod_wsgi" { Layer::AppServer } else { Layer::Router };
        match one.value {
            Some(value) => part.state(layer, one.product, &one.setting, value, place(one.line)),
            None => part.leave_open(one.product, &one.setting, place(one.line)),
        }
    };
    let mut parts = Vec::new();
    for pass in passes {
        let mut part = Part::new(Role::Front, format!("apache → {}", pass.target), place(pass.line));
        part.behind.extend(upstream(&pass.target));
        // The nearest holds: the pass's own option, its virtual host's setting, the server's.
        let own = stated.iter().find(|one| one.setting == "ProxyPass timeout" && one.line == pass.line);
        let of = |setting: &str, host: usize| stated.iter().rev().find(|one| one.setting == setting && one.host == host);
        let wide = || {
            of("ProxyTimeout", pass.host)
                .or_else(|| of("ProxyTimeout", 0))
                .or_else(|| of("Timeout", pass.host))
                .or_else(|| of("Timeout", 0))
        };
        match own.or_else(wide) {
            Some(one) => state(&mut part, one),
            None => part.else_default(documented::limit("apache", "Timeout")),
        }
        parts.push(part);
    }
    let mut daemons = Part::new(Role::Server, "mod_wsgi", format!("{name}:1"));
    let mut rest = Part::new(Role::Unused, "apache", format!("{name}:1"));
    let waits_by_timeout = stated.iter().any(|one| one.product == "mod_wsgi") && stated.iter().all(|one| one.setting != "socket-timeout");
    for one in stated {
        let is_used =
            parts.iter().flat_map(|part| &part.limits).any(|limit| limit.setting == one.setting && limit.place == Some(place(one.line)));
        // Apache waits for its daemon processes by `Timeout`, where `socket-timeout` does not say otherwise.
        let holds_for_daemons = one.setting == "Timeout" && one.host == 0 && waits_by_timeout;
        if one.product == "mod_wsgi" {
            daemons.place = place(one.line);
        }
        if one.product == "mod_wsgi" || holds_for_daemons {
            state(&mut daemons, one);
        } else if !is_used {
            state(&mut rest, one);
        }
    }
    parts.extend([daemons, rest].into_iter().filter(|part| !part.limits.is_empty()));
    parts
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

    fn told(parts: &[Part]) -> Vec<String> {
        let one = |limit: &domain::Limit| format!("{} {} {}", limit.product, limit.setting, limit.value_ms.expect("read"));
        parts.iter().flat_map(|part| part.limits.iter().map(one)).collect()
    }

    #[test]
    fn directives_and_options_are_read() {
        let text = "Timeout 60\nproxytimeout 5\n# ProxyTimeout 9\nProxyPass / http://app:8000/ connectiontimeout=500ms timeout=30 retry=0\n\
                    RequestReadTimeout header=20-40,MinRate=500 body=10\nWSGIDaemonProcess app threads=2 request-timeout=12 socket-timeout=0\n";
        let parts = read("apache2.conf", text);
        assert_eq!(
            told(&parts),
            [
                "apache ProxyPass timeout 30 s",
                "mod_wsgi request-timeout 12 s",
                "apache Timeout 60 s",
                "apache ProxyTimeout 5 s",
                "apache ProxyPass connectiontimeout 500 ms",
                "apache RequestReadTimeout body 10 s",
            ]
        );
        assert_eq!(parts[0].behind.len(), 1);
    }

    #[test]
    fn the_virtual_hosts_own_setting_holds() {
        let text = "ProxyTimeout 90\n<VirtualHost *:80>\nProxyTimeout 20\nProxyPass / http://app:8000/\n</VirtualHost>\n<VirtualHost *:81>\nProxyPass / http://b:1/\n</VirtualHost>\n";
        let parts = read("site.conf", text);
        assert_eq!(told(&parts), ["apache ProxyTimeout 20 s", "apache ProxyTimeout 90 s"]);
    }
}
