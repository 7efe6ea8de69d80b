//! House rules that the compiler cannot check. Each test names every offender at once.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use collector::diagnose::CAUSES;
use collector::documented::{all, spoken};
use collector::parse::Format;
use domain::Product;

/// The longest file: what does not fit is two things.
const LINES_MAX: usize = 500;

/// Crates of ours that a crate may use in its own code.
const IMPORTS: [(&str, &[&str]); 5] = [
    ("domain", &[]),
    ("store", &["domain"]),
    ("collector", &["domain", "store"]),
    ("alerts", &["domain", "store"]),
    ("dashboard", &["domain", "store"]),
];

/// Everything that `domain` may use: data, its JSON, and digests for identities. No I/O, no clock, no logging.
const DOMAIN_LIBRARIES: [&str; 4] = ["blake3", "jiff", "serde", "serde_json"];

/// Same input, same output: what is in here reads no clock, does no I/O and logs nothing.
const PURE: [&str; 11] = [
    "collector/src/parse",
    "collector/src/correlate",
    "collector/src/diagnose",
    "collector/src/documented",
    "collector/src/estimate",
    "collector/src/limits",
    "collector/src/lint",
    "collector/src/startup",
    "alerts/src/rules",
    "alerts/src/retry",
    "alerts/src/picture",
];
const IMPURE_WORDS: [&str; 7] = ["Timestamp::now", "SystemTime", "Instant::now", "tokio", "tracing::", "std::fs", "std::net"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("`{}` could not be read: {error}", path.display()))
}

/// Every file of ours below `folder` whose name ends in one of `ends`, relative to the root, sorted.
fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.expect("a folder of ours can be listed").path()) {
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            if path.is_dir() && !matches!(name.as_str(), "target" | ".git" | ".venv" | "node_modules") {
                folders.push(path);
            } else if ends.iter().any(|end| name.ends_with(end)) {
                found.push(path.strip_prefix(root()).expect("found below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The program's own sources: no tests, no examples.
fn sources() -> Vec<PathBuf> {
    let folders = ["src", "domain/src", "store/src", "collector/src", "alerts/src", "dashboard/src"];
    folders.iter().flat_map(|folder| files(folder, &[".rs"])).filter(|path| !is_test(path)).collect()
}

/// A file's own code: without comments, and without the tests at its end.
fn code(path: &Path) -> String {
    let text = read(&root().join(path));
    let own = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    own.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_string_lossy().as_ref(), "tests" | "tests.rs" | "testing" | "testing.rs"))
}

/// The names below a heading of a Cargo.toml, up to the next heading.
fn table(manifest: &str, heading: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('['));
    let names = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn none(offenders: &[String], rule: &str) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn imports_run_one_way() {
    let mut offenders = Vec::new();
    for (name, may_use) in IMPORTS {
        let uses = table(&read(&root().join(name).join("Cargo.toml")), "[dependencies]");
        for used in uses.iter().filter(|used| IMPORTS.iter().any(|(ours, _)| ours == used)) {
            if !may_use.contains(&used.as_str()) {
                offenders.push(format!("{name} uses {used}"));
            }
        }
        let strange = |used: &&String| name == "domain" && !DOMAIN_LIBRARIES.contains(&used.as_str());
        offenders.extend(uses.iter().filter(strange).map(|used| format!("domain uses {used}")));
    }
    none(&offenders, "a crate uses only what lies inside it (ARCHITECTURE.md)");
}

#[test]
fn only_the_store_knows_sql() {
    let with_sql = sources().into_iter().filter(|path| !path.starts_with("store") && code(path).contains("sqlx::"));
    none(&with_sql.map(|path| path.display().to_string()).collect::<Vec<_>>(), "SQL is in `store` only");
}

#[test]
fn pure_folders_are_pure() {
    let mut offenders = Vec::new();
    let beside = [
        PathBuf::from("collector/src/fold.rs"),
        PathBuf::from("collector/src/startup.rs"),
        PathBuf::from("alerts/src/rules.rs"),
        PathBuf::from("alerts/src/retry.rs"),
        PathBuf::from("alerts/src/picture.rs"),
    ];
    for path in PURE.iter().flat_map(|folder| files(folder, &[".rs"])).chain(beside).filter(|path| !is_test(path)) {
        let code = code(&path);
        offenders.extend(IMPURE_WORDS.iter().filter(|word| code.contains(*word)).map(|word| format!("{}: {word}", path.display())));
    }
    none(&offenders, "parsing, correlating, diagnosing, matching and drawing do no I/O and read no clock");
}

#[test]
fn every_format_has_a_page_and_fixtures() {
    let list = read(&root().join("docs/formats/README.md"));
    let mut missing = Vec::new();
    for name in Format::ALL.into_iter().map(Format::name).filter(|name| *name != "auto") {
        let fixtures = root().join("tests/fixtures").join(name);
        let holds_some = fs::read_dir(&fixtures).is_ok_and(|entries| entries.count() > 1);
        if !holds_some || !fixtures.join("ORIGIN.md").is_file() {
            missing.push(format!("tests/fixtures/{name}/ with real input, and ORIGIN.md saying where it came from"));
        }
        if !root().join(format!("docs/formats/{name}.md")).is_file() || !list.contains(&format!("({name}.md)")) {
            missing.push(format!("docs/formats/{name}.md, or its row in docs/formats/README.md"));
        }
    }
    none(&missing, "missing");
}

#[test]
fn every_cause_and_every_action_has_a_page() {
    let causes = CAUSES.iter().map(|(id, _)| *id).chain([domain::Cause::UNKNOWN]).map(|id| format!("docs/causes/{id}.md"));
    let actions = files("alerts/src/actions", &[".rs"]);
    let kinds = actions.iter().filter_map(|path| {
        let code = code(path);
        let kind = code.split_once("const KIND: &str = \"")?.1.split('"').next()?;
        Some(format!("docs/actions/{kind}.md"))
    });
    let missing: Vec<_> = causes.chain(kinds).filter(|page| !root().join(page).is_file()).collect();
    none(&missing, "missing");
}

#[test]
fn the_vocabulary_is_written_down() {
    let page = read(&root().join("docs/formats/README.md"));
    let mut words = BTreeSet::new();
    let domain = |file: &str, name: &str| {
        let text = read(&root().join("domain/src").join(file));
        let body = text.split_once(&format!("pub enum {name} {{\n")).expect("the enum is there").1.split("\n}").next().unwrap_or_default();
        body.lines().map(str::trim).filter(|line| !line.starts_with("//")).map(|line| snake(line.trim_end_matches(','))).collect::<Vec<_>>()
    };
    words.extend(domain("evidence.rs", "Kind"));
    words.extend(domain("outcome.rs", "ClaimedOutcome"));
    for path in files("collector/src/parse", &[".rs"]).iter().filter(|path| !is_test(path)) {
        let code = code(path);
        for before in [".with(\"", "insert(\"", "say(\"", "Shape::Number(\"", "Shape::Word(\"", "Shape::Flag(\"", "Shape::List(\""] {
            words.extend(code.split(before).skip(1).filter_map(|part| part.split('"').next()).map(str::to_owned));
        }
    }
    let missing: Vec<_> = words.into_iter().filter(|word| !page.contains(&format!("`{word}`"))).collect();
    none(&missing, "docs/formats/README.md does not explain");
}

/// `WorkerBoot` → `worker_boot`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// What `notify` uses, which is no metric: `overrun_changes`.
const CHANNEL: &str = "changes";

#[test]
fn every_metric_is_listed() {
    let page = read(&root().join("docs/metrics.md"));
    let mut missing = BTreeSet::new();
    for path in sources() {
        let text = code(&path);
        let names = text.split("\"overrun_").skip(1).filter_map(|part| part.split('"').next());
        for name in names.filter(|name| *name != CHANNEL && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')) {
            if !page.contains(&format!("`overrun_{name}`")) {
                missing.insert(format!("overrun_{name} ({})", path.display()));
            }
        }
    }
    none(&missing.into_iter().collect::<Vec<_>>(), "docs/metrics.md does not list");
}

/// Branches that each add a migration can choose the same; then no database comes up to date.
#[test]
fn every_migration_has_a_version_of_its_own() {
    let mut seen = BTreeSet::new();
    let version = |path: &Path| path.file_name().and_then(|name| name.to_str()?.split_once('_')).map(|(version, _)| version.to_owned());
    let twice = files("migrations", &[".sql"]).into_iter().filter(|path| !seen.insert(version(path)));
    let offenders: Vec<_> = twice.map(|path| path.display().to_string()).collect();
    none(&offenders, "its version is that of another migration");
}

#[test]
fn no_file_is_too_long() {
    let lines = |path: &PathBuf| read(&root().join(path)).lines().count();
    let long = files("", &[".rs", ".js", ".css", ".sql"]).into_iter().filter_map(|path| {
        let lines = lines(&path);
        (lines > LINES_MAX).then(|| format!("{} has {lines} lines", path.display()))
    });
    none(&long.collect::<Vec<_>>(), "a file has at most 500 lines");
}

#[test]
fn nothing_is_left_unfinished() {
    // In two parts, so that this list does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["to", "do!("], ["unimple", "mented!("], ["#[ig", "nore"], ["#[al", "low("]]
        .map(|parts| parts.concat());
    let mut offenders = Vec::new();
    for path in files("", &[".rs"]) {
        let text = read(&root().join(&path));
        offenders.extend(words.iter().filter(|word| text.contains(*word)).map(|word| format!("{}: {word}", path.display())));
    }
    none(&offenders, "finish it, or say in words what is not there");
}

#[test]
fn every_library_has_a_reason() {
    let manifest = read(&root().join("Cargo.toml"));
    let mut explained = false;
    let mut offenders = Vec::new();
    let lines = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1).take_while(|line| !line.starts_with('['));
    for line in lines {
        if line.is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if !explained && !line.contains("path = ") {
            offenders.push(line.to_owned());
        }
    }
    none(&offenders, "a comment above says what it is for");
}

#[test]
fn every_package_carries_the_licences() {
    // npm and setuptools take only what lies in a package's own folder.
    let copies =
        ["watchdogs/node", "watchdogs/python"].into_iter().flat_map(|folder| ["LICENSE-APACHE", "LICENSE-MIT"].map(|name| (folder, name)));
    let other = copies.filter(|(folder, name)| fs::read(root().join(folder).join(name)).ok() != fs::read(root().join(name)).ok());
    none(&other.map(|(folder, name)| format!("{folder}/{name}")).collect::<Vec<_>>(), "a copy of the licence at the root");
}

#[test]
fn the_makefile_says_which_program_it_runs() {
    let makefile = read(&root().join("Makefile"));
    // There are several in the workspace, and cargo refuses to choose.
    let unsaid = makefile.lines().filter(|line| line.contains("cargo run") && !line.contains("--package "));
    none(&unsaid.map(str::to_owned).collect::<Vec<_>>(), "`--package` says which");
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in files("", &[".md"]) {
        let text = read(&root().join(&path));
        let folder = root().join(path.parent().expect("a file lies in a folder"));
        for target in text.split("](").skip(1).filter_map(|part| part.split([')', '#']).next()) {
            let is_outside = target.is_empty() || target.contains("://") || target.contains(' ');
            if !is_outside && !folder.join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    none(&broken, "no such file");
}

#[test]
fn the_page_of_limits_is_the_table() {
    let page = limits_page();
    let path = root().join("docs/limits.md");
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&path, &page).expect("it can be written to");
    }
    assert!(read(&path) == page, "docs/limits.md is not what the table says: `UPDATE_PAGES=1 cargo test --test tidy` writes it anew");
}

/// The table of limits as a page.
fn limits_page() -> String {
    const HEAD: &str =
        "| setting | layer | default | least, most | its clock starts with | when it is reached | where it is set | source |";
    let mut page = "# Limits\n\nEvery limit that Overrun knows, as its product documents it. `overrun lint` fills in defaults from here, and the daemon names them as \
        `default`: nobody has said that they apply to your stack. Where a default is marked with `?`, nobody has looked it up yet; it is shown, and nothing is \
        concluded from it. `–` is none.\n\nThis page is written by a test from `collector/src/documented/*.toml`: \
        `UPDATE_PAGES=1 cargo test --test tidy`.\n"
        .to_owned();
    let mut product = "";
    for entry in all() {
        if entry.product != product {
            product = &entry.product;
            let title = Product::from(entry.product.clone()).title().to_owned();
            let _ = write!(page, "\n## {title}\n\n{HEAD}\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
        }
        let value = |ms: Option<i64>| ms.map_or("–".to_owned(), spoken);
        let names = std::iter::once(&entry.setting).chain(&entry.also).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let kind = entry.variant.as_ref().map_or(String::new(), |kind| format!(" ({kind})"));
        let doubt = if entry.verified { "" } else { " ?" };
        let (default, least, most) = (value(entry.default_ms), value(entry.min_ms), value(entry.max_ms));
        let (layer, place) = (entry.layer.as_str(), entry.place());
        let (starts, ends, source) = (&entry.starts, &entry.ends, &entry.source);
        let _ = writeln!(page, "| {names}{kind} | {layer} | {default}{doubt} | {least}, {most} | {starts} | {ends} | {place} | {source} |");
    }
    page
}

#[test]
fn the_readme_shows_what_the_program_prints() {
    let readme = read(&root().join("README.md"));
    let mut blocks = readme.split("```\n").filter(|block| block.starts_with("START RequestId") || block.starts_with("$ overrun explain"));
    let (log, shown) = (blocks.next().expect("the four lines"), blocks.next().expect("the verdict"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("app.log"), log).expect("it can be written to");
    let program =
        std::process::Command::new(env!("CARGO_BIN_EXE_overrun")).args(["explain", "app.log"]).current_dir(folder.path()).output();
    let printed = String::from_utf8(program.expect("the program can be run").stdout).expect("it prints UTF-8");
    assert_eq!(shown, format!("$ overrun explain app.log\n{printed}"));
}
