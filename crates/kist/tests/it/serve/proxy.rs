//! `--proxy`: a registry in front of another, which is a kist of its own or the distribution project's.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use spec::digest::Digest;
use testkit::{Docker, ImageBuilder, Kist, Podman, Root};

use super::{MANIFEST, Reply, Server, app, noise};
use crate::on_this_computer;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Server {
    /// Pushes a blob and answers what a manifest says about it.
    #[track_caller]
    fn blob(&self, repository: &str, bytes: &[u8]) -> Value {
        let digest = Digest::sha256(bytes).to_string();
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        assert_eq!(self.ask("POST", &path, bytes).unwrap().0, 201);
        json!({"mediaType": "x", "size": bytes.len(), "digest": digest})
    }

    /// Pushes an image of one layer and answers its digest.
    #[track_caller]
    fn image(&self, repository: &str, tag: &str, layer: &[u8]) -> String {
        let (config, layer) = (self.blob(repository, b"{}"), self.blob(repository, layer));
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        self.manifest(repository, tag, &manifest)
    }

    #[track_caller]
    fn manifest(&self, repository: &str, which: &str, manifest: &Value) -> String {
        let bytes = manifest.to_string().into_bytes();
        let headers = [("Content-Type", manifest["mediaType"].as_str().unwrap())];
        let path = format!("/v2/{repository}/manifests/{which}");
        let reply = Reply::read(&mut self.request("PUT", &path, &headers, &bytes).unwrap()).unwrap().expect(201);
        reply.headers["docker-content-digest"].clone()
    }

    /// How often it was asked for what.
    fn asked(&self, what: &str) -> usize {
        self.settled_log().lines().filter(|line| line.contains(what)).count()
    }
}

/// A registry of its own, and one in front of it.
struct Two {
    behind: Server,
    front: Server,
    kists: (Kist, Kist),
}

fn two() -> Two {
    let kists = (on_this_computer(), on_this_computer());
    let behind = Server::over_files(&kists.0, None);
    let front = Server::start(&kists.1, &["--proxy", behind.address()]);
    Two { behind, front, kists }
}

/// Until what was fetched is kept: the body may be read before the file has its name.
#[track_caller]
fn kept(kist: &Kist, digest: &str) {
    let hex = digest.strip_prefix("sha256:").unwrap().to_owned();
    kist.wait_until("the blob is kept", |kist| {
        let proxies = fs::read_dir(kist.root().join("proxies")).unwrap().flatten();
        proxies.into_iter().any(|proxy| proxy.path().join("blobs/sha256").join(&hex).exists())
    });
}

#[test]
fn what_was_pulled_is_there_when_the_registry_behind_is_not() {
    let two = two();
    let layer = noise(0, 3_000_000);
    let manifest = two.behind.image("team/app", "1", &layer);
    let blob = format!("/v2/team/app/blobs/{}", Digest::sha256(&layer));
    let by_tag = two.front.get("/v2/team/app/manifests/1").expect(200);
    assert_eq!(by_tag.headers["docker-content-digest"], manifest);
    let by_digest = format!("/v2/team/app/manifests/{manifest}");
    assert_eq!(two.front.get(&by_digest).expect(200).body, by_tag.body);
    assert!(two.front.get(&blob).expect(200).body == layer);
    kept(&two.kists.1, &blob[blob.len() - 71..]);
    assert!(two.front.get(&blob).expect(200).body == layer);
    // Which manifest the tag means is asked each time; the manifest itself and the layer came once.
    two.front.get("/v2/team/app/manifests/1").expect(200);
    assert_eq!((two.behind.asked("GET /v2/team/app/manifests/"), two.behind.asked(&format!("GET {blob}"))), (1, 1));
    assert_eq!(two.behind.asked("HEAD /v2/team/app/manifests/1"), 1);
    assert_eq!(two.front.get("/v2/_catalog").json(), json!({"repositories": ["team/app"]}));

    assert_eq!(two.front.get("/v2/team/app/manifests/2").error().split(':').next().unwrap(), "404 MANIFEST_UNKNOWN");
    assert_eq!(two.front.get("/v2/none/manifests/1").error().split(':').next().unwrap(), "404 MANIFEST_UNKNOWN");
    let none = format!("/v2/team/app/blobs/{}", Digest::sha256(b"none"));
    assert_eq!(two.front.get(&none).error().split(':').next().unwrap(), "404 BLOB_UNKNOWN");

    let Two { behind, front, kists: _kists } = two;
    assert_eq!(behind.stop(), Some(0));
    for path in ["/v2/team/app/manifests/1", &by_digest] {
        assert_eq!(front.get(path).expect(200).body, by_tag.body);
    }
    assert!(front.get(&blob).expect(200).body == layer);
    for path in ["/v2/team/app/manifests/2", &none] {
        assert_eq!(front.get(path).error(), "502 UNKNOWN: the registry behind this one did not answer");
    }
    assert!(
        front.settled_log().contains("asking the registry behind: no complete answer from 127.0.0.1:"),
        "{}",
        front.settled_log()
    );
    assert_eq!(front.stop(), Some(0));
}

#[test]
fn a_tag_that_moved_is_seen() {
    let two = two();
    let old = two.behind.image("a", "t", b"old");
    assert_eq!(two.front.get("/v2/a/manifests/t").headers["docker-content-digest"], old);
    let new = two.behind.image("a", "t", b"new");
    assert_eq!(two.front.get("/v2/a/manifests/t").headers["docker-content-digest"], new);
    two.front.get(&format!("/v2/a/manifests/{old}")).expect(200);
    // One that is deleted there stays until it is deleted here.
    assert_eq!(two.behind.ask("DELETE", &format!("/v2/a/manifests/{new}"), b"").unwrap().0, 202);
    assert_eq!(two.front.get("/v2/a/manifests/t").headers["docker-content-digest"], new);
    assert_eq!(two.front.ask("DELETE", "/v2/a/manifests/t", b"").unwrap().0, 202);
    two.front.get("/v2/a/manifests/t").expect(404);
}

#[test]
fn an_index_is_passed_on_and_its_images_when_they_are_asked_for() {
    let two = two();
    let manifest = |arch: &str| {
        let digest = two.behind.image("a", &format!("t-{arch}"), arch.as_bytes());
        let size = two.behind.get(&format!("/v2/a/manifests/{digest}")).body.len();
        json!({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": {"os": "linux", "architecture": arch}})
    };
    let manifests = [manifest("amd64"), manifest("arm64")];
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
    let digest = two.behind.manifest("a", "all", &index);
    let reply = two.front.get("/v2/a/manifests/all").expect(200);
    assert_eq!((&reply.headers["content-type"], &reply.headers["docker-content-digest"]), (&INDEX.to_owned(), &digest));
    assert_eq!(two.front.get("/v2/a/tags/list").json()["tags"], json!(["all"]));
    let arm = manifests[1]["digest"].as_str().unwrap();
    let reply = two.front.get(&format!("/v2/a/manifests/{arm}")).expect(200);
    assert_eq!(reply.headers["docker-content-digest"], arm);
    assert_eq!(two.front.get(&format!("/v2/a/blobs/{}", Digest::sha256(b"arm64"))).expect(200).body, b"arm64");
    let other = format!("/v2/a/blobs/{}", Digest::sha256(b"amd64"));
    assert_eq!(two.behind.asked(&format!("GET {other}")), 0);
}

#[test]
fn a_blob_is_fetched_once_for_all_and_in_part() {
    let two = two();
    let layer = noise(0, 40_000_000);
    two.behind.image("a", "t", &layer);
    let blob = format!("/v2/a/blobs/{}", Digest::sha256(&layer));
    // One that reads nothing yet holds up nobody.
    let mut slow = two.front.request("GET", &blob, &[], b"").unwrap();
    let mut first = [0; 1];
    slow.read_exact(&mut first).unwrap();
    let head = Reply::read(&mut two.front.request("HEAD", &blob, &[], b"").unwrap()).unwrap().expect(200);
    assert_eq!(head.headers["content-length"], "40000000");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert!(two.front.get(&blob).expect(200).body == layer));
        }
        let part = two.front.get_with(&blob, &[("Range", "bytes=30000000-30999999")]).expect(206);
        assert_eq!(part.headers["content-range"], "bytes 30000000-30999999/40000000");
        assert!(part.body == layer[30_000_000..31_000_000]);
    });
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(&layer[1_000_000..]));
    assert_eq!(two.behind.asked(&format!("GET {blob} 200")), 1);
    assert_eq!(two.front.get_with(&blob, &[("Range", "bytes=40000000-")]).status, 416);

    // Another repository behind has it, too: it is shown to whoever may see it there, and not kept twice.
    let other = format!("/v2/b/blobs/{}", Digest::sha256(&layer));
    assert_eq!(two.front.get(&other).status, 404);
    two.behind.image("b", "t", &layer);
    kept(&two.kists.1, &blob[blob.len() - 71..]);
    assert!(two.front.get(&other).expect(200).body == layer);
    let uploads = |repository: &str| {
        let proxy = fs::read_dir(two.kists.1.root().join("proxies")).unwrap().next().unwrap().unwrap().path();
        fs::read_dir(proxy.join("repositories").join(repository).join("uploads")).map_or(0, Iterator::count)
    };
    assert_eq!((uploads("a"), uploads("b")), (0, 0));
}

#[test]
fn a_reader_that_leaves_stops_nothing() {
    let two = two();
    let layer = noise(0, 20_000_000);
    two.behind.image("a", "t", &layer);
    let digest = Digest::sha256(&layer).to_string();
    let mut leaves = two.front.request("GET", &format!("/v2/a/blobs/{digest}"), &[], b"").unwrap();
    leaves.read_exact(&mut [0; 1000]).unwrap();
    drop(leaves);
    kept(&two.kists.1, &digest);
}

#[test]
fn what_is_behind_is_pushed_to_there() {
    let two = two();
    let digest = Digest::sha256(b"x");
    for (method, path) in [
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        ("POST", format!("/v2/a/blobs/uploads/?digest={digest}")),
        ("PUT", "/v2/a/manifests/t".to_owned()),
    ] {
        let refused = Reply::read(&mut two.front.request(method, &path, &[], b"x").unwrap()).unwrap();
        assert_eq!(
            refused.error(),
            "405 UNSUPPORTED: this registry keeps what it fetches from another: push there",
            "{method} {path}"
        );
    }
    let kist = on_this_computer();
    kist.load_image(&ImageBuilder::new().name("x:1").file("f", 0o644, "x"));
    let name = format!("{}/x:1", two.front.address());
    kist.ok(&["tag", "x:1", &name]);
    let said = kist.fails(&["push", &name]).stderr;
    assert!(said.contains("this registry keeps what it fetches from another: push there"), "{said}");
}

/// A file with the line of `htpasswd -nbB amy secret`.
fn users(root: &Root) -> String {
    root.write("users", "amy:$2y$05$jnrHZNajpP8opnxa1T9nWeTlhWvGrDnCtLTb1fmQFwvGhkRmPKhWS\n").display().to_string()
}

#[test]
fn the_registry_behind_is_asked_with_the_users_login() {
    let (kist, front) = (on_this_computer(), on_this_computer());
    let storage = kist.scratch().join("registry").display().to_string();
    let open = Server::over_files(&kist, None);
    let digest = open.image("private", "1", b"secret");
    open.stop();
    let behind = Server::start(&kist, &["--storage", &storage, "--htpasswd", &users(kist.scratch())]);
    behind.get("/v2/private/manifests/1").expect(401);

    let stranger = Server::start(&front, &["--proxy", behind.address()]);
    assert_eq!(stranger.get("/v2/private/manifests/1").error().split(':').next().unwrap(), "404 MANIFEST_UNKNOWN");
    assert!(stranger.settled_log().contains("refused by the registry behind: "), "{}", stranger.settled_log());
    stranger.stop();

    // `amy:secret`
    let config = json!({"auths": {behind.address(): {"auth": "YW15OnNlY3JldA=="}}});
    front.scratch().write("docker-config/config.json", config.to_string());
    // Who may come in here is a question of this registry alone.
    let friend = Server::start(&front, &["--proxy", behind.address(), "--htpasswd", &users(front.scratch())]);
    friend.get("/v2/private/manifests/1").expect(401);
    let amy = [("Authorization", "Basic YW15OnNlY3JldA==")];
    let reply = friend.get_with("/v2/private/manifests/1", &amy).expect(200);
    assert_eq!(reply.headers["docker-content-digest"], digest);
    let layer = format!("/v2/private/blobs/{}", Digest::sha256(b"secret"));
    assert_eq!(friend.get_with(&layer, &amy).expect(200).body, b"secret");
    friend.get(&layer).expect(401);
    assert!(!friend.settled_log().contains("YW15"), "{}", friend.settled_log());
}

#[test]
fn a_proxy_does_not_ask_itself() {
    let two = two();
    two.behind.image("a", "t", b"x");
    let kist = on_this_computer();
    let etc = kist.scratch().join("etc");
    let mut kist = kist;
    kist.env("KIST_CONFIG", etc.to_str().unwrap());
    // The machine's mirror for the registry behind is what the proxy listens on.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mirrors = json!({"mirrors": {two.behind.address(): [format!("http://{address}")]}, "insecure": [address]});
    kist.scratch().write("etc/registries.json", mirrors.to_string());
    let front = Server::start(&kist, &["--proxy", two.behind.address(), "--listen", &address]);
    front.get("/v2/a/manifests/t").expect(200);
    front.get("/v2/a/manifests/none").expect(404);
    assert_eq!(front.asked("/v2/a/manifests/none"), 1);
}

/// As a mirror for a registry that does not exist: what comes, came through it.
#[test]
fn kist_and_podman_use_it_as_a_mirror() {
    let (owner, id) = app("team/app:1");
    let behind = Server::start(&owner, &[]);
    let kist = on_this_computer();
    let front = Server::start(&kist, &["--proxy", behind.address()]);
    let name = "registry.invalid/team/app:1";

    let mut puller = on_this_computer();
    let mirrors =
        json!({"mirrors": {"registry.invalid": [format!("http://{}", front.address())]}, "insecure": ["127.0.0.0/8"]});
    puller.scratch().write("etc/registries.json", mirrors.to_string());
    let etc = puller.scratch().join("etc").display().to_string();
    puller.env("KIST_CONFIG", &etc);
    puller.ok(&["pull", "-q", name]);
    assert_eq!(puller.ok(&["inspect", "--format", "{{.Id}}", name]), id);
    assert_eq!(puller.ok(&["run", "--rm", "--network", "none", name]), "runs");

    let podman = match Podman::new() {
        Ok(podman) => podman,
        Err(why) => testkit::skip!("{why}"),
    };
    let mirror = format!(
        "[[registry]]\nlocation = \"registry.invalid\"\n[[registry.mirror]]\nlocation = \"{}\"\ninsecure = true\n",
        front.address()
    );
    podman.root().write("registries.conf", mirror);
    podman.ok(&["pull", "-q", name]);
    assert_eq!(podman.ok(&["inspect", "--format", "{{.Id}}", name]), id["sha256:".len()..]);
    assert_eq!(podman.run(name), "runs");
}

#[test]
fn docker_uses_it_as_its_registry_mirror() {
    let (owner, id) = app("app:1");
    let behind = Server::start(&owner, &[]);
    let kist = on_this_computer();
    let front = Server::start(&kist, &["--proxy", behind.address()]);
    let docker = match Docker::start(&["--registry-mirror", &format!("http://{}", front.address())]) {
        Ok(docker) => docker,
        Err(why) => testkit::skip!("{why}"),
    };
    // For Docker's own registry, which is not reached here.
    docker.ok(&["pull", "-q", "app:1"]);
    assert_eq!(docker.ok(&["inspect", "--format", "{{.Id}}", "app:1"]), id);
    assert_eq!(docker.ok(&["run", "--rm", "--network", "none", "app:1"]), "runs");
}

/// The distribution project's registry; ends with its value.
struct DockerRegistry {
    process: Child,
    address: String,
    _root: Root,
}

impl DockerRegistry {
    fn start() -> Option<DockerRegistry> {
        let root = Root::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"{address}\"}}\n",
            root.join("blobs").display()
        );
        let config = root.write("config.yml", config);
        let mut command = Command::new("docker-registry");
        let process = command.arg("serve").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let registry = DockerRegistry { process, address, _root: root };
        while TcpStream::connect(&registry.address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(registry)
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn the_distribution_projects_registry_can_be_behind() {
    let Some(behind) = DockerRegistry::start() else { testkit::skip!("docker-registry is not installed") };
    let (owner, id) = app("app:1");
    let pushed = format!("{}/team/app:1", behind.address);
    owner.ok(&["tag", "app:1", &pushed]);
    owner.ok(&["push", "-q", &pushed]);
    let kist = on_this_computer();
    let front = Server::start(&kist, &["--proxy", &behind.address]);
    let name = format!("{}/team/app:1", front.address());
    let first = on_this_computer();
    first.ok(&["pull", "-q", &name]);
    assert_eq!(front.get("/v2/team/app/manifests/2").error().split(':').next().unwrap(), "404 MANIFEST_UNKNOWN");
    drop(behind);
    let second = on_this_computer();
    assert_eq!(second.ok(&["run", "--rm", "--network", "none", &name]), "runs");
    for kist in [&first, &second] {
        assert_eq!(kist.ok(&["inspect", "--format", "{{.Id}}", &name]), id);
    }
}
