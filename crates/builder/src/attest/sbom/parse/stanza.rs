//! Lists in paragraphs: `Key: value` lines, a blank line between two.

/// One paragraph.
#[derive(Clone, Copy)]
pub(super) struct Stanza<'a>(&'a str);

/// All paragraphs of a text.
pub(super) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(['\n', '\r']);
        if rest.is_empty() {
            return None;
        }
        let end = [rest.find("\n\n"), rest.find("\n\r\n")].into_iter().flatten().min().unwrap_or(rest.len());
        let (stanza, after) = rest.split_at(end);
        rest = after;
        Some(Stanza(stanza))
    })
}

impl<'a> Stanza<'a> {
    /// The value of the first line with this key; what is continued on other lines is left out.
    pub(super) fn value(&self, key: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim()))
    }
}
