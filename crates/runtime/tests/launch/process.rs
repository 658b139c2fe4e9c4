//! What a container's process is and may.

use expect_test::{Expect, expect};

use crate::host::Host;

crate::tests![a_command_runs_and_its_exit_code_comes_back, commands_that_cannot_run_are_refused_in_docker_words];

fn a_command_runs_and_its_exit_code_comes_back() {
    let done = Host::sh("echo hello $$ $(hostname) $HOME; exit 7").run().unwrap();
    assert_eq!((done.output.as_str(), done.code), ("hello 1 boxed /root\n", 7));
}

fn commands_that_cannot_run_are_refused_in_docker_words() {
    let check = |args: &[&str], expected: Expect| expected.assert_eq(&Host::new(args).refused());
    check(&["nope"], expect![[r#"127 error during container init: exec: "nope": executable file not found in $PATH"#]]);
    check(&["/nope"], expect![[r#"127 error during container init: exec: "/nope": stat /nope: no such file or directory"#]]);
    check(&["/etc"], expect![[r#"126 error during container init: exec: "/etc": is a directory"#]]);
    check(&["/etc/passwd"], expect![[r#"126 error during container init: exec: "/etc/passwd": permission denied"#]]);
    check(&[""], expect![[r#"127 error during container init: exec: "": executable file not found in $PATH"#]]);
}
