//! `oci-layout://DIR[:tag][@digest]`: an image of a layout in a directory as a build's base (buildx `build/opt.go`).

use std::fmt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, open};
use spec::digest::Digest;
use spec::platform::Platform;
use store::{Image, LayoutImage};

use super::Tools;
use crate::error::Error;

/// What such an address begins with.
pub const SCHEME: &str = "oci-layout://";

/// An address, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Where the layout is.
    pub dir: PathBuf,
    /// Which image of it.
    pub tag: String,
    /// Which one exactly.
    pub digest: Option<Digest>,
}

impl Layout {
    /// Takes an address apart; none where it is another kind of address. A path may have both signs: what follows the last of each counts
    /// only if it is a digest, or a tag.
    #[must_use]
    pub fn parse(text: &str) -> Option<Layout> {
        let rest = text.strip_prefix(SCHEME)?;
        let exact = rest.rsplit_once('@').and_then(|(rest, digest)| Some((rest, digest.parse().ok()?)));
        let (rest, digest) = exact.map_or((rest, None), |(rest, digest)| (rest, Some(digest)));
        let (dir, tag) = rest.rsplit_once(':').filter(|(_, tag)| is_tag(tag)).unwrap_or((rest, "latest"));
        Some(Layout { dir: dir.into(), tag: tag.to_owned(), digest })
    }
}

fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}:{}", self.dir.display(), self.tag)?;
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// Takes the image into the store, where it has no name.
pub(super) fn load(tools: &Tools<'_>, layout: &Layout, platform: &Platform) -> Result<Image, Error> {
    let Layout { dir, tag, digest } = layout;
    let place = open(dir, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let place = place.map_err(|e| Error::Io(format!("invalid store at {}", dir.display()), e.into()))?;
    let image = LayoutImage { tag, digest: digest.as_ref() };
    let failed = format!("oci-layout reference \"{layout}\" could not be resolved");
    tools.host.store.load_layout(place, &image, platform, &mut |_| {}).map_err(Error::other(&failed))
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn addresses_are_taken_apart_as_by_buildx() {
        let check = |text: &str, is: &str| {
            let layout = Layout::parse(text).unwrap();
            assert_eq!(layout.to_string(), is);
            assert_eq!(Layout::parse(is).unwrap(), layout);
        };
        let digest = format!("sha256:{}", "1".repeat(64));
        check("oci-layout://a/b", "oci-layout://a/b:latest");
        check("oci-layout:///x:1.3", "oci-layout:///x:1.3");
        check(&format!("oci-layout://x@{digest}"), &format!("oci-layout://x:latest@{digest}"));
        check(&format!("oci-layout://x:1@{digest}"), &format!("oci-layout://x:1@{digest}"));
        // In paths they are letters like others.
        check("oci-layout:///a@b/c", "oci-layout:///a@b/c:latest");
        check("oci-layout:///a:b/c:1", "oci-layout:///a:b/c:1");
        check(&format!("oci-layout:///a:b/@/c@{digest}"), &format!("oci-layout:///a:b/@/c:latest@{digest}"));
        let odd = Layout { dir: format!("/a@{digest}").into(), tag: "1".into(), digest: None };
        assert_eq!(Layout::parse(&odd.to_string()), Some(odd));
        assert!(Layout::parse("docker-image://x").is_none());
    }
}
