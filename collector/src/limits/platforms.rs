//! Files of platforms that are small: `fly.toml`, `vercel.json`, Azure's `host.json` and `function.json`, OpenWhisk's
//! manifest.
//!
//! Names as the platforms' references have them, read in November 2026; Fly's `idle_timeout` is from posts of its forum.

use domain::Millis;

use super::command::{Command, duration};
use super::part::{Address, Part, Role, folder};
use super::tree::Node;
use crate::documented;

/// `fly.toml`: its proxy's idle timeout, the kill timeout, and the processes.
pub fn fly(name: &str, node: &Node) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let processes: Vec<(&str, Option<&Node>)> = match node.get("processes") {
        Some(processes) => processes.entries().map(|(process, command)| (process, Some(command))).collect(),
        None => vec![("app", None)],
    };
    for (process, command) in processes {
        let mut part = Part::new(Role::Server, format!("fly {process}"), format!("{name}:{}", command.map_or(1, |node| node.line)));
        part.else_default(documented::limit("fly", "kill_timeout"));
        if let Some(kill) = node.get("kill_timeout") {
            part.read("fly", "kill_timeout", kill.text().unwrap_or_default(), duration, format!("{name}:{}", kill.line));
        }
        if serves(node, process) {
            part.else_default(documented::limit("fly", IDLE));
            for idle in idle_timeouts(node) {
                part.read("fly", IDLE, idle.text().unwrap_or_default(), duration, format!("{name}:{}", idle.line));
            }
        }
        let mut words = Command::default();
        words.add_environment(node.get("env"), name);
        words.add_node(command, name);
        words.tell(&mut part, name);
        if command.is_none() {
            let dockerfile = node.text_at(&["build", "dockerfile"]).unwrap_or("Dockerfile");
            part.made_from.push(Address::Folder { kind: "Dockerfile", folder: folder(&super::part::beside(name, dockerfile)) });
            part.made_from.push(Address::Folder { kind: "Procfile", folder: folder(name) });
        }
        parts.push(part);
    }
    parts
}

const IDLE: &str = "http_options.idle_timeout";

/// Whether Fly's proxy passes requests on to that process.
fn serves(node: &Node, process: &str) -> bool {
    let services = node.get("http_service").into_iter().chain(node.get("services").map(Node::items).unwrap_or_default());
    services.into_iter().any(|service| service.get("processes").is_none_or(|names| names.texts().contains(&process)))
}

fn idle_timeouts(node: &Node) -> Vec<&Node> {
    let ports = node
        .get("services")
        .map(Node::items)
        .unwrap_or_default()
        .iter()
        .flat_map(|service| service.get("ports").map(Node::items).unwrap_or_default());
    let http = node.at(&["http_service", "http_options", "idle_timeout"]);
    http.into_iter().chain(ports.filter_map(|port| port.at(&["http_options", "idle_timeout"]))).collect()
}

/// `vercel.json`: `functions.*.maxDuration`.
pub fn vercel(name: &str, node: &Node) -> Vec<Part> {
    let with_limit = |(pattern, function): (&str, &Node)| {
        let duration = function.get("maxDuration")?;
        let mut part = Part::new(Role::Function, pattern, format!("{name}:{}", function.line));
        part.logged_as.push(pattern.to_owned());
        part.read("vercel", "maxDuration", duration.text().unwrap_or_default(), Millis::parse_seconds, format!("{name}:{}", duration.line));
        Some(part)
    };
    node.get("functions").into_iter().flat_map(Node::entries).filter_map(with_limit).collect()
}

/// Whether a JSON file called `host.json` is Azure Functions'.
pub fn is_azure_host(node: &Node) -> bool {
    ["version", "functionTimeout", "extensionBundle", "logging"].iter().any(|key| node.get(key).is_some())
}

/// `host.json`: `functionTimeout`, as `hh:mm:ss`; `-1` is none.
pub fn azure_host(name: &str, node: &Node) -> Vec<Part> {
    let mut part = Part::new(Role::Server, "function app", format!("{name}:1"));
    part.known_as.push(Address::Folder { kind: "host.json", folder: folder(name) });
    if let Some(timeout) = node.get("functionTimeout") {
        part.read("azure_functions", "functionTimeout", timeout.text().unwrap_or_default(), time_span, format!("{name}:{}", timeout.line));
    }
    vec![part]
}

/// `function.json`: an HTTP trigger has the platform's front end before it.
pub fn azure_function(name: &str, node: &Node) -> Vec<Part> {
    let bindings = node.get("bindings").map(Node::items).unwrap_or_default();
    let http = bindings.iter().find(|binding| binding.text_at(&["type"]) == Some("httpTrigger"));
    let front = |binding: &Node| {
        let own = folder(name);
        let mut part = Part::new(
            Role::Front,
            format!("HTTP trigger of {}", own.rsplit('/').next().unwrap_or_default()),
            format!("{name}:{}", binding.line),
        );
        part.else_default(documented::limit("azure_functions", "(fixed) HTTP front end"));
        part.behind.push(Address::Folder { kind: "host.json", folder: folder(&own) });
        part
    };
    http.map(front).into_iter().collect()
}

/// `hh:mm:ss`, or `-1` and `-00:00:01` for none.
fn time_span(text: &str) -> Option<Millis> {
    if text.starts_with('-') {
        return Some(Millis::ZERO);
    }
    let (days, clock) = text.split_once('.').map_or((0, text), |(days, clock)| (days.parse().unwrap_or(0), clock));
    let parts: Vec<i64> = clock.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    let whole = i64::checked_mul(days, 86_400)?
        .checked_add(hours.checked_mul(3600)?)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(*seconds)?;
    whole.checked_mul(1000).map(Millis::from_ms)
}

/// Whether a tree is a manifest of wskdeploy, or of Adobe's App Builder, which has one in it.
pub fn is_openwhisk(node: &Node) -> bool {
    packages(node).is_some_and(|packages| packages.entries().any(|(_, package)| package.get("actions").is_some()))
}

fn packages(node: &Node) -> Option<&Node> {
    [&["packages"][..], &["project", "packages"], &["application", "runtimeManifest", "packages"]]
        .into_iter()
        .find_map(|path| node.at(path))
}

/// The actions of a manifest; `limits.timeout` is in milliseconds.
pub fn openwhisk(name: &str, node: &Node) -> Vec<Part> {
    let mut parts = Vec::new();
    for (package, content) in packages(node).into_iter().flat_map(Node::entries) {
        for (id, action) in content.get("actions").into_iter().flat_map(Node::entries) {
            let address = Address::Resource { file: name.to_owned(), id: format!("{package}/{id}") };
            let mut part = Part::new(Role::Function, id, format!("{name}:{}", action.line));
            part.known_as.push(address.clone());
            part.logged_as = vec![id.to_owned(), format!("*/{id}")];
            part.else_default(documented::limit("openwhisk", "timeout"));
            if let Some(timeout) = action.at(&["limits", "timeout"]) {
                part.read("openwhisk", "timeout", timeout.text().unwrap_or_default(), Millis::parse_ms, format!("{name}:{}", timeout.line));
            }
            if is_web(action) {
                let mut wait = Part::new(Role::Front, format!("web action {id}"), format!("{name}:{}", action.line));
                wait.else_default(documented::limit("openwhisk", "(fixed) blocking wait"));
                wait.behind.push(address);
                parts.push(wait);
            }
            parts.push(part);
        }
    }
    parts
}

/// Web actions are called blocking: whoever calls gets no answer after the blocking wait.
fn is_web(action: &Node) -> bool {
    let web =
        action.text_at(&["web"]).or_else(|| action.text_at(&["web-export"])).or_else(|| action.text_at(&["annotations", "web-export"]));
    web.is_some_and(|web| matches!(web, "true" | "yes" | "raw"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tree::{json, toml, yaml};

    fn told(parts: &[Part]) -> Vec<String> {
        let one = |part: &Part| {
            let limits = part.limits.iter().map(|limit| format!("{} {}", limit.setting, limit.value_ms.expect("read")));
            format!("{}: {}", part.name, limits.collect::<Vec<_>>().join(", "))
        };
        parts.iter().map(one).collect()
    }

    #[test]
    fn flys_proxy_processes_and_kill_timeout_are_read() {
        let text = "app = 'x'\nkill_timeout = '1m'\n[processes]\nweb = 'gunicorn app:app --timeout 90'\nworker = 'celery -A x worker'\n[http_service]\ninternal_port = 8080\nprocesses = ['web']\n[http_service.http_options]\nidle_timeout = 75\n";
        let parts = fly("fly.toml", &toml(text).expect("it is TOML"));
        assert_eq!(
            told(&parts),
            ["fly web: kill_timeout 60 s, http_options.idle_timeout 75 s, --timeout 90 s", "fly worker: kill_timeout 60 s"]
        );
    }

    #[test]
    fn vercels_durations_and_azures_time_spans_are_read() {
        let parts = vercel(
            "vercel.json",
            &json("{\"functions\": {\"api/*.ts\": {\"maxDuration\": 60}, \"b.ts\": {\"memory\": 1}}}").expect("it is JSON"),
        );
        assert_eq!(told(&parts), ["api/*.ts: maxDuration 60 s"]);
        let host = |text: &str| azure_host("host.json", &json(&format!("{{\"functionTimeout\": \"{text}\"}}")).expect("it is JSON"));
        assert_eq!(told(&host("00:10:00")), ["function app: functionTimeout 10 min"]);
        assert_eq!(told(&host("-1")), ["function app: "]);
        assert_eq!(told(&host("1.00:00:00")), ["function app: functionTimeout 24 h"]);
    }

    #[test]
    fn an_http_trigger_has_the_front_end_before_it() {
        let trigger = json("{\"bindings\": [{\"type\": \"httpTrigger\"}]}").expect("it is JSON");
        let parts = azure_function("app/report/function.json", &trigger);
        assert_eq!(parts[0].behind, [Address::Folder { kind: "host.json", folder: "app".to_owned() }]);
        assert_eq!(parts[0].defaults.len(), 1);
        assert!(
            azure_function("app/q/function.json", &json("{\"bindings\": [{\"type\": \"queueTrigger\"}]}").expect("it is JSON")).is_empty()
        );
    }

    #[test]
    fn openwhisks_milliseconds_and_web_actions_are_read() {
        let text = "packages:\n  shop:\n    actions:\n      report:\n        function: r.js\n        web: true\n        limits:\n          timeout: 120000\n      job:\n        function: j.js\n";
        let node = &yaml(text).expect("it is YAML")[0];
        assert!(is_openwhisk(node));
        assert_eq!(told(&openwhisk("manifest.yaml", node)), ["web action report: ", "report: timeout 2 min", "job: "]);
    }
}
