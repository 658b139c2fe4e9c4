//! Control groups: one group a container, in whatever the machine has: v2, v1, or v1 with a bare v2 tree beside it (hybrid); made by us
//! in the file system or by systemd as a scope.
//!
//! - Paths are computed first ([`Placement::paths`]), claimed by the caller, and only then made ([`Cgroup::create`]): whoever finds the
//!   claim can [`Cgroup::open`] and remove them.
//! - A start writes what is set and reads next to nothing back.
//! - Joining is the cheap way (v2: clone3 into the group; v1: the child writes 0 to each `tasks`): `cgroup.procs` costs an RCU grace
//!   period, 5 to 10 ms.
//! - On a hybrid machine the container has a v2 group as well: it can be frozen, killed and watched as one, and clone3 can start in it.

mod dbus;
mod devices;
mod error;
mod group;
mod layout;
mod limits;
mod oom;
mod placement;
mod processes;
mod stats;
mod systemd;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use spec::resources::Resources;
use sys::idle::Idle;

pub use self::error::{CgroupError, Warning};
pub use self::layout::{Hierarchy, Layout, Unified};
pub use self::oom::OomWatch;
pub use self::placement::{CgroupPaths, Placement, Scope, V1Path};
pub use self::stats::{CpuStats, IoStats, MemoryStats, PidsStats, Stats};

use self::group::Group;
use self::v1::Member;

/// The groups of one container, open. With `CgroupDriver::None` there are none: limits are warned of, and nothing is found in it.
#[derive(Debug)]
pub struct Cgroup {
    paths: CgroupPaths,
    v2: Option<Group>,
    v1: Vec<Member>,
    tasks: Vec<OwnedFd>,
    /// Keeps a scope alive until the container's process is in it.
    anchor: Option<Idle>,
}

impl Cgroup {
    /// Makes the groups and sets the limits. What the caller has claimed is all that is made, but for parents, which stay.
    ///
    /// # Errors
    /// Whatever the kernel or systemd refuses; the claim is still to be given back with [`Cgroup::remove_paths`].
    pub fn create(paths: CgroupPaths, resources: &Resources) -> Result<(Cgroup, Vec<Warning>), CgroupError> {
        let anchor = match &paths.scope {
            Some(scope) => Some(systemd::start_scope(scope, resources, paths.v1.is_empty())?),
            None => None,
        };
        let controllers = if paths.v1.is_empty() { v2::Controllers::Enable } else { v2::Controllers::Elsewhere };
        let v2 = paths.v2.as_deref().map(|path| v2::make(path, controllers)).transpose()?;
        let v1 = paths.v1.iter().map(|p| v1::make(&p.controllers, &p.path)).collect::<Result<Vec<_>, _>>()?;
        let mut cgroup = Cgroup { paths, v2, v1, tasks: Vec::new(), anchor };
        cgroup.open_tasks()?;
        let warnings = cgroup.apply(resources)?;
        Ok((cgroup, warnings))
    }

    /// Opens the groups of a container that were made before, perhaps by a process that has died since.
    ///
    /// # Errors
    /// When one is not there (any more).
    pub fn open(paths: CgroupPaths) -> Result<Cgroup, CgroupError> {
        let v2 = paths.v2.as_deref().map(Group::open).transpose()?;
        let member = |p: &V1Path| Ok(Member { controllers: p.controllers.clone(), group: Group::open(&p.path)? });
        let v1 = paths.v1.iter().map(member).collect::<Result<Vec<_>, CgroupError>>()?;
        let mut cgroup = Cgroup { paths, v2, v1, tasks: Vec::new(), anchor: None };
        cgroup.open_tasks()?;
        Ok(cgroup)
    }

    fn open_tasks(&mut self) -> Result<(), CgroupError> {
        for member in &self.v1 {
            let file = member.group.file("tasks")?;
            self.tasks.push(file.ok_or_else(|| v2::unexpected(&member.group.path, "no tasks file"))?);
        }
        Ok(())
    }

    /// Where the groups are.
    pub fn paths(&self) -> &CgroupPaths {
        &self.paths
    }

    /// The group for clone3 with CLONE_INTO_CGROUP. None: there is no v2 tree.
    pub fn clone_into(&self) -> Option<BorrowedFd<'_>> {
        self.v2.as_ref().map(|group| group.dir.as_fd())
    }

    /// The v1 files into which the single-threaded child writes `0` to join.
    pub fn tasks_files(&self) -> &[OwnedFd] {
        &self.tasks
    }

    /// Moves the calling thread into the groups of v1; in v2 it was cloned into its group. Allocates nothing: it is for the time between
    /// clone and exec.
    ///
    /// # Errors
    /// Of write(2).
    pub fn join_self(&self) -> rustix::io::Result<()> {
        self.tasks.iter().try_for_each(|file| rustix::io::write(file, b"0").map(drop))
    }

    /// Moves the calling process into the group of v2, where clone3 could not (Linux before 5.7): slow. Allocates nothing.
    ///
    /// # Errors
    /// Of openat(2) and write(2).
    pub fn join_self_v2(&self) -> rustix::io::Result<()> {
        let Some(group) = &self.v2 else { return Ok(()) };
        let file = openat(&group.dir, c"cgroup.procs", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(file, b"0").map(drop)
    }

    /// To be called once the first process is in: what kept a systemd scope alive until then ends.
    pub fn occupied(&mut self) {
        self.anchor = None;
    }

    /// Sets what is set, in the living container. What is not set stays as it is; memory and swap are to be given together.
    ///
    /// # Errors
    /// Whatever the kernel refuses: what came before it is set then.
    pub fn update(&self, resources: &Resources) -> Result<Vec<Warning>, CgroupError> {
        if let Some(scope) = &self.paths.scope {
            systemd::update_scope(scope, resources, self.v1.is_empty())?;
        }
        // The rules of v1 are replaced line by line: nobody is to meet them half done.
        let pause = !resources.devices.is_empty() && !self.v1.is_empty() && !self.is_frozen()?;
        if pause {
            self.freeze()?;
        }
        let result = self.apply(resources);
        if pause {
            self.thaw()?;
        }
        result
    }

    fn apply(&self, resources: &Resources) -> Result<Vec<Warning>, CgroupError> {
        let mut warnings = Vec::new();
        match &self.v2 {
            Some(group) if self.v1.is_empty() => v2::apply(group, resources, &mut warnings)?,
            Some(_) | None if self.paths == CgroupPaths::default() => {
                v1::apply(&[], &Resources { devices: Vec::new(), ..resources.clone() }, &mut warnings)?;
            }
            Some(_) | None => v1::apply(&self.v1, resources, &mut warnings)?,
        }
        Ok(warnings)
    }

    /// Removes the groups and those that the container made in them; they must be empty or about to be. Parents stay.
    ///
    /// # Errors
    /// When a process is still in one of them.
    pub fn remove(mut self) -> Result<(), CgroupError> {
        self.anchor = None;
        Cgroup::remove_paths(&self.paths)
    }

    /// The same by the claim alone. What is not there is no error.
    ///
    /// # Errors
    /// When a process is still in one of them.
    pub fn remove_paths(paths: &CgroupPaths) -> Result<(), CgroupError> {
        if let Some(scope) = &paths.scope {
            systemd::stop_scope(scope)?;
        }
        let all = paths.v1.iter().map(|p| p.path.as_path()).chain(paths.v2.as_deref());
        // All are tried, the first failure is told.
        let results: Vec<Result<(), CgroupError>> = all.map(group::remove).collect();
        results.into_iter().collect()
    }
}
