//! Go's literals: numbers, characters, strings.

use super::ast::Word;
use super::gofmt::quote;
use super::lex::{Kind, Token};

/// A number or character constant; the error is without `template:` and line.
pub(super) fn number(token: &Token) -> Result<Word, String> {
    let text = token.text.clone();
    if token.kind == Kind::CharConstant {
        let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or_default();
        let value = unescape(inner, '\'').filter(|s| s.chars().count() == 1);
        let c = value.and_then(|s| s.chars().next()).ok_or_else(|| format!("malformed character constant: {text}"))?;
        return Ok(Word::Int(i128::from(u32::from(c)), text));
    }
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let radix = |prefix: &str, radix| {
        digits.to_ascii_lowercase().strip_prefix(prefix).map(|rest| i64::from_str_radix(rest, radix))
    };
    let int = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)).unwrap_or_else(|| {
        match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => i64::from_str_radix(octal, 8),
            _ => digits.parse(),
        }
    });
    if let Ok(int) = int {
        return Ok(Word::Int(sign * i128::from(int), text));
    }
    match plain.parse::<f64>() {
        Ok(_) if digits.bytes().all(|b| b.is_ascii_digit()) => Err(format!("integer overflow: {}", quote(&text))),
        Ok(float) => Ok(Word::Float(float, text)),
        Err(_) => Err(format!("illegal number syntax: {}", quote(&text))),
    }
}

/// A string without its quotes; nothing when the token is no string, or escapes what Go does not.
pub(super) fn unquote(token: &Token) -> Option<String> {
    if token.kind == Kind::RawStr {
        return Some(token.text.trim_matches('`').replace('\r', ""));
    }
    let inner = token.text.strip_prefix('"')?.strip_suffix('"')?;
    unescape(inner, '"')
}

/// The escapes of a Go literal, its quotes taken off.
fn unescape(text: &str, quote: char) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        let simple = match chars.next()? {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            c if c == quote => u8::try_from(c).ok()?,
            'x' => u8::try_from(digits(&mut chars, 2, 16)?).ok()?,
            'u' => {
                bytes.extend(char::from_u32(digits(&mut chars, 4, 16)?)?.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
            'U' => {
                bytes.extend(char::from_u32(digits(&mut chars, 8, 16)?)?.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
            c @ '0'..='7' => u8::try_from(c.to_digit(8)? * 64 + digits(&mut chars, 2, 8)?).ok()?,
            _ => return None,
        };
        bytes.push(simple);
    }
    String::from_utf8(bytes).ok()
}

fn digits(chars: &mut std::str::Chars<'_>, len: usize, radix: u32) -> Option<u32> {
    let mut value: u32 = 0;
    for _ in 0..len {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}
