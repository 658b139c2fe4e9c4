//! The maps of sparse files: GNU's old header form, and the form that stands before the body (PAX 1.0).

use super::number::{decimal, unsigned};
use super::{BLOCK, RECORD_LIMIT, Segment};

/// Entries in the header of an old GNU sparse file, and in each block that continues it.
const IN_HEADER: usize = 4;
const IN_BLOCK: usize = 21;

/// Reads the old form; `next_block` gives the blocks that follow the header.
pub(super) fn old_gnu<E: From<String>>(
    header: &[u8; BLOCK],
    mut next_block: impl FnMut() -> Result<[u8; BLOCK], E>,
) -> Result<(u64, Vec<Segment>), E> {
    let real_size = unsigned(&header[483..495])?;
    let mut map = Vec::new();
    pairs(&header[386..386 + IN_HEADER * 24], &mut map)?;
    let mut more = header[482] != 0;
    let mut read = 0;
    while more {
        let block = next_block()?;
        pairs(&block[..IN_BLOCK * 24], &mut map)?;
        more = block[IN_BLOCK * 24] != 0;
        read += BLOCK;
        within_limit(read)?;
    }
    Ok((real_size, map))
}

/// A pair that begins with a NUL is unused.
fn pairs(bytes: &[u8], map: &mut Vec<Segment>) -> Result<(), String> {
    for pair in bytes.chunks_exact(24).take_while(|pair| pair[0] != 0) {
        map.push(Segment { offset: unsigned(&pair[..12])?, len: unsigned(&pair[12..])? });
    }
    Ok(())
}

/// Reads the 1.0 form: decimal lines in whole blocks, the count first. Gives the map and how many bytes it took.
pub(super) fn before_body<E: From<String>>(
    mut next_block: impl FnMut() -> Result<[u8; BLOCK], E>,
) -> Result<(Vec<Segment>, u64), E> {
    let mut text: Vec<u8> = Vec::new();
    let mut numbers: Vec<u64> = Vec::new();
    let mut taken = 0;
    let mut start = 0;
    loop {
        while let Some(len) = text[start..].iter().position(|&b| b == b'\n') {
            numbers.push(decimal(&text[start..start + len])?);
            start += len + 1;
            let wanted = usize::try_from(numbers[0]).unwrap_or(usize::MAX).saturating_mul(2).saturating_add(1);
            if numbers.len() == wanted {
                let map = numbers[1..].chunks_exact(2).map(|pair| Segment { offset: pair[0], len: pair[1] });
                return Ok((map.collect(), taken));
            }
        }
        if text.len() - start > 20 {
            return Err(String::from("a sparse map that is no list of numbers").into());
        }
        text.drain(..start);
        start = 0;
        text.extend_from_slice(&next_block()?);
        taken += BLOCK as u64;
        within_limit(usize::try_from(taken).unwrap_or(usize::MAX))?;
    }
}

fn within_limit(bytes: usize) -> Result<(), String> {
    if bytes > RECORD_LIMIT { Err("a sparse map of more than 1 MiB".to_owned()) } else { Ok(()) }
}

/// Refuses a map that goes backwards, leaves the file, or does not add up to the stored body. Empty segments, which
/// GNU tar puts at the end of a file that ends in a hole, are dropped.
pub(super) fn check(map: Vec<Segment>, real_size: u64, stored: u64) -> Result<Vec<Segment>, String> {
    let mut end = 0;
    let mut sum: u64 = 0;
    for segment in &map {
        let segment_end = segment.offset.checked_add(segment.len).filter(|&to| to <= real_size);
        if segment.offset < end {
            return Err("sparse segments that overlap or go backwards".to_owned());
        }
        end = segment_end.ok_or("a sparse segment beyond the end of its file")?;
        sum += segment.len;
    }
    if sum != stored {
        return Err(format!("sparse segments of {sum} bytes in a body of {stored}"));
    }
    Ok(map.into_iter().filter(|segment| segment.len > 0).collect())
}
