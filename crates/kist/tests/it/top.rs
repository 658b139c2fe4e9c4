//! `top`: the processes of a container, without executing anything.

use testkit::Kist;

use crate::{background, busybox, idle, pid};

fn lines(kist: &Kist, args: &[&str]) -> Vec<Vec<String>> {
    let text = kist.ok(&[&["top"], args].concat());
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn processes_are_as_the_host_numbers_them() {
    let kist = busybox();
    let id = background(&kist, "--name box", "sleep 1001 & exec sleep 1000");
    let first = pid(&kist, &id).to_string();
    kist.wait_until("both run", |kist| lines(kist, &["box"]).iter().filter(|line| line[7] == "sleep").count() == 2);
    let rows = lines(&kist, &["box"]);
    assert_eq!(rows[0], ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    assert_eq!((rows[1][0].as_str(), rows[1][1].as_str()), ("root", first.as_str()));
    assert_eq!((rows[2][2].as_str(), rows[2][7..].join(" ").as_str()), (first.as_str(), "sleep 1001"));
    let text = kist.ok(&["container", "top", "box"]);
    assert_eq!(text.lines().next().unwrap().find("PID"), Some(20), "columns are twenty wide:\n{text}");
    // What is asked of ps.
    let rows = lines(&kist, &["box", "-o", "pid,comm,nlwp=THREADS"]);
    assert_eq!((rows[0].join(" "), rows[1].join(" ")), ("PID COMMAND THREADS".into(), format!("{first} sleep 1")));
    assert_eq!(lines(&kist, &["box", "aux"])[0].join(" "), "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND");
}

#[test]
fn it_looks_as_the_ps_of_the_host() {
    let kist = busybox();
    let id = idle(&kist, "--user 33");
    let pid = pid(&kist, &id).to_string();
    let fields = "pid,ppid,user,uid,gid,ruser,group,comm,vsz,stat,tty,nlwp,ni,pri,stime,lstart,pgid,sid,time,args";
    let theirs = std::process::Command::new("ps").args(["-o", fields, "-q", &pid]).output();
    let Ok(theirs) = theirs else { testkit::skip!("ps is not installed") };
    let theirs = String::from_utf8(theirs.stdout).unwrap();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let ours = kist.ok(&["top", &id, "-o", fields]);
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.lines().map(words).collect(), theirs.lines().map(words).collect());
    assert_eq!(ours[0], theirs[0]);
    assert_eq!(ours[1], theirs[1]);
}

#[test]
fn a_container_that_does_not_run_has_none() {
    let kist = busybox();
    let id = kist.ok(&["create", "--name", "box", "busybox"]);
    let failed = kist.fails(&["top", "box"]);
    assert_eq!(failed.stderr, format!("Error response from daemon: container {id} is not running\n"));
    let failed = kist.fails(&["top", "nosuch"]);
    assert!(failed.stderr.starts_with("Error response from daemon: No such container: nosuch\n"));
    assert!(kist.fails(&["top"]).stderr.starts_with("kist: 'kist top' requires at least 1 argument"));
    let refused = kist.fails(&["top", "box", "-L"]);
    assert!(refused.stderr.starts_with("Error response from daemon: ps: error: unsupported option \"-L\""));
}

#[test]
fn a_process_cannot_write_to_the_terminal_of_who_looks() {
    let kist = busybox();
    kist.ok(&["run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 1000; : \u{1b}[2Jx"]);
    let text = kist.ok(&["top", "box"]);
    assert!(text.contains(": ?[2Jx") && !text.contains('\u{1b}'), "{text:?}");
}
