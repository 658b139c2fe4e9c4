//! What a request asks for: the path and the query, taken apart.
//!
//! Repository names have slashes in them, so a path is read from its end.

use std::str::FromStr;

use hyper::Uri;
use spec::digest::BlobDigest;

use super::names::{NameError, Repository, UploadId, Which, digest};

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/tags/list`
    Tags(Repository),
    /// `/v2/<name>/manifests/<tag or digest>`
    Manifest(Repository, Which),
    /// `/v2/<name>/blobs/<digest>`
    Blob(Repository, BlobDigest),
    /// `/v2/<name>/blobs/uploads/`
    Uploads(Repository),
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload(Repository, UploadId),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(Repository, BlobDigest),
    /// Anything else.
    Nowhere,
}

impl Route {
    pub(super) fn of(path: &str) -> Result<Route, NameError> {
        let path = decode(path);
        let Some(rest) = path.strip_prefix("/v2").filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
            return Ok(Route::Nowhere);
        };
        let words: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
        let name = |words: &[&str]| Repository::from_str(&words.join("/"));
        Ok(match words.as_slice() {
            [""] => Route::Base,
            ["_catalog"] => Route::Catalog,
            [of @ .., "tags", "list"] => Route::Tags(name(of)?),
            [of @ .., "manifests", which] => Route::Manifest(name(of)?, which.parse()?),
            [of @ .., "blobs", "uploads"] | [of @ .., "blobs", "uploads", ""] => Route::Uploads(name(of)?),
            [of @ .., "blobs", "uploads", id] => Route::Upload(name(of)?, id.parse()?),
            [of @ .., "blobs", of_bytes] => Route::Blob(name(of)?, digest(of_bytes)?),
            [of @ .., "referrers", subject] => Route::Referrers(name(of)?, digest(subject)?),
            _ => Route::Nowhere,
        })
    }
}

/// The pairs behind the question mark.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Query {
        let pairs = uri.query().unwrap_or_default().split('&');
        Query(pairs.filter_map(|pair| pair.split_once('=')).map(|(key, value)| (decode(key), decode(value))).collect())
    }

    pub(super) fn one(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub(super) fn digest(&self, key: &str) -> Result<Option<BlobDigest>, NameError> {
        self.one(key).map(digest).transpose()
    }
}

/// Percent encoding undone. What is no encoding stays, and what is not UTF-8 becomes what no name may hold.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit =
            |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high << 4 | low);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Percent encoding of all that may mean something in a query.
pub(super) fn encode(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: Expect) {
        let said = Route::of(path).map_or_else(|error| error.to_string(), |route| format!("{route:?}"));
        expected.assert_eq(&said);
    }

    #[test]
    fn names_may_hold_the_words_of_the_protocol() {
        check("/v2/", expect!["Base"]);
        check("/v2", expect!["Base"]);
        check("/v2/_catalog", expect!["Catalog"]);
        check("/v2/tags/list/tags/list", expect![[r#"Tags(Repository("tags/list"))"#]]);
        check(
            "/v2/manifests/manifests/blobs/manifests/latest",
            expect![[r#"Manifest(Repository("manifests/manifests/blobs"), Tag(Tag("latest")))"#]],
        );
        check("/v2/a/b/blobs/uploads/", expect![[r#"Uploads(Repository("a/b"))"#]]);
        check("/v2/a/b/blobs/uploads", expect![[r#"Uploads(Repository("a/b"))"#]]);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        check("/v2/a/blobs/sha256:1", expect![[r#"invalid digest format: "sha256:1""#]]);
        check("/v2/a/blobs/md5:1", expect![[r#"unsupported digest algorithm: "md5""#]]);
        check("/v2/../blobs/uploads/", expect![[r#"invalid repository name: "..""#]]);
        check("/v2/%2e%2e/%2e%2e/tags/list", expect![[r#"invalid repository name: "../..""#]]);
        check("/v2/a/manifests/..", expect![[r#"invalid tag: "..""#]]);
        check("/v2/a/blobs/uploads/..", expect!["no such upload"]);
        check("/v2/tags/list", expect![[r#"invalid repository name: """#]]);
        check("/v2/a", expect!["Nowhere"]);
        check("/v2x/a/tags/list", expect!["Nowhere"]);
        check("/etc/passwd", expect!["Nowhere"]);
    }

    #[test]
    fn a_query_is_decoded() {
        let query = Query::of(&"/?digest=sha256%3Aab&tag=a&tag=b%2fc&x=%zz%".parse().unwrap());
        assert_eq!(query.one("digest"), Some("sha256:ab"));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(query.one("x"), Some("%zz%"));
        assert_eq!(encode("a b&c/d:e+f"), "a%20b%26c/d:e%2Bf");
    }

    proptest! {
        #[test]
        fn any_path_leads_somewhere_or_is_refused(path in "(/v2)?(/?[ -~]{0,12}){0,8}") {
            let _ = Route::of(&path);
        }
    }
}
