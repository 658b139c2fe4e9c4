//! One instruction, from its words.

use spec::image::Healthcheck;

use super::ast::{
    Add, Arg, Command, Copy, CopyFlags, Heredoc, Inline, Instruction, Onbuild, Pair, PairForm, Sources, Word,
};
use super::error::Fault;
use super::flags::{Flags, Takes};
use super::line::{Form, INSTRUCTIONS, Line};
use super::source::Statement;
use super::suggest::Case;
use super::{go, heredoc, run};

/// What an instruction is read from.
pub(super) struct Parts<'a> {
    pub(super) line: &'a Line,
    pub(super) heredocs: &'a [Heredoc],
    pub(super) comments: &'a [String],
    /// The joined text.
    pub(super) text: &'a str,
}

/// Reads it. `FROM` is none.
pub(super) fn parse(statement: &Statement) -> Result<Instruction, Fault> {
    parse_parts(&Parts {
        line: &statement.line,
        heredocs: &statement.heredocs,
        comments: &statement.comments,
        text: &statement.text.text,
    })
}

fn parse_parts(parts: &Parts<'_>) -> Result<Instruction, Fault> {
    let (line, args) = (parts.line, parts.line.args.as_slice());
    let no_flags = || Flags::parse(&line.flags, &[]).map(|_| ());
    Ok(match line.keyword.to_lowercase().as_str() {
        "add" => Instruction::Add(add(parts)?),
        "arg" if args.is_empty() => return Err(at_least_one("ARG")),
        "arg" => Instruction::Arg(arg(args, parts.comments)?),
        "cmd" => no_flags().map(|()| Instruction::Cmd(command(line)))?,
        "copy" => Instruction::Copy(copy(parts)?),
        "entrypoint" => no_flags().map(|()| Instruction::Entrypoint(command(line)))?,
        "env" => no_flags().and_then(|()| Ok(Instruction::Env(pairs(args, "ENV")?)))?,
        "expose" if args.is_empty() => return Err(at_least_one("EXPOSE")),
        "expose" => no_flags().map(|()| Instruction::Expose(sorted(args)))?,
        "healthcheck" => Instruction::Healthcheck(healthcheck(line)?),
        "label" => no_flags().and_then(|()| Ok(Instruction::Label(pairs(args, "LABEL")?)))?,
        "maintainer" => {
            let name = exactly_one(args, "MAINTAINER")?;
            no_flags().map(|()| Instruction::Maintainer(name))?
        }
        "onbuild" => Instruction::Onbuild(onbuild(parts)?),
        "run" => Instruction::Run(run::parse(parts)?),
        "shell" => no_flags().and_then(|()| Ok(Instruction::Shell(shell(line)?)))?,
        // Its flags are not looked at.
        "stopsignal" => Instruction::Stopsignal(Word(exactly_one(args, "STOPSIGNAL")?)),
        "user" => {
            let user = Word(exactly_one(args, "USER")?);
            no_flags().map(|()| Instruction::User(user))?
        }
        "volume" if args.is_empty() => return Err(at_least_one("VOLUME")),
        "volume" => no_flags().and_then(|()| Ok(Instruction::Volume(volumes(args)?)))?,
        "workdir" => {
            let path = Word(exactly_one(args, "WORKDIR")?);
            no_flags().map(|()| Instruction::Workdir(path))?
        }
        _ => {
            return Err(Fault::new(format!("unknown instruction: {}", line.keyword)).suggesting(
                &line.keyword,
                INSTRUCTIONS,
                Case::Insensitive,
            ));
        }
    })
}

/// Reads an instruction of an image's `OnBuild`. It has no escape directive of its own.
///
/// # Errors
/// It is wrong, or not one instruction.
pub fn parse_trigger(text: &str) -> Result<Instruction, Fault> {
    let mut source = super::source::read(text.as_bytes());
    if let Some(mistake) = source.mistakes.pop() {
        return Err(mistake.fault);
    }
    match source.statements.as_slice() {
        [statement] => parse(statement),
        _ => Err(Fault::new("onbuild trigger should be a single expression")),
    }
}

pub(super) fn at_least_one(keyword: &str) -> Fault {
    Fault::new(format!("{keyword} requires at least one argument"))
}

fn exactly_one(args: &[String], keyword: &str) -> Result<String, Fault> {
    match args {
        [arg] => Ok(arg.clone()),
        _ => Err(Fault::new(format!("{keyword} requires exactly one argument"))),
    }
}

fn arg(args: &[String], comments: &[String]) -> Result<Vec<Arg>, Fault> {
    let arg = |word: &String| {
        let (name, default) = match word.split_once('=') {
            Some(("", _)) => return Err(Fault::new("ARG names can not be blank").about(word)),
            Some((name, default)) => (name, Some(Word(default.to_owned()))),
            None => (word.as_str(), None),
        };
        Ok(Arg { name: Word(name.to_owned()), default, doc: doc(comments, name) })
    };
    args.iter().map(arg).collect()
}

/// What the comments above say of `name`: a line that begins with it.
pub(super) fn doc(comments: &[String], name: &str) -> String {
    let of = |comment: &String| Some(comment.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    if name.is_empty() { String::new() } else { comments.iter().find_map(of).unwrap_or_default() }
}

/// A command in one of its two forms.
pub(super) fn command(line: &Line) -> Command {
    match line.form {
        Form::Json => Command::Exec(line.args.clone()),
        Form::Plain => Command::Shell(line.args.join(" ")),
    }
}

fn pairs(args: &[String], keyword: &str) -> Result<Vec<Pair>, Fault> {
    if args.is_empty() {
        return Err(at_least_one(keyword));
    }
    let (threes, _) = args.as_chunks::<3>();
    let pair = |[name, value, between]: &[String; 3]| {
        if name.is_empty() {
            return Err(Fault::new(format!("{keyword} names can not be blank")).about(&format!("={value}")));
        }
        let form = if between.is_empty() { PairForm::Legacy } else { PairForm::Equals };
        Ok(Pair { name: Word(name.clone()), value: Word(value.clone()), form })
    };
    threes.iter().map(pair).collect()
}

fn sorted(args: &[String]) -> Vec<Word> {
    let mut words: Vec<Word> = args.iter().cloned().map(Word).collect();
    words.sort_by(|a, b| a.0.cmp(&b.0));
    words
}

fn volumes(args: &[String]) -> Result<Vec<Word>, Fault> {
    let volume = |path: &String| match path.trim() {
        "" => Err(Fault::new("VOLUME specified can not be an empty string")),
        path => Ok(Word(path.to_owned())),
    };
    args.iter().map(volume).collect()
}

fn shell(line: &Line) -> Result<Vec<String>, Fault> {
    match line.form {
        _ if line.args.is_empty() => Err(at_least_one("SHELL")),
        Form::Json => Ok(line.args.clone()),
        Form::Plain => Err(Fault::new("SHELL requires the arguments to be in JSON form")),
    }
}

fn copy(parts: &Parts<'_>) -> Result<Copy, Fault> {
    let known = [
        ("chown", Takes::Once),
        ("from", Takes::Once),
        ("chmod", Takes::Once),
        ("link", Takes::Bool),
        ("exclude", Takes::Often),
        ("parents", Takes::Bool),
    ];
    let (paths, dest) = paths_and_dest(parts, "COPY")?;
    let flags = Flags::parse(&parts.line.flags, &known)?;
    Ok(Copy {
        from: flags.once("from"),
        sources: sources(parts, paths, dest, "COPY")?,
        dest: Word(dest.clone()),
        how: copy_flags(&flags),
        parents: flags.bool("parents") == Some(true),
    })
}

fn add(parts: &Parts<'_>) -> Result<Add, Fault> {
    let known = [
        ("chown", Takes::Once),
        ("chmod", Takes::Once),
        ("link", Takes::Bool),
        ("keep-git-dir", Takes::Bool),
        ("checksum", Takes::Once),
        ("unpack", Takes::Bool),
        ("exclude", Takes::Often),
    ];
    let (paths, dest) = paths_and_dest(parts, "ADD")?;
    let flags = Flags::parse(&parts.line.flags, &known)?;
    Ok(Add {
        sources: sources(parts, paths, dest, "ADD")?,
        dest: Word(dest.clone()),
        how: copy_flags(&flags),
        checksum: flags.once("checksum").map(Word),
        keep_git_dir: flags.bool("keep-git-dir"),
        unpack: flags.bool("unpack"),
    })
}

fn copy_flags(flags: &Flags) -> CopyFlags {
    CopyFlags {
        chown: flags.once("chown").map(Word),
        chmod: flags.once("chmod").map(Word),
        link: flags.bool("link") == Some(true),
        exclude: flags.often("exclude"),
    }
}

fn paths_and_dest<'a>(parts: &Parts<'a>, keyword: &str) -> Result<(&'a [String], &'a String), Fault> {
    match parts.line.args.split_last() {
        Some((dest, paths)) if !paths.is_empty() => Ok((paths, dest)),
        _ => Err(Fault::new(format!(
            "{keyword} requires at least two arguments, but only one was provided. Destination could not be determined"
        ))),
    }
}

fn sources(parts: &Parts<'_>, args: &[String], dest: &str, keyword: &str) -> Result<Sources, Fault> {
    // A word with unfinished quotes is no heredoc here: then it would have been refused before.
    let opened = |word: &str| heredoc::parse(word).ok().flatten();
    if opened(dest).is_some() {
        return Err(Fault::new(format!("{keyword} cannot accept a heredoc as a destination")).about(dest));
    }
    let mut sources = Sources { paths: Vec::new(), inline: Vec::new() };
    for arg in args {
        let Some(mut heredoc) = opened(arg) else {
            sources.paths.push(Word(arg.clone()));
            continue;
        };
        // Of two with one name the last counts.
        let read = parts.heredocs.iter().rfind(|read| read.name == heredoc.name);
        heredoc.content = read.map(|read| read.content.clone()).unwrap_or_default();
        let content = Word(heredoc.chomped());
        sources.inline.push(Inline { name: heredoc.name, content, expand: heredoc.expand });
    }
    Ok(sources)
}

fn onbuild(parts: &Parts<'_>) -> Result<Onbuild, Fault> {
    let Some(trigger) = &parts.line.trigger else { return Err(at_least_one("ONBUILD")) };
    Flags::parse(&parts.line.flags, &[])?;
    match trigger.keyword.to_uppercase().as_str() {
        "ONBUILD" => return Err(Fault::new("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
        keyword @ ("MAINTAINER" | "FROM") => {
            return Err(Fault::new(format!("{keyword} isn't allowed as an ONBUILD trigger")).about(&trigger.keyword));
        }
        _ => {}
    }
    // Spaces at its end stay: it is compared as it stands in configs.
    let text = parts.text.trim_start();
    let mut expression = text[parts.line.keyword.len()..].trim_start().to_owned();
    for heredoc in parts.heredocs {
        expression.push_str(&format!("\n{}{}", heredoc.content, heredoc.name));
    }
    let instruction = parse_parts(&Parts { line: trigger, ..*parts })
        .map_err(|fault| if fault.about.is_none() { fault.about(&trigger.keyword) } else { fault })?;
    Ok(Onbuild { expression, instruction: Box::new(instruction) })
}

fn healthcheck(line: &Line) -> Result<Healthcheck, Fault> {
    let Some((kind, args)) = line.args.split_first() else { return Err(at_least_one("HEALTHCHECK")) };
    let mut health = Healthcheck::default();
    if kind.eq_ignore_ascii_case("none") {
        if !args.is_empty() {
            return Err(Fault::new("HEALTHCHECK NONE takes no arguments"));
        }
        health.test = vec!["NONE".to_owned()];
        return Ok(health);
    }
    let known = ["interval", "timeout", "start-period", "start-interval", "retries"].map(|name| (name, Takes::Once));
    let flags = Flags::parse(&line.flags, &known)?;
    if !kind.eq_ignore_ascii_case("cmd") {
        let kind = go::quote(&kind.to_uppercase());
        return Err(Fault::new(format!("Unknown type {kind} in HEALTHCHECK (try CMD)")));
    }
    if args.is_empty() {
        return Err(Fault::new("Missing command after HEALTHCHECK CMD"));
    }
    health.test =
        match command(&Line { args: args.to_vec(), flags: Vec::new(), keyword: String::new(), trigger: None, ..*line })
        {
            Command::Exec(words) => [vec!["CMD".to_owned()], words].concat(),
            Command::Shell(text) => vec!["CMD-SHELL".to_owned(), text],
        };
    health.interval = interval(&flags, "interval")?;
    health.timeout = interval(&flags, "timeout")?;
    health.start_period = interval(&flags, "start-period")?;
    health.start_interval = interval(&flags, "start-interval")?;
    if let Some(text) = flags.once("retries") {
        let retries = go::parse_int32(&text).map_err(|fault| fault.about(&text))?;
        if retries < 0 {
            return Err(Fault::new(format!("--retries cannot be negative ({retries})")).about(&text));
        }
        health.retries = retries.into();
    }
    Ok(health)
}

/// Nanoseconds; 0 is the default's sign.
fn interval(flags: &Flags, name: &str) -> Result<i64, Fault> {
    let Some(text) = flags.once(name) else { return Ok(0) };
    match go::parse_duration_ns(&text).map_err(|fault| fault.about(&text))? {
        0 => Ok(0),
        ns if ns < 1_000_000 => {
            Err(Fault::new(format!("Interval {} cannot be less than 1ms", go::quote(name))).about(&text))
        }
        ns => Ok(ns),
    }
}
