//! `--output` and its shorthands, `--cache-from`, `--cache-to` and `--attest`: words to what is meant (buildx `util/buildflags`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use builder::attest::{Asked, Flag};
use builder::{CacheFrom, CacheTo, Max};
use engine::build::output::Split;
use spec::annotation::Annotations;
use spec::reference::Reference;

use super::shape::Shape;
use crate::cli::Cli;
use crate::flags::mount::fields;
use crate::report::Report;
use crate::terminal;
use crate::verb::Args;

/// Where a result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Into the store, and from there to registries.
    Image {
        /// What it is to be called.
        names: Vec<Reference>,
        /// Whether it is pushed under all of them.
        push: Push,
        /// How it leaves, now or later.
        shape: Shape,
    },
    /// An archive of images.
    Archive {
        /// In whose words it is announced: `docker`, `oci`.
        format: &'static str,
        /// What its images are called.
        names: Vec<Reference>,
        /// Where it goes.
        to: Place,
        /// How they leave.
        shape: Shape,
    },
    /// The files, into a directory.
    Local(PathBuf, Split),
    /// The files, as a tar.
    Tar(To),
    /// Nowhere: the cache is all that is wanted.
    CacheOnly,
}

/// Whether an image goes to its registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Push {
    Yes,
    No,
}

/// Where an archive goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Into a tar.
    Tar(To),
    /// Into a directory that is an OCI layout, or becomes one.
    Layout(PathBuf),
}

/// Where bytes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// Into a file, as typed.
    File(String),
    /// To standard output.
    Stdout,
}

pub(super) fn wrong(why: impl std::fmt::Display) -> Report {
    Report::plain(format!("ERROR: {why}"))
}

/// All outputs; without any, the store.
pub(super) fn outputs(cli: &Cli, args: &Args) -> Result<Vec<Output>, Report> {
    let tags = args.list("tag").into_iter().map(reference).collect::<Result<Vec<_>, _>>()?;
    let tags: Vec<Reference> = tags.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut outputs =
        args.list("output").into_iter().map(|text| output(cli, text, &tags)).collect::<Result<Vec<_>, _>>()?;
    let has_image = outputs.iter().any(|output| matches!(output, Output::Image { .. }));
    if args.on("push") {
        for output in &mut outputs {
            if let Output::Image { push, .. } = output {
                *push = Push::Yes;
            }
        }
    }
    // Both shorthands mean the store, which is where images are anyway.
    if outputs.is_empty() || (args.on("push") || args.on("load")) && !has_image {
        let push = if args.on("push") { Push::Yes } else { Push::No };
        outputs.push(Output::Image { names: tags, push, shape: Shape::default() });
    }
    let asked = annotations(args)?;
    for output in &mut outputs {
        match output {
            Output::Image { shape, .. } | Output::Archive { shape, .. } => {
                shape.form.annotations = shape.form.annotations.and(&asked);
            }
            Output::Local(..) | Output::Tar(_) | Output::CacheOnly => {}
        }
    }
    for output in &outputs {
        match output {
            Output::Image { names, push: Push::Yes, .. } if names.is_empty() => {
                return Err(wrong("tag is needed when pushing to registry"));
            }
            Output::Image { .. } | Output::Archive { .. } | Output::Local(..) | Output::Tar(_) | Output::CacheOnly => {}
        }
    }
    Ok(outputs)
}

/// `--annotation`.
fn annotations(args: &Args) -> Result<Annotations, Report> {
    let mut asked = Annotations::default();
    for text in args.list("annotation").into_iter().filter(|text| !text.is_empty()) {
        asked.add(text).map_err(wrong)?;
    }
    Ok(asked)
}

fn reference(text: &str) -> Result<Reference, Report> {
    let refused = |why: &dyn std::fmt::Display| wrong(format!("invalid tag {text:?}: {why}"));
    let reference: Reference = text.parse().map_err(|e: spec::reference::ReferenceError| refused(&e))?;
    match reference.digest() {
        Some(_) => Err(refused(&"a name to be given has no digest")),
        None => Ok(reference),
    }
}

fn output(cli: &Cli, text: &str, tags: &[Reference]) -> Result<Output, Report> {
    if text == "-" {
        return Ok(Output::Tar(To::Stdout));
    }
    let all = fields(text);
    if let [dir] = all.as_slice()
        && !dir.contains('=')
    {
        return Ok(Output::Local(cli.working_dir().join(dir), Split::BySeveral));
    }
    let pairs = pairs(&all)?;
    let of = |key: &str| pairs.get(key).map(String::as_str).filter(|value| !value.is_empty());
    let kind = of("type").ok_or_else(|| wrong("type is required for output"))?;
    let names = || -> Result<Vec<Reference>, Report> {
        let own = of("name").into_iter().flat_map(|names| names.split(',')).map(|name| reference(name.trim()));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        Ok(if own.is_empty() { tags.to_vec() } else { own })
    };
    let push = if of("push").is_some_and(is_true) { Push::Yes } else { Push::No };
    let to = |what: &str| -> Result<To, Report> {
        match of("dest") {
            Some("-") | None if terminal::stdout_is_terminal() => {
                Err(wrong(format!("dest file is required for {what} exporter. refusing to write to console")))
            }
            Some("-") | None => Ok(To::Stdout),
            Some(path) => Ok(To::File(path.to_owned())),
        }
    };
    let shape = || Shape::parse(&pairs);
    let archive = |format: &'static str| -> Result<Output, Report> {
        let to = if of("tar").is_some_and(|value| !is_true(value)) {
            Place::Layout(layout(cli, format, of("dest"))?)
        } else {
            Place::Tar(to(format)?)
        };
        Ok(Output::Archive { format, names: names()?, to, shape: shape()? })
    };
    match kind {
        "image" => Ok(Output::Image { names: names()?, push, shape: shape()? }),
        "registry" => Ok(Output::Image { names: names()?, push: Push::Yes, shape: shape()? }),
        "docker" if of("dest").is_none() => Ok(Output::Image { names: names()?, push, shape: shape()? }),
        "docker" => archive("docker"),
        "oci" => archive("oci"),
        "tar" => to("tar").map(Output::Tar),
        "local" => {
            let dest = of("dest").ok_or_else(|| wrong("dest is required for local exporter"))?;
            if dest == "-" {
                return Err(wrong("dest cannot be stdout for local exporter"));
            }
            let split = match of("platform-split").map(is_true) {
                None => Split::BySeveral,
                Some(true) => Split::Always,
                Some(false) => Split::Never,
            };
            Ok(Output::Local(cli.working_dir().join(dest), split))
        }
        "cacheonly" => Ok(Output::CacheOnly),
        other => Err(wrong(format!("failed to solve: exporter {other:?} could not be found"))),
    }
}

/// `tar=false`.
fn layout(cli: &Cli, format: &str, dest: Option<&str>) -> Result<PathBuf, Report> {
    let dest = dest.ok_or_else(|| wrong(format!("dest is required for {format} exporter")))?;
    if dest == "-" {
        return Err(wrong(format!("dest cannot be stdout for {format} exporter")));
    }
    let dir = cli.working_dir().join(dest);
    if std::fs::metadata(&dir).is_ok_and(|there| !there.is_dir()) {
        return Err(wrong(format!("destination directory {dest:?} is a file")));
    }
    Ok(dir)
}

/// `key=value`s, keys in lower case.
fn pairs(fields: &[String]) -> Result<BTreeMap<String, String>, Report> {
    let pair = |field: &String| {
        let (key, value) = field.split_once('=').ok_or_else(|| wrong(format!("invalid value {field}")))?;
        Ok((key.trim().to_lowercase(), value.to_owned()))
    };
    fields.iter().map(pair).collect()
}

fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// `--cache-from`.
pub(super) fn cache_from(cli: &Cli, text: &str) -> Result<CacheFrom, Report> {
    let all = fields(text);
    if let [name] = all.as_slice()
        && !name.contains('=')
    {
        return Ok(CacheFrom::Registry(name.clone()));
    }
    let pairs = pairs(&all)?;
    let of = |key: &str| pairs.get(key).cloned().ok_or_else(|| wrong(format!("{key} required form> {text:?}")));
    match pairs.get("type").map(String::as_str) {
        None => Err(wrong(format!("type required form> {text:?}"))),
        Some("registry") => Ok(CacheFrom::Registry(of("ref")?)),
        Some("local") => Ok(CacheFrom::Local(cli.working_dir().join(of("src")?))),
        Some(other) => {
            Err(wrong(format!("--cache-from type={other} is not there in kist: there are local and registry")))
        }
    }
}

/// `--cache-to`.
pub(super) fn cache_to(cli: &Cli, text: &str) -> Result<CacheTo, Report> {
    let all = fields(text);
    if let [name] = all.as_slice()
        && !name.contains('=')
    {
        return Ok(CacheTo::Registry(name.clone(), Max::Min));
    }
    let pairs = pairs(&all)?;
    let of = |key: &str| pairs.get(key).cloned().ok_or_else(|| wrong(format!("{key} required form> {text:?}")));
    let max = match pairs.get("mode").map(String::as_str) {
        None | Some("min") => Max::Min,
        Some("max") => Max::Max,
        Some(other) => return Err(wrong(format!("invalid cache mode {other:?}: must be min or max"))),
    };
    match pairs.get("type").map(String::as_str) {
        None => Err(wrong(format!("type required form> {text:?}"))),
        Some("inline") => Ok(CacheTo::Inline),
        Some("registry") => Ok(CacheTo::Registry(of("ref")?, max)),
        Some("local") => Ok(CacheTo::Local(cli.working_dir().join(of("dest")?), max)),
        Some(other) => {
            Err(wrong(format!("--cache-to type={other} is not there in kist: there are inline, local and registry")))
        }
    }
}

/// `--attest`, `--provenance`, `--sbom`: of a kind the shorthand goes before.
pub(super) fn attests(args: &Args) -> Result<Asked, Report> {
    let mut flags: Vec<Flag<'_>> = args.list("attest").into_iter().map(Flag::Attest).collect();
    flags.extend(args.text("provenance").map(Flag::Provenance));
    flags.extend(args.text("sbom").map(Flag::Sbom));
    Asked::parse(&flags).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let cli = Cli::for_tests(&[], "/here");
        expected.assert_eq(&match output(&cli, text, &["x".parse().unwrap()]) {
            Ok(output) => format!("{output:?}"),
            Err(report) => report.text,
        });
    }

    #[test]
    fn outputs_are_buildxs() {
        check("out", expect![[r#"Local("/here/out", BySeveral)"#]]);
        check("-", expect!["Tar(Stdout)"]);
        check("type=tar,dest=a.tar", expect![[r#"Tar(File("a.tar"))"#]]);
        check("type=local,dest=/x", expect![[r#"Local("/x", BySeveral)"#]]);
        check("type=local,dest=/x,platform-split=false", expect![[r#"Local("/x", Never)"#]]);
        check("type=local", expect!["ERROR: dest is required for local exporter"]);
        check(
            "type=image,name=a,push=true",
            expect![[
                r#"Image { names: [Reference { registry: "docker.io", path: "library/a", tag: Some("latest"), digest: None }], push: Yes, shape: Shape { form: Form { annotations: Annotations([]), types: Oci, packing: None, packed: Missing, rewritten: {} }, rewritten: Unsaid } }"#
            ]],
        );
        check(
            "type=registry",
            expect![[
                r#"Image { names: [Reference { registry: "docker.io", path: "library/x", tag: Some("latest"), digest: None }], push: Yes, shape: Shape { form: Form { annotations: Annotations([]), types: Oci, packing: None, packed: Missing, rewritten: {} }, rewritten: Unsaid } }"#
            ]],
        );
        check(
            "type=oci,dest=o.tar",
            expect![[
                r#"Archive { format: "oci", names: [Reference { registry: "docker.io", path: "library/x", tag: Some("latest"), digest: None }], to: Tar(File("o.tar")), shape: Shape { form: Form { annotations: Annotations([]), types: Oci, packing: None, packed: Missing, rewritten: {} }, rewritten: Unsaid } }"#
            ]],
        );
        check("type=nothing", expect![[r#"ERROR: failed to solve: exporter "nothing" could not be found"#]]);
        check("dest=x", expect!["ERROR: type is required for output"]);
        check("type=cacheonly", expect!["CacheOnly"]);
        check(
            "type=oci,tar=false,dest=d,name=a,annotation-index.b=c",
            expect![[
                r#"Archive { format: "oci", names: [Reference { registry: "docker.io", path: "library/a", tag: Some("latest"), digest: None }], to: Layout("/here/d"), shape: Shape { form: Form { annotations: Annotations([Annotation { place: Index, platform: None, key: "b", value: "c" }]), types: Oci, packing: None, packed: Missing, rewritten: {} }, rewritten: Unsaid } }"#
            ]],
        );
        check("type=oci,tar=false", expect!["ERROR: dest is required for oci exporter"]);
        check("type=docker,tar=false,dest=-", expect!["ERROR: dest cannot be stdout for docker exporter"]);
    }
}
