//! A pull from a registry on loopback into an empty store, beside those who only fetch and those who only unpack.

use super::Effort;
use super::daemon::Daemon;
use super::debian::{self, Codec, Image};
use super::peers::{Engine, Peers};
use super::sample::{Contender, Table, once, promptly, wait_for_rest};
use super::{memory, utf8};
use crate::run::{output, succeed};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(super) fn pull(peers: &Peers, effort: Effort, codec: Codec) -> Result<String> {
    let dir = peers.dir.join("pull").join(codec.name());
    fs::create_dir_all(&dir)?;
    let image = debian::image(codec)?;
    let (registry, reference) = serve(&image, &dir)?;
    let containerd = containerd(&dir, &memory(&peers.dir))?;
    // Docker 20.10 knows no zstd.
    let engines: Vec<_> = peers.engines.iter().filter(|e| codec == Codec::Gzip || e.name != "docker").collect();

    let mut pullers: Vec<_> = engines.iter().map(|engine| of_engine(engine, peers, &reference)).collect();
    pullers.push(of_containerd(&containerd, &dir, &reference));
    pullers.push(of_skopeo(&dir, &reference));
    pullers.push(of_files(&image, codec, &dir));
    let rows = by_turns(effort.pulls, &mut pullers, &registry, &dir.join("time"))?;
    let text = markdown(&format!("`pull` into an empty store: {}", image.description), &rows);
    pullers.truncate(engines.len() + 1);
    let again = again(&mut pullers)?;
    for engine in &engines {
        let id = engine.ok(&["image", "inspect", "--format", "{{.Id}}", &reference])?;
        ensure!(image.id.ends_with(&id), "{} has the image {id}, not {}", engine.name, image.id);
    }
    pullers.iter_mut().try_for_each(Puller::empty)?;
    Ok(text + &again)
}

/// A registry with the image, and how the image is called there. Whoever pulls finds the blobs in the page cache.
fn serve(image: &Image, dir: &Path) -> Result<(Daemon, String)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let config = dir.join("registry.yml");
    let root = dir.join("registry");
    let text = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
        utf8(&root)
    );
    fs::write(&config, text)?;
    let mut command = Command::new("/usr/bin/docker-registry");
    let registry = Daemon::start(command.arg("serve").arg(&config), &dir.join("registry.log"), || {
        TcpStream::connect(address).is_ok()
    })?;
    let reference = format!("{address}/bench/image:1");
    let to = format!("docker://{reference}");
    succeed(Command::new("skopeo").args(["copy", "-q", "--dest-tls-verify=false", &image.source, &to]))?;
    Ok((registry, reference))
}

/// For images only: without what serves Kubernetes, and without the directory in /opt that the last would make.
fn containerd(dir: &Path, memory: &Path) -> Result<Daemon> {
    let config = dir.join("containerd.toml");
    fs::write(
        &config,
        "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.internal.v1.opt\"]\n",
    )?;
    let socket = dir.join("containerd.sock");
    let mut command = Command::new("/usr/bin/containerd");
    command.arg("--config").arg(&config).arg("--root").arg(dir.join("containerd"));
    command.arg("--state").arg(memory.join("containerd")).arg("--address").arg(&socket);
    Daemon::start(&mut command, &dir.join("containerd.log"), || UnixStream::connect(&socket).is_ok())
}

/// Who pulls, and how its store becomes empty again.
struct Puller<'a> {
    name: &'static str,
    pull: Command,
    run: Option<Command>,
    empty: Vec<Command>,
    daemon: Option<&'a Daemon>,
}

fn of_engine<'a>(engine: &Engine, peers: &'a Peers, reference: &str) -> Puller<'a> {
    let plain: &[&str] = if engine.name == "podman" { &["--tls-verify=false"] } else { &[] };
    Puller {
        name: engine.name,
        pull: engine.command(&[&["pull"], plain, &[reference]].concat()),
        run: Some(engine.command(&["run", "--rm", "--network", "none", reference, "true"])),
        empty: vec![engine.command(&["rmi", reference]), engine.command(&["image", "prune", "-f"])],
        daemon: (engine.name == "docker").then_some(&peers.daemon),
    }
}

fn of_containerd<'a>(containerd: &'a Daemon, dir: &Path, reference: &str) -> Puller<'a> {
    let ctr = |args: &[&str]| {
        let mut command = Command::new("/usr/bin/ctr");
        command.arg("--address").arg(dir.join("containerd.sock")).arg("images").args(args);
        command
    };
    Puller {
        name: "ctr",
        pull: ctr(&["pull", "--plain-http", reference]),
        run: None,
        empty: vec![ctr(&["rm", "--sync", reference])],
        daemon: Some(containerd),
    }
}

fn of_skopeo(dir: &Path, reference: &str) -> Puller<'static> {
    let to = dir.join("skopeo");
    let mut pull = Command::new("skopeo");
    pull.args(["copy", "-q", "--src-tls-verify=false", &format!("docker://{reference}")]);
    pull.arg(format!("dir:{}", utf8(&to)));
    Puller { name: "skopeo, not unpacked", pull, run: None, empty: vec![deletion(&to)], daemon: None }
}

/// The work no one can leave out who checks what came and keeps it as files, by programs and pipes, two layers at a time: each blob is
/// hashed, decompressed, hashed again and unpacked. No registry, no store.
const FILES: &str = r#"
export to="$0" decompress="$1"
layer() {
    set -eo pipefail
    tree="$to/${1##*/}"
    mkdir -p "$tree"
    openssl dgst -sha256 "$1"
    { $decompress "$1" | tee /dev/fd/3 | tar -x -C "$tree"; } 3>&1 | openssl dgst -sha256
}
export -f layer
printf '%s\n' "${@:2}" | xargs -P 2 -I BLOB bash -c 'layer BLOB'"#;

fn of_files(image: &Image, codec: Codec, dir: &Path) -> Puller<'static> {
    let to = dir.join("files");
    let mut pull = Command::new("bash");
    pull.args(["-c", FILES]).arg(&to).arg(codec.decompress()).args(&image.layers);
    Puller { name: "floor: hashes, codec, files", pull, run: None, empty: vec![deletion(&to)], daemon: None }
}

fn deletion(dir: &Path) -> Command {
    let mut command = Command::new("rm");
    command.arg("-rf").arg(dir);
    command
}

type Row = (&'static str, Vec<Sample>);

/// The samples of each, after one round that does not count.
fn by_turns(rounds: usize, pullers: &mut [Puller<'_>], registry: &Daemon, report: &Path) -> Result<Vec<Row>> {
    let mut rows: Vec<_> = pullers.iter().map(|puller| (puller.name, Vec::new())).collect();
    for round in 0..=rounds {
        for (puller, (_, samples)) in pullers.iter_mut().zip(&mut rows) {
            let sample = puller.sample(registry, report).with_context(|| puller.name)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    Ok(rows)
}

/// What one pull took.
struct Sample {
    wall: Duration,
    with_run: Option<Duration>,
    client: Used,
    daemon: Option<Used>,
    registry_cpu_seconds: f64,
}

struct Used {
    cpu_seconds: f64,
    peak_kb: f64,
}

impl Puller<'_> {
    /// One pull into an empty store, which is empty again afterwards. What the last one wrote is on disk before this one begins.
    fn sample(&mut self, registry: &Daemon, report: &Path) -> Result<Sample> {
        output(&mut Command::new("sync"))?;
        wait_for_rest();
        self.daemon.map_or(Ok(()), Daemon::forget_peak)?;
        let cpu_seconds = || self.daemon.map_or(Ok(0.0), Daemon::cpu_seconds);
        let before = (cpu_seconds()?, registry.cpu_seconds()?);
        let wall = promptly(&mut counted(&self.pull, report))?;
        let after = (cpu_seconds()?, registry.cpu_seconds()?);
        let cpu_seconds = after.0 - before.0;
        let daemon = self.daemon.map(|daemon| Ok::<_, anyhow::Error>(Used { cpu_seconds, peak_kb: daemon.peak_kb()? }));
        let daemon = daemon.transpose()?;
        let run = self.run.as_mut().map(promptly).transpose()?;
        self.empty()?;
        let counted = fs::read_to_string(report)?;
        let [user, system, peak_kb] = counted.split_whitespace().collect::<Vec<_>>()[..] else {
            anyhow::bail!("time says {counted}");
        };
        let client = Used { cpu_seconds: user.parse::<f64>()? + system.parse::<f64>()?, peak_kb: peak_kb.parse()? };
        let with_run = run.map(|run| wall + run);
        Ok(Sample { wall, with_run, client, daemon, registry_cpu_seconds: after.1 - before.1 })
    }

    fn empty(&mut self) -> Result<()> {
        self.empty.iter_mut().try_for_each(|command| output(command).map(drop))
    }
}

/// The command below one that reports what it and its children used: user and system seconds, kB of the largest process.
fn counted(command: &Command, report: &Path) -> Command {
    let mut counted = Command::new("/usr/bin/time");
    counted.args(["-f", "%U %S %M", "-o"]).arg(report).arg(command.get_program()).args(command.get_args());
    counted.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    counted
}

/// The first row is kist; the others say how many times its time they take. All but the minima are medians.
fn markdown(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "\n### {title}\n\n{} samples each, interleaved; client + daemon\n\n\
         | | min s | median s | times kist (min) | times kist (median) | CPU s | CPU s of the registry | peak MB | \
         median s with `run --rm` of `true` after it |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        rows.first().map_or(0, |(_, samples)| samples.len())
    );
    let mut ours = None;
    for (name, samples) in rows {
        let each = |of: fn(&Sample) -> Option<f64>| sorted(samples.iter().filter_map(of).collect());
        let cell = |of: fn(&Sample) -> Option<f64>| middle(&each(of)).map(|middle| format!("{middle:.2}"));
        let pair = |client, daemon| [cell(client), cell(daemon)].into_iter().flatten().collect::<Vec<_>>().join(" + ");
        let wall = each(|sample| Some(sample.wall.as_secs_f64()));
        let (min, median) = (wall.first().copied().unwrap_or(f64::NAN), middle(&wall).unwrap_or(f64::NAN));
        let (our_min, our_median) = *ours.get_or_insert((min, median));
        text += &format!(
            "| {name} | {min:.2} | {median:.2} | {:.1} | {:.1} | {} | {} | {} | {} |\n",
            min / our_min,
            median / our_median,
            pair(|s| Some(s.client.cpu_seconds), |s| Some(s.daemon.as_ref()?.cpu_seconds)),
            cell(|s| Some(s.registry_cpu_seconds)).unwrap_or_default(),
            pair(|s| Some(s.client.peak_kb / 1024.0), |s| Some(s.daemon.as_ref()?.peak_kb / 1024.0)),
            cell(|s| Some(s.with_run?.as_secs_f64())).unwrap_or_default(),
        );
    }
    text
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

/// The pull of a tag that has not changed; leaves the image in all stores.
fn again(pullers: &mut [Puller<'_>]) -> Result<String> {
    let mut contenders = Vec::new();
    for puller in pullers {
        let contender: Contender<'_> = (puller.name, Box::new(|| once(&mut puller.pull)));
        contenders.push(contender);
    }
    Ok(Table::interleaved(20, &mut contenders)?.markdown("`pull` of the same again"))
}

#[cfg(test)]
mod tests {
    use super::{Sample, Used, markdown};
    use expect_test::expect;
    use std::time::Duration;

    #[test]
    fn only_who_has_a_daemon_and_runs_containers_says_so() {
        let sample = |seconds, daemon: bool| Sample {
            wall: Duration::from_secs(seconds),
            with_run: daemon.then_some(Duration::from_secs(seconds + 1)),
            client: Used { cpu_seconds: 0.25, peak_kb: 2048.0 },
            daemon: daemon.then_some(Used { cpu_seconds: 7.5, peak_kb: 92160.0 }),
            registry_cpu_seconds: 0.5,
        };
        let kist = vec![sample(3, false), sample(2, false), sample(4, false)];
        let docker = vec![sample(12, true), sample(18, true), sample(14, true)];
        expect![[r#"

            ### `pull`

            3 samples each, interleaved; client + daemon

            | | min s | median s | times kist (min) | times kist (median) | CPU s | CPU s of the registry | peak MB | median s with `run --rm` of `true` after it |
            |---|---:|---:|---:|---:|---:|---:|---:|---:|
            | kist | 2.00 | 3.00 | 1.0 | 1.0 | 0.25 | 0.50 | 2.00 |  |
            | docker | 12.00 | 14.00 | 6.0 | 4.7 | 0.25 + 7.50 | 0.50 | 2.00 + 90.00 | 15.00 |
        "#]].assert_eq(&markdown("`pull`", &[("kist", kist), ("docker", docker)]));
    }
}
