//! With real sockets: the resolver in one network namespace, its servers in another, one thread for all.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use disk::Home;
use rustix::event::{PollFd, Timespec, poll};
use rustix::thread::UnshareFlags;
use spec::id::{ContainerId, NetworkId};
use spec::network::Egress;
use testkit::Root;

use super::*;
use crate::dns::tests::asked;
use crate::dns::{A, PTR};
use crate::place;

const SERVER: &str = "192.0.2.1:53";
const OTHER_SERVER: &str = "192.0.2.2:53";

struct Bench {
    resolver: Resolver,
    inside: OwnedFd,
    server: UdpSocket,
    root: Root,
}

/// None: not root.
fn bench(policies: Vec<Egress>) -> Option<Bench> {
    if !rustix::process::geteuid().is_root() {
        testkit::record_skip(module_path!(), "needs root");
        return None;
    }
    let namespace = || -> OwnedFd {
        sys::clone::unshare(UnshareFlags::NEWNET).unwrap();
        sys::loopback::up().unwrap();
        File::open("/proc/thread-self/ns/net").unwrap().into()
    };
    let inside = namespace();
    // Of this thread alone, for good.
    namespace();
    for server in [SERVER, OTHER_SERVER] {
        let address = server.split(':').next().unwrap();
        assert!(Command::new("ip").args(["address", "add", address, "dev", "lo"]).status().unwrap().success());
    }
    let root = Root::new();
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    let (container, network) = (ContainerId::from_bytes([1; 32]), NetworkId::from_bytes([2; 32]));
    let names = place::names(&home, &network).join("web");
    std::fs::create_dir_all(&names).unwrap();
    for n in 0..100 {
        let holder = ContainerId::from_bytes([n; 32]);
        symlink(format!("10.0.0.{n}"), names.join(holder.as_str())).unwrap();
    }
    let scope = Scope {
        home,
        container,
        networks: vec![Known { id: network, name: "back".into(), links: Vec::new() }],
        endpoints: Vec::new(),
        policies,
        forward: Forward::To([SERVER, OTHER_SERVER].map(|text| text.parse::<SocketAddr>().unwrap().ip()).into()),
        bare: Bare::Forward,
        notes: root.join(NOTES),
        name_of: |_, _, _| None,
    };
    let resolver = Resolver::open(inside.as_fd(), scope).unwrap();
    let server = UdpSocket::bind(SERVER).unwrap();
    Some(Bench { resolver, inside, server, root })
}

impl Bench {
    fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        sys::netns::within::<_, io::Error>(self.inside.as_fd(), || Ok(act())).unwrap()
    }

    fn client(&self) -> UdpSocket {
        let client = self.within(|| UdpSocket::bind("127.0.0.1:0").unwrap());
        client.connect("127.0.0.11:53").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        client
    }

    fn connection(&self) -> TcpStream {
        let stream = self.within(|| TcpStream::connect("127.0.0.11:53").unwrap());
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    /// Lets the resolver do whatever there is to do.
    fn turn(&mut self) {
        for _ in 0..100 {
            let ready: Vec<_> = {
                let sources: Vec<_> = self.resolver.sources().collect();
                let mut fds: Vec<_> =
                    sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
                poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 20_000_000 })).unwrap();
                let events = sources.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
                events.map(|((port, _, _), fd)| (*port, fd.revents())).collect()
            };
            if ready.is_empty() {
                return;
            }
            for (port, events) in ready {
                self.resolver.ready(port, events);
            }
        }
    }

    fn ask(&mut self, client: &UdpSocket, question: &[u8]) -> Vec<u8> {
        client.send(question).unwrap();
        self.turn();
        receive(client)
    }

    /// What the server hears.
    fn heard(&self) -> (Vec<u8>, SocketAddr) {
        self.server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut bytes = [0; 4096];
        let (length, from) = self.server.recv_from(&mut bytes).unwrap();
        (bytes[..length].to_vec(), from)
    }

    fn notes(&self) -> String {
        std::fs::read_to_string(self.root.join(NOTES)).unwrap_or_default()
    }
}

fn receive(client: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 65_535];
    let length = client.recv(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

fn exchange(bench: &mut Bench, stream: &mut TcpStream, question: &[u8]) -> Vec<u8> {
    send(stream, question);
    bench.turn();
    message(stream)
}

fn send(stream: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, message].concat()).unwrap();
}

fn message(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).unwrap();
    message
}

fn code(answer: &[u8]) -> u8 {
    answer[3] & 0xf
}

/// A server's answer with these addresses.
fn answer(question: &[u8], code: Code, addresses: &[&str]) -> Vec<u8> {
    let records: Vec<_> = addresses.iter().map(|text| Record::Address(text.parse::<IpAddr>().unwrap())).collect();
    Query::parse(question).unwrap().answer(code, &records, 65_535)
}

#[test]
fn a_name_is_answered_by_udp_as_far_as_it_goes_and_by_tcp_whole() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let client = bench.client();
    let cut = bench.ask(&client, &asked("web", A, None));
    assert_eq!((cut[2] & 2, cut[7]), (2, 0), "100 addresses do not fit into 512 bytes");
    let whole = bench.ask(&client, &asked("web", A, Some(4096)));
    assert_eq!((whole[2] & 2, whole[7]), (0, 100));
    assert_ne!(whole, bench.ask(&client, &asked("web", A, Some(4096))), "in another order");
    let mut stream = bench.connection();
    for _ in 0..3 {
        let whole = exchange(&mut bench, &mut stream, &asked("web", A, None));
        assert_eq!((whole[2] & 2, whole[7]), (0, 100));
    }
}

#[test]
fn the_rest_is_asked_under_another_identifier_and_only_the_right_answer_counts() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let (client, question) = (bench.client(), asked("Example.Org", A, None));
    client.send(&question).unwrap();
    bench.turn();
    let (heard, from) = bench.heard();
    assert_eq!(heard[2..], question[2..], "byte for byte");
    // From another port, from another server, under another identifier, about another name: none is the answer.
    let good = answer(&heard, Code::NoError, &["203.0.113.7"]);
    let stranger = UdpSocket::bind("192.0.2.1:0").unwrap();
    stranger.send_to(&good, from).unwrap();
    UdpSocket::bind(OTHER_SERVER).unwrap().send_to(&good, from).unwrap();
    let mut wrong = good.clone();
    wrong[0] ^= 1;
    bench.server.send_to(&wrong, from).unwrap();
    let mut wrong = good.clone();
    wrong[13] = b'f';
    bench.server.send_to(&wrong, from).unwrap();
    bench.turn();
    assert!(bench.resolver.deadline().is_some(), "it still waits");
    bench.server.send_to(&good, from).unwrap();
    bench.turn();
    let mut expected = good;
    expected[..2].copy_from_slice(&question[..2]);
    assert_eq!(receive(&client), expected);
    assert!(bench.resolver.deadline().is_none());
}

#[test]
fn identifiers_and_ports_cannot_be_foretold() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let client = bench.client();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..20 {
        client.send(&asked("example.org", A, None)).unwrap();
        bench.turn();
        let (heard, from) = bench.heard();
        seen.insert((heard[..2].to_vec(), from.port()));
    }
    let ids: std::collections::BTreeSet<_> = seen.iter().map(|(id, _)| id).collect();
    let ports: std::collections::BTreeSet<_> = seen.iter().map(|(_, port)| port).collect();
    assert!(ids.len() > 18 && ports.len() > 15, "{seen:?}");
}

#[test]
fn the_next_server_is_asked_when_one_fails_is_silent_or_is_not_there() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let (client, question) = (bench.client(), asked("example.org", A, None));
    // Not there: the kernel says so at once.
    assert_eq!(
        code(&{
            client.send(&question).unwrap();
            bench.turn();
            let (heard, from) = bench.heard();
            bench.server.send_to(&answer(&heard, Code::ServerFailure, &[]), from).unwrap();
            bench.turn();
            receive(&client)
        }),
        Code::ServerFailure as u8,
        "the first failed, and nobody is at the second"
    );
    let other = UdpSocket::bind(OTHER_SERVER).unwrap();
    client.send(&question).unwrap();
    bench.turn();
    bench.heard();
    // Silent: time is up.
    bench.resolver.ring(Instant::now() + Duration::from_secs(2));
    let mut bytes = [0; 512];
    let (length, from) = other.recv_from(&mut bytes).unwrap();
    // What the last one says is passed on, whatever it is.
    other.send_to(&answer(&bytes[..length], Code::Refused, &[]), from).unwrap();
    bench.turn();
    assert_eq!(code(&receive(&client)), Code::Refused as u8);
    client.send(&question).unwrap();
    bench.turn();
    bench.resolver.ring(Instant::now() + Duration::from_secs(2));
    bench.resolver.ring(Instant::now() + Duration::from_secs(6));
    assert_eq!(code(&receive(&client)), Code::ServerFailure as u8, "all are silent");
}

#[test]
fn tcp_is_passed_on_by_tcp() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let listener = TcpListener::bind(SERVER).unwrap();
    let (mut stream, question) = (bench.connection(), asked("example.org", 16, None));
    // Byte by byte, as the worst client does.
    let framed = [&u16::try_from(question.len()).unwrap().to_be_bytes(), question.as_slice()].concat();
    for byte in framed {
        stream.write_all(&[byte]).unwrap();
        bench.turn();
    }
    let (mut upstream, _) = listener.accept().unwrap();
    let heard = message(&mut upstream);
    assert_eq!(heard[2..], question[2..]);
    let long = [answer(&heard, Code::NoError, &[]), vec![0; 60_000]].concat();
    let mut rest: VecDeque<u8> = [&u16::try_from(long.len()).unwrap().to_be_bytes(), long.as_slice()].concat().into();
    while !rest.is_empty() {
        let piece: Vec<u8> = rest.drain(..rest.len().min(7000)).collect();
        upstream.write_all(&piece).unwrap();
        bench.turn();
    }
    let got = message(&mut stream);
    assert_eq!((&got[..2], got.len()), (&question[..2], long.len()));
    drop((listener, upstream));
    assert_eq!(code(&exchange(&mut bench, &mut stream, &question)), Code::ServerFailure as u8, "nobody listens");
}

#[test]
fn a_container_that_asks_without_end_finds_a_bound() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let client = bench.client();
    let mut failed = 0;
    for _ in 0..10 {
        for _ in 0..50 {
            client.send(&asked("example.org", A, None)).unwrap();
        }
        bench.turn();
    }
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut bytes = [0; 512];
    while client.recv(&mut bytes).is_ok() {
        failed += 1;
    }
    assert_eq!(bench.resolver.asked.len(), MOST_ASKED);
    assert!(failed > 100, "{failed}");
    let mut connections = Vec::new();
    for _ in 0..40 {
        connections.push(bench.connection());
        bench.turn();
    }
    assert_eq!(bench.resolver.connections.len(), MOST_CONNECTIONS);
    drop(connections);
    bench.turn();
    assert!(bench.resolver.connections.is_empty());
    // One that never says a whole question is not waited for.
    let mut slow = bench.connection();
    slow.write_all(&[0, 20, 1]).unwrap();
    bench.turn();
    bench.resolver.ring(Instant::now() + Duration::from_secs(11));
    assert!(bench.resolver.connections.is_empty());
}

#[test]
fn the_container_may_have_a_name_server_of_its_own() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let (own, _listener) =
        bench.within(|| (UdpSocket::bind("0.0.0.0:53").unwrap(), TcpListener::bind("0.0.0.0:53").unwrap()));
    let client = bench.client();
    assert_eq!(bench.ask(&client, &asked("web", A, Some(4096)))[7], 100);
    let mut stream = bench.connection();
    assert_eq!(exchange(&mut bench, &mut stream, &asked("web", A, None))[7], 100);
    let asking = bench.within(|| UdpSocket::bind("127.0.0.1:0").unwrap());
    asking.send_to(b"own", "127.0.0.1:53").unwrap();
    own.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(own.recv(&mut [0; 10]).unwrap(), 3);
    // A client whose source is another address of the container's.
    let elsewhere = bench.within(|| UdpSocket::bind("127.9.9.9:0").unwrap());
    elsewhere.connect("127.0.0.11:53").unwrap();
    assert_eq!(bench.ask(&elsewhere, &asked("web", A, Some(4096)))[7], 100);
}

#[test]
fn nonsense_is_told_so_or_not_answered() {
    let Some(mut bench) = bench(Vec::new()) else { return };
    let client = bench.client();
    for nonsense in [vec![], vec![0; 11], vec![0xff; 4000], vec![0; 8000]] {
        client.send(&nonsense).unwrap();
    }
    let mut two = asked("web", A, None);
    two[5] = 2;
    assert_eq!(code(&bench.ask(&client, &two)), Code::FormatError as u8);
    let mut stream = bench.connection();
    stream.write_all(&[0, 0, 0, 0]).unwrap();
    bench.turn();
    assert!(!matches!(stream.read(&mut [0; 10]), Ok(1..)), "a message of no bytes ends the connection");
    assert_eq!(bench.ask(&client, &asked("web", A, Some(4096)))[7], 100, "it lives");
}

#[test]
fn a_policy_refuses_and_notes_what_it_does_not_allow() {
    let policy = Egress { subnets: vec!["198.51.100.0/24".parse().unwrap()], names: vec!["good.org".into()] };
    let Some(mut bench) = bench(vec![policy]) else { return };
    let client = bench.client();
    assert_eq!(code(&bench.ask(&client, &asked("bad.org", A, None))), Code::Refused as u8);
    let mut stream = bench.connection();
    assert_eq!(code(&exchange(&mut bench, &mut stream, &asked("Worse.org", A, None))), Code::Refused as u8);
    assert_eq!(code(&bench.ask(&client, &asked("1.2.0.192.in-addr.arpa", PTR, None))), Code::Refused as u8);
    assert_eq!(code(&bench.ask(&client, &asked("web", A, Some(4096)))), Code::NoError as u8, "names of its networks");
    let notes: Vec<Note> = bench.notes().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = notes.iter().map(|note| note.name.as_str()).collect();
    assert_eq!(names, ["bad.org", "worse.org", "1.2.0.192.in-addr.arpa"]);
    client.send(&asked("good.org", 16, None)).unwrap();
    bench.turn();
    let (heard, from) = bench.heard();
    bench.server.send_to(&answer(&heard, Code::NoError, &[]), from).unwrap();
    bench.turn();
    assert_eq!(code(&receive(&client)), Code::NoError as u8);
}
