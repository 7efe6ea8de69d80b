//! OpenFaaS' `stack.yml`, its `Function` objects in Kubernetes, and the values of its Helm chart.
//!
//! Variables as the watchdogs' and the gateway's documentation have them, read in November 2026. Values are Go durations, or
//! whole seconds.

use super::command::{Command, duration};
use super::part::{Address, Part, Role};
use super::tree::Node;
use crate::documented;

/// The gateway's settings in the chart's values, and what they become in its environment.
const CHART: [(&str, &str); 3] =
    [("upstreamTimeout", "upstream_timeout"), ("readTimeout", "read_timeout"), ("writeTimeout", "write_timeout")];

/// Whether a tree is a stack file.
pub fn is_stack(node: &Node) -> bool {
    node.get("functions").is_some() && node.text_at(&["provider", "name"]) == Some("openfaas")
}

/// Whether a tree holds values of the Helm chart.
pub fn is_chart(node: &Node) -> bool {
    CHART.iter().any(|(key, _)| node.at(&["gateway", key]).is_some())
}

/// A stack's functions.
pub fn read(name: &str, node: &Node) -> Vec<Part> {
    node.get("functions").into_iter().flat_map(Node::entries).map(|(id, function)| part(name, id, function)).collect()
}

/// One function, of a stack or of Kubernetes.
pub fn part(name: &str, id: &str, function: &Node) -> Part {
    let mut part = Part::new(Role::Function, id, format!("{name}:{}", function.line));
    part.known_as = vec![Address::OpenFaas, Address::Host { host: id.to_ascii_lowercase(), port: None }];
    part.logged_as.push(id.to_owned());
    let mut command = Command::default();
    // Every function of OpenFaaS runs in a watchdog; the template decides in which.
    command.add_line("fwatchdog", &part.place);
    command.add_environment(function.get("environment"), name);
    for key in ["annotations", "labels"] {
        for (annotation, value) in function.get(key).into_iter().flat_map(Node::entries) {
            let setting = annotation.rsplit(['/', '.']).next().unwrap_or_default();
            command.add_variable(setting, value.text().unwrap_or_default(), &format!("{name}:{}", value.line));
        }
    }
    command.tell(&mut part, name);
    // Another file may say more.
    if let Some(elsewhere) = function.get("environment_file") {
        for setting in ["exec_timeout", "read_timeout", "write_timeout"] {
            if is_stated(&part, setting) {
                continue;
            }
            part.leave_open("of_watchdog", setting, format!("{name}:{}", elsewhere.line));
        }
    }
    part.behind.retain(|address| *address != Address::OpenFaas);
    part
}

fn is_stated(part: &Part, setting: &str) -> bool {
    part.limits.iter().any(|limit| limit.setting == setting)
}

/// The gateway that the chart's values describe.
pub fn chart(name: &str, node: &Node) -> Vec<Part> {
    let Some(gateway) = node.get("gateway") else { return Vec::new() };
    let mut part = Part::new(Role::Front, "OpenFaaS gateway", format!("{name}:{}", gateway.line));
    part.behind.push(Address::OpenFaas);
    for (key, setting) in CHART {
        part.else_default(documented::limit("openfaas_gateway", setting));
        if let Some(value) = gateway.get(key) {
            part.read("openfaas_gateway", setting, value.text().unwrap_or_default(), duration, format!("{name}:{}", value.line));
        }
    }
    vec![part]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tree::yaml;

    #[test]
    fn a_functions_environment_is_read() {
        let text = "version: 1.0\nprovider:\n  name: openfaas\nfunctions:\n  report:\n    image: r\n    environment:\n      exec_timeout: 1m\n      write_timeout: 65\n";
        let documents = yaml(text).expect("it is YAML");
        assert!(is_stack(&documents[0]));
        let parts = read("stack.yml", &documents[0]);
        let told: Vec<_> =
            parts[0].limits.iter().map(|limit| format!("{} {} {:?}", limit.setting, limit.value_ms.expect("read"), limit.place)).collect();
        assert!(told.contains(&"exec_timeout 60 s Some(\"stack.yml:8\")".to_owned()), "{told:?}");
        assert!(told.contains(&"write_timeout 65 s Some(\"stack.yml:9\")".to_owned()), "{told:?}");
    }

    #[test]
    fn the_charts_values_are_a_gateway() {
        let documents = yaml("gateway:\n  upstreamTimeout: 1m0s\n  writeTimeout: 65s\n").expect("it is YAML");
        assert!(is_chart(&documents[0]));
        let parts = chart("values.yaml", &documents[0]);
        assert_eq!((parts[0].limits.len(), parts[0].behind.len()), (2, 1));
    }
}
