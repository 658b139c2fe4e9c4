//! `kist registry serve`.

use std::path::PathBuf;
use std::sync::Arc;

use registry::server::{Access, Files, Serve, Tls, serve};

use crate::cli::{Cli, note};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag};

const LISTEN: &str = "127.0.0.1:5000";

/// `kist registry serve`.
pub(crate) static REGISTRY_SERVE: Verb = Verb {
    name: "registry serve",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Serve images to other machines, in the foreground",
    words: Words::None,
    flags: &[&[
        flag("htpasswd", Takes::One("file"), "Let in only the users of this file (made with htpasswd -B)"),
        flag("listen", Takes::One("address"), "Host and port to listen on (default \"127.0.0.1:5000\")"),
        flag("read-only", Takes::Switch, "Let clients pull, and neither push nor delete"),
        flag("storage", Takes::One("directory"), "Where the images are (default \"registry\" in kist's root)"),
        flag("tls-cert", Takes::One("file"), "Certificate in PEM, followed by those that lead to a root"),
        flag("tls-key", Takes::One("file"), "Key of the certificate in PEM"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let path = |flag: &str| args.text(flag).map(|path| cli.working_dir().join(path));
    let storage = match path("storage") {
        Some(dir) => dir,
        None => {
            // Makes the root as the engine wants it.
            cli.host()?;
            cli.root().join("registry")
        }
    };
    let access = if args.on("read-only") { Access::ReadOnly } else { Access::ReadWrite };
    let served = serve(Serve {
        listen: args.text("listen").unwrap_or(LISTEN).to_owned(),
        storage: Arc::new(Files::open(&storage).map_err(|error| failed(&error))?),
        access,
        htpasswd: path("htpasswd"),
        tls: tls(path("tls-cert"), path("tls-key"))?,
        upstream: None,
        say: Arc::new(note),
    });
    served.map_err(|error| failed(&error))?;
    Ok(0)
}

fn tls(certificate: Option<PathBuf>, key: Option<PathBuf>) -> Result<Option<Tls>, Report> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Ok(Some(Tls { certificate, key })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(Report::usage("--tls-cert and --tls-key belong together".into())),
    }
}

fn failed(error: &dyn std::error::Error) -> Report {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    Report::plain(text)
}
