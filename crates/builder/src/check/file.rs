//! Rules that need nothing but the file.

use std::collections::{BTreeMap, BTreeSet};

use spec::reference::Reference;

use super::{Rule, Sink, walk};
use crate::dockerfile::ast::{Arg, Dockerfile, From, Instruction, Span, Spanned, Stage};
use crate::dockerfile::go;
use crate::dockerfile::words::Lexer;

pub(super) fn check(file: &Dockerfile, globals: &BTreeMap<String, String>, sink: &mut Sink) {
    for &line in &file.empty_continuations {
        let span = Span { start: 0, end: 0, first_line: line, last_line: line };
        sink.add(Rule::NoEmptyContinuation, span, "Empty continuation line".to_owned());
    }
    for args in &file.global_args {
        described_args(args, &args.value, sink);
    }
    for stage in &file.stages {
        from(&stage.from, sink);
        for instruction in &stage.instructions {
            self::instruction(instruction, sink);
        }
    }
    stage_names(&file.stages, sink);
    casing(&file.stages, sink);
    default_bases(file, globals, sink);
}

fn from(from: &Spanned<From>, sink: &mut Sink) {
    if let Some((keyword, name)) = &from.value.as_written {
        if *name != name.to_lowercase() {
            let detail = format!("Stage name '{name}' should be lowercase");
            sink.add_below(&from.comments, Rule::StageNameCasing, from.span, detail);
        }
        let fits = match (is_lower(&from.keyword), is_upper(&from.keyword)) {
            (true, _) => is_lower(keyword),
            (_, true) => is_upper(keyword),
            // That is another rule's.
            (false, false) => true,
        };
        if !fits {
            let detail = format!("'{keyword}' and '{}' keywords' casing do not match", from.keyword);
            sink.add_below(&from.comments, Rule::FromAsCasing, from.span, detail);
        }
    }
    if let Some(name) = &from.value.name {
        described("FROM", &[name], &from.comments, from.span, sink);
    }
}

fn instruction(instruction: &Spanned<Instruction>, sink: &mut Sink) {
    if let Instruction::Maintainer(_) = &instruction.value {
        let detail = "Maintainer instruction is deprecated in favor of using label".to_owned();
        sink.add_below(&instruction.comments, Rule::MaintainerDeprecated, instruction.span, detail);
    }
    if let Instruction::Arg(args) = &instruction.value {
        described_args(instruction, args, sink);
    }
}

fn described_args<T>(instruction: &Spanned<T>, args: &[Arg], sink: &mut Sink) {
    let names: Vec<&str> = args.iter().map(|arg| arg.name.0.as_str()).collect();
    described("ARG", &names, &instruction.comments, instruction.span, sink);
}

/// The comment line directly above describes what is defined.
fn described(keyword: &str, names: &[&str], comments: &[String], span: Span, sink: &mut Sink) {
    let (Some(comment), Some(first)) = (comments.last(), names.first()) else { return };
    if names.contains(&comment.split(' ').next().unwrap_or_default()) {
        return;
    }
    let name = if names.len() > 1 { "<arg_key>" } else { first };
    let detail = format!("Comment for {keyword} should follow the format: `# {name} <description>`");
    sink.add_below(comments, Rule::InvalidDefinitionDescription, span, detail);
}

fn stage_names(stages: &[Stage], sink: &mut Sink) {
    let mut seen = BTreeSet::new();
    for from in stages.iter().map(|stage| &stage.from) {
        let Some(name) = from.value.name.as_deref() else { continue };
        let quoted = go::quote(name);
        if matches!(name, "context" | "scratch") {
            let detail = format!("Stage name should not use the same name as reserved stage {quoted}");
            sink.add(Rule::ReservedStageName, from.span, detail);
        }
        if !seen.insert(name) {
            let detail = format!("Duplicate stage name {quoted}, stage names should be unique");
            sink.add(Rule::DuplicateStageName, from.span, detail);
        }
    }
}

fn casing(stages: &[Stage], sink: &mut Sink) {
    let keywords: Vec<(&str, Span)> = stages
        .iter()
        .flat_map(|stage| {
            let from = (stage.from.keyword.as_str(), stage.from.span);
            let instructions = stage.instructions.iter().map(|spanned| (spanned.keyword.as_str(), spanned.span));
            std::iter::once(from).chain(instructions)
        })
        .collect();
    let lower = keywords.iter().filter(|(keyword, _)| is_lower(keyword)).count();
    let upper = keywords.iter().filter(|(keyword, _)| is_upper(keyword)).count();
    for (keyword, span) in keywords {
        let (fits, casing) = match lower > upper {
            true => (is_lower(keyword), "lowercase"),
            false => (is_upper(keyword), "uppercase"),
        };
        if !fits {
            let detail = format!("Command '{keyword}' should match the case of the command majority ({casing})");
            sink.add(Rule::ConsistentInstructionCasing, span, detail);
        }
    }
}

/// Bases are names of images also when nobody says a build argument.
fn default_bases(file: &Dockerfile, globals: &BTreeMap<String, String>, sink: &mut Sink) {
    // What cannot be expanded is an error elsewhere.
    let Ok((env, _)) = walk::global_args(file, globals, &BTreeMap::new()) else { return };
    for from in file.stages.iter().map(|stage| &stage.from) {
        let Ok(base) = Lexer::new(file.directives.escape).expand(&from.value.base.0, &env) else { return };
        if base.text.parse::<Reference>().is_err() {
            let detail =
                format!("Default value for ARG {} results in empty or invalid base image name", from.value.base.0);
            sink.add(Rule::InvalidDefaultArgInFrom, from.span, detail);
        }
    }
}

fn is_lower(word: &str) -> bool {
    word == word.to_lowercase()
}

fn is_upper(word: &str) -> bool {
    word == word.to_uppercase()
}
