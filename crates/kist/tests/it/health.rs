//! Health checks: the monitor runs them, `ps` and `inspect` tell.

use serde_json::{Value, json};
use testkit::Kist;

use crate::{busybox, idle, inspect};

fn verdict(kist: &Kist) -> String {
    inspect(kist, "box", "{{.State.Health.Status}}")
}

const QUICK: &str = "--name box --health-interval 100ms --health-timeout 2s --health-retries 2";

/// A check whose words have blanks cannot go through `idle`.
fn checked(kist: &Kist, cmd: &str) {
    let mut args = vec!["run", "-d", "--health-cmd", cmd];
    args.extend(QUICK.split(' '));
    args.extend(["busybox", "sleep", "1000"]);
    kist.ok(&args);
}

#[test]
fn a_check_that_succeeds_makes_it_healthy() {
    let kist = busybox();
    checked(&kist, "echo fine");
    kist.wait_until("healthy", |kist| verdict(kist) == "healthy");
    assert!(kist.ok(&["ps", "--format", "{{.Status}}"]).ends_with(" (healthy)"));
    let health: Value = serde_json::from_str(&inspect(&kist, "box", "{{json .State.Health}}")).unwrap();
    assert_eq!(
        (&health["FailingStreak"], &health["Log"][0]["ExitCode"], &health["Log"][0]["Output"]),
        (&json!(0), &json!(0), &json!("fine\n"))
    );
    assert_eq!(kist.ok(&["ps", "-q", "--filter", "health=healthy"]).lines().count(), 1);
}

#[test]
fn failures_in_a_row_make_it_unhealthy_and_one_success_heals() {
    let kist = busybox();
    checked(&kist, "test -e /good");
    kist.wait_until("unhealthy", |kist| verdict(kist) == "unhealthy");
    kist.ok(&["exec", "box", "touch", "/good"]);
    kist.wait_until("healthy", |kist| verdict(kist) == "healthy");
}

#[test]
fn a_container_starts_as_starting() {
    let kist = busybox();
    idle(&kist, "--name box --health-cmd true --health-interval 1h");
    assert_eq!(verdict(&kist), "starting");
    assert!(kist.ok(&["ps", "--format", "{{.Status}}"]).ends_with(" (health: starting)"));
}

#[test]
fn failures_of_the_start_period_do_not_count() {
    let kist = busybox();
    idle(
        &kist,
        "--name box --health-cmd false --health-interval 50ms --health-retries 1 --health-start-period 1h --health-start-interval 50ms",
    );
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(verdict(&kist), "starting");
}

#[test]
fn a_check_that_takes_too_long_fails() {
    let kist = busybox();
    kist.ok(&[
        "run",
        "-d",
        "--name",
        "box",
        "--health-cmd",
        "sleep 1000",
        "--health-interval",
        "50ms",
        "--health-timeout",
        "100ms",
        "--health-retries",
        "1",
        "busybox",
        "sleep",
        "1000",
    ]);
    kist.wait_until("unhealthy", |kist| verdict(kist) == "unhealthy");
    let log = inspect(&kist, "box", "{{json .State.Health.Log}}");
    assert!(log.contains("\"ExitCode\":-1") && log.contains("Health check exceeded timeout"), "{log}");
    kist.wait_until("no check is left behind", |kist| {
        kist.ok(&["exec", "box", "ps"]).matches("sleep 1000").count() <= 4
    });
}

#[test]
fn the_image_has_a_check_and_the_flags_change_it() {
    let kist = busybox();
    let check = json!({ "Test": ["CMD", "test", "-e", "/bin/sh"], "Interval": 100_000_000, "Retries": 5 });
    kist.load_image(&testkit::busybox().name("checked").config("Healthcheck", check));
    kist.ok(&["run", "-d", "--name", "box", "checked", "sleep", "1000"]);
    kist.wait_until("healthy", |kist| verdict(kist) == "healthy");
    kist.ok(&["create", "--name", "other", "--health-retries", "7", "checked"]);
    assert_eq!(
        inspect(&kist, "other", "{{.Config.Healthcheck.Retries}} {{json .Config.Healthcheck.Test}}"),
        r#"7 ["CMD","test","-e","/bin/sh"]"#
    );
    kist.ok(&["run", "-d", "--name", "none", "--no-healthcheck", "checked", "sleep", "1000"]);
    assert_eq!(kist.ok(&["ps", "--filter", "name=none", "--format", "{{.Status}}"]).matches("health").count(), 0);
}

#[test]
fn five_results_are_kept() {
    let kist = busybox();
    checked(&kist, "cat /proc/uptime");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let log: Value = serde_json::from_str(&inspect(&kist, "box", "{{json .State.Health.Log}}")).unwrap();
    assert_eq!(log.as_array().unwrap().len(), 5);
}

#[test]
fn a_paused_container_is_not_checked_and_a_stopped_one_neither() {
    let kist = busybox();
    checked(&kist, "echo x >> /count");
    kist.wait_until("healthy", |kist| verdict(kist) == "healthy");
    kist.ok(&["pause", "box"]);
    kist.ok(&["unpause", "box"]);
    kist.ok(&["stop", "-t", "0", "box"]);
    assert!(kist.ok(&["ps", "-a", "--format", "{{.Status}}"]).starts_with("Exited (137)"));
}
