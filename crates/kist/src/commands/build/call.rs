//! `--call`: what is asked of a Dockerfile without building it: checks, its arguments and secrets, its stages.

use std::collections::BTreeMap;

use builder::check::{self, Base, Config, Inputs, ReportedSource, check, complete, outline, targets};
use builder::dockerfile::ast::Dockerfile;
use builder::dockerfile::error::Mistakes;
use builder::dockerfile::parse_before;
use builder::progress::Progress;
use builder::{BuildError, Machine as _, Read, Request, Source, WantedImage};
use engine::Host;
use engine::build::Tools;
use serde_json::{Value, json};
use spec::platform::Platform;

use super::solve::failed;
use crate::report::Report;
use crate::verb::Args;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// What is odd about it.
    Check(Format),
    /// What a target can be told.
    Outline(Format),
    /// Its stages.
    Targets(Format),
    /// What can be asked.
    Describe(Format),
}

/// How it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

/// What is said once the progress has been: it is drawn where this is printed.
pub(super) struct Answer {
    pub(super) text: String,
    /// The exit code: 1 where a check found something, as buildx's.
    pub(super) ends: Result<u8, Report>,
}

impl Call {
    /// `check[,format=json]` and so on (buildx `ParseCallFunc`); none: it is to be built.
    pub(super) fn of(args: &Args) -> Result<Option<Call>, Report> {
        let typed = if args.on("check") { Some("check") } else { args.text("call").or_else(|| args.text("print")) };
        let (name, options) = typed.unwrap_or("build").split_once(',').unwrap_or((typed.unwrap_or("build"), ""));
        let mut format = Format::Text;
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("format", "json")) => format = Format::Json,
                Some(("format", "text") | ("ignorestatus", _)) => {}
                Some(_) | None => return Err(Report::plain(format!("ERROR: invalid call option {option:?}"))),
            }
        }
        Ok(Some(match name {
            "build" | "" => return Ok(None),
            "check" | "lint" => Call::Check(format),
            "outline" => Call::Outline(format),
            "targets" => Call::Targets(format),
            "subrequests.describe" => Call::Describe(format),
            other => {
                return Err(Report::plain(format!(
                    "ERROR: --call={other}: there are build, check, outline and targets"
                )));
            }
        }))
    }
}

/// Answers.
pub(super) fn answer(
    call: Call,
    host: &Host,
    tools: &Tools<'_>,
    request: &Request,
    on: &(dyn Fn(Progress) + Sync),
) -> Result<Answer, Report> {
    let read = match builder::read(&host.home, &host.store, tools, request, on) {
        Ok(read) => read,
        Err(error) => {
            return match (call, error) {
                (Call::Check(format), BuildError::Mistaken(mistakes, source)) => {
                    mistaken(format, request, &mistakes, &source)
                }
                (_, error) => Err(failed(&error)),
            };
        }
    };
    let platform = request.platforms.first().cloned().unwrap_or_else(Platform::host);
    let globals = globals(request, &platform);
    // Of one that is not to be had nothing is known.
    let base = |name: &str| {
        let pull = builder::Pull::Missing;
        let wanted = WantedImage { name: name.to_owned(), platform: platform.clone(), pull };
        let config = tools.describe(&wanted, &|_| {}).map(|described| described.config.config).unwrap_or_default();
        Base { env: config.env, shell: config.shell.unwrap_or_default(), on_build: config.on_build }
    };
    let inputs = Inputs {
        globals: &globals,
        build_args: &request.build_args,
        target: request.target.as_deref(),
        ignore: read.ignore.as_deref(),
        base: &base,
    };
    tell(call, request, &read, &inputs)
}

/// A file that is none still shows what is odd about it before its first mistake.
fn mistaken(format: Format, request: &Request, mistakes: &Mistakes, source: &Source) -> Result<Answer, Report> {
    let platform = request.platforms.first().cloned().unwrap_or_else(Platform::host);
    let inputs = Inputs {
        globals: &globals(request, &platform),
        build_args: &request.build_args,
        target: request.target.as_deref(),
        ignore: None,
        base: &|_| Base::default(),
    };
    let found = parse_before(&source.text, mistakes).map(|file| (config(request, &file), file));
    let mut report = match found {
        Some((config, file)) => check(&file, config?, &inputs),
        None => check::Report { findings: Vec::new(), failure: None },
    };
    report.failure = Some(mistakes.into());
    Ok(checked(&report, format, ReportedSource { name: &source.name, text: &source.text }))
}

fn config(request: &Request, file: &Dockerfile) -> Result<Config, Report> {
    let config = match request.build_args.get("BUILDKIT_DOCKERFILE_CHECK") {
        Some(said) => Config::parse(said),
        None => Config::of(file),
    };
    config.map_err(|fault| Report::plain(format!("ERROR: {fault}")))
}

fn checked(report: &check::Report, format: Format, source: ReportedSource<'_>) -> Answer {
    if format == Format::Json {
        let is_clean = report.failure.is_none() && report.findings.is_empty();
        return Answer { text: report.json(source), ends: Ok(u8::from(!is_clean)) };
    }
    let (text, failure) = complete(report, source);
    let ends = match failure {
        Some(failure) => Err(Report::plain(format!("ERROR: {failure}"))),
        None => Ok(u8::from(!report.findings.is_empty())),
    };
    Answer { text, ends }
}

fn tell(call: Call, request: &Request, read: &Read, inputs: &Inputs<'_>) -> Result<Answer, Report> {
    let source = ReportedSource { name: &read.source.name, text: &read.source.text };
    let text = match call {
        Call::Check(format) => {
            return Ok(checked(&check(&read.file, config(request, &read.file)?, inputs), format, source));
        }
        Call::Outline(format) => {
            let outline = outline(&read.file, &read.source.text, inputs)
                .map_err(|failure| Report::plain(format!("ERROR: {}", failure.text(source))))?;
            if format == Format::Json { outline.json() } else { outline.text() }
        }
        Call::Describe(format) => described(format),
        Call::Targets(format) => {
            let targets = targets(&read.file, &read.source.text);
            if format == Format::Json { targets.json() } else { targets.text() }
        }
    };
    Ok(Answer { text, ends: Ok(0) })
}

/// What can be asked, in BuildKit's words (`subrequests.Request`).
fn described(format: Format) -> String {
    const ALL: [(&str, &str); 3] = [
        ("outline", "List all parameters current build target supports"),
        ("targets", "List all targets current build supports"),
        ("subrequests.describe", "List available subrequest types"),
    ];
    if format == Format::Text {
        let line = |(name, about): (&str, &str)| format!("{name:<21}1.0.0   {about}");
        let lines: Vec<String> = ALL.into_iter().map(line).collect();
        return format!("{:<21}VERSION DESCRIPTION\n{}", "NAME", lines.join("\n"));
    }
    let one = |(name, about): (&str, &str)| {
        let options = if name == "outline" {
            json!([{ "name": "target", "description": "Target build stage" }])
        } else {
            Value::Null
        };
        json!({
            "name": format!("frontend.{name}"), "version": "1.0.0", "type": "rpc", "description": about, "opts": options,
            "metadata": [{ "name": "result.json" }, { "name": "result.txt" }],
        })
    };
    format!("{:#}", Value::Array(ALL.into_iter().map(one).collect()))
}

/// What is there before any `ARG`.
fn globals(request: &Request, platform: &Platform) -> BTreeMap<String, String> {
    let machine = Platform::host();
    let of = |prefix: &str, platform: &Platform| {
        [
            (format!("{prefix}PLATFORM"), platform.to_string()),
            (format!("{prefix}OS"), platform.os.clone()),
            (format!("{prefix}OSVERSION"), String::new()),
            (format!("{prefix}ARCH"), platform.architecture.clone()),
            (format!("{prefix}VARIANT"), platform.variant.clone().unwrap_or_default()),
        ]
    };
    let stage = ("TARGETSTAGE".to_owned(), request.target.clone().unwrap_or_else(|| "default".into()));
    let mut all: BTreeMap<String, String> =
        of("BUILD", &machine).into_iter().chain(of("TARGET", platform)).chain([stage]).collect();
    for (name, value) in &mut all {
        if let Some(said) = request.build_args.get(name) {
            value.clone_from(said);
        }
    }
    all
}
