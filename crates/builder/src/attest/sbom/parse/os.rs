//! Which distribution an image is of: os-release(5).

/// A distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Os {
    /// `debian`.
    pub(crate) id: String,
    /// `12`.
    pub(crate) version: Option<String>,
}

impl Os {
    /// None: it does not say.
    pub(crate) fn parse(text: &[u8]) -> Option<Os> {
        let text = String::from_utf8_lossy(text);
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            lines.map(|value| value.trim_matches(['"', '\'']).to_owned()).find(|value| is_word(value))
        };
        Some(Os { id: value("ID")?, version: value("VERSION_ID") })
    }

    /// `debian-12`.
    pub(super) fn distribution(&self) -> String {
        match &self.version {
            Some(version) => format!("{}-{version}", self.id),
            None => self.id.clone(),
        }
    }
}

fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | '+');
    (1..=64).contains(&text.len()) && text.chars().all(fits)
}
