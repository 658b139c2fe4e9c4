//! The strict reader.

use std::io::{self, BufRead, BufReader, Read};
use std::mem;

use super::number::{parse, unsigned};
use super::pax::{Pax, Scope};
use super::{BLOCK, Device, Entry, Kind, RECORD_LIMIT, Segment, TarError, Time, sparse};

/// More headers than this before one member are an attack: a long name, a long link, records, a sparse map.
const HEADERS_LIMIT: usize = 5 * RECORD_LIMIT;

const BUFFER: usize = 256 << 10;

/// Reads an archive member by member; [`Read`] gives the body of the last one.
#[derive(Debug)]
pub struct Reader<R> {
    input: BufReader<R>,
    /// All bytes but bodies, since [`Reader::take_raw`], if they are wanted.
    raw: Option<Vec<u8>>,
    global: Pax,
    /// What is left of the body, and the padding that follows it.
    body: u64,
    padding: usize,
    /// The member at hand, for errors.
    at: Vec<u8>,
    /// Bytes of headers since the last member.
    headers: usize,
    ended: bool,
}

/// What headers said about the member that follows them.
#[derive(Default)]
struct Before {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl Before {
    fn is_empty(&self) -> bool {
        self.long_name.is_none() && self.long_link.is_none() && self.pax.is_none()
    }
}

impl<R: Read> Reader<R> {
    /// Reads an archive from its first byte. Reads ahead of what it returns.
    pub fn new(input: R) -> Reader<R> {
        Reader {
            input: BufReader::with_capacity(BUFFER, input),
            raw: None,
            global: Pax::default(),
            body: 0,
            padding: 0,
            at: Vec::new(),
            headers: 0,
            ended: false,
        }
    }

    /// The same, keeping every byte that is not of a body for [`Reader::take_raw`].
    pub(crate) fn recording(input: R) -> Reader<R> {
        Reader { raw: Some(Vec::new()), ..Reader::new(input) }
    }

    /// The bytes that were read since the last call and are not of a body: headers, records, maps and padding, ending
    /// where the body of the current member begins.
    pub(crate) fn take_raw(&mut self) -> Vec<u8> {
        self.raw.as_mut().map(mem::take).unwrap_or_default()
    }

    /// The next member, or none at the archive's end. What was not read of the last body is skipped.
    ///
    /// Not an [`Iterator`]: after an error nothing more can be read, and the body is borrowed from the reader itself.
    #[expect(clippy::should_implement_trait, reason = "the name of the act; see above")]
    pub fn next(&mut self) -> Result<Option<Entry>, TarError> {
        if self.ended {
            return Ok(None);
        }
        self.finish_body()?;
        self.headers = 0;
        let mut before = Before::default();
        loop {
            let Some(header) = self.header(&before)? else {
                self.ended = true;
                return Ok(None);
            };
            let twice = || TarError::malformed(header_name(&header), "the same extended header twice");
            match header[156] {
                b'L' if before.long_name.is_some() => return Err(twice()),
                b'K' if before.long_link.is_some() => return Err(twice()),
                b'x' | b'X' if before.pax.is_some() => return Err(twice()),
                b'L' => before.long_name = Some(cut_at_nul(&self.record(&header)?).to_vec()),
                b'K' => before.long_link = Some(cut_at_nul(&self.record(&header)?).to_vec()),
                b'x' | b'X' => {
                    let mut pax = self.global.clone();
                    let records = self.record(&header)?;
                    pax.take(&records, Scope::File).map_err(|why| TarError::malformed(header_name(&header), why))?;
                    before.pax = Some(pax);
                }
                b'g' => {
                    let records = self.record(&header)?;
                    let taken = self.global.take(&records, Scope::Global);
                    taken.map_err(|why| TarError::malformed(header_name(&header), why))?;
                }
                // GNU's volume label: a name for the archive, no member.
                b'V' => drop(self.record(&header)?),
                _member => return self.member(&header, before).map(Some),
            }
        }
    }

    /// What follows the archive's end, of which [`Reader::next`] has consumed the two blocks of zeros.
    pub(crate) fn into_rest(self) -> BufReader<R> {
        self.input
    }

    /// Skips to the end of the padding that follows the body at hand.
    fn finish_body(&mut self) -> Result<(), TarError> {
        while self.body > 0 {
            let have = match self.input.fill_buf() {
                Ok([]) => return Err(self.cut_short()),
                Ok(bytes) => bytes.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(TarError::read(&self.at, error)),
            };
            let skip = usize::try_from(self.body).map_or(have, |body| body.min(have));
            self.input.consume(skip);
            self.body -= skip as u64;
        }
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..mem::take(&mut self.padding)];
        self.input.read_exact(padding).map_err(|error| TarError::read(&self.at, error))?;
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(padding);
        }
        Ok(())
    }

    fn cut_short(&self) -> TarError {
        TarError::Truncated { entry: super::show(&self.at) }
    }

    /// The next header with a right checksum; none at the end, which may lack its blocks of zeros (as GNU tar and
    /// Docker accept it) but may not come between a member and what was said about it.
    fn header(&mut self, before: &Before) -> Result<Option<Box<[u8; BLOCK]>>, TarError> {
        let at_end = match self.input.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => return Err(TarError::read(&self.at, error)),
        };
        let block = if at_end { [0; BLOCK] } else { self.block()? };
        if block.iter().all(|&b| b == 0) {
            if !before.is_empty() {
                return Err(TarError::malformed(&self.at, "the archive ends before the member that was announced"));
            }
            if !at_end {
                self.second_zero_block()?;
            }
            return Ok(None);
        }
        // The field itself counts as spaces. Some old archivers summed signed bytes.
        let unsigned_sum: i64 = sum(&block, i64::from);
        let signed_sum: i64 = sum(&block, |byte| i64::from(byte.cast_signed()));
        if parse(&block[148..156]).is_ok_and(|stated| stated == unsigned_sum || stated == signed_sum) {
            return Ok(Some(Box::new(block)));
        }
        let place = if self.at.is_empty() { header_name(&block) } else { &self.at };
        let what = if self.at.is_empty() {
            "not a tar archive (wrong checksum)"
        } else {
            "followed by no tar header (wrong checksum)"
        };
        Err(TarError::malformed(place, what))
    }

    /// One block of zeros and then data: some readers stop, others go on.
    fn second_zero_block(&mut self) -> Result<(), TarError> {
        let at_end = self.input.fill_buf().map_err(|error| TarError::read(&self.at, error))?.is_empty();
        if at_end || self.block()?.iter().all(|&b| b == 0) {
            return Ok(());
        }
        Err(TarError::malformed(&self.at, "followed by a lone block of zeros and more data"))
    }

    fn block(&mut self) -> Result<[u8; BLOCK], TarError> {
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block).map_err(|error| TarError::read(&self.at, error))?;
        self.count_header(BLOCK)?;
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(&block);
        }
        Ok(block)
    }

    fn count_header(&mut self, bytes: usize) -> Result<(), TarError> {
        self.headers += bytes;
        match self.headers > HEADERS_LIMIT {
            true => Err(TarError::malformed(&self.at, "followed by more than 5 MiB of headers for one member")),
            false => Ok(()),
        }
    }

    /// The body of an extended header, with its padding.
    fn record(&mut self, header: &[u8; BLOCK]) -> Result<Vec<u8>, TarError> {
        let name = header_name(header);
        let size = unsigned(&header[124..136]).map_err(|why| TarError::malformed(name, why))?;
        let size = usize::try_from(size).ok().filter(|&size| size <= RECORD_LIMIT);
        let Some(size) = size else {
            return Err(TarError::malformed(name, "an extended header of more than 1 MiB"));
        };
        let mut record = vec![0; size.next_multiple_of(BLOCK)];
        self.input.read_exact(&mut record).map_err(|error| TarError::read(name, error))?;
        self.count_header(record.len())?;
        if let Some(raw) = &mut self.raw {
            raw.extend_from_slice(&record);
        }
        record.truncate(size);
        Ok(record)
    }

    /// A member from its header and what was said before it.
    fn member(&mut self, header: &[u8; BLOCK], before: Before) -> Result<Entry, TarError> {
        let pax = before.pax.unwrap_or_else(|| self.global.clone());
        self.at = one_name(header_path(header), before.long_name, pax.path.as_ref())
            .map_err(|why| TarError::malformed(header_name(header), why))?;
        let bad = |why: String| TarError::Malformed { entry: super::show(&self.at), what: why };
        if self.at.is_empty() {
            return Err(TarError::malformed(b"", "a member without a name"));
        }
        let target = one_name(cut_at_nul(&header[157..257]).to_vec(), before.long_link, pax.linkpath.as_ref());
        let target = target.map_err(bad)?;
        let stored = stored_size(header, pax.size).map_err(bad)?;
        let mode = u32::try_from(unsigned(&header[100..108]).map_err(bad)? & 0o7777).unwrap_or_default();
        let uid = id(&header[108..116], pax.uid).map_err(bad)?;
        let gid = id(&header[116..124], pax.gid).map_err(bad)?;
        let mtime = match pax.mtime {
            Some(time) => time,
            None => Time { sec: parse(&header[136..148]).map_err(bad)?, nsec: 0 },
        };
        let kind = self.kind(header, &pax, target, stored)?;
        let mut path = self.at.clone();
        while kind == Kind::Dir && path.len() > 1 && path.ends_with(b"/") {
            path.pop();
        }
        Ok(Entry { path, kind, mode, uid, gid, mtime, xattrs: pax.xattrs })
    }

    /// What the member is; places the reader at its body.
    fn kind(&mut self, header: &[u8; BLOCK], pax: &Pax, target: Vec<u8>, stored: u64) -> Result<Kind, TarError> {
        let flag = header[156];
        // v7 had no type for directories.
        let is_dir = flag == b'5' || (matches!(flag, 0 | b'0' | b'7') && self.at.ends_with(b"/"));
        let is_file = matches!(flag, 0 | b'0' | b'7' | b'S') && !is_dir;
        if stored > 0 && !is_file {
            // GNU tar skips no body here, others do: the two see different members afterwards.
            return Err(TarError::malformed(&self.at, format!("not a file, yet has a body of {stored} bytes")));
        }
        let kind = match flag {
            _dir if is_dir => Kind::Dir,
            _file if is_file => {
                self.body = stored;
                self.padding = padding_after(stored);
                self.file(header, pax, stored)?
            }
            b'1' | b'2' if target.is_empty() => return Err(TarError::malformed(&self.at, "a link without a target")),
            b'1' => Kind::HardLink { target },
            b'2' => Kind::Symlink { target },
            b'3' => Kind::Char(self.device(header)?),
            b'4' => Kind::Block(self.device(header)?),
            b'6' => Kind::Fifo,
            other => {
                let what = format!("members of type '{}' are not read", char::from(other).escape_debug());
                return Err(TarError::malformed(&self.at, what));
            }
        };
        Ok(kind)
    }

    /// A regular file, whose sparse map is read from the blocks after the header where it stands there.
    fn file(&mut self, header: &[u8; BLOCK], pax: &Pax, stored: u64) -> Result<Kind, TarError> {
        let (real_size, map) = if header[156] == b'S' {
            self.mapped(|reader| sparse::old_gnu(header, || Ok(reader.block()?)))?
        } else if let Some(real_size) = pax.sparse.size {
            match (pax.sparse.major, pax.sparse.minor) {
                (None | Some(0), _) => (real_size, pax.sparse.map.clone().unwrap_or_default()),
                (Some(1), Some(0)) => (real_size, self.map_before_body()?),
                (Some(major), minor) => {
                    let what = format!("sparse format {major}.{} is not known", minor.unwrap_or_default());
                    return Err(TarError::malformed(&self.at, what));
                }
            }
        } else if pax.sparse.major.is_some() || pax.sparse.map.is_some() {
            return Err(TarError::malformed(&self.at, "a sparse file without its size"));
        } else {
            return Ok(Kind::File { size: stored, sparse: None });
        };
        let map = sparse::check(map, real_size, self.body).map_err(|why| TarError::malformed(&self.at, why))?;
        Ok(Kind::File { size: real_size, sparse: Some(map) })
    }

    fn map_before_body(&mut self) -> Result<Vec<Segment>, TarError> {
        let stored = self.body;
        let (map, taken) = self.mapped(|reader| {
            sparse::before_body(|| match reader.headers_left(stored) {
                true => Ok(reader.block()?),
                false => Err(Fault::Map("a sparse map longer than its body".to_owned())),
            })
        })?;
        // A map that ends within the padding of its last block: the body cannot be shorter than its blocks.
        self.body = stored
            .checked_sub(taken)
            .ok_or_else(|| TarError::malformed(&self.at, "a sparse map longer than its body"))?;
        Ok(map)
    }

    fn headers_left(&mut self, stored: u64) -> bool {
        let left = self.body.min(stored);
        self.body = left.saturating_sub(BLOCK as u64);
        left >= BLOCK as u64
    }

    fn mapped<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, TarError> {
        read(self).map_err(|fault| match fault {
            Fault::Map(why) => TarError::malformed(&self.at, why),
            Fault::Tar(error) => error,
        })
    }

    fn device(&self, header: &[u8; BLOCK]) -> Result<Device, TarError> {
        let number = |field: &[u8]| {
            let number = unsigned(field).map_err(|why| TarError::malformed(&self.at, why))?;
            u32::try_from(number)
                .map_err(|_large| TarError::malformed(&self.at, format!("device number {number} is absurd")))
        };
        Ok(Device { major: number(&header[329..337])?, minor: number(&header[337..345])? })
    }

    /// Some bytes of the body; none at its end.
    pub(crate) fn body(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let most = usize::try_from(self.body).map_or(buffer.len(), |body| body.min(buffer.len()));
        if most == 0 {
            return Ok(0);
        }
        loop {
            match self.input.read(&mut buffer[..most]) {
                Ok(0) => return Err(self.cut_short()),
                Ok(read) => {
                    self.body -= read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(TarError::read(&self.at, error)),
            }
        }
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.body(buffer).map_err(io::Error::other)
    }
}

/// A broken map, or a broken archive under it.
enum Fault {
    Map(String),
    Tar(TarError),
}

impl From<String> for Fault {
    fn from(why: String) -> Fault {
        Fault::Map(why)
    }
}

impl From<TarError> for Fault {
    fn from(error: TarError) -> Fault {
        Fault::Tar(error)
    }
}

fn padding_after(size: u64) -> usize {
    usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default()
}

fn sum(block: &[u8; BLOCK], value: impl Fn(u8) -> i64) -> i64 {
    let spaces = 8 * i64::from(b' ');
    block[..148].iter().chain(&block[156..]).map(|&byte| value(byte)).sum::<i64>() + spaces
}

fn cut_at_nul(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

fn header_name(header: &[u8; BLOCK]) -> &[u8] {
    cut_at_nul(&header[..100])
}

/// The name in a header, with the prefix where the format has one: GNU's headers (`ustar  `) and v7's have none.
fn header_path(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = header_name(header);
    if header[257..263] != *b"ustar\0" {
        return name.to_vec();
    }
    // star keeps access and change times in the last bytes of the prefix.
    let star = header[508..] == *b"tar\0";
    let prefix = cut_at_nul(&header[345..if star { 476 } else { 500 }]);
    match prefix {
        [] => name.to_vec(),
        prefix => [prefix, b"/", name].concat(),
    }
}

/// The one name of a member: GNU's and PAX' long forms replace the header's, which holds a cut one, but not each other.
fn one_name(short: Vec<u8>, gnu: Option<Vec<u8>>, pax: Option<&Vec<u8>>) -> Result<Vec<u8>, String> {
    match (gnu, pax) {
        (Some(_), Some(_)) => Err("named by a GNU and by a PAX header".to_owned()),
        (Some(long), None) => Ok(long),
        (None, Some(long)) => Ok(long.clone()),
        (None, None) => Ok(short),
    }
}

/// How many bytes of body follow. A PAX size is for what the header's eleven octal digits cannot say; where both can,
/// they must agree.
fn stored_size(header: &[u8; BLOCK], pax: Option<u64>) -> Result<u64, String> {
    const OCTAL_END: u64 = 1 << 33;
    let stated = unsigned(&header[124..136])?;
    match pax {
        None => Ok(stated),
        Some(size) if size == stated || size >= OCTAL_END => Ok(size),
        Some(size) => Err(format!("two sizes: {stated} in the header, {size} in its PAX records")),
    }
}

fn id(field: &[u8], pax: Option<u64>) -> Result<u32, String> {
    let id = match pax {
        Some(id) => id,
        None => unsigned(field)?,
    };
    // -1 means "leave it" to chown(2).
    u32::try_from(id).ok().filter(|&id| id != u32::MAX).ok_or_else(|| format!("the owner {id} cannot be"))
}
