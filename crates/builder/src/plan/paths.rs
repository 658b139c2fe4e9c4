//! Paths inside of an image, as texts (Go's `path`, BuildKit's `util/system`).

/// Without `.`, `..` and double slashes; never empty.
pub(crate) fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

/// Both, cleaned.
pub(crate) fn join(parent: &str, path: &str) -> String {
    clean(&[parent, path].join("/"))
}

/// `WORKDIR`: what is absolute stays as it is written.
pub(crate) fn workdir(current: &str, wanted: &str) -> String {
    let current = if current.starts_with('/') { current.to_owned() } else { join("/", current) };
    match wanted {
        "" => current,
        wanted if wanted.starts_with('/') => wanted.to_owned(),
        wanted => join(&current, wanted),
    }
}

/// Where a copy goes: a slash or `/.` at the end, which means a directory, stays.
pub(crate) fn destination(current: &str, wanted: &str) -> String {
    let wanted = if wanted.is_empty() || wanted == "." { "./" } else { wanted };
    let mut path = workdir(current, wanted);
    if wanted.ends_with('/') && !path.ends_with('/') {
        path.push('/');
    } else if wanted.ends_with("/.") && !path.ends_with("/.") {
        if path != "/" {
            path.push('/');
        }
        path.push('.');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go_has_them() {
        let check = |path: &str, clean: &str| assert_eq!(super::clean(path), clean);
        check("", ".");
        check("/a/../../b//c/.", "/b/c");
        check("../a/..", "..");
        let to = |wanted: &str, path: &str| assert_eq!(destination("/w", wanted), path);
        to(".", "/w/");
        to("", "/w/");
        to("a/", "/w/a/");
        to("/a/.", "/a/.");
        to("a/.", "/w/a/.");
        to("b", "/w/b");
        assert_eq!(workdir("", "a"), "/a");
        assert_eq!(workdir("/x", "/a/"), "/a/");
    }
}
