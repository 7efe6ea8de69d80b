//! What stands in front of functions and containers: API Gateway's own types, load balancers, CloudFront, ECS.

use domain::Millis;

use super::{Template, refer};
use crate::documented;
use crate::limits::command::Command;
use crate::limits::part::{Address, Part, Role};
use crate::limits::tree::Node;

impl Template<'_> {
    /// The part that a resource of that type is; none for a type that passes no requests on.
    pub fn front(&self, kind: &str, id: &str, line: u32, properties: &Node) -> Vec<Part> {
        match kind {
            "AWS::ApiGateway::Method" => vec![self.method(id, line, properties)],
            "AWS::ApiGatewayV2::Integration" => vec![self.integration(id, line, properties)],
            "AWS::Serverless::Api" | "AWS::ApiGateway::RestApi" => self.definition(id, properties),
            "AWS::ElasticLoadBalancingV2::LoadBalancer" => self.load_balancer(id, line, properties).into_iter().collect(),
            "AWS::ElasticLoadBalancingV2::Listener" => vec![self.passing(id, line, properties.get("DefaultActions"))],
            "AWS::ElasticLoadBalancingV2::ListenerRule" => vec![self.passing(id, line, properties.get("Actions"))],
            "AWS::ElasticLoadBalancingV2::TargetGroup" => vec![self.passing(id, line, properties.get("Targets"))],
            "AWS::Lambda::Url" => vec![self.passing(id, line, properties.get("TargetFunctionArn"))],
            "AWS::Lambda::Alias" => vec![self.passing(id, line, properties.get("FunctionName"))],
            "AWS::ECS::Service" => vec![self.passing(id, line, properties.get("TaskDefinition"))],
            "AWS::ECS::TaskDefinition" => vec![self.task(id, line, properties)],
            "AWS::CloudFront::Distribution" => self.distribution(id, properties),
            _ => Vec::new(),
        }
    }

    /// A resource without a limit of its own between others.
    fn passing(&self, id: &str, line: u32, to: Option<&Node>) -> Part {
        let mut part = Part::new(Role::Front, id, self.place(line));
        part.known_as.push(self.id(id));
        part.behind = self.referred(to);
        part
    }

    fn referred(&self, node: Option<&Node>) -> Vec<Address> {
        node.map(|node| refer::to(node, self.resources)).unwrap_or_default().iter().map(|id| self.id(id)).collect()
    }

    fn method(&self, id: &str, line: u32, properties: &Node) -> Part {
        let mut part = self.gateway("REST", id, line, properties.at(&["Integration", "TimeoutInMillis"]));
        part.known_as = self.referred(properties.get("RestApiId"));
        part.behind = self.referred(properties.at(&["Integration", "Uri"]));
        part
    }

    fn integration(&self, id: &str, line: u32, properties: &Node) -> Part {
        let apis = properties.get("ApiId").map(|api| refer::to(api, self.resources)).unwrap_or_default();
        let is_websocket = apis.iter().any(|api| self.resources.text_at(&[api, "Properties", "ProtocolType"]) == Some("WEBSOCKET"));
        let mut part = self.gateway(if is_websocket { "WebSocket" } else { "HTTP" }, id, line, properties.get("TimeoutInMillis"));
        part.known_as = apis.iter().map(|api| self.id(api)).collect();
        part.behind = self.referred(properties.get("IntegrationUri"));
        part
    }

    /// The integrations in an OpenAPI definition that stands in the template.
    fn definition(&self, id: &str, properties: &Node) -> Vec<Part> {
        let mut integrations = Vec::new();
        for key in ["DefinitionBody", "Body"] {
            if let Some(body) = properties.get(key) {
                integrations_in(body, &mut integrations);
            }
        }
        let one = |node: &Node| {
            let mut part = self.gateway("REST", id, node.line, node.get("timeoutInMillis"));
            part.known_as.push(self.id(id));
            part.behind = self.referred(node.get("uri"));
            part
        };
        integrations.into_iter().map(one).collect()
    }

    fn load_balancer(&self, id: &str, line: u32, properties: &Node) -> Option<Part> {
        // A network load balancer knows no requests.
        if properties.text_at(&["Type"]).is_some_and(|kind| kind != "application") {
            return None;
        }
        let setting = "idle_timeout.timeout_seconds";
        let mut part = Part::new(Role::Front, format!("load balancer {id}"), self.place(line));
        part.known_as.push(self.id(id));
        part.else_default(documented::limit("alb", setting));
        let attributes = properties.get("LoadBalancerAttributes").map(Node::items).unwrap_or_default();
        let idle =
            attributes.iter().find(|attribute| attribute.text_at(&["Key"]) == Some(setting)).and_then(|attribute| attribute.get("Value"));
        self.state(&mut part, setting, "alb", idle, Millis::parse_seconds);
        Some(part)
    }

    /// Each origin that is a server of its own.
    fn distribution(&self, id: &str, properties: &Node) -> Vec<Part> {
        let origins = properties.at(&["DistributionConfig", "Origins"]).map(Node::items).unwrap_or_default();
        let custom = origins.iter().filter_map(|origin| Some((origin, origin.get("CustomOriginConfig")?)));
        custom
            .map(|(origin, config)| {
                let name = origin.text_at(&["Id"]).unwrap_or_default();
                let mut part = Part::new(Role::Front, format!("CloudFront {id}, origin {name}"), self.place(origin.line));
                part.known_as.push(self.id(id));
                part.behind = self.referred(origin.get("DomainName"));
                for setting in ["OriginReadTimeout", "ResponseCompletionTimeout"] {
                    part.else_default(documented::limit("cloudfront", setting));
                }
                self.state(&mut part, "OriginReadTimeout", "cloudfront", config.get("OriginReadTimeout"), Millis::parse_seconds);
                let whole = origin.get("ResponseCompletionTimeout");
                self.state(&mut part, "ResponseCompletionTimeout", "cloudfront", whole, Millis::parse_seconds);
                part
            })
            .collect()
    }

    fn task(&self, id: &str, line: u32, properties: &Node) -> Part {
        let mut part = Part::new(Role::Server, id, self.place(line));
        part.known_as.push(self.id(id));
        for container in properties.get("ContainerDefinitions").map(Node::items).unwrap_or_default() {
            let mut command = Command::default();
            for variable in container.get("Environment").map(Node::items).unwrap_or_default() {
                let (name, value) = (variable.text_at(&["Name"]), variable.get("Value"));
                if let Some((name, value)) = name.zip(value) {
                    command.add_variable(name, value.text().unwrap_or("$"), &self.place(value.line));
                }
            }
            command.add_node(container.get("EntryPoint"), self.file);
            command.add_node(container.get("Command"), self.file);
            command.tell(&mut part, self.file);
        }
        part
    }
}

fn integrations_in<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    for (key, value) in node.entries() {
        if key == "x-amazon-apigateway-integration" {
            found.push(value);
        } else {
            integrations_in(value, found);
        }
    }
    for item in node.items() {
        integrations_in(item, found);
    }
}
