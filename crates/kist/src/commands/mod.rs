//! All verbs, one file each, and how a command line finds its own.

mod attach;
mod build;
mod commit;
mod cp;
mod df;
mod diff;
mod each;
mod events;
mod exec;
mod export;
mod history;
mod images;
mod import;

mod inspect;
mod kill;
mod listing;
mod load;
mod login;
mod logout;
mod logs;
mod machine;
mod network;
mod output;
mod pause;
mod port;
mod prune;
mod ps;
mod pull;
mod push;
mod registry;
mod rename;
mod rm;
mod rmi;
pub(crate) mod run;
mod save;
mod start;
mod stats;
mod stop;
mod system;
mod tag;
mod top;
mod update;
pub(crate) mod version;
mod volume;
mod wait;

use std::fmt::Write as _;

use crate::report::Report;
use crate::verb::Verb;

/// Where a command line leads.
pub(crate) enum Found<'a> {
    /// To a verb and what follows it.
    Verb(&'static Verb, &'a [String]),
    /// To a text.
    Help(String),
    /// Nowhere.
    Unknown(Report),
}

/// All verbs, in the order of the help text.
pub(crate) static VERBS: &[&Verb] = &[
    &run::RUN,
    &exec::EXEC,
    &ps::PS,
    &build::BUILD,
    &pull::PULL,
    &push::PUSH,
    &images::IMAGES,
    &login::LOGIN,
    &logout::LOGOUT,
    &version::VERSION,
    &machine::INFO,
    &attach::ATTACH,
    &commit::COMMIT,
    &cp::CP,
    &run::CREATE,
    &diff::DIFF,
    &events::EVENTS,
    &export::EXPORT,
    &history::HISTORY,
    &import::IMPORT,
    &inspect::INSPECT,
    &kill::KILL,
    &load::LOAD,
    &logs::LOGS,
    &pause::PAUSE,
    &port::PORT,
    &rename::RENAME,
    &stop::RESTART,
    &rm::RM,
    &rmi::RMI,
    &save::SAVE,
    &start::START,
    &stats::STATS,
    &stop::STOP,
    &tag::TAG,
    &top::TOP,
    &pause::UNPAUSE,
    &update::UPDATE,
    &wait::WAIT,
    &inspect::CONTAINER_INSPECT,
    &inspect::IMAGE_INSPECT,
    &build::BUILDER_DU,
    &build::BUILDER_PRUNE,
    &build::BUILDX_INSPECT,
    &build::BUILDX_LS,
    &build::BUILDX_VERSION,
    &build::HISTORY_INSPECT,
    &build::HISTORY_LOGS,
    &build::HISTORY_LS,
    &build::HISTORY_RM,
    &prune::CONTAINER_PRUNE,
    &prune::IMAGE_PRUNE,
    &prune::SYSTEM_PRUNE,
    &df::SYSTEM_DF,
    &system::SYSTEM_CHECK,
    &system::SYSTEM_START,
    &registry::REGISTRY_SERVE,
    &network::NETWORK_CONNECT,
    &network::NETWORK_CREATE,
    &network::NETWORK_DISCONNECT,
    &inspect::NETWORK_INSPECT,
    &network::NETWORK_LS,
    &network::NETWORK_PRUNE,
    &network::NETWORK_RELOAD,
    &network::NETWORK_RM,
    &volume::VOLUME_CREATE,
    &inspect::VOLUME_INSPECT,
    &volume::VOLUME_LS,
    &prune::VOLUME_PRUNE,
    &volume::VOLUME_RM,
];

/// Shown first in the help text.
const COMMON: &[&str] =
    &["run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "load", "version", "info"];

/// Words that begin two-word verbs.
pub(crate) const GROUPS: &[(&str, &str)] = &[
    ("builder", "Manage builds"),
    ("buildx", "Build images, in the words of Docker's plugin"),
    ("container", "Manage containers"),
    ("image", "Manage images"),
    ("network", "Manage networks"),
    ("registry", "Serve images"),
    ("system", "Manage kist"),
    ("volume", "Manage volumes"),
];

/// Flags that stand before the verb.
pub(crate) const GLOBALS: &[(&str, &str)] = &[
    ("    --config string", "Location of client config files (default \"~/.docker\", env DOCKER_CONFIG)"),
    ("    --root string", "Directory of images and containers (default \"/var/lib/kist\", env KIST_ROOT)"),
    ("    --run-root string", "Directory of running state (default \"/run/kist\", env KIST_RUN_ROOT)"),
    ("-v, --version", "Print version information and quit"),
];

/// What Docker has and kist has not yet.
const NOT_YET: &[&str] = &[
    "checkpoint",
    "compose",
    "config",
    "context",
    "manifest",
    "node",
    "plugin",
    "search",
    "secret",
    "service",
    "stack",
    "swarm",
    "trust",
];

/// A file that the user named cannot be opened; Go's words.
pub(crate) fn opening(path: &str, error: &std::io::Error) -> Report {
    let why = match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::NOENT) => "no such file or directory".to_owned(),
        Some(rustix::io::Errno::ACCESS) => "permission denied".to_owned(),
        Some(_) | None => error.to_string(),
    };
    Report::plain(format!("open {path}: {why}"))
}

/// The verb behind these words.
pub(crate) fn find(words: &[String]) -> Found<'_> {
    let plain: Vec<&str> = words.iter().map(String::as_str).collect();
    match plain.as_slice() {
        [] | ["-h" | "--help", ..] | ["help"] => Found::Help(help()),
        ["help", ..] => match find(&words[1..]) {
            Found::Verb(verb, _) => Found::Help(verb.help(80)),
            Found::Unknown(_) => Found::Unknown(Report::usage(format!("unknown help topic: {}", words[1..].join(" ")))),
            Found::Help(text) => Found::Help(text),
        },
        [group] | [group, "-h" | "--help"] if is_group(group) => Found::Help(group_help(group)),
        [first, second, third, ..] if let Some(verb) = by_name(&format!("{first} {second} {third}")) => {
            Found::Verb(verb, &words[3..])
        }
        [first, second, ..] if is_group(first) => match by_name(&format!("{first} {second}")) {
            Some(verb) => Found::Verb(verb, &words[2..]),
            None if NOT_YET.contains(second) => not_yet(&format!("{first} {second}")),
            None => unknown(&format!("{first} {second}"), first),
        },
        [first, ..] => match by_name(first) {
            Some(verb) => Found::Verb(verb, &words[1..]),
            None if NOT_YET.contains(first) => not_yet(first),
            None => unknown(first, ""),
        },
    }
}

fn is_group(word: &str) -> bool {
    GROUPS.iter().any(|(name, _)| *name == word)
}

fn by_name(name: &str) -> Option<&'static Verb> {
    VERBS.iter().copied().find(|verb| verb.name == name || verb.aliases.contains(&name))
}

fn not_yet<'a>(name: &str) -> Found<'a> {
    Found::Unknown(Report::plain(format!(
        "kist: 'kist {name}' is not there yet\n\nRun 'kist --help' for what there is"
    )))
}

fn unknown<'a>(name: &str, group: &str) -> Found<'a> {
    let see = if group.is_empty() { String::new() } else { format!(" {group}") };
    let usage = if group.is_empty() { String::new() } else { format!("Usage:  kist {group}\n\n") };
    Found::Unknown(Report::usage(format!(
        "kist: unknown command: kist {name}\n\n{usage}Run 'kist{see} --help' for more information"
    )))
}

/// As wide as Docker's at least.
fn section(text: &mut String, title: &str, lines: &[(&str, &str)]) {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default().max(11);
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n{title}:");
    for (name, about) in lines {
        let _ = writeln!(text, "  {name:width$} {about}");
    }
}

fn help() -> String {
    let mut text = "Usage:  kist [OPTIONS] COMMAND\n\nA container engine without a daemon\n".to_owned();
    let one_word = || VERBS.iter().filter(|verb| !verb.name.contains(' '));
    let common: Vec<(&str, &str)> =
        COMMON.iter().filter_map(|name| by_name(name)).map(|verb| (verb.name, verb.about)).collect();
    section(&mut text, "Common Commands", &common);
    section(&mut text, "Management Commands", GROUPS);
    let mut others: Vec<(&str, &str)> =
        one_word().filter(|verb| !COMMON.contains(&verb.name)).map(|verb| (verb.name, verb.about)).collect();
    others.sort_unstable();
    section(&mut text, "Commands", &others);
    section(&mut text, "Global Options", GLOBALS);
    text.push_str("\nRun 'kist COMMAND --help' for more information on a command.\n");
    text
}

fn group_help(group: &str) -> String {
    let about = GROUPS.iter().find(|(name, _)| *name == group).map_or("", |(_, about)| about);
    let mut text = format!("Usage:  kist {group} COMMAND\n\n{about}\n");
    let of_group = |name: &'static str| name.strip_prefix(group)?.strip_prefix(' ');
    let mut lines: Vec<(&str, &str)> = VERBS
        .iter()
        .filter_map(|verb| {
            Some((std::iter::once(&verb.name).chain(verb.aliases).find_map(|name| of_group(name))?, verb.about))
        })
        .collect();
    lines.sort_unstable();
    section(&mut text, "Commands", &lines);
    let _ = write!(text, "\nRun 'kist {group} COMMAND --help' for more information on a command.\n");
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(line: &str, expected: Expect) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let text = match find(&words) {
            Found::Help(text) => text,
            Found::Unknown(report) => report.text,
            Found::Verb(verb, rest) => match verb.parse(rest) {
                Ok(Some(args)) => format!("{}: {}", verb.name, args.words().join(" ")),
                Ok(None) => verb.help(80),
                Err(report) => report.text,
            },
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn a_verb_has_one_word_or_two() {
        for (line, leads_to) in [
            ("container ls", "ps: "),
            ("container list -a", "ps: "),
            ("container ps", "ps: "),
            ("image ls x", "images: x"),
            ("image list", "images: "),
            ("image rm a b", "rmi: a b"),
            ("image remove a", "rmi: a"),
            ("image tag a b", "tag: a b"),
            ("image history a", "history: a"),
            ("image inspect a", "image inspect: a"),
            ("container inspect a", "container inspect: a"),
            ("container logs -f a", "logs: a"),
            ("container prune -f", "container prune: "),
            ("system df -v", "system df: "),
            ("system info", "info: "),
        ] {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let Found::Verb(verb, rest) = find(&words) else { panic!("{line}") };
            assert_eq!(format!("{}: {}", verb.name, verb.parse(rest).unwrap().unwrap().words().join(" ")), leads_to);
        }
    }

    #[test]
    fn all_verbs_make_sense() {
        let mut names = std::collections::BTreeSet::new();
        for verb in VERBS {
            verb.command().debug_assert();
            assert!(!verb.help(80).is_empty());
            for name in std::iter::once(&verb.name).chain(verb.aliases) {
                assert!(names.insert(*name), "{name} twice");
                assert!(!NOT_YET.contains(name), "{name} is there");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_said_so() {
        check(
            "nosuch",
            expect![[r#"
            kist: unknown command: kist nosuch

            Run 'kist --help' for more information"#]],
        );
        check(
            "container nosuch",
            expect![[r#"
            kist: unknown command: kist container nosuch

            Usage:  kist container

            Run 'kist container --help' for more information"#]],
        );
        check("help nosuch", expect!["unknown help topic: nosuch"]);
        check(
            "search x",
            expect![[r#"
            kist: 'kist search' is not there yet

            Run 'kist --help' for what there is"#]],
        );
        check("image build x", expect!["build: x"]);
        check(
            "ps x",
            expect![[r#"
            kist: 'kist ps' accepts no arguments

            Usage:  kist ps [OPTIONS]

            Run 'kist ps --help' for more information"#]],
        );
        check(
            "rmi",
            expect![[r#"
            kist: 'kist rmi' requires at least 1 argument

            Usage:  kist rmi [OPTIONS] IMAGE [IMAGE...]

            See 'kist rmi --help' for more information"#]],
        );
        check(
            "logs --nope x",
            expect![[r#"
            unknown flag: --nope

            Usage:  kist logs [OPTIONS] CONTAINER

            Run 'kist logs --help' for more information"#]],
        );
        check(
            "images -Z",
            expect![[r#"
            unknown shorthand flag: 'Z' in -Z

            Usage:  kist images [OPTIONS] [REPOSITORY[:TAG]]

            Run 'kist images --help' for more information"#]],
        );
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "texts in full")]
    fn help_looks_as_dockers() {
        check(
            "rmi -h",
            expect![[r#"
                Usage:  kist rmi [OPTIONS] IMAGE [IMAGE...]

                Remove one or more images

                Aliases:
                  kist image rm, kist image remove, kist rmi

                Options:
                  -f, --force              Force removal of the image
                      --no-prune           Do not delete untagged parents
                      --platform strings   Remove only the given platform variant. Formatted as
                                           "os[/arch[/variant]]" (e.g., "linux/amd64")
            "#]],
        );
        check(
            "logs --help",
            expect![[r#"
                Usage:  kist logs [OPTIONS] CONTAINER

                Fetch the logs of a container

                Aliases:
                  kist container logs, kist logs

                Options:
                      --details        Show extra details provided to logs
                  -f, --follow         Follow log output
                      --network        Show what the egress policy of the container refused:
                                       names, and connections of the last hour
                      --since string   Show logs since timestamp (e.g. "2013-01-02T13:23:37Z")
                                       or relative (e.g. "42m" for 42 minutes)
                  -n, --tail string    Number of lines to show from the end of the logs (default
                                       "all")
                  -t, --timestamps     Show timestamps
                      --until string   Show logs before a timestamp (e.g.
                                       "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42
                                       minutes)
            "#]],
        );
        check(
            "system",
            expect![[r#"
                Usage:  kist system COMMAND

                Manage kist

                Commands:
                  check       Compare everything that is stored with what it should be, and name each damage with its remedy
                  df          Show kist disk usage
                  events      Get real time events
                  info        Display system-wide information
                  prune       Remove unused data
                  start       Start the containers whose restart policy asks for it, as after a boot

                Run 'kist system COMMAND --help' for more information on a command.
            "#]],
        );
        check(
            "",
            expect![[r#"
                Usage:  kist [OPTIONS] COMMAND

                A container engine without a daemon

                Common Commands:
                  run         Create and run a new container from an image
                  exec        Execute a command in a running container
                  ps          List containers
                  build       Build an image from a Dockerfile
                  pull        Download an image from a registry
                  push        Upload an image to a registry
                  images      List images
                  login       Authenticate to a registry (Docker Hub if no server is named)
                  logout      Log out from a registry (Docker Hub if no server is named)
                  load        Load an image from a tar archive or STDIN
                  version     Show the kist version information
                  info        Display system-wide information

                Management Commands:
                  builder     Manage builds
                  buildx      Build images, in the words of Docker's plugin
                  container   Manage containers
                  image       Manage images
                  network     Manage networks
                  registry    Serve images
                  system      Manage kist
                  volume      Manage volumes

                Commands:
                  attach      Attach local standard input, output, and error streams to a running container
                  commit      Create a new image from a container's changes
                  cp          Copy files/folders between a container and the local filesystem
                  create      Create a new container
                  diff        Inspect changes to files or directories on a container's filesystem
                  events      Get real time events
                  export      Export a container's filesystem as a tar archive
                  history     Show the history of an image
                  import      Import the contents from a tarball to create a filesystem image
                  inspect     Return low-level information on Docker objects
                  kill        Kill one or more running containers
                  logs        Fetch the logs of a container
                  pause       Pause all processes within one or more containers
                  port        List port mappings or a specific mapping for the container
                  rename      Rename a container
                  restart     Restart one or more containers
                  rm          Remove one or more containers
                  rmi         Remove one or more images
                  save        Save one or more images to a tar archive (streamed to STDOUT by default)
                  start       Start one or more stopped containers
                  stats       Display a live stream of container(s) resource usage statistics
                  stop        Stop one or more running containers
                  tag         Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE
                  top         Display the running processes of a container
                  unpause     Unpause all processes within one or more containers
                  update      Update configuration of one or more containers
                  wait        Block until one or more containers stop, then print their exit codes

                Global Options:
                      --config string   Location of client config files (default "~/.docker", env DOCKER_CONFIG)
                      --root string     Directory of images and containers (default "/var/lib/kist", env KIST_ROOT)
                      --run-root string Directory of running state (default "/run/kist", env KIST_RUN_ROOT)
                  -v, --version         Print version information and quit

                Run 'kist COMMAND --help' for more information on a command.
            "#]],
        );
    }
}
