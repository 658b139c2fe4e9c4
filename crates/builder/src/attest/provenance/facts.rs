//! What provenance is made of, taken from what was asked. Nothing of the host is in it: no path, no user, no time of the clock.

use std::collections::BTreeMap;

use spec::digest::{DiffId, Digest};
use spec::platform::Platform;
use spec::purl::Purl;
use spec::reference::Reference;
use spec::time::Time;

use crate::plan::git_source;
use crate::{BuildContext, Described, Dockerfile, NoCache, Request};

/// All that provenance can tell of the image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The instructions: what the file is called, and its text where that is known.
    pub dockerfile: (String, Option<Vec<u8>>),
    /// Where the context came from, if not from here.
    pub remote: Option<Remote>,
    /// Sources that only this machine has, by the names of BuildKit: `context`, `dockerfile`.
    pub locals: Vec<&'static str>,
    /// Options, by the names of BuildKit's frontend: `build-arg:A`, `target`.
    pub args: BTreeMap<String, String>,
    /// Secrets that commands mount, by id; whether all of them run without it too.
    pub secrets: BTreeMap<String, bool>,
    /// Agents, alike.
    pub agents: BTreeMap<String, bool>,
    /// What came from elsewhere, by its URI.
    pub materials: Vec<Material>,
    /// What was done, each after what it needs.
    pub steps: Vec<Step>,
    /// The step whose files are the result's.
    pub result: Option<Digest>,
    /// Whether a command could reach a network.
    pub network: Network,
    /// The machine that built.
    pub builder: Platform,
    /// When it began and ended, as it is told.
    pub times: (Time, Time),
    /// What this very build is called, if that is told: it is another each time.
    pub invocation: Option<String>,
}

/// A context from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its address.
    pub uri: String,
    /// What it is called among the materials: of a repository all, whichever directory is meant.
    pub material: String,
}

/// Something from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Material {
    /// What it is; materials are told in this order.
    pub kind: Kind,
    /// A package URL, or an address without secrets.
    pub uri: String,
    /// `sha256`, `sha1`: hex.
    pub digest: BTreeMap<String, String>,
}

/// What came from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An image.
    Image,
    /// A commit of a repository.
    Commit,
    /// A file.
    File,
}

/// A step that was done, or whose result was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it is known by.
    pub key: Digest,
    /// `[build 2/5] RUN make`.
    pub name: String,
    /// Keys of those it needs.
    pub inputs: Vec<Digest>,
    /// All its files: the tar of each layer and its length, lowest first; none where they are not here.
    pub layers: Vec<(DiffId, u64)>,
    /// Lines of the Dockerfile, from 1, both ends included.
    pub lines: Option<(u32, u32)>,
}

/// Whether a command could reach a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// None could.
    None,
    /// One could, or that is not known.
    Reachable,
}

impl Facts {
    /// What a request alone tells; the rest is empty.
    #[must_use]
    pub fn asked(request: &Request) -> Facts {
        let mut locals = Vec::new();
        let remote = match &request.context {
            BuildContext::Url(url) => Some(Remote::of(url)),
            BuildContext::Image(name) => Some(Remote::of(&format!("docker-image://{name}"))),
            BuildContext::Directory(_) | BuildContext::Tar(_) | BuildContext::Layout(_) | BuildContext::Other(_) => {
                locals.push("context");
                None
            }
            BuildContext::Empty => None,
        };
        let name = match &request.dockerfile {
            // A remote context's file is a part of it.
            Dockerfile::InContext(path) => {
                if remote.is_none() {
                    locals.push("dockerfile");
                }
                path.to_string_lossy().into_owned()
            }
            Dockerfile::Host(path) => {
                locals.push("dockerfile");
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
            Dockerfile::Text(_) => {
                locals.push("dockerfile");
                "Dockerfile".to_owned()
            }
        };
        Facts {
            dockerfile: (name, None),
            remote,
            locals,
            args: args(request),
            secrets: BTreeMap::new(),
            agents: BTreeMap::new(),
            materials: Vec::new(),
            steps: Vec::new(),
            result: None,
            network: if request.run.network == "none" { Network::None } else { Network::Reachable },
            builder: Platform::host(),
            times: (Time::from_ns(0), Time::from_ns(0)),
            invocation: None,
        }
    }
}

impl Remote {
    fn of(address: &str) -> Remote {
        let (uri, material) = match git_source(address) {
            Ok(Some(checkout)) => (checkout.address_of_directory(), checkout.address()),
            Ok(None) | Err(_) => (address.to_owned(), address.to_owned()),
        };
        Remote { uri: without_credentials(&uri), material: without_credentials(&material) }
    }
}

impl Material {
    /// An image by the name it was asked for, with what that meant.
    #[must_use]
    pub fn of_image(reference: &Reference, described: &Described, platform: &Platform) -> Material {
        Material::of_purl(&Purl::of_image(reference, Some(platform)), &described.origin())
    }

    /// An image of a layout, which is called as the build calls it.
    #[must_use]
    pub fn of_layout(context: &str, described: &Described, platform: &Platform) -> Material {
        let (name, origin) = (context.split("::").next().unwrap_or(context), described.origin());
        let purl = match format!("{name}@{origin}").parse::<Reference>() {
            Ok(reference) => Purl { kind: "oci", ..Purl::of_image(&reference, Some(platform)) },
            Err(_) => Purl {
                kind: "oci",
                namespace: None,
                name: name.to_owned(),
                version: None,
                qualifiers: BTreeMap::from([("digest", origin.to_string()), ("platform", platform.to_string())]),
            },
        };
        Material::of_purl(&purl, &origin)
    }

    fn of_purl(purl: &Purl, digest: &Digest) -> Material {
        Material { kind: Kind::Image, uri: purl.to_string(), digest: digests(digest) }
    }

    /// A download.
    #[must_use]
    pub fn of_file(address: &str, digest: &Digest) -> Material {
        Material { kind: Kind::File, uri: without_credentials(address), digest: digests(digest) }
    }

    /// A commit of a repository.
    #[must_use]
    pub fn of_commit(address: &str, commit: &str) -> Material {
        let algorithm = if commit.len() == 64 { "sha256" } else { "sha1" };
        let digest = BTreeMap::from([(algorithm.to_owned(), commit.to_owned())]);
        Material { kind: Kind::Commit, uri: without_credentials(address), digest }
    }
}

fn digests(digest: &Digest) -> BTreeMap<String, String> {
    BTreeMap::from([(digest.algorithm().name().to_owned(), digest.hex().to_owned())])
}

/// The options as BuildKit's frontend is given them, without those about the machine (BuildKit's `FilterArgs`).
fn args(request: &Request) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    for (name, value) in &request.build_args {
        args.insert(format!("build-arg:{name}"), proxy_without_credentials(name, value));
    }
    for (name, value) in &request.labels {
        args.insert(format!("label:{name}"), value.clone());
    }
    for (name, context) in &request.named_contexts {
        let text = match context {
            BuildContext::Empty => continue,
            // Where it lies is nobody's business.
            BuildContext::Directory(_) | BuildContext::Tar(_) | BuildContext::Layout(_) | BuildContext::Other(_) => {
                format!("local:{name}")
            }
            BuildContext::Url(url) => without_credentials(url),
            BuildContext::Image(image) => format!("docker-image://{image}"),
        };
        args.insert(format!("context:{name}"), text);
    }
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            args.insert(name.to_owned(), value);
        }
    };
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    say("target", request.target.clone().filter(|target| !target.is_empty()));
    let hosts: Vec<_> = request.run.hosts.iter().map(|host| host.replacen(':', "=", 1)).collect();
    say("add-hosts", some(&hosts.join(",")));
    say("force-network-mode", some(&request.run.network).filter(|network| network != "default"));
    say("shm-size", request.run.shm_size_bytes.map(|bytes| bytes.to_string()));
    say("ulimit", some(&request.run.ulimits.join(",")));
    match &request.no_cache {
        NoCache::Nothing => {}
        NoCache::All => say("no-cache", Some(String::new())),
        NoCache::Stages(stages) => say("no-cache", Some(stages.iter().cloned().collect::<Vec<_>>().join(","))),
    }
    args
}

/// An address without user and password (BuildKit's `RedactCredentials`). What is no address stays.
#[must_use]
pub fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        // Of ssh the user is a part of the address, and says nothing about who asks.
        Some((user, host)) if scheme == "ssh" && !user.contains(':') => format!("{scheme}://{user}@{host}{path}"),
        Some((_, host)) => format!("{scheme}://xxxxx:xxxxx@{host}{path}"),
        None => address.to_owned(),
    }
}

fn proxy_without_credentials(name: &str, value: &str) -> String {
    if name.to_ascii_lowercase().ends_with("_proxy") { without_credentials(value) } else { value.to_owned() }
}
