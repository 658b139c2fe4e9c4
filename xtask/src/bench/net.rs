//! What networks cost: a container on a bridge with a published port, the way through that port beside one without an engine, and whether
//! the thousandth port and the two hundredth container cost what the first did.
//!
//! ```text
//!   client ─┬─ host of kist   ── container      198.18.<n>.0/24 between client and host
//!           ├─ host of docker ── container
//!           ├─ host of podman ── container
//!           └─ router         ── server         no engine, as many hops
//! ```

use super::daemon::Daemon;
use super::host::Host;
use super::peers::{Engine, dockerd, kist, podman};
use super::rates::{Way, rates};
use super::sample::{Contender, Table, wait_for_rest};
use super::{Effort, image, machine, utf8};
use crate::run::{cargo, released, succeed};
use anyhow::{Context, Result, ensure};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// An engine with its host.
struct Site {
    engine: Engine,
    /// Ends before its host does.
    _daemon: Option<Daemon>,
    host: Host,
    /// The host's, as the client knows it.
    address: String,
}

impl Site {
    fn ok(&self, args: &[&str]) -> Result<String> {
        Ok(self.host.ok(&mut self.engine.command(args)).with_context(|| self.engine.name)?.trim_end().to_owned())
    }

    fn once(&self, args: &[&str]) -> Result<Duration> {
        wait_for_rest();
        self.host.promptly(&mut self.engine.command(args))
    }

    fn remove_all(&self) -> Result<()> {
        self.host.inside(|| self.engine.remove_all())
    }
}

pub(super) fn net(dir: &Path, effort: Effort) -> Result<()> {
    succeed(&mut cargo(&["build", "--release", "--locked", "-p", "xtask"]))?;
    let load = released("xtask");
    let image = image::make(dir, &[(&load, "load")])?;
    let client = Host::new()?;
    let mut sites = Vec::new();
    for (n, name) in ["kist", "docker", "podman"].into_iter().enumerate() {
        let site = site(name, dir, &client, n)?;
        site.ok(&["load", "-i", utf8(&image.archive)])?;
        sites.push(site);
    }
    let engines: Vec<_> = sites.iter().map(|site| &site.engine).collect();
    println!("{}", machine::describe(&engines, dir)?);
    sites.retain(|site| match site.ok(&SHORT) {
        Ok(_) => true,
        Err(error) => {
            println!("\n{} publishes no port here: {error:#}", site.engine.name);
            false
        }
    });
    let played = play(&sites, &client, &load, dir, effort);
    let removed: Vec<_> = sites.iter().map(Site::remove_all).collect();
    played.and(removed.into_iter().collect())
}

fn play(sites: &[Site], client: &Host, load: &Path, dir: &Path, effort: Effort) -> Result<()> {
    println!("{}", run(sites, effort)?);
    println!("{}", ways(sites, client, load, dir, effort)?);
    println!("{}", ports(sites, effort)?);
    println!("{}", crowd(sites, effort)?);
    Ok(())
}

fn site(name: &str, dir: &Path, client: &Host, n: usize) -> Result<Site> {
    let host = Host::new()?;
    let (address, there) = (format!("198.18.{n}.1"), format!("198.18.{n}.2"));
    client.connect(&host, &format!("bench{n}"), &there, &address)?;
    let (engine, daemon) = match name {
        "kist" => (kist(dir), None),
        "docker" => {
            let (daemon, engine) = host.inside(|| dockerd(dir, &[]))?;
            (engine, Some(daemon))
        }
        _ => (podman(dir)?, None),
    };
    Ok(Site { engine, _daemon: daemon, host, address })
}

const SHORT: [&str; 6] = ["run", "--rm", "-p", "8080:80", "bench", "true"];

fn run(sites: &[Site], effort: Effort) -> Result<String> {
    let mut contenders = Vec::new();
    for site in sites {
        let contender: Contender<'_> = (site.engine.name, Box::new(|| site.once(&SHORT)));
        contenders.push(contender);
    }
    Ok(Table::interleaved(effort.samples, &mut contenders)?.markdown("`run --rm -p 8080:80 bench true`"))
}

/// The way through a published port, from outside and from the host itself.
fn ways(sites: &[Site], client: &Host, load: &Path, dir: &Path, effort: Effort) -> Result<String> {
    let (router, server) = (Host::new()?, Host::new()?);
    client.connect(&router, "direct", "198.18.100.1", "198.18.100.2")?;
    router.connect(&server, "server", "198.18.101.1", "198.18.101.2")?;
    router.forward()?;
    client.route("198.18.101.0/24", "198.18.100.2")?;
    server.route("default", "198.18.101.1")?;
    let mut serve = Command::new(load);
    serve.args(["load", "serve", "80"]);
    let answers = || TcpStream::connect("127.0.0.1:80").is_ok();
    let _server = server.inside(|| Daemon::start(&mut serve, &dir.join("server.log"), answers))?;
    for site in sites {
        site.ok(&["run", "-d", "-p", "8080:80", "bench", "load", "load", "serve", "80"])?;
    }
    let mut outside = vec![("no engine, routed", client, "198.18.101.2:80".to_owned())];
    outside.extend(sites.iter().map(|site| (site.engine.name, client, format!("{}:8080", site.address))));
    // Docker's proxy is what the others are measured by there.
    let mut itself: Vec<_> = sites.iter().collect();
    itself.sort_by_key(|site| site.engine.name);
    let itself = itself.into_iter().map(|site| (site.engine.name, &site.host, "127.0.0.1:8080".to_owned()));
    let itself: Vec<_> = itself.collect();
    let mut text = String::new();
    for (title, ends) in [("Published port, from outside", &outside), ("Published port, 127.0.0.1", &itself)] {
        for (what, unit, lanes) in
            [("requests", "answers/s", "16"), ("connections", "connections/s", "16"), ("bulk", "MB/s", "2")]
        {
            let mut ways: Vec<Way<'_>> = Vec::new();
            for (name, from, to) in ends {
                until_it_answers(from, to)?;
                let seconds = effort.rate_seconds.to_string();
                let rate = move || {
                    let mut command = Command::new(load);
                    command.args(["load", what, to, lanes, &seconds]);
                    Ok(from.ok(&mut command)?.trim().parse()?)
                };
                ways.push(((*name).to_owned(), Box::new(rate)));
            }
            text += &rates(&format!("{title}: {what}"), unit, effort.rates, &mut ways)?;
        }
    }
    sites.iter().try_for_each(Site::remove_all)?;
    Ok(text)
}

fn until_it_answers(from: &Host, to: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    let answers = || from.inside(|| Ok(TcpStream::connect_timeout(&to.parse()?, Duration::from_secs(1))?)).is_ok();
    while !answers() {
        ensure!(Instant::now() < deadline, "{to} does not answer");
    }
    Ok(())
}

/// The first port and the one after many.
fn ports(sites: &[Site], effort: Effort) -> Result<String> {
    let many = effort.ports;
    let range = |count: u16| format!("10001-{0}:10001-{0}", 10000 + count);
    let one = ["run", "-d", "-p", "9000:80", "bench", "sleep", "100000"];
    let mut rows = Vec::new();
    for site in sites {
        let fill = || site.ok(&["run", "-d", "-p", &range(many - 1), "bench", "sleep", "100000"]);
        rows.push((site, first_and_last(site, &one, effort, || fill().map(|id| vec![id]))?));
    }
    let mut text = table(&format!("`run -d -p 9000:80`, the 1st and the {many}th port"), &rows);
    text += &format!("\n### `run -d` with a range of {many} ports\n\n| | min ms |\n|---|---:|\n");
    for site in sites {
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            best = best.min(timed(site, &["run", "-d", "-p", &range(many), "bench", "sleep", "100000"])?);
        }
        text += &format!("| {} | {best:.1} |\n", site.engine.name);
    }
    Ok(text)
}

/// The first container of a network and the one after many.
fn crowd(sites: &[Site], effort: Effort) -> Result<String> {
    let many = effort.on_one_network;
    let one = ["run", "-d", "--network", "crowd", "bench", "sleep", "100000"];
    let mut rows = Vec::new();
    for site in sites {
        site.ok(&["network", "create", "crowd"])?;
        let fill = || (1..many).map(|_| site.ok(&one)).collect();
        rows.push((site, first_and_last(site, &one, effort, fill)?));
        site.ok(&["network", "rm", "crowd"])?;
    }
    Ok(table(&format!("`run -d --network`, the 1st and the {many}th container"), &rows))
}

/// Milliseconds of the first, of the last, and of the first again: the machine is not the same after minutes.
type Levels = [Vec<f64>; 3];

fn first_and_last(
    site: &Site,
    command: &[&str],
    effort: Effort,
    fill: impl Fn() -> Result<Vec<String>>,
) -> Result<Levels> {
    let samples = || -> Result<Vec<f64>> {
        timed(site, command)?;
        let mut taken: Vec<_> = (0..effort.samples.min(20)).map(|_| timed(site, command)).collect::<Result<_>>()?;
        taken.sort_by(f64::total_cmp);
        Ok(taken)
    };
    let before = samples()?;
    let filled = fill()?;
    let last = samples()?;
    for ids in filled.chunks(100) {
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        site.ok(&[&["rm", "-f"], ids.as_slice()].concat())?;
    }
    Ok([before, last, samples()?])
}

/// What `run -d` takes; the container goes again.
fn timed(site: &Site, run: &[&str]) -> Result<f64> {
    let name = [&run[..1], &["--name", "timed"], &run[1..]].concat();
    let took = site.once(&name).with_context(|| site.engine.name)?;
    site.ok(&["rm", "-f", "timed"])?;
    Ok(took.as_secs_f64() * 1000.0)
}

fn table(title: &str, rows: &[(&Site, Levels)]) -> String {
    let mut text =
        format!("\n### {title}\n\n| | 1st, min / median ms | last | 1st again | last by 1st (min) | (median) |\n");
    text += "|---|---:|---:|---:|---:|---:|\n";
    for (site, levels) in rows {
        let [first, last, again] =
            levels.each_ref().map(|taken| (taken[0], taken.get(taken.len() / 2).copied().unwrap_or(f64::NAN)));
        let [a, b, c] = [first, last, again].map(|(min, median)| format!("{min:.1} / {median:.1}"));
        let (min, median) = (last.0 * 2.0 / (first.0 + again.0), last.1 * 2.0 / (first.1 + again.1));
        text += &format!("| {} | {a} | {b} | {c} | {min:.2} | {median:.2} |\n", site.engine.name);
    }
    text
}
