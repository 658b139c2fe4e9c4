//! gzip on all processors, as pigz does it: blocks are deflated apart, each with the end of the one before as its dictionary, and end on a
//! byte with an empty block, so that they join to one ordinary member (RFC 1952). The bytes do not depend on how many worked.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// Larger blocks gain nothing in size, smaller ones lose.
const BLOCK: usize = 512 << 10;
/// As far as deflate looks back.
const WINDOW: usize = 32 << 10;
/// No time, no name, from Unix.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// One block to deflate, what came before it, and where the result goes.
struct Job {
    block: Arc<Vec<u8>>,
    before: Option<Arc<Vec<u8>>>,
    flush: FlushCompress,
    done: Sender<io::Result<Vec<u8>>>,
}

/// Packs all of `from`, at a level of 0 to 9.
///
/// # Errors
/// Of either side.
pub(crate) fn gzip(from: &mut dyn Read, to: &mut (dyn Write + Send), level: u8) -> io::Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (jobs, queue) = channel::<Job>();
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&queue, Compression::new(level.into())));
        }
        // It takes the sender with it: the workers end when no job can come any more.
        feed(from, to, jobs, 2 * workers)
    })
}

/// Hands blocks out and writes what comes back, in order.
fn feed(from: &mut dyn Read, to: &mut dyn Write, jobs: Sender<Job>, most: usize) -> io::Result<()> {
    to.write_all(&HEAD)?;
    let mut crc = Crc::new();
    let mut waiting: VecDeque<Receiver<io::Result<Vec<u8>>>> = VecDeque::new();
    let mut before = None;
    let mut block = next(from)?;
    loop {
        let after = if block.len() < BLOCK { Vec::new() } else { next(from)? };
        crc.update(&block);
        let flush = if after.is_empty() { FlushCompress::Finish } else { FlushCompress::Sync };
        let (done, result) = channel();
        let this = Arc::new(block);
        let job = Job { block: Arc::clone(&this), before: before.replace(this), flush, done };
        jobs.send(job).map_err(|_| died())?;
        waiting.push_back(result);
        while waiting.len() >= most || (after.is_empty() && !waiting.is_empty()) {
            let result = waiting.pop_front().expect("one is waiting");
            to.write_all(&result.recv().map_err(|_| died())??)?;
        }
        if after.is_empty() {
            break;
        }
        block = after;
    }
    to.write_all(&crc.sum().to_le_bytes())?;
    to.write_all(&crc.amount().to_le_bytes())
}

fn next(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK);
    from.take(BLOCK as u64).read_to_end(&mut block)?;
    Ok(block)
}

fn work(queue: &Mutex<Receiver<Job>>, level: Compression) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { block, before, flush, done }) = job else { return };
        // Who does not wait any more has failed.
        let _ = done.send(deflate(&block, before.as_deref().map(Vec::as_slice), flush, level));
    }
}

fn deflate(block: &[u8], before: Option<&[u8]>, flush: FlushCompress, level: Compression) -> io::Result<Vec<u8>> {
    let mut deflate = Compress::new(level, false);
    if let Some(before) = before {
        deflate.set_dictionary(&before[before.len().saturating_sub(WINDOW)..])?;
    }
    let mut out = Vec::with_capacity(block.len() / 2);
    loop {
        let taken = usize::try_from(deflate.total_in()).map_err(io::Error::other)?;
        out.reserve(64 << 10);
        let status = deflate.compress_vec(&block[taken..], &mut out, flush)?;
        let all_in = deflate.total_in() == block.len() as u64;
        // Room that is left says that nothing more was to be written.
        match status {
            Status::StreamEnd => return Ok(out),
            Status::Ok | Status::BufError if all_in && flush == FlushCompress::Sync && out.len() < out.capacity() => {
                return Ok(out);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

fn died() -> io::Error {
    io::Error::other("a thread that compressed has died")
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::disallowed_methods, reason = "bytes made up, and a peer")]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn check(plain: &[u8]) -> Vec<u8> {
        check_at(6, plain)
    }

    fn check_at(level: u8, plain: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        gzip(&mut &plain[..], &mut packed, level).unwrap();
        let (mut back, mut decoder) = (Vec::new(), GzDecoder::new(&packed[..]));
        // Of one member: a decoder that stops after the first sees all.
        decoder.read_to_end(&mut back).unwrap();
        assert!(back == plain, "{} bytes came back as {}", plain.len(), back.len());
        assert!(decoder.into_inner().is_empty(), "something follows the member");
        packed
    }

    #[test]
    fn what_is_packed_comes_back() {
        check(b"");
        check(b"a");
        for len in [BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK] {
            check(&vec![b'x'; len]);
            let mut state = 1u32;
            let random = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            let noise: Vec<u8> = std::iter::repeat_with(random).take(len).collect();
            assert!(check(&noise).len() < len + len / 1000 + 100);
        }
    }

    #[test]
    fn a_level_says_how_hard() {
        let text: Vec<u8> = (0..3 * BLOCK).map(|n| (n / 7 % 61) as u8 ^ (n % 5) as u8).collect();
        let sizes = [0, 1, 9].map(|level| check_at(level, &text).len());
        assert!(sizes[0] >= text.len() && sizes[1] > sizes[2], "{sizes:?}");
    }

    #[test]
    fn the_same_bytes_always() {
        let text: Vec<u8> = (0..3 * BLOCK).map(|n| (n / 7 % 61) as u8).collect();
        assert!(check(&text) == check(&text));
    }

    #[test]
    fn another_program_reads_it() {
        let text: Vec<u8> = (0..3 * BLOCK + 5).map(|n| (n / 11 % 97) as u8).collect();
        let root = testkit::Root::new();
        let path = root.write("x.gz", check(&text));
        let output = std::process::Command::new("gzip").arg("-dc").arg(path).output().unwrap();
        assert!(output.status.success() && output.stdout == text);
    }

    #[test]
    fn an_error_ends_it() {
        struct Broken(usize);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(buffer.len()).ok_or_else(|| io::Error::other("broken"))?;
                Ok(buffer.len())
            }
        }
        assert_eq!(gzip(&mut Broken(3 * BLOCK), &mut io::sink(), 6).unwrap_err().to_string(), "broken");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_bytes_come_back(seed in prop::collection::vec(any::<u8>(), 1..200), len in 0..2 * BLOCK) {
            check(&seed.iter().copied().cycle().take(len).collect::<Vec<_>>());
        }
    }
}
