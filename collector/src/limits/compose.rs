//! A Compose file: each service's command, environment and stop grace period.
//!
//! Keys as the Compose specification has them, read in November 2026.

use super::command::{Command, duration};
use super::part::{Address, Part, Role, beside};
use super::tree::Node;

/// Whether a tree is one.
pub fn is_one(node: &Node) -> bool {
    let is_service = |service: &Node| ["image", "build", "command", "ports"].iter().any(|key| service.get(key).is_some());
    node.get("services").is_some_and(|services| services.entries().any(|(_, service)| is_service(service)))
}

/// Its services.
pub fn read(name: &str, node: &Node) -> Vec<Part> {
    node.get("services").into_iter().flat_map(Node::entries).map(|(id, service)| part(name, id, service)).collect()
}

fn part(name: &str, id: &str, service: &Node) -> Part {
    let mut part = Part::new(Role::Server, id, format!("{name}:{}", service.line));
    let names = [Some(id), service.text_at(&["container_name"]), service.text_at(&["hostname"])];
    part.known_as = names.into_iter().flatten().map(|host| Address::Host { host: host.to_ascii_lowercase(), port: None }).collect();
    part.known_as.extend(service.get("ports").map(Node::items).unwrap_or_default().iter().filter_map(published));
    // The default of 10 s is left out: compose files are mostly for machines where nobody waits for a stop.
    if let Some(grace) = service.get("stop_grace_period") {
        part.read("docker", "stop_grace_period", grace.text().unwrap_or_default(), duration, format!("{name}:{}", grace.line));
    }
    let build = service.text_at(&["build"]).or_else(|| service.text_at(&["build", "context"]));
    let context = build.map(|context| beside(name, context));
    let mut command = Command::default();
    command.add_environment(service.get("environment"), name);
    command.add_node(service.get("entrypoint"), name);
    command.add_node(service.get("command"), name);
    // A variable of the image's environment counts for the image's own command.
    if ["command", "entrypoint"].iter().all(|key| service.get(key).is_none()) {
        part.made_from.extend(context.clone().map(|folder| Address::Folder { kind: "Dockerfile", folder }));
    }
    command.tell(&mut part, &format!("{}/", context.unwrap_or_else(|| super::part::folder(name))));
    for volume in service.get("volumes").map(Node::items).unwrap_or_default() {
        let source = volume.text().and_then(|text| text.split(':').next()).or_else(|| volume.text_at(&["source"])).unwrap_or_default();
        if source.starts_with('.') {
            part.made_from.push(Address::File(beside(name, source)));
        }
    }
    part
}

/// The port of the machine in `8080:80`, `127.0.0.1:8080:80`, or the long form.
fn published(port: &Node) -> Option<Address> {
    let text = match port.text() {
        Some(text) => text.rsplit(':').nth(1)?,
        None => port.text_at(&["published"])?,
    };
    Some(Address::Local { port: text.parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::tree::yaml;

    #[test]
    fn services_are_read_with_their_commands_and_neighbours() {
        let text = "services:\n  web:\n    build: ./api\n    command: gunicorn app:app -b :8000 --timeout 60\n    stop_grace_period: 1m30s\n    ports: ['8080:8000']\n  gateway:\n    image: ghcr.io/openfaas/gateway\n    environment:\n      upstream_timeout: 25s\n      write_timeout: 30s\n  worker:\n    build: {context: worker}\n  nginx:\n    image: nginx\n    volumes: ['./nginx/nginx.conf:/etc/nginx/nginx.conf:ro']\n";
        let documents = yaml(text).expect("it is YAML");
        assert!(is_one(&documents[0]));
        let parts = read("deploy/compose.yaml", &documents[0]);
        let told: Vec<_> = parts[0].limits.iter().map(|limit| format!("{} {}", limit.setting, limit.value_ms.expect("read"))).collect();
        assert_eq!(told, ["stop_grace_period 90 s", "--timeout 60 s"]);
        assert!(parts[0].known_as.contains(&Address::Local { port: Some(8080) }));
        assert_eq!(parts[0].made_from, [Address::Folder { kind: "gunicorn", folder: "deploy/api".to_owned() }]);
        assert_eq!(parts[1].behind, [Address::OpenFaas]);
        assert_eq!(parts[2].made_from, [Address::Folder { kind: "Dockerfile", folder: "deploy/worker".to_owned() }]);
        assert_eq!(parts[3].made_from, [Address::File("deploy/nginx/nginx.conf".to_owned())]);
    }
}
