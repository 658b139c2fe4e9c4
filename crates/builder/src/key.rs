//! What a step is known by: the digest of a document that says what it does and to which content. Times but the epoch, paths of the
//! host, secrets' values and proxies are not in it. The document is JSON, so that a test can show it; its fields have a fixed order.
//!
//! A key never changes its meaning: whoever changes a document here raises [`FORMAT`], and all results are made anew.

use serde::Serialize;
use spec::digest::{ChainId, Digest};

use crate::RunDefaults;
use crate::dockerfile::ast::{RunNetwork, Security};
use crate::plan::graph::{Bits, CopySource, CopyStep, Directory, RunFiles, RunStep};

/// Raised when the same document no longer means the same result.
const FORMAT: u32 = 1;

/// What is in an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Content {
    /// Nothing.
    Nothing,
    /// All of these layers.
    Layers(ChainId),
    /// Files, known by what they are.
    Files(Digest),
}

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    #[serde(flatten)]
    step: Doing<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Doing<'a> {
    Run(Running<'a>),
    Copy(Copying<'a>),
    Directory(Making<'a>),
}

#[derive(Serialize)]
struct Running<'a> {
    on: Content,
    args: &'a [String],
    env: &'a [String],
    working_dir: &'a str,
    user: &'a str,
    mounts: Vec<Mounting<'a>>,
    network: &'a str,
    privileged: bool,
    devices: &'a [(String, bool)],
    platform: String,
    epoch: String,
    hosts: Vec<&'a str>,
    hostname: Option<&'a str>,
    shm_size_bytes: Option<u64>,
    ulimits: &'a [String],
}

#[derive(Serialize)]
struct Mounting<'a> {
    target: &'a str,
    read_only: bool,
    #[serde(flatten)]
    what: Mounted<'a>,
}

/// What is mounted, as far as a result depends on it: of a cache nothing but what it begins with, of a secret not its value.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Mounted<'a> {
    Tree { source: &'a str, content: Content },
    Script { name: &'a str, content: Digest },
    Cache { source: &'a str, content: Content },
    Tmpfs { size_bytes: Option<u64> },
    Secret { id: &'a str, env: Option<&'a str>, owner: [Option<u32>; 3] },
    Ssh { id: &'a str, owner: [Option<u32>; 3] },
}

#[derive(Serialize)]
struct Copying<'a> {
    /// Not there for `--link`: what is below does not matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    onto: Option<Content>,
    sources: Vec<Source<'a>>,
    dest: &'a str,
    chown: Option<&'a str>,
    chmod: Option<&'a str>,
    exclude: &'a [String],
    parents: bool,
    epoch: String,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Source<'a> {
    Paths { path: &'a str, content: Content, unpack: bool },
    Remote { content: Content, unpack: bool },
    Repository { content: Content },
    Inline { name: &'a str, content: Digest },
}

#[derive(Serialize)]
struct Making<'a> {
    on: Content,
    path: &'a str,
    user: &'a str,
    epoch: String,
}

/// Of a command; `mounts` is what is in each of its mounts.
pub(crate) fn of_run(step: &RunStep, on: Content, mounts: &[Content], defaults: &RunDefaults) -> Digest {
    digest(Doing::Run(running(step, on, mounts, defaults)))
}

/// Of a copy; `sources` is what each of its sources means. `onto` is left out for what is linked.
pub(crate) fn of_copy(step: &CopyStep, onto: Option<Content>, sources: &[Content]) -> Digest {
    digest(Doing::Copy(copying(step, onto, sources)))
}

/// Of a directory that shall be there.
pub(crate) fn of_directory(step: &Directory, on: Content) -> Digest {
    digest(Doing::Directory(Making { on, path: &step.path, user: &step.user, epoch: step.epoch.to_string() }))
}

fn digest(step: Doing<'_>) -> Digest {
    Digest::sha256(&bytes(step))
}

fn bytes(step: Doing<'_>) -> Vec<u8> {
    serde_json::to_vec(&Document { format: FORMAT, step }).expect("texts, numbers and lists are always JSON")
}

fn running<'a>(step: &'a RunStep, on: Content, mounts: &[Content], defaults: &'a RunDefaults) -> Running<'a> {
    let mounting = step.mounts.iter().zip(mounts).map(|(mount, content)| Mounting {
        target: &mount.target,
        read_only: mount.read_only,
        what: mounted(&mount.what, content.clone()),
    });
    let network = match step.network {
        RunNetwork::Default => defaults.network.as_str(),
        RunNetwork::None => "none",
        RunNetwork::Host => "host",
    };
    Running {
        on,
        args: &step.args,
        env: &step.env,
        working_dir: &step.working_dir,
        user: &step.user,
        mounts: mounting.collect(),
        network: if network.is_empty() { "default" } else { network },
        privileged: step.security == Security::Insecure,
        devices: &step.devices,
        platform: step.platform.to_string(),
        epoch: step.epoch.to_string(),
        // As with BuildKit: a name that moves to another address is the same name.
        hosts: defaults.hosts.iter().map(|host| host.split([':', '=']).next().unwrap_or_default()).collect(),
        hostname: defaults.hostname.as_deref(),
        shm_size_bytes: defaults.shm_size_bytes,
        ulimits: &defaults.ulimits,
    }
}

fn mounted(what: &RunFiles, content: Content) -> Mounted<'_> {
    match what {
        RunFiles::Tree { source, .. } => Mounted::Tree { source, content },
        RunFiles::Script { name, content } => Mounted::Script { name, content: Digest::sha256(content.as_bytes()) },
        RunFiles::Cache { source, .. } => Mounted::Cache { source, content },
        RunFiles::Tmpfs { size_bytes } => Mounted::Tmpfs { size_bytes: *size_bytes },
        RunFiles::Secret { id, env, owner, .. } => Mounted::Secret { id, env: env.as_deref(), owner: numbers(owner) },
        RunFiles::Ssh { id, owner, .. } => Mounted::Ssh { id, owner: numbers(owner) },
    }
}

fn numbers(bits: &Bits) -> [Option<u32>; 3] {
    [bits.mode, bits.uid, bits.gid]
}

fn copying<'a>(step: &'a CopyStep, onto: Option<Content>, sources: &[Content]) -> Copying<'a> {
    let sources = step.sources.iter().zip(sources).map(|(source, content)| {
        let content = content.clone();
        match source {
            CopySource::Paths { path, unpack, .. } => Source::Paths { path, content, unpack: *unpack },
            CopySource::Remote { unpack, .. } => Source::Remote { content, unpack: *unpack },
            CopySource::Repository(_) => Source::Repository { content },
            CopySource::Inline { name, content } => {
                Source::Inline { name, content: Digest::sha256(content.as_bytes()) }
            }
        }
    });
    Copying {
        onto,
        sources: sources.collect(),
        dest: &step.dest,
        chown: step.chown.as_deref(),
        chmod: step.chmod.as_deref(),
        exclude: &step.exclude,
        parents: step.parents,
        epoch: format!("{}{}", if step.is_derived { "before " } else { "" }, step.epoch),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use spec::time::Time;

    use super::*;
    use crate::dockerfile::mount::Sharing;
    use crate::plan::graph::{Begins, RunMount};

    fn check(step: Doing<'_>, is: Expect) {
        is.assert_eq(&String::from_utf8(bytes(step)).unwrap().replace("sha256:", "").replace(&"a".repeat(64), "A"));
    }

    fn layers() -> Content {
        Content::Layers(ChainId(format!("sha256:{}", "a".repeat(64)).parse().unwrap()))
    }

    fn mount(target: &str, what: RunFiles) -> RunMount {
        RunMount { target: target.into(), read_only: false, what }
    }

    fn a_run() -> RunStep {
        let owner = Bits { mode: Some(0o440), ..Bits::default() };
        let sharing = Sharing::Locked;
        RunStep {
            on: None,
            args: vec!["/bin/sh".into(), "-c".into(), "make \"x\"".into()],
            env: vec!["PATH=/bin".into()],
            proxy: vec!["http_proxy=http://user:password@host".into()],
            working_dir: "/src".into(),
            user: "nobody".into(),
            mounts: vec![
                mount("/in", RunFiles::Tree { from: None, source: "/a".into() }),
                mount(
                    "/c",
                    RunFiles::Cache {
                        id: "x".into(),
                        from: None,
                        source: "/".into(),
                        sharing,
                        owner,
                        begins: Begins::Kept,
                    },
                ),
                mount("/t", RunFiles::Tmpfs { size_bytes: Some(1) }),
                mount("/s", RunFiles::Secret { id: "key".into(), env: Some("KEY".into()), required: true, owner }),
                mount("", RunFiles::Ssh { id: "default".into(), required: false, owner }),
            ],
            network: RunNetwork::Default,
            security: Security::Sandbox,
            devices: Vec::new(),
            platform: "linux/arm64".parse().unwrap(),
            epoch: Time::from_ns(0),
        }
    }

    fn a_copy() -> CopyStep {
        CopyStep {
            onto: None,
            link: false,
            sources: vec![
                CopySource::Paths { from: None, path: "*.c".into(), unpack: false },
                CopySource::Inline { name: "EOF".into(), content: "x\n".into() },
            ],
            dest: "/src/".into(),
            chown: Some("1:2".into()),
            chmod: None,
            exclude: vec!["*.o".into()],
            parents: false,
            epoch: Time::from_ns(0),
            is_derived: false,
        }
    }

    #[test]
    fn a_run_is_known_by_what_it_does_and_to_what() {
        let (run, nothing) = (a_run(), Content::Nothing);
        let defaults = RunDefaults { hosts: vec!["db:10.0.0.1".into()], ..RunDefaults::default() };
        let contents = [layers(), nothing.clone(), nothing.clone(), nothing.clone(), nothing];
        check(
            Doing::Run(running(&run, layers(), &contents, &defaults)),
            expect![[
                r#"{"format":1,"run":{"on":{"layers":"A"},"args":["/bin/sh","-c","make \"x\""],"env":["PATH=/bin"],"working_dir":"/src","user":"nobody","mounts":[{"target":"/in","read_only":false,"tree":{"source":"/a","content":{"layers":"A"}}},{"target":"/c","read_only":false,"cache":{"source":"/","content":"nothing"}},{"target":"/t","read_only":false,"tmpfs":{"size_bytes":1}},{"target":"/s","read_only":false,"secret":{"id":"key","env":"KEY","owner":[288,null,null]}},{"target":"","read_only":false,"ssh":{"id":"default","owner":[288,null,null]}}],"network":"default","privileged":false,"devices":[],"platform":"linux/arm64","epoch":"1970-01-01T00:00:00Z","hosts":["db"],"hostname":null,"shm_size_bytes":null,"ulimits":[]}}"#
            ]],
        );
    }

    #[test]
    fn a_copy_is_known_by_its_files_and_a_link_not_by_what_is_below() {
        let copy = a_copy();
        let files = [Content::Files(format!("sha256:{}", "a".repeat(64)).parse().unwrap()), Content::Nothing];
        check(
            Doing::Copy(copying(&copy, Some(layers()), &files)),
            expect![[
                r#"{"format":1,"copy":{"onto":{"layers":"A"},"sources":[{"paths":{"path":"*.c","content":{"files":"A"},"unpack":false}},{"inline":{"name":"EOF","content":"73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac"}}],"dest":"/src/","chown":"1:2","chmod":null,"exclude":["*.o"],"parents":false,"epoch":"1970-01-01T00:00:00Z"}}"#
            ]],
        );
        check(
            Doing::Copy(copying(&copy, None, &files[..1])),
            expect![[
                r#"{"format":1,"copy":{"sources":[{"paths":{"path":"*.c","content":{"files":"A"},"unpack":false}}],"dest":"/src/","chown":"1:2","chmod":null,"exclude":["*.o"],"parents":false,"epoch":"1970-01-01T00:00:00Z"}}"#
            ]],
        );
    }

    #[test]
    fn a_directory_is_known_by_its_path_and_owner() {
        let step = Directory { on: None, path: "/a".into(), user: "u".into(), epoch: Time::from_ns(1_000_000_000) };
        let making = Making { on: Content::Nothing, path: &step.path, user: &step.user, epoch: step.epoch.to_string() };
        check(
            Doing::Directory(making),
            expect![[
                r#"{"format":1,"directory":{"on":"nothing","path":"/a","user":"u","epoch":"1970-01-01T00:00:01Z"}}"#
            ]],
        );
    }
}
