//! Whether a source of `ADD` is a git repository, and which part of it (BuildKit `dfgitutil`).

use super::graph::Checkout;
use crate::dockerfile::go::parse_bool;

/// What a source says of a repository; none: it is no repository.
pub(crate) fn parse(source: &str) -> Result<Option<Checkout>, String> {
    if source.starts_with("./") || source.starts_with("../") {
        return Ok(None);
    }
    let (address, fragment) = match source.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (source, None),
    };
    let (address, query) = match address.split_once('?') {
        Some((address, query)) => (address, query),
        None => (address, ""),
    };
    if !is_repository(address) {
        return Ok(None);
    }
    let mut checkout = Checkout {
        remote: address.to_owned(),
        reference: None,
        subdir: None,
        keep_git_dir: false,
        submodules: true,
        checksum: None,
    };
    if let Some(fragment) = fragment {
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        checkout.reference = some(reference);
        checkout.subdir = some(subdir);
    }
    read_query(&mut checkout, query)?;
    Ok(Some(checkout))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn is_repository(address: &str) -> bool {
    let after = |scheme: &str| address.strip_prefix(scheme);
    if after("git://").is_some() || after("ssh://").is_some() {
        return true;
    }
    if after("https://").or_else(|| after("http://")).is_some() {
        return address.ends_with(".git");
    }
    // scp's form: user@host:path.
    let Some((user, rest)) = address.split_once('@') else { return false };
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    !user.is_empty()
        && word(user)
        && rest.split_once(':').is_some_and(|(host, path)| !host.is_empty() && word(host) && !path.is_empty())
}

fn read_query(checkout: &mut Checkout, query: &str) -> Result<(), String> {
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let switch = || match value {
            "" => Ok(true),
            value => parse_bool(value).ok_or_else(|| format!("invalid {name} value: {}", super::go::quoted(value))),
        };
        let prefixed = |prefix: &str| match value.starts_with(prefix) {
            true => value.to_owned(),
            false => format!("{prefix}{value}"),
        };
        let reference = match name {
            "submodules" => {
                checkout.submodules = switch()?;
                continue;
            }
            "keep-git-dir" => {
                checkout.keep_git_dir = switch()?;
                continue;
            }
            "fetch-by-commit" | "mtime" => continue,
            _ if value.is_empty() => return Err(format!("query {} has no value", super::go::quoted(name))),
            "ref" => value.to_owned(),
            "tag" => prefixed("refs/tags/"),
            "branch" => prefixed("refs/heads/"),
            "subdir" => {
                checkout.subdir = some(value);
                continue;
            }
            "checksum" | "commit" => {
                checkout.checksum = some(value);
                continue;
            }
            other => return Err(format!("unexpected query {}", super::go::quoted(other))),
        };
        if let Some(other) = checkout.reference.as_ref().filter(|other| **other != reference) {
            let quoted = super::go::quoted;
            return Err(format!("ref conflicts: {} vs {}", quoted(other), quoted(&reference)));
        }
        checkout.reference = Some(reference);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_files() {
        let check = |source: &str, remote: Option<&str>| {
            assert_eq!(parse(source).unwrap().map(|checkout| checkout.remote), remote.map(str::to_owned), "{source}");
        };
        check("https://h/a/b.git#v1:sub", Some("https://h/a/b.git"));
        check("git@h:a/b.git", Some("git@h:a/b.git"));
        check("https://h/a/b.tar", None);
        check("./git@h:x", None);
        check("a@b", None);
        check("github.com/a/b", None);
        let one = parse("https://h/b.git?tag=v1&subdir=s&commit=abc&submodules=0").unwrap().unwrap();
        assert_eq!(
            (one.reference.as_deref(), one.subdir.as_deref(), one.submodules),
            (Some("refs/tags/v1"), Some("s"), false)
        );
        assert!(parse("https://h/b.git?x=1").is_err());
    }

    #[test]
    fn a_commit_is_the_one_it_must_be() {
        let check = |wanted: &str, is: Result<(), &str>| {
            let checkout = parse(&format!("https://h/b.git?commit={wanted}")).unwrap().unwrap();
            assert_eq!(checkout.is_of("abc123"), is.map_err(str::to_owned));
        };
        check("abc", Ok(()));
        check("abd", Err("expected checksum to match abd, got abc123"));
        check("main", Err("invalid checksum main for Git URL, expected hex commit hash"));
    }
}
