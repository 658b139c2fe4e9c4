//! Programs that people run in containers, as images: Debian's packages with their dependencies, unpacked and not installed, with
//! defaults like those of the images one pulls under their names. Made once a machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::busybox::cached;
use crate::{ImageBuilder, Root};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// `nginx:latest` serves `/usr/share/nginx/html` on port 80 of both families, and logs to its outputs.
    Nginx,
    /// `redis:latest` listens on 6379 as the user redis and keeps its data in `/data`, a volume.
    Redis,
    /// `postgres:latest` listens on 5432 and keeps its data in `/var/lib/postgresql/data`, a volume that its entrypoint fills as root
    /// for the user postgres. Wants `POSTGRES_PASSWORD`.
    Postgres,
}

/// Counted up when what is below changes.
const FORMAT: u32 = 4;

/// What every image has: a shell, its tools, the users of Debian, and a Perl with sockets.
const BASE: &str =
    "base-files base-passwd bash coreutils dash findutils grep libc-bin netbase perl-base sed util-linux";

/// Half of what is needed by name is never run: compilers for queries, languages, what installs packages. 300 MB.
const SPARED: [&str; 15] = [
    "debconf",
    "dpkg",
    "libc-l10n",
    "libllvm14",
    "libperl5.36",
    "libz3-4",
    "locales",
    "openssl",
    "passwd",
    "perl",
    "perl-modules-5.36",
    "ssl-cert",
    "systemd",
    "ucf",
    "usrmerge",
];

impl App {
    /// The image as a docker archive; else the reason why there is none, for [`crate::skip!`].
    ///
    /// # Errors
    /// Where there is no Debian to get packages from.
    pub fn image(self) -> Result<PathBuf, String> {
        let mut failed = None;
        let path = cached(&format!("{}-{FORMAT}.tar", self.name()), |path| failed = self.make(path).err());
        failed.map_or(Ok(path), Err)
    }

    /// What the image is called.
    pub fn name(self) -> &'static str {
        match self {
            App::Nginx => "nginx",
            App::Redis => "redis",
            App::Postgres => "postgres",
        }
    }

    fn package(self) -> &'static str {
        match self {
            App::Nginx => "nginx-light",
            App::Redis => "redis-server",
            App::Postgres => "postgresql-15",
        }
    }

    fn make(self, archive: &Path) -> Result<(), String> {
        let root = Root::new();
        let tree = root.join("tree");
        // Packages on this machine may be newer than its lists.
        let first = self.unpack(&root, &tree);
        first.or_else(|_| run(Command::new("apt-get").args(["update", "-qq"])).and(self.unpack(&root, &tree)))?;
        let path = |below: &str| tree.join(below);
        for name in ["passwd", "group"] {
            fs::copy(path(&format!("usr/share/base-passwd/{name}.master")), path(&format!("etc/{name}"))).unwrap();
        }
        // Some packages have it as a directory.
        let _ = fs::remove_dir_all(path("var/run"));
        symlink("/run", path("var/run")).unwrap();
        self.set_up(&tree);
        let tar = root.join("layer.tar");
        let unread = ["--exclude=./usr/share/doc", "--exclude=./usr/share/man", "--exclude=./usr/share/locale"];
        run(Command::new("tar").arg("-C").arg(&tree).args(["--numeric-owner", "-cf"]).arg(&tar).args(unread).arg("."))?;
        let image = ImageBuilder::new().name(&format!("{}:latest", self.name())).layer_tar(fs::read(&tar).unwrap());
        let image = self.defaults().into_iter().fold(image, |image, (field, value)| image.config(field, value));
        fs::write(archive, image.docker_archive()).map_err(|error| error.to_string())
    }

    /// The package and what it depends on, as if on a machine that has nothing yet.
    fn unpack(self, root: &Root, tree: &Path) -> Result<(), String> {
        let packages = root.join("packages");
        let _ = fs::remove_dir_all(&packages);
        let _ = fs::remove_dir_all(tree);
        fs::create_dir_all(&packages).unwrap();
        // Merged as on every Debian of today; the packages still name both.
        for dir in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir_all(tree.join("usr").join(dir)).unwrap();
            symlink(format!("usr/{dir}"), tree.join(dir)).unwrap();
        }
        let status = format!("Dir::State::status={}", root.write("status", "").display());
        let apt = |args: &[&str]| {
            let mut command = Command::new("apt-get");
            command.args(["-qq", "-o", &status, "-o", "APT::Sandbox::User=root"]).args(args).current_dir(&packages);
            command
        };
        let mut needed = apt(&["install", "--print-uris", "--no-install-recommends"]);
        let needed = run(needed.args(BASE.split(' ')).arg(self.package()))?;
        // 'http://...' libc6_2.36-9_amd64.deb 2759320 SHA256:...
        let names = needed.lines().filter_map(|line| line.split(' ').nth(1)?.split_once('_').map(|(name, _)| name));
        run(apt(&["download"]).args(names.filter(|name| !SPARED.contains(name))))?;
        let mut packages: Vec<_> = fs::read_dir(packages).unwrap().map(|entry| entry.unwrap().path()).collect();
        packages.sort();
        for package in packages {
            let script = "dpkg-deb --fsys-tarfile \"$0\" | tar -x --keep-directory-symlink -C \"$1\"";
            run(Command::new("sh").args(["-c", script]).arg(package).arg(tree))?;
        }
        Ok(())
    }

    /// What the packages' scripts would do.
    fn set_up(self, tree: &Path) {
        let path = |below: &str| tree.join(below);
        match self {
            App::Nginx => {
                fs::write(path("etc/nginx/conf.d/default.conf"), NGINX_CONF).unwrap();
                for (log, output) in [("access", "stdout"), ("error", "stderr")] {
                    symlink(format!("/dev/{output}"), path(&format!("var/log/nginx/{log}.log"))).unwrap();
                }
            }
            App::Redis => {
                add_user(tree, "redis");
                own(&path("data"), 0o755);
            }
            App::Postgres => {
                add_user(tree, "postgres");
                own(&path("var/lib/postgresql/data"), 0o1777);
                own(&path("run/postgresql"), 0o2775);
                let script = path("usr/local/bin/docker-entrypoint.sh");
                fs::create_dir_all(script.parent().unwrap()).unwrap();
                fs::write(&script, POSTGRES_ENTRYPOINT).unwrap();
                fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
    }

    fn defaults(self) -> Vec<(&'static str, Value)> {
        match self {
            App::Nginx => vec![
                ("Cmd", json!(["nginx", "-g", "daemon off;"])),
                ("ExposedPorts", json!({ "80/tcp": {} })),
                ("StopSignal", json!("SIGQUIT")),
            ],
            App::Redis => vec![
                ("Cmd", json!(["redis-server", "--protected-mode", "no"])),
                ("ExposedPorts", json!({ "6379/tcp": {} })),
                ("User", json!("redis")),
                ("Volumes", json!({ "/data": {} })),
                ("WorkingDir", json!("/data")),
            ],
            App::Postgres => vec![
                ("Entrypoint", json!(["docker-entrypoint.sh"])),
                ("Cmd", json!(["postgres", "-c", "listen_addresses=*"])),
                ("ExposedPorts", json!({ "5432/tcp": {} })),
                ("StopSignal", json!("SIGINT")),
                ("Volumes", json!({ "/var/lib/postgresql/data": {} })),
                (
                    "Env",
                    json!([
                        "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin",
                        "PGDATA=/var/lib/postgresql/data"
                    ]),
                ),
            ],
        }
    }
}

const NGINX_CONF: &str = "server {
    listen 80;
    listen [::]:80;
    location / {
        root /usr/share/nginx/html;
        index index.html;
    }
}
";

/// Before the server, and before nothing else: as root it gives the directory to the user; as the user it makes the database if there is
/// none. Then it becomes the command.
const POSTGRES_ENTRYPOINT: &str = r#"#!/bin/sh
set -e
[ "$1" = postgres ] || exec "$@"
if [ "$(id -u)" = 0 ]; then
    chown postgres: "$PGDATA"
    chmod 700 "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf '%s\n' "${POSTGRES_PASSWORD:?is not set}" >/tmp/password
    initdb --username postgres --auth-local trust --auth-host scram-sha-256 --pwfile /tmp/password --no-sync
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec "$@"
"#;

/// The number that the usual images give their user, in `own` too.
fn add_user(tree: &Path, name: &str) {
    for (file, line) in [
        ("etc/passwd", format!("{name}:x:{USER}:{USER}::/var/lib/{name}:/bin/sh\n")),
        ("etc/group", format!("{name}:x:{USER}:\n")),
    ] {
        let text = fs::read_to_string(tree.join(file)).unwrap();
        fs::write(tree.join(file), text + &line).unwrap();
    }
}

const USER: u32 = 999;

fn own(dir: &Path, mode: u32) {
    fs::create_dir_all(dir).unwrap();
    chown(dir, Some(USER), Some(USER)).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
}

/// What a program prints that must succeed; else its name and the last it complained.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default()))
}
