//! Netlink messages (netlink(7), rtnetlink(7)): written into one buffer, sent at once, answers in order.
//!
//! ```text
//! message    length u32, kind u16, flags u16, sequence u32, port u32 (0), a fixed part, attributes; aligned to 4
//! attribute  length u16, kind u16 (0x8000: made of attributes), value; aligned to 4
//! ```
//!
//! Each message has an end: a question its answer, a list its own end, all else an acknowledgement. What nftables takes it takes in
//! batches, of which only refusals and the last message are answered.

use std::borrow::Cow;
use std::cell::Cell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::stat;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};
use sys::netlink::Family;

use crate::error::NetworkError;

pub(crate) const CREATE: u16 = 0x400;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const REPLACE: u16 = 0x100;
pub(crate) const APPEND: u16 = 0x800;

/// A list of all there is.
const LIST: u16 = 0x300;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
/// A list that changed while it was told.
const INTERRUPTED: u16 = 0x10;
/// The answer to a refused request ends with attributes, and without the request.
const EXPLAINED: u16 = 0x200;
const NESTED: u16 = 0x8000;
const HEADER: usize = 16;
/// What a socket sends at once unless it is told otherwise (net.core.wmem_default), with room for the kernel's own.
const SENT_AT_ONCE: usize = 100 << 10;
/// Twice what the kernel makes of a list at least, and more than any other message has.
const RECEIVED_AT_ONCE: usize = 16 << 10;

/// Messages that are sent together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    start: usize,
    doing: Cow<'static, str>,
    end: End,
}

/// What says that all is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// One reply, or a refusal.
    Reply,
    /// An acknowledgement, a refusal, or the end of a list.
    Word,
}

impl Batch {
    /// Begins an order; `doing` is what the user hears when it is refused.
    pub(crate) fn message(&mut self, kind: u16, flags: u16, fixed: &[u8], doing: impl Into<Cow<'static, str>>) {
        self.messages.push(Message { start: self.bytes.len(), doing: doing.into(), end: End::Word });
        self.begin(kind, REQUEST | ACKNOWLEDGE | flags, fixed);
    }

    /// Begins a question that one message answers.
    pub(crate) fn question(&mut self, kind: u16, fixed: &[u8], doing: impl Into<Cow<'static, str>>) {
        self.messages.push(Message { start: self.bytes.len(), doing: doing.into(), end: End::Reply });
        self.begin(kind, REQUEST, fixed);
    }

    /// Begins a question that a list answers.
    pub(crate) fn list(&mut self, kind: u16, fixed: &[u8], doing: impl Into<Cow<'static, str>>) {
        self.messages.push(Message { start: self.bytes.len(), doing: doing.into(), end: End::Word });
        self.begin(kind, REQUEST | LIST, fixed);
    }

    fn begin(&mut self, kind: u16, flags: u16, fixed: &[u8]) {
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend(fixed);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// An attribute of the message begun last.
    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.align();
    }

    /// A text, which ends with a zero.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        self.put(kind, &[text.as_bytes(), &[0]].concat());
    }

    /// A number in the machine's order: rtnetlink.
    pub(crate) fn number(&mut self, kind: u16, number: u32) {
        self.put(kind, &number.to_ne_bytes());
    }

    /// A number in the network's order: nftables.
    pub(crate) fn big(&mut self, kind: u16, number: u32) {
        self.put(kind, &number.to_be_bytes());
    }

    /// An attribute made of those that `fill` puts.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Batch)) {
        let start = self.bytes.len();
        self.put(kind | NESTED, &[]);
        fill(self);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    /// Bytes between attributes: the fixed part of a message inside of a message.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        self.align();
    }

    /// The bytes of each message with its length and a sequence number, beginning with `first`.
    fn finish(mut self, first: u32) -> (Vec<u8>, Vec<Message>) {
        let ends = self.messages.iter().skip(1).map(|m| m.start).chain([self.bytes.len()]);
        let spans: Vec<(usize, usize)> = self.messages.iter().map(|m| m.start).zip(ends).collect();
        for ((start, end), sequence) in spans.into_iter().zip(first..) {
            let length = u32::try_from(end - start).unwrap_or(u32::MAX);
            self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
            self.bytes[start + 8..start + 12].copy_from_slice(&sequence.to_ne_bytes());
        }
        (self.bytes, self.messages)
    }
}

/// What became of a message.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The kernel's reason to refuse it.
    pub(crate) refusal: Option<Refusal>,
    /// What it told, without headers.
    pub(crate) replies: Vec<Vec<u8>>,
}

/// Why the kernel would not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) doing: Cow<'static, str>,
    pub(crate) errno: Errno,
    /// Its own words.
    pub(crate) words: Option<String>,
}

impl From<Refusal> for NetworkError {
    fn from(refusal: Refusal) -> NetworkError {
        let Refusal { doing, errno, words } = refusal;
        let doing = words.map_or_else(|| doing.to_string(), |words| format!("{doing}: {words}"));
        NetworkError::Kernel(doing, errno.into())
    }
}

/// A socket in one network namespace.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: OwnedFd,
    next: u32,
}

impl Socket {
    /// In the caller's namespace.
    pub(crate) fn open(family: Family) -> Result<Socket, NetworkError> {
        let socket = sys::netlink::socket(family).map_err(failed("opening a netlink socket"))?;
        Ok(Socket::of(socket))
    }

    /// In another.
    pub(crate) fn within(namespace: BorrowedFd<'_>, family: Family) -> Result<Socket, NetworkError> {
        let socket = sys::netns::within(namespace, || sys::netlink::socket(family))
            .map_err(failed("opening a netlink socket in the container's network namespace"))?;
        Ok(Socket::of(socket))
    }

    fn of(socket: OwnedFd) -> Socket {
        Socket { socket, next: 1 }
    }

    /// Sends all messages, which the kernel takes one after the other whether or not those before were refused, and tells what
    /// became of each.
    pub(crate) fn ask(&mut self, batch: Batch) -> Result<Vec<Answer>, NetworkError> {
        if batch.messages.is_empty() {
            return Ok(Vec::new());
        }
        let (first, messages) = self.send(batch)?;
        let mut buffer = vec![0; RECEIVED_AT_ONCE];
        let mut answers: Vec<Answer> = messages.iter().map(|_| Answer::default()).collect();
        let mut open = answers.len();
        while open > 0 {
            self.receive(&mut buffer, |heard| {
                let Some(index) = heard.sequence.checked_sub(first).and_then(|i| usize::try_from(i).ok()) else {
                    return;
                };
                let (Some(answer), Some(message)) = (answers.get_mut(index), messages.get(index)) else { return };
                match heard.what {
                    What::Reply(body) => {
                        answer.replies.push(body.to_vec());
                        open -= usize::from(message.end == End::Reply);
                    }
                    What::End { errno, words } => {
                        answer.refusal = errno.map(|errno| Refusal { doing: message.doing.clone(), errno, words });
                        open -= 1;
                    }
                }
            })?;
        }
        Ok(answers)
    }

    /// The same, where every message must be obeyed, but for the answers in `tolerated`.
    pub(crate) fn tell(&mut self, batch: Batch, tolerated: &[Errno]) -> Result<(), NetworkError> {
        let mut refusals = self.ask(batch)?.into_iter().filter_map(|answer| answer.refusal);
        match refusals.find(|refusal| !tolerated.contains(&refusal.errno)) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        }
    }

    /// Sends a batch of nftables, of which all is done or nothing. With a generation: only if nothing changed since.
    pub(crate) fn commit(
        &mut self,
        batch: Batch,
        generation: Option<u32>,
    ) -> Result<Result<(), Refusal>, NetworkError> {
        let (first, messages) = self.send(framed(batch, generation))?;
        // The last but one: the batch's end is not answered by every kernel.
        let last = messages.len().saturating_sub(2);
        let mut refusal: Option<Refusal> = None;
        let mut buffer = vec![0; RECEIVED_AT_ONCE];
        let mut open = true;
        while open {
            self.receive(&mut buffer, |heard| {
                let Some(index) = heard.sequence.checked_sub(first).and_then(|i| usize::try_from(i).ok()) else {
                    return;
                };
                let (Some(message), What::End { errno, words }) = (messages.get(index), heard.what) else { return };
                if let (Some(errno), None) = (errno, &refusal) {
                    refusal = Some(Refusal { doing: message.doing.clone(), errno, words });
                }
                // A refusal of the beginning is one of the whole: then nothing else is answered.
                open &= index != last && !(index == 0 && errno.is_some());
            })?;
        }
        Ok(refusal.map_or(Ok(()), Err))
    }

    fn send(&mut self, batch: Batch) -> Result<(u32, Vec<Message>), NetworkError> {
        let first = self.next;
        let (bytes, messages) = batch.finish(first);
        self.next += u32::try_from(messages.len()).unwrap_or(u32::MAX);
        let sending = failed("sending to the kernel by netlink");
        if bytes.len() > SENT_AT_ONCE {
            sockopt::set_socket_send_buffer_size_force(&self.socket, bytes.len() * 2).map_err(|e| sending(e.into()))?;
        }
        rustix::io::retry_on_intr(|| send(&self.socket, &bytes, SendFlags::empty())).map_err(|e| sending(e.into()))?;
        Ok((first, messages))
    }

    /// Hears what comes next: one datagram, with one message or several.
    fn receive(&mut self, buffer: &mut [u8], mut hear: impl FnMut(Heard<'_>)) -> Result<(), NetworkError> {
        let hearing = failed("waiting for the kernel's answer by netlink");
        let received = rustix::io::retry_on_intr(|| recv(&self.socket, &mut *buffer, RecvFlags::TRUNC));
        let length = match received {
            Ok((_, length)) if length <= buffer.len() => length,
            Ok(_) => return Err(hearing(Errno::MSGSIZE.into())),
            Err(Errno::AGAIN) => return Err(hearing(Errno::TIMEDOUT.into())),
            Err(errno) => return Err(hearing(errno.into())),
        };
        for heard in Heard::all(&buffer[..length]) {
            hear(heard.map_err(|errno| hearing(errno.into()))?);
        }
        Ok(())
    }
}

thread_local! {
    /// With the number of the namespace it is in.
    static FILTER: Cell<Option<(u64, Socket)>> = const { Cell::new(None) };
}

/// Speaks to the packet filter of the caller's namespace. The socket stays open: whoever closes one after elements were deleted waits until no
/// processor can see these any more, 6 ms and more, which is nobody's business at the end of a container.
pub(crate) fn filter<T>(speak: impl FnOnce(&mut Socket) -> Result<T, NetworkError>) -> Result<T, NetworkError> {
    let namespace =
        stat("/proc/thread-self/ns/net").map_err(|e| failed("looking at our network namespace")(e.into()))?;
    let kept = FILTER.take().filter(|(of, _)| *of == namespace.st_ino);
    let mut socket = match kept {
        Some((_, socket)) => socket,
        None => Socket::open(Family::Filter)?,
    };
    let said = speak(&mut socket)?;
    FILTER.set(Some((namespace.st_ino, socket)));
    Ok(said)
}

/// Puts the messages of nftables between the marks of a batch.
fn framed(batch: Batch, generation: Option<u32>) -> Batch {
    const BEGIN: u16 = 0x10;
    const END: u16 = 0x11;
    /// No family, version 0, and the subsystem in the network's order: nftables.
    const NFTABLES: [u8; 4] = [0, 0, 0, 10];
    let mut all = Batch::default();
    all.messages.push(Message { start: 0, doing: "changing the packet filter's rules".into(), end: End::Word });
    all.begin(BEGIN, REQUEST, &NFTABLES);
    if let Some(generation) = generation {
        all.big(1, generation);
    }
    let offset = all.bytes.len();
    all.bytes.extend(&batch.bytes);
    // Only the last is acknowledged: for the rest, silence is consent.
    let (last, before) = batch.messages.split_last().map_or((None, &[][..]), |(last, before)| (Some(last), before));
    for message in before {
        let flags = offset + message.start + 6;
        all.bytes[flags] &= !u8::try_from(ACKNOWLEDGE).unwrap_or(0);
    }
    let moved = |m: &Message| Message { start: m.start + offset, doing: m.doing.clone(), end: m.end };
    all.messages.extend(before.iter().chain(last).map(moved));
    all.messages.push(Message { start: all.bytes.len(), doing: "".into(), end: End::Word });
    all.begin(END, REQUEST, &NFTABLES);
    all
}

struct Heard<'a> {
    sequence: u32,
    what: What<'a>,
}

enum What<'a> {
    Reply(&'a [u8]),
    End { errno: Option<Errno>, words: Option<String> },
}

impl<'a> Heard<'a> {
    fn all(mut bytes: &'a [u8]) -> impl Iterator<Item = Result<Heard<'a>, Errno>> {
        std::iter::from_fn(move || {
            let length = usize::try_from(number(bytes, 0)?).ok()?;
            if length < HEADER || length > bytes.len() {
                bytes = &[];
                return Some(Err(Errno::BADMSG));
            }
            let (message, rest) = (&bytes[..length], bytes.get(length.next_multiple_of(4)..).unwrap_or_default());
            bytes = rest;
            Some(Heard::one(message))
        })
    }

    fn one(message: &'a [u8]) -> Result<Heard<'a>, Errno> {
        let (kind, flags) = (short(message, 4).unwrap_or(0), short(message, 6).unwrap_or(0));
        let body = &message[HEADER..];
        let sequence = number(message, 8).unwrap_or(0);
        if flags & INTERRUPTED != 0 {
            return Err(Errno::INTR);
        }
        let what = match kind {
            ERROR | DONE => {
                let code = number(body, 0).map_or(0, |code| i32::from_ne_bytes(code.to_ne_bytes()));
                let errno = (code < 0).then(|| Errno::from_raw_os_error(-code));
                // Behind the number and, of a refusal, the header of what was refused.
                let tail = if kind == ERROR { 4 + HEADER } else { 4 };
                let told = body.get(tail..).filter(|_| flags & EXPLAINED != 0).unwrap_or_default();
                let words = attributes(told).find(|(kind, _)| *kind == 1).map(|(_, text)| string(text));
                What::End { errno, words }
            }
            OVERRUN => return Err(Errno::NOBUFS),
            _ => What::Reply(body),
        };
        Ok(Heard { sequence, what })
    }
}

/// The attributes in a piece of a message.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(short(bytes, 0)?);
        let kind = short(bytes, 2)? & !(NESTED | 0x4000);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a kind.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

/// A text without the zero at its end.
pub(crate) fn string(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// The number at a place, in the machine's order.
pub(crate) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn failed(doing: &'static str) -> impl Fn(io::Error) -> NetworkError {
    move |error| NetworkError::Kernel(doing.into(), error)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.chunks(16).fold(String::new(), |mut text, line| {
            line.chunks(4).for_each(|word| {
                word.iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
                text.push(' ');
            });
            text.truncate(text.trim_end().len());
            text + "\n"
        })
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn the_bytes_of_messages_are_these() {
        let mut batch = Batch::default();
        batch.message(16, CREATE | EXCLUSIVE, &[0; 16], "making");
        batch.text(3, "br-a");
        batch.nest(18, |batch| {
            batch.text(1, "bridge");
            batch.number(2, 7);
            batch.big(2, 7);
        });
        batch.question(18, &[0; 4], "asking");
        batch.list(18, &[0; 4], "listing");
        let (bytes, _) = batch.finish(5);
        expect![[r#"
            4c000000 10000506 05000000 00000000
            00000000 00000000 00000000 00000000
            09000300 62722d61 00000000 20001280
            0b000100 62726964 67650000 08000200
            07000000 08000200 00000007 14000000
            12000100 06000000 00000000 00000000
            14000000 12000103 07000000 00000000
            00000000
        "#]]
        .assert_eq(&hex(&bytes));
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn a_batch_is_framed_and_its_last_message_alone_is_acknowledged() {
        let mut batch = Batch::default();
        batch.message(0x0a00, CREATE, &[1, 0, 0, 0], "one");
        batch.message(0x0a00, CREATE, &[1, 0, 0, 0], "two");
        let (bytes, messages) = framed(batch, Some(9)).finish(1);
        assert_eq!(messages[1].doing, "one");
        expect![[r#"
            1c000000 10000100 01000000 00000000
            0000000a 08000100 00000009 14000000
            000a0104 02000000 00000000 01000000
            14000000 000a0504 03000000 00000000
            01000000 14000000 11000100 04000000
            00000000 0000000a
        "#]]
        .assert_eq(&hex(&bytes));
    }

    #[test]
    fn a_refusal_has_the_kernels_words() {
        let mut socket = Socket::open(Family::Route).unwrap();
        let mut batch = Batch::default();
        batch.message(16, CREATE, &[0; 16], "making nonsense");
        batch.nest(18, |batch| batch.text(1, "nonsense"));
        batch.question(18, &[0; 16], "asking for nothing");
        let answers = socket.ask(batch).unwrap();
        let refusal = answers[0].refusal.clone().unwrap();
        assert_eq!(refusal.errno, Errno::OPNOTSUPP);
        assert_eq!(NetworkError::from(refusal).to_string(), "making nonsense: Unknown device type");
        assert!(answers[1].refusal.is_some());
    }

    #[test]
    fn no_bytes_from_the_kernel_make_us_panic_or_loop() {
        let mut state = 1_u32;
        for length in 0..600 {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // Small numbers, so that lengths fit at times.
                    (state >> 24) as u8 & if state & 0x100 == 0 { 0x1f } else { 0xff }
                })
                .collect();
            assert!(attributes(&bytes).count() <= length / 4 + 1);
            assert!(Heard::all(&bytes).take(1000).count() < 1000);
        }
    }
}
