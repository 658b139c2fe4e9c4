//! What a visitor and a monitor say to each other: one enum for each direction, one message a datagram (SOCK_SEQPACKET), as JSON with
//! the version beside it: `{"v":1,"m":…}`. A datagram has at most [`MAX_BYTES`]; descriptors travel with it (SCM_RIGHTS).
//!
//! ```text
//! Start [+ mounts] -> Started | Failed | Refused
//! Attach + stream -> Attached | Refused … Detached when the user typed the detach keys
//! Exec [+ stream] -> ExecStarted | Failed | Refused … ExecExited
//! Wait            -> … Exited
//! Stop, Remove    -> … Done, when it has come true | Refused
//! everything else -> Done | Refused | Failed
//! ```
//!
//! A visitor may ask again before it was answered: what needs no waiting is answered at once and in order. A visitor's going away
//! withdraws its waits, not what it asked for. What can be read from `status.json` cannot be asked.

use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spec::bundle::Process;
use spec::container::{Settings, Streams};
use spec::network::Attachment;

use crate::exit::Exit;
use crate::status::Refused;

/// The version this program speaks. A message of another is refused by name: an engine that was upgraded meets monitors that were not.
pub const VERSION: u32 = 1;

/// The longest message in a datagram.
pub const MAX_BYTES: usize = 64 * 1024;

/// The longest message in a file ([`Ask::Enclosed`]): all that execve(2) takes (2 MiB), each byte written as six.
pub const MAX_ENCLOSED_BYTES: usize = 16 * 1024 * 1024;

/// A visitor's words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// The question is longer than a datagram: it is in a file, whose descriptor comes along as the last one.
    Enclosed,
    /// Start the container's process.
    Start {
        /// Size of its terminal from the first byte on.
        console: Option<Size>,
        /// The detached mounts that come along, a descriptor each.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        given: Vec<Given>,
    },
    /// Connect the stream socket that comes along with the container's process, which need not run yet.
    Attach(Attach),
    /// Run one more process; its stream socket comes along unless `streams` is empty.
    Exec(Box<Exec>),
    /// The terminal has another size.
    Resize {
        /// Whose terminal.
        process: Target,
        /// Its size.
        size: Size,
    },
    /// Send a signal to the container's process.
    Signal {
        /// Its number.
        number: i32,
        /// What the user wants by it.
        intent: Intent,
    },
    /// Send `signal`, and SIGKILL when that did not end it in time. Cancels restarts.
    Stop {
        /// Its number.
        signal: i32,
        /// None: wait for ever.
        timeout_s: Option<u64>,
    },
    /// Freeze all its processes.
    Pause,
    /// Freeze them for as long as this visitor stays: thawed when it leaves, however it ends.
    PauseMeanwhile,
    /// Thaw them.
    Unpause,
    /// Say how it ended.
    Wait(Until),
    /// Heed the new `settings.json`, already written: limits and restart policy.
    Update(Box<Settings>),
    /// Be on these networks, and no others: `connect` and `disconnect` of a container that runs or will run again.
    Networks(Vec<Attachment>),
    /// Kill it if it runs, give back all it holds and remove the container itself.
    Remove,
    /// The same, refused where it runs.
    RemoveStopped,
}

/// A mount that whoever starts a container has made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Given {
    /// Its root file system.
    Root,
    /// The one at this place in the bundle.
    Mount(usize),
}

/// A monitor's words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    /// It runs.
    Started {
        /// Its number on the host.
        pid: i32,
        /// What it could not have as asked: limits that this machine does not know, resource limits that were clamped.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        warnings: Vec<String>,
    },
    /// The stream is connected.
    Attached,
    /// The user typed the detach keys.
    Detached,
    /// The process runs.
    ExecStarted {
        /// Which.
        id: ExecId,
        /// Its number on the host.
        pid: i32,
    },
    /// The process ended; all its output went into the stream before.
    ExecExited {
        /// Which.
        id: ExecId,
        /// As a shell counts.
        code: i32,
    },
    /// What was waited for has come true.
    Exited(Exit),
    /// So it was done.
    Done,
    /// It was tried and went wrong.
    Failed(Failure),
    /// The container's state does not allow it; nothing was done.
    Refused(Refused),
    /// The message is none that this monitor understands.
    Misunderstood(String),
}

/// Connecting to the container's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// Which streams.
    pub streams: Streams,
    /// How output is written to the socket.
    pub framing: Framing,
    /// What comes before the output to be.
    pub replay: Replay,
    /// What the user types to detach; heeded only on a terminal.
    pub detach_keys: DetachKeys,
}

/// One more process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exec {
    /// Chosen by the visitor.
    pub id: ExecId,
    /// What to run, complete: nothing is added from the container's own process.
    pub process: Process,
    /// Which streams; none: its output goes nowhere.
    pub streams: Streams,
    /// How output is written to the socket.
    pub framing: Framing,
    /// What the user types to detach; heeded only on a terminal.
    pub detach_keys: DetachKeys,
    /// Size of its terminal from the first byte on.
    pub console: Option<Size>,
}

/// How output is written to a visitor's stream socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Framing {
    /// Byte for byte; what a terminal needs.
    Raw,
    /// Docker's frames: stream number (1 output, 2 errors), three zeros, length as 32 bits big-endian, bytes.
    Mux,
}

/// What an attaching visitor sees first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Replay {
    /// Nothing: only what is written from now on.
    Nothing,
    /// All that the log holds.
    Log,
}

/// One process of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Its first.
    Init,
    /// One run by exec.
    Exec(ExecId),
}

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// Why a signal is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// To be heard, no more.
    Notify,
    /// To end the container: it is thawed if it was paused, and no restart follows.
    End,
}

/// What a visitor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// It does not run: met at once where it has not started or has ended.
    NotRunning,
    /// It ends once more.
    NextExit,
    /// The container itself is gone: name, layer, control groups, all. Only of one that is removed by its monitor: otherwise the
    /// monitor leaves without an answer and the visitor watches the container's directory.
    Removed,
}

/// What was tried and went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What the visitor does about it.
    pub kind: FailureKind,
    /// In words, with causes.
    pub message: String,
    /// 126, 127 or 128 for [`FailureKind::Command`]; 125 otherwise.
    pub exit_code: i32,
}

impl Failure {
    /// The message is cut where it would not fit into a datagram.
    pub(crate) fn new(kind: FailureKind, message: &str, exit_code: i32) -> Failure {
        // A character may take six bytes in JSON.
        let message = message.chars().take(MAX_BYTES / 8).collect();
        Failure { kind, message, exit_code }
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureKind {
    /// The process could not be started.
    Command,
    /// There is no such exec, or there is one of that name already.
    Exec,
    /// A network, an address or a port is not to be had.
    Network,
    /// The machine said no.
    System,
}

/// An exec's identifier: 64 lower-case hex digits, or any short word of letters, digits and `-_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExecId(String);

/// The text is no exec identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid exec ID: {0:?}")]
pub struct ExecIdError(String);

impl ExecId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ExecId {
    type Error = ExecIdError;

    fn try_from(text: String) -> Result<ExecId, ExecIdError> {
        let good =
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if good { Ok(ExecId(text)) } else { Err(ExecIdError(text)) }
    }
}

impl FromStr for ExecId {
    type Err = ExecIdError;

    fn from_str(text: &str) -> Result<ExecId, ExecIdError> {
        text.to_owned().try_into()
    }
}

impl From<ExecId> for String {
    fn from(id: ExecId) -> String {
        id.0
    }
}

impl fmt::Display for ExecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user types to leave a terminal without ending anything. Empty: nothing does that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetachKeys(Vec<u8>);

/// The text names no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid detach keys ({text}) provided: Unknown character: '{part}'")]
pub struct DetachKeysError {
    text: String,
    part: String,
}

impl DetachKeys {
    /// The bytes in the order typed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Default for DetachKeys {
    /// ctrl-p, ctrl-q.
    fn default() -> DetachKeys {
        DetachKeys(vec![16, 17])
    }
}

impl FromStr for DetachKeys {
    type Err = DetachKeysError;

    /// `ctrl-a,d`: characters or `ctrl-` and one of `a`…`z @ [ \ ] ^ _` (moby/term `ToBytes`).
    fn from_str(text: &str) -> Result<DetachKeys, DetachKeysError> {
        let key = |part: &str| match *part.as_bytes() {
            [byte] => Some(byte),
            [b'c', b't', b'r', b'l', b'-', key @ b'a'..=b'z'] => Some(key - b'a' + 1),
            [b'c', b't', b'r', b'l', b'-', b'@'] => Some(0),
            [b'c', b't', b'r', b'l', b'-', key @ b'['..=b'_'] => Some(key - b'[' + 27),
            _ => None,
        };
        let parts = text.split(',').filter(|_| !text.is_empty());
        let keys = parts.map(|part| key(part).ok_or_else(|| DetachKeysError { text: text.into(), part: part.into() }));
        Ok(DetachKeys(keys.collect::<Result<_, _>>()?))
    }
}

/// Why a datagram is no message.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Another version.
    #[error(
        "the message is of version {0} of the monitor protocol, this kist speaks version {VERSION}: the container was started by another version of kist; restart the container"
    )]
    Version(u32),
    /// Not a message of this direction.
    #[error("the message cannot be understood")]
    Json(#[source] serde_json::Error),
    /// Longer than [`MAX_BYTES`].
    #[error("the message has {0} bytes, more than {MAX_BYTES}")]
    TooLong(usize),
    /// Longer than [`MAX_ENCLOSED_BYTES`].
    #[error("command line and environment have {0} bytes, more than {MAX_ENCLOSED_BYTES}")]
    TooLongEnclosed(usize),
    /// A file was announced and is not there, or is no file.
    #[error("the message's file cannot be read")]
    Unenclosed,
}

#[derive(Serialize, Deserialize)]
struct Envelope<M> {
    v: u32,
    m: M,
}

/// A message as bytes.
///
/// # Errors
/// It is too long.
pub fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, Malformed> {
    let bytes = encode_enclosed(message)?;
    if bytes.len() > MAX_BYTES { Err(Malformed::TooLong(bytes.len())) } else { Ok(bytes) }
}

/// A message as the bytes of a file.
///
/// # Errors
/// It is too long.
pub fn encode_enclosed<M: Serialize>(message: &M) -> Result<Vec<u8>, Malformed> {
    let bytes = serde_json::to_vec(&Envelope { v: VERSION, m: message }).map_err(Malformed::Json)?;
    if bytes.len() > MAX_ENCLOSED_BYTES { Err(Malformed::TooLongEnclosed(bytes.len())) } else { Ok(bytes) }
}

/// The message in a datagram.
///
/// # Errors
/// [`Malformed`].
pub fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Malformed> {
    if bytes.len() > MAX_BYTES {
        return Err(Malformed::TooLong(bytes.len()));
    }
    decode_enclosed(bytes)
}

/// The message in a file.
///
/// # Errors
/// [`Malformed`].
pub fn decode_enclosed<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, Malformed> {
    match serde_json::from_slice::<Envelope<M>>(bytes) {
        Ok(envelope) if envelope.v == VERSION => Ok(envelope.m),
        Ok(envelope) => Err(Malformed::Version(envelope.v)),
        // Another version's words need not parse: say that, not "cannot be understood".
        Err(error) => match serde_json::from_slice::<Envelope<serde::de::IgnoredAny>>(bytes) {
            Ok(other) if other.v != VERSION => Err(Malformed::Version(other.v)),
            Ok(_) | Err(_) => Err(Malformed::Json(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::status::{Phase, Verb};

    fn check<M: Serialize + DeserializeOwned>(message: &M, expected: Expect) {
        let bytes = encode(message).unwrap();
        expected.assert_eq(std::str::from_utf8(&bytes).unwrap());
        let again: M = decode(&bytes).unwrap();
        assert_eq!(encode(&again).unwrap(), bytes);
    }

    #[test]
    fn the_bytes_are_these() {
        check(
            &Ask::Start { console: Some(Size { rows: 24, columns: 80 }), given: Vec::new() },
            expect![[r#"{"v":1,"m":{"start":{"console":{"rows":24,"columns":80}}}}"#]],
        );
        check(&Ask::Pause, expect![[r#"{"v":1,"m":"pause"}"#]]);
        check(&Ask::PauseMeanwhile, expect![[r#"{"v":1,"m":"pause-meanwhile"}"#]]);
        check(&Ask::Enclosed, expect![[r#"{"v":1,"m":"enclosed"}"#]]);
        let attach = Attach {
            streams: Streams { stdin: true, stdout: true, stderr: false },
            framing: Framing::Mux,
            replay: Replay::Log,
            detach_keys: DetachKeys::default(),
        };
        check(
            &Ask::Attach(attach),
            expect![[
                r#"{"v":1,"m":{"attach":{"streams":{"stdin":true,"stdout":true,"stderr":false},"framing":"mux","replay":"log","detach_keys":[16,17]}}}"#
            ]],
        );
        check(&Ask::Wait(Until::NextExit), expect![[r#"{"v":1,"m":{"wait":"next-exit"}}"#]]);
        check(
            &Ask::Signal { number: 15, intent: Intent::End },
            expect![[r#"{"v":1,"m":{"signal":{"number":15,"intent":"end"}}}"#]],
        );
        check(
            &Tell::Refused(Refused { verb: Verb::Pause, met: Phase::Paused }),
            expect![[r#"{"v":1,"m":{"refused":{"verb":"pause","met":"paused"}}}"#]],
        );
        check(
            &Tell::ExecExited { id: "e1".parse().unwrap(), code: 126 },
            expect![[r#"{"v":1,"m":{"exec-exited":{"id":"e1","code":126}}}"#]],
        );
    }

    fn refusal(bytes: &[u8]) -> String {
        decode::<Ask>(bytes).unwrap_err().to_string()
    }

    #[test]
    fn another_version_is_named_even_where_its_words_are_unknown() {
        for words in [r#"{"v":7,"m":"pause"}"#, r#"{"v":7,"m":{"fly":{"to":"the moon"}}}"#, r#"{"v":0,"m":"pause"}"#] {
            assert!(refusal(words.as_bytes()).contains("speaks version 1"), "{words}");
        }
        assert_eq!(refusal(br#"{"v":1,"m":"fly"}"#), "the message cannot be understood");
        assert_eq!(refusal(&[b' '; MAX_BYTES + 1]), "the message has 65537 bytes, more than 65536");
    }

    #[test]
    fn a_failure_always_fits() {
        let failure = Failure::new(FailureKind::Command, &"\u{1}".repeat(100_000), 128);
        assert!(encode(&Tell::Failed(failure)).is_ok());
    }

    #[test]
    fn exec_identifiers_are_safe_words() {
        for bad in ["", "a/b", "a b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<ExecId>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Ask>(&bytes);
            let _ = decode::<Tell>(&bytes);
        }

        #[test]
        fn any_message_shape_is_answered(
            v in 0_u32..3,
            verb in prop_oneof![
                Just("start"), Just("attach"), Just("exec"), Just("resize"), Just("signal"), Just("stop"), Just("wait"), Just("update")
            ],
            body in "[{}\\[\\]a-z\":,0-9 ]{0,60}",
        ) {
            let _ = decode::<Ask>(format!(r#"{{"v":{v},"m":{{"{verb}":{body}}}}}"#).as_bytes());
        }

        #[test]
        fn any_keys_are_parsed_or_refused(text in ".{0,30}") {
            let _ = text.parse::<DetachKeys>();
        }
    }
}
