//! Many containers: one after the other and at once, without leaks and without waiting for ever. `KIST_STORM=1000` for the long run.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use testkit::Kist;

use crate::busybox;

fn rounds(few: usize) -> usize {
    std::env::var("KIST_STORM").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

/// What grows when something leaks. The last monitor may be on its way out.
fn nothing_is_left(kist: &Kist) {
    // Networks have a directory that stays.
    let is_counted = |entry: &fs::DirEntry| entry.file_name() != "networks";
    let count = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().filter(is_counted).count();
    kist.wait_until("nothing is left", |kist| {
        let below = ["containers", "drafts", "names", "limbo"].map(|name| count(kist.root().join(name)));
        // Beside the mark that the first command after a boot leaves.
        below.iter().sum::<usize>() + count(kist.run_root()) == 1
    });
}

#[test]
fn one_after_the_other() {
    let kist = busybox();
    let since = Instant::now();
    let count = rounds(200);
    for n in 0..count {
        let out = kist.run(&["run", "--rm", "--network", "none", "busybox", "echo", "x"]);
        assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("x\n", "", 0), "the {n}th");
    }
    eprintln!("{count} in {:?}", since.elapsed());
    nothing_is_left(&kist);
}

#[test]
fn fifty_at_once() {
    let kist = busybox();
    for _ in 0..rounds(50).div_ceil(50) {
        let args = ["run", "--rm", "--network", "none", "busybox", "sh", "-c", "echo x; exit 7"];
        let running: Vec<_> = (0..50).map(|_| kist.spawn(&args)).collect();
        for one in running {
            let out = one.wait();
            assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("x\n", "", 7));
        }
    }
    nothing_is_left(&kist);
}

#[test]
fn starts_stops_and_removals_cross_each_other() {
    let kist = busybox();
    let names: Vec<String> = (0..6).map(|n| format!("box{n}")).collect();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (kist, names) = (kist_args(&kist), &names);
            scope.spawn(move || {
                for round in 0..12 {
                    let name = &names[(worker + round) % names.len()];
                    let verbs: [&[&str]; 5] = [
                        &["run", "-d", "--name", name, "busybox", "sleep", "1000"],
                        &["stop", "-t", "0", name],
                        &["start", name],
                        &["rm", "-f", name],
                        &["ps", "-a"],
                    ];
                    let verb = verbs[(worker * 2 + round) % verbs.len()];
                    let mut command = std::process::Command::new(&kist.0);
                    let out = command.args(&kist.1).args(verb).env("KIST_TEST", &kist.2).output().unwrap();
                    let said = String::from_utf8_lossy(&out.stderr).into_owned();
                    assert!(!said.contains("panicked") && !said.contains("os error"), "{verb:?}: {said}");
                }
            });
        }
    });
    for id in kist.ok(&["ps", "-aq"]).lines() {
        kist.ok(&["rm", "-f", id]);
    }
    nothing_is_left(&kist);
}

/// Program, roots and mark, for threads that the driver cannot be shared with.
fn kist_args(kist: &Kist) -> (std::ffi::OsString, Vec<std::ffi::OsString>, PathBuf) {
    let command = kist.command(&[]);
    (
        command.get_program().to_owned(),
        command.get_args().map(ToOwned::to_owned).collect(),
        kist.scratch().path().to_owned(),
    )
}
