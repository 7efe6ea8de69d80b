//! How templates refer to their own resources: `!Ref`, `!GetAtt`, `!Sub`, in YAML's short form and in full.

use crate::limits::tree::Node;

/// The resources that a value refers to, each once.
pub fn to(node: &Node, resources: &Node) -> Vec<String> {
    let mut found = Vec::new();
    collect(node, &mut found);
    let mut known: Vec<String> = Vec::new();
    for name in found {
        // `Api.Arn` and `CheckoutUrl.FunctionUrl` name their resource first.
        let id = name.split('.').next().unwrap_or_default();
        let exists = resources.get(id).is_some() || id.strip_suffix("Url").is_some_and(|function| resources.get(function).is_some());
        let implicit = matches!(id, "ServerlessRestApi" | "ServerlessHttpApi");
        if (exists || implicit) && !known.iter().any(|one| one == id) {
            known.push(id.to_owned());
        }
    }
    known
}

fn collect(node: &Node, found: &mut Vec<String>) {
    match node.tag.as_deref() {
        Some("Ref" | "GetAtt") => {
            let name = node.text().or_else(|| node.items().first()?.text());
            found.extend(name.map(str::to_owned));
        }
        Some("Sub") => {
            let text = node.text().or_else(|| node.items().first()?.text()).unwrap_or_default();
            found.extend(placeholders(text).map(str::to_owned));
        }
        _ => {}
    }
    for (key, value) in node.entries() {
        match key {
            "Ref" | "Fn::GetAtt" => found.extend(value.text().or_else(|| value.items().first()?.text()).map(str::to_owned)),
            "Fn::Sub" => {
                let text = value.text().or_else(|| value.items().first()?.text()).unwrap_or_default();
                found.extend(placeholders(text).map(str::to_owned));
            }
            _ => {}
        }
        collect(value, found);
    }
    for item in node.items() {
        collect(item, found);
    }
}

/// `${Name}` and `${Name.Attribute}` in a text.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| rest.split('}').next())
}

/// A name with `*` for what is only known when it is deployed.
pub fn pattern(node: &Node) -> String {
    let sub = if node.tag.as_deref() == Some("Sub") { node.text() } else { node.text_at(&["Fn::Sub"]) };
    match (sub, node.tag.as_deref(), node.text()) {
        (Some(text), ..) => {
            let mut parts = text.split("${");
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |name, part| name + "*" + part.split_once('}').map_or("", |(_, rest)| rest))
        }
        (None, None, Some(text)) => text.to_owned(),
        _ => "*".to_owned(),
    }
}
