//! Columns: Go's `text/tabwriter` as Docker sets it up, `NewWriter(out, 10, 1, 3, ' ', 0)`.
//!
//! A cell ends at a tab; what follows a line's last tab belongs to no column. A column is a run of lines that have a
//! cell there: a line without one ends it, and the next run has a width of its own.

const MIN_WIDTH: usize = 10;
const PADDING: usize = 3;

/// Replaces the tabs of `text` by the spaces that align its columns.
pub(crate) fn align(text: &str) -> String {
    align_at_least(MIN_WIDTH, text)
}

/// The same with columns that are at least so wide.
pub(crate) fn align_at_least(min_width: usize, text: &str) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.split('\t').collect()).collect();
    let mut widths: Vec<Vec<usize>> = lines.iter().map(|cells| vec![0; cells.len() - 1]).collect();
    let columns = widths.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let mut line = 0;
        while line < lines.len() {
            let run = lines[line..].iter().take_while(|cells| cells.len() > column + 1).count();
            let width = lines[line..line + run].iter().map(|cells| display_width(cells[column])).max().unwrap_or(0);
            // Unlike with Go's DiscardEmptyColumns flag, a column of empty cells keeps the least width.
            let width = (width + PADDING).max(min_width);
            for widths in &mut widths[line..line + run] {
                widths[column] = width;
            }
            line += run.max(1);
        }
    }
    let mut out = String::new();
    for (i, (cells, widths)) in lines.iter().zip(&widths).enumerate() {
        if i > 0 {
            out.push('\n');
        }
        for (cell, width) in cells.iter().zip(widths) {
            out.push_str(cell);
            out.push_str(&" ".repeat(width.saturating_sub(display_width(cell))));
        }
        out.push_str(cells.last().unwrap_or(&""));
    }
    out
}

/// How many columns of a terminal `text` takes: East Asian wide characters take two, combining marks none.
pub(crate) fn display_width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// How many columns of a terminal `c` takes.
pub(crate) fn char_width(c: char) -> usize {
    let code = u32::from(c);
    let within = |ranges: &[(u32, u32)]| ranges.iter().any(|(first, last)| (*first..=*last).contains(&code));
    if within(&[(0x300, 0x36f), (0x200b, 0x200f), (0x20d0, 0x20ff), (0xfe00, 0xfe0f), (0xfe20, 0xfe2f)]) {
        0
    } else if within(&WIDE) {
        2
    } else {
        usize::from(!c.is_control())
    }
}

/// Unicode's East Asian Width W and F (UAX #11), in blocks.
const WIDE: [(u32, u32); 16] = [
    (0x1100, 0x115f),
    (0x231a, 0x231b),
    (0x23e9, 0x23ec),
    (0x2614, 0x2615),
    (0x2648, 0x2653),
    (0x26a1, 0x26a1),
    (0x2705, 0x2705),
    (0x274c, 0x274c),
    (0x2e80, 0x303e),
    (0x3041, 0xa4cf),
    (0xa960, 0xa97c),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff00, 0xff60),
    (0x1f300, 0x3fffd),
];

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::align;

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&align(text).replace(' ', "."));
    }

    #[test]
    fn columns_are_ten_wide_and_three_apart() {
        check(
            "ID\tNAME\tPORTS\nabc\tlonger than ten\t\n\t\tx\n",
            expect![[r#"
                ID........NAME..............PORTS
                abc.......longer.than.ten...
                ............................x
            "#]],
        );
    }

    #[test]
    fn a_line_without_the_cell_ends_the_column() {
        check(
            "aaaaaaaaaaaaaaa\tb\nplain\nc\td\n",
            expect![[r#"
                aaaaaaaaaaaaaaa...b
                plain
                c.........d
            "#]],
        );
    }

    #[test]
    fn wide_characters_take_two_columns() {
        check(
            "名前名前名\tx\na\ty\n",
            expect![[r#"
            名前名前名...x
            a............y
        "#]],
        );
        check("", expect![[""]]);
    }
}
