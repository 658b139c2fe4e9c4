//! Load for `bench net`: a server of the shortest answers and clients that count them, without a runtime, so that what is between both is
//! most of what is measured. Both run in namespaces and containers, as this program in a release build.
//!
//! ```text
//! load serve PORT                          a thread for each connection
//! load requests ADDRESS LANES SECONDS      answers a second over LANES connections that stay
//! load connections ADDRESS LANES SECONDS   answers a second, each over a connection of its own
//! load bulk ADDRESS LANES SECONDS          megabytes a second from the server
//! ```

use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";
const BULK: &[u8] = b"GET /bulk HTTP/1.1\r\nHost: bench\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(crate) fn load(args: &[&str]) -> Result<()> {
    match args {
        ["serve", port] => serve(port.parse()?),
        [what, address, lanes, seconds] => {
            let lane = match *what {
                "requests" => requests,
                "connections" => connections,
                "bulk" => bulk,
                _ => bail!("no load {what}"),
            };
            let lanes = lanes.parse()?;
            println!("{:.1}", rate(lane, address.parse()?, lanes, Duration::from_secs_f64(seconds.parse()?))?);
            Ok(())
        }
        _ => bail!("load serve PORT, or load requests|connections|bulk ADDRESS LANES SECONDS"),
    }
}

fn serve(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).context("listening")?;
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || answer(stream));
    }
    Ok(())
}

/// Until the client has gone. A request comes in one piece: no client of ours has two on the way.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = [0; 512];
    loop {
        match stream.read(&mut request)? {
            0 => return Ok(()),
            n if request[..n] == *BULK => {
                let zeros = vec![0; 256 * 1024];
                loop {
                    stream.write_all(&zeros)?;
                }
            }
            _ => stream.write_all(ANSWER)?,
        }
    }
}

type Lane = fn(SocketAddr, Instant) -> Result<f64>;

/// The sum of what all lanes count until the time is over, for each second.
fn rate(lane: Lane, address: SocketAddr, lanes: usize, time: Duration) -> Result<f64> {
    let begin = Instant::now();
    let until = begin + time;
    let threads: Vec<_> = (0..lanes).map(|_| thread::spawn(move || lane(address, until))).collect();
    let counts: Result<Vec<f64>> =
        threads.into_iter().map(|lane| lane.join().expect("a lane returns its errors")).collect();
    Ok(counts?.iter().sum::<f64>() / begin.elapsed().as_secs_f64())
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

fn ask(stream: &mut TcpStream) -> Result<()> {
    stream.write_all(REQUEST)?;
    let mut answer = [0; ANSWER.len()];
    stream.read_exact(&mut answer)?;
    ensure!(answer == *ANSWER, "another server answers");
    Ok(())
}

fn requests(address: SocketAddr, until: Instant) -> Result<f64> {
    let mut stream = connect(address)?;
    let mut count = 0;
    while Instant::now() < until {
        ask(&mut stream)?;
        count += 1;
    }
    Ok(f64::from(count))
}

/// Each is ended by a reset: ports that wait two minutes for stragglers would run out on every machine between us.
fn connections(address: SocketAddr, until: Instant) -> Result<f64> {
    let mut count = 0;
    while Instant::now() < until {
        let mut stream = connect(address)?;
        ask(&mut stream)?;
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        count += 1;
    }
    Ok(f64::from(count))
}

fn bulk(address: SocketAddr, until: Instant) -> Result<f64> {
    let mut stream = connect(address)?;
    stream.write_all(BULK)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut megabytes = 0.0;
    while Instant::now() < until {
        match stream.read(&mut buffer) {
            Ok(0) => bail!("the server ends a bulk answer"),
            Ok(n) => megabytes += f64::from(u32::try_from(n)?) / 1e6,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(megabytes)
}

#[cfg(test)]
mod tests {
    use super::{answer, bulk, connections, rate, requests};
    use std::net::TcpListener;
    use std::time::Duration;

    #[test]
    fn every_kind_of_load_is_answered() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || answer(stream.unwrap()));
            }
        });
        for lane in [requests, connections, bulk] {
            assert!(rate(lane, address, 2, Duration::from_millis(20)).unwrap() > 0.0);
        }
    }
}
