//! Labels as Prometheus writes them: `{job="lambda", function_name="pay"}`.

use super::Labels;

/// Reads them.
///
/// # Errors
/// What was expected and what was found.
pub fn parse(text: &str) -> Result<Labels, String> {
    read(text).ok_or_else(|| format!("expected labels like `{{job=\"shop\"}}`, found `{}`", crate::parse::cut(text, 128)))
}

fn read(text: &str) -> Option<Labels> {
    let mut rest = text.trim().strip_prefix('{')?.trim_start();
    let mut labels = Labels::new();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return after.is_empty().then_some(labels);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = quoted(after.trim_start())?;
        labels.insert(name.trim().to_owned(), value);
        let after = after.trim_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
}

/// A text in double quotes with Go's escapes, or in backquotes without any.
fn quoted(text: &str) -> Option<(String, &str)> {
    if let Some((value, rest)) = text.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        return Some((value.to_owned(), rest));
    }
    let inside = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &inside[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_hold_anything() {
        let labels = parse(r#"{ job="a, b=\"c\"}", x=`\d`,empty="", }"#).expect("good");
        let told: Vec<_> = labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(told, ["empty: ", "job: a, b=\"c\"}", "x: \\d"]);
        assert_eq!(parse("{}"), Ok(Labels::new()));
        for broken in ["", "{", "{a}", "{a=\"b}", "{a=\"b\"} and more"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
