//! The client: what one can ask a registry for, and how it is asked.
//!
//! ```text
//! read, push     the questions of the distribution specification; reads go to mirrors first
//! ask            one question to one endpoint: at first as nobody
//! tokens         then as whom the registry wants (challenge)
//! wire           one request: redirects, time-outs, repetition
//! line, tls      one connection: addresses, proxy, trust
//! ```
//!
//! A registry is not trusted: documents have a limit and are hashed before anybody reads them, secrets go to the host they belong to, and
//! its words are printable before they are shown.

mod ask;
mod body;
pub mod challenge;
mod error;
mod file;
mod line;
mod origin;
mod push;
mod read;
mod settings;
mod tags;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod wire;

use std::sync::Arc;
use std::time::Duration;

pub use body::Outgoing;
pub use error::{BoxError, ClientError};
pub use file::{FileBody, KnownFile};
pub use push::{Begun, Upload};
pub use read::{BlobBody, Document, Head, Span};
pub use settings::{Credentials, Login, Patience, ProxySettings, Settings};

use origin::Known;
use tokens::Tokens;
use wire::Wire;

/// A speaker of the distribution protocol. Copies share connections, tokens and what was learnt about hosts.
#[derive(Clone)]
pub struct Client(Arc<Shared>);

struct Shared {
    settings: Settings,
    wire: Wire,
    known: Known,
    tokens: Tokens,
}

impl Client {
    /// Nothing is opened or read before the first request, which wants a tokio runtime with time and I/O.
    #[must_use]
    pub fn new(settings: Settings) -> Client {
        let (wire, known, tokens) = (Wire::new(&settings), Known::default(), Tokens::default());
        Client(Arc::new(Shared { settings, wire, known, tokens }))
    }

    /// How long to wait after so many breaks in a row of what is larger than a request.
    #[must_use]
    pub(crate) fn pause(&self, breaks: u32) -> Duration {
        let pauses = &self.0.settings.patience.pauses;
        let at = usize::try_from(breaks).unwrap_or(usize::MAX).saturating_sub(1);
        pauses.get(at).or(pauses.last()).copied().unwrap_or_default()
    }
}
