//! Of TOML only as much as locks are written in by their tools: tables `[[package]]` with a line for each key.

/// What a table says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    /// As written, whatever it is.
    pub(super) source: &'a str,
}

/// All tables that have a name.
pub(super) fn packages(text: &str) -> impl Iterator<Item = Found<'_>> {
    let tables = text.split("[[package]]").skip(1);
    tables.map(table).filter(|found| !found.name.is_empty())
}

fn table(text: &str) -> Found<'_> {
    let mut found = Found::default();
    for line in text.lines() {
        // Tables of the package, and what follows all packages.
        if line.starts_with('[') {
            break;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        match key.trim_end() {
            "name" => found.name = string(value),
            "version" => found.version = string(value),
            "source" => found.source = value,
            _ => {}
        }
    }
    found
}

/// A plain string. One with escapes is no name of a package.
fn string(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or_default();
    if inner.contains(['"', '\\']) { "" } else { inner }
}
