//! Who comes by IPv6 to a container that has IPv4 alone.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use network::port::{Reserved, reserve};
use network::relay::Port;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use spec::network::Publish;

use crate::host::{Container, Host, inside, ip};

const AT: &str = "[::1]:8080";

/// A host whose port 8080 is held for port 80 of a container, and a loop as the monitor's.
struct Site {
    host: Host,
    container: Container,
    stop: Arc<AtomicBool>,
    turns: Arc<AtomicUsize>,
    looping: Option<thread::JoinHandle<()>>,
}

impl Site {
    fn new() -> Site {
        let host = Host::new();
        let network = host.created("br-a", &["172.30.0.0/16"]);
        let mut container = host.container(&[&network]);
        let wish = Publish { port: "80/tcp".parse().unwrap(), host_ip: None, host_ports: Some((8080, 8080)) };
        let mut reserved = reserve(&host.home, &[wish], [true, false], ip("0.0.0.0")).unwrap();
        host.publish(&mut container, &reserved.published).unwrap();
        reserved.relay.follow(&host.home, &container.endpoints).unwrap();
        let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let looping = thread::spawn({
            let (stop, turns) = (Arc::clone(&stop), Arc::clone(&turns));
            move || serve(&mut reserved, &stop, &turns)
        });
        Site { host, container, stop, turns, looping: Some(looping) }
    }

    fn listener(&self) -> TcpListener {
        inside(&self.container.namespace, || TcpListener::bind("0.0.0.0:80").unwrap())
    }

    /// Serves each connection of the container's in a thread of its own.
    fn each(&self, serve: impl Fn(TcpStream) + Send + Clone + 'static) {
        let listener = self.listener();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serve = serve.clone();
                thread::spawn(move || serve(stream.unwrap()));
            }
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.looping.take().unwrap().join().unwrap();
    }
}

fn serve(reserved: &mut Reserved, stop: &AtomicBool, turns: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        let ready: Vec<(Port, PollFlags)> = {
            let sources: Vec<_> = reserved.relay.sources().collect();
            let mut fds: Vec<_> = sources.iter().map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })).unwrap();
            let events = sources.iter().zip(&fds).filter(|(_, fd)| !fd.revents().is_empty());
            events.map(|((port, _, _), fd)| (*port, fd.revents())).collect()
        };
        turns.fetch_add(usize::from(!ready.is_empty()), Ordering::Relaxed);
        ready.into_iter().for_each(|(port, events)| reserved.relay.ready(port, events));
        reserved.relay.ring(Instant::now());
    }
}

/// Sends back what it hears, once it has heard all of it.
fn echo(mut stream: TcpStream) {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard);
    let _ = stream.write_all(&heard);
}

fn said(mut stream: TcpStream) -> Result<Vec<u8>, ErrorKind> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).map_err(|e| e.kind())?;
    Ok(said)
}

fn told(text: &[u8]) -> Result<Vec<u8>, ErrorKind> {
    let mut stream = TcpStream::connect(AT).map_err(|e| e.kind())?;
    stream.write_all(text).map_err(|e| e.kind())?;
    stream.shutdown(Shutdown::Write).map_err(|e| e.kind())?;
    said(stream)
}

#[test]
fn much_goes_there_and_back_and_each_end_is_told_of_the_others() {
    let site = Site::new();
    site.each(echo);
    let much: Vec<u8> = (0..20_000_000_u32).map(|n| (n / 7).to_le_bytes()[0]).collect();
    assert!(told(&much).unwrap() == much);
    // The container's end comes first, and the client is heard all the same.
    drop(site);
    let site = Site::new();
    let (tell, heard) = mpsc::channel();
    site.each(move |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        tell.send(said(stream).unwrap()).unwrap();
    });
    let mut stream = TcpStream::connect(AT).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    stream.write_all(&much).unwrap();
    drop(stream);
    assert!(heard.recv().unwrap() == much);
}

#[test]
fn a_connection_that_the_container_refuses_or_breaks_is_reset() {
    let site = Site::new();
    let refused = told(b"x").unwrap_err();
    assert!(
        matches!(refused, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected),
        "{refused}"
    );
    site.each(|stream| {
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    });
    let stream = TcpStream::connect(AT).unwrap();
    assert_eq!(said(stream).unwrap_err(), ErrorKind::ConnectionReset);
}

#[test]
fn the_container_hears_of_a_client_that_breaks_off() {
    let site = Site::new();
    let (tell, heard) = mpsc::channel();
    site.each(move |stream| tell.send(said(stream)).unwrap());
    let stream = TcpStream::connect(AT).unwrap();
    (&stream).write_all(b"x").unwrap();
    thread::sleep(Duration::from_millis(100));
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
    assert_eq!(heard.recv_timeout(Duration::from_secs(5)).unwrap(), Err(ErrorKind::ConnectionReset));
}

#[test]
fn more_connections_than_there_is_room_for_wait_for_their_turn() {
    let site = Site::new();
    site.each(echo);
    let mut open: Vec<TcpStream> = (0..500).map(|_| TcpStream::connect(AT).unwrap()).collect();
    for (stream, n) in open.iter_mut().zip(0_u32..) {
        stream.write_all(&n.to_be_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    }
    for (stream, n) in open.into_iter().zip(0_u32..) {
        assert_eq!(said(stream).unwrap(), n.to_be_bytes());
    }
}

#[test]
fn who_does_not_read_is_in_nobodys_way_and_wakes_nobody() {
    let site = Site::new();
    site.each(|mut stream| {
        let mut first = [0];
        if stream.read_exact(&mut first).is_ok() && first == *b"!" {
            while stream.write_all(&[0; 65536]).is_ok() {}
        } else {
            let _ = stream.write_all(b"well");
        }
    });
    let deaf: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(AT).unwrap();
            stream.write_all(b"!").unwrap();
            // Half of them have said all they have to say.
            stream
        })
        .collect();
    deaf.iter().take(10).for_each(|stream| stream.shutdown(Shutdown::Write).unwrap());
    thread::sleep(Duration::from_secs(1));
    let before = site.turns.load(Ordering::Relaxed);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(site.turns.load(Ordering::Relaxed), before, "nothing is to be done");
    assert_eq!(told(b"?").unwrap(), b"well");
}

#[test]
fn others_come_by_ipv6_and_are_seen_as_the_bridge() {
    let site = Site::new();
    let outside: OwnedFd = site.host.outside();
    site.container.serve(80);
    assert_eq!(crate::host::ask(ip("::1"), 8080), Ok("172.30.0.1".into()));
    inside(&outside, || {
        assert_eq!(crate::host::ask(ip("2001:db8::1"), 8080), Ok("172.30.0.1".into()));
        assert_eq!(crate::host::ask(ip("192.0.2.1"), 8080), Ok("192.0.2.9".into()), "by IPv4 as themselves");
    });
}

#[test]
fn where_a_port_leads_nowhere_any_more_clients_are_turned_away_and_the_port_is_kept() {
    let host = Host::new();
    let network = host.created("br-a", &["172.30.0.0/16"]);
    let container = host.container(&[&network]);
    let wish = Publish { port: "80/tcp".parse().unwrap(), host_ip: Some(ip("::1")), host_ports: None };
    let mut reserved = reserve(&host.home, &[wish], [true, false], ip("0.0.0.0")).unwrap();
    reserved.relay.follow(&host.home, &container.endpoints).unwrap();
    reserved.relay.follow(&host.home, &[]).unwrap();
    let at = ("::1", reserved.published[0].host_port);
    let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    thread::scope(|scope| {
        scope.spawn(|| serve(&mut reserved, &stop, &turns));
        let stream = TcpStream::connect(at).unwrap();
        assert_eq!(said(stream).unwrap_err(), ErrorKind::ConnectionReset);
        assert!(TcpListener::bind(at).is_err());
        stop.store(true, Ordering::Relaxed);
    });
    drop(reserved);
    TcpListener::bind(at).unwrap();
}
