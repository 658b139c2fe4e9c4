//! Numbers in headers: octal text, or base-256 where the first bit is set (GNU, star).

/// Reads a number field. Blank is zero, as old archivers leave fields they do not know.
pub(super) fn parse(field: &[u8]) -> Result<i64, String> {
    match field.first() {
        Some(0x80..) => base256(field),
        _text => octal(field),
    }
}

/// Reads a number field that may not be negative.
pub(super) fn unsigned(field: &[u8]) -> Result<u64, String> {
    let number = parse(field)?;
    u64::try_from(number).map_err(|_negative| format!("the number {number} is negative"))
}

fn octal(field: &[u8]) -> Result<i64, String> {
    let bad = || format!("{:?} is no octal number", String::from_utf8_lossy(field));
    let text = field.split(|&b| b == 0).next().unwrap_or_default();
    let text = text.trim_ascii();
    let mut value: i64 = 0;
    for &digit in text {
        if !(b'0'..=b'7').contains(&digit) {
            return Err(bad());
        }
        value = value.checked_mul(8).and_then(|v| v.checked_add(i64::from(digit - b'0'))).ok_or_else(bad)?;
    }
    Ok(value)
}

/// Two's complement over the whole field but its first bit, which is the mark.
fn base256(field: &[u8]) -> Result<i64, String> {
    let negative = field[0] & 0x40 != 0;
    let mut value: i128 = i128::from(field[0] & 0x7f);
    if negative {
        value -= 0x80;
    }
    for &byte in &field[1..] {
        // Fields have at most 12 bytes: 95 bits fit.
        value = (value << 8) | i128::from(byte);
    }
    i64::try_from(value).map_err(|_too_large| format!("the number {value} is absurd"))
}

/// Writes `value` as octal digits and a final NUL; false where it does not fit, then zeros.
pub(super) fn write(field: &mut [u8], value: u64) -> bool {
    let digits = field.len() - 1;
    let text = format!("{value:0digits$o}");
    let fits = text.len() == digits;
    field[digits] = 0;
    match fits {
        true => field[..digits].copy_from_slice(text.as_bytes()),
        false => field[..digits].fill(b'0'),
    }
    fits
}

/// Reads an unsigned decimal number without sign, space or leading plus.
pub(super) fn decimal(text: &[u8]) -> Result<u64, String> {
    let bad = || format!("{:?} is no number", String::from_utf8_lossy(&text[..text.len().min(40)]));
    if text.is_empty() || text.len() > 20 || !text.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let text = str::from_utf8(text).map_err(|_not_ascii| bad())?;
    let value: u64 = text.parse().map_err(|_overflow| bad())?;
    if value > i64::MAX.unsigned_abs() { Err(bad()) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(field: &[u8], expected: Expect) {
        expected.assert_eq(&match parse(field) {
            Ok(value) => value.to_string(),
            Err(error) => error,
        });
    }

    #[test]
    fn octal_and_base256() {
        check(b"0000644\0", expect!["420"]);
        check(b"   644 \0", expect!["420"]);
        check(b"\0\0\0\0", expect!["0"]);
        check(b"77777777777", expect!["8589934591"]);
        check(b"12x4567\0", expect![[r#""12x4567\0" is no octal number"#]]);
        check(b"-1\0", expect![[r#""-1\0" is no octal number"#]]);
        check(b"\x80\0\0\0\0\0\0\x02\0\0\0\0", expect!["8589934592"]);
        check(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", expect!["-2"]);
        check(b"\x80\x01\0\0\0\0\0\0\0\0\0\0", expect!["the number 1208925819614629174706176 is absurd"]);
    }

    #[test]
    fn written_numbers_are_read_again() {
        let mut field = [0; 8];
        assert!(write(&mut field, 0o7_777_777));
        assert_eq!(parse(&field), Ok(0o7_777_777));
        assert!(!write(&mut field, 0o10_000_000));
        assert_eq!(&field, b"0000000\0");
    }
}
