//! `--chmod`: octal, or symbolic as chmod(1) reads it under a umask of 0.

use std::str::FromStr;

use crate::context::FilesError;

const DIRECTORY: u32 = 0o040_000;
const TYPE: u32 = 0o170_000;

/// `--chmod`, parsed: octal or symbolic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chmod(How);

#[derive(Clone, Debug, PartialEq, Eq)]
enum How {
    Octal(u32),
    Symbolic(Vec<Change>),
}

/// `u+x`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    /// The bits of those it is about, set-id and sticky ones among them.
    who: u32,
    act: Act,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Add,
    Take,
    Set,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// For everybody; `X`.
    Bits(u32, Execute),
    /// What these (the shift of their bits) have.
    SameAs(u32),
}

/// Whether `X` was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Execute {
    AsSaid,
    /// For directories, and what somebody may execute.
    WhereItMakesSense,
}

impl FromStr for Chmod {
    type Err = FilesError;

    fn from_str(text: &str) -> Result<Chmod, FilesError> {
        let refused = || {
            let what = format!("invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777");
            FilesError::Refused(what)
        };
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
            return mode.map(|mode| Chmod(How::Octal(mode))).ok_or_else(refused);
        }
        let clauses: Option<Vec<Vec<Change>>> = text.split(',').map(clause).collect();
        clauses.map(|clauses| Chmod(How::Symbolic(clauses.concat()))).ok_or_else(refused)
    }
}

impl Chmod {
    /// The mode, if it was octal.
    pub(super) fn octal(&self) -> Option<u32> {
        match &self.0 {
            How::Octal(mode) => Some(*mode),
            How::Symbolic(_) => None,
        }
    }

    /// What becomes of a file's mode, of which its kind counts; only permissions come out.
    pub(super) fn apply(&self, mode: u32) -> u32 {
        match &self.0 {
            How::Octal(mode) => *mode,
            How::Symbolic(changes) => changes.iter().fold(mode, |mode, change| change.apply(mode)) & 0o7777,
        }
    }
}

impl Change {
    fn apply(&self, mode: u32) -> u32 {
        let bits = match self.what {
            What::Bits(bits, Execute::AsSaid) => bits,
            What::Bits(bits, Execute::WhereItMakesSense) if mode & TYPE == DIRECTORY || mode & 0o111 != 0 => {
                bits | 0o111
            }
            What::Bits(bits, Execute::WhereItMakesSense) => bits,
            What::SameAs(shift) => ((mode >> shift) & 0o7) * 0o111,
        } & self.who;
        match self.act {
            Act::Add => mode | bits,
            Act::Take => mode & !bits,
            Act::Set => (mode & !self.who) | bits,
        }
    }
}

/// `ug+rw-x`; none: it makes no sense.
fn clause(text: &str) -> Option<Vec<Change>> {
    let acts = text.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in text[..acts].chars() {
        who |= match letter {
            'u' => 0o4700,
            'g' => 0o2070,
            'o' => 0o1007,
            'a' => 0o7777,
            _other => return None,
        };
    }
    if who == 0 {
        who = 0o7777;
    }
    let mut changes = Vec::new();
    let mut rest = &text[acts..];
    while let Some(sign) = rest.chars().next() {
        let act = match sign {
            '+' => Act::Add,
            '-' => Act::Take,
            '=' => Act::Set,
            _other => return None,
        };
        let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
        changes.push(Change { who, act, what: what(&rest[1..end])? });
        rest = &rest[end..];
    }
    Some(changes)
}

fn what(letters: &str) -> Option<What> {
    match letters {
        "u" => return Some(What::SameAs(6)),
        "g" => return Some(What::SameAs(3)),
        "o" => return Some(What::SameAs(0)),
        _bits => {}
    }
    let (mut bits, mut execute) = (0, Execute::AsSaid);
    for letter in letters.chars() {
        bits |= match letter {
            'r' => 0o444,
            'w' => 0o222,
            'x' => 0o111,
            's' => 0o6000,
            't' => 0o1000,
            'X' => {
                execute = Execute::WhereItMakesSense;
                0
            }
            _other => return None,
        };
    }
    Some(What::Bits(bits, execute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_change_as_with_chmod() {
        for (text, before, after) in [
            ("755", 0o100_644, 0o755),
            ("0", 0o100_644, 0),
            ("07777", 0o100_644, 0o7777),
            ("u+x", 0o100_644, 0o744),
            ("+x", 0o100_644, 0o755),
            ("go-rwx", 0o100_755, 0o700),
            ("a=r", 0o104_755, 0o444),
            ("u=rwx,go=rX", 0o100_600, 0o755),
            ("u=rw,go=rX", 0o100_600, 0o644),
            ("go=rX", 0o040_700, 0o755),
            ("g=u", 0o100_640, 0o660),
            ("u+s,o+t", 0o100_755, 0o5755),
            ("g+s", 0o040_755, 0o2755),
            ("u-w+x", 0o100_644, 0o544),
            ("o=", 0o100_644, 0o640),
        ] {
            assert_eq!(text.parse::<Chmod>().unwrap().apply(before), after, "{text}");
        }
        for text in ["8", "10000", "99999999999999", "u", "x+r", "u+q", "", "u+x,", "+x g"] {
            let error = text.parse::<Chmod>().unwrap_err().to_string();
            let wanted =
                format!("invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777");
            assert_eq!(error, wanted);
        }
    }
}
