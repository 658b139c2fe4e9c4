//! `oci-layout://DIR[:tag][@digest]`: an image of a layout in a directory as a build's base (buildx `build/opt.go`).

use std::fmt;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, open};
use spec::digest::{Digest, DigestError};
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
    /// Takes an address apart; none where it is another kind of address.
    ///
    /// # Errors
    /// The digest is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Result<Layout, DigestError>> {
        let rest = text.strip_prefix(SCHEME)?;
        let (rest, digest) = rest.split_once('@').map_or((rest, None), |(rest, digest)| (rest, Some(digest)));
        let (dir, tag) = rest.split_once(':').unwrap_or((rest, "latest"));
        let layout = |digest| Layout { dir: dir.into(), tag: tag.to_owned(), digest };
        Some(digest.map(str::parse).transpose().map(layout))
    }
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
            let layout = Layout::parse(text).unwrap().unwrap();
            assert_eq!(layout.to_string(), is);
            assert_eq!(Layout::parse(is).unwrap().unwrap(), layout);
        };
        let digest = format!("sha256:{}", "1".repeat(64));
        check("oci-layout://a/b", "oci-layout://a/b:latest");
        check("oci-layout:///x:docker.io/library/y:1", "oci-layout:///x:docker.io/library/y:1");
        check(&format!("oci-layout://x@{digest}"), &format!("oci-layout://x:latest@{digest}"));
        check(&format!("oci-layout://x:1@{digest}"), &format!("oci-layout://x:1@{digest}"));
        assert!(Layout::parse("oci-layout://x@1").unwrap().is_err());
        assert!(Layout::parse("docker-image://x").is_none());
    }
}
