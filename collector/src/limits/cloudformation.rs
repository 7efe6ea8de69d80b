//! CloudFormation and SAM templates, in YAML and JSON: functions, queues, API Gateway, load balancers, CloudFront.
//!
//! Types and properties as AWS's CloudFormation and SAM references have them, read in November 2026.

mod fronts;
pub mod refer;

use domain::Millis;

use super::part::{Address, Part, Role};
use super::tree::Node;
use crate::documented;

/// Whether a tree is a template.
pub fn is_one(node: &Node) -> bool {
    let is_aws = |resource: &Node| resource.text_at(&["Type"]).is_some_and(|kind| kind.starts_with("AWS::"));
    node.get("AWSTemplateFormatVersion").is_some() || node.get("Resources").is_some_and(|all| all.entries().any(|(_, one)| is_aws(one)))
}

/// Its functions, and what stands in front of them.
pub fn read(name: &str, node: &Node) -> Vec<Part> {
    let Some(resources) = node.get("Resources") else { return Vec::new() };
    Template { file: name, resources, parameters: node.get("Parameters"), globals: node.get("Globals") }.parts()
}

/// A template, or the resources of a serverless.yml.
pub struct Template<'n> {
    /// Its file.
    pub file: &'n str,
    /// Resources by logical name.
    pub resources: &'n Node,
    /// Parameters by name.
    pub parameters: Option<&'n Node>,
    /// SAM's globals.
    pub globals: Option<&'n Node>,
}

impl Template<'_> {
    /// What it yields.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for (id, resource) in self.resources.entries() {
            let kind = resource.text_at(&["Type"]).unwrap_or_default();
            let nothing = Node::default();
            let properties = resource.get("Properties").unwrap_or(&nothing);
            match kind {
                "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
                    parts.push(self.function(id, resource.line, properties, kind));
                    parts.extend(self.events(id, properties));
                }
                "AWS::SQS::Queue" => parts.push(self.queue(id, resource.line, properties)),
                kind => parts.extend(self.front(kind, id, resource.line, properties)),
            }
        }
        self.link_backwards(&mut parts);
        parts
    }

    /// How this file calls a resource.
    pub fn id(&self, id: &str) -> Address {
        Address::Resource { file: self.file.to_owned(), id: id.to_owned() }
    }

    fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.file)
    }

    fn function(&self, id: &str, line: u32, properties: &Node, kind: &str) -> Part {
        let mut part = Part::new(Role::Function, id, self.place(line));
        part.known_as = vec![self.id(id), self.id(&format!("{id}Url"))];
        // The stack's name stands before, a random suffix behind.
        part.logged_as = vec![id.to_owned(), format!("*-{id}-*")];
        if let Some(name) = properties.get("FunctionName") {
            part.logged_as = vec![refer::pattern(name)];
        }
        let global = || self.globals.filter(|_| kind == "AWS::Serverless::Function")?.at(&["Function", "Timeout"]);
        part.else_default(documented::limit("aws_lambda", "Timeout"));
        self.state(&mut part, "Timeout", "aws_lambda", properties.get("Timeout").or_else(global), Millis::parse_seconds);
        part
    }

    fn queue(&self, id: &str, line: u32, properties: &Node) -> Part {
        let mut part = Part::new(Role::Front, id, self.place(line));
        part.known_as.push(self.id(id));
        part.else_default(documented::limit("sqs", "VisibilityTimeout"));
        self.state(&mut part, "VisibilityTimeout", "sqs", properties.get("VisibilityTimeout"), Millis::parse_seconds);
        part
    }

    /// SAM's events: an API in front of the function for each that makes one.
    fn events(&self, id: &str, properties: &Node) -> Vec<Part> {
        let events = properties.get("Events").map(|events| events.entries().collect::<Vec<_>>()).unwrap_or_default();
        let mut parts = Vec::new();
        for (event, node) in events {
            let (kind, api, implicit) = match node.text_at(&["Type"]) {
                Some("Api") => ("REST", "RestApiId", "ServerlessRestApi"),
                Some("HttpApi") => ("HTTP", "ApiId", "ServerlessHttpApi"),
                _ => continue,
            };
            let apis = node.at(&["Properties", api]).map(|api| refer::to(api, self.resources)).unwrap_or_default();
            let mut part = self.gateway(kind, &format!("{id}'s event {event}"), node.line, node.at(&["Properties", "TimeoutInMillis"]));
            part.known_as.extend(if apis.is_empty() { vec![self.id(implicit)] } else { apis.iter().map(|api| self.id(api)).collect() });
            part.behind.push(self.id(id));
            // An API that is defined elsewhere may set each integration's timeout.
            let defined = |api: &String| self.resources.at(&[api, "Properties", "DefinitionUri"]).is_some();
            if kind == "REST" && apis.iter().any(defined) {
                part.leave_open("api_gateway", "TimeoutInMillis", self.place(node.line));
            }
            parts.push(part);
        }
        parts
    }

    /// An API Gateway in front of something.
    pub fn gateway(&self, kind: &str, what: &str, line: u32, timeout: Option<&Node>) -> Part {
        let mut part = Part::new(Role::Front, format!("API Gateway ({kind}) of {what}"), self.place(line));
        part.else_default(documented::variant("api_gateway", kind, "TimeoutInMillis"));
        self.state(&mut part, "TimeoutInMillis", "api_gateway", timeout, Millis::parse_ms);
        part
    }

    /// What a property says, if it is a value: a parameter stands for its default.
    pub fn state(&self, part: &mut Part, setting: &str, product: &str, node: Option<&Node>, unit: fn(&str) -> Option<Millis>) {
        let Some(node) = node else { return };
        let place = self.place(node.line);
        match self.value(node) {
            Some(text) => part.read(product, setting, text, unit, place),
            None => part.leave_open(product, setting, place),
        }
    }

    fn value<'v>(&'v self, node: &'v Node) -> Option<&'v str> {
        let parameter = match node.tag.as_deref() {
            Some("Ref") => node.text(),
            Some(_) => return None,
            None => node.text_at(&["Ref"]),
        };
        match parameter {
            Some(parameter) => self.parameters?.text_at(&[parameter, "Default"]),
            None => node.text(),
        }
    }

    /// Links that are written at their inner end: a queue at its function, a load balancer at its listener, an API at its route.
    fn link_backwards(&self, parts: &mut [Part]) {
        let mut links: Vec<(String, String)> = Vec::new();
        for (id, resource) in self.resources.entries() {
            let refers = |path: &[&str]| resource.at(path).map(|node| refer::to(node, self.resources)).unwrap_or_default();
            match resource.text_at(&["Type"]).unwrap_or_default() {
                "AWS::Serverless::Function" => {
                    let events = resource.at(&["Properties", "Events"]).map(Node::entries);
                    for (_, event) in events.into_iter().flatten().filter(|(_, event)| event.text_at(&["Type"]) == Some("SQS")) {
                        let queues = event.at(&["Properties", "Queue"]).map(|node| refer::to(node, self.resources)).unwrap_or_default();
                        links.extend(queues.into_iter().map(|queue| (queue, id.to_owned())));
                    }
                }
                "AWS::Lambda::EventSourceMapping" => {
                    for queue in refers(&["Properties", "EventSourceArn"]) {
                        links.extend(refers(&["Properties", "FunctionName"]).into_iter().map(|function| (queue.clone(), function)));
                    }
                }
                "AWS::ElasticLoadBalancingV2::Listener" => {
                    links.extend(refers(&["Properties", "LoadBalancerArn"]).into_iter().map(|balancer| (balancer, id.to_owned())));
                }
                "AWS::ElasticLoadBalancingV2::ListenerRule" => {
                    links.extend(refers(&["Properties", "ListenerArn"]).into_iter().map(|listener| (listener, id.to_owned())));
                }
                "AWS::ECS::Service" => {
                    links.extend(refers(&["Properties", "LoadBalancers"]).into_iter().map(|group| (group, id.to_owned())));
                }
                _ => {}
            }
        }
        for (outer, inner) in links {
            let inner = self.id(&inner);
            let outer = self.id(&outer);
            for part in parts.iter_mut().filter(|part| part.known_as.contains(&outer) && !part.known_as.contains(&inner)) {
                part.behind.push(inner.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
