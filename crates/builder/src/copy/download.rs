//! Files that `ADD` has from elsewhere.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use spec::digest::{Algorithm, Digest, Hasher};

use crate::context::FilesError;

/// What a download is called: the last part of the URL's path.
#[must_use]
pub fn url_file_name(url: &str) -> String {
    const UNNAMED: &str = "__unnamed__";
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let Some(path) = decoded(path) else { return UNNAMED.to_owned() };
    match path.trim_end_matches('/').rsplit('/').next() {
        None | Some("" | "." | "..") => UNNAMED.to_owned(),
        Some(name) if name.contains('\0') || name.len() > 255 => UNNAMED.to_owned(),
        Some(name) => name.to_owned(),
    }
}

/// With `%20` as a blank; none: that is no URL.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits =
            std::str::from_utf8(rest.get(..2)?).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Hashes a download, and compares it with `--checksum`. The position in the file is its beginning again.
///
/// # Errors
/// BuildKit's `digest mismatch`.
pub fn hash_download(file: &File, wanted: Option<&Digest>) -> Result<Digest, FilesError> {
    let failed = |e| FilesError::io("reading", b"the download", e);
    let mut hasher = Hasher::new(wanted.map_or(Algorithm::Sha256, Digest::algorithm));
    let mut file = file;
    let mut buffer = vec![0; 128 << 10];
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(e)),
        }
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let got = hasher.finish();
    match wanted {
        Some(wanted) if *wanted != got => Err(FilesError::Refused(format!("digest mismatch {got}: {wanted}"))),
        Some(_) | None => Ok(got),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_called_as_its_url_ends() {
        for (url, name) in [
            ("https://example.com/a/b.tar.gz", "b.tar.gz"),
            ("https://example.com/a/b.txt?x=/y#z", "b.txt"),
            ("https://example.com/a/", "a"),
            ("https://example.com/a%20b%2Fc", "c"),
            ("https://example.com/", "__unnamed__"),
            ("https://example.com", "__unnamed__"),
            ("https://example.com/..", "__unnamed__"),
            ("https://example.com/x%00", "__unnamed__"),
            ("https://example.com/x%zz", "__unnamed__"),
        ] {
            assert_eq!(url_file_name(url), name, "{url}");
        }
    }
}
