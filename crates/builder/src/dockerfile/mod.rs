//! The language of Dockerfiles, as BuildKit has it (moby/buildkit `frontend/dockerfile/{parser,shell,instructions}`). Nothing here reads a
//! file or asks anybody.
//!
//! [`parse`] makes a [`ast::Dockerfile`] of a text, or says all that is wrong with it. On the way it is lines (`source`), an instruction's
//! words (`line`), and an instruction (`instruction`, `run`). [`expand`] puts variables in, as [`words`] reads them.

pub mod ast;
pub mod env;
pub mod error;
pub mod expand;
mod flags;
pub mod go;
mod heredoc;
mod instruction;
mod line;
pub mod mount;
mod parse;
mod pattern;
pub mod ports;
mod run;
mod source;
pub mod suggest;
pub mod words;

#[cfg(test)]
mod tests;

/// The version of the language that is read: of BuildKit's frontend (`frontend/dockerfile/version`) whose tests judge this one.
pub const VERSION: &str = "1.26.0";

pub use instruction::parse_trigger;
pub use parse::{MAX_BYTES, parse, parse_before, syntax};
pub(crate) use source::directive;

/// The body of the fuzz target and of its property test: any bytes are a Dockerfile or refused, what is said of places is within the text,
/// and words are expanded in bounded time and memory.
pub fn fuzz(text: &[u8]) {
    use ast::Instruction;
    use env::Environment;
    use words::Variables;

    let within = |span: ast::Span| {
        assert!(span.start <= span.end && span.end <= text.len(), "{span:?} is outside");
        assert!(span.first_line <= span.last_line, "{span:?} ends before it begins");
    };
    let file = match parse(text) {
        Ok(file) => file,
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty(), "refused without a reason");
            for mistake in mistakes.0 {
                within(mistake.span);
                within(mistake.at);
                assert!(!mistake.show("Dockerfile", text).is_empty());
            }
            return;
        }
    };
    let env = Environment::of_pairs(["A=a", "B=x/y.z"]).unwrap_or_default();
    let mut variables = Variables::new(file.directives.escape, &env);
    for stage in &file.stages {
        within(stage.from.span);
        for instruction in &stage.instructions {
            within(instruction.span);
            let _ = instruction.value.expand(&mut variables);
            if let Instruction::Onbuild(onbuild) = &instruction.value {
                let _ = parse_trigger(&onbuild.expression);
            }
        }
    }
}
