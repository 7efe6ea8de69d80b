//! `overrun lint`: the chain of limits of every function and service, and what is in the wrong order. Pure.
//!
//! Files → parts (`limits`) → pieces and links (`project`) → chains → findings. What a file does not say may be filled in with
//! a documented default, which is marked as one; nothing is claimed from defaults alone.

mod grace;
mod project;
pub mod render;
mod words;

use domain::Limit;
use serde::Serialize;

use crate::limits::order::{Step, in_chain};
use crate::limits::{self, Role, Why};
use project::Project;

/// One file as it was found.
pub struct File<'f> {
    /// Its path from the top of what is read.
    pub name: &'f str,
    /// What is in it.
    pub text: &'f str,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Functions and services with their limits.
    pub services: Vec<Service>,
    /// Limits in the wrong order.
    pub inversions: Vec<Finding>,
    /// Files that could not be read.
    pub unreadable: Vec<NotRead>,
    /// Files that say something about limits.
    pub files: Vec<String>,
}

/// One function or service.
#[derive(Debug, Serialize)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Where it is described: `template.yaml:12`.
    #[serde(rename = "where")]
    pub place: String,
    /// The ways by which requests reach it, each from the outermost limit to the innermost.
    pub chains: Vec<Vec<Link>>,
}

/// One limit on such a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Whose it is.
    pub part: String,
    /// The limit.
    #[serde(flatten)]
    pub limit: Limit,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// An outer layer gives up before an inner one.
    OuterShorterThanInner,
    /// Two settings of one product that must lie within each other do not.
    SettingsOutOfOrder,
    /// A queue hands a message out again while it is still being worked on.
    RedeliveredTooSoon,
    /// What runs the server kills it before it is done with its requests.
    GraceTooShort,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 4] = [Self::OuterShorterThanInner, Self::SettingsOutOfOrder, Self::RedeliveredTooSoon, Self::GraceTooShort];

    /// Its name in JSON, SARIF and annotations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OuterShorterThanInner => "outer_shorter_than_inner",
            Self::SettingsOutOfOrder => "settings_out_of_order",
            Self::RedeliveredTooSoon => "redelivered_too_soon",
            Self::GraceTooShort => "grace_too_short",
        }
    }

    /// What it means, in one sentence.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::OuterShorterThanInner => "An outer layer gives up before an inner one: the work goes on and nobody gets its result.",
            Self::SettingsOutOfOrder => "Two settings of one product that must lie within each other do not.",
            Self::RedeliveredTooSoon => "A queue hands a message out again while its first receiver may still work on it.",
            Self::GraceTooShort => "What runs the server kills it before it is done with its running requests.",
        }
    }
}

/// Two limits in the wrong order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub rule: Rule,
    /// The function or service that it concerns; the first, where several share the limits.
    pub service: String,
    /// In one sentence.
    pub message: String,
    /// The limit that ends too soon.
    pub outer: Limit,
    /// The limit that it should outlast.
    pub inner: Limit,
    /// What to do.
    pub advice: Option<String>,
}

/// A file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotRead {
    /// The file.
    pub file: String,
    /// In which line it fails, if that is known.
    pub line: Option<u32>,
    /// What was expected and what was found.
    pub reason: String,
}

/// Parts of one stack: every one is held against every other.
const PARTS_MAX: usize = 5_000;
/// Ways to one service beyond this number are not followed: configuration generated in loops has many, all alike.
const CHAINS_MAX: usize = 32;
/// Pieces on one way.
const DEPTH_MAX: usize = 16;

/// Reads files together, as one stack. `names` are the names of all files that were seen, read or not: some of them tell
/// where a stack runs.
#[must_use]
pub fn lint(files: &[File<'_>], names: &[&str]) -> Report {
    let mut report = Report::default();
    let mut parts = Vec::new();
    for file in files {
        match limits::parts(file.name, file.text) {
            Ok(found) if parts.len() + found.len() > PARTS_MAX => {
                let reason = format!("expected at most {PARTS_MAX} functions, services and proxies in all, found more");
                report.unreadable.push(NotRead { file: file.name.to_owned(), line: None, reason });
            }
            Ok(found) => {
                if found.iter().any(|part| !part.is_empty()) {
                    report.files.push(file.name.to_owned());
                }
                parts.extend(found);
            }
            Err(error) if error.why == Why::OtherKind => {}
            // A chart has dozens: one line for each folder of them.
            Err(error) if error.why == Why::Template && report.unreadable.iter().any(|known| is_beside(&known.file, file.name)) => {}
            Err(error) if error.why == Why::Template => {
                let folder = file.name.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
                report.unreadable.push(NotRead { file: folder, line: None, reason: error.to_string() });
            }
            Err(error) => report.unreadable.push(NotRead { file: file.name.to_owned(), line: error.line, reason: error.to_string() }),
        }
    }
    let project = Project::new(&parts, names);
    for leaf in 0..project.pieces.len() {
        let is_leaf = project.links.iter().all(|(outer, _)| *outer != leaf);
        if is_leaf && !project.is_beside_the_point(leaf) {
            service(&project, leaf, &mut report);
        }
    }
    report
}

/// Whether a file lies in a folder, which ends in a slash, and in none within it.
fn is_beside(folder: &str, file: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|name| (folder.is_empty() || folder.ends_with('/')) && !name.contains('/'))
}

/// Adds a service with its ways, and what is wrong on them.
fn service(project: &Project, leaf: usize, report: &mut Report) {
    let mut ways = Vec::new();
    outwards(project, &mut vec![leaf], &mut ways);
    let piece = &project.pieces[leaf];
    let mut chains: Vec<Vec<Link>> = Vec::new();
    for way in ways {
        let steps: Vec<Step<'_>> = way
            .iter()
            .enumerate()
            .flat_map(|(depth, index)| project.pieces[*index].limits.iter().map(move |limit| Step { limit, depth }))
            .collect();
        let is_stated = steps.iter().any(|step| step.limit.known_from != domain::KnownFrom::Default);
        if !is_stated && piece.role != Role::Function {
            continue;
        }
        let pieces: Vec<&project::Piece> = way.iter().map(|index| &project.pieces[*index]).collect();
        let found = in_chain(&steps).into_iter().map(|pair| (words::rule(pair), pair)).chain(grace::too_short(&pieces));
        for (rule, pair) in found {
            let finding = words::finding(rule, pair, &piece.name);
            let is_known = |known: &Finding| (known.rule, &known.outer, &known.inner) == (finding.rule, &finding.outer, &finding.inner);
            if !report.inversions.iter().any(is_known) {
                report.inversions.push(finding);
            }
        }
        let links =
            pieces.iter().flat_map(|piece| piece.limits.iter().map(|limit| Link { part: piece.name.clone(), limit: limit.clone() }));
        let chain: Vec<Link> = links.collect();
        if !chain.is_empty() && !chains.contains(&chain) {
            chains.push(chain);
        }
    }
    if !chains.is_empty() {
        report.services.push(Service { name: piece.name.clone(), place: piece.place.clone(), chains });
    }
}

/// All ways from the outside to the first of `way`, each outermost first.
fn outwards(project: &Project, way: &mut Vec<usize>, ways: &mut Vec<Vec<usize>>) {
    if ways.len() >= CHAINS_MAX {
        return;
    }
    let inner = way.last().copied().unwrap_or_default();
    let outer = project.links.iter().filter(|(_, behind)| *behind == inner).map(|(outer, _)| *outer);
    let outer: Vec<usize> = outer.filter(|one| !way.contains(one) && way.len() < DEPTH_MAX).collect();
    if outer.is_empty() {
        ways.push(way.iter().rev().copied().collect());
        return;
    }
    for one in outer {
        way.push(one);
        outwards(project, way, ways);
        way.pop();
    }
}

#[cfg(test)]
mod tests;
