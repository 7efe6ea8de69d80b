//! A report as text for people, as SARIF 2.1.0, and as GitHub's annotations. As JSON it is what it is.

use std::fmt::Write as _;

use domain::{KnownFrom, Limit};
use serde_json::{Value, json};

use super::{Finding, Link, Report, Rule, Service};
use crate::documented::spoken;

/// For a terminal.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    for service in &report.services {
        write_service(&mut out, service, &report.inversions).expect("writing to a string cannot fail");
    }
    for file in &report.unreadable {
        let _ = writeln!(out, "{}{}: {}", file.file, file.line.map_or_else(String::new, |line| format!(":{line}")), file.reason);
    }
    let number = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let _ = writeln!(
        out,
        "{} in {}, {}{}",
        number(report.services.len(), "function or service", "functions and services"),
        number(report.files.len(), "file", "files"),
        number(report.inversions.len(), "inversion", "inversions"),
        if report.unreadable.is_empty() {
            String::new()
        } else {
            format!(", {} not read", number(report.unreadable.len(), "file", "files"))
        },
    );
    out.chars().flat_map(|c| if c.is_control() && c != '\n' { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

fn write_service(out: &mut String, service: &Service, findings: &[Finding]) -> std::fmt::Result {
    writeln!(out, "{} ({})", service.name, service.place)?;
    for (position, chain) in service.chains.iter().enumerate() {
        if position > 0 {
            writeln!(out, "  or")?;
        }
        for (index, Link { part, limit }) in chain.iter().enumerate() {
            if index == 0 || chain[index - 1].part != *part {
                writeln!(out, "  {part}")?;
            }
            let value = limit.value_ms.map_or_else(|| "not known".to_owned(), |value| spoken(value.as_ms()));
            writeln!(out, "    {:<44} {value:>10}  {}", format!("{} {}", limit.product.title(), limit.setting), from(limit))?;
        }
    }
    for finding in findings.iter().filter(|finding| finding.service == service.name && is_on(finding, service)) {
        writeln!(out, "  ✗ {}", finding.message)?;
        if let Some(advice) = &finding.advice {
            writeln!(out, "    {advice}")?;
        }
    }
    writeln!(out)
}

fn is_on(finding: &Finding, service: &Service) -> bool {
    service.chains.iter().any(|chain| [&finding.outer, &finding.inner].iter().all(|limit| chain.iter().any(|link| link.limit == **limit)))
}

fn from(limit: &Limit) -> &str {
    match (&limit.place, limit.known_from) {
        (Some(place), _) => place,
        (None, KnownFrom::Default) if limit.setting.starts_with("(fixed)") => "fixed",
        (None, _) => "by default",
    }
}

/// GitHub's workflow commands: an annotation on the line to change.
#[must_use]
pub fn github(report: &Report) -> String {
    let mut out = String::new();
    for finding in &report.inversions {
        let (file, line) = place(finding);
        let title = property(finding.rule.as_str());
        let _ = writeln!(out, "::error file={},line={line},title={title}::{}", property(file), data(&finding.message));
    }
    for file in &report.unreadable {
        let _ = writeln!(out, "::warning file={},line={}::{}", property(&file.file), file.line.unwrap_or(1), data(&file.reason));
    }
    out
}

/// As GitHub's toolkit escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As it escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The place to change: the outer limit's, unless nobody set it.
fn place(finding: &Finding) -> (&str, u32) {
    let place = finding.outer.place.as_deref().or(finding.inner.place.as_deref()).unwrap_or_default();
    split(place)
}

fn split(place: &str) -> (&str, u32) {
    place.rsplit_once(':').map_or((place, 1), |(file, line)| (file, line.parse().unwrap_or(1)))
}

/// SARIF 2.1.0, as OASIS publishes it.
#[must_use]
pub fn sarif(report: &Report) -> Value {
    let rule = |rule: Rule| {
        json!({
            "id": rule.as_str(),
            "shortDescription": { "text": rule.meaning() },
            "defaultConfiguration": { "level": "error" },
        })
    };
    let notification = |file: &super::NotRead| {
        json!({
            "level": "warning",
            "message": { "text": file.reason },
            "locations": [location(&file.file, file.line.unwrap_or(1))],
        })
    };
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "overrun",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": Rule::ALL.map(rule),
            } },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": report.unreadable.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": report.inversions.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let (file, line) = place(finding);
    let text = match &finding.advice {
        Some(advice) => format!("{}. {advice}", finding.message),
        None => finding.message.clone(),
    };
    let other = [&finding.outer, &finding.inner].into_iter().filter_map(|limit| Some((limit, limit.place.as_deref()?)));
    let related = other.filter(|(_, place)| split(place) != (file, line)).map(|(limit, place)| {
        let (file, line) = split(place);
        let mut location = location(file, line);
        location["message"] = json!({ "text": format!("{} {}", limit.product.title(), limit.setting) });
        location
    });
    json!({
        "ruleId": finding.rule.as_str(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": "error",
        "message": { "text": text },
        "locations": [location(file, line)],
        "relatedLocations": related.collect::<Vec<_>>(),
    })
}

fn location(file: &str, line: u32) -> Value {
    json!({ "physicalLocation": {
        "artifactLocation": { "uri": uri(file), "uriBaseId": "%SRCROOT%" },
        "region": { "startLine": line.max(1) },
    } })
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
