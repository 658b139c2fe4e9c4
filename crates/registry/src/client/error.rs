//! What can go wrong with a registry, and what of its own words is passed on.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use spec::digest::Digest;

/// Any error, as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request did not succeed. `said` is the registry's own text, made printable; empty when it said nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The registry does not have it.
    #[error("{registry} has no {what}{}", after_colon(.said))]
    NotFound {
        /// The registry.
        registry: String,
        /// `manifest library/nginx:latest` and the like.
        what: String,
        /// The registry's words.
        said: String,
    },
    /// We are nobody there, or not somebody who may.
    #[error("{registry} denies access to {what}{}", after_colon(.said))]
    Denied {
        /// The registry.
        registry: String,
        /// To what.
        what: String,
        /// The registry's words, or ours when it was not asked for want of a login.
        said: String,
    },
    /// Too many requests, and waiting for the next would take too long.
    #[error(
        "{registry} takes no more requests{}{}; wait{}, log in with an account that may ask more, or set a mirror",
        .limit.as_ref().map(|limit| format!(" (limit {limit})")).unwrap_or_default(), after_colon(.said),
        .retry_after.map(|pause| format!(" {} s", pause.as_secs())).unwrap_or_default()
    )]
    RateLimited {
        /// The registry.
        registry: String,
        /// Its limit in the words of its header: `100;w=21600` is a hundred in six hours.
        limit: Option<String>,
        /// How long it wants us to wait.
        retry_after: Option<Duration>,
        /// The registry's words.
        said: String,
    },
    /// Any other status that is no success.
    #[error("{registry} answered {status} for {what}{}", after_colon(.said))]
    Refused {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// The status.
        status: StatusCode,
        /// The registry's words.
        said: String,
    },
    /// What a server that is no registry says of a file; BuildKit's words.
    #[error("invalid response status {}", .0.as_u16())]
    Status(StatusCode),
    /// The line: name, connection, time-out, a body that ends early. Worth another attempt.
    #[error("no complete answer from {host}")]
    Transport {
        /// Whom we spoke to; after a redirect not the registry itself.
        host: String,
        /// What happened.
        #[source]
        source: BoxError,
    },
    /// The certificate of the other side, or ours, is not accepted.
    #[error("the connection to {host} cannot be trusted: {advice}")]
    Untrusted {
        /// Whom we spoke to.
        host: String,
        /// What is wrong and what helps.
        advice: String,
        /// The words of the TLS library.
        #[source]
        source: BoxError,
    },
    /// An answer that does not follow the protocol.
    #[error("{host} does not speak the protocol: {why}")]
    Broken {
        /// Whom we spoke to.
        host: String,
        /// What it did.
        why: String,
    },
    /// The bytes are not what was asked for.
    #[error("{host} sent {got} where {want} was asked for")]
    Corrupt {
        /// Whom we spoke to.
        host: String,
        /// The digest asked for.
        want: Digest,
        /// The digest of what came.
        got: Digest,
    },
    /// Our side is set up wrongly: a URL, a certificate file, a credential helper.
    #[error("{0}")]
    Settings(String),
}

impl ClientError {
    /// Whether the same request may succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            ClientError::Transport { .. } => true,
            ClientError::Refused { status, .. } => is_passing(*status),
            ClientError::NotFound { .. }
            | ClientError::Denied { .. }
            | ClientError::RateLimited { .. }
            | ClientError::Status(_)
            | ClientError::Untrusted { .. }
            | ClientError::Broken { .. }
            | ClientError::Corrupt { .. }
            | ClientError::Settings(_) => false,
        }
    }

    pub(super) fn transport(host: impl Into<String>, source: impl Into<BoxError>) -> ClientError {
        ClientError::Transport { host: host.into(), source: source.into() }
    }

    pub(super) fn broken(host: impl Into<String>, why: impl Into<String>) -> ClientError {
        ClientError::Broken { host: host.into(), why: why.into() }
    }
}

/// Statuses that speak of the moment and not of the request.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn after_colon(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// The errors in a response's body (distribution specification, "Error Codes"), in Docker's form: `name unknown: no such repository`.
/// Registries and what stands before them send other things as well: token servers `details`, OAuth servers `error_description`, proxies
/// plain text; pages in HTML are not passed on.
pub(super) fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(complaint) => complaint_text(&complaint),
        Err(_) if text.trim_start().starts_with('<') => String::new(),
        Err(_) => text.trim().to_owned(),
    };
    printable(&text)
}

fn complaint_text(complaint: &Value) -> String {
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let faults = complaint["errors"].as_array().into_iter().flatten().map(|fault| {
        let code = text(&fault["code"]).to_lowercase().replace('_', " ");
        [code, text(&fault["message"])].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
    });
    let faults: Vec<String> = faults.filter(|fault| !fault.is_empty()).collect();
    if !faults.is_empty() {
        return faults.join("; ");
    }
    let others = ["message", "details", "error_description", "error"].map(|key| text(&complaint[key]));
    others.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

/// Foreign text is shown on terminals: control characters are escaped, and it is cut where nobody reads any more.
pub(super) fn printable(text: &str) -> String {
    const SHOWN_MAX: usize = 1000;
    let mut shown = String::new();
    for (n, char) in text.chars().enumerate() {
        if n == SHOWN_MAX {
            shown.push('…');
            break;
        }
        // The second range turns the direction of text around, and so what a reader believes to read.
        if char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            let _ = write!(shown, "{}", char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(body: &str, shown: Expect) {
        shown.assert_eq(&said(body.as_bytes()));
    }

    #[test]
    fn a_registrys_words_are_passed_on() {
        check(
            r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository","detail":{"name":"x"}},{"code":"DENIED"}]}"#,
            expect!["name unknown: no such repository; denied"],
        );
        check(r#"{"details":"incorrect username or password"}"#, expect!["incorrect username or password"]);
        check(r#"{"error":"invalid_grant"}"#, expect!["invalid_grant"]);
        check("  upstream is down\n", expect!["upstream is down"]);
        check("<html><body>502</body></html>", expect![""]);
        check(r#"{"errors":[{"code":1,"message":null}]}"#, expect![""]);
    }

    #[test]
    fn foreign_text_cannot_steer_a_terminal() {
        check("{\"errors\":[{\"code\":\"X\",\"message\":\"\\u001b[2J\\nx\"}]}", expect![r"x: \u{1b}[2J\nx"]);
    }

    proptest! {
        #[test]
        fn any_body_becomes_printable(body in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(!said(&body).chars().any(char::is_control));
        }
    }
}
