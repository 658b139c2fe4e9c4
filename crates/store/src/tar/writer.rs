//! The deterministic writer: ustar headers, PAX records only for what they cannot say.

use std::io::{self, Read, Write};

use super::number;
use super::pax::{format_time, push};
use super::{BLOCK, Device, Entry, Kind, Time};

/// Writes an archive; the same members give the same bytes.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    buffer: Box<[u8]>,
}

impl<W: Write> Writer<W> {
    /// Begins an archive. Small writes are many: `out` should be buffered.
    pub fn new(out: W) -> Writer<W> {
        Writer { out, buffer: vec![0; 128 << 10].into() }
    }

    /// Adds a member. Of `body` exactly the file's size is taken; a shorter one is an error, after which the archive is
    /// broken. A sparse file is not written as such: give it dense.
    pub fn append(&mut self, entry: &Entry, body: &mut dyn Read) -> io::Result<()> {
        self.out.write_all(&headers(entry)?)?;
        let Kind::File { size, sparse: None } = &entry.kind else {
            return Ok(());
        };
        let mut left = *size;
        while left > 0 {
            let most = usize::try_from(left).map_or(self.buffer.len(), |left| left.min(self.buffer.len()));
            let got = body.read(&mut self.buffer[..most])?;
            if got == 0 {
                let what = format!("{} became shorter while it was read", super::show(&entry.path));
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            self.out.write_all(&self.buffer[..got])?;
            left -= got as u64;
        }
        let padding = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default();
        self.out.write_all(&[0; BLOCK][..padding])
    }

    /// Ends the archive and gives the output back, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn refuse<T>(entry: &Entry, why: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", super::show(&entry.path))))
}

/// The header of a member, after one with PAX records where it needs them.
pub(crate) fn headers(entry: &Entry) -> io::Result<Vec<u8>> {
    let mut header = [0; BLOCK];
    let mut records = Vec::new();
    let (flag, size, target, device) = match &entry.kind {
        Kind::File { sparse: Some(_), .. } => return refuse(entry, "sparse files are written dense"),
        Kind::File { size, sparse: None } => (b'0', *size, &[][..], None),
        Kind::HardLink { target } => (b'1', 0, &target[..], None),
        Kind::Symlink { target } => (b'2', 0, &target[..], None),
        Kind::Char(device) => (b'3', 0, &[][..], Some(*device)),
        Kind::Block(device) => (b'4', 0, &[][..], Some(*device)),
        Kind::Dir => (b'5', 0, &[][..], None),
        Kind::Fifo => (b'6', 0, &[][..], None),
    };
    let mut path = entry.path.clone();
    if flag == b'5' && !path.ends_with(b"/") {
        path.push(b'/');
    }
    let nul = path.contains(&0) || target.contains(&0);
    if nul || path.is_empty() || (flag != b'5' && path.ends_with(b"/")) {
        return refuse(entry, "no name for a tar member");
    }
    // By key, so that the records have one order: gid, linkpath, mtime, path, SCHILY.xattr.*, size, uid.
    if !number::write(&mut header[116..124], u64::from(entry.gid)) {
        push(&mut records, b"gid", entry.gid.to_string().as_bytes());
    }
    text(&mut header[157..257], target, b"linkpath", &mut records);
    mtime(&mut header[136..148], entry.mtime, &mut records);
    text(&mut header[..100], &path, b"path", &mut records);
    for (name, value) in &entry.xattrs {
        if name.is_empty() || name.contains(&b'=') || name.contains(&0) {
            return refuse(entry, "an attribute whose name PAX cannot hold");
        }
        push(&mut records, &[b"SCHILY.xattr.", &name[..]].concat(), value);
    }
    if !number::write(&mut header[124..136], size) {
        push(&mut records, b"size", size.to_string().as_bytes());
    }
    if !number::write(&mut header[108..116], u64::from(entry.uid)) {
        push(&mut records, b"uid", entry.uid.to_string().as_bytes());
    }
    number::write(&mut header[100..108], u64::from(entry.mode & 0o7777));
    let Device { major, minor } = device.unwrap_or(Device { major: 0, minor: 0 });
    let fits = number::write(&mut header[329..337], u64::from(major));
    if !(number::write(&mut header[337..345], u64::from(minor)) && fits) {
        return refuse(entry, "device numbers that a tar header cannot hold");
    }
    header[156] = flag;
    seal(&mut header);
    Ok(with_records(&entry.path, records, &header))
}

/// Sets a text field; what does not fit is cut there and whole in the records.
fn text(field: &mut [u8], value: &[u8], key: &[u8], records: &mut Vec<u8>) {
    let fits = value.len().min(field.len());
    field[..fits].copy_from_slice(&value[..fits]);
    if fits < value.len() {
        push(records, key, value);
    }
}

fn mtime(field: &mut [u8], time: Time, records: &mut Vec<u8>) {
    let fits = number::write(field, u64::try_from(time.sec).unwrap_or(0));
    if !fits || time.sec < 0 || time.nsec != 0 {
        push(records, b"mtime", format_time(time).as_bytes());
    }
}

fn seal(header: &mut [u8; BLOCK]) {
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].fill(b' ');
    let sum = header.iter().map(|&byte| u64::from(byte)).sum();
    number::write(&mut header[148..155], sum);
}

fn with_records(path: &[u8], records: Vec<u8>, header: &[u8; BLOCK]) -> Vec<u8> {
    if records.is_empty() {
        return header.to_vec();
    }
    let base = path.split(|&b| b == b'/').rfind(|part| !part.is_empty()).unwrap_or_default();
    let name = [b"PaxHeaders.0/", &base[..base.len().min(80)]].concat();
    let mut pax = [0; BLOCK];
    pax[..name.len()].copy_from_slice(&name);
    for (field, value) in
        [(100..108, 0o644), (108..116, 0), (116..124, 0), (124..136, records.len() as u64), (136..148, 0)]
    {
        number::write(&mut pax[field], value);
    }
    pax[156] = b'x';
    seal(&mut pax);
    let mut all = pax.to_vec();
    all.extend_from_slice(&records);
    all.resize(all.len().next_multiple_of(BLOCK), 0);
    all.extend_from_slice(header);
    all
}
