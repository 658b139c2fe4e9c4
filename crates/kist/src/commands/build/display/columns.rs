//! Text that has so many columns of a terminal and no more.

pub(super) use crate::table::{char_width as of, display_width as width};

/// As much of a text as has room.
pub(super) fn cut(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let end = text.char_indices().find(|(_, letter)| {
        taken += of(*letter);
        taken > columns
    });
    end.map_or(text, |(at, _)| &text[..at])
}

/// A text with blanks up to a width.
pub(super) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_letters_count_twice_and_marks_not() {
        assert_eq!(width("a\u{301}日本"), 5);
        assert_eq!(cut("a\u{301}日本", 3), "a\u{301}日");
        assert_eq!(cut("a\u{301}日本", 4), "a\u{301}日");
        assert_eq!(cut("e\u{301}", 1), "e\u{301}");
        assert_eq!(pad("日", 4), "日  ");
    }
}
