//! Functions that overran, each with its slowest request as a bar that ends at its limit.

use domain::Millis;
use jiff::Timestamp;
use store::FunctionRow;

use crate::links::Links;
use crate::moment::count;
use crate::text::Text;
use crate::timeline::Px;

/// One function.
#[derive(Debug)]
pub struct FunctionView {
    /// Its name.
    pub name: Text,
    /// Its stack, where it is not `default`.
    pub stack: Option<Text>,
    /// How many of its requests overran.
    pub incidents: String,
    /// Which ones.
    pub href: String,
    /// Its slowest request.
    pub slowest: String,
    /// Its limit.
    pub limit: String,
    /// Both as a bar; `None` while one of them is not known.
    pub bar: Option<ShareBar>,
}

/// The slowest request as a share of the limit.
#[derive(Debug)]
pub struct ShareBar {
    /// Of a hundred.
    pub width: Px,
    /// `share-fired` where the limit was reached.
    pub class: &'static str,
    /// `92 %`.
    pub text: String,
    /// The same in a sentence.
    pub label: String,
}

/// Views of `rows`, those closest to their limit or beyond it first, with links into the window `span`.
pub fn views(rows: &[FunctionRow], span: Option<(Timestamp, Timestamp)>, links: &Links) -> Vec<FunctionView> {
    let share = |row: &&FunctionRow| row.elapsed_ms_max.zip(row.limit_ms).and_then(|(elapsed, limit)| share(elapsed, limit));
    let mut sorted: Vec<_> = rows.iter().collect();
    sorted.sort_by(|a, b| share(b).unwrap_or(-1.0).total_cmp(&share(a).unwrap_or(-1.0)));
    sorted.into_iter().map(|row| view(row, span, links)).collect()
}

fn view(row: &FunctionRow, span: Option<(Timestamp, Timestamp)>, links: &Links) -> FunctionView {
    let mut parameters = vec![("function", row.function.clone()), ("stack", row.stack.clone())];
    parameters.extend(span.into_iter().flat_map(|(from, to)| [("from", from.to_string()), ("to", to.to_string())]));
    let known = |duration: Option<Millis>| duration.map_or_else(|| "not known".to_owned(), |duration| duration.to_string());
    FunctionView {
        name: Text::name(&row.function),
        stack: (row.stack != "default").then(|| Text::name(&row.stack)),
        incidents: count(row.incidents),
        href: links.incidents(&parameters),
        slowest: known(row.elapsed_ms_max),
        limit: known(row.limit_ms),
        bar: row.elapsed_ms_max.zip(row.limit_ms).and_then(|(elapsed, limit)| share_bar(elapsed, limit)),
    }
}

fn share(elapsed: Millis, limit: Millis) -> Option<f64> {
    (limit > Millis::ZERO).then(|| elapsed.as_ms_f64() / limit.as_ms_f64())
}

fn share_bar(elapsed: Millis, limit: Millis) -> Option<ShareBar> {
    let share = share(elapsed, limit)?;
    let text = format!("{:.0} %", share * 100.0);
    let label = format!("{elapsed} of {limit}, {text} of the limit");
    Some(ShareBar {
        width: Px((share * 100.0).clamp(0.0, 100.0)),
        class: if share >= 1.0 { "share-fired" } else { "share-near" },
        text,
        label,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(limit: Option<i64>, elapsed: Option<i64>) -> FunctionView {
        let row = FunctionRow {
            function: "a&b".into(),
            stack: "default".into(),
            incidents: 3,
            limit_ms: limit.map(Millis::from_ms),
            elapsed_ms_max: elapsed.map(Millis::from_ms),
        };
        view(&row, None, &Links::new(""))
    }

    #[test]
    fn a_bar_ends_at_the_limit() {
        let bar = row(Some(30_000), Some(30_200)).bar.expect("both known");
        assert_eq!((bar.width, bar.class, bar.text.as_str()), (Px(100.0), "share-fired", "101 %"));
        assert_eq!(row(Some(30_000), Some(27_600)).bar.expect("both known").width, Px(92.0));
    }

    #[test]
    fn what_is_not_known_is_said_and_not_drawn() {
        let view = row(None, Some(1000));
        assert_eq!((view.limit.as_str(), view.bar.is_none()), ("not known", true));
        assert_eq!(view.href, "/incidents?function=a%26b&stack=default");
        assert!(row(Some(0), Some(5)).bar.is_none());
    }
}
