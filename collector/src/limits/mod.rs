//! Limits read from configuration files: one file per kind of configuration, pure.
//!
//! A reader turns a file into [`Part`]s: what the file says of limits, and of who stands behind whom. What it leaves unsaid
//! is not made up; documented defaults are kept apart from what is stated. `explain --limits` takes the stated limits,
//! `overrun lint` the parts.

mod apache_conf;
mod caddyfile;
mod cloudformation;
mod command;
mod compose;
mod dockerfile;
mod gunicorn_conf;
mod haproxy_cfg;
mod kubernetes;
mod nginx_conf;
mod openfaas_stack;
pub mod order;
mod part;
mod php_fpm_conf;
mod platforms;
mod procfile;
mod programs;
mod puma_rb;
mod serverless_yml;
mod tree;
mod unicorn_rb;
mod uwsgi_ini;
mod vcl;

use std::path::Path;

use domain::Limit;

pub use kubernetes::ANY;
pub use part::{Address, Part, Role};
use tree::Node;

/// A file that gives no limits because it is not what its name promises.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}{}", line.map_or_else(String::new, |line| format!(" in line {line}")))]
pub struct Unreadable {
    expected: String,
    found: String,
    /// Where, from 1; `None` where it is no place in the text.
    pub line: Option<u32>,
    /// In what way.
    pub why: Why,
}

/// In what way a file is not what its name promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It does not follow its own format.
    Broken,
    /// It is well enough, but none of the kinds that are read.
    OtherKind,
    /// It becomes what its name says once something has filled it in.
    Template,
}

impl Unreadable {
    fn new(expected: &str, found: &str) -> Self {
        Self { expected: expected.to_owned(), found: found.to_owned(), line: None, why: Why::Broken }
    }

    fn other_kind(found: &str) -> Self {
        Self { why: Why::OtherKind, ..Self::new(KINDS, found) }
    }

    fn at(expected: &str, found: String, line: u32) -> Self {
        Self { expected: expected.to_owned(), found, line: Some(line), why: Why::Broken }
    }
}

/// What is read, for people who give something else.
const KINDS: &str = "a Procfile, a Caddyfile, a Dockerfile, a Compose file, the configuration of gunicorn (`*.py`), unicorn and Puma (`*.rb`), \
     uWSGI (`*.ini`), HAProxy (`*.cfg`), Varnish (`*.vcl`), nginx, Apache or php-fpm (`*.conf`), a CloudFormation or SAM template, \
     serverless.yml, OpenFaaS' stack.yml, a Kubernetes manifest, fly.toml, vercel.json, host.json or OpenWhisk's manifest";

/// The limits that a configuration file states; its kind is told by its name and, where many kinds share one, its content.
///
/// # Errors
/// When no reader knows such a file, or it cannot be read as what it should be.
pub fn read(name: &str, text: &str) -> Result<Vec<Limit>, Unreadable> {
    let parts = parts(name.rsplit('/').next().unwrap_or(name), text)?;
    let mut limits: Vec<Limit> = Vec::new();
    for limit in parts.into_iter().flat_map(|part| part.limits) {
        if !limits.contains(&limit) {
            limits.push(limit);
        }
    }
    Ok(limits)
}

/// The parts of a stack that a configuration file describes; places are told with `name` as it is given.
///
/// # Errors
/// When no reader knows such a file, or it cannot be read as what it should be.
pub fn parts(name: &str, text: &str) -> Result<Vec<Part>, Unreadable> {
    let base = name.rsplit('/').next().unwrap_or(name);
    match base {
        _ if base.starts_with("Procfile") => Ok(procfile::read(name, text)),
        _ if base.starts_with("Caddyfile") => Ok(caddyfile::read(name, text)),
        _ if base.starts_with("Dockerfile") || base.starts_with("Containerfile") || has_extension(base, "dockerfile") => {
            Ok(dockerfile::read(name, text))
        }
        _ if has_extension(base, "py") => Ok(gunicorn_conf::read(name, text)),
        _ if has_extension(base, "rb") && puma_rb::is_one(base, text) => Ok(puma_rb::read(name, text)),
        _ if has_extension(base, "rb") => Ok(unicorn_rb::read(name, text)),
        _ if has_extension(base, "vcl") => Ok(vcl::read(name, text)),
        _ if has_extension(base, "yaml") || has_extension(base, "yml") || has_extension(base, "template") => of_yaml(name, text),
        _ if has_extension(base, "json") => of_json(name, base, text),
        _ if has_extension(base, "toml") => of_toml(name, text),
        _ if has_extension(base, "ini") && uwsgi_ini::is_one(text) => Ok(uwsgi_ini::read(name, text)),
        _ if has_extension(base, "cfg") || base.contains("haproxy") => Ok(haproxy_cfg::read(name, text)),
        _ if nginx_conf::is_one(base, text) => Ok(nginx_conf::read(name, text)),
        _ if apache_conf::is_one(base, text) => Ok(apache_conf::read(name, text)),
        _ if php_fpm_conf::is_one(base, text) => Ok(php_fpm_conf::read(name, text)),
        _ => Err(Unreadable::other_kind(&format!("`{base}`"))),
    }
}

/// Whether a file's name promises something that is read; a walk through a folder looks at no others.
#[must_use]
pub fn may_be_read(path: &str) -> bool {
    const NAMES: [&str; 8] =
        ["vercel.json", "host.json", "function.json", "fly.toml", "haproxy", "nginx.conf", "httpd.conf", "apache2.conf"];
    const BEGINNINGS: [&str; 5] = ["Procfile", "Caddyfile", "Dockerfile", "Containerfile", "fly."];
    // Most JSON is data; what holds a stack says so in its name.
    const TEMPLATES: [&str; 7] = ["template", "cloudformation", "cfn", "stack", "infra", "deploy", "service"];
    const EXTENSIONS: [&str; 8] = ["yaml", "yml", "template", "cfg", "conf", "vcl", "ini", "dockerfile"];
    let base = path.rsplit('/').next().unwrap_or(path);
    let lower = base.to_ascii_lowercase();
    let is_template = has_extension(base, "json") && TEMPLATES.iter().any(|word| lower.contains(word));
    let is_script = (has_extension(base, "py") && lower.contains("gunicorn") && !lower.starts_with("test"))
        || (has_extension(base, "rb") && (lower.contains("unicorn") || lower.contains("puma")));
    let begins = BEGINNINGS.iter().any(|name| base.starts_with(name)) && !has_extension(base, "md");
    NAMES.contains(&base) || begins || is_template || is_script || EXTENSIONS.iter().any(|extension| has_extension(base, extension))
}

/// Several kinds are YAML; each document is asked what it is.
fn of_yaml(name: &str, text: &str) -> Result<Vec<Part>, Unreadable> {
    if text.contains("{{") && tree::yaml(text).is_err() {
        return Err(Unreadable { why: Why::Template, ..Unreadable::new("YAML", "a template that is filled in later (`{{ … }}`)") });
    }
    let documents = tree::yaml(text)?;
    let mut found = Vec::new();
    let mut is_known = false;
    for node in &documents {
        let parts = of_node(name, node);
        is_known |= parts.is_some();
        found.extend(parts.unwrap_or_default());
    }
    if is_known { Ok(found) } else { Err(Unreadable::other_kind(&format!("another kind of YAML in `{name}`"))) }
}

fn of_node(name: &str, node: &Node) -> Option<Vec<Part>> {
    match node {
        _ if cloudformation::is_one(node) => Some(cloudformation::read(name, node)),
        _ if kubernetes::is_one(node) => Some(kubernetes::read(name, node)),
        _ if openfaas_stack::is_stack(node) => Some(openfaas_stack::read(name, node)),
        _ if serverless_yml::is_one(node) => Some(serverless_yml::read(name, node)),
        _ if compose::is_one(node) => Some(compose::read(name, node)),
        _ if openfaas_stack::is_chart(node) => Some(openfaas_stack::chart(name, node)),
        _ if platforms::is_openwhisk(node) => Some(platforms::openwhisk(name, node)),
        _ => None,
    }
}

fn of_json(name: &str, base: &str, text: &str) -> Result<Vec<Part>, Unreadable> {
    let node = tree::json(text)?;
    match base {
        "vercel.json" | "now.json" => Ok(platforms::vercel(name, &node)),
        "host.json" if platforms::is_azure_host(&node) => Ok(platforms::azure_host(name, &node)),
        "function.json" => Ok(platforms::azure_function(name, &node)),
        _ => of_node(name, &node).ok_or_else(|| Unreadable::other_kind(&format!("another kind of JSON in `{name}`"))),
    }
}

fn of_toml(name: &str, text: &str) -> Result<Vec<Part>, Unreadable> {
    let node = tree::toml(text)?;
    let is_fly = name.rsplit('/').next().is_some_and(|base| base.starts_with("fly")) || node.get("kill_timeout").is_some();
    if is_fly { Ok(platforms::fly(name, &node)) } else { Err(Unreadable::other_kind(&format!("another kind of TOML in `{name}`"))) }
}

fn has_extension(name: &str, wanted: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}
