//! `kist pull`.

use engine::image::pull::{Newer, Pull, PullEvent, Pulled, pull, tags};
use engine::registry::Session;
use spec::platform::Platform;
use spec::reference::Reference;

use crate::cli::{Cli, say};
use crate::progress::{Progress, To};
use crate::report::Report;
use crate::verb::{Args, Flag, Takes, Verb, Words, flag, short};

/// `kist pull`.
pub(crate) static PULL: Verb = Verb {
    name: "pull",
    aliases: &["image pull"],
    usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
    about: "Download an image from a registry",
    words: Words::Exactly(1),
    flags: &[&[
        short('a', "all-tags", Takes::Switch, "Download all tagged images in the repository"),
        CONTENT_TRUST,
        flag("platform", Takes::One("string"), "Set platform if server is multi-platform capable"),
        short('q', "quiet", Takes::Switch, "Suppress verbose output"),
    ]],
    run,
};

/// Nothing was ever signed for kist; scripts turn it off all the same.
pub(super) const CONTENT_TRUST: Flag = flag("disable-content-trust", Takes::SwitchOn, "Skip image verification");

/// Which images of a repository.
pub(super) enum Which {
    /// The one that is named.
    One(Reference),
    /// All that have a tag.
    All(Reference),
}

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let which = which(args)?;
    let platform = platform(cli, args, &PULL)?;
    let (host, session) = (cli.host()?, Session::open(&cli.registries())?);
    let to = if args.on("quiet") { To::Nowhere } else { To::Stdout };
    let one = |reference: &Reference| -> Result<Pulled, Report> {
        let request = Pull { reference: reference.clone(), platform: platform.clone() };
        let mut progress = Progress::new(to);
        let pulled = pull(&host, &session, &request, &mut |event| match event {
            PullEvent::Found => tell(to, &first_line(reference)),
            PullEvent::Layer(event) => progress.tell(event),
        })?;
        drop(progress);
        tell(to, &format!("Digest: {}", pulled.digest));
        Ok(pulled)
    };
    match which {
        Which::One(reference) => {
            let pulled = one(&reference)?;
            tell(to, &status(&as_pulled(&reference).familiar(), pulled.newer));
            say(&reference.to_string());
        }
        Which::All(repository) => {
            let mut newer = Newer::UpToDate;
            for tag in tags(&session, &repository)? {
                if one(&repository.with_tag(&tag))?.newer == Newer::Downloaded {
                    newer = Newer::Downloaded;
                }
            }
            tell(to, &status(&repository.familiar_name(), newer));
            say(&format!("{}/{}", repository.registry(), repository.path()));
        }
    }
    Ok(0)
}

/// What the user means, and Docker's line about what he left out.
pub(super) fn which(args: &Args) -> Result<Which, Report> {
    let typed = &args.words()[0];
    let reference: Reference = typed.parse().map_err(|e| Report::plain(format!("{e}")))?;
    match (args.on("all-tags"), is_name_only(typed)) {
        (true, true) => return Ok(Which::All(reference)),
        (true, false) => return Err(Report::plain("tag can't be used with --all-tags/-a")),
        (false, true) if !args.on("quiet") => say("Using default tag: latest"),
        (false, _) => {}
    }
    Ok(Which::One(reference))
}

fn is_name_only(typed: &str) -> bool {
    let last = typed.rsplit('/').next().unwrap_or(typed);
    !typed.contains('@') && !last.contains(':')
}

/// `--platform`, or else `DOCKER_DEFAULT_PLATFORM`.
pub(super) fn platform(cli: &Cli, args: &Args, verb: &Verb) -> Result<Option<Platform>, Report> {
    if let Some(platform) = args.parsed(verb, "platform", str::parse::<Platform>)? {
        return Ok(Some(platform));
    }
    let text = cli.variable("DOCKER_DEFAULT_PLATFORM").filter(|text| !text.is_empty());
    let parsed = text.map(|text| text.parse::<Platform>());
    parsed.transpose().map_err(|e| Report::plain(format!("DOCKER_DEFAULT_PLATFORM: {e}")))
}

/// A line, unless nothing is to be said.
pub(super) fn tell(to: To, line: &str) {
    if to != To::Nowhere {
        say(line);
    }
}

/// Where there is a digest the tag does not count, and Docker does not show it.
pub(super) fn as_pulled(reference: &Reference) -> Reference {
    reference.digest().map_or_else(|| reference.clone(), |digest| reference.with_digest(digest.clone()))
}

/// `latest: Pulling from library/nginx`; by a digest, `docker.io/library/nginx@sha256:…: Pulling from library/nginx`.
pub(super) fn first_line(reference: &Reference) -> String {
    let what = match reference.digest() {
        Some(_) => as_pulled(reference).to_string(),
        None => reference.tag().unwrap_or_default().to_owned(),
    };
    format!("{what}: Pulling from {}", reference.path())
}

/// `Status: Downloaded newer image for nginx:latest`.
pub(super) fn status(name: &str, newer: Newer) -> String {
    match newer {
        Newer::Downloaded => format!("Status: Downloaded newer image for {name}"),
        Newer::UpToDate => format!("Status: Image is up to date for {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_tag_or_none() {
        for (typed, alone) in [
            ("nginx", true),
            ("localhost:5000/a/b", true),
            ("nginx:1", false),
            ("localhost:5000", false),
            ("localhost:5000/a:1", false),
            ("nginx@sha256:0", false),
        ] {
            assert_eq!(is_name_only(typed), alone, "{typed}");
        }
    }

    #[test]
    fn the_lines_are_dockers() {
        let reference: Reference = "nginx".parse().unwrap();
        assert_eq!(first_line(&reference), "latest: Pulling from library/nginx");
        let digest = spec::digest::Digest::sha256(b"");
        assert_eq!(
            first_line(&format!("localhost:5000/a:1@{digest}").parse::<Reference>().unwrap()),
            format!("localhost:5000/a@{digest}: Pulling from a")
        );
        assert_eq!(status(&reference.familiar(), Newer::Downloaded), "Status: Downloaded newer image for nginx:latest");
        assert_eq!(status(&reference.familiar(), Newer::UpToDate), "Status: Image is up to date for nginx:latest");
    }
}
