//! A file of any server, by its URL: what `ADD https://…` asks for. As nobody: no secret of ours goes to a server that a Dockerfile names.

use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, ETAG, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::{Method, StatusCode, Uri};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Client;
use super::body::{Payload, next};
use super::error::ClientError;
use super::wire::{Attempts, Call};

/// A file on its way.
pub struct FileBody {
    /// Its length, if it was said.
    pub total_bytes: Option<u64>,
    /// `etag`.
    pub etag: Option<String>,
    /// `last-modified`.
    pub modified: Option<String>,
    /// The same in seconds since 1970.
    pub modified_s: Option<i64>,
    /// `filename` of `content-disposition`, as it was sent.
    pub file_name: Option<String>,
    body: Incoming,
    host: String,
    stall: Duration,
}

/// What the server said of the file that is here already; nothing where none is.
#[derive(Clone, Copy, Debug, Default)]
pub struct KnownFile<'a> {
    /// `etag`.
    pub etag: Option<&'a str>,
    /// `last-modified`.
    pub modified: Option<&'a str>,
}

impl FileBody {
    /// The next bytes, or none after the last.
    ///
    /// # Errors
    /// When the line breaks or stalls.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        next(&mut self.body, &self.host, self.stall).await
    }
}

impl Client {
    /// Asks for what is at this URL of `http` or `https`, where redirects may lead elsewhere. None: it is the one that is known.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn file(&self, url: &str, known: &KnownFile<'_>) -> Result<Option<FileBody>, ClientError> {
        let uri: Uri = url.parse().map_err(|_| ClientError::Settings(format!("{url:?} is no URL")))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(ClientError::Settings(format!("{url:?} is no URL of http or https")));
        }
        let wire = &self.0.wire;
        let mut headers = HeaderMap::new();
        for (name, value) in [(IF_NONE_MATCH, known.etag), (IF_MODIFIED_SINCE, known.modified)] {
            headers.extend(value.and_then(|value| HeaderValue::try_from(value).ok()).map(|value| (name, value)));
        }
        let asked = !headers.is_empty();
        let mut call = Call { method: Method::GET, uri, headers, secret: None, payload: Payload::Nothing };
        let answer = wire.send(&mut call, Attempts::Several).await?;
        if asked && answer.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(ClientError::Status(answer.status));
        }
        let text = |name| answer.header(name).map(str::to_owned);
        // Some servers give out tags and do not compare them.
        if known.etag.is_some() && answer.header(ETAG) == known.etag {
            return Ok(None);
        }
        Ok(Some(FileBody {
            total_bytes: text(CONTENT_LENGTH).and_then(|text| text.parse().ok()),
            etag: text(ETAG),
            modified: text(LAST_MODIFIED),
            modified_s: text(LAST_MODIFIED).and_then(|text| seconds_of(&text)),
            file_name: text(CONTENT_DISPOSITION).and_then(|text| file_name(&text)),
            host: answer.host(),
            stall: wire.stall(),
            body: answer.body,
        }))
    }
}

/// A time in one of the three forms of RFC 9110, section 5.6.7; Go's servers write `UTC` in the second.
fn seconds_of(text: &str) -> Option<i64> {
    let usual = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text);
    let plain = text.trim_end_matches(" GMT").trim_end_matches(" UTC");
    let civil = |form| DateTime::strptime(form, plain).and_then(|time| TimeZone::UTC.to_timestamp(time));
    let time = usual.or_else(|_| civil("%A, %d-%b-%y %H:%M:%S")).or_else(|_| civil("%a %b %e %H:%M:%S %Y"));
    time.ok().map(jiff::Timestamp::as_second)
}

/// `attachment; filename="x"` (RFC 6266), without the form for other alphabets.
fn file_name(disposition: &str) -> Option<String> {
    let parameter = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
        (name.trim().eq_ignore_ascii_case("filename") && !value.is_empty()).then(|| value.to_owned())
    };
    disposition.split(';').find_map(parameter)
}

#[cfg(test)]
mod tests {
    use super::{file_name, seconds_of};

    #[test]
    fn a_servers_name_of_a_file_is_found() {
        assert_eq!(file_name(r#"attachment; filename="a b.tar""#).as_deref(), Some("a b.tar"));
        assert_eq!(file_name("inline; FILENAME=x").as_deref(), Some("x"));
        assert_eq!(file_name("attachment; filename=\"\""), None);
        assert_eq!(file_name("attachment"), None);
    }

    #[test]
    fn a_servers_times_have_three_forms() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 UTC",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds_of(text), Some(784_111_777), "{text}");
        }
        assert_eq!(seconds_of("yesterday"), None);
    }
}
