//! `did you mean`: the word nearest to one that is not known, if any is near.

/// At three edits words have nothing to do with each other (as in HashiCorp's language, which BuildKit follows).
const FAR: usize = 3;

/// The nearest of `options`; none if `word` is among them, as then it is not the word that is wrong.
pub(crate) fn nearest<'o>(word: &str, options: impl IntoIterator<Item = &'o str>) -> Option<&'o str> {
    let (mut best, mut least) = (None, FAR);
    for option in options {
        if option == word {
            return None;
        }
        let distance = distance(word, option);
        if distance < least {
            (best, least) = (Some(option), distance);
        }
    }
    best
}

/// `message`, and the suggestion if there is one.
pub(crate) fn with<'o>(message: String, word: &str, options: impl IntoIterator<Item = &'o str>) -> String {
    match nearest(word, options) {
        Some(option) => format!("{message} (did you mean {option}?)"),
        None => message,
    }
}

/// Levenshtein's, in characters; no more is computed than whether it is less than [`FAR`] where lengths tell already.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) >= FAR {
        return FAR;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested() {
        assert_eq!(with("no".into(), "biuld", ["build", "test"]), "no (did you mean build?)");
        assert_eq!(with("no".into(), "deploy", ["build", "test"]), "no");
        assert_eq!(nearest("build", ["build", "built"]), None);
        assert_eq!(distance("kitten", "sittin"), 2);
        assert_eq!(distance("", "ab"), 2);
    }
}
