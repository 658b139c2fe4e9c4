//! A file: its statements as instructions, in stages.

use super::ast::{Dockerfile, From, Instruction, Span, Spanned, Stage, Word};
use super::error::{Fault, Mistake, Mistakes};
use super::flags::{Flags, Takes};
use super::go;
use super::instruction::{self, doc};
use super::source::{self, Source, Statement};

/// The largest file that is read.
pub const MAX_BYTES: usize = 4 << 20;

/// The most stages of a file: each keeps what variables hold in it.
const MAX_STAGES: usize = 1000;

/// After so many the rest is not looked at: the file is something else.
pub(super) const MAX_MISTAKES: usize = 50;

/// Reads a Dockerfile.
///
/// # Errors
/// All that is wrong with it, in its order.
pub fn parse(text: &[u8]) -> Result<Dockerfile, Mistakes> {
    if text.is_empty() {
        return Err(whole("the Dockerfile cannot be empty"));
    }
    if text.len() > MAX_BYTES {
        return Err(whole(&format!("the Dockerfile is larger than {MAX_BYTES} bytes")));
    }
    let Source { directives, statements, empty_continuations, mut mistakes } = source::read(text);
    if statements.is_empty() && mistakes.is_empty() {
        return Err(whole("file with no instructions"));
    }
    let mut file = Dockerfile { directives, global_args: Vec::new(), stages: Vec::new(), empty_continuations };
    let mut begun = Begun::Nothing;
    for statement in statements {
        if let Err(fault) = add(&mut file, &mut begun, &statement) {
            let at = statement.text.place(fault.about.as_deref());
            mistakes.push(Mistake { fault, span: statement.span, at });
        }
        if mistakes.len() > MAX_MISTAKES {
            break;
        }
    }
    if !mistakes.is_empty() {
        mistakes.sort_by_key(|mistake| mistake.span.start);
        return Err(Mistakes(mistakes));
    }
    if file.stages.is_empty() {
        return Err(whole("dockerfile contains no stages to build"));
    }
    Ok(file)
}

/// What a file says before its first mistake, if that alone is a Dockerfile.
#[must_use]
pub fn parse_before(text: &[u8], mistakes: &Mistakes) -> Option<Dockerfile> {
    let first = mistakes.0.iter().map(|mistake| mistake.span.start).min()?;
    parse(text.get(..first)?).ok()
}

/// The image that reads a file, if it names one, and the line: `# syntax=`, or for files that are no Dockerfiles `// syntax=` or
/// `{"syntax": "…"}`. It is asked before the file is parsed, which may be in any language then.
#[must_use]
pub fn syntax(text: &[u8]) -> Option<(String, u32)> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_BYTES)]);
    let (rest, first) = match text.strip_prefix("#!") {
        Some(shebang) => (shebang.split_once('\n').map_or("", |(_, rest)| rest), 2),
        None => (&*text, 1),
    };
    for comment in ["#", "//"] {
        let directives = rest.lines().map_while(|line| source::directive(line.strip_prefix(comment)?));
        let known =
            directives.take_while(|(name, _)| ["syntax", "check", "escape"].contains(&name.to_lowercase().as_str()));
        for (line, (name, value)) in (first..).zip(known) {
            if name.eq_ignore_ascii_case("syntax") {
                return Some((value.split(' ').next().unwrap_or_default().to_owned(), line));
            }
        }
    }
    let document: serde_json::Map<String, serde_json::Value> = serde_json::from_str(rest).ok()?;
    document.get("syntax")?.as_str().map(|image| (image.to_owned(), first))
}

/// What is wrong with the file as a whole.
fn whole(message: &str) -> Mistakes {
    let nowhere = Span { start: 0, end: 0, first_line: 0, last_line: 0 };
    Mistakes(vec![Mistake { fault: Fault::new(message), span: nowhere, at: nowhere }])
}

/// What the file has so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begun {
    Nothing,
    /// A `FROM`, maybe a wrong one: what follows belongs to it all the same, and is not wrong because of it.
    Stage,
}

fn add(file: &mut Dockerfile, begun: &mut Begun, statement: &Statement) -> Result<(), Fault> {
    if statement.line.keyword.eq_ignore_ascii_case("from") {
        *begun = Begun::Stage;
        if file.stages.len() >= MAX_STAGES {
            return Err(Fault::new(format!("there are more than {MAX_STAGES} stages")));
        }
        let from = from(statement)?;
        file.stages.push(Stage { from: spanned(statement, from), instructions: Vec::new() });
        return Ok(());
    }
    let instruction = instruction::parse(statement)?;
    match (instruction, file.stages.last_mut(), *begun) {
        (Instruction::Arg(args), None, Begun::Nothing) => file.global_args.push(spanned(statement, args)),
        (instruction, Some(stage), _) => stage.instructions.push(spanned(statement, instruction)),
        (_, None, Begun::Nothing) => return Err(Fault::new("no build stage in current context")),
        (_, None, Begun::Stage) => {}
    }
    Ok(())
}

fn spanned<T>(statement: &Statement, value: T) -> Spanned<T> {
    Spanned {
        value,
        keyword: statement.line.keyword.clone(),
        original: statement.text.text.trim().to_owned(),
        span: statement.span,
        comments: statement.comments.clone(),
    }
}

fn from(statement: &Statement) -> Result<From, Fault> {
    let args = &statement.line.args;
    let (base, as_written) = match args.as_slice() {
        [base] => (base, None),
        [base, keyword, name] if keyword.eq_ignore_ascii_case("as") => (base, Some((keyword.clone(), name.clone()))),
        _ => return Err(Fault::new("FROM requires either one or three arguments")),
    };
    let name = as_written.as_ref().map(|(_, name)| name.to_lowercase());
    if let (Some(name), Some((_, written))) = (&name, &as_written)
        && !is_stage_name(name)
    {
        let quoted = go::quote(written);
        let message =
            format!("invalid name for build stage: {quoted}, name can't start with a number or contain symbols");
        return Err(Fault::new(message).about(written));
    }
    let flags = Flags::parse(&statement.line.flags, &[("platform", Takes::Once)])?;
    let doc = name.as_deref().map(|name| doc(&statement.comments, name)).unwrap_or_default();
    Ok(From { base: Word(base.clone()), platform: flags.once("platform").map(Word), name, as_written, doc })
}

fn is_stage_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
}
