//! Where a container's groups are. The paths are known before anything is made, so that they can be claimed first.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use spec::bundle::{CgroupDriver, CgroupPlacement};
use spec::id::ContainerId;

use super::{CgroupError, Layout};

/// Who wants groups, and where.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    /// Whose they are.
    pub id: &'a ContainerId,
    /// As the bundle says.
    pub at: &'a CgroupPlacement,
}

/// The groups of one container: what is claimed before they are made, and enough to find and remove them after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupPaths {
    /// In the v2 tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v2: Option<PathBuf>,
    /// In each hierarchy of v1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub v1: Vec<V1Path>,
    /// The systemd unit that they belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// A group in one hierarchy of v1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct V1Path {
    /// What the hierarchy controls: `cpu,cpuacct`.
    pub controllers: String,
    /// The directory.
    pub path: PathBuf,
}

/// A scope of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `kist-<id>.scope`.
    pub unit: String,
    /// The slice it is in.
    pub slice: String,
}

impl Placement<'_> {
    /// Who makes the groups where nobody says: as Docker has it, systemd if v2 is all there is. A user without rights on the whole tree
    /// cannot ask the system's systemd either.
    #[must_use]
    pub fn chosen(layout: &Layout) -> CgroupDriver {
        if layout.systemd && layout.v2.as_ref().is_some_and(|v2| v2.base == v2.mount) && layout.is_v2() {
            CgroupDriver::Systemd
        } else {
            CgroupDriver::Cgroupfs
        }
    }

    /// The groups to be. Nothing is made.
    ///
    /// # Errors
    /// A parent that is none, or a machine without control groups.
    pub fn paths(&self, layout: &Layout) -> Result<CgroupPaths, CgroupError> {
        let driver = match self.at.driver {
            CgroupDriver::None => return Ok(CgroupPaths::default()),
            CgroupDriver::Systemd => CgroupDriver::Systemd,
            CgroupDriver::Cgroupfs => CgroupDriver::Cgroupfs,
            CgroupDriver::Auto => Placement::chosen(layout),
        };
        if layout.v2.is_none() && layout.v1.is_empty() {
            return Err(CgroupError::NotMounted);
        }
        let (below, scope) = if driver == CgroupDriver::Systemd { self.scope()? } else { (self.directory()?, None) };
        Ok(CgroupPaths {
            v2: layout.v2.as_ref().map(|v2| v2.base.join(&below)),
            v1: layout
                .v1
                .iter()
                .map(|h| V1Path { controllers: h.controllers.clone(), path: h.mount.join(&below) })
                .collect(),
            scope,
        })
    }

    fn directory(&self) -> Result<PathBuf, CgroupError> {
        let parent = Path::new(self.at.parent.as_deref().unwrap_or("kist"));
        let mut below = PathBuf::new();
        for part in parent.components() {
            match part {
                Component::Normal(name) => below.push(name),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(CgroupError::BadParent(parent.to_string_lossy().into_owned()));
                }
            }
        }
        Ok(below.join(self.id.as_str()))
    }

    fn scope(&self) -> Result<(PathBuf, Option<Scope>), CgroupError> {
        let slice = self.at.parent.as_deref().unwrap_or("system.slice");
        let unit = format!("kist-{}.scope", self.id.as_str());
        let path = expand_slice(slice).ok_or(CgroupError::BadSlice)?.join(&unit);
        Ok((path, Some(Scope { unit, slice: slice.to_owned() })))
    }
}

/// A slice's directory: `a-b.slice` lies in `a.slice` (systemd.slice(5)).
fn expand_slice(slice: &str) -> Option<PathBuf> {
    let name = slice.strip_suffix(".slice").filter(|name| !name.is_empty() && !name.contains('/'))?;
    if name == "-" {
        return Some(PathBuf::new());
    }
    let mut path = PathBuf::new();
    let mut prefix = String::new();
    for part in name.split('-') {
        if part.is_empty() {
            return None;
        }
        path.push(format!("{prefix}{part}.slice"));
        prefix += part;
        prefix += "-";
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::layout::{Hierarchy, Unified};
    use super::*;

    fn id() -> ContainerId {
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn v2(systemd: bool) -> Layout {
        Layout { v2: Some(Unified { mount: "/c".into(), base: "/c".into() }), v1: vec![], systemd }
    }

    fn check(layout: &Layout, driver: CgroupDriver, parent: Option<&str>, expected: Expect) {
        let at = CgroupPlacement { parent: parent.map(str::to_owned), driver };
        let text = match (Placement { id: &id(), at: &at }).paths(layout) {
            Ok(paths) => serde_json::to_string(&paths).unwrap().replace(id().as_str(), "ID"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn paths_follow_the_driver_and_the_parent() {
        let hierarchy = |controllers: &str| Hierarchy {
            controllers: controllers.into(),
            mount: format!("/c/{controllers}").into(),
        };
        let v1 = Layout { v1: vec![hierarchy("cpu,cpuacct"), hierarchy("name=systemd")], ..v2(true) };
        let delegated = Layout { v2: Some(Unified { mount: "/c".into(), base: "/c/user/a".into() }), ..v2(true) };
        check(&v2(false), CgroupDriver::Auto, None, expect![[r#"{"v2":"/c/kist/ID"}"#]]);
        check(&delegated, CgroupDriver::Auto, None, expect![[r#"{"v2":"/c/user/a/kist/ID"}"#]]);
        check(
            &v2(true),
            CgroupDriver::Auto,
            None,
            expect![[
                r#"{"v2":"/c/system.slice/kist-ID.scope","scope":{"unit":"kist-ID.scope","slice":"system.slice"}}"#
            ]],
        );
        check(
            &v2(true),
            CgroupDriver::Systemd,
            Some("a-b.slice"),
            expect![[
                r#"{"v2":"/c/a.slice/a-b.slice/kist-ID.scope","scope":{"unit":"kist-ID.scope","slice":"a-b.slice"}}"#
            ]],
        );
        check(
            &v1,
            CgroupDriver::Auto,
            Some("/x/y/"),
            expect![[
                r#"{"v2":"/c/x/y/ID","v1":[{"controllers":"cpu,cpuacct","path":"/c/cpu,cpuacct/x/y/ID"},{"controllers":"name=systemd","path":"/c/name=systemd/x/y/ID"}]}"#
            ]],
        );
        check(&v1, CgroupDriver::None, Some("/x"), expect!["{}"]);
    }

    #[test]
    fn parents_that_are_none_are_refused() {
        check(&v2(false), CgroupDriver::Cgroupfs, Some("/a/../.."), expect!["invalid cgroup parent: /a/../.."]);
        for bad in ["/kist", ".slice", "a--b.slice", "a/b.slice", "a"] {
            check(
                &v2(true),
                CgroupDriver::Systemd,
                Some(bad),
                expect![[r#"cgroup-parent for systemd cgroup should be a valid slice named as "xxx.slice""#]],
            );
        }
    }
}
