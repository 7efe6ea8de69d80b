//! "Did you mean …": the known name that is nearest to a misspelt one.

/// The candidate that takes the fewest edits, if these are few for its length or it begins alike.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(edits, candidate)| *edits * 3 <= candidate.len().max(3) || (name.len() >= 3 && candidate.starts_with(name)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or replaced (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_edits_or_a_common_beginning_make_a_suggestion() {
        let names = ["group_by", "group_wait", "name"];
        assert_eq!(nearest("gruop_by", names), Some("group_by"));
        assert_eq!(nearest("group", names), Some("group_by"));
        assert_eq!(nearest("nam", names), Some("name"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(nearest("", names), None);
    }
}
