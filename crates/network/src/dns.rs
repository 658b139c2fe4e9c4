//! Messages of the domain name system (RFC 1035): as much as a resolver needs that answers for containers and passes the rest on.
//! Pure, and safe against any bytes: what is read moves forwards only, and no pointer is followed, since nothing behind one is needed.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The header: identifier, flags, four counts.
const HEADER_BYTES: usize = 12;
/// The longest name, with the lengths of its labels (RFC 1035, 2.3.4).
const NAME_BYTES: usize = 255;
const LABEL_BYTES: usize = 63;
/// What every asker takes in a datagram.
const DATAGRAM_BYTES: u16 = 512;
/// The most that fits into a datagram.
const LONGEST_DATAGRAM_BYTES: u16 = 65_507;
/// Seconds an answer may be kept: none, addresses of containers change (moby says 600, and applications wait as long after a restart).
const TTL: u32 = 0;

const RESPONSE: u16 = 1 << 15;
const OPCODE: u16 = 0xf << 11;
const TRUNCATED: u16 = 1 << 9;
const RECURSION_DESIRED: u16 = 1 << 8;
const RECURSION_AVAILABLE: u16 = 1 << 7;
const CODE: u16 = 0xf;

/// IPv4 address.
pub const A: u16 = 1;
/// IPv6 address.
pub const AAAA: u16 = 28;
/// Name of an address.
pub const PTR: u16 = 12;
const OPT: u16 = 41;
const IXFR: u16 = 251;
const AXFR: u16 = 252;
const INTERNET: u16 = 1;

/// What an answer says of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "RFC 1035's names")]
pub enum Code {
    NoError = 0,
    FormatError = 1,
    ServerFailure = 2,
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,
}

/// One thing that is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// For [`A`] or [`AAAA`].
    Address(IpAddr),
    /// For [`PTR`]; with dots.
    Name(String),
}

/// A question, as a client asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// By which the client knows the answer.
    pub id: u16,
    flags: u16,
    /// Name, type and class, byte for byte: an answer repeats the case of letters, by which some clients know their own questions.
    question: Vec<u8>,
    /// The name: lower case, without the last dot. Bytes that no host name has are written so that they match none (`\046`).
    pub name: String,
    /// [`A`] and so on.
    pub kind: u16,
    class: u16,
    /// How long a datagram the client takes, if it speaks EDNS (RFC 6891).
    edns_bytes: Option<u16>,
}

/// What is done with bytes that are no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// Too short to be answered, or themselves an answer.
    Ignored,
    /// This is said.
    Answered(Vec<u8>),
}

impl Query {
    /// Reads what a client sent.
    ///
    /// # Errors
    /// [`Unasked`].
    pub fn parse(bytes: &[u8]) -> Result<Query, Unasked> {
        let Some(header) = Header::parse(bytes).filter(|header| header.flags & RESPONSE == 0) else {
            return Err(Unasked::Ignored);
        };
        let refuse = |code| Err(Unasked::Answered(header.alone(code)));
        if header.flags & OPCODE != 0 {
            return refuse(Code::NotImplemented);
        }
        let mut reader = Reader { bytes, at: HEADER_BYTES };
        let (1, Some((name, kind, class))) = (header.counts[0], reader.question()) else {
            return refuse(Code::FormatError);
        };
        // Whole zones come in many messages.
        if [IXFR, AXFR].contains(&kind) {
            return refuse(Code::NotImplemented);
        }
        let question = bytes[HEADER_BYTES..reader.at].to_vec();
        let mut edns_bytes = None;
        for _ in 0..header.others() {
            match reader.record() {
                Some(record) if record.kind == OPT => edns_bytes = Some(record.class),
                Some(_) => {}
                None => return refuse(Code::FormatError),
            }
        }
        Ok(Query { id: header.id, flags: header.flags, question, name, kind, class, edns_bytes })
    }

    /// A question, for tests.
    #[cfg(test)]
    pub(crate) fn of(name: &str, kind: u16) -> Query {
        let bytes = tests::asked(name, kind, None);
        Query::parse(&bytes).expect("a question")
    }

    /// Whether it is about the internet, as all but a few oddities are.
    #[must_use]
    pub fn is_internet(&self) -> bool {
        self.class == INTERNET
    }

    /// How long a datagram may be that answers it.
    #[must_use]
    pub fn datagram_bytes(&self) -> usize {
        self.edns_bytes.map_or(DATAGRAM_BYTES, |bytes| bytes.clamp(DATAGRAM_BYTES, LONGEST_DATAGRAM_BYTES)).into()
    }

    /// The address that a [`PTR`] question is about.
    #[must_use]
    pub fn reversed(&self) -> Option<IpAddr> {
        if self.kind != PTR {
            return None;
        }
        if let Some(labels) = self.name.strip_suffix(".in-addr.arpa") {
            let mut bytes = [0_u8; 4];
            let mut labels = labels.split('.');
            for byte in bytes.iter_mut().rev() {
                *byte = labels.next()?.parse().ok()?;
            }
            return labels.next().is_none().then(|| Ipv4Addr::from(bytes).into());
        }
        let labels = self.name.strip_suffix(".ip6.arpa")?;
        let mut number = 0_u128;
        let mut labels = labels.split('.');
        for shift in 0..32 {
            let digit = labels.next().filter(|label| label.len() == 1)?;
            number |= u128::from(u8::from_str_radix(digit, 16).ok()?) << (4 * shift);
        }
        labels.next().is_none().then(|| Ipv6Addr::from(number).into())
    }

    /// An answer of at most `limit` bytes. One that does not fit says so (TC) and has no records: the client asks again by TCP.
    #[must_use]
    pub fn answer(&self, code: Code, records: &[Record], limit: usize) -> Vec<u8> {
        let flags = RESPONSE | RECURSION_AVAILABLE | (self.flags & RECURSION_DESIRED) | code as u16;
        let mut body = Vec::new();
        let mut count = 0_u16;
        for record in records {
            if record.write(&mut body).is_some() {
                count = count.saturating_add(1);
            }
        }
        let opt_bytes = if self.edns_bytes.is_some() { 11 } else { 0 };
        let fits = HEADER_BYTES + self.question.len() + body.len() + opt_bytes <= limit;
        let (flags, count) = if fits { (flags, count) } else { (flags | TRUNCATED, 0) };
        let header = Header { id: self.id, flags, counts: [1, count, 0, u16::from(self.edns_bytes.is_some())] };
        let mut bytes = header.bytes().to_vec();
        bytes.extend(&self.question);
        if fits {
            bytes.extend(body);
        }
        if self.edns_bytes.is_some() {
            bytes.extend([0]);
            bytes.extend(OPT.to_be_bytes());
            bytes.extend(DATAGRAM_BYTES.to_be_bytes());
            bytes.extend([0; 6]);
        }
        bytes
    }
}

impl Record {
    /// Everything is about the name in the question: a pointer to it. None: the name is none.
    fn write(&self, bytes: &mut Vec<u8>) -> Option<()> {
        let (kind, value) = match self {
            Record::Address(IpAddr::V4(address)) => (A, address.octets().to_vec()),
            Record::Address(IpAddr::V6(address)) => (AAAA, address.octets().to_vec()),
            Record::Name(name) => (PTR, encode_name(name)?),
        };
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend(INTERNET.to_be_bytes());
        bytes.extend(TTL.to_be_bytes());
        bytes.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        bytes.extend(value);
        Some(())
    }
}

fn encode_name(name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        let length =
            u8::try_from(label.len()).ok().filter(|length| (1..=LABEL_BYTES).contains(&usize::from(*length)))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    (bytes.len() <= NAME_BYTES).then_some(bytes)
}

/// The same message under another identifier.
pub fn rename(bytes: &mut [u8], id: u16) {
    if let Some(first) = bytes.first_chunk_mut() {
        *first = id.to_be_bytes();
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whether another server may know better: it failed or refused.
    pub is_failure: bool,
    /// All addresses among the answers.
    pub addresses: Vec<IpAddr>,
}

impl Reply {
    /// Reads what may be the answer to `query` as it was asked under `id`; none: it is not. An answer without any question says only that
    /// something is wrong, as servers do that could not read it.
    #[must_use]
    pub fn to(query: &Query, id: u16, bytes: &[u8]) -> Option<Reply> {
        let header = Header::parse(bytes).filter(|header| header.flags & RESPONSE != 0 && header.id == id)?;
        let code = header.flags & CODE;
        let mut reader = Reader { bytes, at: HEADER_BYTES };
        match header.counts[0] {
            0 if code != Code::NoError as u16 => {}
            1 => {
                reader.question()?;
                // Names are ASCII letters of either case; type and class have no letters that could be confused.
                let (name, kind) = query.question.split_at(query.question.len() - 4);
                let (its_name, its_kind) = bytes[HEADER_BYTES..reader.at].split_at_checked(name.len())?;
                if !its_name.eq_ignore_ascii_case(name) || its_kind != kind {
                    return None;
                }
            }
            _ => return None,
        }
        let is_failure = [Code::ServerFailure as u16, Code::Refused as u16].contains(&code);
        let mut addresses = Vec::new();
        for _ in 0..header.counts[1] {
            // The client sees the rest as it is.
            let Some(record) = reader.record() else { break };
            if record.class == INTERNET {
                addresses.extend(record.address());
            }
        }
        Some(Reply { is_failure, addresses })
    }
}

#[derive(Clone, Copy)]
struct Header {
    id: u16,
    flags: u16,
    /// Questions, answers, authorities, additional records.
    counts: [u16; 4],
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Header> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let word = |n: usize| u16::from_be_bytes([header[2 * n], header[2 * n + 1]]);
        Some(Header { id: word(0), flags: word(1), counts: [2, 3, 4, 5].map(word) })
    }

    fn bytes(self) -> [u8; HEADER_BYTES] {
        let [a, b, c, d] = self.counts;
        let mut bytes = [0; HEADER_BYTES];
        for (to, word) in bytes.chunks_exact_mut(2).zip([self.id, self.flags, a, b, c, d]) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    /// How many records follow the questions.
    fn others(self) -> u32 {
        self.counts[1..].iter().map(|count| u32::from(*count)).sum()
    }

    /// An answer without a question, to what could not be read.
    fn alone(self, code: Code) -> Vec<u8> {
        let flags = RESPONSE | (self.flags & (OPCODE | RECURSION_DESIRED)) | code as u16;
        Header { id: self.id, flags, counts: [0; 4] }.bytes().to_vec()
    }
}

/// Goes forwards through a message.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A record, without its name.
struct Resource<'a> {
    kind: u16,
    class: u16,
    value: &'a [u8],
}

impl Resource<'_> {
    fn address(&self) -> Option<IpAddr> {
        match self.kind {
            A => <[u8; 4]>::try_from(self.value).ok().map(IpAddr::from),
            AAAA => <[u8; 16]>::try_from(self.value).ok().map(IpAddr::from),
            _ => None,
        }
    }
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..)?.get(..length)?;
        self.at += length;
        Some(taken)
    }

    fn word(&mut self) -> Option<u16> {
        self.take(2).and_then(|word| word.first_chunk()).map(|word| u16::from_be_bytes(*word))
    }

    /// A question's name, type and class. Nothing stands before the first name that it could point to.
    fn question(&mut self) -> Option<(String, u16, u16)> {
        let start = self.at;
        let mut name = String::new();
        loop {
            let length = usize::from(self.take(1)?[0]);
            if length == 0 {
                break;
            }
            if length > LABEL_BYTES || self.at + length - start >= NAME_BYTES {
                return None;
            }
            if !name.is_empty() {
                name.push('.');
            }
            for byte in self.take(length)? {
                match byte.to_ascii_lowercase() {
                    byte @ (b'!'..=b'~') if !b".\\/".contains(&byte) => name.push(byte.into()),
                    // Writing to a String cannot fail.
                    byte => drop(write!(name, "\\{byte:03}")),
                }
            }
        }
        Some((name, self.word()?, self.word()?))
    }

    fn record(&mut self) -> Option<Resource<'a>> {
        loop {
            match self.take(1)?[0] {
                0 => break,
                // A pointer ends a name.
                0xc0.. => {
                    self.take(1)?;
                    break;
                }
                length if usize::from(length) <= LABEL_BYTES => drop(self.take(length.into())?),
                _ => return None,
            }
        }
        let (kind, class) = (self.word()?, self.word()?);
        self.take(4)?;
        let length = self.word()?;
        Some(Resource { kind, class, value: self.take(length.into())? })
    }
}

/// What fuzzers feed with bytes: they are read as a question and as an answer to one.
pub fn fuzz(bytes: &[u8]) {
    match Query::parse(bytes) {
        Ok(query) => {
            let records = [Record::Address(Ipv6Addr::LOCALHOST.into()), Record::Name(query.name.clone())];
            let answer = query.answer(Code::NoError, &records, query.datagram_bytes());
            assert!(answer.len() <= query.datagram_bytes() && Reply::to(&query, query.id, &answer).is_some());
        }
        Err(Unasked::Ignored) => {}
        Err(Unasked::Answered(answer)) => assert_eq!(Query::parse(&answer), Err(Unasked::Ignored)),
    }
    let question = vec![1, b'a', 0, 0, 1, 0, 1];
    let any = Query { id: 0, flags: 0, question, name: "a".into(), kind: A, class: INTERNET, edns_bytes: None };
    let _ = Reply::to(&any, 0, bytes);
}

#[cfg(test)]
pub(crate) mod tests;
