//! `nginx.conf`, a file of `conf.d`, a site: the timers of the HTTP core and of the upstream modules.
//!
//! A directive may stand in `http`, `server` and `location`, each with another value. Where requests are passed on, the
//! innermost holds; what holds for no pass that is seen here (the file may be included elsewhere) is given with its lines.

use domain::{Layer, Limit, Millis};

use super::part::{Address, Part, Role, upstream};
use crate::documented;

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

/// One block, or the file itself.
#[derive(Default)]
struct Scope {
    /// What opened it: `location /api`, `upstream app`.
    words: Vec<String>,
    /// Timers set in it: setting, value if known, line.
    timers: Vec<(String, Option<Millis>, u32)>,
    passes: Vec<Pass>,
    servers: Vec<Address>,
}

/// A place where requests are passed on.
struct Pass {
    module: &'static str,
    target: String,
    line: u32,
    label: String,
    timers: Vec<(String, Option<Millis>, u32)>,
}

/// Where it passes requests on, and the limits that it states.
pub fn read(name: &str, text: &str) -> Vec<Part> {
    let mut reader = Reader { open: vec![Scope::default()], ..Reader::default() };
    for (line, number) in text.lines().zip(1..) {
        reader.line(line.split('#').next().unwrap_or_default(), number);
    }
    while reader.open.len() > 1 {
        reader.close();
    }
    reader.close();
    reader.parts(name)
}

#[derive(Default)]
struct Reader {
    open: Vec<Scope>,
    words: String,
    upstreams: Vec<(String, Vec<Address>)>,
    timers: Vec<(String, Option<Millis>, u32)>,
    passes: Vec<Pass>,
}

impl Reader {
    /// Several directives may stand in one line, blocks begin and end in it, and a directive may go on in the next.
    fn line(&mut self, code: &str, number: u32) {
        for c in code.chars() {
            match c {
                ';' => {
                    let words = std::mem::take(&mut self.words);
                    self.directive(&words.split_whitespace().collect::<Vec<_>>(), number);
                }
                '{' => {
                    let words = std::mem::take(&mut self.words).split_whitespace().map(str::to_owned).collect();
                    if self.open.len() < DEPTH_MAX {
                        self.open.push(Scope { words, ..Scope::default() });
                    }
                }
                '}' => {
                    self.words.clear();
                    if self.open.len() > 1 {
                        self.close();
                    }
                }
                c => self.words.push(c),
            }
        }
        self.words.push(' ');
    }

    fn directive(&mut self, words: &[&str], line: u32) {
        let (Some(setting), Some(value), Some(scope)) = (words.first(), words.get(1), self.open.last_mut()) else { return };
        if is_timer(setting) {
            scope.timers.push(((*setting).to_owned(), duration(value), line));
        } else if *setting == "server" {
            scope.servers.extend(upstream(value));
        } else if let Some(module) = MODULES.iter().find(|module| setting.strip_prefix(**module) == Some("_pass")) {
            let label = if scope.words.first().is_some_and(|word| word == "location") { scope.words[1..].join(" ") } else { String::new() };
            scope.passes.push(Pass { module, target: (*value).to_owned(), line, label, timers: Vec::new() });
        }
    }

    /// What is set in a block holds for the passes in it that have nothing nearer.
    fn close(&mut self) {
        let Some(mut scope) = self.open.pop() else { return };
        for pass in &mut scope.passes {
            let missing: Vec<_> =
                scope.timers.iter().rev().filter(|(setting, ..)| pass.timers.iter().all(|(known, ..)| known != setting)).cloned().collect();
            pass.timers.extend(missing);
        }
        self.timers.extend(scope.timers);
        if let [kind, name] = scope.words.as_slice()
            && kind == "upstream"
        {
            self.upstreams.push((name.clone(), std::mem::take(&mut scope.servers)));
        }
        match self.open.last_mut() {
            Some(outer) => outer.passes.append(&mut scope.passes),
            None => self.passes = scope.passes,
        }
    }

    fn parts(self, name: &str) -> Vec<Part> {
        let mut parts: Vec<Part> = self.passes.iter().map(|pass| self.part(pass, name)).collect();
        let mut rest = Part::new(Role::Unused, "nginx", format!("{name}:1"));
        for (setting, value, line) in &self.timers {
            let place = format!("{name}:{line}");
            let is_used =
                parts.iter().flat_map(|part| &part.limits).any(|limit| limit.place.as_ref() == Some(&place) && limit.setting == *setting);
            if let Some(value) = value.filter(|_| !is_used) {
                rest.state(Layer::Router, "nginx", setting, value, place);
            }
        }
        rest.limits.sort_by_key(line_of);
        parts.extend(Some(rest).filter(|rest| !rest.limits.is_empty()));
        parts
    }

    fn part(&self, pass: &Pass, name: &str) -> Part {
        let target = pass.target.split_once("://").map_or(pass.target.as_str(), |(_, rest)| rest);
        let shown = format!("nginx {} → {target}", pass.label).replace("  ", " ");
        let mut part = Part::new(Role::Front, shown, format!("{name}:{}", pass.line));
        let own = |setting: &str| setting.split_once('_').is_some_and(|(module, _)| !MODULES.contains(&module) || module == pass.module);
        for (setting, value, line) in pass.timers.iter().filter(|(setting, ..)| own(setting)) {
            match value {
                Some(value) => part.state(Layer::Router, "nginx", setting, *value, format!("{name}:{line}")),
                None => part.leave_open("nginx", setting, format!("{name}:{line}")),
            }
        }
        part.limits.sort_by_key(line_of);
        let setting = format!("{}_read_timeout", pass.module);
        let default = documented::limit("nginx", &setting).and_then(documented::Documented::as_default);
        part.defaults.extend(default.map(|limit| Limit { setting, ..limit }));
        let host = target.split(['/', ':']).next().unwrap_or_default();
        let named = self.upstreams.iter().find(|(upstream, _)| upstream == host);
        part.behind = named.map_or_else(|| upstream(&pass.target).into_iter().collect(), |(_, servers)| servers.clone());
        part
    }
}

/// Deeper than nginx lets blocks go.
const DEPTH_MAX: usize = 16;

fn line_of(limit: &Limit) -> u32 {
    limit.place.as_deref().and_then(|place| place.rsplit(':').next()?.parse().ok()).unwrap_or_default()
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

    fn told(part: &Part) -> Vec<String> {
        let one = |limit: &Limit| format!("{} {} {}", limit.setting, limit.value_ms.expect("read"), limit.place.as_deref().expect("known"));
        part.limits.iter().map(one).collect()
    }

    #[test]
    fn every_place_and_spelling_is_read() {
        let text = "http {\n  proxy_read_timeout 60s; # long\n  server { location / { proxy_pass http://app; proxy_read_timeout 1m30s; fastcgi_read_timeout 5; } }\n\
                    # proxy_connect_timeout 1s;\n  client_body_timeout 500ms;\n  keepalive_timeout 75s;\n  proxy_send_timeout $slow;\n}\n";
        let parts = read("nginx.conf", text);
        assert_eq!(parts.len(), 2);
        assert_eq!(told(&parts[0]), ["proxy_read_timeout 90 s nginx.conf:3", "client_body_timeout 500 ms nginx.conf:5"]);
        assert_eq!(told(&parts[1]), ["proxy_read_timeout 60 s nginx.conf:2", "fastcgi_read_timeout 5 s nginx.conf:3"]);
        assert_eq!(parts[0].behind, [Address::Host { host: "app".to_owned(), port: None }]);
        assert_eq!(parts[0].unknown.len(), 1);
    }

    #[test]
    fn a_named_upstream_stands_for_its_servers() {
        let text = "upstream app {\n  server 10.0.0.5:8000 max_fails=3;\n  server unix:/run/app.sock;\n}\nserver {\n  location /api/ {\n    proxy_pass http://app/;\n  }\n}\n";
        let parts = read("site.conf", text);
        assert_eq!((parts.len(), parts[0].name.as_str(), parts[0].place.as_str()), (1, "nginx /api/ → app/", "site.conf:7"));
        assert_eq!(parts[0].behind, [Address::Host { host: "10.0.0.5".to_owned(), port: Some(8000) }, Address::Local { port: None }]);
        assert_eq!(parts[0].defaults.len(), 1);
    }

    #[test]
    fn a_file_without_a_pass_keeps_its_limits() {
        let parts = read("timeouts.conf", "proxy_read_timeout 5s;\n");
        assert_eq!(told(&parts[0]), ["proxy_read_timeout 5 s timeouts.conf:1"]);
        assert!(parts[0].behind.is_empty());
    }
}
