//! From flags to what the builder is asked.

use std::collections::{BTreeMap, BTreeSet};

use builder::{NoCache, Pull, Request, RunDefaults};
use serde_json::Value;
use spec::platform::Platform;

use super::context::{self, Inputs};
use super::secrets::Agents;
use super::{BUILD, outputs, secrets};
use crate::cli::Cli;
use crate::flags::container::bytes;
use crate::flags::values;
use crate::report::Report;
use crate::verb::Args;

/// What of `~/.docker/config.json` become build arguments (docker/cli `ParseProxyConfig`).
const PROXIES: [(&str, &str); 5] = [
    ("httpProxy", "HTTP_PROXY"),
    ("httpsProxy", "HTTPS_PROXY"),
    ("noProxy", "NO_PROXY"),
    ("ftpProxy", "FTP_PROXY"),
    ("allProxy", "ALL_PROXY"),
];
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The request, of inputs that were found.
pub(super) fn request(cli: &Cli, args: &Args, inputs: &Inputs, agents: &Agents) -> Result<Request, Report> {
    let build_args = build_args(cli, args)?;
    let run = run_defaults(args, &build_args)?;
    let named = args.list("build-context").into_iter().map(|text| context::named(cli, text));
    let secrets = args.list("secret").into_iter().map(|text| secrets::secret(cli, text));
    let cache_from = args.list("cache-from").into_iter().map(|text| outputs::cache_from(cli, text));
    Ok(Request {
        context: inputs.context.clone(),
        dockerfile: inputs.dockerfile.clone(),
        named_contexts: named.collect::<Result<_, _>>()?,
        target: args.text("target").map(str::to_owned),
        build_args,
        labels: pairs(args, "label", |_| Some(String::new()))?,
        platforms: platforms(cli, args)?,
        no_cache: no_cache(args)?,
        pull: if args.on("pull") { Pull::Always } else { Pull::Missing },
        run,
        secrets: secrets.collect::<Result<_, _>>()?,
        ssh: agents.sockets.clone(),
        cache_from: cache_from.collect::<Result<_, _>>()?,
        allow: allow(args)?,
    })
}

/// `NAME=value`; a name alone has the value that `otherwise` knows, and counts for nothing if there is none.
fn pairs(
    args: &Args,
    long: &str,
    otherwise: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, String>, Report> {
    let mut all = BTreeMap::new();
    for text in args.list(long) {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
        if name.is_empty() {
            return Err(Report::plain(format!("ERROR: invalid key-value pair {text:?}: empty key")));
        }
        if let Some(value) = value.or_else(|| otherwise(name)) {
            all.insert(name.to_owned(), value);
        }
    }
    Ok(all)
}

/// The user's, over what his configuration says of proxies; and, as with buildx, the epoch of his surroundings.
fn build_args(cli: &Cli, args: &Args) -> Result<BTreeMap<String, String>, Report> {
    let own = pairs(args, "build-arg", |name| cli.variable(name))?;
    let text = std::fs::read(cli.docker_config().join("config.json")).unwrap_or_default();
    // What is wrong with it, whoever reads logins tells.
    let config: Value = serde_json::from_slice(&text).unwrap_or_default();
    let mut all = BTreeMap::new();
    for (key, name) in PROXIES {
        if let Some(value) = config["proxies"]["default"][key].as_str().filter(|value| !value.is_empty()) {
            all.insert(name.to_owned(), value.to_owned());
            all.insert(name.to_lowercase(), value.to_owned());
        }
    }
    all.extend(own);
    if let (false, Some(epoch)) = (all.contains_key(EPOCH), cli.variable(EPOCH).filter(|text| !text.is_empty())) {
        all.insert(EPOCH.to_owned(), epoch);
    }
    Ok(all)
}

fn platforms(cli: &Cli, args: &Args) -> Result<Vec<Platform>, Report> {
    let mut typed: Vec<String> = args.list("platform").into_iter().map(str::to_owned).collect();
    if typed.is_empty() {
        typed.extend(cli.variable("DOCKER_DEFAULT_PLATFORM").filter(|text| !text.is_empty()));
    }
    let mut platforms: Vec<Platform> = Vec::new();
    for text in typed.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
        let platform = if text == "local" {
            Platform::host()
        } else {
            text.parse().map_err(|e| BUILD.bad_value("platform", text, &e))?
        };
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

fn no_cache(args: &Args) -> Result<NoCache, Report> {
    let stages: BTreeSet<String> =
        args.list("no-cache-filter").into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect();
    match (args.on("no-cache"), stages.is_empty()) {
        (true, false) => {
            Err(Report::plain("ERROR: --no-cache and --no-cache-filter cannot currently be used together"))
        }
        (true, true) => Ok(NoCache::All),
        (false, false) => Ok(NoCache::Stages(stages)),
        (false, true) => Ok(NoCache::Nothing),
    }
}

fn run_defaults(args: &Args, build_args: &BTreeMap<String, String>) -> Result<RunDefaults, Report> {
    let hosts = args.list("add-host").into_iter().flat_map(|text| text.split(','));
    let hosts = hosts.map(|text| values::add_host(text).map_err(|why| BUILD.bad_value("add-host", text, &why)));
    args.parsed_list(&BUILD, "ulimit", values::ulimit)?;
    Ok(RunDefaults {
        network: args.text("network").unwrap_or("default").to_owned(),
        hosts: hosts.collect::<Result<_, _>>()?,
        shm_size_bytes: args.parsed(&BUILD, "shm-size", bytes)?.map(i64::cast_unsigned),
        ulimits: args.list("ulimit").into_iter().map(str::to_owned).collect(),
        cgroup_parent: args.text("cgroup-parent").map(str::to_owned),
        hostname: build_args.get("BUILDKIT_SANDBOX_HOSTNAME").filter(|name| !name.is_empty()).cloned(),
    })
}

/// `--network host` is asked for by the user himself, and so allowed.
fn allow(args: &Args) -> Result<BTreeSet<String>, Report> {
    let mut allowed = BTreeSet::new();
    for text in args.list("allow").into_iter().flat_map(|text| text.split(',')) {
        match text.split('=').next().unwrap_or(text) {
            "network.host" | "security.insecure" => drop(allowed.insert(text.to_owned())),
            // Of the client's files and devices, which are this machine's anyway.
            "fs" | "fs.read" | "fs.write" | "ssh" | "image.load" | "buildx.local.delete" => {}
            _ => return Err(Report::plain(format!("ERROR: invalid entitlement: unknown entitlement {text}"))),
        }
    }
    if args.text("network") == Some("host") {
        allowed.insert("network.host".into());
    }
    Ok(allowed)
}
