//! `serverless.yml` of the Serverless Framework, for AWS.
//!
//! Names and defaults from the framework's documentation, read in November 2026: a function's `timeout` in seconds, else the
//! provider's, else 6 s; an `http` event makes a REST API, `httpApi` an HTTP API.

use domain::Millis;

use super::cloudformation::Template;
use super::part::{Address, Part, Role};
use super::tree::Node;
use crate::documented;

/// Whether a tree is one.
pub fn is_one(node: &Node) -> bool {
    node.get("service").is_some() && (node.get("functions").is_some() || node.get("provider").is_some()) && node.get("provider").is_some()
}

/// Its functions, the APIs and queues in front of them, and its resources.
pub fn read(name: &str, node: &Node) -> Vec<Part> {
    let provider = node.text_at(&["provider", "name"]).or_else(|| node.text_at(&["provider"]));
    if provider.is_some_and(|provider| provider != "aws") {
        return Vec::new();
    }
    let nothing = Node::default();
    let resources = node.at(&["resources", "Resources"]).unwrap_or(&nothing);
    let template = Template { file: name, resources, parameters: None, globals: None };
    let file = File { name, node, template: &template };
    let mut parts = template.parts();
    let functions = node.get("functions");
    // A list of maps is allowed as well.
    let lists = functions.map(Node::items).unwrap_or_default().iter().flat_map(Node::entries);
    for (id, function) in functions.into_iter().flat_map(Node::entries).chain(lists) {
        file.function(id, function, &mut parts);
    }
    parts
}

struct File<'n> {
    name: &'n str,
    node: &'n Node,
    template: &'n Template<'n>,
}

impl File<'_> {
    fn function(&self, id: &str, function: &Node, parts: &mut Vec<Part>) {
        let mut part = Part::new(Role::Function, id, format!("{}:{}", self.name, function.line));
        let service = self.node.text_at(&["service"]).or_else(|| self.node.text_at(&["service", "name"])).unwrap_or("*");
        part.logged_as = match function.text_at(&["name"]) {
            Some(name) => vec![without_variables(name)],
            None => vec![id.to_owned(), format!("{}-*-{id}", without_variables(service))],
        };
        let address = Address::Resource { file: self.name.to_owned(), id: format!("function {id}") };
        part.known_as.push(address.clone());
        part.else_default(documented::variant("aws_lambda", "Serverless Framework", "Timeout"));
        let timeout = function.get("timeout").or_else(|| self.node.at(&["provider", "timeout"]));
        self.state(&mut part, "aws_lambda", "Timeout", timeout, Millis::parse_seconds);
        for event in function.get("events").map(Node::items).unwrap_or_default() {
            self.event(id, event, &address, parts);
        }
        parts.push(part);
    }

    fn event(&self, id: &str, event: &Node, function: &Address, parts: &mut Vec<Part>) {
        // `- http: GET /x` and `- httpApi: '*'` are maps of one key; `- http` alone is a text.
        let pairs = event.entries().map(|(kind, node)| (kind, Some(node))).chain(event.text().map(|kind| (kind, None)));
        for (kind, node) in pairs {
            match kind {
                "http" | "httpApi" => {
                    let (title, setting) = if kind == "http" { ("REST", "timeoutInMillis") } else { ("HTTP", "timeout") };
                    let mut part =
                        Part::new(Role::Front, format!("API Gateway ({title}) of {id}"), format!("{}:{}", self.name, event.line));
                    part.else_default(documented::variant("api_gateway", title, "TimeoutInMillis"));
                    let timeout = node.and_then(|node| node.get(setting));
                    let unit = if kind == "http" { Millis::parse_ms } else { Millis::parse_seconds };
                    self.state(&mut part, "api_gateway", "TimeoutInMillis", timeout, unit);
                    part.behind.push(function.clone());
                    parts.push(part);
                }
                "sqs" | "alb" => {
                    let target = node.and_then(|node| node.get("arn").or_else(|| node.get("listenerArn")).or(Some(node)));
                    let referred =
                        target.map(|target| super::cloudformation::refer::to(target, self.template.resources)).unwrap_or_default();
                    let outer: Vec<Address> = referred.iter().map(|id| self.template.id(id)).collect();
                    for part in parts.iter_mut().filter(|part| part.known_as.iter().any(|name| outer.contains(name))) {
                        part.behind.push(function.clone());
                    }
                }
                _ => {}
            }
        }
    }

    fn state(&self, part: &mut Part, product: &str, setting: &str, node: Option<&Node>, unit: fn(&str) -> Option<Millis>) {
        let Some(node) = node else { return };
        match node.text().and_then(|text| self.resolved(text)) {
            Some(text) => part.read(product, setting, text, unit, format!("{}:{}", self.name, node.line)),
            None => part.leave_open(product, setting, format!("{}:{}", self.name, node.line)),
        }
    }

    /// A value, or what `${self:custom.timeout}` leads to in this file; anything else is known only when it is deployed.
    fn resolved<'t>(&'t self, text: &'t str) -> Option<&'t str> {
        let Some(variable) = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else { return Some(text) };
        let path: Vec<&str> = variable.strip_prefix("self:")?.split(',').next()?.trim().split('.').collect();
        self.node.text_at(&path).filter(|value| !value.contains("${"))
    }
}

/// A name with `*` for its variables.
fn without_variables(name: &str) -> String {
    let mut parts = name.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + "*" + part.rsplit_once('}').map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tree::yaml;

    fn parts(text: &str) -> Vec<Part> {
        let documents = yaml(text).expect("it is YAML");
        assert!(is_one(&documents[0]));
        read("serverless.yml", &documents[0])
    }

    fn told(parts: &[Part]) -> Vec<String> {
        let one = |part: &Part| {
            let limit = part.limits.first().or(part.defaults.first());
            let value = limit
                .filter(|_| part.unknown.is_empty())
                .and_then(|limit| limit.value_ms)
                .map_or("?".to_owned(), |value| value.to_string());
            format!("{} {value}{}", part.name, if part.limits.is_empty() { " by default" } else { "" })
        };
        parts.iter().map(one).collect()
    }

    #[test]
    fn the_functions_own_timeout_comes_before_the_providers_and_that_before_the_frameworks() {
        let text = "service: shop\ncustom:\n  slow: 45\nprovider:\n  name: aws\n  timeout: 20\nfunctions:\n  a:\n    handler: a.h\n  b:\n    timeout: 10\n    events:\n      - http: GET /b\n      - httpApi: '*'\n  c:\n    timeout: ${self:custom.slow}\n  d:\n    timeout: ${env:T, 5}\n";
        assert_eq!(
            told(&parts(text)),
            [
                "a 20 s",
                "API Gateway (REST) of b 29 s by default",
                "API Gateway (HTTP) of b 30 s by default",
                "b 10 s",
                "c 45 s",
                "d ? by default"
            ]
        );
        let plain = parts("service: shop\nprovider: {name: aws}\nfunctions: {a: {handler: a.h}}\n");
        assert_eq!(told(&plain), ["a 6 s by default"]);
        assert_eq!(plain[0].logged_as, ["a", "shop-*-a"]);
    }

    #[test]
    fn a_queue_among_the_resources_is_in_front_of_its_function() {
        let text = "service: shop\nprovider: {name: aws}\nfunctions:\n  worker:\n    timeout: 60\n    events:\n      - sqs:\n          arn: !GetAtt Jobs.Arn\nresources:\n  Resources:\n    Jobs:\n      Type: AWS::SQS::Queue\n      Properties: {VisibilityTimeout: 30}\n";
        let parts = parts(text);
        assert_eq!(told(&parts), ["Jobs 30 s", "worker 60 s"]);
        assert_eq!(parts[0].behind, parts[1].known_as);
    }
}
