//! The command line as a whole: global flags, then a verb.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Host;
use engine::network::reload::{Rules, ensure};
use engine::registry::Settings;
use registry::client::ProxySettings;
use registry::credentials::{ConfigFile, Surroundings};

use crate::commands::{self, Found};
use crate::report::{Code, Report, chain, start_code};
use crate::terminal;
use crate::verb::Verb;

const DEFAULT_ROOT: &str = "/var/lib/kist";
const DEFAULT_RUN_ROOT: &str = "/run/kist";
const DEFAULT_CONFIG: &str = "/etc/kist";

/// What the user's surroundings say: read once, here.
pub(crate) struct Cli {
    env: BTreeMap<String, String>,
    working_dir: PathBuf,
    root: PathBuf,
    run_root: PathBuf,
    /// What the machine's owner decided.
    config: PathBuf,
    /// What the user keeps for Docker's command line.
    docker_config: PathBuf,
}

impl Cli {
    #[cfg(test)]
    pub(crate) fn for_tests(env: &[(&str, &str)], working_dir: &str) -> Cli {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let nowhere = PathBuf::new;
        let (root, run_root, config, docker_config) = (nowhere(), nowhere(), nowhere(), nowhere());
        Cli { env, working_dir: working_dir.into(), root, run_root, config, docker_config }
    }

    /// One variable of the user's environment.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    /// Where the user is.
    pub(crate) fn working_dir(&self) -> &Path {
        &self.working_dir
    }

    /// What the user keeps for Docker's command line.
    pub(crate) fn docker_config(&self) -> &Path {
        &self.docker_config
    }

    /// All of the user's environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Where images and containers are.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Opens the engine's directories. Whoever does so looks after the firewall's rules, too: nobody else would.
    pub(crate) fn host(&self) -> Result<Host, Report> {
        let host = self.open()?;
        self.look_after(&host);
        Ok(host)
    }

    /// The first half of that, for who has something to begin before the second.
    pub(crate) fn open(&self) -> Result<Host, Report> {
        Ok(Host::open(&self.root, &self.run_root, &self.config)?)
    }

    /// The second.
    pub(crate) fn look_after(&self, host: &Host) {
        match ensure(host) {
            Ok(Rules::Whole) => {}
            Ok(Rules::Restored) => note("the firewall rules of kist were gone and have been restored"),
            // Most verbs have nothing to do with them.
            Err(error) => note(&format!("WARNING: looking after the firewall rules of kist: {}", chain(&error))),
        }
    }

    /// The user's logins.
    pub(crate) fn credentials(&self) -> ConfigFile {
        let path = self.variable("PATH").unwrap_or_default();
        let surroundings = Surroundings { path, auth_config: self.variable("DOCKER_AUTH_CONFIG") };
        ConfigFile::open(&self.docker_config, surroundings)
    }

    /// How registries are reached.
    pub(crate) fn registries(&self) -> Settings {
        // In capitals or not, as Go's net/http reads them.
        let either = |name: &str| {
            let mut found = [name.to_owned(), name.to_lowercase()].into_iter().filter_map(|name| self.variable(&name));
            found.find(|value| !value.is_empty()).unwrap_or_default()
        };
        let proxy =
            ProxySettings { http: either("HTTP_PROXY"), https: either("HTTPS_PROXY"), no_proxy: either("NO_PROXY") };
        Settings { config_dir: self.config.clone(), credentials: Arc::new(self.credentials()), proxy }
    }
}

/// Runs the command line; answers the exit code.
pub(crate) fn run(typed: &[String]) -> u8 {
    let mut cli = Cli {
        env: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        working_dir: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        root: DEFAULT_ROOT.into(),
        run_root: DEFAULT_RUN_ROOT.into(),
        config: DEFAULT_CONFIG.into(),
        docker_config: PathBuf::new(),
    };
    // A service of systemd has no HOME, and is root.
    cli.docker_config = Path::new(cli.env.get("HOME").map_or("/root", String::as_str)).join(".docker");
    for (variable, dir) in [
        ("KIST_ROOT", &mut cli.root),
        ("KIST_RUN_ROOT", &mut cli.run_root),
        ("KIST_CONFIG", &mut cli.config),
        ("DOCKER_CONFIG", &mut cli.docker_config),
    ] {
        if let Some(value) = cli.env.get(variable).filter(|value| !value.is_empty()) {
            *dir = cli.working_dir.join(value);
        }
    }
    let rest = match global_flags(&mut cli, typed) {
        Ok(Some(rest)) => rest,
        Ok(None) => return 0,
        Err(report) => return fail(&report, None),
    };
    match commands::find(rest) {
        Found::Verb(verb, words) => execute(&cli, verb, words),
        Found::Help(text) => {
            say(&text);
            0
        }
        Found::Unknown(report) => fail(&report, None),
    }
}

fn execute(cli: &Cli, verb: &'static Verb, words: &[String]) -> u8 {
    let done = match verb.parse(words) {
        Ok(Some(args)) => (verb.run)(cli, &args),
        Ok(None) => {
            say(&verb.help(terminal::size().map_or(80, |size| usize::from(size.columns))));
            Ok(0)
        }
        Err(report) => Err(report),
    };
    done.unwrap_or_else(|report| fail(&report, Some(verb)))
}

/// The flags before the verb; none when one of them was the whole command.
fn global_flags<'a>(cli: &mut Cli, typed: &'a [String]) -> Result<Option<&'a [String]>, Report> {
    let mut rest = typed;
    while let [first, after @ ..] = rest {
        let (name, inline) = first.split_once('=').map_or((first.as_str(), None), |(name, value)| (name, Some(value)));
        let value = || match (inline, after) {
            (Some(value), _) => Ok((value, after)),
            (None, [next, after @ ..]) => Ok((next.as_str(), after)),
            (None, []) => Err(Report::usage(format!("flag needs an argument: {name}"))),
        };
        rest = match name {
            "--root" | "--run-root" | "--config" => {
                let (path, after) = value()?;
                let path = cli.working_dir.join(path);
                *match name {
                    "--root" => &mut cli.root,
                    "--run-root" => &mut cli.run_root,
                    _ => &mut cli.docker_config,
                } = path;
                after
            }
            // There is no daemon to log in either way.
            "-D" | "--debug" => after,
            "-l" | "--log-level" => value()?.1,
            "-v" | "--version" => {
                say(&commands::version::line());
                return Ok(None);
            }
            "-H" | "--host" | "-c" | "--context" | "--tls" | "--tlsverify" => {
                return Err(Report::plain(format!(
                    "{name} is not there yet in kist: it works on this machine and needs no daemon"
                )));
            }
            flag if flag.starts_with('-') && !matches!(flag, "-h" | "--help") => {
                return Err(Report::usage(format!(
                    "unknown flag: {flag}\n\nUsage:  kist [OPTIONS] COMMAND [ARG...]\n\nRun 'kist --help' for more information"
                )));
            }
            _ => return Ok(Some(rest)),
        };
    }
    Ok(Some(rest))
}

/// Prints to standard output; a reader that left is no error of ours.
pub(crate) fn say(text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(std::io::stdout().lock(), "{text}{end}");
}

/// Prints to standard output as it is, at once.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a line to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Prints why and answers the exit code.
fn fail(report: &Report, verb: Option<&Verb>) -> u8 {
    let starts = verb.is_some_and(|verb| matches!(verb.name, "run" | "create"));
    match (starts && report.code == Code::Engine, verb) {
        _ if report.text.is_empty() => {}
        (true, Some(verb)) => {
            note(&format!("kist: {}\n\nRun 'kist {} --help' for more information", report.text, verb.name))
        }
        _ => note(&report.text),
    }
    match report.code {
        Code::Exactly(code) => code,
        Code::Usage if starts => 125,
        Code::Engine if starts => start_code(&report.text),
        Code::Usage | Code::Engine => 1,
    }
}
