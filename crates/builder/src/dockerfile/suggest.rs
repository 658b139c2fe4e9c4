//! "Did you mean": the nearest of what would have been right.

use super::error::Fault;

/// What is farther away is not what was meant.
const MAX_DISTANCE: usize = 2;

/// Whether case is part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// It is.
    Sensitive,
    /// It is not: the suggestion comes in the case of what was written.
    Insensitive,
}

impl Fault {
    /// The same, with the nearest of `options` as what was meant, if one is near.
    #[must_use]
    pub fn suggesting<'a>(self, written: &str, options: impl IntoIterator<Item = &'a str>, case: Case) -> Fault {
        Fault { meant: nearest(written, options, case), ..self }
    }
}

/// The nearest of `options`; none if one is the word itself: then the word is not what is wrong.
pub fn nearest<'a>(written: &str, options: impl IntoIterator<Item = &'a str>, case: Case) -> Option<String> {
    let fold = |word: &str| if case == Case::Insensitive { word.to_lowercase() } else { word.to_owned() };
    let word = fold(written);
    let mut best: Option<(usize, String)> = None;
    for option in options {
        let option = fold(option);
        if option == word {
            return None;
        }
        let limit = best.as_ref().map_or(MAX_DISTANCE + 1, |(distance, _)| *distance);
        if let Some(distance) = distance_below(&word, &option, limit) {
            best = Some((distance, option));
        }
    }
    let (_, option) = best?;
    let shouted = written == written.to_uppercase() && written != written.to_lowercase();
    Some(if case == Case::Insensitive && shouted { option.to_uppercase() } else { option })
}

/// The Levenshtein distance, if it is below `limit`. Only the band of the table that can be below it is computed.
fn distance_below(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) >= limit {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).map(|i| i.min(limit)).collect();
    for (i, c) in a.iter().enumerate() {
        let (from, to) = (i.saturating_sub(limit), (i + limit).min(b.len()));
        let mut diagonal = row[from];
        row[from] = if from == 0 { (i + 1).min(limit) } else { limit };
        for j in from..to {
            let replaced = diagonal + usize::from(b[j] != *c);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1).min(limit);
        }
        if let Some(beyond) = row.get_mut(to + 1) {
            *beyond = limit;
        }
    }
    row.last().copied().filter(|&distance| distance < limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    /// The whole table.
    fn distance(a: &str, b: &str) -> usize {
        let b: Vec<char> = b.chars().collect();
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, c) in a.chars().enumerate() {
            let mut next = vec![i + 1];
            for (j, d) in b.iter().enumerate() {
                next.push((row[j] + usize::from(c != *d)).min(row[j + 1] + 1).min(next[j] + 1));
            }
            row = next;
        }
        row[b.len()]
    }

    #[test]
    fn the_nearest_is_what_was_meant() {
        let options = ["COPY", "CMD", "RUN", "ENTRYPOINT"];
        for (written, want) in [
            ("COPPY", Some("COPY")),
            ("coppy", Some("copy")),
            ("Coppy", Some("copy")),
            ("ENTRYPONT", Some("ENTRYPOINT")),
            ("copy", None),
            ("EXPOSED", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, options, Case::Insensitive).as_deref(), want, "{written}");
        }
        assert_eq!(nearest("Mount", ["mount"], Case::Sensitive).as_deref(), Some("mount"));
    }

    proptest! {
        #[test]
        fn the_band_is_as_good_as_the_table(a in "[abc]{0,8}", b in "[abc]{0,8}", limit in 1..5usize) {
            let want = Some(distance(&a, &b)).filter(|&distance| distance < limit);
            prop_assert_eq!(distance_below(&a, &b, limit), want);
        }
    }
}
