//! Builds that die.

use rustix::process::Signal;

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
fn a_build_that_is_interrupted_ends_its_command() {
    let kist = busybox();
    let dir = context(&kist, "ctx", &[("Dockerfile", "FROM busybox\nRUN exec sleep 9876\n")]);
    let running = kist.spawn(&["build", "--progress", "plain", &dir]);
    std::thread::sleep(std::time::Duration::from_millis(700));
    running.signal(Signal::INT);
    assert_ne!(running.wait().code, 0);
    kist.assert_clean();
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
