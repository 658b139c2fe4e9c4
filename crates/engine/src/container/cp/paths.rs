//! What is copied where: Docker's rules about names, pure (docker/cli `container/cp.go`, moby/go-archive `copy.go`).
//!
//! Paths are bytes and are compared as Go's `filepath` cleans them. What a slash or `/.` at the end says survives the cleaning.

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Missing,
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// One end of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Where.
    pub(super) path: Vec<u8>,
    /// What is there.
    pub(super) kind: Kind,
    /// What the user called it, where links on the way led to another name.
    pub(super) typed_name: Option<Vec<u8>>,
}

/// Why a copy makes no sense; Docker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Nonsense {
    #[error("cannot copy directory")]
    DirectoryOntoFile,
    #[error("no such directory")]
    NoDirectory,
}

/// Where an archive of the source is unpacked, and how its members are renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The directory.
    pub(super) dir: Vec<u8>,
    /// The members' names.
    pub(super) rename: Rename,
}

/// How members of an archive are renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rename {
    /// Not at all.
    Keep,
    /// The first part of names that begin so.
    Base {
        /// What it is.
        old: Vec<u8>,
        /// What it becomes.
        new: Vec<u8>,
    },
}

/// Decides, knowing both ends (`PrepareArchiveCopy`).
pub(super) fn plan(source: &End, destination: &End) -> Result<Plan, Nonsense> {
    let (dir, new) = split(&destination.path);
    let renamed = || {
        let old = source.typed_name.clone().unwrap_or_else(|| split(&source.path).1);
        Plan { dir: dir.clone(), rename: Rename::Base { old, new: new.clone() } }
    };
    match (destination.kind, source.kind) {
        (Kind::Directory, _) => Ok(Plan { dir: destination.path.clone(), rename: Rename::Keep }),
        (Kind::Other, Kind::Directory) => Err(Nonsense::DirectoryOntoFile),
        (Kind::Missing, Kind::Directory) | (Kind::Other, Kind::Other | Kind::Missing) => Ok(renamed()),
        (Kind::Missing, Kind::Other | Kind::Missing) if asserts_directory(&destination.path) => {
            Err(Nonsense::NoDirectory)
        }
        (Kind::Missing, Kind::Other | Kind::Missing) => Ok(renamed()),
    }
}

impl Rename {
    /// A member's name (`newNameRebaser`).
    pub(super) fn apply(&self, name: &[u8]) -> Vec<u8> {
        let Rename::Base { old, new } = self else { return name.to_vec() };
        let (old, new) = (trim_end(old), trim_end(new));
        if old.is_empty() {
            let name = &name[name.iter().take_while(|&&b| b == b'/').count()..];
            return if new.is_empty() { name.to_vec() } else { [new, b"/", name].concat() };
        }
        match name.strip_prefix(old) {
            Some(rest) if rest.is_empty() || rest.starts_with(b"/") => [new, rest].concat(),
            Some(_) | None => name.to_vec(),
        }
    }
}

/// `CONTAINER:PATH` or a path of the host's (`splitCpArg`): what has a slash or a dot before the colon is a path.
pub fn argument(typed: &str) -> (Option<&str>, &str) {
    if typed.starts_with('/') {
        return (None, typed);
    }
    match typed.split_once(':') {
        Some((container, path)) if !container.starts_with('.') => {
            (Some(container).filter(|container| !container.is_empty()), path)
        }
        Some(_) | None => (None, typed),
    }
}

fn trim_end(path: &[u8]) -> &[u8] {
    let slashes = path.iter().rev().take_while(|&&b| b == b'/').count();
    &path[..path.len() - slashes]
}

/// The shortest path that means the same, by its text alone (Go's `filepath.Clean`).
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => drop(parts.pop()),
            b".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// Go's `filepath.Join` of two.
pub(super) fn join(first: &[u8], second: &[u8]) -> Vec<u8> {
    match (first, second) {
        (b"", b"") => Vec::new(),
        (b"", one) | (one, b"") => clean(one),
        (first, second) => clean(&[first, b"/", second].concat()),
    }
}

/// The last part (Go's `filepath.Base`).
pub(super) fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    match trim_end(path) {
        b"" => b"/".to_vec(),
        path => path.rsplit(|&b| b == b'/').next().unwrap_or_default().to_vec(),
    }
}

/// All before the last slash and the slash, and what follows (Go's `filepath.Split`).
pub(super) fn split_at_slash(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1))
}

/// Directory and name; the name is `.` where the path says so (`SplitPathDirEntry`).
pub(super) fn split(path: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut cleaned = clean(path);
    if is_current_dir(path) {
        cleaned.extend_from_slice(b"/.");
    }
    (clean(split_at_slash(&cleaned).0), base(&cleaned))
}

/// Puts the slash or `/.` at the end of what was typed back (`PreserveTrailingDotOrSeparator`).
pub(super) fn keep_end(mut cleaned: Vec<u8>, typed: &[u8]) -> Vec<u8> {
    if !is_current_dir(&cleaned) && is_current_dir(typed) {
        if !cleaned.ends_with(b"/") {
            cleaned.push(b'/');
        }
        cleaned.push(b'.');
    }
    if !cleaned.ends_with(b"/") && typed.ends_with(b"/") {
        cleaned.push(b'/');
    }
    cleaned
}

/// Whether only a directory can be meant.
pub(super) fn asserts_directory(path: &[u8]) -> bool {
    path.ends_with(b"/") || is_current_dir(path)
}

/// Whether it means what is in a directory.
pub(super) fn is_current_dir(path: &[u8]) -> bool {
    base(path) == b"."
}

/// A resolved path with the end of what was typed, and the typed name where they differ (`GetRebaseName`).
pub(super) fn named_as_typed(typed: &[u8], resolved: Vec<u8>) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut resolved = resolved;
    if is_current_dir(typed) && !is_current_dir(&resolved) {
        resolved.extend_from_slice(b"/.");
    }
    if typed.ends_with(b"/") && !resolved.ends_with(b"/") {
        resolved.push(b'/');
    }
    let typed_name = base(typed);
    let differs = typed_name != base(&resolved);
    (resolved, differs.then_some(typed_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, cleaned, last) in [
            ("", ".", "."),
            ("/", "/", "/"),
            ("//a//b/", "/a/b", "b"),
            ("a/./b/..", "a", ".."),
            ("/../a", "/a", "a"),
            ("../../a", "../../a", "a"),
            ("a/..", ".", ".."),
            ("/a/.", "/a", "."),
        ] {
            assert_eq!(
                (text(&clean(path.as_bytes())), text(&base(path.as_bytes()))),
                (cleaned.into(), last.into()),
                "{path}"
            );
        }
    }

    #[test]
    fn the_end_of_what_was_typed_is_kept() {
        for (cleaned, typed, kept) in [
            ("/a/b", "/a/b", "/a/b"),
            ("/a/b", "/a/b/", "/a/b/"),
            ("/a/b", "b/.", "/a/b/."),
            ("/", "/", "/"),
            ("/", "/.", "/."),
            ("/", ".", "/."),
            ("/a", ".", "/a/."),
        ] {
            assert_eq!(text(&keep_end(cleaned.into(), typed.as_bytes())), kept, "{cleaned} {typed}");
        }
        for (path, dir, name) in
            [("/a/b", "/a", "b"), ("/a/b/", "/a", "b"), ("/a/b/.", "/a/b", "."), ("/", "/", "/"), ("/.", "/", ".")]
        {
            let (a, b) = split(path.as_bytes());
            assert_eq!((text(&a), text(&b)), (dir.into(), name.into()), "{path}");
        }
    }

    #[test]
    fn a_colon_parts_container_and_path() {
        for (typed, parts) in [
            ("web:/etc", (Some("web"), "/etc")),
            ("web:etc", (Some("web"), "etc")),
            ("web:", (Some("web"), "")),
            ("a/b:c", (Some("a/b"), "c")),
            ("./file:name", (None, "./file:name")),
            ("/file:name", (None, "/file:name")),
            ("../x:y", (None, "../x:y")),
            ("file", (None, "file")),
            ("-", (None, "-")),
            ("a:b:c", (Some("a"), "b:c")),
        ] {
            assert_eq!(argument(typed), parts, "{typed}");
        }
    }

    /// `what source is, its path` to `what destination is, its path`: the directory that is unpacked in, and names of members before
    /// and after; or why not.
    fn check(
        source: (Kind, &str),
        destination: (Kind, &str),
        members: &[(&str, &str)],
        planned: Result<&str, Nonsense>,
    ) {
        let end = |(kind, path): (Kind, &str)| End { path: path.into(), kind, typed_name: None };
        let plan = plan(&end(source), &end(destination));
        let dir = plan.as_ref().map(|plan| text(&plan.dir)).map_err(|e| *e);
        assert_eq!(dir, planned.map(str::to_owned), "{source:?} -> {destination:?}");
        for (before, after) in members {
            let renamed = plan.as_ref().unwrap().rename.apply(before.as_bytes());
            assert_eq!(text(&renamed), *after, "{source:?} -> {destination:?}");
        }
    }

    /// The cases A to J of moby's tests of `CopyTo`.
    #[test]
    fn dockers_rules_of_names() {
        use Kind::{Directory as Dir, Missing as No, Other as File};
        let keep: &[(&str, &str)] = &[("src", "src"), ("src/x", "src/x")];
        let to_new: &[(&str, &str)] = &[("src", "new"), ("src/x", "new/x"), ("srcx", "srcx")];
        // A file to what does not exist takes the name; what claims to be a directory must exist.
        check((File, "/s/src"), (No, "/d/new"), to_new, Ok("/d"));
        check((File, "/s/src"), (No, "/d/new/"), &[], Err(Nonsense::NoDirectory));
        check((File, "/s/src"), (No, "/d/new/."), &[], Err(Nonsense::NoDirectory));
        // A file onto a file replaces it; into a directory it goes under its own name.
        check((File, "/s/src"), (File, "/d/new"), to_new, Ok("/d"));
        check((File, "/s/src"), (Dir, "/d/dir"), keep, Ok("/d/dir"));
        check((File, "/s/src"), (Dir, "/d/dir/"), keep, Ok("/d/dir/"));
        // A directory to what does not exist becomes it, whatever is at either end.
        for end in ["", "/", "/."] {
            let (old, new) = (format!("/s/src{end}"), format!("/d/new{end}"));
            let members: &[(&str, &str)] = if end == "/." { &[(".", "new"), ("./x", "new/x")] } else { to_new };
            check((Dir, &old), (No, "/d/new"), members, Ok("/d"));
            if end != "/." {
                check((Dir, "/s/src"), (No, &new), to_new, Ok("/d"));
            }
        }
        check((Dir, "/s/src"), (No, "/d/new/."), &[("src", "."), ("src/x", "./x")], Ok("/d/new"));
        // Onto a file: never. Into a directory: itself, or with `/.` what is in it.
        check((Dir, "/s/src"), (File, "/d/new"), &[], Err(Nonsense::DirectoryOntoFile));
        check((Dir, "/s/src/."), (File, "/d/new"), &[], Err(Nonsense::DirectoryOntoFile));
        check((Dir, "/s/src"), (Dir, "/d/dir"), keep, Ok("/d/dir"));
        check((Dir, "/s/src/."), (Dir, "/d/dir"), &[("./x", "./x")], Ok("/d/dir"));
        // The root of everything has no name.
        check((Dir, "/"), (No, "/d/new"), &[("/", "new/"), ("/bin/sh", "new/bin/sh")], Ok("/d"));
        check((Dir, "/"), (Dir, "/d/dir"), &[("/bin", "/bin")], Ok("/d/dir"));
    }

    #[test]
    fn a_link_that_is_followed_keeps_its_name() {
        for (typed, resolved, path, name) in [
            ("/a/link", "/b/target", "/b/target", Some("link")),
            ("/a/link/", "/b/target", "/b/target/", Some("link")),
            ("/a/link/.", "/b/target", "/b/target/.", None),
            ("/a/same", "/b/same", "/b/same", None),
        ] {
            let (got, typed_name) = named_as_typed(typed.as_bytes(), resolved.into());
            assert_eq!(
                (text(&got), typed_name.map(|n| text(&n))),
                (path.to_owned(), name.map(str::to_owned)),
                "{typed}"
            );
        }
        let source = End { path: b"/b/target".to_vec(), kind: Kind::Other, typed_name: Some(b"link".to_vec()) };
        let destination = End { path: b"/d/new".to_vec(), kind: Kind::Missing, typed_name: None };
        assert_eq!(plan(&source, &destination).unwrap().rename.apply(b"link"), b"new");
    }
}
