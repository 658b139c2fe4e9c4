//! What is measured. Every scene leaves the engines as it found them.

use super::Effort;
use super::build::build;
use super::debian::Codec;
use super::machine::{holdings, monitors};
use super::peers::{Engine, Peers};
use super::pull::pull;
use super::sample::{Contender, Table, once};
use anyhow::{Context, Result, bail, ensure};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(super) fn play(scene: &str, peers: &Peers, effort: Effort) -> Result<()> {
    let text = match scene {
        "run" => run(peers, effort),
        "exec" => exec(peers, effort),
        "memory" => memory(peers),
        "ps" => ps(peers, effort),
        "storm" => storm(peers, effort),
        "churn" => churn(peers, effort),
        "build" => build(peers, effort),
        "pull" => pull(peers, effort, Codec::Gzip),
        "pull-zstd" => pull(peers, effort, Codec::Zstd),
        _ => bail!("no scene {scene}"),
    };
    println!("{}", text.with_context(|| format!("bench {scene}"))?);
    Ok(())
}

const SHORT: [&str; 6] = ["run", "--rm", "--network", "none", "bench", "true"];
const LONG: [&str; 7] = ["run", "-d", "--network", "none", "bench", "sleep", "100000"];

fn run(peers: &Peers, effort: Effort) -> Result<String> {
    let mut contenders = Vec::new();
    for engine in &peers.engines {
        let contender: Contender<'_> = (engine.name, Box::new(|| once(&mut engine.command(&SHORT))));
        contenders.push(contender);
    }
    contenders.push(("crun alone, Docker's config.json", Box::new(|| once(&mut peers.bundle.run()))));
    Ok(Table::interleaved(effort.samples, &mut contenders)?.markdown("`run --rm --network none bench true`"))
}

fn exec(peers: &Peers, effort: Effort) -> Result<String> {
    let ids = each(peers, |engine| engine.ok(&LONG))?;
    let mut contenders = Vec::new();
    for (engine, id) in peers.engines.iter().zip(&ids) {
        let contender: Contender<'_> =
            (engine.name, Box::new(move || once(&mut engine.command(&["exec", id, "true"]))));
        contenders.push(contender);
    }
    contenders.push(("crun alone", Box::new(|| once(&mut peers.bundle.exec()))));
    let table = Table::interleaved(effort.samples, &mut contenders)?;
    drop(contenders);
    for (engine, id) in peers.engines.iter().zip(&ids) {
        engine.ok(&["rm", "-f", id])?;
    }
    Ok(table.markdown("`exec CONTAINER true`"))
}

/// Docker always has one container more, whose document crun borrows: what is counted is what is added.
fn memory(peers: &Peers) -> Result<String> {
    let mut text = "\n### Memory of idle containers (PSS of the processes that stay with them)\n\n".to_owned();
    text += "| | process | 1 container, kB | 20 containers, kB | for each, kB |\n|---|---|---:|---:|---:|\n";
    for engine in &peers.engines {
        let (before, _) = monitors(engine);
        let mut ids = Vec::new();
        let mut sums = [0, 0];
        for (count, sum) in [1, 20].into_iter().zip(&mut sums) {
            while ids.len() < count {
                ids.push(engine.ok(&LONG)?);
            }
            sleep(Duration::from_secs(1));
            let (now, processes) = monitors(engine);
            ensure!(
                processes >= count,
                "{}: {processes} processes named {} for {count} containers",
                engine.name,
                engine.monitor
            );
            *sum = now.saturating_sub(before);
        }
        text += &format!("| {} | {} | {} | {} | {} |\n", engine.name, engine.monitor, sums[0], sums[1], sums[1] / 20);
        for id in ids {
            engine.ok(&["rm", "-f", &id])?;
        }
    }
    Ok(text)
}

fn ps(peers: &Peers, effort: Effort) -> Result<String> {
    let created = each(peers, |engine| {
        (0..effort.containers_listed)
            .map(|_| engine.ok(&["create", "--network", "none", "bench", "true"]))
            .collect::<Result<Vec<_>>>()
    })?;
    let mut contenders = Vec::new();
    for engine in &peers.engines {
        let contender: Contender<'_> = (engine.name, Box::new(|| once(&mut engine.command(&["ps", "-a"]))));
        contenders.push(contender);
    }
    let table = Table::interleaved(effort.samples.min(20), &mut contenders)?;
    drop(contenders);
    for (engine, ids) in peers.engines.iter().zip(created) {
        for ids in ids.chunks(100) {
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            engine.ok(&[&["rm", "-f"], ids.as_slice()].concat())?;
        }
    }
    Ok(table.markdown(&format!("`ps -a` with {} containers", effort.containers_listed)))
}

fn storm(peers: &Peers, effort: Effort) -> Result<String> {
    let mut text = format!(
        "\n### {} containers at once\n\n| | `run -d`, s | `rm -f` of all, s |\n|---|---:|---:|\n",
        effort.at_once
    );
    for engine in &peers.engines {
        let begin = Instant::now();
        let spawn =
            |_| engine.command(&LONG).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let children: Vec<_> = (0..effort.at_once).map(spawn).collect::<Result<_, _>>()?;
        let mut ids = Vec::new();
        for child in children {
            let output = child.wait_with_output()?;
            ensure!(output.status.success(), "{}: {}", engine.name, String::from_utf8_lossy(&output.stderr));
            ids.push(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let started = begin.elapsed();
        let begin = Instant::now();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        engine.ok(&[&["rm", "-f"], ids.as_slice()].concat())?;
        text += &format!("| {} | {:.2} | {:.2} |\n", engine.name, started.as_secs_f64(), begin.elapsed().as_secs_f64());
    }
    Ok(text)
}

/// Two lanes of `run --rm` as fast as they go, and what of the machine is used up afterwards.
fn churn(peers: &Peers, effort: Effort) -> Result<String> {
    let kist = peers.engine("kist");
    kist.ok(&SHORT)?;
    let before = holdings(&kist.mark);
    let begin = Instant::now();
    let until = begin + Duration::from_secs(effort.churn_seconds);
    let lane = || {
        let mut count = 0_u32;
        while Instant::now() < until {
            kist.ok(&SHORT)?;
            count += 1;
        }
        Ok(count)
    };
    let counts: Result<Vec<u32>> = std::thread::scope(|scope| {
        let lanes = [scope.spawn(lane), scope.spawn(lane)];
        lanes.into_iter().map(|lane| lane.join().expect("a lane returns its errors")).collect()
    });
    let count: u32 = counts?.iter().sum();
    let rate = f64::from(count) / begin.elapsed().as_secs_f64();
    // A monitor's last work is done after its command has gone.
    sleep(Duration::from_secs(2));
    let mut text = format!(
        "\n### {} s of `run --rm` in two lanes\n\n{count} containers, {rate:.0} a second\n\n| | before | after |\n|---|---:|---:|\n",
        effort.churn_seconds
    );
    for ((what, before), (_, after)) in before.iter().zip(holdings(&kist.mark)) {
        text += &format!("| {what} | {before} | {after} |\n");
    }
    Ok(text)
}

fn each<T>(peers: &Peers, act: impl Fn(&Engine) -> Result<T>) -> Result<Vec<T>> {
    peers.engines.iter().map(|engine| act(engine).with_context(|| engine.name)).collect()
}
