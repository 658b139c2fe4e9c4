//! PAX records: `"%d %s=%s\n"`, length, key and value.

use std::collections::BTreeMap;

use super::number::decimal;
use super::{Segment, Time};

const XATTR: &[u8] = b"SCHILY.xattr.";

/// What PAX records say about one file. A field that is `None` leaves the header's word standing.
///
/// Read and dropped: user and group names, access and change times, `LIBARCHIVE.xattr.*` (bsdtar writes the same
/// attributes as `SCHILY.xattr.*` beside it), ACLs as text, SELinux labels, comments.
#[derive(Debug, Clone, Default)]
pub(super) struct Pax {
    pub(super) path: Option<Vec<u8>>,
    pub(super) linkpath: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) sparse: Sparse,
}

/// GNU's records for sparse files.
#[derive(Debug, Clone, Default)]
pub(super) struct Sparse {
    /// `GNU.sparse.major`: set from version 1.0 on, whose map stands before the body.
    pub(super) major: Option<u64>,
    pub(super) minor: Option<u64>,
    /// `GNU.sparse.size` (0.x) or `GNU.sparse.realsize` (1.0).
    pub(super) size: Option<u64>,
    /// The map of version 0.x.
    pub(super) map: Option<Vec<Segment>>,
    /// An offset of version 0.0 whose length has not come yet.
    offset: Option<u64>,
}

/// For whom records stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// For the next file.
    File,
    /// For all that follow.
    Global,
}

impl Pax {
    /// Takes all records of one header.
    pub(super) fn take(&mut self, mut records: &[u8], scope: Scope) -> Result<(), String> {
        while !records.is_empty() {
            let (key, value, rest) = split(records)?;
            let one_file_only = matches!(key, b"path" | b"linkpath" | b"size") || key.starts_with(b"GNU.sparse.");
            if scope == Scope::Global && one_file_only {
                return Err(format!("a global {} would stand for every file", String::from_utf8_lossy(key)));
            }
            self.record(key, value)?;
            records = rest;
        }
        match self.sparse.offset {
            Some(_) => Err("a sparse segment without a length".to_owned()),
            None => Ok(()),
        }
    }

    fn record(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        // An empty value takes a record back (POSIX); an attribute may be empty in earnest.
        let absent = value.is_empty();
        match key {
            b"path" | b"GNU.sparse.name" => self.path = if absent { None } else { Some(text(value)?) },
            b"linkpath" => self.linkpath = if absent { None } else { Some(text(value)?) },
            b"size" => self.size = if absent { None } else { Some(decimal(value)?) },
            b"uid" => self.uid = if absent { None } else { Some(decimal(value)?) },
            b"gid" => self.gid = if absent { None } else { Some(decimal(value)?) },
            b"mtime" => self.mtime = if absent { None } else { Some(time(value)?) },
            b"GNU.sparse.major" => self.sparse.major = Some(decimal(value)?),
            b"GNU.sparse.minor" => self.sparse.minor = Some(decimal(value)?),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.sparse.size = Some(decimal(value)?),
            b"GNU.sparse.numblocks" => self.sparse.map = Some(Vec::new()),
            b"GNU.sparse.offset" => self.sparse.offset = Some(decimal(value)?),
            b"GNU.sparse.numbytes" => {
                let offset = self.sparse.offset.take().ok_or("a sparse length without an offset")?;
                let map = self.sparse.map.get_or_insert_default();
                map.push(Segment { offset, len: decimal(value)? });
            }
            b"GNU.sparse.map" => self.sparse.map = Some(map(value)?),
            _other => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    if name.is_empty() || name.contains(&0) {
                        return Err("an attribute without a proper name".to_owned());
                    }
                    self.xattrs.insert(name.to_vec(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

/// A record's key and value, and what follows it.
type Split<'a> = (&'a [u8], &'a [u8], &'a [u8]);

/// Takes the first record.
fn split(records: &[u8]) -> Result<Split<'_>, String> {
    let bad = || "broken PAX records".to_owned();
    let space = records.iter().take(8).position(|&b| b == b' ').ok_or_else(bad)?;
    let len = usize::try_from(decimal(&records[..space]).map_err(|_why| bad())?).map_err(|_why| bad())?;
    let record = records.get(space + 1..len).ok_or_else(bad)?;
    let (last, record) = record.split_last().ok_or_else(bad)?;
    let equals = record.iter().position(|&b| b == b'=').ok_or_else(bad)?;
    if *last != b'\n' || equals == 0 {
        return Err(bad());
    }
    Ok((&record[..equals], &record[equals + 1..], &records[len..]))
}

/// A name: readers that stop at a NUL and readers that do not would see different ones.
fn text(value: &[u8]) -> Result<Vec<u8>, String> {
    if value.contains(&0) { Err("a PAX name with a NUL".to_owned()) } else { Ok(value.to_vec()) }
}

/// `12`, `-1.5`, `12.123456789`; more than nine digits are cut.
fn time(value: &[u8]) -> Result<Time, String> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    let mut parts = digits.splitn(2, |&b| b == b'.');
    let whole = decimal(parts.next().unwrap_or_default())?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err("a time that is no number".to_owned());
    }
    let mut nsec = 0;
    for place in 0..9 {
        nsec = nsec * 10 + u32::from(fraction.get(place).map_or(0, |digit| digit - b'0'));
    }
    let sec = i64::try_from(whole).map_err(|_too_large| "an absurd time".to_owned())?;
    Ok(match (negative, nsec) {
        (false, _) => Time { sec, nsec },
        (true, 0) => Time { sec: -sec, nsec },
        (true, _) => Time { sec: -sec - 1, nsec: 1_000_000_000 - nsec },
    })
}

/// `offset,len,offset,len` (version 0.1).
fn map(value: &[u8]) -> Result<Vec<Segment>, String> {
    let numbers: Vec<u64> = match value {
        [] => Vec::new(),
        text => text.split(|&b| b == b',').map(decimal).collect::<Result<_, _>>()?,
    };
    if !numbers.len().is_multiple_of(2) {
        return Err("a sparse segment without a length".to_owned());
    }
    Ok(numbers.chunks_exact(2).map(|pair| Segment { offset: pair[0], len: pair[1] }).collect())
}

/// Appends one record. The length counts its own digits.
pub(super) fn push(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    records.extend_from_slice(format!("{len} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// A time as a PAX value, without needless zeros.
pub(super) fn format_time(time: Time) -> String {
    let (sign, sec, nsec) = match (time.sec < 0, time.nsec) {
        (false, nsec) => ("", time.sec.unsigned_abs(), nsec),
        (true, 0) => ("-", time.sec.unsigned_abs(), 0),
        (true, nsec) => ("-", time.sec.unsigned_abs() - 1, 1_000_000_000 - nsec),
    };
    match nsec {
        0 => format!("{sign}{sec}"),
        _some => format!("{sign}{sec}.{nsec:09}").trim_end_matches('0').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(records: &[u8], expected: Expect) {
        let mut pax = Pax::default();
        expected.assert_eq(&match pax.take(records, Scope::File) {
            Ok(()) => format!("{:?} {:?} {:?} {:?}", pax.path, pax.size, pax.mtime, pax.sparse.map),
            Err(error) => error,
        });
    }

    #[test]
    fn records() {
        check(b"10 path=a\n", expect!["Some([97]) None None None"]);
        check(b"14 mtime=-1.5\n", expect!["None None Some(Time { sec: -2, nsec: 500000000 }) None"]);
        check(b"10 path=a\n8 path=\n", expect!["None None None None"]);
        check(b"10 path=a", expect!["broken PAX records"]);
        check(b"99 path=a\n", expect!["broken PAX records"]);
        check(b"0 path=a\n", expect!["broken PAX records"]);
        check(b"3 =\n", expect!["broken PAX records"]);
        check(b"11 path=a\0\n", expect!["a PAX name with a NUL"]);
        check(b"11 size=-1\n", expect![[r#""-1" is no number"#]]);
        check(b"29 size=18446744073709551615\n", expect![[r#""18446744073709551615" is no number"#]]);
        check(b"22 GNU.sparse.map=1,2\n", expect!["None None None Some([Segment { offset: 1, len: 2 }])"]);
    }

    #[test]
    fn a_length_counts_its_own_digits() {
        for len in 0..2000 {
            let mut records = Vec::new();
            push(&mut records, b"path", &vec![b'x'; len]);
            let (_key, value, rest) = split(&records).unwrap();
            assert_eq!((value.len(), rest.len()), (len, 0));
        }
    }
}
