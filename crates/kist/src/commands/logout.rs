//! `kist logout`.

use registry::credentials::{key_of, registry_of};

use super::login::warn_of_variable;
use crate::cli::{Cli, note, say};
use crate::report::{Report, chain};
use crate::verb::{Args, Verb, Words};

/// `kist logout`.
pub(crate) static LOGOUT: Verb = Verb {
    name: "logout",
    aliases: &[],
    usage: "[SERVER]",
    about: "Log out from a registry (Docker Hub if no server is named)",
    words: Words::AtMost(1),
    flags: &[],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let registry = registry_of(args.words().first().map_or("", String::as_str));
    let key = key_of(&registry);
    warn_of_variable(cli);
    say(&format!("Removing login credentials for {key}"));
    // As in Docker, no failure: who logs out wants to have nothing there, and is told what may be.
    if let Err(error) = cli.credentials().erase(&registry) {
        note(&format!("WARNING: could not erase credentials:\n{key}: {}", chain(&error)));
    }
    Ok(0)
}
