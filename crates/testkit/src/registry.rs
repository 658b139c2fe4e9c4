//! A registry over loopback that keeps what it is given in memory, counts what it is asked for, and misbehaves where a test wants it to.
//!
//! Plain HTTP/1.1 and a thread for each connection: small enough to be believed. What it does of itself is what the distribution
//! specification says; everything else is a [`Bend`].

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::ImageBuilder;
use crate::image::{INDEX, MANIFEST, sha256};

/// What is different about answers to requests that a test picks.
#[derive(Clone, Debug)]
pub enum Bend {
    /// This answer in place of the true one.
    Answer(Answer),
    /// The connection ends after so many bytes of the body: of the answer's, or of the request's where that has one.
    Cut(u64),
    /// Nothing more comes after so many bytes of the answer's body.
    Stall(u64),
    /// The answer comes late.
    Late(Duration),
    /// The body comes in pieces of this size, with this pause after each.
    Slow(usize, Duration),
    /// The body ends after so many bytes, and the head says that this is all.
    Short(usize),
    /// The whole blob comes, whatever part was asked for.
    NoRanges,
    /// Other bytes, of which the part is sent that was asked for.
    Body(Vec<u8>),
    /// One header has this value, or is left out where it is empty.
    Header(&'static str, String),
    /// The upload is not known any more.
    Forget,
}

/// An answer written by a test.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The body never ends.
    endless: bool,
}

impl Answer {
    /// Without headers and body.
    pub fn new(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), body: Vec::new(), endless: false }
    }

    /// Adds a header, or takes it away where the value is empty.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Answer {
        let value = value.into();
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value));
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Answer {
        self.body = body.into();
        self
    }

    /// The body comes again and again.
    pub fn endless(mut self) -> Answer {
        self.endless = true;
        self
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `GET` and the like.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Of the answer.
    pub status: u16,
    /// Bytes of the answer's body that went onto the line.
    pub sent_bytes: u64,
    /// Bytes of the request's body that came.
    pub received_bytes: u64,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The registry. When it is dropped, nobody listens any more and all connections are closed.
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    address: String,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// By `<repository>/<tag or digest>`: media type and bytes.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// By `<repository>/<digest>`.
    blobs: BTreeMap<String, Arc<Vec<u8>>>,
    uploads: BTreeMap<u64, Vec<u8>>,
    begun: u64,
    rules: Vec<Rule>,
    asked: Vec<Asked>,
    connections: Vec<TcpStream>,
    /// `user:password` in base64, and whether a token stands for it.
    lock: Option<(String, Proof)>,
    over: bool,
}

/// How a registry wants to see a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// With each request.
    Basic,
    /// Once, for a token.
    Token,
}

struct Rule {
    method: String,
    part: String,
    times: usize,
    bend: Bend,
}

const TOKEN: &str = "t0ken-of-the-test";

impl Registry {
    /// An empty one on a port of its own.
    pub fn start() -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared { address, state: Mutex::default(), ended: Condvar::new() });
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut state = served.state();
                if state.over {
                    return;
                }
                state.connections.extend(stream.try_clone());
                drop(state);
                let served = Arc::clone(&served);
                thread::spawn(move || served.connection(stream));
            }
        });
        Registry { shared }
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> &str {
        &self.shared.address
    }

    /// `127.0.0.1:<port>/<rest>`.
    pub fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.shared.address)
    }

    /// Takes an image as an OCI manifest with its blobs; answers the manifest's digest.
    pub fn put(&self, repository: &str, tag: &str, image: &ImageBuilder) -> String {
        let (manifest, blobs) = image.oci_manifest();
        blobs.into_iter().for_each(|(_, bytes)| drop(self.put_blob(repository, bytes)));
        self.put_manifest(repository, tag, MANIFEST, manifest)
    }

    /// Takes images as one index: `(architecture, image)`. Answers the index's digest.
    pub fn put_index(&self, repository: &str, tag: &str, images: &[(&str, &ImageBuilder)]) -> String {
        let one = |(architecture, image): &(&str, &ImageBuilder)| {
            let (manifest, _) = image.oci_manifest();
            let digest = self.put(repository, "", image);
            json!({ "mediaType": MANIFEST, "digest": digest, "size": manifest.len(),
                "platform": { "os": if *architecture == "unknown" { "unknown" } else { "linux" }, "architecture": architecture } })
        };
        let manifests: Vec<_> = images.iter().map(one).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        self.put_manifest(repository, tag, INDEX, index.to_string().into_bytes())
    }

    /// Takes a blob; answers its digest.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = format!("sha256:{}", sha256(&bytes));
        self.shared.state().blobs.insert(format!("{repository}/{digest}"), Arc::new(bytes));
        digest
    }

    /// Takes a manifest under its digest and, unless that is empty, a tag; answers its digest.
    pub fn put_manifest(&self, repository: &str, tag: &str, media_type: &str, bytes: Vec<u8>) -> String {
        let digest = format!("sha256:{}", sha256(&bytes));
        let mut state = self.shared.state();
        for name in [tag, &digest].into_iter().filter(|name| !name.is_empty()) {
            state.manifests.insert(format!("{repository}/{name}"), (media_type.to_owned(), bytes.clone()));
        }
        digest
    }

    /// A manifest that is here: its media type and bytes.
    pub fn manifest(&self, repository: &str, name: &str) -> Option<(String, Vec<u8>)> {
        self.shared.state().manifests.get(&format!("{repository}/{name}")).cloned()
    }

    /// Forgets all blobs of a repository.
    pub fn remove_blobs(&self, repository: &str) {
        self.shared.state().blobs.retain(|name, _| !name.starts_with(&format!("{repository}/sha256:")));
    }

    /// The next `times` requests with this method whose path contains `part` are answered otherwise. Of several rules that fit, the first
    /// counts, until it is used up.
    pub fn bend(&self, method: &str, part: &str, times: usize, bend: Bend) {
        self.shared.state().rules.push(Rule { method: method.to_owned(), part: part.to_owned(), times, bend });
    }

    /// Answers truly again.
    pub fn straighten(&self) {
        self.shared.state().rules.clear();
    }

    /// Lets nobody in but this user.
    pub fn lock(&self, user: &str, password: &str, proof: Proof) {
        self.shared.state().lock = Some((base64(format!("{user}:{password}").as_bytes()), proof));
    }

    /// All requests so far, oldest first, and forgets them.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.state().asked)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// How many requests with this method had a path that contains `part`.
    pub fn count(&self, method: &str, part: &str) -> usize {
        self.shared.state().asked.iter().filter(|asked| asked.method == method && asked.path.contains(part)).count()
    }

    /// How many bytes of bodies went out for such paths.
    pub fn sent_bytes(&self, part: &str) -> u64 {
        let state = self.shared.state();
        state.asked.iter().filter(|asked| asked.path.contains(part)).map(|asked| asked.sent_bytes).sum()
    }

    /// How many bytes of bodies came in with this method.
    pub fn received_bytes(&self, method: &str) -> u64 {
        let state = self.shared.state();
        state.asked.iter().filter(|asked| asked.method == method).map(|asked| asked.received_bytes).sum()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.over = true;
        state.connections.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        drop(state);
        self.shared.ended.notify_all();
        // Wakes up whoever accepts.
        let _ = TcpStream::connect(&self.shared.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers requests until the other side or a bend ends it.
    fn connection(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut reader = BufReader::new(&stream);
        while let Ok(Some(asked)) = head(&mut reader) {
            if self.exchange(&stream, &mut reader, asked).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn exchange(&self, mut line: &TcpStream, reader: &mut impl Read, mut asked: Asked) -> io::Result<()> {
        let bend = self.bend_of(&asked);
        let length: u64 = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let taken = match &bend {
            Some(Bend::Cut(at)) if length > 0 => length.min(*at),
            _ => length,
        };
        let mut body = Vec::new();
        let came = reader.take(taken).read_to_end(&mut body);
        asked.received_bytes = body.len() as u64;
        let broken = came.is_err() || (body.len() as u64) < length;
        if let Some(Bend::Late(pause)) = &bend {
            self.pause(*pause);
        }
        let answer = match &bend {
            Some(Bend::Answer(answer)) => answer.clone(),
            Some(Bend::Forget) => {
                self.state().uploads.clear();
                self.answer(&asked, body, None)
            }
            bend => self.answer(&asked, body, bend.as_ref()),
        };
        asked.status = answer.status;
        let at = {
            let mut state = self.state();
            state.asked.push(asked.clone());
            state.asked.len() - 1
        };
        if broken {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let answer = match &bend {
            Some(Bend::Header(name, value)) => answer.header(name, value),
            _ => answer,
        };
        line.write_all(head_of(&answer).as_bytes())?;
        if asked.method == "HEAD" {
            return Ok(());
        }
        self.send(line, &answer, bend.as_ref(), at)
    }

    /// The body, as the bend wants it.
    fn send(&self, mut line: &TcpStream, answer: &Answer, bend: Option<&Bend>, at: usize) -> io::Result<()> {
        let (piece, pause) = match bend {
            Some(Bend::Slow(piece, pause)) => (*piece, *pause),
            _ => (64 << 10, Duration::ZERO),
        };
        let end = match bend {
            Some(Bend::Cut(end) | Bend::Stall(end)) => usize::try_from(*end).unwrap().min(answer.body.len()),
            _ => answer.body.len(),
        };
        loop {
            for piece in answer.body[..end].chunks(piece.max(1)) {
                line.write_all(piece)?;
                // Whoever took the list of requests meanwhile does not count this one.
                if let Some(asked) = self.state().asked.get_mut(at) {
                    asked.sent_bytes += piece.len() as u64;
                }
                self.pause(pause);
            }
            if !answer.endless {
                break;
            }
        }
        match bend {
            Some(Bend::Cut(_)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Bend::Stall(_)) => {
                self.pause(Duration::from_secs(600));
                Err(io::ErrorKind::TimedOut.into())
            }
            _ => Ok(()),
        }
    }

    /// Sleeps, unless the registry ends.
    fn pause(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state();
        while !state.over {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return;
            };
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn bend_of(&self, asked: &Asked) -> Option<Bend> {
        let mut state = self.state();
        let fits = |rule: &&mut Rule| rule.times > 0 && rule.method == asked.method && asked.path.contains(&rule.part);
        let rule = state.rules.iter_mut().find(fits)?;
        rule.times -= 1;
        Some(rule.bend.clone())
    }

    fn answer(&self, asked: &Asked, body: Vec<u8>, bend: Option<&Bend>) -> Answer {
        let mut state = self.state();
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        if let Some(refusal) = state.refusal(&self.address, path, asked.header("authorization")) {
            return refusal;
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return unknown("NOT_FOUND") };
        if rest.is_empty() {
            return Answer::new(200).body("{}");
        }
        if let Some((repository, _)) = rest.split_once("/tags/list") {
            return state.tags(repository);
        }
        if let Some((repository, name)) = rest.split_once("/manifests/") {
            return state.manifest(asked, repository, name, body);
        }
        if let Some((repository, id)) = rest.split_once("/blobs/uploads/") {
            return state.upload(asked, repository, (id, query), &body);
        }
        let Some((repository, digest)) = rest.split_once("/blobs/") else { return unknown("NOT_FOUND") };
        state.blob(asked, &format!("{repository}/{digest}"), bend)
    }
}

impl State {
    /// What somebody hears who has not shown who he is.
    fn refusal(&self, address: &str, path: &str, shown: Option<&str>) -> Option<Answer> {
        let (secret, proof) = self.lock.as_ref()?;
        let basic = shown == Some(&format!("Basic {secret}"));
        if path == "/token" {
            let token = Answer::new(200).body(json!({ "token": TOKEN }).to_string());
            return Some(if basic { token } else { complaint(401, "UNAUTHORIZED") });
        }
        let (known, challenge) = match proof {
            Proof::Basic => (basic, "Basic realm=\"testkit\"".to_owned()),
            Proof::Token => (
                shown == Some(&format!("Bearer {TOKEN}")),
                format!("Bearer realm=\"http://{address}/token\",service=\"testkit\""),
            ),
        };
        (!known).then(|| complaint(401, "UNAUTHORIZED").header("WWW-Authenticate", challenge))
    }

    fn tags(&self, repository: &str) -> Answer {
        let names = self.manifests.keys().filter_map(|name| name.strip_prefix(repository)?.strip_prefix('/'));
        let tags: Vec<_> = names.filter(|name| !name.contains(['/', ':'])).collect();
        Answer::new(200).body(json!({ "name": repository, "tags": tags }).to_string())
    }

    fn manifest(&mut self, asked: &Asked, repository: &str, name: &str, body: Vec<u8>) -> Answer {
        if asked.method == "PUT" {
            let digest = format!("sha256:{}", sha256(&body));
            let kind = asked.header("content-type").unwrap_or_default().to_owned();
            for name in [name, &digest] {
                self.manifests.insert(format!("{repository}/{name}"), (kind.clone(), body.clone()));
            }
            return Answer::new(201).header("Docker-Content-Digest", digest).header("Location", &*asked.path);
        }
        let Some((kind, bytes)) = self.manifests.get(&format!("{repository}/{name}")) else {
            return unknown("MANIFEST_UNKNOWN");
        };
        let digest = format!("sha256:{}", sha256(bytes));
        Answer::new(200).header("Content-Type", kind).header("Docker-Content-Digest", digest).body(bytes.clone())
    }

    fn blob(&self, asked: &Asked, name: &str, bend: Option<&Bend>) -> Answer {
        let Some(bytes) = self.blobs.get(name) else { return unknown("BLOB_UNKNOWN") };
        let mut bytes: &[u8] = bytes;
        match bend {
            Some(Bend::Body(other)) => bytes = other,
            Some(Bend::Short(end)) => bytes = &bytes[..bytes.len().min(*end)],
            _ => {}
        }
        let whole = || Answer::new(200).body(bytes);
        let range = asked.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let (Some((from, last)), false) = (range, matches!(bend, Some(Bend::NoRanges))) else { return whole() };
        let Ok(from) = from.parse::<usize>() else { return whole() };
        let to = last.parse::<usize>().map_or(bytes.len(), |last| bytes.len().min(last + 1));
        if from >= to {
            return Answer::new(416);
        }
        let range = format!("bytes {from}-{}/{}", to - 1, bytes.len());
        Answer::new(206).header("Content-Range", range).body(&bytes[from..to])
    }

    fn upload(&mut self, asked: &Asked, repository: &str, (id, query): (&str, &str), body: &[u8]) -> Answer {
        let value = |key: &str| {
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.into_iter().find(|(known, _)| *known == key).map(|(_, value)| value.replace("%3A", ":"))
        };
        if asked.method == "POST" {
            if let (Some(digest), Some(from)) = (value("mount"), value("from"))
                && let Some(bytes) = self.blobs.get(&format!("{from}/{digest}")).cloned()
            {
                self.blobs.insert(format!("{repository}/{digest}"), bytes);
                return Answer::new(201).header("Location", format!("/v2/{repository}/blobs/{digest}"));
            }
            self.begun += 1;
            self.uploads.insert(self.begun, Vec::new());
            return Answer::new(202).header("Location", format!("/v2/{repository}/blobs/uploads/{}", self.begun));
        }
        let Some(bytes) = id.parse().ok().and_then(|id| self.uploads.get_mut(&id)) else {
            return unknown("BLOB_UPLOAD_UNKNOWN");
        };
        let here = |bytes: &[u8], status: u16| {
            let range = format!("0-{}", bytes.len().saturating_sub(1));
            Answer::new(status).header("Location", &*asked.path).header("Range", range)
        };
        let from = asked.header("content-range").and_then(|range| range.split_once('-')?.0.parse().ok());
        if from.is_some_and(|from: usize| from != bytes.len()) {
            return here(bytes, 416);
        }
        bytes.extend_from_slice(body);
        if asked.method != "PUT" {
            return here(bytes, if asked.method == "GET" { 204 } else { 202 });
        }
        let digest = format!("sha256:{}", sha256(bytes));
        if value("digest").as_ref() != Some(&digest) {
            return complaint(400, "DIGEST_INVALID");
        }
        let bytes = Arc::new(std::mem::take(bytes));
        self.uploads.remove(&id.parse().unwrap());
        self.blobs.insert(format!("{repository}/{digest}"), bytes);
        Answer::new(201).header("Location", format!("/v2/{repository}/blobs/{digest}"))
    }
}

fn unknown(code: &str) -> Answer {
    complaint(404, code)
}

/// An error in the specification's words: the code, and the same in small letters as its message.
fn complaint(status: u16, code: &str) -> Answer {
    let error = json!({ "code": code, "message": code.to_lowercase().replace('_', " ") });
    Answer::new(status).header("Content-Type", "application/json").body(json!({ "errors": [error] }).to_string())
}

/// The next request's head; none at the end, or where somebody tries TLS.
fn head(reader: &mut impl Read) -> io::Result<Option<Asked>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if reader.read(&mut byte)? == 0 || (head.is_empty() && byte == [0x16]) {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Ok(Some(Asked { method, path, headers, status: 0, sent_bytes: 0, received_bytes: 0 }))
}

fn head_of(answer: &Answer) -> String {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let says_length = answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    // Without a length a body ends with its connection.
    if !answer.endless && !says_length && answer.status != 204 {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    head + "\r\n"
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number = group.iter().chain(&[0; 2]).take(3).fold(0usize, |number, byte| number << 8 | usize::from(*byte));
        for digit in 0..4 {
            let value = number >> (18 - 6 * digit) & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn logins_are_written_in_base64() {
        for (plain, written) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("alice:s3cret", "YWxpY2U6czNjcmV0")] {
            assert_eq!(base64(plain.as_bytes()), written);
        }
    }
}
