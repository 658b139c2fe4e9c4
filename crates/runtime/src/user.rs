//! Who a process runs as: `user[:group]` resolved in the image's own /etc/passwd and /etc/group, by the rules of moby/sys/user.
//!
//! Own parser: a C library inside a container would load the container's code into a process of ours. The files are an image's
//! and may be anything: only regular files up to a limit are read, and lines that make no sense are passed over.

use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use spec::bundle::Process;

use crate::failure::{Doing, InitFailure};

/// A resolved user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The primary group is among them (CVE-2022-36109).
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

/// A megabyte holds tens of thousands of users.
const LONGEST: u64 = 16 << 20;

/// Looks `process.user` and `process.group_add` up below `root`.
pub(crate) fn look_up(root: BorrowedFd<'_>, process: &Process) -> Result<User, InitFailure> {
    let passwd = read(root, "etc/passwd")?;
    let group = read(root, "etc/group")?;
    resolve(&process.user, &process.group_add, &passwd, &group)
}

/// The user and the primary group that `user[:group]` means below `root`.
///
/// # Errors
/// There is no such user or group.
pub fn ids(root: BorrowedFd<'_>, user: &str) -> Result<(u32, u32), InitFailure> {
    let user = resolve(user, &[], &read_living(root, "etc/passwd")?, &read_living(root, "etc/group")?)?;
    Ok((user.uid, user.gid))
}

/// The same where a container may be at work: what is opened was seen to be a file, for opening a device would act on the machine.
fn read_living(root: BorrowedFd<'_>, path: &str) -> Result<String, InitFailure> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let Ok(found) = openat2(root, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) else {
        return Ok(String::new());
    };
    let stat = fstat(&found).doing(|| format!("stat /{path}"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(String::new());
    }
    text(std::fs::File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).doing(|| format!("open /{path}"))?, path)
}

fn read(root: BorrowedFd<'_>, path: &str) -> Result<String, InitFailure> {
    // NONBLOCK: a FIFO in its place must not hold us.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let Ok(file) = openat2(root, path, flags, Mode::empty(), resolve) else { return Ok(String::new()) };
    let stat = fstat(&file).doing(|| format!("stat /{path}"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(String::new());
    }
    text(file.into(), path)
}

fn text(file: std::fs::File, path: &str) -> Result<String, InitFailure> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).doing(|| format!("read /{path}"))?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn resolve(user: &str, group_add: &[String], passwd: &str, group: &str) -> Result<User, InitFailure> {
    let (name, group_name) = user.split_once(':').unwrap_or((user, ""));
    // Go's Atoi, which decides between a name and a number: as long as it fits 64 bits it is a number.
    let number = if name.is_empty() { Some(0) } else { name.parse::<i64>().ok() };
    let entry = passwd.lines().filter_map(passwd_line).find(|entry| match number {
        Some(number) => i64::from(entry.uid) == number,
        None => entry.name == name,
    });
    let mut resolved = match (&entry, number) {
        (Some(entry), _) => User { uid: entry.uid, gid: entry.gid, groups: Vec::new(), home: entry.home.to_owned() },
        (None, Some(number)) => User { uid: id(number)?, gid: 0, groups: Vec::new(), home: String::new() },
        (None, None) => return Err(InitFailure::UnknownUser(name.to_owned())),
    };
    if !group_name.is_empty() {
        resolved.gid = group_id(group_name, group)?;
    }
    resolved.groups.push(resolved.gid);
    // Memberships count only where no group was asked for.
    if let (Some(entry), true) = (&entry, group_name.is_empty()) {
        let member = |line: &GroupLine<'_>| line.members.split(',').any(|member| member == entry.name);
        resolved.groups.extend(group.lines().filter_map(group_line).filter(member).map(|line| line.gid));
    }
    for wanted in group_add {
        resolved.groups.push(group_id(wanted, group)?);
    }
    let mut seen = std::collections::BTreeSet::new();
    resolved.groups.retain(|gid| seen.insert(*gid));
    if resolved.home.is_empty() {
        resolved.home = "/".into();
    }
    Ok(resolved)
}

fn group_id(wanted: &str, group: &str) -> Result<u32, InitFailure> {
    let number = wanted.parse::<i64>().ok();
    let found = group.lines().filter_map(group_line).find(|line| match number {
        Some(number) => i64::from(line.gid) == number,
        None => line.name == wanted,
    });
    match (found, number) {
        (Some(line), _) => Ok(line.gid),
        (None, Some(number)) => id(number),
        (None, None) => Err(InitFailure::UnknownGroup(wanted.to_owned())),
    }
}

/// Docker takes 31 bits; (uid_t)-1 would mean "unchanged" to setresuid(2).
fn id(number: i64) -> Result<u32, InitFailure> {
    i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok()).ok_or(InitFailure::IdRange)
}

struct PasswdLine<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn passwd_line(line: &str) -> Option<PasswdLine<'_>> {
    let mut parts = line.trim().split(':');
    let (name, _) = (parts.next()?, parts.next()?);
    let uid = id(parts.next()?.parse().ok()?).ok()?;
    let gid = id(parts.next()?.parse().ok()?).ok()?;
    let home = parts.nth(1).unwrap_or_default();
    Some(PasswdLine { name, uid, gid, home }).filter(|entry| !entry.name.is_empty())
}

struct GroupLine<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn group_line(line: &str) -> Option<GroupLine<'_>> {
    let mut parts = line.trim().split(':');
    let (name, _) = (parts.next()?, parts.next()?);
    let gid = id(parts.next()?.parse().ok()?).ok()?;
    Some(GroupLine { name, gid, members: parts.next().unwrap_or_default() }).filter(|entry| !entry.name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n#comment\n\nbad:x:no:1::/:\nhuge:x:4294967295:0::/:\n\
                          app:x:1000:1000:App,,,:/home/app:/bin/sh\n7:x:1007:1007::/seven:\nshort:x:5:6\n";
    const GROUP: &str = "root:x:0:\nstaff:x:50:app,other\napp:x:1000:\nextra:x:2000:app\nwheel:x:10:root\n";

    fn check(user: &str, add: &[&str], expected: Expect) {
        let add: Vec<String> = add.iter().map(ToString::to_string).collect();
        let shown = match resolve(user, &add, PASSWD, GROUP) {
            Ok(User { uid, gid, groups, home }) => format!("{uid}:{gid} {groups:?} {home}"),
            Err(failure) => failure.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn users_are_found_as_docker_finds_them() {
        check("", &[], expect!["0:0 [0, 10] /root"]);
        check("root", &[], expect!["0:0 [0, 10] /root"]);
        check("app", &[], expect!["1000:1000 [1000, 50, 2000] /home/app"]);
        check("1000", &[], expect!["1000:1000 [1000, 50, 2000] /home/app"]);
        check("app:staff", &[], expect!["1000:50 [50] /home/app"]);
        check("app:77", &["staff", "77", "99"], expect!["1000:77 [77, 50, 99] /home/app"]);
        check("4242", &[], expect!["4242:0 [0] /"]);
        check("4242:4243", &["app"], expect!["4242:4243 [4243, 1000] /"]);
        check("7", &[], expect!["7:0 [0] /"]);
        check("short", &[], expect!["5:6 [6] /"]);
        check(":50", &[], expect!["0:50 [50] /root"]);
    }

    #[test]
    fn unknown_and_impossible_users_are_refused_in_docker_words() {
        check("nobody", &[], expect!["unable to find user nobody: no matching entries in passwd file"]);
        check("huge", &[], expect!["unable to find user huge: no matching entries in passwd file"]);
        check("root:none", &[], expect!["unable to find group none: no matching entries in group file"]);
        check("root", &["none"], expect!["unable to find group none: no matching entries in group file"]);
        check("2147483647", &[], expect!["2147483647:0 [0] /"]);
        check("2147483648", &[], expect!["uids and gids must be in range 0-2147483647"]);
        check("4294967295", &[], expect!["uids and gids must be in range 0-2147483647"]);
        check("-1", &[], expect!["uids and gids must be in range 0-2147483647"]);
        check("0:4294967296", &[], expect!["uids and gids must be in range 0-2147483647"]);
        check("root", &["4294967295"], expect!["uids and gids must be in range 0-2147483647"]);
    }

    proptest! {
        #[test]
        fn no_file_makes_it_fail_or_leave_the_range(user in "[a-z0-9:-]{0,12}", passwd in "[a-z0-9:\n-]{0,60}", group in "\\PC{0,60}") {
            if let Ok(found) = resolve(&user, &[], &passwd, &group) {
                prop_assert!(i32::try_from(found.uid).is_ok() && i32::try_from(found.gid).is_ok());
            }
        }
    }
}
