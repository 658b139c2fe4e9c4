//! `kist registry serve`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::serve::Own;
use engine::upstream::Behind;
use registry::server::{Access, Files, Serve, Storage, Tls, Upstream, serve};

use crate::cli::{Cli, note};
use crate::report::{Report, chain};
use crate::verb::{Args, Takes, Verb, Words, flag};

const LISTEN: &str = "127.0.0.1:5000";

/// `kist registry serve`.
pub(crate) static REGISTRY_SERVE: Verb = Verb {
    name: "registry serve",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Serve images as a registry, in the foreground",
    words: Words::None,
    flags: &[&[
        flag("htpasswd", Takes::One("file"), "Let in only the users of this file (made with htpasswd -B)"),
        flag("listen", Takes::One("address"), "Host and port to listen on (default \"127.0.0.1:5000\")"),
        flag(
            "proxy",
            Takes::One("registry"),
            "Serve another registry's images: fetch from it what is not here, and keep it",
        ),
        flag("read-only", Takes::Switch, "Let clients pull, and neither push nor delete"),
        flag(
            "storage",
            Takes::One("directory"),
            "Serve this directory and keep there what is pushed, instead of kist's own images",
        ),
        flag("tls-cert", Takes::One("file"), "Certificate in PEM, followed by those that lead to a root"),
        flag("tls-key", Takes::One("file"), "Key of the certificate in PEM"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let path = |flag: &str| args.text(flag).map(|path| cli.working_dir().join(path));
    let tls = tls(path("tls-cert"), path("tls-key"))?;
    let behind = args.text("proxy").map(|upstream| Behind::new(&cli.registries(), upstream)).transpose()?;
    let storage: Arc<dyn Storage> = match (path("storage"), &behind) {
        (Some(dir), _) => Arc::new(files(&dir)?),
        (None, Some(behind)) => {
            cli.host()?;
            // What comes from one registry is no other's.
            Arc::new(files(&cli.root().join("proxies").join(behind.registry()))?)
        }
        (None, None) => {
            let store = cli.host()?.store;
            Arc::new(Own { store, pushed: files(&cli.root().join("registry"))? })
        }
    };
    let access = if args.on("read-only") { Access::ReadOnly } else { Access::ReadWrite };
    let served = serve(Serve {
        listen: args.text("listen").unwrap_or(LISTEN).to_owned(),
        storage,
        access,
        htpasswd: path("htpasswd"),
        tls,
        upstream: behind.map(|behind| Arc::new(behind) as Arc<dyn Upstream>),
        say: Arc::new(note),
    });
    served.map_err(|error| failed(&error))?;
    Ok(0)
}

fn files(dir: &Path) -> Result<Files, Report> {
    Files::open(dir).map_err(|error| failed(&error))
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>, Report> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(Report::usage("--tls-cert and --tls-key belong together".into())),
    }
}

fn failed(error: &dyn std::error::Error) -> Report {
    Report::plain(chain(error))
}
