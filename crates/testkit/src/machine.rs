//! A host of the test's own for what is about networks: a network namespace with a loopback and nothing else, in which kist runs as it
//! would on another computer. Bridges, rules and sockets of one test are no concern of the next, and the machine's own stay as they are.
//!
//! ```text
//!   test ── holder (unshare: network and mounts) ── kist, its monitors, nft, ip, curl: by nsenter
//!              └── veth ── another holder: a client outside, a router
//! ```
//!
//! The holder reads a pipe and ends with the process of the test, however that ends; the namespace goes with the last process in it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::{Kist, Root};

/// What it says is the last thing it does before it waits. Forwarding is off as on a computer that nobody has set up.
const HOLDER: &str = "set -e
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_forward
echo ready
exec cat";

/// Mounts of other tests, copied with the namespace, would make those believe that we hold them.
const FORGET: &str = "while read -r _ _ _ _ point _; do
    case $point in /var/tmp/kist-test-*) umount -l \"$point\" 2>/dev/null || true ;; esac
done </proc/self/mountinfo
";

/// One host. Clones are the same host; the last one to go asserts that neither links, rules, mounts, listening sockets nor processes are
/// left in it, and ends it.
#[derive(Debug, Clone)]
pub struct Machine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: Root,
    holder: Child,
    net: File,
    /// Names of the links that join it to others.
    joined: Mutex<BTreeSet<String>>,
    /// What was mounted when it was made, where it has mounts of its own.
    mounts: Option<BTreeSet<String>>,
}

impl Machine {
    /// A host that is joined to nothing. It has the computer's mounts.
    ///
    /// # Panics
    /// Without the right to make namespaces, or Debian's iproute2 and util-linux.
    #[expect(clippy::new_without_default, reason = "a host is no value that one would expect to come by itself")]
    pub fn new() -> Machine {
        Machine::made(&["--net"])
    }

    /// One that has mounts of its own too, so that its [`Machine::resolv_conf`] can be another. It does not see what the test mounts.
    ///
    /// # Panics
    /// As [`Machine::new`].
    pub fn with_mounts() -> Machine {
        Machine::made(&["--net", "--mount", "--propagation", "private"])
    }

    fn made(namespaces: &[&str]) -> Machine {
        let root = Root::new();
        let has_mounts = namespaces.contains(&"--mount");
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", &format!("{}{HOLDER}", if has_mounts { FORGET } else { "" })]);
        command.env("KIST_TEST", root.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "a namespace is made; this wants root, iproute2 and util-linux");
        let net = File::open(format!("/proc/{}/ns/net", holder.id())).unwrap();
        let mounts = has_mounts.then(|| mount_points(holder.id()));
        Machine(Arc::new(Inner { root, holder, net, joined: Mutex::default(), mounts }))
    }

    /// An engine without images, every command and process of which is in this host.
    pub fn kist(&self, program: &str) -> Kist {
        Kist::on(program, self)
    }

    /// A directory for files about it.
    pub fn scratch(&self) -> &Root {
        &self.0.root
    }

    /// A program of this host, not yet started.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.0.holder.id();
        command.arg(format!("--net=/proc/{pid}/ns/net"));
        if self.0.mounts.is_some() {
            command.arg(format!("--mount=/proc/{pid}/ns/mnt"));
        }
        command.arg("--").arg(program.as_ref()).env("KIST_TEST", self.0.root.path());
        command
    }

    /// Runs a line of a shell here to its end.
    pub fn run(&self, line: &str) -> Output {
        self.command("sh").args(["-c", line]).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a line of a shell here that must succeed and returns its output without the last newline.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{line}: {}\n{stdout}{stderr}", output.status);
        stdout.strip_suffix('\n').unwrap_or(&stdout).to_owned()
    }

    /// Does something in a thread whose new sockets are this host's; they stay so wherever they are used afterwards.
    ///
    /// # Panics
    /// When it does.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let net = &self.0.net;
        let enter = || {
            move_into_link_name_space(net.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            act()
        };
        let ended = std::thread::scope(|scope| scope.spawn(enter).join());
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Joins two hosts by a cable. Addresses with their prefix, parted by blanks, of both families. Returns the name of this end.
    pub fn connect(&self, other: &Machine, here: &str, there: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let ends = [(self, format!("cable{n}a"), here), (other, format!("cable{n}b"), there)];
        let [(_, a, _), (_, b, _)] = &ends;
        self.ok(&format!("ip link add {a} type veth peer name {b} netns {}", other.0.holder.id()));
        for (machine, link, addresses) in &ends {
            machine.0.joined.lock().unwrap().insert(link.clone());
            for address in addresses.split_whitespace() {
                let family = if address.contains(':') { "-6" } else { "-4" };
                let at_once = if family == "-6" { "nodad" } else { "" };
                machine.ok(&format!("ip {family} address add {address} dev {link} {at_once}"));
            }
            machine.ok(&format!("ip link set {link} up"));
        }
        a.clone()
    }

    /// Packets to there (`default`, a prefix) go by this host.
    pub fn route(&self, to: &str, by: &str) {
        self.ok(&format!("ip {} route add {to} via {by}", if by.contains(':') { "-6" } else { "-4" }));
    }

    /// Lets it pass on what is not for it, as a router does.
    pub fn forward(&self) {
        self.ok("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    }

    /// What its `/etc/resolv.conf` says from now on; the computer's own stays as it is.
    ///
    /// # Panics
    /// Without mounts of its own.
    pub fn resolv_conf(&self, text: &str) {
        assert!(self.0.mounts.is_some(), "the computer's resolv.conf is not ours");
        let at = self.0.root.join("resolv.conf");
        // Written over, so that a file that is mounted already is the same one.
        fs::write(&at, text).unwrap();
        let mounted = self.ok("cat /proc/self/mountinfo").contains("/resolv.conf /etc/resolv.conf ");
        if !mounted {
            self.ok(&format!("mount --bind {} /etc/resolv.conf", at.display()));
        }
    }

    /// The rules of its packet filter, without counters and handles.
    pub fn rules(&self) -> String {
        self.ok("nft --stateless list ruleset")
    }

    /// The names of its links, without the loopback and the cables.
    pub fn links(&self) -> BTreeSet<String> {
        self.0.links()
    }
}

impl Inner {
    fn links(&self) -> BTreeSet<String> {
        let table = read(format!("/proc/{}/net/dev", self.holder.id()));
        let names = table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()));
        let joined = self.joined.lock().unwrap();
        names.filter(|name| name != "lo" && !joined.contains(name)).collect()
    }

    /// All that is in it and was not when it was made.
    fn things(&self) -> BTreeSet<String> {
        let pid = self.holder.id();
        let mut things: BTreeSet<_> = self.links().into_iter().map(|link| format!("link {link}")).collect();
        let mut nft = Command::new("nsenter");
        nft.arg(format!("--net=/proc/{pid}/ns/net")).args(["nft", "list", "tables"]);
        // Where nft is not installed no test has made rules by it, and kist's are not seen.
        let tables = nft.output().map(|output| output.stdout).unwrap_or_default();
        let tables = String::from_utf8_lossy(&tables);
        things.extend(tables.lines().filter(|table| !self.is_idle(table)).map(str::to_owned));
        if let Some(mounts) = &self.mounts {
            things.extend(mount_points(pid).difference(mounts).map(|point| format!("mount {point}")));
        }
        things.extend(listening(pid));
        let ours = [pid, std::process::id()];
        let here = fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        for proc in fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()) {
            let other = proc.file_name().and_then(|name| name.to_str()?.parse().ok()).filter(|pid| !ours.contains(pid));
            if let (Some(pid), true) = (other, fs::read_link(proc.join("ns/net")).is_ok_and(|ns| ns == here)) {
                things.insert(format!("process {pid} {}", read(proc.join("cmdline")).replace('\0', " ").trim_end()));
            }
        }
        things
    }

    /// kist's own tables, which it keeps, without a port that leads to anybody and without a chain for anybody's device.
    fn is_idle(&self, table: &str) -> bool {
        let mut nft = Command::new("nsenter");
        nft.arg(format!("--net=/proc/{}/ns/net", self.holder.id())).arg("nft").arg(format!("list {table}"));
        let text = nft.output().map(|output| output.stdout).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let leads =
            |line: &str| line.contains(" : ") && ["tcp . ", "udp . ", "sctp . "].iter().any(|to| line.contains(to));
        match table {
            _ if table.starts_with("table inet kist") => !text.lines().any(leads),
            _ if table.starts_with("table netdev kist") => !text.contains("chain "),
            _ => false,
        }
    }

    /// Waits up to three seconds for what is on its way out.
    fn left(&self) -> BTreeSet<String> {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let things = self.things();
            if things.is_empty() || Instant::now() > deadline {
                return things;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.root.join("resolv.conf"));
        let left = if std::thread::panicking() { BTreeSet::new() } else { self.left() };
        // Its end takes the namespace along: what is left in it is named first.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        assert!(left.is_empty(), "left behind on the host:\n  {}", Vec::from_iter(left).join("\n  "));
    }
}

/// Where something is mounted; what we mount there ourselves is `/etc/resolv.conf`.
fn mount_points(pid: u32) -> BTreeSet<String> {
    let mounts = read(format!("/proc/{pid}/mountinfo"));
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4)).filter(|point| *point != "/etc/resolv.conf");
    points.map(str::to_owned).collect()
}

/// Sockets that wait for others: TCP in state LISTEN (0A), UDP without a peer.
fn listening(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        for line in read(format!("/proc/{pid}/net/{table}")).lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            let waits = if table.starts_with("tcp") { fields[3] == "0A" } else { fields[2].ends_with(":0000") };
            let port = fields[1].rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
            if waits {
                found.push(format!("{table} port {}", port.unwrap_or_default()));
            }
        }
    }
    found
}

fn read(path: impl Into<PathBuf>) -> String {
    fs::read(path.into()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Machine;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    /// The pure court needs no root.
    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    #[test]
    fn a_host_is_empty_and_reached_through_a_router() {
        if !is_root() {
            crate::skip!("namespaces want root");
        }
        let (client, router, server) = (Machine::new(), Machine::new(), Machine::new());
        client.connect(&router, "192.0.2.2/24 2001:db8:1::2/64", "192.0.2.1/24 2001:db8:1::1/64");
        router.connect(&server, "198.51.100.1/24 2001:db8:2::1/64", "198.51.100.2/24 2001:db8:2::2/64");
        router.forward();
        for (machine, v4, v6) in [(&client, "192.0.2.1", "2001:db8:1::1"), (&server, "198.51.100.1", "2001:db8:2::1")] {
            machine.route("default", v4);
            machine.route("default", v6);
            assert!(machine.links().is_empty() && machine.rules().is_empty());
        }
        for address in ["198.51.100.2:80", "[2001:db8:2::2]:80"] {
            let listener = server.inside(|| TcpListener::bind(address).unwrap());
            let mut stream = client.inside(|| TcpStream::connect(address).unwrap());
            let (mut accepted, _) = listener.accept().unwrap();
            stream.write_all(b"hello").unwrap();
            drop(stream);
            let mut heard = String::new();
            accepted.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, "hello");
            assert!(TcpStream::connect("127.0.0.1:80").is_err(), "nothing of it is on the computer itself");
        }
    }

    #[test]
    fn what_is_left_is_named() {
        if !is_root() {
            crate::skip!("namespaces want root");
        }
        let machine = Machine::with_mounts();
        machine.resolv_conf("nameserver 192.0.2.53\n");
        assert_eq!(machine.ok("cat /etc/resolv.conf"), "nameserver 192.0.2.53");
        machine.ok("ip link add br0 type bridge && nft add table ip left && mount -t tmpfs none /mnt");
        let listener = machine.inside(|| TcpListener::bind("0.0.0.0:80").unwrap());
        let mut sleep = machine.command("sleep").arg("100").spawn().unwrap();
        let things = || Vec::from_iter(machine.0.things()).join("; ");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        let want = format!("link br0; mount /mnt; process {} sleep 100; table ip left; tcp port 80", sleep.id());
        while things() != want {
            assert!(std::time::Instant::now() < deadline, "{} instead of {want}", things());
        }
        sleep.kill().unwrap();
        sleep.wait().unwrap();
        drop(listener);
        machine.ok("ip link delete br0; nft delete table ip left; umount /mnt");
    }
}
