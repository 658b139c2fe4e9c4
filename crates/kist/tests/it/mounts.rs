//! What is mounted into a container.

use std::fs;

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use testkit::Kist;

use crate::{busybox, idle, sh, try_sh};

fn dir(kist: &Kist) -> String {
    kist.scratch().write("dir/file", "content\n");
    kist.scratch().join("dir").display().to_string()
}

#[test]
fn a_directory_of_the_host_is_bound() {
    let kist = busybox();
    let dir = dir(&kist);
    assert_eq!(sh(&kist, &format!("-v {dir}:/d"), "cat /d/file; echo more > /d/new"), "content");
    assert_eq!(fs::read_to_string(format!("{dir}/new")).unwrap(), "more\n");
    let out = try_sh(&kist, &format!("-v {dir}:/d:ro"), "cat /d/file; echo more > /d/other");
    assert_eq!(out.stdout, "content\n");
    assert!(out.stderr.contains("Read-only file system"), "{}", out.stderr);
}

#[test]
fn a_file_of_the_host_is_bound() {
    let kist = busybox();
    let dir = dir(&kist);
    assert_eq!(sh(&kist, &format!("-v {dir}/file:/etc/passwd:ro"), "cat /etc/passwd"), "content");
    assert_eq!(sh(&kist, &format!("-v {dir}/file:/deep/in/nowhere"), "cat /deep/in/nowhere"), "content");
}

#[test]
fn v_makes_a_missing_source_and_mount_refuses_it() {
    let kist = busybox();
    let missing = kist.scratch().join("missing");
    let missing = missing.display();
    let out = try_sh(&kist, &format!("--mount type=bind,source={missing},target=/d"), "true");
    assert_eq!(out.code, 125);
    assert!(
        out.stderr
            .contains(&format!("invalid mount config for type \"bind\": bind source path does not exist: {missing}")),
        "{}",
        out.stderr
    );
    assert_eq!(sh(&kist, &format!("-v {missing}:/d"), "ls -d /d"), "/d");
    assert!(fs::metadata(missing.to_string()).unwrap().is_dir());
}

#[test]
fn mount_takes_its_options() {
    let kist = busybox();
    let dir = dir(&kist);
    let flags = format!("--mount type=bind,src={dir},dst=/d,readonly");
    assert_eq!(sh(&kist, &flags, "cat /d/file; touch /d/x 2>/dev/null || echo refused"), "content\nrefused");
    let flags = "--mount type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1770";
    assert_eq!(sh(&kist, flags, "df -k /t | tail -1 | awk '{print $2}'; stat -c %a /t"), "1024\n1770");
    for wrong in [
        "type=nonsense,target=/d",
        "type=bind,source=/tmp",
        "type=tmpfs,source=/x,target=/d",
        "type=bind,source=/tmp,target=/d,nonsense=1",
    ] {
        assert_eq!(try_sh(&kist, &format!("--mount {wrong}"), "true").code, 125, "{wrong}");
    }
}

#[test]
fn tmpfs_is_memory_with_dockers_options() {
    let kist = busybox();
    let options = |flags: &str| sh(&kist, flags, "grep ' /t ' /proc/mounts | cut -d' ' -f3,4");
    let plain = options("--tmpfs /t");
    for option in ["tmpfs", "rw", "nosuid", "nodev", "noexec"] {
        assert!(plain.contains(option), "{plain}");
    }
    assert!(!options("--tmpfs /t:exec").contains("noexec"));
    assert!(options("--tmpfs /t:size=64k,mode=700,ro").contains("size=64k"));
    assert_eq!(
        sh(&kist, "--tmpfs /t:size=64k", "dd if=/dev/zero of=/t/x bs=1k count=100 2>&1 | grep -c 'No space'"),
        "1"
    );
}

#[test]
fn a_relative_target_and_a_double_target_are_refused() {
    let kist = busybox();
    for flags in ["-v /tmp:relative", "-v /tmp:/", "-v /tmp:/d -v /var:/d", "-v /tmp:/d:nonsense"] {
        let out = try_sh(&kist, flags, "true");
        assert_eq!(out.code, 125, "{flags}: {}", out.stderr);
    }
    assert!(try_sh(&kist, "-v /tmp:/d -v /var:/d", "true").stderr.contains("Duplicate mount point: /d"));
}

#[test]
fn mounts_in_mounts_are_made_in_order() {
    let kist = busybox();
    let dir = dir(&kist);
    assert_eq!(sh(&kist, &format!("-v {dir}:/a/b --tmpfs /a"), "cat /a/b/file"), "content");
}

#[test]
fn a_file_on_a_directory_is_told_in_dockers_words() {
    let kist = busybox();
    let dir = dir(&kist);
    let out = try_sh(&kist, &format!("-v {dir}/file:/etc"), "true");
    assert_eq!(out.code, 125, "{}", out.stderr);
    let hint = "not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";
    assert!(out.stderr.contains(hint), "{}", out.stderr);
    let out = try_sh(&kist, &format!("-v {dir}:/etc/passwd"), "true");
    assert!(out.stderr.contains(hint), "{}", out.stderr);
}

/// A directory of the test that is a mount point of its own with the given propagation, unmounted when dropped.
struct Peer(std::path::PathBuf);

impl Peer {
    fn new(kist: &Kist, propagation: MountPropagationFlags) -> Peer {
        let dir = kist.scratch().join("peer");
        fs::create_dir(&dir).unwrap();
        mount("none", &dir, "tmpfs", MountFlags::empty(), None).unwrap();
        mount_change(&dir, propagation).unwrap();
        fs::create_dir(dir.join("below")).unwrap();
        Peer(dir)
    }

    fn below(&self) -> std::path::PathBuf {
        self.0.join("below")
    }

    fn mount_below(&self) {
        mount("none", self.below(), "tmpfs", MountFlags::empty(), None).unwrap();
        fs::write(self.below().join("file"), "new\n").unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = unmount(self.below(), UnmountFlags::DETACH);
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

#[test]
fn a_slave_gets_the_hosts_later_mounts_and_a_private_one_does_not() {
    let kist = busybox();
    let peer = Peer::new(&kist, MountPropagationFlags::SHARED);
    let dir = peer.0.display();
    idle(&kist, &format!("--name slave -v {dir}:/d:rslave"));
    idle(&kist, &format!("--name private -v {dir}:/d"));
    peer.mount_below();
    let seen = |name: &str| kist.run(&["exec", name, "cat", "/d/below/file"]).stdout;
    assert_eq!((seen("slave").as_str(), seen("private").as_str()), ("new\n", ""));
    for name in ["slave", "private"] {
        kist.ok(&["rm", "-f", name]);
    }
    drop(peer);
}

#[test]
fn a_shared_mount_gives_the_host_the_containers_mounts() {
    let kist = busybox();
    let peer = Peer::new(&kist, MountPropagationFlags::SHARED);
    let dir = peer.0.display();
    idle(&kist, &format!("--name box --privileged -v {dir}:/d:rshared"));
    kist.ok(&["exec", "box", "sh", "-c", "mount -t tmpfs none /d/below && echo inside > /d/below/file"]);
    assert_eq!(fs::read_to_string(peer.below().join("file")).unwrap(), "inside\n");
    kist.ok(&["rm", "-f", "box"]);
    drop(peer);
}

#[test]
fn a_propagation_that_the_source_cannot_give_is_refused() {
    let kist = busybox();
    let peer = Peer::new(&kist, MountPropagationFlags::PRIVATE);
    let out = try_sh(&kist, &format!("-v {}:/d:rshared", peer.0.display()), "true");
    assert_ne!(out.code, 0);
    assert!(out.stderr.contains("is not a shared mount"), "{}", out.stderr);
    drop(peer);
}

#[test]
fn read_only_is_recursive() {
    let kist = busybox();
    let peer = Peer::new(&kist, MountPropagationFlags::PRIVATE);
    peer.mount_below();
    let dir = peer.0.display();
    let script = "touch /d/below/x 2>/dev/null && echo written || echo refused";
    assert_eq!(
        sh(
            &kist,
            &format!("--mount type=bind,src={dir},dst=/d,readonly,bind-recursive=readonly,bind-propagation=rprivate"),
            script
        ),
        "refused"
    );
    assert_eq!(
        sh(&kist, &format!("--mount type=bind,src={dir},dst=/d,readonly,bind-recursive=writable"), script),
        "written"
    );
    assert_eq!(sh(&kist, &format!("--mount type=bind,src={dir},dst=/d,bind-recursive=disabled"), "ls /d/below"), "");
    drop(peer);
}

#[test]
fn a_read_only_root_leaves_the_mounts_writable() {
    let kist = busybox();
    let dir = dir(&kist);
    let script = "touch /x 2>&1; touch /t/x /d/x /dev/shm/x && echo ok; echo x >> /etc/hosts && echo hosts";
    let out = sh(&kist, &format!("--read-only --tmpfs /t -v {dir}:/d"), script);
    assert_eq!(out, "touch: /x: Read-only file system\nok\nhosts");
}

#[test]
fn the_hosts_mount_table_never_shows_a_container() {
    let kist = busybox();
    idle(&kist, "--name box --tmpfs /t");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = kist.scratch().path().to_str().unwrap().to_owned() + "/";
    assert!(!mounts.contains(&root), "{mounts}");
}

#[test]
fn the_containers_mount_table_does_not_show_the_hosts() {
    let kist = busybox();
    let table = sh(&kist, "", "cat /proc/self/mountinfo");
    let roots: Vec<_> = table.lines().filter(|line| line.split(' ').nth(4) == Some("/")).collect();
    assert_eq!(roots.len(), 1, "{table}");
    assert!(!table.contains("shared:") && !table.contains("master:"), "{table}");
}
