//! Parts of blobs: `Range` of a download (RFC 9110, section 14) and `Content-Range` of an upload's chunk (the distribution
//! specification's own form).

/// What a download asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: also what is not understood, and several ranges at once, which a server may ignore.
    Whole,
    /// From the first to the last of these bytes.
    Part {
        /// Less than the size.
        first: u64,
        /// Less than the size.
        last: u64,
    },
    /// Nothing that is there.
    Outside,
}

impl Wanted {
    pub(super) fn of(header: Option<&str>, size: u64) -> Wanted {
        let Some((first, last)) = header.and_then(|text| text.strip_prefix("bytes=")?.split_once('-')) else {
            return Wanted::Whole;
        };
        let (first, last) = match (number(first), number(last)) {
            (Some(first), Some(last)) => (first, last),
            (Some(first), None) if last.is_empty() => (first, u64::MAX),
            (None, Some(suffix)) if first.is_empty() => {
                (size.saturating_sub(suffix), if suffix == 0 { 0 } else { u64::MAX })
            }
            _ => return Wanted::Whole,
        };
        if first >= size || last < first {
            return Wanted::Outside;
        }
        Wanted::Part { first, last: last.min(size - 1) }
    }
}

/// The first and the last byte of a chunk: `0-99`.
pub(super) fn chunk(header: &str) -> Option<(u64, u64)> {
    let (first, last) = header.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_http_says() {
        let part = |first, last| Wanted::Part { first, last };
        for (header, wanted) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=2-", part(2, 9)),
            ("bytes=2-99", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("bytes=-0", Wanted::Outside),
            ("bytes=10-", Wanted::Outside),
            ("bytes=10-12", Wanted::Outside),
            ("bytes=5-2", Wanted::Outside),
            ("bytes=-", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=0-1,4-5", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
        ] {
            assert_eq!(Wanted::of(Some(header), 10), wanted, "{header}");
        }
        assert_eq!(Wanted::of(None, 10), Wanted::Whole);
        assert_eq!(Wanted::of(Some("bytes=0-"), 0), Wanted::Outside);
    }

    #[test]
    fn chunks_are_read_as_the_specification_says() {
        assert_eq!(chunk("0-99"), Some((0, 99)));
        for bad in ["", "-", "0-", "-1", "5-2", "bytes 0-1/2", "0-1/2", "+0-1"] {
            assert_eq!(chunk(bad), None, "{bad}");
        }
    }
}
