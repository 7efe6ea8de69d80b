//! YAML, JSON and TOML as one tree that knows its lines. Unknown tags (`!Ref`, `!Sub`) are kept beside their values.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Unreadable;

/// Deeper than any configuration goes; what is deeper is refused.
const DEPTH_MAX: usize = 64;
/// Nodes of one file, aliases written out: a page of aliases of aliases would be endless.
const NODES_MAX: usize = 100_000;

/// One value and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// From 1.
    pub line: u32,
    /// Without its `!`.
    pub tag: Option<String>,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// `null`, `~`, or nothing.
    #[default]
    Nothing,
    /// As it is written, without quotes.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// In its file's order; a key with its line.
    Map(Vec<(String, u32, Node)>),
}

impl Node {
    /// The value of a key; YAML's merge keys are looked through.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        let own = entries.iter().rev().find(|(name, ..)| name == key).map(|(.., node)| node);
        own.or_else(|| {
            let merged = entries.iter().filter(|(name, ..)| name == "<<").map(|(.., node)| node);
            merged
                .flat_map(|node| if node.items().is_empty() { std::slice::from_ref(node) } else { node.items() })
                .find_map(|node| node.get(key))
        })
    }

    /// The value along a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text at the end of a path.
    pub fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.text()
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Keys and values; none for what is no map.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Node)> {
        let entries = if let Value::Map(entries) = &self.value { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, _, node)| (key.as_str(), node))
    }

    /// The items of a list; none for what is no list.
    pub fn items(&self) -> &[Node] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    /// All texts in and below it.
    pub fn texts(&self) -> Vec<&str> {
        match &self.value {
            Value::Nothing => Vec::new(),
            Value::Text(text) => vec![text],
            Value::List(items) => items.iter().flat_map(Self::texts).collect(),
            Value::Map(entries) => entries.iter().flat_map(|(.., node)| node.texts()).collect(),
        }
    }
}

/// The documents of a YAML file.
///
/// # Errors
/// When it is no YAML, or larger or deeper than any configuration.
pub fn yaml(text: &str) -> Result<Vec<Node>, Unreadable> {
    let mut loader = Loader::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Unreadable::at("YAML", error.info().to_owned(), line(error.marker().line())))?;
        loader.take(event, line(span.start.line()))?;
    }
    Ok(loader.documents)
}

/// A JSON file; comments of whole lines, which some programs allow, are skipped.
///
/// # Errors
/// When it is no JSON.
pub fn json(text: &str) -> Result<Node, Unreadable> {
    // Tabs are no indentation in YAML, which has JSON in it otherwise; no line moves by this.
    let plain: String =
        text.lines().map(|line| if line.trim_start().starts_with("//") { String::new() } else { line.replace('\t', " ") } + "\n").collect();
    yaml(&plain)?.into_iter().next().ok_or_else(|| Unreadable::new("JSON", "an empty file"))
}

/// A TOML file.
///
/// # Errors
/// When it is no TOML.
pub fn toml(text: &str) -> Result<Node, Unreadable> {
    let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let line_of = |at: usize| line(starts.partition_point(|start| *start <= at));
    let table = DeTable::parse(text)
        .map_err(|error| Unreadable::at("TOML", error.message().to_owned(), error.span().map_or(1, |span| line_of(span.start))))?;
    Ok(Node { line: 1, tag: None, value: table_of(table.get_ref(), &line_of) })
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn table_of(table: &DeTable<'_>, line_of: &dyn Fn(usize) -> u32) -> Value {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &std::borrow::Cow<'_, str> = key.get_ref();
        let line = line_of(value.span().start);
        (key.to_string(), line, Node { line, tag: None, value: value_of(value.get_ref(), line_of) })
    };
    Value::Map(table.iter().map(entry).collect())
}

fn value_of(value: &DeValue<'_>, line_of: &dyn Fn(usize) -> u32) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Text(number.to_string()),
        DeValue::Boolean(flag) => Value::Text(flag.to_string()),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .iter()
                .map(|item| Node { line: line_of(item.span().start), tag: None, value: value_of(item.get_ref(), line_of) })
                .collect(),
        ),
        DeValue::Table(table) => table_of(table, line_of),
    }
}

/// A collection, the anchor that it has, and for a map the key that waits for its value.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, u32)>,
}

/// Builds nodes from the parser's events.
#[derive(Default)]
struct Loader {
    documents: Vec<Node>,
    /// Collections that are not at their end yet, the innermost last.
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Loader {
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let nothing = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                let value = if nothing { Value::Nothing } else { Value::Text(text.into_owned()) };
                self.put(Node { line, tag: tag.map(|tag| tag.suffix.clone()), value }, anchor, 1)?;
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().unwrap_or_default();
                let size = size(&node);
                self.put(Node { line, ..node }, 0, size)?;
            }
            Event::SequenceStart(anchor, tag) => self.begin(line, tag.map(|tag| tag.suffix.clone()), anchor, Value::List(Vec::new()))?,
            Event::MappingStart(anchor, tag) => self.begin(line, tag.map(|tag| tag.suffix.clone()), anchor, Value::Map(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, .. }) = self.open.pop() {
                    self.put(node, anchor, 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, line: u32, tag: Option<String>, anchor: usize, value: Value) -> Result<(), Unreadable> {
        if self.open.len() >= DEPTH_MAX {
            return Err(Unreadable::at(&format!("at most {DEPTH_MAX} levels"), "more".to_owned(), line));
        }
        self.open.push(Open { node: Node { line, tag, value }, anchor, key: None });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes > NODES_MAX {
            return Err(Unreadable::at(&format!("at most {NODES_MAX} values, aliases written out"), "more".to_owned(), node.line));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(Open { node: around, key, .. }) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match (&mut around.value, key.take()) {
            (Value::List(items), _) => items.push(node),
            (Value::Map(entries), Some((name, line))) => entries.push((name, line, node)),
            (_, _) => *key = Some((node.text().unwrap_or_default().to_owned(), node.line)),
        }
        Ok(())
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::Nothing | Value::Text(_) => 0,
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|(.., node)| size(node)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lines_anchors_and_merges_are_kept() {
        let text =
            "base: &b {Timeout: 5}\nfn:\n  <<: *b\n  Arn: !GetAtt\n    - Queue\n    - Arn\n  Name: !Sub '${Env}-x'\n---\nsecond: 1\n";
        let documents = yaml(text).expect("it is YAML");
        assert_eq!(documents.len(), 2);
        let function = documents[0].get("fn").expect("there");
        assert_eq!(function.text_at(&["Timeout"]), Some("5"));
        assert_eq!(function.get("Arn").and_then(|node| node.tag.as_deref()), Some("GetAtt"));
        let name = function.get("Name").expect("there");
        assert_eq!((name.line, name.tag.as_deref(), name.text()), (7, Some("Sub"), Some("${Env}-x")));
        assert_eq!(function.get("Arn").map(Node::texts), Some(vec!["Queue", "Arn"]));
    }

    #[test]
    fn json_with_tabs_and_comments_is_read() {
        let node = json("{\n\t// five minutes\n\t\"functionTimeout\": \"00:05:00\",\n\t\"a\": [1, {\"b\": null}]\n}").expect("it is JSON");
        let timeout = node.get("functionTimeout").expect("there");
        assert_eq!((timeout.text(), timeout.line), (Some("00:05:00"), 3));
    }

    #[test]
    fn toml_has_lines_too() {
        let node = toml("app = 'x'\nkill_timeout = 5\n[http_service.http_options]\nidle_timeout = 600\n").expect("it is TOML");
        assert_eq!(node.get("kill_timeout").map(|node| (node.line, node.text())), Some((2, Some("5"))));
        let idle = node.at(&["http_service", "http_options", "idle_timeout"]).expect("there");
        assert_eq!((idle.line, idle.text()), (4, Some("600")));
    }

    #[test]
    fn what_is_none_of_them_is_said_with_its_line() {
        let error = yaml("a: 1\nb: [1, 2\nc: }").expect_err("no YAML").to_string();
        assert!(error.starts_with("expected YAML, found "), "{error}");
        assert!(toml("a = ").is_err());
        assert!(yaml(&"[".repeat(100)).is_err());
    }

    #[test]
    fn aliases_of_aliases_end() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            let line = format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
            text.push_str(&line);
        }
        assert!(yaml(&text).is_err());
    }
}
