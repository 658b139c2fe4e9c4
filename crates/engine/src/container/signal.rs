//! Signals by name or number.

use crate::error::Error;

/// Names in the order of their numbers on Linux, from 1 (signal(7); the same on `x86_64` and aarch64).
const NAMES: &[&str] = &[
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

const LAST: i32 = 64;
const REALTIME_FIRST: i32 = 34;

/// `15`, `TERM`, `SIGTERM`, `sigterm`, `RTMIN+1`.
///
/// # Errors
/// [`Error::Invalid`] with Docker's text.
pub fn parse(text: &str) -> Result<i32, Error> {
    number(text).ok_or_else(|| Error::Invalid(format!("Invalid signal: {text}")))
}

fn number(text: &str) -> Option<i32> {
    if let Ok(number) = text.parse::<i32>() {
        return (1..=LAST).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let realtime = |base: i32, offset: &str| match offset {
        "" => Some(base),
        _ => Some(base + offset.parse::<i32>().ok()?),
    };
    let number = match (name, name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        ("IOT", ..) => 6,
        ("POLL", ..) => 29,
        ("CLD", ..) => 17,
        (_, Some(offset), _) => realtime(REALTIME_FIRST, offset)?,
        (_, _, Some(offset)) => realtime(LAST, offset)?,
        (name, None, None) => i32::try_from(NAMES.iter().position(|one| *one == name)? + 1).ok()?,
    };
    (1..=LAST).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, is) in
            [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("sigusr1", 10), ("RTMIN+3", 37), ("SIGRTMAX-1", 63), ("SYS", 31)]
        {
            assert_eq!(number(text), Some(is), "{text}");
        }
        for bad in ["", "0", "65", "-1", "SIG", "RTMAX+1", "NOPE"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
