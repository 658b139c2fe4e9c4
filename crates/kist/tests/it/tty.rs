//! Terminals: what a person sees and types.

use rustix::process::Signal;
use testkit::Kist;

use crate::{busybox, idle, inspect};

const PROMPT: &str = "/ # ";

/// Without what busybox's shell asks the terminal before each line.
fn plain(text: &str) -> String {
    text.replace("\x1b[6n", "")
}

fn shell(kist: &Kist, flags: &str) -> testkit::Pty {
    let mut args = vec!["run", "--rm", "-it", "--network", "none"];
    args.extend(flags.split_whitespace());
    args.extend(["busybox", "sh"]);
    let mut pty = kist.pty(&args);
    pty.read_until(PROMPT);
    pty
}

#[test]
fn a_shell_is_interactive() {
    let kist = busybox();
    let mut pty = shell(&kist, "");
    pty.write("echo $((6*7)); tty; echo $TERM\n");
    let shown = plain(&pty.read_until(PROMPT));
    assert_eq!(shown, "echo $((6*7)); tty; echo $TERM\r\n42\r\n/dev/pts/0\r\nxterm\r\n/ # ");
    pty.write("exit 3\n");
    let (rest, code) = pty.finish();
    assert_eq!((plain(&rest).as_str(), code), ("exit 3\r\n", 3));
}

#[test]
fn ctrl_c_interrupts_the_command_and_not_the_container() {
    let kist = busybox();
    let mut pty = shell(&kist, "");
    pty.write("sleep 1000\n");
    pty.read_until("sleep 1000\r\n");
    std::thread::sleep(std::time::Duration::from_millis(200));
    pty.write("\x03");
    pty.read_until(PROMPT);
    pty.write("echo $?\n");
    pty.read_until("130\r\n");
    // What is typed before the shell reads is the terminal's, and an end of input there is no end of the shell.
    pty.read_until(PROMPT);
    pty.write("\x04");
    assert_eq!(pty.finish().1, 0);
}

#[test]
fn ctrl_d_ends_the_shell() {
    let kist = busybox();
    let pty = shell(&kist, "");
    pty.write("\x04");
    assert_eq!(pty.finish().1, 0);
}

#[test]
fn the_window_has_its_size_from_the_first_byte_and_follows() {
    let kist = busybox();
    let script = "stty size; read x; stty size; read x";
    let mut pty = kist.pty(&["run", "--rm", "-it", "busybox", "sh", "-c", script]);
    pty.read_until("24 80\r\n");
    pty.resize(50, 132);
    std::thread::sleep(std::time::Duration::from_millis(300));
    pty.write("\n");
    pty.read_until("50 132\r\n");
    pty.write("\n");
    assert_eq!(pty.finish().1, 0);
}

#[test]
fn a_resized_window_signals_the_command() {
    let kist = busybox();
    let script = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut pty = kist.pty(&["run", "--rm", "-it", "busybox", "sh", "-c", script]);
    pty.read_until("ready\r\n");
    pty.resize(33, 99);
    assert!(pty.finish().0.contains("33 99"));
}

#[test]
fn detach_keys_leave_the_container_running_and_attach_comes_back() {
    let kist = busybox();
    let mut pty = kist.pty(&["run", "-it", "--name", "box", "busybox", "sh"]);
    pty.read_until(PROMPT);
    pty.write("X=kept\n");
    pty.read_until(PROMPT);
    pty.write("\x10\x11");
    let (rest, code) = pty.finish();
    assert!(code == 0 && !rest.contains("\x10"), "{code} {rest:?}");
    assert_eq!(inspect(&kist, "box", "{{.State.Running}}"), "true");
    let mut pty = kist.pty(&["attach", "box"]);
    pty.write("echo $X\n");
    pty.read_until("kept\r\n");
    pty.write("exit 5\n");
    assert_eq!(pty.finish().1, 5);
}

#[test]
fn detach_keys_can_be_others_and_half_of_them_is_typed_text() {
    let kist = busybox();
    let script = "stty -echo; echo ready; cat";
    let mut pty =
        kist.pty(&["run", "-it", "--name", "box", "--detach-keys", "ctrl-a,d", "busybox", "sh", "-c", script]);
    pty.read_until("ready\r\n");
    pty.write("\x10x\n");
    pty.read_until("\x10x\r\n");
    pty.write("\x01x d\n");
    pty.read_until("\x01x d\r\n");
    pty.write("\x01d");
    assert_eq!(pty.finish().1, 0);
    assert_eq!(inspect(&kist, "box", "{{.State.Running}}"), "true");
}

#[test]
fn the_users_terminal_is_as_it_was_afterwards() {
    let kist = busybox();
    let command = kist.command(&["run", "--rm", "-it", "busybox", "true"]);
    let words: Vec<_> = command.get_args().map(|arg| arg.to_str().unwrap().to_owned()).collect();
    let script = format!("stty -a; {} {}; stty -a", command.get_program().display(), words.join(" "));
    let mut outer = std::process::Command::new("sh");
    outer.args(["-c", &script]).env("KIST_TEST", kist.scratch().path());
    let (shown, _) = testkit::Pty::spawn(&outer).finish();
    let settings: Vec<_> = shown.lines().filter(|line| line.contains("icanon") || line.contains("opost")).collect();
    let half = settings.len() / 2;
    assert!(half > 0 && settings[..half] == settings[half..], "{shown}");
}

#[test]
fn exec_has_a_terminal_of_its_own() {
    let kist = busybox();
    idle(&kist, "--name box");
    let mut pty = kist.pty(&["exec", "-it", "box", "sh"]);
    pty.read_until(PROMPT);
    pty.write("tty; stty size; echo $TERM\n");
    pty.read_until("/dev/pts/0\r\n24 80\r\nxterm\r\n");
    pty.resize(40, 100);
    std::thread::sleep(std::time::Duration::from_millis(300));
    pty.write("stty size\n");
    pty.read_until("40 100\r\n");
    pty.write("exit 6\n");
    assert_eq!(pty.finish().1, 6);
    assert_eq!(inspect(&kist, "box", "{{.State.Running}}"), "true");
}

#[test]
fn detaching_from_an_exec_leaves_it_running() {
    let kist = busybox();
    idle(&kist, "--name box");
    let mut pty = kist.pty(&["exec", "-it", "box", "sh", "-c", "echo ready; sleep 777"]);
    pty.read_until("ready\r\n");
    pty.write("\x10\x11");
    assert_eq!(pty.finish().1, 0);
    assert!(kist.ok(&["exec", "box", "ps"]).contains("sleep 777"));
}

#[test]
fn i_and_t_want_a_terminal() {
    let kist = busybox();
    let out = kist.run(&["run", "--rm", "-it", "busybox", "true"]);
    assert_eq!(out.code, 125);
    assert!(out.stderr.contains("the input device is not a TTY"), "{}", out.stderr);
}

#[test]
fn t_alone_gives_a_terminal_to_a_pipe() {
    let kist = busybox();
    let out = kist.run(&["run", "--rm", "-t", "busybox", "sh", "-c", "tty; echo err >&2"]);
    assert_eq!(out.stdout, "/dev/pts/0\r\nerr\r\n");
}

#[test]
fn a_detached_terminal_is_logged() {
    let kist = busybox();
    kist.ok(&["run", "-d", "-t", "--name", "box", "busybox", "sh", "-c", "tty; ls -l /dev/console"]);
    kist.ok(&["wait", "box"]);
    let logs = kist.ok(&["logs", "box"]);
    assert!(logs.starts_with("/dev/pts/0\r\ncrw"), "{logs:?}");
}

#[test]
fn a_terminal_that_is_hung_up_leaves_the_container() {
    let kist = busybox();
    let mut pty = kist.pty(&["run", "-it", "--name", "box", "busybox", "sh"]);
    pty.read_until(PROMPT);
    pty.signal(Signal::HUP);
    drop(pty);
    kist.wait_until("one of both came about", |kist| {
        ["running", "exited"].contains(&inspect(kist, "box", "{{.State.Status}}").as_str())
    });
}

#[test]
fn a_megabyte_through_a_terminal_is_whole() {
    let kist = busybox();
    let pty = kist.pty(&["run", "--rm", "-it", "--network", "none", "busybox", "seq", "170000"]);
    let (shown, code) = pty.finish();
    assert_eq!((shown.lines().count(), code), (170_000, 0));
    assert!(shown.ends_with("169999\r\n170000\r\n"));
}
