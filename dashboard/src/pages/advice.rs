//! What to change, as the pages of an incident and of a problem show it.

use askama::Template;
use askama::filters::HtmlSafe;
use domain::Advice;

use crate::text::{Sentence, Text};

/// Pieces of advice, the most useful first.
#[derive(Debug, Template)]
#[template(path = "parts/advice.html")]
pub struct AdviceList {
    items: Vec<Item>,
}

// Its template escapes what it prints.
impl HtmlSafe for AdviceList {}

#[derive(Debug)]
struct Item {
    /// `--timeout 30 → 45`.
    change: Option<Text>,
    /// The present value, where no other is proposed.
    present: Option<Text>,
    place: Option<Sentence>,
    text: Sentence,
}

impl AdviceList {
    /// Shows `advice` in its order.
    #[must_use]
    pub fn new(advice: &[Advice]) -> Self {
        Self { items: advice.iter().map(item).collect() }
    }
}

fn item(advice: &Advice) -> Item {
    let change = advice.setting.as_ref().map(|setting| match (&advice.from, &advice.to) {
        (Some(from), Some(to)) => format!("{setting} {from} → {to}"),
        (None, Some(to)) => format!("{setting} → {to}"),
        (_, None) => setting.clone(),
    });
    let is_one_word = |place: &&String| !place.contains([' ', '`']);
    let place =
        advice.place.as_ref().map(|place| Some(place).filter(is_one_word).map_or_else(|| place.clone(), |word| format!("`{word}`")));
    Item {
        change: change.map(|change| Text::name(&change)),
        present: advice.from.as_ref().filter(|_| advice.to.is_none()).map(|from| Text::name(from)),
        place: place.map(|place| Sentence::new(&place)),
        text: Sentence::new(&advice.text),
    }
}
