//! Volumes: what outlives a container, what is in it, who may take it away.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use testkit::{Docker, Fault, Faults, ImageBuilder, Kist, Layer, for_each_fault, for_each_kill};

use crate::{busybox, empty, idle, inspect, sh, shell, try_sh};

/// The volumes there are.
fn names(kist: &Kist) -> Vec<String> {
    kist.ok(&["volume", "ls", "-q"]).lines().map(str::to_owned).collect()
}

fn data(kist: &Kist, name: &str) -> PathBuf {
    kist.root().join("volumes").join(name).join("_data")
}

/// Nothing lies in the engine's directory of things half made or half removed, once those who work there are done.
#[track_caller]
fn limbo_is_empty(kist: &Kist) {
    let count = |kist: &Kist, dir: &str| fs::read_dir(kist.root().join(dir)).map_or(0, Iterator::count);
    kist.wait_until("nothing is half removed any more", |kist| {
        count(kist, "limbo") + count(kist, "volumes/.limbo") == 0
    });
}

/// busybox with a directory that has something of every kind.
fn stuffed(name: &str) -> ImageBuilder {
    let layer = Layer::new()
        .entry("data", "", b"", |header| {
            header.set_entry_type(testkit::EntryType::Directory);
            header.set_mode(0o1777);
            header.set_uid(5);
            header.set_gid(6);
        })
        .xattrs(&[("user.note", b"x")])
        .entry("data/file", "", b"content", |header| {
            header.set_mode(0o4750);
            header.set_uid(5);
            header.set_gid(6);
        })
        .dir("data/below", 0o700)
        .file("data/below/deep", 0o600, "deep")
        .symlink("data/out", "/etc/passwd")
        .symlink("data/in", "below/deep")
        .entry("data/same", "data/file", b"", |header| {
            header.set_entry_type(testkit::EntryType::Link);
            header.set_mode(0o4750);
            header.set_uid(5);
            header.set_gid(6);
        })
        .symlink("link", "data");
    testkit::busybox().unnamed().name(name).layer(layer)
}

/// Everything below a directory, a line each: what it is, whose, and what is in it.
fn tree(dir: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(dir).unwrap().display().to_string();
        let is = match fs::read_link(&path) {
            Ok(target) => format!("-> {}", target.display()),
            Err(_) if meta.is_dir() => String::new(),
            Err(_) => fs::read_to_string(&path).unwrap(),
        };
        let links = if meta.is_dir() { 0 } else { meta.nlink() };
        lines.push(format!("{name} {:o} {}:{} {links} {} {is}", meta.mode(), meta.uid(), meta.gid(), meta.mtime()));
        if meta.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

#[test]
fn what_is_written_to_a_volume_outlives_its_container() {
    let kist = busybox();
    sh(&kist, "-v data:/d", "echo kept > /d/file");
    let out = sh(&kist, "-v data:/elsewhere:ro", "cat /elsewhere/file; touch /elsewhere/x 2>&1 || true");
    assert_eq!(out, "kept\ntouch: /elsewhere/x: Read-only file system");
    assert_eq!(names(&kist), ["data"]);
    assert_eq!(fs::read_to_string(data(&kist, "data").join("file")).unwrap(), "kept\n");
    assert_eq!(kist.ok(&["volume", "rm", "data"]), "data");
    assert!(!data(&kist, "data").exists());
    limbo_is_empty(&kist);
}

#[test]
fn nobody_else_on_the_host_reaches_what_an_image_put_into_a_volume() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    kist.ok(&["run", "--rm", "-v", "data:/data", "stuffed", "true"]);
    let file = data(&kist, "data").join("file");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o4750);
    for dir in ["volumes", "volumes/data"] {
        assert_eq!(fs::metadata(kist.root().join(dir)).unwrap().mode() & 0o777, 0o700, "{dir}");
    }
}

#[test]
fn volumes_may_be_on_another_disk() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    let at = kist.root().join("volumes");
    fs::create_dir_all(&at).unwrap();
    let none = rustix::mount::MountFlags::empty();
    rustix::mount::mount("none", &at, "tmpfs", none, Some(c"mode=700")).unwrap();
    kist.ok(&["volume", "create", "data"]);
    let run = kist.run(RUN);
    let removed = kist.run(&["volume", "rm", "data"]);
    rustix::mount::unmount(&at, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert_eq!((run.stdout.as_str(), run.code, removed.code), ("deep", 0, 0), "{} {}", run.stderr, removed.stderr);
}

#[test]
fn a_volume_in_use_stays_and_a_missing_one_is_told() {
    let kist = busybox();
    let id = kist.ok(&["create", "-v", "data:/d", "busybox"]);
    let out = kist.fails(&["volume", "rm", "data"]);
    let line = format!("Error response from daemon: remove data: volume is in use - [{id}]");
    assert_eq!(out.stderr.lines().next(), Some(line.as_str()));
    assert_eq!(kist.fails(&["volume", "rm", "-f", "data"]).code, 1, "force does not mean this");
    kist.ok(&["rm", "-v", &id]);
    assert_eq!(names(&kist), ["data"], "a name that was given is kept");
    kist.ok(&["volume", "rm", "data"]);
    for args in [&["volume", "rm", "data"], &["volume", "inspect", "data"], &["volume", "rm", "../x"]] {
        let out = kist.fails(args);
        assert!(out.stderr.starts_with(&format!("Error response from daemon: get {}: no such volume", args[2])));
        assert_eq!(out.code, 1);
    }
    assert_eq!(kist.ok(&["volume", "rm", "-f", "data"]), "data");
}

#[test]
fn an_empty_volume_gets_what_the_image_has_to_the_last_attribute() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    let run = |flags: &[&str]| kist.run(&[&["run", "--rm"], flags, &["stuffed", "true"]].concat());
    assert_eq!(run(&["-v", "one:/data"]).code, 0);
    let one = tree(&data(&kist, "one"));
    let lower = kist.ok(&["image", "inspect", "-f", "{{.GraphDriver.Data.LowerDir}}", "stuffed"]);
    let lower = Path::new(lower.split(':').next().unwrap()).join("data");
    assert_eq!(one, tree(&lower));
    assert!(one.iter().any(|line| line.starts_with(" 41777 5:6")), "{one:?}");
    let mut value = [0; 8];
    assert_eq!(rustix::fs::getxattr(data(&kist, "one").join("file"), "user.note", &mut value[..]), Ok(1));
    assert_eq!(
        fs::metadata(data(&kist, "one").join("file")).unwrap().ino(),
        fs::metadata(data(&kist, "one").join("same")).unwrap().ino()
    );

    // Once: what was there before, or was told to stay empty, stays as it is. Links of the image are followed, within it.
    assert_eq!(run(&["-v", "two:/data:nocopy"]).code, 0);
    assert_eq!(run(&["--mount", "src=three,dst=/data,volume-nocopy"]).code, 0);
    assert_eq!((tree(&data(&kist, "two")).len(), tree(&data(&kist, "three")).len()), (1, 1));
    fs::write(data(&kist, "two").join("mine"), "").unwrap();
    assert_eq!(run(&["-v", "two:/data"]).code, 0);
    assert_eq!(tree(&data(&kist, "two")).len(), 2);
    assert_eq!(run(&["-v", "four:/link"]).code, 0);
    assert_eq!(tree(&data(&kist, "four")), one);
    kist.ok(&["create", "-v", "five:/data", "stuffed"]);
    assert_eq!(tree(&data(&kist, "five")), one, "create is enough");
    limbo_is_empty(&kist);
}

#[test]
fn an_empty_directory_of_the_image_gives_its_owner_and_mode() {
    let kist = empty();
    let layer = Layer::new().entry("d", "", b"", |header| {
        header.set_entry_type(testkit::EntryType::Directory);
        header.set_mode(0o770);
        header.set_uid(1000);
        header.set_gid(1001);
    });
    kist.load_image(&testkit::busybox().layer(layer));
    assert_eq!(sh(&kist, "-v new:/d -u 1000", "touch /d/x && stat -c '%a %u:%g' /d"), "770 1000:1001");
}

#[test]
fn an_image_cannot_make_a_copy_leave_it() {
    let kist = busybox();
    kist.scratch().write("secret/file", "secret");
    let secret = kist.scratch().join("secret");
    let layer = Layer::new().symlink("data", secret.to_str().unwrap()).symlink("up", "../../../../../../etc");
    kist.load_image(&testkit::busybox().unnamed().name("evil:latest").layer(layer));
    for target in ["/data", "/up"] {
        kist.ok(&["create", "-v", &format!("v{}:{target}", &target[1..]), "evil"]);
    }
    assert_eq!(tree(&data(&kist, "vdata")).len(), 1);
    assert!(data(&kist, "vup").join("shells").exists(), "that is the image's own /etc");
}

#[test]
fn volumes_without_a_name_go_with_rm_v_and_with_rm_and_stay_otherwise() {
    let kist = busybox();
    kist.load_image(&stuffed("wants:latest").config("Volumes", serde_json::json!({"/data": {}})));
    let create = |flags: &[&str]| kist.ok(&[&["create"], flags, &["wants", "cat", "/data/below/deep"]].concat());
    let id = create(&["-v", "/other"]);
    assert_eq!(names(&kist).len(), 2);
    assert_eq!(kist.ok(&["start", "-a", &id]), "deep");
    let label = kist.ok(&["volume", "ls", "--format", "{{.Labels}}"]);
    assert_eq!(label, "com.docker.volume.anonymous=\ncom.docker.volume.anonymous=");
    kist.ok(&["rm", &id]);
    assert_eq!(names(&kist).len(), 2, "rm alone leaves them");
    let pruned = kist.ok(&["volume", "prune", "-f"]);
    assert!(pruned.starts_with("Deleted Volumes:\n") && names(&kist).is_empty(), "{pruned}");

    let id = create(&["-v", "named:/data"]);
    kist.ok(&["rm", "-v", &id]);
    assert_eq!(names(&kist), ["named"]);
    let id = create(&[]);
    kist.ok(&["container", "prune", "-f"]);
    assert_eq!((kist.run(&["inspect", &id]).code, names(&kist).len()), (1, 2), "as with Docker");
    kist.ok(&["volume", "prune", "-f"]);

    assert_eq!(kist.ok(&["run", "--rm", "wants", "cat", "/data/below/deep"]), "deep");
    let id = kist.ok(&["run", "-d", "wants", "sleep", "1000"]);
    assert_eq!(names(&kist).len(), 2);
    kist.ok(&["rm", "-f", "-v", &id]);
    assert_eq!(names(&kist), ["named"]);
    let id = kist.ok(&["run", "-d", "--rm", "wants", "sleep", "1000"]);
    kist.ok(&["stop", "-t", "0", &id]);
    kist.wait_until("it is gone with its volume", |kist| names(kist) == ["named"]);
    limbo_is_empty(&kist);
}

#[test]
fn volumes_from_another_container_are_shared_until_the_last_one_goes() {
    let kist = busybox();
    let dir = kist.scratch().join("dir");
    fs::create_dir(&dir).unwrap();
    let bind = format!("{}:/bind", dir.display());
    kist.ok(&[
        "create",
        "--name",
        "first",
        "-v",
        "/anon",
        "-v",
        "named:/named",
        "-v",
        &bind,
        "--tmpfs",
        "/t",
        "busybox",
    ]);
    let out = sh(
        &kist,
        "--volumes-from first:ro -v mine:/named",
        "touch /anon/x 2>&1; touch /named/y /bind/z 2>&1; ls /t 2>&1 || true",
    );
    assert!(out.contains("touch: /anon/x: Read-only") && out.contains("touch: /bind/z: Read-only"), "{out}");
    assert!(data(&kist, "mine").join("y").exists(), "one's own mount goes before");
    kist.ok(&["create", "--name", "second", "--volumes-from", "first", "busybox"]);
    assert_eq!(inspect(&kist, "second", "{{.HostConfig.VolumesFrom}} {{.HostConfig.Binds}}"), "[first] []");
    assert_eq!(inspect(&kist, "second", "{{len .Mounts}}"), "3");
    kist.ok(&["rm", "-v", "first"]);
    assert_eq!(names(&kist).len(), 3, "the second one has it");
    kist.ok(&["rm", "-v", "second"]);
    assert_eq!(names(&kist), ["mine", "named"]);
    let refused = |from: &str| try_sh(&kist, &format!("--volumes-from {from}"), "true").stderr;
    assert!(refused("nobody").contains("No such container: nobody"));
    kist.ok(&["create", "--name", "third", "busybox"]);
    assert!(refused("third:rshared").contains("invalid mode: rshared"));
}

#[test]
fn a_subpath_is_walked_below_the_volume_at_each_start() {
    let kist = busybox();
    kist.ok(&["volume", "create", "vol"]);
    let root = data(&kist, "vol");
    fs::create_dir_all(root.join("a/b")).unwrap();
    fs::write(root.join("a/file"), "one").unwrap();
    symlink("a", root.join("in")).unwrap();
    symlink("/etc", root.join("out")).unwrap();
    symlink("../../..", root.join("up")).unwrap();
    let mount = |sub: &str| format!("--mount src=vol,dst=/s,volume-subpath={sub}");
    assert_eq!(sh(&kist, &mount("a"), "ls /s; touch /s/b/new"), "b\nfile");
    assert_eq!(sh(&kist, &mount("in/b/.."), "ls /s"), "b\nfile");
    assert_eq!(sh(&kist, &mount("a/file"), "cat /s"), "one");
    for (sub, why) in [
        ("out", "path concatenation escapes the base directory, base: "),
        ("up", "path concatenation escapes the base directory, base: "),
        ("in/../../x", "subpath must be a relative path within the volume"),
        ("/a", "subpath must be a relative path within the volume"),
        ("none", "no such file or directory"),
    ] {
        let out = try_sh(&kist, &mount(sub), "ls /s");
        assert!(out.code >= 125 && out.stderr.contains(why), "{sub}: {}", out.stderr);
    }
    // Between two starts somebody puts a link in its place.
    kist.ok(&["create", "--name", "box", "--mount", "src=vol,dst=/s,volume-subpath=a", "busybox", "ls", "/s"]);
    assert_eq!(kist.ok(&["start", "-a", "box"]), "b\nfile");
    fs::rename(root.join("a"), root.join("away")).unwrap();
    symlink("/", root.join("a")).unwrap();
    assert!(kist.fails(&["start", "-a", "box"]).stderr.contains("escapes the base directory"));
}

#[test]
fn options_of_the_driver_local_mount_something_else() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    let dir = kist.scratch().join("dir");
    fs::create_dir(&dir).unwrap();
    let device = format!("device={}", dir.display());
    kist.ok(&["volume", "create", "-o", "type=none", "-o", &device, "-o", "o=bind", "bound"]);
    kist.ok(&["run", "--rm", "-v", "bound:/data", "stuffed", "touch", "/data/new"]);
    assert!(dir.join("below/deep").exists() && dir.join("new").exists(), "filled as well");
    assert_eq!(fs::read_dir(data(&kist, "bound")).unwrap().count(), 0);
    kist.ok(&["volume", "create", "-o", "type=none", "-o", &device, "-o", "o=bind,ro", "limited"]);
    assert!(try_sh(&kist, "-v limited:/d", "touch /d/x").stderr.contains("Read-only"));

    // Memory is one for all who run with it, and gone with the last.
    kist.ok(&["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=7", "memory"]);
    let first = idle(&kist, "--name first -v memory:/m:ro");
    let second = idle(&kist, "--name second --mount src=memory,dst=/n");
    kist.ok(&["exec", "second", "sh", "-c", "echo shared > /n/file"]);
    assert_eq!(kist.ok(&["exec", "first", "cat", "/m/file"]), "shared");
    assert!(kist.fails(&["exec", "first", "touch", "/m/x"]).stderr.contains("Read-only"));
    assert_eq!(kist.ok(&["exec", "first", "stat", "-c", "%u", "/m"]), "7");
    kist.ok(&["rm", "-f", &first, &second]);
    assert_eq!(sh(&kist, "-v memory:/m", "ls /m; df -k /m | tail -1 | awk '{print $2}'"), "1024");

    for (options, why) in [
        (&["-o", "nope=1"][..], "create bad: invalid option: \"nope\""),
        (&["-o", "type=tmpfs"], "create bad: missing required option: \"device\""),
        (&["-o", "size=1g"], "create bad: quota size requested but no quota support"),
        (&["-d", "nope"], "create bad: error looking up volume plugin nope: plugin \"nope\" not found"),
    ] {
        let out = kist.fails(&[&["volume", "create"], options, &["bad"]].concat());
        assert!(out.stderr.starts_with(&format!("Error response from daemon: {why}")), "{}", out.stderr);
    }
    kist.ok(&["volume", "create", "-o", "type=none", "-o", "device=/nonexistent", "-o", "o=bind", "missing"]);
    let out = try_sh(&kist, "-v missing:/etc", "true");
    let why = format!(
        "failed to populate volume: error while mounting volume '{at}': failed to mount local volume: mount /nonexistent:{at}, flags: 0x1000: no such file or directory",
        at = data(&kist, "missing").display()
    );
    assert!(out.stderr.contains(&why), "{}", out.stderr);
}

#[test]
fn a_mount_makes_its_volume_with_labels_and_options() {
    let kist = busybox();
    let mount = "type=volume,src=made,dst=/m,volume-label=a=b,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,\"volume-opt=o=size=1m,mode=700\"";
    kist.ok(&["run", "--rm", "--mount", mount, "busybox", "true"]);
    let format = "{{json .Labels}} {{json .Options}}";
    assert_eq!(
        kist.ok(&["volume", "inspect", "-f", format, "made"]),
        r#"{"a":"b"} {"device":"tmpfs","o":"size=1m,mode=700","type":"tmpfs"}"#
    );
    let out = try_sh(&kist, "-v new:/x --volume-driver nope", "true");
    let why = "create new: error looking up volume plugin nope: plugin \"nope\" not found";
    assert!(out.code == 125 && out.stderr.contains(why), "{}", out.stderr);
    sh(&kist, "-v new:/x --volume-driver local", "true");
}

#[test]
fn an_image_is_mounted_and_stays_as_long_as_it_is() {
    let kist = busybox();
    kist.load_image(&ImageBuilder::new().name("models:latest").file("m/weights", 0o644, "numbers").symlinked());
    kist.ok(&["create", "--name", "box", "--mount", "type=image,src=models,dst=/i", "busybox", "cat", "/i/m/weights"]);
    let out = kist.fails(&["rmi", "models"]);
    assert!(out.stderr.contains("container"), "{}", out.stderr);
    // By force its name goes; its layers are the container's as well.
    kist.ok(&["rmi", "-f", "models"]);
    kist.ok(&["image", "prune", "-af"]);
    assert_eq!(kist.ok(&["start", "-a", "box"]), "numbers");
    assert_eq!(
        inspect(&kist, "box", "{{json .HostConfig.Mounts}}"),
        r#"[{"Type":"image","Source":"models","Target":"/i"}]"#
    );
    kist.ok(&["rm", "box"]);
    kist.load_image(&ImageBuilder::new().name("models:latest").file("m/weights", 0o644, "numbers").symlinked());
    let mount = |more: &str| format!("--mount type=image,src=models,dst=/i{more}");
    assert_eq!(
        sh(&kist, &mount(""), "ls -A /i; touch /i/x 2>&1 || true"),
        "in\nm\nout\ntouch: /i/x: Read-only file system"
    );
    assert_eq!(sh(&kist, &mount(",image-subpath=in"), "cat /i/weights"), "numbers");
    assert_eq!(
        sh(&kist, &format!("{} --userns private", mount("")), "stat -c %u /i/m/weights; cat /i/m/weights"),
        "0\nnumbers"
    );
    let out = try_sh(&kist, &mount(",image-subpath=out"), "ls /i");
    assert!(out.code != 0 && out.stderr.contains("subpath of an image"), "{}", out.stderr);
    assert!(try_sh(&kist, "--mount type=image,src=nope,dst=/i", "true").stderr.contains("No such image: nope:latest"));
}

trait Symlinked {
    fn symlinked(self) -> Self;
}

impl Symlinked for ImageBuilder {
    fn symlinked(self) -> ImageBuilder {
        self.layer(Layer::new().symlink("in", "m").symlink("out", "../../etc"))
    }
}

#[test]
fn owners_in_a_volume_are_the_containers_in_every_user_namespace() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    sh(&kist, "--userns private -v data:/d", "echo x > /d/file; chown 5:6 /d/file");
    let meta = fs::metadata(data(&kist, "data").join("file")).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (5, 6));
    assert_eq!(sh(&kist, "-v data:/d", "stat -c %u:%g /d/file"), "5:6");
    let out = kist.ok(&[
        "run",
        "--rm",
        "--userns",
        "private",
        "-v",
        "copy:/data",
        "stuffed",
        "stat",
        "-c",
        "%u:%g",
        "/data/file",
        "/data",
    ]);
    assert_eq!(out, "5:6\n5:6");
}

#[test]
fn the_classic_mistakes_are_explained() {
    let kist = busybox();
    let out = try_sh(&kist, "-v data/sub:/d", "true");
    let text = "create data/sub: \"data/sub\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path\n  a path of the host begins with `/`, or with `./` for one below this directory\n";
    assert!(out.code == 125 && out.stderr.contains(text), "{}", out.stderr);
    let out = try_sh(&kist, "-v d:/d", "true");
    assert!(
        out.stderr.contains("create d: volume name is too short, names should be at least two alphanumeric characters")
    );
    let missing = kist.scratch().join("missing");
    let note = "was not there and is made, empty: it hides what the image has in /etc";
    let out = try_sh(&kist, &format!("-v {}:/etc", missing.display()), "ls -A /etc");
    assert!(out.stderr.contains(note) && missing.is_dir(), "{}", out.stderr);
    let quiet = |flags: String| assert!(!try_sh(&kist, &flags, "true").stderr.contains("hides"), "{flags}");
    quiet(format!("-v {}:/etc", missing.display()));
    quiet(format!("-v {}:/nothing/there", kist.scratch().join("other").display()));
    kist.load_image(&stuffed("odd:latest").config("Volumes", serde_json::json!({"/data/file": {}})));
    let out = kist.run(&["create", "odd"]);
    assert!(out.stderr.contains("cannot mount volume over existing file, file exists /data/file"), "{}", out.stderr);
    assert!(names(&kist).is_empty());
    limbo_is_empty(&kist);
}

#[test]
fn lists_and_filters_are_dockers() {
    let kist = busybox();
    for name in ["v10", "v2", "web"] {
        kist.ok(&["volume", "create", "--label", &format!("of={name}"), "--label", "all", name]);
    }
    assert_eq!(kist.ok(&["volume", "ls"]), "DRIVER    VOLUME NAME\nlocal     v2\nlocal     v10\nlocal     web");
    kist.ok(&["create", "--name", "box", "-v", "v2:/d", "busybox"]);
    let ls = |filter: &str| kist.ok(&["volume", "ls", "-q", "-f", filter]).replace('\n', " ");
    assert_eq!((ls("dangling=true"), ls("dangling=false")), ("v10 web".into(), "v2".into()));
    assert_eq!(
        (ls("name=v"), ls("name=^v1"), ls("driver=local"), ls("driver=x")),
        ("v2 v10".into(), "v10".into(), "v2 v10 web".into(), String::new())
    );
    assert_eq!((ls("label=of=web"), ls("label=all")), ("web".into(), "v2 v10 web".into()));
    assert!(kist.fails(&["volume", "ls", "-f", "nope=1"]).stderr.contains("invalid filter 'nope'"));
    assert_eq!(
        kist.ok(&["volume", "ls", "-f", "name=web", "--format", "json"]),
        format!(
            r#"{{"Availability":"N/A","Driver":"local","Group":"N/A","Labels":"all=,of=web","Links":"N/A","Mountpoint":"{}","Name":"web","Scope":"local","Size":"N/A","Status":"N/A"}}"#,
            data(&kist, "web").display()
        )
    );
    assert_eq!(
        kist.ok(&["ps", "-a", "--filter", "volume=v2", "--format", "{{.Names}} {{.Mounts}} {{.LocalVolumes}}"]),
        "box v2 1"
    );
    assert_eq!(kist.ok(&["ps", "-aq", "--filter", "volume=/d"]).len(), 12);
    assert_eq!(kist.ok(&["ps", "-aq", "--filter", "volume=web"]), "");
    assert_eq!(kist.ok(&["inspect", "--type", "volume", "-f", "{{.Name}}", "web"]), "web");
    assert_eq!(kist.ok(&["inspect", "-f", "{{.Mountpoint}}", "web"]), data(&kist, "web").display().to_string());
    let out = kist.fails(&["volume", "prune", "-a", "-f", "--filter", "all=1"]);
    assert!(out.stderr.contains("conflicting options: cannot specify both --all and --filter all=1"));
    assert_eq!(kist.ok(&["volume", "prune", "-f"]), "Total reclaimed space: 0B", "they were all named");
    let asked = kist.run_with_input(&["volume", "prune", "-a"], "n\n");
    assert!(
        asked.stdout.starts_with("WARNING! This will remove all local volumes not used by at least one container.")
    );
    kist.ok(&["volume", "prune", "-a", "-f", "--filter", "label!=of=web"]);
    assert_eq!(names(&kist), ["v2", "web"]);
    kist.ok(&["volume", "prune", "-f", "--filter", "all=true", "--filter", "label=of"]);
    assert_eq!(names(&kist), ["v2"]);
}

#[test]
fn system_df_and_prune_count_volumes() {
    let kist = busybox();
    sh(&kist, "-v used:/d", "dd if=/dev/zero of=/d/x bs=1k count=100 2>/dev/null");
    kist.ok(&["create", "--name", "box", "-v", "used:/d", "busybox"]);
    kist.ok(&["create", "--name", "other", "-v", "/anon", "busybox"]);
    kist.ok(&["rm", "other"]);
    let line = |kist: &Kist| {
        let table =
            kist.ok(&["system", "df", "--format", "{{.Type}}: {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"]);
        table.lines().find(|line| line.starts_with("Local Volumes")).unwrap().to_owned()
    };
    let shown = line(&kist);
    assert!(shown.starts_with("Local Volumes: 2 1 1") && shown.contains('%'), "{shown}");
    let verbose = kist.ok(&["system", "df", "-v"]);
    let (_, volumes) = verbose.split_once("Local Volumes space usage:\n\n").unwrap();
    assert!(volumes.starts_with("VOLUME NAME") && volumes.contains("\nused"), "{volumes}");
    let pruned = kist.ok(&["system", "prune", "-f", "--volumes"]);
    assert!(pruned.contains("Deleted Volumes:\n"), "{pruned}");
    assert_eq!(names(&kist), ["used"], "the stopped container went before it, and the volume was named");
}

#[test]
fn many_that_start_at_once_fill_a_volume_once() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    let script = "cat /data/below/deep; [ -e /data/mark ] || touch /data/mark";
    let running: Vec<_> = (0..8)
        .map(|_| kist.spawn(&["run", "--rm", "--network", "none", "-v", "data:/data", "stuffed", "sh", "-c", script]))
        .collect();
    for run in running {
        let out = run.wait();
        assert_eq!((out.stdout.as_str(), out.code), ("deep", 0), "{}", out.stderr);
    }
    assert_eq!(names(&kist), ["data"]);
    limbo_is_empty(&kist);
}

#[test]
fn a_volume_is_not_removed_under_a_container_that_comes_to_be() {
    let kist = busybox();
    for round in 0..10 {
        let name = format!("box{round}");
        let run =
            kist.spawn(&["run", "--network", "none", "--name", &name, "-v", "data:/d", "busybox", "touch", "/d/x"]);
        let removals: Vec<_> = (0..4).map(|_| kist.spawn(&["volume", "rm", "data"])).collect();
        removals.into_iter().for_each(|removal| drop(removal.wait()));
        let out = run.wait();
        assert_eq!(out.code, 0, "{}", out.stderr);
        assert!(data(&kist, "data").join("x").exists(), "the container has it, so it is there");
        kist.ok(&["rm", &name]);
        kist.ok(&["volume", "rm", "data"]);
    }
    limbo_is_empty(&kist);
}

const RUN: &[&str] =
    &["run", "--rm", "--network", "none", "-v", "data:/data", "-v", "/anon", "stuffed", "cat", "/data/below/deep"];

/// Whatever died: what was copied is whole or not there, nothing is left over, and all goes on as ever.
#[track_caller]
fn as_ever(kist: &Kist, whole: &[String]) {
    kist.wait_until("nothing is left but the volume", |kist| {
        let listed = kist.ok(&["ps", "-aq", "--no-trunc"]);
        listed.lines().for_each(|id| drop(kist.run(&["rm", "-f", "-v", id])));
        listed.is_empty() && names(kist).iter().all(|name| name == "data")
    });
    let dir = data(kist, "data");
    if dir.exists() {
        // What is on its way from beside it is finished by its next user.
        kist.ok(&["create", "--name", "next", "-v", "data:/x", "busybox"]);
        let found = tree(&dir);
        assert!(found.len() == 1 || found == whole, "{found:?}");
        kist.ok(&["rm", "next"]);
    }
    let out = kist.run(RUN);
    assert_eq!((out.stdout.as_str(), out.stderr.as_str(), out.code), ("deep", "", 0));
    assert_eq!(tree(&dir), whole);
    kist.ok(&["volume", "rm", "data"]);
    limbo_is_empty(kist);
    let left: Vec<_> =
        fs::read_dir(kist.root().join("volumes")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".limbo"]);
}

fn loops(fault: Fault, commands: &[&[&str]]) -> usize {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    assert_eq!(kist.ok(RUN), "deep");
    let whole = tree(&data(&kist, "data"));
    kist.ok(&["volume", "rm", "data"]);
    let round = |faults: &Faults| {
        for command in commands {
            let out = kist.run_with_faults(command, faults);
            assert!(!out.stderr.contains("panicked"), "{}", out.stderr);
        }
        as_ever(&kist, &whole);
    };
    let acts = if fault == Fault::Kill { for_each_kill(round) } else { for_each_fault(fault, round) };
    assert_eq!(kist.ok(&["system", "check"]), "everything is as it should be");
    acts
}

#[test]
fn run_with_new_volumes_killed_at_each_act_leaves_them_empty_or_whole() {
    let acts = loops(Fault::Kill, &[RUN]);
    assert!(acts > 20, "{acts} acts");
}

#[test]
fn run_with_new_volumes_without_space_at_each_act_leaves_them_empty_or_whole() {
    loops(Fault::NoSpace, &[RUN]);
}

#[test]
fn create_and_removal_killed_at_each_act_leave_nothing_half() {
    let commands: &[&[&str]] = &[
        &["volume", "create", "data"],
        &["create", "--name", "box", "-v", "/anon", "-v", "data:/data", "stuffed"],
        &["rm", "-v", "box"],
        &["volume", "rm", "data"],
    ];
    loops(Fault::Kill, commands);
}

#[test]
fn create_and_removal_with_input_errors_at_each_act_leave_nothing_half() {
    let commands: &[&[&str]] = &[
        &["create", "--name", "box", "-v", "/anon", "-v", "data:/data", "stuffed"],
        &["rm", "-v", "box"],
        &["volume", "prune", "-af"],
    ];
    loops(Fault::Io, commands);
}

/// What both say of a container's mounts, whatever their order.
fn said_of_mounts() -> Vec<String> {
    let places = ["/one", "/two", "/three", "/four", "/anon", "/data", "/tmp"];
    let fields = "{{.Type}} {{len .Name}} {{.Driver}} {{.Mode}} {{.RW}} {{.Propagation}}";
    let of = |place| format!("{{{{range .Mounts}}}}{{{{if eq .Destination {place:?}}}}}{fields}{{{{end}}}}{{{{end}}}}");
    let mut formats: Vec<String> = places.iter().map(of).collect();
    formats.extend(
        [
            "{{range .HostConfig.Binds}}{{println .}}{{end}}",
            "{{json .HostConfig.Mounts}}",
            "{{json .Config.Volumes}}",
            "{{json .HostConfig.VolumesFrom}}",
            "{{.HostConfig.VolumeDriver}}",
            "{{len .Mounts}}",
        ]
        .map(str::to_owned),
    );
    formats
}

const MOUNTS: &[&str] = &[
    "create",
    "--name",
    "box",
    "--network",
    "none",
    "-v",
    "one:/one:ro",
    "-v",
    "two:/two:nocopy",
    "-v",
    "/anon",
    "--mount",
    "type=volume,src=three,dst=/three,volume-nocopy,volume-label=a=b",
    "--mount",
    "type=volume,dst=/four",
    "-v",
    "/tmp:/tmp:ro",
    "--tmpfs",
    "/t:size=1m",
    "wants",
    "true",
];

#[test]
fn inspect_and_copies_are_as_dockers() {
    let docker = match Docker::start(&[]) {
        Ok(docker) => docker,
        Err(why) => testkit::skip!("{why}"),
    };
    let kist = busybox();
    let image = stuffed("wants:latest").config("Volumes", serde_json::json!({"/data": {}}));
    kist.load_image(&image);
    let archive = kist.scratch().write("wants.tar", image.docker_archive());
    docker.ok(&["load", "-i", archive.to_str().unwrap()]);
    let both = |args: &[&str]| (kist.ok(args), docker.ok(args));
    both(MOUNTS);
    both(&["volume", "create", "plain"]);
    both(&["volume", "create", "--label", "x=y", "-o", "type=tmpfs", "-o", "device=tmpfs", "opts"]);
    for format in said_of_mounts() {
        let (ours, theirs) = both(&["inspect", "-f", &format, "box"]);
        // Clients before 29 say this of every volume with options.
        let theirs = theirs.replace(",\"DriverConfig\":{}", "");
        // Docker's client tells binds in another order each time.
        let sorted = |text: &str| {
            let mut lines: Vec<_> = text.trim_end().lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&ours), sorted(&theirs), "{format}");
    }
    for name in ["plain", "opts", "one", "three"] {
        let format = "{{json .Labels}} {{json .Options}} {{.Driver}} {{.Scope}} {{.Name}}";
        let (ours, theirs) = both(&["volume", "inspect", "-f", format, name]);
        assert_eq!(ours, theirs, "{name}");
    }
    let source = "{{range .Mounts}}{{if eq .Destination \"/data\"}}{{.Source}}{{end}}{{end}}";
    let (ours, theirs) = both(&["inspect", "-f", source, "box"]);
    // Docker gives directories the times of the copy.
    let untimed = |dir: &str| -> Vec<Vec<String>> {
        let words = |line: &String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let lines = tree(Path::new(dir)).iter().map(words).collect::<Vec<_>>();
        let without = |mut words: Vec<String>| {
            words.remove(4);
            words
        };
        lines.into_iter().map(without).collect()
    };
    assert_eq!(untimed(&ours), untimed(&theirs));
    docker.ok(&["rm", "-v", "box"]);
}

#[test]
fn memory_belongs_to_the_containers_root_in_a_user_namespace_too() {
    let kist = busybox();
    kist.ok(&["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "memory"]);
    idle(&kist, "--name box --userns private -v memory:/m");
    kist.ok(&["exec", "box", "sh", "-c", "echo x > /m/file"]);
    assert_eq!(sh(&kist, "--userns private -v memory:/n", "stat -c %u /n/file; cat /n/file"), "0\nx");
}

#[test]
fn damage_of_volumes_is_named() {
    let kist = busybox();
    kist.ok(&["volume", "create", "one"]);
    kist.ok(&["volume", "create", "two"]);
    kist.ok(&["create", "--name", "box", "-v", "three:/d", "busybox"]);
    fs::remove_dir(data(&kist, "one")).unwrap();
    fs::write(kist.root().join("volumes/two/volume.json"), "nonsense").unwrap();
    fs::remove_dir_all(kist.root().join("volumes/three")).unwrap();
    let out = kist.run(&["system", "check"]);
    let said = format!("{}{}", out.stdout, out.stderr);
    for part in ["volume one: its directory _data is missing", "volume two: ", "its volume three is missing"] {
        assert!(said.contains(part), "{said}");
    }
    let out = kist.fails(&["start", "box"]);
    assert!(out.stderr.contains("get three: no such volume"), "{}", out.stderr);
    kist.ok(&["rm", "box"]);
}

#[test]
fn a_volume_is_seen_by_all_who_run_with_it_while_it_is_filled() {
    let kist = busybox();
    kist.load_image(&stuffed("stuffed:latest"));
    kist.ok(&shell(
        &["run", "-d", "--name", "watcher"],
        "-v data:/d",
        "while [ ! -e /d/below/deep ]; do sleep 0.05; done; cat /d/below/deep",
    ));
    kist.ok(&["create", "-v", "data:/data", "stuffed"]);
    assert_eq!(kist.ok(&["wait", "watcher"]), "0");
    assert_eq!(kist.ok(&["logs", "watcher"]), "deep");
}
