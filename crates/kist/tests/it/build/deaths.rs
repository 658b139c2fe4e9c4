//! Builds that die.

use rustix::process::Signal;
use testkit::{Bend, Fault, Faults, Registry, for_each_fault, for_each_kill};

use super::*;

#[test]
fn a_build_that_is_killed_leaves_nothing() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nRUN echo begun; exec sleep 9876\n"), ("a", "a")]);
    let running = kist.spawn(&["build", "--progress", "plain", &dir]);
    let begun = |kist: &Kist| {
        let drafts = std::fs::read_dir(kist.root().join("drafts")).into_iter().flatten().flatten();
        drafts.into_iter().any(|draft| draft.path().join("errand/started.json").exists())
    };
    kist.wait_until("the command runs", begun);
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, 137);
    let is_monitor = |entry: &std::fs::DirEntry| entry.file_name().len() == 64;
    kist.wait_until("its monitor is gone", |kist| {
        !std::fs::read_dir(kist.run_root()).unwrap().flatten().any(|entry| is_monitor(&entry))
    });
    // The next command takes away what it held.
    kist.ok(&["ps"]);
    assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
}

#[test]
fn a_build_that_is_interrupted_says_so_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let kist = busybox();
        let text = "FROM busybox\nRUN echo begun; exec sleep 9876\nRUN echo never\n";
        let dir = context(&kist, "ctx", &[("Dockerfile", text)]);
        let running = kist.spawn(&["build", "--progress", "plain", &dir]);
        kist.wait_until("the command runs", |kist| {
            let drafts = std::fs::read_dir(kist.root().join("drafts")).into_iter().flatten().flatten();
            drafts.into_iter().any(|draft| draft.path().join("errand/started.json").exists())
        });
        running.signal(signal);
        let out = running.wait();
        assert_eq!(out.code, 130, "{}", out.stderr);
        let said = "\nERROR: failed to build: failed to solve: Canceled: context canceled\n";
        assert!(out.stderr.ends_with(said), "{}", out.stderr);
        assert!(out.stderr.contains("CANCELED") && !out.stderr.contains(">>>"), "{}", out.stderr);
        assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
        kist.assert_clean();
    }
}

#[test]
fn a_checkout_that_is_interrupted_ends_git_and_leaves_nothing() {
    let mut kist = crate::on_this_computer();
    kist.env("PATH", &std::env::var("PATH").unwrap());
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/x.git", server.local_addr().unwrap());
    let running = kist.spawn(&["build", "--progress", "plain", &url]);
    let (mut asked, _) = server.accept().unwrap();
    running.signal(Signal::TERM);
    let out = running.wait();
    assert_eq!(out.code, 130, "{}", out.stderr);
    assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
    asked.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    std::io::Read::read_to_end(&mut asked, &mut Vec::new()).unwrap();
}

#[test]
fn a_download_that_is_interrupted_leaves_nothing() {
    let (kist, server) = (crate::on_this_computer(), Registry::start());
    let blob = server.put_blob("files", "slow");
    server.bend("GET", "/files/blobs", 1, Bend::Stall(1));
    let text = format!("FROM scratch\nADD http://{}/v2/files/blobs/{blob} /\n", server.address());
    let dir = context(&kist, "ctx", &[("Dockerfile", &text)]);
    let running = kist.spawn(&["build", "--progress", "plain", &dir]);
    kist.wait_until("the server is asked", |_| server.count("GET", "/files/blobs") == 1);
    running.signal(Signal::INT);
    let out = running.wait();
    assert_eq!(out.code, 130, "{}", out.stderr);
    assert!(out.stderr.contains("CANCELED"), "{}", out.stderr);
    assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
}

#[test]
fn a_failure_ends_what_goes_on_beside_it() {
    let kist = busybox();
    let text = "FROM busybox AS slow\nRUN sleep 9876\nFROM busybox AS bad\nRUN sleep 0.3; exit 3\n\
        FROM busybox\nCOPY --from=slow / /a\nCOPY --from=bad / /b\n";
    let out = build_text(&kist, &[], text);
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("CANCELED"), "{}", out.stderr);
    assert!(out.stderr.ends_with("did not complete successfully: exit code: 3\n"), "{}", out.stderr);
    assert_eq!(leftovers(&kist), Vec::<PathBuf>::new());
}

/// A build, hit at each of its acts in turn, all with one engine: what one round leaves meets the next, which builds the same image as ever.
fn each_act(fault: Fault) -> usize {
    let kist = busybox();
    let text = "FROM busybox\nCOPY a /a\nRUN --network=none --mount=type=cache,target=/c cat /a > /b\n";
    let dir = context(&kist, "ctx", &[("Dockerfile", text), ("a", "a")]);
    let whole = image(&kist, &[], &dir);
    let round = |faults: &Faults| {
        let out = kist.run_with_faults(&["build", "-q", "--no-cache", "-t", "x", &dir], faults);
        assert!(!out.stderr.contains("panicked"), "{}", out.stderr);
        if out.code == 0 {
            assert_eq!(out.stdout.trim(), whole);
        }
        // What a command that was hit still holds, its monitor gives back when it learns of that.
        assert_eq!(image(&kist, &["--no-cache"], &dir), whole);
        kist.wait_until("nothing of the build is left", |kist| {
            kist.ok(&["ps"]);
            leftovers(kist).is_empty()
        });
    };
    let acts = if fault == Fault::Kill { for_each_kill(round) } else { for_each_fault(fault, round) };
    kist.ok(&["image", "prune", "-f"]);
    assert_eq!(std::fs::read_dir(kist.root().join("drafts")).unwrap().count(), 0);
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
    acts
}

#[test]
fn a_build_killed_at_each_act_leaves_nothing() {
    let acts = each_act(Fault::Kill);
    assert!(acts > 10, "{acts} acts");
}

#[test]
fn a_build_without_space_at_each_act_leaves_nothing() {
    each_act(Fault::NoSpace);
}
