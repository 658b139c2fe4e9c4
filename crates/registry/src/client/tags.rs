//! The tags of a repository, page after page.

use hyper::Method;
use hyper::header::LINK;
use serde::Deserialize;
use spec::reference::Reference;

use super::Client;
use super::ask::{Ask, To};
use super::body::{Payload, whole};
use super::error::ClientError;
use super::origin::{Endpoint, resolve};
use super::read::pulling;

/// More pages than a repository has; a registry may answer with a next one for ever.
const PAGES_MAX: usize = 1000;
const PAGE_MAX_BYTES: usize = 8 << 20;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Client {
    /// All tags of a repository. Mirrors are not asked: they may not know all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tags(&self, repository: &Reference) -> Result<Vec<String>, ClientError> {
        let endpoint = Endpoint::registry(repository.registry())?;
        let mut to = To::Path(format!("{}/tags/list", repository.path()), vec![("n", "1000")]);
        let mut tags = Vec::new();
        for _ in 0..PAGES_MAX {
            let what = format!("tags of {}", repository.path());
            let (method, scopes) = (Method::GET, pulling(repository));
            let ask = Ask { method, to, headers: Vec::new(), payload: Payload::Nothing, scopes, what };
            let answer = self.ask(&endpoint, ask).await?;
            let (host, next) =
                (answer.host(), answer.header(LINK).and_then(next_page).and_then(|to| resolve(&answer.uri, to)));
            let bytes = whole(answer.body, &host, self.0.wire.stall(), PAGE_MAX_BYTES).await?;
            let page = serde_json::from_slice::<Page>(&bytes);
            let page = page.map_err(|e| ClientError::broken(&host, format!("a list of tags that is none: {e}")))?;
            tags.extend(page.tags.unwrap_or_default());
            let Some(next) = next else { return Ok(tags) };
            to = To::Location(next);
        }
        Err(ClientError::broken(repository.registry(), format!("more than {PAGES_MAX} pages of tags")))
    }
}

/// The address in `</v2/x/tags/list?n=1000&last=b>; rel="next"` (RFC 8288).
fn next_page(link: &str) -> Option<&str> {
    let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let next = parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=next" | "rel=\"next\""));
    next.then_some(address)
}

#[cfg(test)]
mod tests {
    use super::next_page;

    #[test]
    fn the_next_page_is_linked() {
        assert_eq!(next_page("</v2/x/tags/list?last=b>; rel=\"next\""), Some("/v2/x/tags/list?last=b"));
        assert_eq!(next_page("</v2/x>; rel=prev"), None);
        assert_eq!(next_page("nonsense"), None);
    }
}
