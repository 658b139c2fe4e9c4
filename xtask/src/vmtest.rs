//! The host court in a virtual machine: pure cgroup v2, another kernel, AppArmor; once with a plain init, once with systemd.
//!
//! The machine is not part of the repository. `KIST_VMTEST` names the directory with its `run.sh DIR SECONDS`, which boots it with DIR
//! shared at `/host`, runs `DIR/run.sh` there as root and exits with its code. All programs are static, so they run there as they are.

use crate::run::{cargo, output, succeed, target_dir, workspace};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn vmtest(args: &[&str]) -> Result<()> {
    let scripts = std::env::var_os("KIST_VMTEST").map_or_else(|| workspace().join("../shared/vmtest"), PathBuf::from);
    let run = scripts.join("run.sh");
    if !run.is_file() {
        println!("skipped: no {}: set KIST_VMTEST to the directory of the test machine's scripts", run.display());
        return Ok(());
    }
    let dir = target_dir().join("vmtest");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)?;
    let tests = fill(&dir)?;
    fs::write(dir.join("run.sh"), guest_script(&tests, args))?;
    for init in ["plain", "systemd"] {
        println!("== init: {init}");
        let booted = succeed(Command::new("bash").arg(&run).arg(&dir).arg("900").env("INIT", init));
        booted.with_context(|| format!("in the machine with the init {init}"))?;
    }
    Ok(())
}

/// Builds the program and the tests, copies them and busybox, and returns the names of the test programs.
fn fill(dir: &Path) -> Result<Vec<String>> {
    let messages = output(&mut cargo(&[
        "test",
        "--workspace",
        "--locked",
        "--no-run",
        "--message-format",
        "json-render-diagnostics",
    ]))?;
    let mut tests = Vec::new();
    for (name, kind, executable) in executables(&messages)? {
        // The tests of the workshop look at the sources, which are not there.
        if name == "xtask" {
            continue;
        }
        let to = if kind == Kind::Program { name } else { format!("test-{}", tests.len()) + "-" + &name };
        fs::copy(&executable, dir.join(&to)).with_context(|| executable.display().to_string())?;
        if kind == Kind::Test {
            tests.push(to);
        }
    }
    ensure!(dir.join("kist").is_file(), "cargo built no kist");
    fs::copy("/bin/busybox", dir.join("busybox")).context("Debian's package busybox-static")?;
    Ok(tests)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Program,
    Test,
}

/// What cargo says it built, from its messages: one JSON document a line.
fn executables(messages: &str) -> Result<Vec<(String, Kind, PathBuf)>> {
    let mut found = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line)?;
        let (Some(path), Some(name)) = (message["executable"].as_str(), message["target"]["name"].as_str()) else {
            continue;
        };
        let kind = if message["profile"]["test"] == true { Kind::Test } else { Kind::Program };
        found.push((name.to_owned(), kind, PathBuf::from(path)));
    }
    Ok(found)
}

/// Every program runs even if one before it failed. The disk of the machine is thrown away, so busybox is put where testkit looks.
fn guest_script(tests: &[String], args: &[&str]) -> String {
    let args = args.join(" ");
    let mut script = "cp busybox /bin/busybox\nexport KIST_TEST_BIN=/host/kist HOME=/tmp\nfailed=0\n".to_owned();
    for test in tests {
        script += &format!("echo '-- {test}'; cd /tmp && /host/{test} {args} </dev/null || failed=1\n");
    }
    script + "exit $failed\n"
}

#[cfg(test)]
mod tests {
    use super::{executables, guest_script};
    use expect_test::expect;

    #[test]
    fn programs_and_tests_are_told_apart() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"spec"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","target":{"name":"kist"},"profile":{"test":false},"executable":"/t/kist"}
{"reason":"compiler-artifact","target":{"name":"it"},"profile":{"test":true},"executable":"/t/it-1"}
"#;
        expect![[r#"[("kist", Program, "/t/kist"), ("it", Test, "/t/it-1")]"#]]
            .assert_eq(&format!("{:?}", executables(messages).unwrap()));
    }

    #[test]
    fn one_failure_does_not_hide_the_next() {
        expect![[r#"
            cp busybox /bin/busybox
            export KIST_TEST_BIN=/host/kist HOME=/tmp
            failed=0
            echo '-- a'; cd /tmp && /host/a run </dev/null || failed=1
            echo '-- b'; cd /tmp && /host/b run </dev/null || failed=1
            exit $failed
        "#]]
        .assert_eq(&guest_script(&["a".to_owned(), "b".to_owned()], &["run"]));
    }
}
