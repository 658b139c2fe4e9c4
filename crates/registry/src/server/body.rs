//! Bodies that go out. A blob is sent in large pieces, the next of which is read while one is written; no thread waits for a slow
//! client.

use std::fs::File;
use std::future::Future as _;
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use rustix::buffer::spare_capacity;
use tokio::task::JoinHandle;

use super::coming::Arriving;
use super::log::Line;
use super::storage::{Blob, Content};

/// Large enough that a system call and a change of thread do not count, small enough for many slow clients at once: each holds two.
pub(super) const PIECE: usize = 256 << 10;

/// What is sent, and the line of the log that is written when it was.
pub(super) struct Body {
    source: Source,
    line: Option<Line>,
}

enum Source {
    Bytes(Bytes),
    Blob(Reading),
    Arriving(Arriving),
}

impl Body {
    pub(super) fn empty() -> Body {
        Body::bytes(Vec::new())
    }

    pub(super) fn bytes(bytes: Vec<u8>) -> Body {
        Body { source: Source::Bytes(bytes.into()), line: None }
    }

    /// So many bytes of a blob, from an offset on.
    pub(super) fn blob(blob: Blob, offset: u64, length: u64) -> Body {
        if length == 0 {
            return Body::empty();
        }
        let first = tokio::task::spawn_blocking(move || Reader::open(blob.content, offset)?.piece(length));
        Body { source: Source::Blob(Reading { next: first, left: length }), line: None }
    }

    /// What another registry sends.
    pub(super) fn arriving(arriving: Arriving) -> Body {
        Body { source: Source::Arriving(arriving), line: None }
    }

    pub(super) fn logged(self, line: Line) -> Body {
        Body { line: Some(line), ..self }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = match &mut self.source {
            Source::Bytes(bytes) if bytes.is_empty() => None,
            Source::Bytes(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Blob(reading) => ready!(reading.poll_piece(cx)),
            Source::Arriving(arriving) => ready!(arriving.poll_piece(cx)),
        };
        if let (Some(line), Some(Ok(bytes))) = (&mut self.line, &piece) {
            line.sent(bytes.len());
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Bytes(bytes) => bytes.is_empty(),
            Source::Blob(reading) => reading.left == 0,
            Source::Arriving(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Blob(reading) => SizeHint::with_exact(reading.left),
            Source::Arriving(arriving) => SizeHint::with_exact(arriving.left()),
        }
    }
}

/// A blob half sent.
struct Reading {
    next: JoinHandle<io::Result<(Reader, Bytes)>>,
    left: u64,
}

impl Reading {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let read = ready!(Pin::new(&mut self.next).poll(cx)).unwrap_or_else(|panic| Err(io::Error::other(panic)));
        let (reader, bytes) = match read {
            Ok(read) => read,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if self.left > 0 {
            let left = self.left;
            self.next = tokio::task::spawn_blocking(move || reader.piece(left));
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

enum Reader {
    File { file: File, at: u64 },
    Made(Box<dyn Read + Send>),
}

impl Reader {
    fn open(content: Content, offset: u64) -> io::Result<Reader> {
        match content {
            Content::File(file) => Ok(Reader::File { file, at: offset }),
            Content::Made(open) => open(offset).map(Reader::Made),
        }
    }

    /// The next bytes, at least one and at most `left`.
    fn piece(mut self, left: u64) -> io::Result<(Reader, Bytes)> {
        let size = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let mut piece = Vec::with_capacity(size);
        match &mut self {
            // Into memory that nobody cleared first.
            Reader::File { file, at } => *at += rustix::io::pread(&*file, spare_capacity(&mut piece), *at)? as u64,
            Reader::Made(reader) => {
                // `read_to_end` would begin with small reads in each piece.
                piece.resize(size, 0);
                let mut filled = 0;
                while filled < size {
                    match reader.read(&mut piece[filled..])? {
                        0 => break,
                        n => filled += n,
                    }
                }
                piece.truncate(filled);
            }
        }
        // The length was promised.
        if piece.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((self, piece.into()))
    }
}
