//! As much of D-Bus as asking systemd for a scope needs (dbus.freedesktop.org/doc/dbus-specification.html): a Unix socket, SASL EXTERNAL,
//! little-endian messages with the few types below. Blocking, with a limit on how long it waits.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Docker waits as long for a unit (opencontainers/cgroups, startUnit).
const PATIENCE: Duration = Duration::from_secs(30);
/// The specification allows 128 MiB; what we ask for is answered in far less.
const MAX_BYTES: usize = 1 << 20;

/// Why nothing came of a call.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Of the socket; `WouldBlock` when no answer came in time.
    #[error("speaking to the system bus")]
    Io(#[from] io::Error),
    /// The bus does not take us for who we are.
    #[error("the system bus refused us: {0}")]
    Refused(String),
    /// Not D-Bus.
    #[error("the system bus sent what it should not: {0}")]
    Malformed(&'static str),
    /// The other side answered with an error.
    #[error("{name}: {text}")]
    Answer {
        /// `org.freedesktop.systemd1.UnitExists`.
        name: String,
        /// For people.
        text: String,
    },
    /// A job of systemd did not end well.
    #[error("systemd's job ended as {0:?}")]
    Job(String),
}

/// A value in a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    U64(u64),
    Text(String),
    U32s(Vec<u32>),
    Bytes(Vec<u8>),
}

/// A method call.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: Body,
}

/// Values one after the other, aligned as D-Bus wants it.
#[derive(Clone, Debug, Default)]
pub(super) struct Body(Vec<u8>);

impl Body {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Body {
        self.align(4);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bool(&mut self, value: bool) -> &mut Body {
        self.u32(u32::from(value))
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Body {
        self.length(text.len()).0.extend(text.as_bytes());
        self.0.push(0);
        self
    }

    fn length(&mut self, length: usize) -> &mut Body {
        self.u32(u32::try_from(length).expect("messages are small"))
    }

    fn signature(&mut self, signature: &str) {
        self.0.push(u8::try_from(signature.len()).expect("signatures are literals"));
        self.0.extend(signature.as_bytes());
        self.0.push(0);
    }

    /// An array whose elements begin at multiples of `align`; its length is known only when they are written.
    fn array(&mut self, align: usize, write: impl FnOnce(&mut Body)) {
        self.u32(0);
        let at = self.0.len() - 4;
        self.align(align);
        let begin = self.0.len();
        write(self);
        let length = u32::try_from(self.0.len() - begin).expect("messages are small");
        self.0.splice(at..at + 4, length.to_le_bytes());
    }

    /// `v`.
    fn variant(&mut self, value: &Value) {
        match value {
            Value::Bool(value) => {
                self.signature("b");
                self.bool(*value);
            }
            Value::U64(value) => {
                self.signature("t");
                self.align(8);
                self.0.extend(value.to_le_bytes());
            }
            Value::Text(value) => {
                self.signature("s");
                self.text(value);
            }
            Value::U32s(values) => {
                self.signature("au");
                self.array(4, |body| {
                    for value in values {
                        body.u32(*value);
                    }
                });
            }
            Value::Bytes(bytes) => {
                self.signature("ay");
                self.array(1, |body| body.0.extend(bytes));
            }
        }
    }

    /// `a(sv)`.
    pub(super) fn properties(&mut self, properties: &[(&str, Value)]) -> &mut Body {
        self.array(8, |body| {
            for (name, value) in properties {
                body.align(8);
                body.text(name).variant(value);
            }
        });
        self
    }

    /// An empty `a(sa(sv))`.
    pub(super) fn no_units(&mut self) -> &mut Body {
        self.array(8, |_| {});
        self
    }
}

const CALL: u8 = 1;
const REPLY: u8 = 2;
const ERROR: u8 = 3;

/// The bytes of a call.
fn encode(serial: u32, call: &Call<'_>) -> Vec<u8> {
    let mut message = Body(vec![b'l', CALL, 0, 1]);
    message.length(call.body.0.len()).u32(serial);
    let fields = [(1, "o", call.path), (2, "s", call.interface), (3, "s", call.member), (6, "s", call.destination)];
    message.array(8, |message| {
        for (code, signature, value) in fields {
            message.align(8);
            message.0.push(code);
            message.signature(signature);
            message.text(value);
        }
        if !call.signature.is_empty() {
            message.align(8);
            message.0.push(8);
            message.signature("g");
            message.signature(call.signature);
        }
    });
    message.align(8);
    message.0.extend(&call.body.0);
    message.0
}

/// What came in, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    kind: u8,
    pub(super) reply_to: u32,
    pub(super) member: String,
    error: String,
    signature: String,
    body: Vec<u8>,
}

impl Message {
    /// The texts of the body (types s and o), numbers left out.
    pub(super) fn texts(&self) -> Result<Vec<String>, BusError> {
        let mut reader = Reader { bytes: &self.body, at: 0 };
        let mut texts = Vec::new();
        for kind in self.signature.chars() {
            match kind {
                's' | 'o' => texts.push(reader.text()?),
                'u' => drop(reader.u32()?),
                _ => break,
            }
        }
        Ok(texts)
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BusError> {
        let end = self.at.checked_add(count).ok_or(BusError::Malformed("a length"))?;
        let bytes = self.bytes.get(self.at..end).ok_or(BusError::Malformed("a length"))?;
        self.at = end;
        Ok(bytes)
    }

    fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    fn u8(&mut self) -> Result<u8, BusError> {
        Ok(self.take(1)?.iter().sum())
    }

    fn u32(&mut self) -> Result<u32, BusError> {
        self.align(4);
        let bytes = self.take(4)?.try_into().map_err(|_| BusError::Malformed("a number"))?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn string(&mut self, length: usize) -> Result<String, BusError> {
        let text = str::from_utf8(self.take(length)?).map_err(|_| BusError::Malformed("a text"))?.to_owned();
        self.take(1)?;
        Ok(text)
    }

    fn text(&mut self) -> Result<String, BusError> {
        let length = usize::try_from(self.u32()?).map_err(|_| BusError::Malformed("a length"))?;
        self.string(length)
    }

    fn signature(&mut self) -> Result<String, BusError> {
        let length = usize::from(self.u8()?);
        self.string(length)
    }
}

/// Reads one message.
fn decode(from: &mut impl Read) -> Result<Message, BusError> {
    let mut head = [0; 16];
    from.read_exact(&mut head)?;
    if head[0] != b'l' {
        return Err(BusError::Malformed("byte order"));
    }
    let mut reader = Reader { bytes: &head, at: 4 };
    let body = reader.u32()?;
    reader.u32()?;
    let fields = reader.u32()?;
    let size =
        |length: u32| usize::try_from(length).ok().filter(|l| *l <= MAX_BYTES).ok_or(BusError::Malformed("a size"));
    let (body, fields) = (size(body)?, size(fields)?);
    let mut bytes = vec![0; fields.next_multiple_of(8) + body];
    from.read_exact(&mut bytes)?;
    let mut message =
        Message { kind: head[1], body: bytes.split_off(fields.next_multiple_of(8)), ..Message::default() };
    let mut reader = Reader { bytes: bytes.get(..fields).unwrap_or_default(), at: 0 };
    while reader.at < fields {
        let code = reader.u8()?;
        match (code, reader.signature()?.as_str()) {
            (3, "s") => message.member = reader.text()?,
            (4, "s") => message.error = reader.text()?,
            (5, "u") => message.reply_to = reader.u32()?,
            (8, "g") => message.signature = reader.signature()?,
            (_, "s" | "o") => drop(reader.text()?),
            (_, "g") => drop(reader.signature()?),
            (_, "u") => drop(reader.u32()?),
            _ => return Err(BusError::Malformed("a header field")),
        }
        reader.align(8);
    }
    Ok(message)
}

/// A connection.
#[derive(Debug)]
pub(super) struct Bus {
    stream: BufReader<UnixStream>,
    serial: u32,
}

impl Bus {
    /// Connects and says hello.
    pub(super) fn connect(path: &Path) -> Result<Bus, BusError> {
        Bus::over(UnixStream::connect(path)?)
    }

    fn over(stream: UnixStream) -> Result<Bus, BusError> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut bus = Bus { stream: BufReader::new(stream), serial: 0 };
        // The user id in hex of its decimal digits.
        let uid: String =
            rustix::process::geteuid().as_raw().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        bus.stream.get_mut().write_all(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes())?;
        let mut answer = String::new();
        bus.stream.by_ref().take(4096).read_line(&mut answer)?;
        if !answer.starts_with("OK ") {
            return Err(BusError::Refused(answer.trim().to_owned()));
        }
        bus.stream.get_mut().write_all(b"BEGIN\r\n")?;
        bus.call(&Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "Hello",
            signature: "",
            body: Body::default(),
        })?;
        Ok(bus)
    }

    /// Asks for the signals that meet a rule.
    pub(super) fn add_match(&mut self, rule: &str) -> Result<(), BusError> {
        let mut body = Body::default();
        body.text(rule);
        self.call(&Call {
            destination: "org.freedesktop.DBus",
            path: "/org/freedesktop/DBus",
            interface: "org.freedesktop.DBus",
            member: "AddMatch",
            signature: "s",
            body,
        })
        .map(drop)
    }

    /// Calls and waits for the answer. Signals that come before it are dropped: what they tell can only follow from the answer.
    pub(super) fn call(&mut self, call: &Call<'_>) -> Result<Message, BusError> {
        self.serial += 1;
        let bytes = encode(self.serial, call);
        self.stream.get_mut().write_all(&bytes)?;
        loop {
            let message = self.next()?;
            if message.reply_to != self.serial {
                continue;
            }
            match message.kind {
                REPLY => return Ok(message),
                ERROR => {
                    let text = message.texts()?.into_iter().next().unwrap_or_default();
                    return Err(BusError::Answer { name: message.error, text });
                }
                _ => {}
            }
        }
    }

    /// The next message of any kind.
    pub(super) fn next(&mut self) -> Result<Message, BusError> {
        decode(&mut self.stream)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        let chunk = |chunk: &[u8]| {
            let hex: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
            let text: String = chunk.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
            format!("{:<47}  {text}\n", hex.join(" "))
        };
        bytes.chunks(16).map(chunk).collect()
    }

    #[test]
    fn a_call_has_the_bytes_of_the_specification() {
        let mut body = Body::default();
        body.text("a.scope").text("fail").properties(&[
            ("PIDs", Value::U32s(vec![7])),
            ("Delegate", Value::Bool(true)),
            ("MemoryMax", Value::U64(1 << 20)),
            ("AllowedCPUs", Value::Bytes(vec![5])),
        ]);
        body.no_units();
        let call =
            Call { destination: "d.e", path: "/p", interface: "i.f", member: "M", signature: "ssa(sv)a(sa(sv))", body };
        expect![[r#"
            6c 01 00 01 90 00 00 00 02 00 00 00 56 00 00 00  l...........V...
            01 01 6f 00 02 00 00 00 2f 70 00 00 00 00 00 00  ..o...../p......
            02 01 73 00 03 00 00 00 69 2e 66 00 00 00 00 00  ..s.....i.f.....
            03 01 73 00 01 00 00 00 4d 00 00 00 00 00 00 00  ..s.....M.......
            06 01 73 00 03 00 00 00 64 2e 65 00 00 00 00 00  ..s.....d.e.....
            08 01 67 00 10 73 73 61 28 73 76 29 61 28 73 61  ..g..ssa(sv)a(sa
            28 73 76 29 29 00 00 00 07 00 00 00 61 2e 73 63  (sv)).......a.sc
            6f 70 65 00 04 00 00 00 66 61 69 6c 00 00 00 00  ope.....fail....
            69 00 00 00 00 00 00 00 04 00 00 00 50 49 44 73  i...........PIDs
            00 02 61 75 00 00 00 00 04 00 00 00 07 00 00 00  ..au............
            08 00 00 00 44 65 6c 65 67 61 74 65 00 01 62 00  ....Delegate..b.
            01 00 00 00 00 00 00 00 09 00 00 00 4d 65 6d 6f  ............Memo
            72 79 4d 61 78 00 01 74 00 00 00 00 00 00 00 00  ryMax..t........
            00 00 10 00 00 00 00 00 0b 00 00 00 41 6c 6c 6f  ............Allo
            77 65 64 43 50 55 73 00 02 61 79 00 01 00 00 00  wedCPUs..ay.....
            05 00 00 00 00 00 00 00                          ........
        "#]]
        .assert_eq(&hex(&encode(2, &call)));
    }

    #[test]
    fn the_bus_is_greeted_called_and_heard() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let bus = std::thread::spawn(move || {
            let mut stream = BufReader::new(theirs);
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            assert_eq!(line, "\0AUTH EXTERNAL 30\r\n");
            stream.get_mut().write_all(b"OK 1234\r\n").unwrap();
            line.clear();
            stream.read_line(&mut line).unwrap();
            assert_eq!(line, "BEGIN\r\n");
            for serial in 1..=2_u8 {
                let call = decode(&mut stream).unwrap();
                assert_eq!((call.kind, call.member.as_str()), (CALL, if serial == 1 { "Hello" } else { "AddMatch" }));
                let kind = if serial == 1 { REPLY } else { ERROR };
                let mut answer = Body(vec![b'l', kind, 0, 1]);
                let mut body = Body::default();
                body.text("no");
                answer.length(body.0.len()).u32(9).array(8, |answer| {
                    answer.0.push(5);
                    answer.signature("u");
                    answer.u32(u32::from(serial)).align(8);
                    answer.0.push(4);
                    answer.signature("s");
                    answer.text("e.r").align(8);
                    answer.0.push(8);
                    answer.signature("g");
                    answer.signature("s");
                });
                answer.align(8);
                answer.0.extend(body.0);
                stream.get_mut().write_all(&answer.0).unwrap();
            }
        });
        let mut ours = Bus::over(ours).unwrap();
        expect!["e.r: no"].assert_eq(&ours.add_match("x").unwrap_err().to_string());
        bus.join().unwrap();
    }

    /// The judge of the codec: a bus that others wrote, with nothing on it but us.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the reference implementation is a program")]
    fn a_real_bus_understands_us() {
        let dir = std::env::temp_dir().join(format!("kist-dbus-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let socket = dir.join("bus");
        let address = format!("--address=unix:path={}", socket.display());
        let daemon = std::process::Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address", &address])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn();
        if let Ok(mut daemon) = daemon {
            // It listens once it has printed its address.
            let mut line = String::new();
            BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let mut bus = Bus::connect(&socket).unwrap();
            bus.add_match("type='signal',member='JobRemoved'").unwrap();
            let mut body = Body::default();
            body.text("a.scope").text("replace").properties(&[
                ("PIDs", Value::U32s(vec![7])),
                ("MemoryMax", Value::U64(1 << 20)),
                ("Delegate", Value::Bool(true)),
                ("Slice", Value::Text("x.slice".into())),
                ("AllowedCPUs", Value::Bytes(vec![5, 6, 7])),
            ]);
            body.no_units();
            let call = Call {
                destination: "org.kist.Nobody",
                path: "/org/kist",
                interface: "org.kist.Nobody",
                member: "StartTransientUnit",
                signature: "ssa(sv)a(sa(sv))",
                body,
            };
            // dbus-daemon validates each message whole, and hangs up on one that is malformed.
            match bus.call(&call) {
                Err(BusError::Answer { name, .. }) => assert_eq!(name, "org.freedesktop.DBus.Error.ServiceUnknown"),
                other => panic!("{other:?}"),
            }
            daemon.kill().unwrap();
            daemon.wait().unwrap();
        } else {
            println!("skipped: dbus-daemon is not installed");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(mut bytes: Vec<u8>, fields in 0_u32..64, body in 0_u32..64) {
            let _ = decode(&mut bytes.as_slice());
            if bytes.len() >= 16 {
                bytes.splice(..16, [b'l', 3, 0, 1].into_iter().chain(body.to_le_bytes()).chain([0; 4]).chain(fields.to_le_bytes()));
                if let Ok(message) = decode(&mut bytes.as_slice()) {
                    let _ = message.texts();
                }
            }
        }
    }
}
