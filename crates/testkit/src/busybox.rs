//! The images of the tests: Debian's static busybox with a small tree around it, and Debian itself.

use crate::{Compression, ImageBuilder, Layer, Root};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `busybox:latest` as a docker archive, uncompressed; made once a machine.
///
/// # Panics
/// Where Debian's package `busybox-static` is not installed.
pub fn busybox_image() -> PathBuf {
    let program = busybox_program();
    let version = fs::metadata(&program).unwrap().len();
    cached(&format!("busybox-{FORMAT}-{version}.tar"), |path| fs::write(path, busybox().docker_archive()).unwrap())
}

/// Counted up when the tree below changes: what is cached under another number is not used.
const FORMAT: u32 = 2;

/// The same image to build upon: another name, config, compression or more layers.
///
/// In it: `/bin/busybox` with a hard link for each applet, `/usr/bin/env`, `/etc/{passwd,group,shells}` with root (0), daemon (1),
/// www-data (33), app (1000, in the groups app, staff (50) and extra (2000)) and nobody (65534), `/root` 0700, `/tmp` 1777,
/// `/home/app` owned by app, `/var/www`. Cmd is `sh`.
pub fn busybox() -> ImageBuilder {
    let program = busybox_program();
    let list = Command::new(&program).arg("--list").output().unwrap();
    let owned = |layer: Layer, path: &str, id: u64| {
        layer.entry(path, "", &[], |header| {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_uid(id);
            header.set_gid(id);
        })
    };
    let mut layer = Layer::new();
    for dir in
        ["bin", "dev", "etc", "home", "proc", "sys", "usr", "usr/bin", "usr/sbin", "sbin", "var", "var/www", "run"]
    {
        layer = layer.dir(&format!("{dir}/"), 0o755);
    }
    layer = layer.dir("root/", 0o700).dir("tmp/", 0o1777);
    layer = owned(layer, "home/app/", 1000);
    layer = layer.file("bin/busybox", 0o755, fs::read(&program).unwrap());
    for applet in String::from_utf8(list.stdout).unwrap().lines().filter(|applet| *applet != "busybox") {
        layer = program_link(layer, &format!("bin/{applet}"));
    }
    layer = program_link(layer, "usr/bin/env");
    layer =
        layer.file("etc/passwd", 0o644, PASSWD).file("etc/group", 0o644, GROUP).file("etc/shells", 0o644, "/bin/sh\n");
    ImageBuilder::new().name("busybox:latest").layer(layer).config("Cmd", json!(["sh"]))
}

/// With the program's mode, as every tar has it: Docker gives it to the program once more.
fn program_link(layer: Layer, path: &str) -> Layer {
    layer.entry(path, "bin/busybox", &[], |header| {
        header.set_entry_type(tar::EntryType::Link);
        header.set_mode(0o755);
    })
}

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:Linux User,,,:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/home:/bin/false
";
const GROUP: &str = "root:x:0:
daemon:x:1:
www-data:x:33:
staff:x:50:app
app:x:1000:
extra:x:2000:app
nobody:x:65534:
";

fn busybox_program() -> PathBuf {
    let found = ["/bin/busybox", "/usr/bin/busybox"].into_iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("Debian's package busybox-static is installed")
}

/// `debian:latest` as a docker archive, made once a machine with debootstrap from the machine's own Debian mirror; else the reason
/// why there is none, for [`crate::skip!`].
///
/// # Errors
/// Where debootstrap is not installed or fails, and no image was made before.
pub fn debian_image() -> Result<PathBuf, String> {
    let mut failed = None;
    let path = cached("debian-1.tar", |path| failed = bootstrap(path).err());
    failed.map_or(Ok(path), Err)
}

fn bootstrap(archive: &Path) -> Result<(), String> {
    let root = Root::new();
    let tree = root.join("tree");
    let run = |command: &mut Command| {
        let output = command.output().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let tail = || String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{}: {}", command.get_program().display(), tail())) }
    };
    run(Command::new("debootstrap").args(["--variant=minbase", "bookworm"]).arg(&tree).args(debian_mirror()))?;
    let tar = root.join("layer.tar");
    let sweep = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*"];
    run(Command::new("tar").arg("-C").arg(&tree).arg("-cf").arg(&tar).args(sweep).arg("."))?;
    let image = ImageBuilder::new().name("debian:latest").layer_tar(fs::read(&tar).unwrap());
    let image = image.config("Cmd", json!(["bash"])).compression(Compression::None);
    fs::write(archive, image.docker_archive()).map_err(|error| error.to_string())
}

fn debian_mirror() -> Option<String> {
    let sources = fs::read_to_string("/etc/apt/sources.list.d/debian.sources").ok()?;
    sources.lines().find_map(|line| line.strip_prefix("URIs:")).map(|uris| uris.trim().to_owned())
}

/// A file made once a machine, by whichever test comes first; others wait for it. Made aside and renamed, so it is whole or absent.
/// The maker may leave it unmade.
pub(crate) fn cached(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let dir = Path::new("/var/tmp/kist-images");
    fs::create_dir_all(dir).unwrap();
    let path = dir.join(name);
    let lock = fs::File::create(dir.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !path.exists() {
        let aside = dir.join(format!("{name}.part"));
        make(&aside);
        if aside.exists() {
            fs::rename(&aside, &path).unwrap();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::busybox;
    use crate::Root;
    use std::process::Command;

    #[test]
    fn the_tree_is_one_that_tar_can_read() {
        let root = Root::new();
        let archive = root.write("image.tar", busybox().oci_archive());
        assert!(Command::new("tar").arg("-C").arg(root.path()).arg("-xf").arg(&archive).status().unwrap().success());
        let names: Vec<_> = std::fs::read_dir(root.join("blobs/sha256")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(names.len(), 3, "config, manifest and one layer");
        let layer = names.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
        std::fs::create_dir(root.join("tree")).unwrap();
        let untar = Command::new("tar").arg("-C").arg(root.join("tree")).arg("-xf").arg(layer).status();
        assert!(untar.unwrap().success());
        let echo = Command::new(root.join("tree/bin/echo")).arg("hello").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&echo.stdout), "hello\n");
    }
}
