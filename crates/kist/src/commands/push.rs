//! `kist push`.

use engine::Host;
use engine::image::list::{list, require, view};
use engine::image::push::{Pushed, push};
use engine::registry::Session;
use spec::platform::Platform;
use spec::reference::Reference;

use super::pull::{CONTENT_TRUST, Which, tell, which};
use crate::cli::{Cli, say};
use crate::progress::{Progress, To};
use crate::report::Report;
use crate::verb::{Args, Takes, Verb, Words, flag, short};

/// `kist push`.
pub(crate) static PUSH: Verb = Verb {
    name: "push",
    aliases: &["image push"],
    usage: "[OPTIONS] NAME[:TAG]",
    about: "Upload an image to a registry",
    words: Words::Exactly(1),
    flags: &[&[
        short('a', "all-tags", Takes::Switch, "Push all tags of an image to the repository"),
        CONTENT_TRUST,
        flag(
            "platform",
            Takes::One("string"),
            "Push only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        short('q', "quiet", Takes::Switch, "Suppress verbose output"),
    ]],
    run,
};

fn run(cli: &Cli, args: &Args) -> Result<u8, Report> {
    let which = which(args)?;
    let platform = args.parsed(&PUSH, "platform", str::parse::<Platform>)?;
    let (host, to) = (cli.host()?, if args.on("quiet") { To::Nowhere } else { To::Stdout });
    let (named, references) = match which {
        Which::One(reference) if reference.digest().is_some() => {
            return Err(Report::plain("cannot push a digest reference"));
        }
        Which::One(reference) => (reference.to_string(), vec![reference]),
        Which::All(reference) => (format!("{}/{}", reference.registry(), reference.path()), tagged(&host, &reference)?),
    };
    let session = Session::open(&cli.registries())?;
    for (n, reference) in references.iter().enumerate() {
        if let Some(platform) = &platform {
            // An image here is for one platform: it is the one that is asked for, or there is nothing to push.
            require(&view(&host, &reference.to_string())?.0, &reference.familiar(), platform)?;
        }
        if n == 0 {
            tell(to, &first_line(reference));
        }
        let mut progress = Progress::new(to);
        let pushed = push(&host, &session, reference, &mut |event| progress.tell(event))?;
        drop(progress);
        tell(to, &last_line(reference, &pushed));
    }
    if to == To::Nowhere {
        say(&named);
    }
    Ok(0)
}

/// All references with a tag in this repository.
fn tagged(host: &Host, repository: &Reference) -> Result<Vec<Reference>, Report> {
    let names = list(host)?.into_iter().flat_map(|(_, names)| names.tags);
    let mut found: Vec<Reference> = names.filter(|name| name.familiar_name() == repository.familiar_name()).collect();
    found.sort_unstable();
    if found.is_empty() {
        let name = repository.familiar_name();
        return Err(Report::plain(format!(
            "Error response from daemon: An image does not exist locally with the tag: {name}"
        )));
    }
    Ok(found)
}

fn first_line(reference: &Reference) -> String {
    format!("The push refers to repository [{}/{}]", reference.registry(), reference.path())
}

fn last_line(reference: &Reference, pushed: &Pushed) -> String {
    format!("{}: digest: {} size: {}", reference.tag().unwrap_or_default(), pushed.digest, pushed.size_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_dockers() {
        let reference: Reference = "x:1".parse().unwrap();
        assert_eq!(first_line(&reference), "The push refers to repository [docker.io/library/x]");
        let pushed = Pushed { digest: spec::digest::Digest::sha256(b""), size_bytes: 1234 };
        assert_eq!(last_line(&reference, &pushed), format!("1: digest: {} size: 1234", pushed.digest));
    }
}
