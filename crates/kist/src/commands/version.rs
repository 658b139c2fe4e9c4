//! `kist version`.

use serde::Serialize;

use super::listing::{self, OBJECT_FORMAT};
use crate::cli::{Cli, say};
use crate::report::Report;
use crate::template::Template;
use crate::verb::{Args, Takes, Verb, Words, short};

/// `kist version`.
pub(crate) static VERSION: Verb = Verb {
    name: "version",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Show the kist version information",
    words: Words::None,
    flags: &[&[short('f', "format", Takes::One("string"), OBJECT_FORMAT)]],
    run,
};

/// kist's own.
pub(super) const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// What `kist --version` prints.
pub(crate) fn line() -> String {
    format!("kist version {NUMBER}")
}

/// Client and engine are one program; scripts ask for either.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Versions {
    client: Client,
    server: Server,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Client {
    version: String,
    os: String,
    arch: String,
    context: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Server {
    version: String,
    os: String,
    arch: String,
    kernel_version: String,
}

fn run(_: &Cli, args: &Args) -> Result<u8, Report> {
    let platform = spec::platform::Platform::host();
    let version = NUMBER.to_owned();
    let (os, arch) = (platform.os, platform.architecture);
    let kernel_version = rustix::system::uname().release().to_string_lossy().into_owned();
    let versions = Versions {
        client: Client { version: version.clone(), os: os.clone(), arch: arch.clone(), context: "default".to_owned() },
        server: Server { version, os, arch, kernel_version },
    };
    match args.text("format") {
        None => say(&text(&versions)),
        Some(format) => {
            let format = if format == "json" { "{{json .}}" } else { format };
            let template = Template::parse(format).map_err(listing::refused)?;
            say(&format!("{}\n", template.render_typed(&versions).map_err(listing::refused)?));
        }
    }
    Ok(0)
}

fn text(versions: &Versions) -> String {
    let Versions { client, server } = versions;
    format!(
        "Client:\n Version:           {}\n OS/Arch:           {}/{}\n Context:           {}\n\nServer: kist, without a daemon\n Engine:\n  \
         Version:          {}\n  OS/Arch:          {}/{}\n  Kernel Version:   {}\n",
        client.version,
        client.os,
        client.arch,
        client.context,
        server.version,
        server.os,
        server.arch,
        server.kernel_version
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_answer_templates() {
        let word = |text: &str| text.to_owned();
        let versions = Versions {
            client: Client { version: word("1.2.3"), os: word("linux"), arch: word("amd64"), context: word("default") },
            server: Server {
                version: word("1.2.3"),
                os: word("linux"),
                arch: word("amd64"),
                kernel_version: word("6.18"),
            },
        };
        let template = Template::parse("{{.Server.Version}} {{.Client.Os}} {{.Server.KernelVersion}}").unwrap();
        assert_eq!(template.render_typed(&versions).unwrap(), "1.2.3 linux 6.18");
    }
}
