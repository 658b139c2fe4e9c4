//! The words that open heredocs: `<<EOF`, `<<-EOF`, `3<<'EOF'`.

use super::ast::{Escape, Heredoc};
use super::error::Fault;
use super::words::{Keep, Lexer, NoEnv, Quotes};

/// As heredocs' words are read: variables in them mean nothing.
const LEXER: Lexer = Lexer { escape: Escape::Backslash, quotes: Quotes::Removed, escapes: Keep::No, unset: Keep::Yes };

/// The heredocs that a whole line opens, without content.
pub(super) fn opened(line: &str) -> Result<Vec<Heredoc>, Fault> {
    let lexer = Lexer { quotes: Quotes::Kept, escapes: Keep::Yes, ..LEXER };
    let words = lexer.expand(line, &NoEnv).map(|expansion| expansion.words).unwrap_or_default();
    let mut heredocs = Vec::new();
    for word in words {
        heredocs.extend(parse(&word).map_err(|fault| fault.about(&word))?);
    }
    Ok(heredocs)
}

/// The heredoc that a word opens, if it does.
///
/// # Errors
/// It would, but quotes in it have no end.
pub(super) fn parse(word: &str) -> Result<Option<Heredoc>, Fault> {
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (fd, Some(rest)) = (&word[..digits], word[digits..].strip_prefix("<<")) else { return Ok(None) };
    let (chomp, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start();
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    let bare = LEXER.expand(rest, &NoEnv)?.words;
    let [name] = bare.as_slice() else { return Ok(None) };
    let quoted = Lexer { quotes: Quotes::Kept, ..LEXER }.expand(rest, &NoEnv)?.words;
    let quotes = |word: &str| word.matches(['\'', '"']).count();
    // A quote that is gone without its quotes was one: then the content is taken as it is.
    let expand = quoted.first().is_some_and(|quoted| quotes(quoted) == quotes(name));
    Ok(Some(Heredoc { name: name.clone(), fd: fd.parse().unwrap_or(0), expand, chomp, content: String::new() }))
}
