//! What a Dockerfile names by a URL, downloaded: over the same lines as images, through the same proxies, trusted in the same way, and
//! as nobody.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use builder::{Fetched, Machine as _, Validators};
use registry::client::KnownFile;

use super::Tools;
use crate::error::Error;

/// A server that sends without end does not fill the disk.
const MOST_BYTES: u64 = 32 << 30;
/// How often it is looked whether the build is still wanted.
const GLANCE: Duration = Duration::from_millis(100);

/// Downloads `url`, unless it is still what the server said `known` of.
pub(super) fn fetch(
    tools: &Tools<'_>,
    url: &str,
    known: &Validators,
    into: &mut File,
    on: &(dyn Fn(u64, u64) + Sync),
) -> Result<Option<Fetched>, Error> {
    let session = tools.session()?;
    let failed = |e| Error::Other(format!("failed to load {}", shown(url)), Box::new(e));
    session.run(unless_interrupted(tools, async {
        let known = KnownFile { etag: known.etag.as_deref(), modified: known.modified.as_deref() };
        let Some(mut body) = session.client().file(url, &known).await.map_err(failed)? else { return Ok(None) };
        let (mut done, total) = (0_u64, body.total_bytes.unwrap_or_default());
        on(done, total);
        while let Some(bytes) = body.chunk().await.map_err(failed)? {
            done = done.saturating_add(bytes.len() as u64);
            if done > MOST_BYTES {
                return Err(Error::Invalid(format!("{} sends more than {} GiB", shown(url), MOST_BYTES >> 30)));
            }
            into.write_all(&bytes).map_err(Error::io("writing what was downloaded"))?;
            on(done, total.max(done));
        }
        if total > done {
            return Err(Error::Invalid(format!("{} ended after {done} of {total} bytes", shown(url))));
        }
        let validators = Validators { etag: body.etag.clone(), modified: body.modified.clone() };
        Ok(Some(Fetched { file_name: body.file_name.clone(), modified_s: body.modified_s, validators }))
    }))
}

/// Ends when nobody wants the build any more, whatever the server does.
async fn unless_interrupted<T>(tools: &Tools<'_>, what: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let interrupted = async {
        while !tools.is_interrupted() {
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::select! {
        done = what => done,
        () = interrupted => Err(Error::Invalid("context canceled".into())),
    }
}

/// Without what may be a secret in it.
fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or(url);
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or(authority))
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        assert_eq!(shown("https://u:p@a.example/x/y?token=1#z"), "https://a.example/x/y");
        assert_eq!(shown("http://a.example"), "http://a.example");
    }
}
