//! Requests for lists: repositories, tags, referrers.

use hyper::StatusCode;
use serde_json::json;
use spec::digest::BlobDigest;
use spec::image::media;

use super::answer::{Asked, Registry};
use super::names::Repository;
use super::reply::{self, Answer, Code, Refusal};
use super::route::encode;
use super::storage::{Listed, More, Page};

/// The longest list in one answer; clients follow the link to the rest.
const LIST_MAX: usize = 10_000;

impl Registry {
    pub(super) async fn catalog(&self, asked: &Asked) -> Answer {
        let page = page(asked)?;
        let limit = page.limit;
        let listed = self.block(move |storage| storage.repositories(&page)).await?;
        let link = next("/v2/_catalog", &listed, limit);
        Ok(linked(reply::json(&json!({ "repositories": listed.names })), link))
    }

    pub(super) async fn tags(&self, asked: &Asked, name: Repository) -> Answer {
        let page = page(asked)?;
        let (at, limit) = (name.clone(), page.limit);
        let listed = self.block(move |storage| storage.tags(&at, &page)).await?;
        let link = next(&format!("/v2/{name}/tags/list"), &listed, limit);
        Ok(linked(reply::json(&json!({ "name": name.as_str(), "tags": listed.names })), link))
    }

    pub(super) async fn referrers(&self, asked: &Asked, name: Repository, subject: BlobDigest) -> Answer {
        let after = asked.query.digest("last")?;
        let filter = asked.query.one("artifactType");
        let (at, of) = (name.clone(), subject.clone());
        let mut referrers = self.block(move |storage| storage.referrers(&at, &of, after.as_ref())).await?;
        let last = referrers.found.last().map(|last| last.digest.to_string());
        let link = last.filter(|_| referrers.more == More::Yes).map(|last| {
            let filter = filter.map(|filter| format!("&artifactType={}", encode(filter))).unwrap_or_default();
            format!("</v2/{name}/referrers/{subject}?last={last}{filter}>; rel=\"next\"")
        });
        referrers.found.retain(|one| filter.is_none_or(|filter| one.artifact_type == filter));
        let index = json!({ "schemaVersion": 2, "mediaType": media::INDEX, "manifests": referrers.found });
        let mut response = reply::full(StatusCode::OK, media::INDEX, index.to_string().into_bytes());
        if filter.is_some() {
            reply::add(&mut response, &[("oci-filters-applied", "artifactType")]);
        }
        Ok(linked(response, link))
    }
}

fn page(asked: &Asked) -> Result<Page, Refusal> {
    let limit = match asked.query.one("n").map(str::parse::<usize>) {
        None => LIST_MAX,
        Some(Ok(n)) => n.min(LIST_MAX),
        Some(Err(_)) => {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, "n is not a number"));
        }
    };
    Ok(Page { after: asked.query.one("last").map(str::to_owned), limit })
}

/// Where the rest is. An empty list leads nowhere.
fn next(path: &str, listed: &Listed, limit: usize) -> Option<String> {
    let last = listed.names.last().filter(|_| listed.more == More::Yes)?;
    Some(format!("<{path}?last={}&n={limit}>; rel=\"next\"", encode(last)))
}

fn linked(
    mut response: hyper::Response<super::body::Body>,
    link: Option<String>,
) -> hyper::Response<super::body::Body> {
    if let Some(link) = link {
        reply::add(&mut response, &[("link", &link)]);
    }
    response
}
