//! From an estimate to a value that can be set: rounded as people write it, within what the platform allows and below what
//! waits in front; and the words for it.

use domain::{Advice, History, Limit, Millis};

use super::{Covers, Estimate, TARGET_SHARE, estimate};
use crate::documented;

/// What a history advises about a limit that cut requests off. `around` are the limits of the layers in front and behind, as
/// far as they are known.
#[must_use]
pub fn advice(history: &History, limit: &Limit, around: &[Limit]) -> Advice {
    let said = match estimate(history) {
        Estimate::Covers(covers) => raised(&covers, history, limit, around),
        Estimate::Apart { share } => Said {
            kind: "look_first",
            to: None,
            text: format!(
                "{} of its requests are cut off, and hardly any finishes shortly before that: they hang, or are work of another size. \
                 How long they would need, this history cannot tell; a higher `{}` would only hide what keeps them.",
                percent(share),
                limit.setting
            ),
        },
        Estimate::TooFew { runs, needed } => Said {
            kind: "send_more",
            to: None,
            text: format!("{runs} requests are too few to propose a value of `{}` from: some {needed} would do.", limit.setting),
        },
        Estimate::NoShape => Said {
            kind: "look_first",
            to: None,
            text: format!(
                "The durations of its requests follow no distribution that a value of `{}` could be worked out from: raise it in steps, \
                 and look again after each.",
                limit.setting
            ),
        },
    };
    Advice {
        kind: said.kind.to_owned(),
        setting: Some(limit.setting.clone()),
        place: limit.place.clone(),
        from: limit.value_ms.map(as_written(limit)),
        to: said.to.map(as_written(limit)),
        text: said.text,
    }
}

/// A value as its users write it: options count whole seconds.
pub fn as_written(limit: &Limit) -> impl Fn(Millis) -> String + use<> {
    let dashed = limit.setting.starts_with("--");
    move |value| if dashed { (value.as_ms() / 1000).to_string() } else { value.to_string() }
}

struct Said {
    kind: &'static str,
    to: Option<Millis>,
    text: String,
}

fn raised(covers: &Covers, history: &History, limit: &Limit, around: &[Limit]) -> Said {
    let wanted = rounded_up(covers.time);
    let how = if covers.observed {
        "as runs that finished show"
    } else {
        "worked out from those that finished and those that were cut off, whose end nobody saw"
    };
    let needs = format!("{} of its requests need at most {wanted} ({how}; {} runs)", percent(TARGET_SHARE), history.runs());
    let present = limit.value_ms;
    if present.is_some_and(|present| wanted <= present) {
        let text =
            format!("{needs}: `{}` is long enough for them. A higher value would only hide what takes this one longer.", limit.setting);
        return Said { kind: "look_first", to: None, text };
    }
    let Some(cap) = Cap::lowest(limit, around).filter(|cap| wanted > cap.value) else {
        let text = format!("{needs}. Whatever waits in front must wait longer still.");
        return Said { kind: "change_setting", to: Some(wanted), text };
    };
    let to = Some(cap.value).filter(|value| present.is_none_or(|present| *value > present));
    Said { kind: if to.is_some() { "change_setting" } else { "look_first" }, to, text: format!("{needs}, but {}.", cap.words) }
}

/// What a value may not exceed.
struct Cap {
    value: Millis,
    words: String,
}

impl Cap {
    fn lowest(limit: &Limit, around: &[Limit]) -> Option<Self> {
        let documented = documented::limit(limit.product.as_str(), &limit.setting);
        let of_platform = documented.and_then(documented::Documented::max).map(|value| Self {
            value,
            words: format!("{} allows no more than {value}: do the rest in the background, or in parts", limit.product.title()),
        });
        // Layers are ordered from the outermost.
        let in_front = around.iter().filter(|other| other.layer < limit.layer);
        let outer =
            in_front.filter_map(|other| Some((other.value_ms?, other))).min_by_key(|(value, _)| *value).map(|(value, other)| Self {
                value: below(value),
                words: format!(
                    "{} in front gives up after {value} (`{}`): raise that one first, or answer at once and do the work afterwards",
                    other.product.title(),
                    other.setting
                ),
            });
        of_platform.into_iter().chain(outer).min_by_key(|cap| cap.value)
    }
}

/// A little less, so that the inner limit fires first and can still be answered.
fn below(outer: Millis) -> Millis {
    const MARGIN: Millis = Millis::from_ms(1000);
    if outer > MARGIN.plus(MARGIN) { outer.minus(MARGIN) } else { Millis::from_us(outer.as_us() / 2) }
}

/// The next value that people would write: 50 ms, 1 s, 5 s, half a minute.
fn rounded_up(time: Millis) -> Millis {
    let every_ms = match time.as_ms() {
        ..1000 => 50,
        1000..60_000 => 1000,
        60_000..600_000 => 5000,
        _ => 30_000,
    };
    let every = Millis::from_ms(every_ms);
    let before = time.minus(Millis::from_us(1)).as_us() / every.as_us();
    Millis::from_us((before + 1).saturating_mul(every.as_us()))
}

/// `99.5 %`
fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round() / 10.0;
    format!("{tenths} %")
}

#[cfg(test)]
mod tests {
    use domain::{KnownFrom, Layer, Product};

    use super::*;

    fn limit(layer: Layer, product: &'static str, setting: &str, seconds: i64) -> Limit {
        let value_ms = Some(Millis::from_ms(seconds * 1000));
        Limit {
            layer,
            product: Product::from(product),
            setting: setting.to_owned(),
            value_ms,
            known_from: KnownFrom::Configured,
            place: None,
        }
    }

    fn lambda(seconds: i64) -> Limit {
        limit(Layer::Platform, "aws_lambda", "Timeout", seconds)
    }

    /// What is advised when 99.5 % need `seconds`.
    fn check(seconds: f64, limit: &Limit, around: &[Limit]) -> (Option<String>, String) {
        let time = Millis::from_ms_f64(seconds * 1000.0);
        let said = raised(&Covers { time, likely: time, observed: true }, &History::default(), limit, around);
        (said.to.map(as_written(limit)), said.text)
    }

    #[test]
    fn a_value_is_rounded_as_people_write_it() {
        let rounded = |seconds: f64| rounded_up(Millis::from_ms_f64(seconds * 1000.0)).to_string();
        assert_eq!([0.21, 0.25, 4.01, 61.0, 1000.0].map(rounded), ["250 ms", "250 ms", "5 s", "65 s", "17 min"]);
    }

    #[test]
    fn a_value_is_proposed_in_the_way_it_is_written() {
        assert_eq!(check(4.2, &lambda(3), &[]).0.as_deref(), Some("5 s"));
        assert_eq!(check(41.2, &limit(Layer::AppServer, "gunicorn", "--timeout", 30), &[]).0.as_deref(), Some("42"));
    }

    #[test]
    fn never_more_than_the_platform_allows() {
        let (to, text) = check(1800.0, &lambda(600), &[]);
        assert_eq!(to.as_deref(), Some("15 min"));
        assert!(text.contains("AWS Lambda allows no more than 15 min"), "{text}");
        assert_eq!(check(1800.0, &lambda(900), &[]).0, None);
    }

    #[test]
    fn never_longer_than_what_waits_in_front() {
        let gateway = limit(Layer::Gateway, "api_gateway", "TimeoutInMillis", 29);
        let inner = limit(Layer::Downstream, "redis", "timeout", 1);
        let (to, text) = check(40.0, &lambda(10), &[inner.clone(), gateway.clone()]);
        assert_eq!(to.as_deref(), Some("28 s"));
        assert!(text.contains("API Gateway in front gives up after 29 s"), "{text}");
        assert_eq!(check(40.0, &lambda(28), &[gateway]).0, None);
        assert_eq!(check(20.0, &lambda(10), &[inner]).0.as_deref(), Some("20 s"));
    }

    #[test]
    fn a_limit_that_is_long_enough_is_left_alone() {
        let (to, text) = check(2.0, &lambda(3), &[]);
        assert_eq!(to, None);
        assert!(text.contains("is long enough"), "{text}");
    }

    #[test]
    fn too_little_history_says_how_much_is_needed() {
        let said = advice(&History { cut: vec![(Millis::from_ms(3000), 7)], ..History::default() }, &lambda(3), &[]);
        assert_eq!((said.kind.as_str(), said.to), ("send_more", None));
        assert_eq!(said.text, "7 requests are too few to propose a value of `Timeout` from: some 600 would do.");
    }
}
