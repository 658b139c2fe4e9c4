//! `kist login`.

use std::io::Read as _;

use engine::Error;
use engine::registry::log_in;
use registry::client::Login;
use registry::credentials::{Kept, registry_of};

use crate::cli::{Cli, note, say};
use crate::prompt::{Echo, ask};
use crate::report::{Report, chain, explain};
use crate::terminal;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist login`.
pub(crate) static LOGIN: Verb = Verb {
    name: "login",
    aliases: &[],
    usage: "[OPTIONS] [SERVER]",
    about: "Authenticate to a registry (Docker Hub if no server is named)",
    words: Words::AtMost(1),
    flags: &[&[
        short('p', "password", Takes::One("string"), "Password or Personal Access Token (PAT)"),
        flag("password-stdin", Takes::Switch, "Take the Password or Personal Access Token (PAT) from stdin"),
        short('u', "username", Takes::One("string"), "Username"),
    ]],
    run,
};

const HUB: &str = "docker.io";
const HUB_WELCOME: &str = "Log in with your Docker ID or email address to push and pull images from Docker Hub. If you don't have a Docker ID, head over to https://hub.docker.com/ to create one.\nYou can log in with your password or a Personal Access Token (PAT). Using a limited-scope PAT grants better security and is required for organizations using SSO. Learn more at https://docs.docker.com/go/access-tokens/\n";

/// What was typed of the login.
struct Given {
    user: Option<String>,
    password: Option<String>,
}

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let given = given(args)?;
    let registry = registry_of(args.words().first().map_or(HUB, String::as_str));
    warn_of_variable(cli);
    let mut known_user = None;
    if given.user.is_none() && given.password.is_none() {
        match with_stored(cli, &registry) {
            Stored::Accepted(login) => return keep(cli, &registry, &login),
            Stored::Refused { user } => known_user = Some(user),
            Stored::Nothing => {}
        }
    }
    let login = complete(given, known_user, &registry)?;
    let identity = log_in(&cli.registries(), &registry, &login)?;
    keep(cli, &registry, &identity.map_or(login, |token| Login::Identity { token }))
}

/// `DOCKER_AUTH_CONFIG` answers before anything that is kept.
pub(super) fn warn_of_variable(cli: &Cli) {
    if cli.variable("DOCKER_AUTH_CONFIG").is_some_and(|text| !text.is_empty()) {
        note(
            "WARNING: DOCKER_AUTH_CONFIG is set and takes precedence.\nUnset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour.",
        );
    }
}

/// Reads the flags, and standard input if a flag says so (docker/cli `verifyLoginOptions`).
fn given(args: &Args) -> Result<Given, Report> {
    let from_stdin = args.on("password-stdin");
    let refused = |text: &str| Err(Report::plain(text));
    if from_stdin && args.given("password") {
        return refused("conflicting options: cannot specify both --password and --password-stdin");
    }
    if from_stdin && !args.given("username") {
        return refused("the --password-stdin option requires --username to be set");
    }
    for flag in ["username", "password"] {
        if args.given(flag) && args.text(flag).is_none() {
            return refused(&format!("{flag} is empty"));
        }
    }
    let user = args.text("username").map(str::to_owned);
    let mut password = args.text("password").map(str::to_owned);
    if password.is_some() {
        note("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
    }
    if from_stdin {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| Report::plain(format!("reading the password from standard input: {e}")))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() {
            return refused("password is empty");
        }
        password = Some(line.to_owned());
    }
    Ok(Given { user, password })
}

/// What became of the login that is kept.
enum Stored {
    /// The registry takes it.
    Accepted(Login),
    /// Not this one.
    Refused { user: String },
    /// There is none that could be shown.
    Nothing,
}

fn with_stored(cli: &Cli, registry: &str) -> Stored {
    let login = match cli.credentials().login_of(registry) {
        Ok(Some(login @ Login::Password { .. })) => login,
        // Nobody typed an identity token, so nobody would know what it stands for.
        Ok(Some(Login::Identity { .. }) | None) => return Stored::Nothing,
        Err(error) => {
            note(&format!("WARNING: {}", chain(&error)));
            return Stored::Nothing;
        }
    };
    let Login::Password { user, .. } = &login else { return Stored::Nothing };
    note(&format!(
        "Authenticating with existing credentials... [Username: {user}]\n\n Info -> To login with a different account, run 'kist logout' followed by 'kist login'\n\n"
    ));
    match log_in(&cli.registries(), registry, &login) {
        Ok(identity) => return Stored::Accepted(identity.map_or(login, |token| Login::Identity { token })),
        Err(Error::Denied(_)) => note("Stored credentials invalid or expired"),
        Err(error) => note(&format!("Login did not succeed, error: {}", explain(&error))),
    }
    Stored::Refused { user: user.clone() }
}

/// Asks for what is missing (docker/cli `PromptUserForCredentials`).
fn complete(given: Given, known_user: Option<String>, registry: &str) -> Result<Login, Report> {
    if (given.user.is_none() || given.password.is_none()) && !terminal::stdin_is_terminal() {
        return Err(Report::plain("Error: Cannot perform an interactive login from a non TTY device"));
    }
    let user = match given.user {
        Some(user) => user.trim().to_owned(),
        None => {
            if registry == HUB {
                say(HUB_WELCOME);
            }
            let known = known_user.unwrap_or_default();
            let question = if known.is_empty() { "Username: ".to_owned() } else { format!("Username ({known}): ") };
            let typed = ask(&question, Echo::Shown)?;
            if typed.is_empty() { known } else { typed }
        }
    };
    if user.is_empty() {
        return Err(Report::plain("Error: Non-null Username Required"));
    }
    let password = match given.password {
        Some(password) => password,
        None => ask("Password: ", Echo::Hidden)?,
    };
    if password.is_empty() {
        return Err(Report::plain("Error: Password Required"));
    }
    Ok(Login::Password { user, password })
}

fn keep(cli: &Cli, registry: &str, login: &Login) -> Result<u8, Report> {
    let saving = |error| Report::plain(format!("Error saving credentials: {}", chain(&error)));
    match (cli.credentials().store(registry, login).map_err(saving)?, login) {
        (Kept::Plainly(file), Login::Password { .. }) => note(&format!(
            "\nWARNING! Your credentials are stored unencrypted in '{}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n",
            file.display()
        )),
        // A token can be taken back by itself.
        (Kept::Plainly(_), Login::Identity { .. }) | (Kept::Unchanged | Kept::ByKeychain, _) => {}
    }
    say("Login Succeeded");
    Ok(0)
}
