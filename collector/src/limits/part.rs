//! What configuration files yield: the parts of a stack, each with its limits and with what it says of its neighbours.

use domain::{KnownFrom, Layer, Limit, Millis, Product};

use crate::documented::{self, Documented};

/// One piece of a stack that requests pass: a function, a server's process, a proxy's backend, a queue.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// What its file calls it: `checkout`, `web`, `nginx → app:8000`.
    pub name: String,
    /// Where it stands: `template.yaml:12`.
    pub place: String,
    /// What kind of thing it is.
    pub role: Role,
    /// The limits that the file states.
    pub limits: Vec<Limit>,
    /// Limits that hold where none is stated.
    pub defaults: Vec<Limit>,
    /// Settings that the file states with a value that is only known where it runs: limits without a value.
    pub unknown: Vec<Limit>,
    /// Limits that the file switches off: product, setting. Their defaults do not hold.
    pub off: Vec<(String, String)>,
    /// What others may call it by.
    pub known_as: Vec<Address>,
    /// What lies behind it: requests go on there.
    pub behind: Vec<Address>,
    /// What it is made from: the same process, told by another file.
    pub made_from: Vec<Address>,
    /// What logs call it, `*` for what they put in its place: `*-checkout-*`.
    pub logged_as: Vec<String>,
}

/// What a part is to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It passes requests on.
    #[default]
    Front,
    /// It is a function: logs name it, and limits of one say nothing about another.
    Function,
    /// It runs requests, or holds what does.
    Server,
    /// Settings of a file that hold for nothing that is seen in it.
    Unused,
    /// Heroku, as a Procfile suggests it. Dropped where anything else in the project says how the process is run.
    Heroku,
}

/// How one part speaks of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A resource of the same file.
    Resource {
        /// The file.
        file: String,
        /// Its logical name there.
        id: String,
    },
    /// A name and a port on a network: `app:8000`.
    Host {
        /// The name, in lower case.
        host: String,
        /// The port, where the file gives one.
        port: Option<u16>,
    },
    /// The same machine: `127.0.0.1:8000`, a socket.
    Local {
        /// The port, where the file gives one.
        port: Option<u16>,
    },
    /// Every function of OpenFaaS.
    OpenFaas,
    /// Kubernetes' labels: a pod's, or those that a service selects.
    Labels(Vec<(String, String)>),
    /// A file or a folder of files that is put into a container.
    File(String),
    /// What a Dockerfile, a Procfile or gunicorn.conf.py in that folder says.
    Folder {
        /// Which kind of file.
        kind: &'static str,
        /// The folder, without a slash at its end; `` for the top.
        folder: String,
    },
}

impl Part {
    /// A part of a file.
    pub fn new(role: Role, name: impl Into<String>, place: String) -> Self {
        Self { role, name: name.into(), place, ..Self::default() }
    }

    /// Adds a limit that the file states; zero is no limit, and keeps the default away.
    pub fn state(&mut self, layer: Layer, product: &str, setting: &str, value: Millis, place: String) {
        if value > Millis::ZERO {
            self.limits.push(configured(layer, product, setting, Some(value), place));
        } else {
            self.off.push((product.to_owned(), setting.to_owned()));
        }
    }

    /// Adds a limit of the table that the file states.
    pub fn set(&mut self, product: &str, setting: &str, value: Millis, place: String) {
        if let Some(entry) = documented::limit(product, setting) {
            self.state(entry.layer, product, setting, value, place);
        }
    }

    /// Adds a limit whose text is a value, or something that is only known elsewhere.
    pub fn read(&mut self, product: &str, setting: &str, text: &str, unit: fn(&str) -> Option<Millis>, place: String) {
        match unit(text.trim()) {
            Some(value) => self.set(product, setting, value, place),
            None => self.leave_open(product, setting, place),
        }
    }

    /// Notes that the file sets it to what is not known here: its default does not hold.
    pub fn leave_open(&mut self, product: &str, setting: &str, place: String) {
        if let Some(entry) = documented::limit(product, setting) {
            self.unknown.push(configured(entry.layer, product, setting, None, place));
        }
    }

    /// Whether it says nothing of limits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.defaults.is_empty() && self.unknown.is_empty()
    }

    /// What the table says holds where the file says nothing.
    pub fn else_default(&mut self, entry: Option<&Documented>) {
        self.defaults.extend(entry.and_then(Documented::as_default));
    }
}

fn configured(layer: Layer, product: &str, setting: &str, value_ms: Option<Millis>, place: String) -> Limit {
    let product = Product::from(product.to_owned());
    Limit { layer, product, setting: setting.to_owned(), value_ms, known_from: KnownFrom::Configured, place: Some(place) }
}

/// The folder of a file: `` for the top.
pub fn folder(file: &str) -> String {
    file.rsplit_once('/').map_or_else(String::new, |(folder, _)| folder.to_owned())
}

/// A path as one file names it, seen from the file's folder: `./api` in `deploy/compose.yaml` is `deploy/api`.
pub fn beside(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let folder = folder(file);
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Where a proxy sends requests: `http://app:8000/path`, `app:8000`, `unix:/run/app.sock`, `127.0.0.1`.
pub fn upstream(text: &str) -> Option<Address> {
    let text = text.trim().trim_matches(['"', '\'']);
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    if text.starts_with('/') || rest.starts_with("unix") || scheme.starts_with("unix") {
        return Some(Address::Local { port: None });
    }
    let authority = rest.split(['/', '?', ';', ' ']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
        None => (authority, None),
    };
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let is_name = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':'));
    match host.as_str() {
        "localhost" | "::1" | "0.0.0.0" => Some(Address::Local { port }),
        host if host.starts_with("127.") => Some(Address::Local { port }),
        _ if !is_name => None,
        _ => Some(Address::Host { host, port }),
    }
}

/// Where a server listens: `0.0.0.0:8000`, `:8000`, `unix:/run/app.sock`.
pub fn listens(text: &str) -> Option<Address> {
    let text = text.trim().trim_matches(['"', '\'']);
    if text.contains("unix:") || text.starts_with('/') {
        return Some(Address::Local { port: None });
    }
    let port = text.rsplit(':').next()?.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok()?;
    Some(Address::Local { port: Some(port) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        let host = |host: &str, port| Some(Address::Host { host: host.to_owned(), port });
        assert_eq!(upstream("http://App:8000/api/"), host("app", Some(8000)));
        assert_eq!(upstream("app.shop.svc.cluster.local"), host("app.shop.svc.cluster.local", None));
        assert_eq!(upstream("http://127.0.0.1:8080"), Some(Address::Local { port: Some(8080) }));
        assert_eq!(upstream("http://unix:/run/app.sock:/"), Some(Address::Local { port: None }));
        assert_eq!((upstream("http://$backend"), upstream("")), (None, None));
        assert_eq!(listens("0.0.0.0:$PORT"), None);
        assert_eq!(listens(":8000"), Some(Address::Local { port: Some(8000) }));
    }

    #[test]
    fn paths_are_seen_from_the_file_that_names_them() {
        assert_eq!(beside("deploy/compose.yaml", "./api"), "deploy/api");
        assert_eq!(beside("deploy/compose.yaml", ".."), "");
        assert_eq!(beside("compose.yaml", "."), "");
    }

    #[test]
    fn a_limit_that_is_off_or_unknown_keeps_its_default_away() {
        let mut part = Part::new(Role::Server, "web", "Procfile:1".to_owned());
        part.read("gunicorn", "--timeout", "0", Millis::parse_seconds, "Procfile:1".to_owned());
        part.read("gunicorn", "--graceful-timeout", "$GRACE", Millis::parse_seconds, "Procfile:1".to_owned());
        assert!(part.limits.is_empty());
        assert_eq!((part.off.len(), part.unknown.len()), (1, 1));
    }
}
