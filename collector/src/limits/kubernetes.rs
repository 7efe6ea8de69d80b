//! Kubernetes manifests: what runs pods, Services, Ingresses; Knative's and Cloud Run's Services; OpenFaaS' Functions.
//!
//! Fields as the APIs' references have them, annotations as ingress-nginx and the AWS Load Balancer Controller document them,
//! read in November 2026.

use domain::{Layer, Millis};

use super::command::Command;
use super::openfaas_stack;
use super::part::{Address, Part, Role};
use super::tree::Node;
use crate::documented;

/// The annotation of ingress-nginx that sets `proxy_read_timeout`, in whole seconds.
const READ_TIMEOUT: &str = "nginx.ingress.kubernetes.io/proxy-read-timeout";
/// The annotation that sets a load balancer's attributes.
const ATTRIBUTES: &str = "alb.ingress.kubernetes.io/load-balancer-attributes";
/// The idle timeout among them.
const IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";

/// Whether a document is an object of Kubernetes.
pub fn is_one(node: &Node) -> bool {
    node.get("apiVersion").is_some() && node.get("kind").is_some()
}

/// What one document yields.
pub fn read(name: &str, node: &Node) -> Vec<Part> {
    let (kind, version) = (node.text_at(&["kind"]).unwrap_or_default(), node.text_at(&["apiVersion"]).unwrap_or_default());
    let object = Object { file: name, node, name: node.text_at(&["metadata", "name"]).unwrap_or("unnamed") };
    match kind {
        "Service" if version.starts_with("serving.knative.dev/") => vec![object.knative()],
        "Service" => vec![object.service()],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Rollout" => {
            node.at(&["spec", "template"]).map(|pod| object.pod(pod)).into_iter().collect()
        }
        "Pod" => vec![object.pod(node)],
        "Ingress" => object.ingress(),
        "Function" if version.starts_with("openfaas.com/") => {
            let spec = node.get("spec").cloned().unwrap_or_default();
            vec![openfaas_stack::part(name, spec.text_at(&["name"]).unwrap_or(object.name), &spec)]
        }
        "List" => node
            .get("items")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter(|item| item.text_at(&["kind"]) != Some("List"))
            .flat_map(|item| read(name, item))
            .collect(),
        _ => Vec::new(),
    }
}

struct Object<'n> {
    file: &'n str,
    node: &'n Node,
    name: &'n str,
}

impl Object<'_> {
    fn place(&self, line: u32) -> String {
        format!("{}:{line}", self.file)
    }

    fn part(&self, role: Role) -> Part {
        let line = self.node.at(&["metadata", "name"]).map_or(self.node.line, |name| name.line);
        Part::new(role, self.name, self.place(line))
    }

    /// Seconds that a field says.
    fn seconds(&self, part: &mut Part, product: &str, setting: &str, node: Option<&Node>) {
        if let Some(node) = node {
            part.read(product, setting, node.text().unwrap_or_default(), Millis::parse_seconds, self.place(node.line));
        }
    }

    fn pod(&self, pod: &Node) -> Part {
        let mut part = self.part(Role::Server);
        let labels = pod.at(&["metadata", "labels"]).map(labels).unwrap_or_default();
        part.known_as.push(Address::Labels(labels));
        let grace = "terminationGracePeriodSeconds";
        part.else_default(documented::limit("kubernetes", grace));
        self.seconds(&mut part, "kubernetes", grace, pod.at(&["spec", grace]));
        self.containers(&mut part, pod.get("spec"));
        part
    }

    fn containers(&self, part: &mut Part, spec: Option<&Node>) {
        let containers = spec.and_then(|spec| spec.get("containers")).map(Node::items).unwrap_or_default();
        let mut has_command = false;
        for container in containers {
            let mut command = Command::default();
            command.add_environment(container.get("env"), self.file);
            command.add_node(container.get("command"), self.file);
            command.add_node(container.get("args"), self.file);
            has_command |= container.get("command").or(container.get("args")).is_some();
            command.tell(part, self.file);
        }
        // One image of unknown origin; the linker looks whether the project builds just one.
        if containers.len() == 1 && !has_command {
            part.made_from.push(Address::Folder { kind: "Dockerfile", folder: ANY.to_owned() });
        }
    }

    fn service(&self) -> Part {
        let mut part = self.part(Role::Front);
        part.known_as.push(Address::Host { host: self.name.to_ascii_lowercase(), port: None });
        let selector = self.node.at(&["spec", "selector"]).map(labels).unwrap_or_default();
        if !selector.is_empty() {
            part.behind.push(Address::Labels(selector));
        }
        part
    }

    /// Knative's Service, which is Cloud Run's too.
    fn knative(&self) -> Part {
        let mut part = self.part(Role::Function);
        part.known_as.push(Address::Host { host: self.name.to_ascii_lowercase(), port: None });
        part.logged_as = vec![self.name.to_owned(), format!("{}-0*", self.name)];
        let template = self.node.at(&["spec", "template"]);
        let annotated =
            [self.node.at(&["metadata", "annotations"]), template.and_then(|template| template.at(&["metadata", "annotations"]))];
        let is_cloud_run = annotated.into_iter().flatten().flat_map(Node::entries).any(|(key, _)| key.starts_with("run.googleapis.com/"));
        let spec = template.and_then(|template| template.get("spec"));
        let field = |name: &str| spec.and_then(|spec| spec.get(name));
        let product = if is_cloud_run { "cloud_run" } else { "knative" };
        part.else_default(documented::limit(product, "timeoutSeconds"));
        let setting = documented::limit(product, "timeoutSeconds").map_or("timeoutSeconds", |entry| &entry.setting);
        self.seconds(&mut part, product, setting, field("timeoutSeconds"));
        for setting in ["responseStartTimeoutSeconds", "idleTimeoutSeconds"] {
            self.seconds(&mut part, product, setting, field(setting));
        }
        self.containers(&mut part, spec);
        part
    }

    fn ingress(&self) -> Vec<Part> {
        let nothing = Node::default();
        let annotations = self.node.at(&["metadata", "annotations"]).unwrap_or(&nothing);
        let spec = self.node.get("spec").unwrap_or(&nothing);
        let class =
            spec.text_at(&["ingressClassName"]).or_else(|| annotations.text_at(&["kubernetes.io/ingress.class"])).unwrap_or_default();
        let is_nginx = class.contains("nginx") || annotations.entries().any(|(key, _)| key.starts_with("nginx.ingress.kubernetes.io/"));
        let mut part = self.part(Role::Front);
        part.name = format!("ingress {}", self.name);
        backends(spec, &mut part.behind);
        if is_nginx {
            part.else_default(documented::limit("nginx", "proxy_read_timeout"));
            if let Some(node) = annotations.get(READ_TIMEOUT) {
                match node.text().and_then(|text| Millis::parse_seconds(text.trim_end_matches('s'))).filter(|value| *value > Millis::ZERO) {
                    Some(value) => part.state(Layer::Router, "nginx", READ_TIMEOUT, value, self.place(node.line)),
                    None => part.leave_open("nginx", READ_TIMEOUT, self.place(node.line)),
                }
            }
        } else if class == "alb" || annotations.get(ATTRIBUTES).is_some() {
            part.else_default(documented::limit("alb", IDLE_TIMEOUT));
            let attributes = annotations.get(ATTRIBUTES);
            let pairs = attributes.and_then(Node::text).unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
            for (_, value) in pairs.filter(|(key, _)| key.trim() == IDLE_TIMEOUT) {
                part.read("alb", IDLE_TIMEOUT, value, Millis::parse_seconds, self.place(attributes.map_or(1, |node| node.line)));
            }
        }
        vec![part]
    }
}

/// Stands for whatever folder the only Dockerfile is in.
pub const ANY: &str = "*";

fn labels(node: &Node) -> Vec<(String, String)> {
    node.entries().filter_map(|(key, value)| Some((key.to_owned(), value.text()?.to_owned()))).collect()
}

/// The services that an Ingress names, in the old form and in the new.
fn backends(node: &Node, found: &mut Vec<Address>) {
    for (key, value) in node.entries() {
        let name = match key {
            "backend" | "defaultBackend" => value.text_at(&["service", "name"]).or_else(|| value.text_at(&["serviceName"])),
            _ => None,
        };
        match name {
            Some(host) => found.push(Address::Host { host: host.to_ascii_lowercase(), port: None }),
            None => backends(value, found),
        }
    }
    for item in node.items() {
        backends(item, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tree::yaml;

    fn parts(text: &str) -> Vec<Part> {
        yaml(text).expect("it is YAML").iter().filter(|node| is_one(node)).flat_map(|node| read("k8s.yaml", node)).collect()
    }

    fn told(part: &Part) -> Vec<String> {
        part.limits
            .iter()
            .map(|limit| {
                format!("{} {} {} {}", limit.product, limit.setting, limit.value_ms.expect("read"), limit.place.as_deref().expect("known"))
            })
            .collect()
    }

    #[test]
    fn a_deployment_its_service_and_its_ingress_know_each_other() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    metadata:\n      labels: {app: web, tier: front}\n    spec:\n      terminationGracePeriodSeconds: 20\n      containers:\n        - name: web\n          image: shop\n          command: [gunicorn]\n          args:\n            - app:app\n            - --timeout=60\n          env:\n            - {name: UWSGI_HARAKIRI, value: '5'}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web-svc}\nspec:\n  selector: {app: web}\n---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: shop\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-read-timeout: \"30\"\nspec:\n  rules:\n    - http:\n        paths:\n          - backend:\n              service: {name: web-svc, port: {number: 80}}\n";
        let parts = parts(text);
        assert_eq!(told(&parts[0]), ["kubernetes terminationGracePeriodSeconds 20 s k8s.yaml:10", "gunicorn --timeout 60 s k8s.yaml:17"]);
        assert_eq!(parts[1].behind, [Address::Labels(vec![("app".to_owned(), "web".to_owned())])]);
        assert_eq!(told(&parts[2]), ["nginx nginx.ingress.kubernetes.io/proxy-read-timeout 30 s k8s.yaml:32"]);
        assert_eq!(parts[2].behind, parts[1].known_as);
    }

    #[test]
    fn knatives_service_is_cloud_runs_with_its_annotations() {
        let knative = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata:\n  name: report\nspec:\n  template:\n    spec:\n      timeoutSeconds: 120\n      responseStartTimeoutSeconds: 60\n      containers: [{image: x}]\n";
        assert_eq!(
            told(&parts(knative)[0]),
            ["knative timeoutSeconds 2 min k8s.yaml:8", "knative responseStartTimeoutSeconds 60 s k8s.yaml:9"]
        );
        let cloud_run = knative.replace("name: report", "name: report\n  annotations: {run.googleapis.com/ingress: all}");
        assert_eq!(told(&parts(&cloud_run)[0])[0], "cloud_run --timeout 2 min k8s.yaml:9");
    }

    #[test]
    fn other_objects_say_nothing() {
        assert!(parts("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {timeout: '5'}\n").is_empty());
    }
}
