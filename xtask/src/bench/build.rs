//! Builds: a second time without a change, with one file changed, from nothing beside the same commands without an engine, and what each
//! `RUN` costs beside its command. Docker builds with its BuildKit, buildah with its cache on.

use super::peers::Peers;
use super::sample::{Contender, Table, once, promptly, wait_for_rest};
use super::{Effort, debian, image, memory, utf8};
use crate::run::output;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Six steps, of which two copy.
const SIX: &str = "FROM bench
WORKDIR /src
COPY some some
RUN ls some > some.txt
COPY more more
RUN ls more > more.txt
RUN cat some.txt more.txt > all.txt
CMD [\"true\"]
";

const ONE_COPY: &str = "FROM bench
COPY . /src
RUN ls /src > /list
";

/// What a cold build does: work for processor and file system, in three commands, on the image that all peers run.
const COMMANDS: [&str; 4] = [
    LINKS,
    "i=0; while [ $i -lt 3000 ]; do echo $i > /tmp/$i; i=$((i+1)); done; cat /tmp/* | sha256sum > /sum",
    "dd if=/dev/zero bs=1M count=400 | sha256sum > /zeros; dd if=/dev/zero bs=1M count=64 | gzip > /zeros.gz",
    "gunzip -c /zeros.gz | sha256sum > /zeros.sum; mkdir /copy && cp /tmp/* /copy",
];

const LINKS: &str =
    "for applet in cat cp dd gunzip gzip ls mkdir sha256sum; do /bin/busybox ln -sf busybox /bin/$applet; done";

/// The same of a Debian: packages are installed, programs compiled, a tree is packed.
const DEBIAN: [&str; 3] = [
    "dpkg -i --force-depends /packages/*.deb > /dev/null 2>&1",
    "mkdir /src && cd /src && for i in $(seq 60); do \
     printf '#include <stdio.h>\\n#include <stdlib.h>\\nint f%d(int n) { return printf(\"%%d\", n) + rand(); }\\n' $i > $i.c && \
     gcc -O2 -c $i.c; done && gcc -shared -o /usr/local/lib/f.so *.o",
    "tar -C /usr/share -cf - . | gzip -1 > /share.tar.gz && sha256sum /share.tar.gz > /share.sum",
];

/// So many `RUN`s in a row, to tell one's cost from the rest of a build.
const RUNS: u32 = 20;

/// A builder's command line with these arguments.
type Line<'a> = Box<dyn Fn(&[&str]) -> Command + 'a>;

/// How an engine is told to build.
struct Builder<'a> {
    name: &'static str,
    command: Line<'a>,
    /// Other words than `build`.
    other: Line<'a>,
}

impl Builder<'_> {
    fn name_of(context: &Path) -> String {
        format!("built-{}", context.file_name().unwrap_or_default().display())
    }

    /// Forgets what was built. Not all have all of it.
    fn forget(&self, context: &Path) -> Result<()> {
        for line in [&["rmi", "-f", &Builder::name_of(context)][..], &["builder", "prune", "-a", "-f"]] {
            (self.other)(line).output()?;
        }
        Ok(())
    }

    fn load(&self, archive: &Path) -> Result<()> {
        let from = format!("docker-archive:{}", utf8(archive));
        let words = if self.name == "buildah" { ["pull", "-q", &from] } else { ["load", "-i", utf8(archive)] };
        output(&mut (self.other)(&words)).context(self.name)?;
        Ok(())
    }

    fn build(&self, context: &Path, flags: &[&str]) -> Command {
        let name = Builder::name_of(context);
        let mut command = (self.command)(&[flags, &["--network", "none", "-t", &name]].concat());
        command.arg(context);
        command
    }
}

pub(super) fn build(peers: &Peers, effort: Effort) -> Result<String> {
    let dir = peers.dir.join("build");
    fs::create_dir_all(&dir)?;
    let builders = builders(peers)?;
    let samples = effort.samples.min(20);
    // As soon as it is known: all together take half an hour.
    println!("{}", unchanged(&builders, &dir, samples)?);
    println!("{}", changed(&builders, &dir, samples)?);
    println!("{}", overhead(&builders, &dir, effort.pulls)?);
    let bench =
        Cold { title: "three commands that work", image: "bench", tree: &peers.dir.join("tree"), commands: &COMMANDS };
    println!("{}", cold(&builders, &bench, &dir.join("cold"), effort.pulls)?);
    let tree = dir.join("debian-tree");
    debian::unpack_base(&tree)?;
    let archive = image::pack(&tree, "debian:latest", "PATH=/usr/sbin:/usr/bin", &dir.join("debian-save"))?;
    for builder in &builders {
        builder.load(&archive)?;
    }
    let title = "what is done in a Debian: packages, a compiler, a tar";
    let debian = Cold { title, image: "debian", tree: &tree, commands: &DEBIAN };
    cold(&builders, &debian, &dir.join("cold-debian"), effort.pulls)
}

fn builders(peers: &Peers) -> Result<Vec<Builder<'_>>> {
    let of = |name: &'static str, engine: &'static str, env: &'static [(&str, &str)]| {
        let engine = peers.engine(engine);
        let command = move |args: &[&str]| {
            let mut command = engine.command(&[&["build"], args].concat());
            command.envs(env.iter().copied());
            command
        };
        Builder { name, command: Box::new(command), other: Box::new(move |args| engine.command(args)) }
    };
    Ok(vec![of("kist", "kist", &[]), of("docker (BuildKit)", "docker", &[("DOCKER_BUILDKIT", "1")]), buildah(peers)?])
}

/// Debian's buildah, with a store of its own.
fn buildah(peers: &Peers) -> Result<Builder<'_>> {
    let root = peers.dir.join("buildah");
    let run = memory(&peers.dir).join("buildah");
    let global = ["--root", utf8(&root), "--runroot", utf8(&run), "--storage-driver", "overlay"].map(str::to_owned);
    let other = move |args: &[&str]| {
        let mut command = Command::new("/usr/bin/buildah");
        command.args(&global).args(args).env("CONTAINERS_CONF", peers.dir.join("podman/containers.conf"));
        command
    };
    let command = {
        let other = other.clone();
        move |args: &[&str]| other(&[&["build", "--layers"], args].concat())
    };
    let buildah = Builder { name: "buildah", command: Box::new(command), other: Box::new(other) };
    buildah.load(&peers.dir.join("save/image.tar"))?;
    Ok(buildah)
}

/// A context with this Dockerfile, for each builder its own.
fn context(dir: &Path, name: &str, dockerfile: &str) -> Result<PathBuf> {
    let context = dir.join(name);
    fs::create_dir_all(&context)?;
    fs::write(context.join("Dockerfile"), dockerfile)?;
    Ok(context)
}

/// Small files of differing content, a hundred in a directory.
fn files(dir: &Path, count: usize) -> Result<()> {
    for n in 0..count {
        let below = dir.join(format!("{:03}", n / 100));
        if n % 100 == 0 {
            fs::create_dir_all(&below)?;
        }
        fs::write(below.join(format!("{n}.txt")), format!("{n}\n").repeat(300))?;
    }
    Ok(())
}

fn unchanged(builders: &[Builder<'_>], dir: &Path, samples: usize) -> Result<String> {
    let context = context(dir, "six", SIX)?;
    files(&context.join("some"), 500)?;
    files(&context.join("more"), 1500)?;
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for builder in builders {
        output(&mut builder.build(&context, &[])).context(builder.name)?;
        contenders.push((builder.name, Box::new(|| once(&mut builder.build(&context, &[])))));
    }
    let table = Table::interleaved(samples, &mut contenders)?;
    Ok(table.markdown("`build` again: six steps over 2,000 files, nothing changed"))
}

fn changed(builders: &[Builder<'_>], dir: &Path, samples: usize) -> Result<String> {
    let context = context(dir, "large", ONE_COPY)?;
    files(&context, 10_000)?;
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for builder in builders {
        output(&mut builder.build(&context, &[])).context(builder.name)?;
        let (context, mut round) = (&context, 0);
        let change = move || {
            round += 1;
            fs::write(context.join("042/4242.txt"), format!("{} {round}\n", builder.name).repeat(200))?;
            once(&mut builder.build(context, &[]))
        };
        contenders.push((builder.name, Box::new(change)));
    }
    let table = Table::interleaved(samples, &mut contenders)?;
    Ok(table.markdown("`build` with one file changed of the 10,000 that are copied"))
}

/// A build from nothing, and the same commands without an engine.
struct Cold<'a> {
    title: &'a str,
    image: &'a str,
    tree: &'a Path,
    commands: &'a [&'a str],
}

/// The bare commands run in a copy of the image's tree, each in a shell of its own.
fn cold(builders: &[Builder<'_>], cold: &Cold<'_>, dir: &Path, samples: usize) -> Result<String> {
    let runs: String = cold.commands.iter().map(|command| format!("RUN {command}\n")).collect();
    fs::create_dir_all(dir)?;
    fs::write(dir.join("Dockerfile"), format!("FROM {}\n{runs}", cold.image))?;
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for builder in builders {
        let from_nothing = || {
            builder.forget(dir)?;
            once(&mut builder.build(dir, &["--no-cache"]))
        };
        contenders.push((builder.name, Box::new(from_nothing)));
    }
    let bare = dir.with_extension("bare");
    contenders.push(("the commands alone", Box::new(move || alone(cold, &bare))));
    let table = Table::interleaved(samples, &mut contenders)?;
    Ok(table.markdown(&format!("`build` from nothing, {}", cold.title)))
}

fn alone(cold: &Cold<'_>, bare: &Path) -> Result<Duration> {
    output(Command::new("rm").arg("-rf").arg(bare))?;
    output(Command::new("cp").arg("-a").arg(cold.tree).arg(bare))?;
    fs::create_dir_all(bare.join("dev"))?;
    output(Command::new("cp").args(["-a", "/dev/null", "/dev/zero"]).arg(bare.join("dev")))?;
    let shell = |command: &str| {
        let mut shell = Command::new("/usr/sbin/chroot");
        shell.arg(bare).args(["/bin/sh", "-c", command]).env("PATH", "/usr/sbin:/usr/bin:/bin");
        shell
    };
    wait_for_rest();
    let begin = Instant::now();
    cold.commands.iter().try_for_each(|command| promptly(&mut shell(command)).map(drop))?;
    Ok(begin.elapsed())
}

/// What twenty `RUN`s of next to nothing take more than one, divided by nineteen.
fn overhead(builders: &[Builder<'_>], dir: &Path, samples: usize) -> Result<String> {
    let many: String = (0..RUNS).map(|n| format!("RUN : {n}\n")).collect();
    let many = context(dir, "many", &format!("FROM bench\n{many}"))?;
    let one = context(dir, "one", "FROM bench\nRUN : 0\n")?;
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for builder in builders {
        let (many, one) = (&many, &one);
        let each = || {
            let more = once(&mut builder.build(many, &["--no-cache"]))?;
            let less = once(&mut builder.build(one, &["--no-cache"]))?;
            Ok(more.saturating_sub(less) / (RUNS - 1))
        };
        contenders.push((builder.name, Box::new(each)));
    }
    let table = Table::interleaved(samples.max(5), &mut contenders)?;
    Ok(table.markdown("one `RUN` of nothing"))
}
