//! Builds with the real store and a machine whose commands are words of this file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use disk::Home;
use expect_test::{Expect, expect};
use spec::id::ContainerId;
use store::{Floor, Image, Mount, MountImage, Store};
use testkit::{ImageBuilder, Root};

use super::*;
use crate::{
    BuildContext, Commit, Dockerfile, Ended, Fetched, Git, Mounted, NoCache, Pull, Run, RunDefaults, Secret, Stream,
    Variant, WantedImage,
};

/// A store, a context, and a machine.
struct Site {
    root: Root,
    home: Home,
    store: Store,
    /// Commands that ran, in order.
    ran: Mutex<Vec<String>>,
    /// Images that were brought.
    brought: AtomicU32,
}

fn site() -> Site {
    let root = Root::new();
    let home = Home::open(&root.join("root"), &root.join("run")).unwrap();
    let store = Store::open(home.root()).unwrap();
    let image = ImageBuilder::new().name("base:1").file("etc/base", 0o644, "base");
    store.load(image.docker_archive().as_slice(), &mut |_| {}).unwrap();
    fs::create_dir(root.join("ctx")).unwrap();
    Site { root, home, store, ran: Mutex::default(), brought: AtomicU32::new(0) }
}

impl Site {
    fn request(&self, dockerfile: &str) -> Request {
        Request {
            context: BuildContext::Directory(self.root.join("ctx")),
            dockerfile: Dockerfile::Text(dockerfile.as_bytes().to_vec()),
            named_contexts: BTreeMap::new(),
            target: None,
            build_args: BTreeMap::new(),
            labels: BTreeMap::new(),
            platforms: Vec::new(),
            no_cache: NoCache::Nothing,
            pull: Pull::Missing,
            run: RunDefaults::default(),
            secrets: BTreeMap::new(),
            ssh: BTreeMap::new(),
            cache_from: Vec::new(),
            allow: BTreeSet::new(),
        }
    }

    fn build(&self, dockerfile: &str) -> Result<(Variant, String), (BuildError, String)> {
        self.build_of(&self.request(dockerfile))
    }

    fn build_of(&self, request: &Request) -> Result<(Variant, String), (BuildError, String)> {
        let told = Mutex::new(Vec::new());
        let on = |progress: Progress| told.lock().unwrap().push(progress);
        let built = build(&self.home, &self.store, self, request, &on);
        let told = show(&told.into_inner().unwrap());
        match built {
            Ok(mut built) => Ok((built.variants.remove(0), told)),
            Err(error) => Err((error, told)),
        }
    }

    /// What ran since it was last asked.
    fn ran(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn read(&self, variant: &Variant, path: &str) -> Option<String> {
        let request = MountImage { id_maps: None, floor: Floor::Bare, beneath: None };
        let root = self.store.mount_image(&variant.chains, request).unwrap();
        fs::read_to_string(inside(&root, path)).ok()
    }

    fn write(&self, path: &str, text: &str) {
        self.root.write(&format!("ctx/{path}"), text);
        // What was written just now is not remembered.
        let then = std::time::SystemTime::now() - Duration::from_secs(10);
        fs::File::open(self.root.join("ctx").join(path)).unwrap().set_modified(then).unwrap();
    }

    fn assert_clean(&self) {
        assert_eq!(self.store.build_drafts().unwrap(), []);
        let left: Vec<_> =
            fs::read_dir(self.home.run().join("builds")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(left.iter().all(|name| name == "steps"), "{left:?}");
    }
}

fn inside(root: &impl AsRawFd, path: &str) -> PathBuf {
    let path = format!("/proc/self/fd/{}/{}", root.as_raw_fd(), path.trim_start_matches('/'));
    PathBuf::from(path.trim_end_matches('/'))
}

/// Names of steps and what became of them, in the order in which they ended; output, and parts.
fn show(told: &[Progress]) -> String {
    let mut lines = Vec::new();
    for progress in told {
        match progress {
            Progress::Vertex(vertex) if vertex.completed.is_some() => {
                let end = match (&vertex.error, vertex.cached) {
                    (Some(error), _) => format!("ERROR: {error}"),
                    (None, true) => "CACHED".into(),
                    (None, false) => "DONE".into(),
                };
                lines.push(format!("{} {end}", vertex.name));
            }
            Progress::Log(log) => lines.push(format!("> {}", String::from_utf8_lossy(&log.bytes).trim_end())),
            Progress::Warning(warning) => lines.push(format!("! {}", warning.short)),
            Progress::Vertex(_) | Progress::Status(_) => {}
        }
    }
    let text = lines.join("\n");
    let mut digests = text.match_indices("@sha256:").map(|(at, _)| at).collect::<Vec<_>>();
    digests.reverse();
    digests.into_iter().fold(text.clone(), |text, at| format!("{}{}", &text[..at], &text[at + 72..]))
}

/// The steps of the Dockerfile alone.
fn steps(told: &str) -> String {
    told.lines().filter(|line| !line.starts_with("[internal]")).collect::<Vec<_>>().join("\n")
}

impl Machine for Site {
    fn image(&self, wanted: &WantedImage, _: &(dyn Fn(Progress) + Sync)) -> Result<Image, MachineError> {
        self.brought.fetch_add(1, Ordering::SeqCst);
        self.store.resolve(&wanted.name).map_err(|e| MachineError { message: e.to_string(), source: None })
    }

    fn describe(&self, wanted: &WantedImage, _: &(dyn Fn(Progress) + Sync)) -> Result<crate::Described, MachineError> {
        let image = self.store.resolve(&wanted.name);
        let image =
            image.map_err(|e| MachineError { message: format!("{}: not found: {e}", wanted.name), source: None })?;
        Ok(crate::Described { digest: Some(image.id.0.clone()), id: image.id, config: image.config })
    }

    fn run(
        &self,
        id: &ContainerId,
        run: Run,
        out: &mut (dyn FnMut(Stream, &[u8]) + Send),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, MachineError> {
        let script = run.args.last().unwrap().clone();
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).push(script.clone());
        let rootfs = self.store.mount(id, Mount { id_maps: None }).unwrap();
        for line in script.split(" && ") {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["write", path, text] => fs::write(place(&rootfs, &run, path), text).unwrap(),
                ["append", path, text] => {
                    let file = fs::File::options().append(true).create(true).open(place(&rootfs, &run, path));
                    file.unwrap().write_all(text.as_bytes()).unwrap();
                }
                ["cat", path] => match fs::read(place(&rootfs, &run, path)) {
                    Ok(bytes) => out(Stream::Stdout, &bytes),
                    Err(e) => {
                        out(Stream::Stderr, format!("{path}: {e}").as_bytes());
                        return Ok(Ended::Exited(1));
                    }
                },
                ["copy", from, to] => drop(fs::copy(place(&rootfs, &run, from), place(&rootfs, &run, to)).unwrap()),
                ["env", name] => {
                    let line = run.env.iter().find(|line| line.starts_with(&format!("{name}=")));
                    out(Stream::Stdout, line.map_or("none", String::as_str).as_bytes());
                }
                ["exit", code] => {
                    out(Stream::Stderr, b"something is wrong\n");
                    return Ok(Ended::Exited(code.parse().unwrap()));
                }
                ["sleep", ms] => {
                    let until = Instant::now() + Duration::from_millis(ms.parse().unwrap());
                    while Instant::now() < until {
                        if cancelled() {
                            return Ok(Ended::Cancelled);
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                ["true"] => {}
                other => panic!("{other:?}"),
            }
        }
        Ok(Ended::Exited(0))
    }

    fn fetch(
        &self,
        url: &str,
        _: &crate::Validators,
        into: &mut fs::File,
        _: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Option<Fetched>, MachineError> {
        into.write_all(format!("from {url}").as_bytes()).unwrap();
        Ok(Some(Fetched::default()))
    }

    fn git(&self, wanted: &Git, into: &Path, _: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, MachineError> {
        fs::create_dir(into.join("sub")).unwrap();
        fs::write(into.join("sub/file"), &wanted.remote).unwrap();
        Ok(Commit { id: "0123456789".into(), committed_s: Some(1_700_000_101) })
    }
}

/// Where a path of a command is: in a mount, or in its files.
fn place(rootfs: &OwnedFd, run: &Run, path: &str) -> PathBuf {
    for mount in run.mounts.iter().rev() {
        let Some(rest) = path.strip_prefix(mount.target.trim_end_matches('/')) else { continue };
        if !rest.is_empty() && !rest.starts_with('/') {
            continue;
        }
        return match &mount.what {
            Mounted::Host(dir) => dir.join(rest.trim_start_matches('/')),
            Mounted::Tree(tree) => inside(tree, rest),
            Mounted::Secret(bytes, ..) => {
                // As memory: a pipe will do to read it once.
                let (read, write) = std::io::pipe().unwrap();
                (&write).write_all(bytes).unwrap();
                drop(write);
                let path = inside(&read, "");
                std::mem::forget(read);
                path
            }
            Mounted::Tmpfs(_) | Mounted::Agent(..) => panic!("{path}"),
        };
    }
    inside(rootfs, path)
}

const SIX: &str = "FROM base:1\nWORKDIR /app\nCOPY a .\nRUN write /app/out 1\nCOPY b c ./d/\nRUN cat /app/a\nENV X=y\n";

fn six(site: &Site) {
    for name in ["a", "b", "c"] {
        site.write(name, name);
    }
}

#[test]
fn a_second_build_does_nothing() {
    let site = site();
    six(&site);
    let (first, told) = site.build(SIX).unwrap();
    expect![[r#"
        [internal] load build definition from Dockerfile DONE
        [internal] load .dockerignore DONE
        [internal] load metadata for docker.io/library/base:1 DONE
        [1/6] FROM docker.io/library/base:1 DONE
        [internal] load build context DONE
        [2/6] WORKDIR /app DONE
        [3/6] COPY a . DONE
        [4/6] RUN write /app/out 1 DONE
        [5/6] COPY b c ./d/ DONE
        > a
        [6/6] RUN cat /app/a DONE"#]]
    .assert_eq(&told);
    assert_eq!(site.ran(), ["write /app/out 1", "cat /app/a"]);
    for (path, text) in [("etc/base", "base"), ("app/a", "a"), ("app/out", "1"), ("app/d/c", "c")] {
        assert_eq!(site.read(&first, path).as_deref(), Some(text), "{path}");
    }
    let (second, told) = site.build(SIX).unwrap();
    expect![[r#"
        [internal] load build definition from Dockerfile DONE
        [internal] load .dockerignore DONE
        [internal] load metadata for docker.io/library/base:1 DONE
        [1/6] FROM docker.io/library/base:1 DONE
        [2/6] WORKDIR /app CACHED
        [internal] load build context DONE
        [3/6] COPY a . CACHED
        [4/6] RUN write /app/out 1 CACHED
        [5/6] COPY b c ./d/ CACHED
        [6/6] RUN cat /app/a CACHED"#]]
    .assert_eq(&told);
    assert_eq!(site.ran(), Vec::<String>::new());
    assert_eq!(second.config, first.config);
    assert_eq!(second.chains, first.chains);
    site.assert_clean();
}

#[test]
fn what_did_not_change_is_not_done_again() {
    let site = site();
    six(&site);
    site.build(SIX).unwrap();
    // Touched, and as it was.
    site.root.write("ctx/a", "a");
    site.ran();
    let (_, told) = site.build(SIX).unwrap();
    assert_eq!(steps(&told).matches("CACHED").count(), 5, "{told}");
    assert_eq!(site.ran(), Vec::<String>::new());
    site.write("b", "other");
    let (_, told) = site.build(SIX).unwrap();
    check_steps(
        &told,
        expect![[r#"
        [1/6] FROM docker.io/library/base:1 DONE
        [2/6] WORKDIR /app CACHED
        [3/6] COPY a . CACHED
        [4/6] RUN write /app/out 1 CACHED
        [5/6] COPY b c ./d/ DONE
        > a
        [6/6] RUN cat /app/a DONE"#]],
    );
    // The next step's input is what it was if its files are: the command ran on others.
    assert_eq!(site.ran(), ["cat /app/a"]);
}

fn check_steps(told: &str, is: Expect) {
    is.assert_eq(&steps(told));
}

#[test]
fn a_failure_says_where_and_ends_the_others() {
    let site = site();
    let text = "FROM base:1 AS slow\nRUN sleep 20000\nFROM base:1 AS bad\nRUN sleep 50 && exit 3\nFROM scratch\n\
                COPY --from=slow /etc /a\nCOPY --from=bad /etc /b\n";
    let began = Instant::now();
    let (error, told) = site.build(text).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(10));
    expect![[r#"
        process "/bin/sh -c sleep 50 && exit 3" did not complete successfully: exit code: 3
        Dockerfile:4
        --------------------
           2 |     RUN sleep 20000
           3 |     FROM base:1 AS bad
           4 | >>> RUN sleep 50 && exit 3
           5 |     FROM scratch
           6 |     COPY --from=slow /etc /a
        --------------------
    "#]]
    .assert_eq(&format!("{error}\n{}", error.excerpt()));
    let (step, output) = error.step().unwrap();
    assert_eq!((step, output), ("[bad 2/2] RUN sleep 50 && exit 3", &b"something is wrong\n"[..]));
    let mut lines: Vec<&str> = told.lines().filter(|line| line.contains("ERROR")).collect();
    lines.sort_unstable();
    expect![[r#"
        [bad 2/2] RUN sleep 50 && exit 3 ERROR: process "/bin/sh -c sleep 50 && exit 3" did not complete successfully: exit code: 3
        [slow 2/2] RUN sleep 20000 ERROR: context canceled"#]].assert_eq(&lines.join("\n"));
    site.assert_clean();
}

#[test]
fn what_is_not_there_is_told_before_anything_runs() {
    let site = site();
    let (error, _) = site.build("FROM base:1\nRUN true\nCOPY missing /\n").unwrap_err();
    expect![[r#"
        failed to compute cache key: failed to calculate checksum of ref context: "/missing": not found
        Dockerfile:3
        --------------------
           1 |     FROM base:1
           2 |     RUN true
           3 | >>> COPY missing /
           4 |     
        --------------------
    "#]]
    .assert_eq(&format!("{error}\n{}", error.excerpt()));
    let (error, _) = site.build("FROM nothing:1\n").unwrap_err();
    expect![[r#"
        docker.io/library/nothing:1: not found: No such image: nothing:1
        Dockerfile:1
        --------------------
           1 | >>> FROM nothing:1
           2 |     
        --------------------
    "#]]
    .assert_eq(&format!("{error}\n{}", error.excerpt()));
    let (error, _) = site.build("FROM scratch\nRAN x\n").unwrap_err();
    expect![[r#"
        dockerfile parse error on line 2: unknown instruction: RAN (did you mean RUN?)
        Dockerfile:2
        --------------------
           1 |     FROM scratch
           2 | >>> RAN x
             |     ^^^
           3 |     
        --------------------
    "#]]
    .assert_eq(&format!("{error}\n{}", error.excerpt()));
    let (error, _) = site.build("# syntax=evil/frontend\nFROM scratch\n").unwrap_err();
    expect!["syntax evil/frontend: only the language of docker/dockerfile is read here; leave the line out if the file is written in it"].assert_eq(&error.to_string());
    assert!(error.excerpt().contains("   1 | >>> # syntax=evil/frontend\n"), "{}", error.excerpt());
    site.build("# syntax=mirror.example:5000/hub/docker/dockerfile:1.9-labs\nFROM scratch\n").unwrap();
    let request = Request { dockerfile: Dockerfile::InContext("Dockerfile".into()), ..site.request("") };
    expect!["failed to read dockerfile: open Dockerfile: no such file or directory"]
        .assert_eq(&site.build_of(&request).unwrap_err().0.to_string());
    site.assert_clean();
}

#[test]
fn two_builds_at_once_do_a_step_once() {
    let site = site();
    let text = "FROM base:1\nRUN sleep 200 && write /x 1\nRUN write /y 2\n";
    let results: Vec<Variant> = thread::scope(|scope| {
        let builds: Vec<_> = (0..3).map(|_| scope.spawn(|| site.build(text).unwrap().0)).collect();
        builds.into_iter().map(|build| build.join().unwrap()).collect()
    });
    assert_eq!(site.ran(), ["sleep 200 && write /x 1", "write /y 2"]);
    assert!(results.iter().all(|variant| variant.chains == results[0].chains));
    site.assert_clean();
}

#[test]
fn a_step_whose_build_died_is_done_by_who_waits() {
    let site = site();
    let text = "FROM base:1\nRUN sleep 300 && write /x 1\n";
    let site = &site;
    thread::scope(|scope| {
        // Its step fails: as with a build that dies, there is no result.
        let dying = scope.spawn(|| {
            let request = Request { build_args: BTreeMap::new(), ..site.request(text) };
            let machine = Dying(site);
            build(&site.home, &site.store, &machine, &request, &|_| {}).unwrap_err()
        });
        thread::sleep(Duration::from_millis(50));
        let (variant, _) = site.build(text).unwrap();
        assert_eq!(site.read(&variant, "x").as_deref(), Some("1"));
        dying.join().unwrap();
    });
    assert_eq!(site.ran().len(), 1);
}

/// A machine whose commands end badly after a while.
struct Dying<'a>(&'a Site);

impl Machine for Dying<'_> {
    fn image(&self, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<Image, MachineError> {
        self.0.image(wanted, on)
    }

    fn describe(&self, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<crate::Described, MachineError> {
        self.0.describe(wanted, on)
    }

    fn run(
        &self,
        _: &ContainerId,
        _: Run,
        _: &mut (dyn FnMut(Stream, &[u8]) + Send),
        _: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, MachineError> {
        thread::sleep(Duration::from_millis(200));
        Err(MachineError { message: "killed".into(), source: None })
    }

    fn fetch(
        &self,
        _: &str,
        _: &crate::Validators,
        _: &mut fs::File,
        _: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Option<Fetched>, MachineError> {
        unreachable!()
    }

    fn git(&self, _: &Git, _: &Path, _: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, MachineError> {
        unreachable!()
    }
}

#[test]
fn a_stage_that_changed_without_its_files_disturbs_nothing() {
    let site = site();
    let text = |junk: &str| {
        format!(
            "FROM base:1 AS build\nRUN write /out 1 && write /junk {junk}\nFROM base:1\nCOPY --from=build /out /in\nRUN cat /in\n"
        )
    };
    site.build(&text("1")).unwrap();
    site.ran();
    let (_, told) = site.build(&text("2")).unwrap();
    check_steps(
        &told,
        expect![[r#"
        [build 1/2] FROM docker.io/library/base:1 DONE
        [build 2/2] RUN write /out 1 && write /junk 2 DONE
        [stage-1 2/3] COPY --from=build /out /in CACHED
        [stage-1 3/3] RUN cat /in CACHED"#]],
    );
    assert_eq!(site.ran(), ["write /out 1 && write /junk 2"]);
    // And from now on nothing is looked into.
    let (_, told) = site.build(&text("2")).unwrap();
    check_steps(
        &told,
        expect![[r#"
            [build 1/2] FROM docker.io/library/base:1 DONE
            [build 2/2] RUN write /out 1 && write /junk 2 CACHED
            [stage-1 2/3] COPY --from=build /out /in CACHED
            [stage-1 3/3] RUN cat /in CACHED"#]],
    );
}

#[test]
fn links_do_not_care_what_is_below() {
    let site = site();
    site.write("a", "a");
    let text = |below: &str| format!("FROM base:1\nRUN write /below {below}\nCOPY --link a /new/dir/\n");
    let (first, _) = site.build(&text("1")).unwrap();
    assert_eq!(site.read(&first, "new/dir/a").as_deref(), Some("a"));
    let (second, _) = site.build(&text("2")).unwrap();
    assert_eq!(site.read(&second, "new/dir/a").as_deref(), Some("a"));
    assert_eq!(site.read(&second, "below").as_deref(), Some("2"));
    // One layer, on two others.
    assert_eq!(first.config.rootfs.diff_ids.last(), second.config.rootfs.diff_ids.last());
    assert_ne!(first.chains.last(), second.chains.last());
}

#[test]
fn secrets_are_seen_by_commands_alone() {
    let site = site();
    let secret = site.root.write("secret", "hunter2hunter2");
    let text = "FROM base:1\nRUN --mount=type=secret,id=key,env=KEY,target=/k cat /k && env KEY && write /x 1\n";
    let mut request = site.request(text);
    request.secrets.insert("key".into(), Secret::File(secret.clone()));
    let (_, told) = site.build_of(&request).unwrap();
    assert!(told.contains("> hunter2hunter2\n> KEY=hunter2hunter2"), "{told}");
    fs::remove_file(&secret).unwrap();
    assert!(!holds(site.root.path(), b"hunter2"), "the secret lies somewhere");
    // Another value is no other step.
    site.ran();
    fs::write(&secret, "other").unwrap();
    site.build_of(&request).unwrap();
    assert_eq!(site.ran(), Vec::<String>::new());
    let mut request = site.request("FROM base:1\nRUN --mount=type=ssh env SSH_AUTH_SOCK && write /y 1\n");
    request.ssh.insert("default".into(), site.root.join("agent"));
    let (_, told) = site.build_of(&request).unwrap();
    assert!(told.contains("> SSH_AUTH_SOCK=/run/buildkit/ssh_agent.0"), "{told}");
    let needs = "FROM base:1\nRUN --mount=type=secret,id=none,required=true true\n";
    expect!["secret none: not found"].assert_eq(&site.build(needs).unwrap_err().0.to_string());
    let agent = "FROM base:1\nRUN --mount=type=ssh,required=true true\n";
    expect![[r#"no SSH key "default" forwarded from the client"#]]
        .assert_eq(&site.build(agent).unwrap_err().0.to_string());
}

/// Whether any file below has these bytes.
fn holds(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            return holds(&entry.path(), bytes);
        }
        let mut text = Vec::new();
        kind.is_file()
            && fs::File::open(entry.path()).unwrap().read_to_end(&mut text).is_ok()
            && text.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn mounts_show_files_and_keep_caches() {
    let site = site();
    site.write("dir/in", "context");
    site.write("dir/hidden", "no");
    site.write(".dockerignore", "dir/hidden");
    let text = |n: u32| {
        format!(
            "FROM base:1 AS src\nRUN write /from-src stage\nFROM base:1\n\
             RUN --mount=type=cache,target=/cache append /cache/log {n} && copy /cache/log /log{n}\n\
             RUN --mount=target=/ctx,source=dir cat /ctx/in && write /{n} x\n\
             RUN --mount=from=src,source=/from-src,target=/f cat /f && write /f{n} x\n\
             RUN --mount=from=src,target=/rw,rw write /rw/scratch 1 && cat /rw/scratch\n\
             RUN --mount=from=src,source=/etc,target=/etc2,rw write /etc2/scratch 1 && cat /etc2/base\n\
             RUN <<EOF\n#!/bin/true\nEOF\n"
        )
        .replace("#!/bin/true", "true")
    };
    let (_, told) = site.build(&text(1)).unwrap();
    let out: Vec<&str> = told.lines().filter(|line| line.starts_with('>')).collect();
    assert_eq!(out, ["> context", "> stage", "> 1", "> base"]);
    let (variant, _) = site.build(&text(2)).unwrap();
    assert_eq!(site.read(&variant, "log2").as_deref(), Some("12"));
    assert_eq!(site.read(&variant, "rw/scratch"), None);
    assert_eq!(site.read(&variant, "etc/scratch"), None);
    let (error, _) = site.build("FROM base:1\nRUN --mount=target=/ctx,source=dir cat /ctx/hidden\n").unwrap_err();
    assert!(error.to_string().contains("exit code: 1"), "{error}");
    site.assert_clean();
}

#[test]
fn add_brings_what_is_elsewhere() {
    let site = site();
    let text = "FROM scratch\nADD https://h/x/file /d/\nADD https://h/b.git#main:sub /g/\nCOPY <<EOF /e\ntext\nEOF\n";
    let (variant, _) = site.build(text).unwrap();
    assert_eq!(site.read(&variant, "d/file").as_deref(), Some("from https://h/x/file"));
    assert_eq!(site.read(&variant, "g/file").as_deref(), Some("https://h/b.git"));
    assert_eq!(site.read(&variant, "e").as_deref(), Some("text\n"));
    let materials: Vec<&str> = variant.materials.iter().map(|material| material.uri.as_str()).collect();
    assert_eq!(materials, ["https://h/b.git#main", "https://h/x/file"]);
    let wrong = format!("FROM scratch\nADD --checksum=sha256:{} https://h/x /\n", "0".repeat(64));
    let (error, _) = site.build(&wrong).unwrap_err();
    assert!(error.to_string().contains("digest mismatch"), "{error}");
    assert!(error.excerpt().contains(">>> ADD --checksum"), "{}", error.excerpt());
}

#[test]
fn what_is_not_allowed_is_refused() {
    let site = site();
    let text = "FROM base:1\nRUN --network=host write /x 1\n";
    assert_eq!(site.build(text).unwrap_err().0.to_string(), "network.host is not allowed");
    let mut request = site.request(text);
    request.allow.insert("network.host".into());
    site.build_of(&request).unwrap();
    let insecure = site.build("FROM base:1\nRUN --security=insecure true\n").unwrap_err().0;
    assert_eq!(insecure.to_string(), "security.insecure is not allowed");
}

#[test]
fn a_context_may_be_what_a_stage_begins_with() {
    let site = site();
    site.write("a", "a");
    site.root.write("named/b", "b");
    site.root.write("named/.dockerignore", "hidden");
    site.root.write("named/hidden", "no");
    let mut request = site.request("FROM files\nRUN write /c 1\nCOPY --from=files b /d\n");
    request.named_contexts.insert("files".into(), BuildContext::Directory(site.root.join("named")));
    let (variant, _) = site.build_of(&request).unwrap();
    let texts = ["b", "c", "d", "hidden"].map(|name| site.read(&variant, name));
    assert_eq!(texts.map(|text| text.unwrap_or_default()), ["b", "1", "b", ""]);
    let layers = variant.config.history.iter().filter(|entry| !entry.empty_layer).count();
    assert_eq!(layers, variant.config.rootfs.diff_ids.len());
}

#[test]
fn checks_warn_and_may_end_a_build() {
    let site = site();
    let (_, told) = site.build("FROM base:1\nCMD run\n").unwrap();
    assert!(told.contains("! JSONArgsRecommended: "), "{told}");
    let (error, _) = site.build("# check=error=true\nFROM base:1\nCMD run\n").unwrap_err();
    assert_eq!(error.to_string(), "lint violation found for rules: JSONArgsRecommended");
}

#[test]
fn no_cache_does_all_again() {
    let site = site();
    six(&site);
    site.build(SIX).unwrap();
    site.ran();
    let request = Request { no_cache: NoCache::All, ..site.request(SIX) };
    site.build_of(&request).unwrap();
    assert_eq!(site.ran(), ["write /app/out 1", "cat /app/a"]);
}

#[test]
fn two_machines_get_one_digest() {
    let configs: Vec<String> = (0..2)
        .map(|_| {
            let site = site();
            six(&site);
            thread::sleep(Duration::from_millis(1100));
            serde_json::to_string(&site.build(SIX).unwrap().0.config).unwrap()
        })
        .collect();
    assert_eq!(configs[0], configs[1]);
}

#[test]
fn what_is_known_needs_no_image() {
    let site = site();
    six(&site);
    let (first, _) = site.build(SIX).unwrap();
    site.brought.store(0, Ordering::SeqCst);
    let (second, _) = site.build(SIX).unwrap();
    assert_eq!(first.chains, second.chains);
    assert_eq!(site.brought.load(Ordering::SeqCst), 0);
}

#[test]
fn an_image_is_brought_when_its_files_are_first_needed() {
    let site = site();
    let text = "FROM base:1\nRUN write /x 1\n";
    let built = |machine: &dyn Machine| build(&site.home, &site.store, machine, &site.request(text), &|_| {});
    // It was removed, and its config is known from elsewhere.
    let archive = ImageBuilder::new().name("base:1").file("etc/base", 0o644, "base").docker_archive();
    let image = site.store.resolve("base:1").unwrap();
    let remove = store::Remove { several: store::Several::Untag, may_go: &mut |_| Ok(()) };
    site.store.remove("base:1", remove).unwrap();
    let machine = Away { site: &site, image: &image, archive: &archive };
    built(&machine).unwrap();
    assert_eq!(site.brought.load(Ordering::SeqCst), 1);
    built(&machine).unwrap();
    assert_eq!(site.brought.load(Ordering::SeqCst), 1);
}

#[test]
fn a_base_is_shown_as_done_whether_its_files_are_here_or_not() {
    let site = site();
    let text = "FROM base:1 AS one\nFROM scratch\nCOPY --from=one /etc /a\n";
    let image = site.store.resolve("base:1").unwrap();
    let shown = |machine: &dyn Machine| {
        let told = Mutex::new(Vec::new());
        let on = |progress| match progress {
            Progress::Vertex(vertex) if vertex.name.contains("FROM docker.io") && vertex.completed.is_some() => {
                told.lock().unwrap().push(vertex.cached);
            }
            Progress::Vertex(_) | Progress::Status(_) | Progress::Log(_) | Progress::Warning(_) => {}
        };
        build(&site.home, &site.store, machine, &site.request(text), &on).unwrap();
        told.into_inner().unwrap()
    };
    assert_eq!(shown(&site), [false]);
    // Nothing needs them: what was copied is known.
    let remove = store::Remove { several: store::Several::Untag, may_go: &mut |_| Ok(()) };
    site.store.remove("base:1", remove).unwrap();
    site.store.collect().unwrap();
    assert_eq!(shown(&Away { site: &site, image: &image, archive: &[] }), [false]);
    assert_eq!(site.brought.load(Ordering::SeqCst), 0);
}

/// A machine whose image is in a registry.
struct Away<'a> {
    site: &'a Site,
    image: &'a Image,
    archive: &'a [u8],
}

impl Machine for Away<'_> {
    fn image(&self, wanted: &WantedImage, on: &(dyn Fn(Progress) + Sync)) -> Result<Image, MachineError> {
        self.site.store.load(self.archive, &mut |_| {}).unwrap();
        self.site.image(wanted, on)
    }

    fn describe(&self, _: &WantedImage, _: &(dyn Fn(Progress) + Sync)) -> Result<crate::Described, MachineError> {
        let image = self.image.clone();
        Ok(crate::Described { digest: Some(image.id.0.clone()), id: image.id, config: image.config })
    }

    fn run(
        &self,
        id: &ContainerId,
        run: Run,
        out: &mut (dyn FnMut(Stream, &[u8]) + Send),
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended, MachineError> {
        self.site.run(id, run, out, cancelled)
    }

    fn fetch(
        &self,
        _: &str,
        _: &crate::Validators,
        _: &mut fs::File,
        _: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Option<Fetched>, MachineError> {
        unreachable!()
    }

    fn git(&self, _: &Git, _: &Path, _: &(dyn Fn(&[u8]) + Sync)) -> Result<Commit, MachineError> {
        unreachable!()
    }
}

#[test]
fn history_has_a_line_for_each_instruction() {
    let site = site();
    site.write("a", "a");
    let (variant, _) = site.build("FROM base:1\nCOPY a /a\nRUN true\nENV A=b\nRUN write /x 1\n").unwrap();
    let lines: Vec<String> = variant
        .config
        .history
        .iter()
        .map(|entry| format!("{:?} {} {:?}", entry.created, entry.empty_layer, entry.created_by))
        .collect();
    expect![[r#"
        Some("2026-01-02T03:04:05.000000006Z") false Some("testkit layer 0")
        Some("2026-01-02T03:04:05.000000006Z") false Some("COPY a /a # buildkit")
        Some("2026-01-02T03:04:05.000000006Z") true Some("RUN /bin/sh -c true # buildkit")
        Some("2026-01-02T03:04:05.000000006Z") true Some("ENV A=b")
        Some("2026-01-02T03:04:05.000000006Z") false Some("RUN /bin/sh -c write /x 1 # buildkit")"#]]
    .assert_eq(&lines.join("\n"));
    let layers = variant.config.history.iter().filter(|entry| !entry.empty_layer).count();
    assert_eq!(layers, variant.config.rootfs.diff_ids.len());
    assert_eq!(variant.chains, spec::digest::ChainId::of(&variant.config.rootfs.diff_ids));
}

#[test]
fn several_platforms_are_built_in_one_go() {
    let site = site();
    let other = ImageBuilder::new().name("far:1").architecture("s390x").file("etc/far", 0o644, "far");
    site.store.load(other.docker_archive().as_slice(), &mut |_| {}).unwrap();
    let mut request = site.request("FROM far:1\nARG TARGETARCH\nRUN write /arch 1\n");
    request.platforms = vec!["linux/s390x".parse().unwrap(), "linux/ppc64le".parse().unwrap()];
    let built = build(&site.home, &site.store, &site, &request, &|_| {}).unwrap();
    let platforms: Vec<String> = built.variants.iter().map(|variant| variant.config.platform().to_string()).collect();
    assert_eq!(platforms, ["linux/s390x", "linux/ppc64le"]);
    assert_eq!(site.ran().len(), 2);
}

#[test]
fn a_failure_at_any_act_leaves_nothing_that_stays() {
    for at in 1.. {
        let site = site();
        site.write("a", "a");
        let text = "FROM base:1\nCOPY a /a\n";
        let armed = disk::faults::fail_at(at, rustix::io::Errno::NOSPC);
        let result = site.build(text);
        let hit = armed.hit();
        drop(armed);
        if result.is_err() {
            crate::cache::sweep(&site.home, &site.store).unwrap();
            site.assert_clean();
        }
        // And all goes on.
        let (variant, _) = site.build(text).unwrap();
        assert_eq!(site.read(&variant, "a").as_deref(), Some("a"));
        assert_eq!(
            site.store
                .check(store::Depth::Layers)
                .unwrap()
                .iter()
                .filter(|damage| !matches!(damage, store::Damage::Garbage(_)))
                .count(),
            0
        );
        if !hit {
            assert!(at > 1);
            break;
        }
    }
}

/// How long nothing takes: for eyes, and with a bound that only something terrible exceeds. `cargo test --release` tells the truth.
#[test]
fn nothing_takes_no_time() {
    let site = site();
    six(&site);
    for at in 0..2000 {
        site.write(&format!("src/{}/{at}", at % 20), "x");
    }
    let text = "FROM base:1\nWORKDIR /app\nCOPY a .\nRUN write /app/out 1\nCOPY src src\nRUN write /app/y 2\n";
    site.build(text).unwrap();
    let times: Vec<Duration> = (0..5)
        .map(|_| {
            let began = Instant::now();
            site.build(text).unwrap();
            began.elapsed()
        })
        .collect();
    let began = Instant::now();
    let ends = Mutex::new(Vec::new());
    let on = |progress: Progress| {
        if let Progress::Vertex(vertex) = progress
            && vertex.completed.is_some()
        {
            ends.lock().unwrap().push(format!("{:>8.1?} {}", began.elapsed(), vertex.name));
        }
    };
    build(&site.home, &site.store, &site, &site.request(text), &on).unwrap();
    ends.lock().unwrap().push(format!("{:>8.1?} all", began.elapsed()));
    eprintln!("six steps over 2,000 files, known: {:?}", times.iter().min().unwrap());
    eprintln!("{}", ends.into_inner().unwrap().join("\n"));
    assert!(times.iter().min().unwrap() < &Duration::from_secs(2), "{times:?}");
}

/// Where a layer's file is on the disk, and when it was changed.
fn on_disk(site: &Site, variant: &Variant, path: &str) -> (u64, i64) {
    use std::os::unix::fs::MetadataExt;
    let layer = site.store.layer_places(&variant.chains[1..2]).remove(0);
    let look = fs::symlink_metadata(layer.join(path)).unwrap();
    (look.ino(), look.mtime())
}

#[test]
fn unchanged_files_are_shared_with_the_last_layer_of_the_copy() {
    const TEXT: &str = "FROM base:1\nCOPY --chmod=644 . /src/\n";
    let site = site();
    for name in ["a", "b", "d/c"] {
        site.write(name, name);
    }
    let (first, _) = site.build(TEXT).unwrap();
    site.write("b", "B");
    let (second, _) = site.build(TEXT).unwrap();
    for (path, is_shared) in [("src/a", true), ("src/b", false), ("src/d/c", true)] {
        assert_eq!(on_disk(&site, &first, path).0 == on_disk(&site, &second, path).0, is_shared, "{path}");
    }
    assert_eq!((site.read(&first, "src/b"), site.read(&second, "src/b")), (Some("b".into()), Some("B".into())));
    // Of the same content, but of another time: whoever compares times must see the new one.
    let then = std::time::SystemTime::now() - Duration::from_secs(5);
    fs::File::open(site.root.join("ctx/a")).unwrap().set_modified(then).unwrap();
    site.write("b", "x");
    let (third, _) = site.build(TEXT).unwrap();
    assert_ne!(on_disk(&site, &third, "src/a"), on_disk(&site, &second, "src/a"));
    // Somebody who copies all makes the same.
    let other = self::site();
    for (name, text) in [("a", "a"), ("b", "x"), ("d/c", "d/c")] {
        other.write(name, text);
    }
    assert_eq!(other.build(TEXT).unwrap().0.config.rootfs, third.config.rootfs);
}

#[test]
fn a_link_in_the_last_layer_is_not_followed() {
    let site = site();
    site.root.write("outside/f", "secret");
    let outside = site.root.join("outside");
    site.write("d/f", "secret");
    site.build("FROM base:1\nCOPY . /src/\n").unwrap();
    fs::remove_dir_all(site.root.join("ctx/d")).unwrap();
    std::os::unix::fs::symlink(&outside, site.root.join("ctx/d")).unwrap();
    site.build("FROM base:1\nCOPY . /src/\n").unwrap();
    fs::remove_file(site.root.join("ctx/d")).unwrap();
    site.write("d/f", "secret");
    let (built, _) = site.build("FROM base:1\nCOPY . /src/\n").unwrap();
    assert_eq!(site.read(&built, "src/d/f").as_deref(), Some("secret"));
    use std::os::unix::fs::MetadataExt;
    assert_eq!(fs::metadata(outside.join("f")).unwrap().nlink(), 1);
}

#[test]
fn past_the_mount_a_copy_is_the_same() {
    let root = Root::new();
    let store = Store::open(root.path()).unwrap();
    let layer = testkit::Layer::new().dir("usr", 0o711).dir("usr/empty", 0o770).file("usr/full/f", 0o600, "f");
    store.load(ImageBuilder::new().name("base:1").layer(layer).docker_archive().as_slice(), &mut |_| {}).unwrap();
    let below = store.resolve("base:1").unwrap().chains;
    root.write("ctx/d/f", "text");
    let tree = crate::context::Tree::directory(&root.join("ctx"), &root.join("cache")).unwrap();
    let source = crate::context::Wanted { source: "/", parents: crate::context::Parents::Drop, exclude: &[] };
    let selection = tree.select(&source).unwrap();
    let files = crate::context::Tree::stage(
        store.mount_image(&below, MountImage { id_maps: None, floor: Floor::Bare, beneath: None }).unwrap(),
        None,
        &root.join("cache"),
    )
    .unwrap();
    let times = store::LayerTimes { epoch: spec::time::Time::from_ns(0), files: store::FileTimes::Clamp };
    let made = |n: u8, dest: &str, past: bool| {
        let id = ContainerId::from_bytes([n; 32]);
        store.draft_on(&id, &below, "b").unwrap();
        let upper = fs::File::open(store.draft_places(&id).unwrap().upper).unwrap();
        let dest =
            if past { crate::copy::mirror(files.root(), upper.as_fd(), dest).unwrap()? } else { dest.to_owned() };
        let sources = [crate::copy::Source::Selected(&tree, &selection)];
        let archives = crate::copy::Archives::Keep;
        let wanted = crate::copy::Copy { sources: &sources, dest: &dest, owner: None, mode: None, archives };
        if past {
            crate::copy::copy(upper.as_fd(), &wanted).unwrap();
        } else {
            crate::copy::copy(store.mount(&id, Mount { id_maps: None }).unwrap().as_fd(), &wanted).unwrap();
        }
        Some(store.layer_of(&id, times).unwrap().unwrap().diff_id)
    };
    for (n, dest) in ["/usr/empty", "/usr/new/deep/", "/else", "/usr/full/g"].into_iter().enumerate() {
        let n = u8::try_from(2 * n).unwrap();
        assert_eq!(made(n, dest, true), made(n + 1, dest, false), "{dest}");
    }
    assert_eq!(made(100, "/usr/full", true), None);
}
