//! `WWW-Authenticate`: what a server wants to see before it answers (RFC 9110, sections 11.2 to 11.6.1).
//!
//! One header may hold several challenges, and the comma that parts them also parts the parameters of one; only what follows a word
//! (`=` or not) tells which it is.

/// One challenge: a scheme in lower case and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `basic`, `bearer`, …
    pub scheme: String,
    /// Names in lower case, values without quotes.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The challenges of one header; nothing of a header that does not follow the grammar, since half of it may mean another thing.
#[must_use]
pub fn parse(header: &str) -> Vec<Challenge> {
    challenges(header).unwrap_or_default()
}

fn challenges(header: &str) -> Option<Vec<Challenge>> {
    let mut rest = Rest(header);
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        // Lists may have empty elements.
        while rest.skip_spaces().take(',') {}
        if rest.0.is_empty() {
            return Some(found);
        }
        let word = rest.token()?;
        match (rest.value()?, found.last_mut()) {
            (Some(value), Some(challenge)) => challenge.parameters.push((word.to_ascii_lowercase(), value)),
            (Some(_), None) => return None,
            (None, _) => {
                found.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                rest.first_parameter(&mut found.last_mut()?.parameters)?;
            }
        }
        if !rest.skip_spaces().0.is_empty() && !rest.0.starts_with(',') {
            return None;
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn skip_spaces(&mut self) -> &mut Self {
        self.0 = self.0.trim_start_matches([' ', '\t']);
        self
    }

    fn take(&mut self, char: char) -> bool {
        let rest = self.0.strip_prefix(char);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn token(&mut self) -> Option<String> {
        let end = self.0.find(|char| !is_token(char)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then(|| token.to_owned())
    }

    /// `= value`, if it comes next; nothing at all if what comes next is wrong.
    fn value(&mut self) -> Option<Option<String>> {
        let mut ahead = Rest(self.0);
        if !ahead.skip_spaces().take('=') {
            return Some(None);
        }
        ahead.skip_spaces();
        let value = if ahead.take('"') { ahead.quoted()? } else { ahead.token()? };
        *self = Rest(&self.0[self.0.len() - ahead.0.len()..]);
        Some(Some(value))
    }

    /// After the opening quote, up to and with the closing one.
    fn quoted(&mut self) -> Option<String> {
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                char if char.is_control() && char != '\t' => return None,
                char => value.push(char),
            }
        }
        None
    }

    /// After a scheme: one or more spaces and a parameter, or a `token68` that we have no use for, or nothing.
    fn first_parameter(&mut self, parameters: &mut Vec<(String, String)>) -> Option<()> {
        if !self.0.starts_with([' ', '\t']) {
            return Some(());
        }
        let mut ahead = Rest(self.skip_spaces().0);
        let Some(name) = ahead.token() else { return Some(()) };
        if let Some(Some(value)) = ahead.value() {
            parameters.push((name.to_ascii_lowercase(), value));
            self.0 = &self.0[self.0.len() - ahead.0.len()..];
            return Some(());
        }
        let end = self.0.find(|char| !is_token68(char)).unwrap_or(self.0.len());
        self.0 = self.0[end..].trim_start_matches('=');
        Some(())
    }
}

fn is_token(char: char) -> bool {
    char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char)
}

fn is_token68(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._~+/".contains(char)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(header: &str, means: Expect) {
        let show = |challenge: &Challenge| {
            let parameters = challenge.parameters.iter().map(|(name, value)| format!(" {name}=<{value}>"));
            format!("{}{}\n", challenge.scheme, parameters.collect::<String>())
        };
        means.assert_eq(parse(header).iter().map(show).collect::<String>().trim_end());
    }

    #[test]
    fn registries_are_understood() {
        check(
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
            expect![
                "bearer realm=<https://auth.docker.io/token> service=<registry.docker.io> scope=<repository:a/b:pull,push>"
            ],
        );
        check(
            r#"Basic realm="Registry Realm", charset=UTF-8"#,
            expect!["basic realm=<Registry Realm> charset=<UTF-8>"],
        );
        check("BASIC", expect!["basic"]);
    }

    #[test]
    fn several_challenges_share_a_header() {
        check(
            r#"Negotiate, Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple""#,
            expect![[r#"
                negotiate
                newauth realm=<apps> type=<1> title=<Login to "apps">
                basic realm=<simple>"#]],
        );
        check(
            r#"Negotiate TlRMTVNTUAAB==, , Bearer  realm = "a,b" ,"#,
            expect![[r"
                negotiate
                bearer realm=<a,b>"]],
        );
    }

    #[test]
    fn what_is_not_grammar_means_nothing() {
        for bad in ["realm=x", "Bearer realm=\"x", "Bearer realm=\"x\" y=z", "Basic \"", "Bearer realm=\"a\u{1}\"", "é"]
        {
            check(bad, expect![""]);
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(header in "[ -~]{0,60}|.{0,30}") {
            let _ = parse(&header);
        }

        #[test]
        fn what_was_written_is_read(
            wanted in prop::collection::vec(("[a-z]{1,8}", prop::collection::vec(("[a-z]{1,5}", "[ -~]{0,12}"), 1..4)), 0..4),
        ) {
            let one = |(scheme, parameters): &(String, Vec<(String, String)>)| {
                let quote = |value: &str| value.replace('\\', r"\\").replace('"', "\\\"");
                let parameters = parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", quote(value)));
                format!("{scheme} {}", parameters.collect::<Vec<_>>().join(", "))
            };
            let header = wanted.iter().map(one).collect::<Vec<_>>().join(", ");
            let read: Vec<_> = parse(&header).into_iter().map(|challenge| (challenge.scheme, challenge.parameters)).collect();
            prop_assert_eq!(read, wanted);
        }
    }
}
