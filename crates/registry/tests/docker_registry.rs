//! The client against the registry of the distribution project, Debian's package `docker-registry`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use registry::client::{
    Begun, Client, ClientError, Credentials, Login, Outgoing, Patience, ProxySettings, Settings, Span, Upload,
};
use spec::digest::{BlobDigest, Digest};
use spec::image::{Descriptor, media};
use spec::reference::Reference;
use testkit::Root;

/// A registry of its own; dies with the test.
struct Peer {
    process: Child,
    address: String,
    _root: Root,
}

/// What the registry is set up with besides its storage.
enum With {
    Nothing,
    /// An `htpasswd` file with this line.
    Password(&'static str),
    /// Certificate and key in PEM.
    Tls(String, String),
}

impl Peer {
    /// Nothing if the package is not installed.
    #[allow(clippy::disallowed_methods, reason = "the peer is another program")]
    fn start(with: With) -> Option<Peer> {
        let root = Root::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let more = match with {
            With::Nothing => String::new(),
            With::Password(line) => {
                format!("auth: {{htpasswd: {{realm: here, path: {}}}}}\n", root.write("htpasswd", line).display())
            }
            With::Tls(cert, key) => {
                let (cert, key) = (root.write("cert", cert), root.write("key", key));
                format!("  tls: {{certificate: {}, key: {}}}\n", cert.display(), key.display())
            }
        };
        let blobs = root.path().join("blobs");
        let config = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: {address}\n{more}",
            blobs.display()
        );
        let config = root.write("config.yml", config);
        let (out, err) = (Stdio::null(), Stdio::null());
        let process = Command::new("docker-registry").arg("serve").arg(config).stdout(out).stderr(err).spawn().ok()?;
        let peer = Peer { process, address, _root: root };
        while TcpStream::connect(&peer.address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(peer)
    }

    fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.address).parse().unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

struct Known(Option<Login>);

impl Credentials for Known {
    fn of(&self, _: &str) -> Result<Option<Login>, String> {
        Ok(self.0.clone())
    }
}

fn settings(login: Option<Login>) -> Settings {
    Settings {
        mirrors: BTreeMap::new(),
        insecure: Vec::new(),
        certs_dirs: Vec::new(),
        credentials: Arc::new(Known(login)),
        proxy: ProxySettings::default(),
        user_agent: "kist/test".into(),
        patience: Patience::usual(),
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn digest(bytes: &[u8]) -> BlobDigest {
    BlobDigest(Digest::sha256(bytes))
}

fn body(bytes: &[u8]) -> Outgoing {
    Full::new(Bytes::copy_from_slice(bytes)).map_err(|never| match never {}).boxed_unsync()
}

async fn begin(client: &Client, name: &Reference) -> Upload {
    match client.begin_upload(name, None).await.unwrap() {
        Begun::Upload(upload) => upload,
        Begun::Mounted => panic!("nothing was to be mounted"),
    }
}

async fn push_blob(client: &Client, name: &Reference, bytes: &[u8]) {
    let mut upload = begin(client, name).await;
    let length = bytes.len() as u64;
    client.upload_chunk(name, &mut upload, 0, Some(length), body(bytes)).await.unwrap();
    client.finish_upload(name, upload, &digest(bytes)).await.unwrap();
}

fn descriptor(bytes: &[u8], media_type: &str) -> Descriptor {
    let (digest, size) = (digest(bytes), bytes.len() as u64);
    Descriptor { media_type: media_type.into(), digest, size, platform: None, annotations: BTreeMap::new() }
}

/// Pushes an image of one layer and reads all of it back.
async fn round_trip(client: &Client, name: &Reference) -> Result<(), ClientError> {
    let (config, layer) = (b"{}".as_slice(), vec![7; 300_000]);
    client.blob_size(name, &digest(config)).await?;
    push_blob(client, name, config).await;
    push_blob(client, name, &layer).await;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[{}]}}"#,
        media::MANIFEST,
        serde_json::to_string(&descriptor(config, media::CONFIG)).unwrap(),
        serde_json::to_string(&descriptor(&layer, media::LAYER)).unwrap(),
    );
    let stored = client.put_manifest(name, media::MANIFEST, manifest.clone().into()).await?;

    let head = client.head(name).await?;
    assert_eq!((head.digest, head.size_bytes), (stored.clone(), manifest.len() as u64));
    let document = client.manifest(&name.with_digest(stored)).await?;
    assert_eq!((document.bytes, document.descriptor.media_type.as_str()), (manifest.into_bytes(), media::MANIFEST));
    assert_eq!(client.document(name, &descriptor(config, media::CONFIG)).await?, config);
    assert_eq!(client.blob_size(name, &digest(&layer)).await?, Some(300_000));
    let mut blob = client.blob(name, &digest(&layer), Span { from: 100_000, to: Some(250_000) }).await?;
    assert_eq!((blob.from, blob.total_bytes), (100_000, Some(300_000)));
    let mut length = 0;
    while let Some(bytes) = blob.chunk().await? {
        length += bytes.len();
    }
    assert_eq!(length, 150_000);
    Ok(())
}

#[test]
fn an_image_goes_there_and_back() {
    let Some(peer) = Peer::start(With::Nothing) else { testkit::skip!("no docker-registry") };
    run(async {
        let client = Client::new(settings(None));
        round_trip(&client, &peer.reference("a/b:1")).await.unwrap();
        let missing = client.manifest(&peer.reference("a/b:2")).await.unwrap_err();
        assert!(
            matches!(&missing, ClientError::NotFound { said, .. } if said == "manifest unknown: manifest unknown"),
            "{missing}"
        );
        let head = client.head(&peer.reference("a/b:2")).await.unwrap_err();
        assert!(matches!(head, ClientError::NotFound { .. }));
    });
}

#[test]
fn an_upload_is_taken_up_again() {
    let Some(peer) = Peer::start(With::Nothing) else { testkit::skip!("no docker-registry") };
    run(async {
        let (client, name) = (Client::new(settings(None)), peer.reference("a"));
        let (first, second) = (vec![1; 70_000], vec![2; 50_000]);
        let mut upload = begin(&client, &name).await;
        assert_eq!(client.upload_offset(&name, &mut upload).await.unwrap(), 0);
        client.upload_chunk(&name, &mut upload, 0, Some(70_000), body(&first)).await.unwrap();
        assert_eq!(client.upload_offset(&name, &mut upload).await.unwrap(), 70_000);
        client.upload_chunk(&name, &mut upload, 70_000, Some(50_000), body(&second)).await.unwrap();
        let whole = digest(&[first, second].concat());
        client.finish_upload(&name, upload, &whole).await.unwrap();
        assert_eq!(client.blob_size(&name, &whole).await.unwrap(), Some(120_000));
        let again = client.begin_upload(&peer.reference("b"), Some((&whole, "a"))).await.unwrap();
        assert!(matches!(again, Begun::Mounted));
        let other = client.begin_upload(&peer.reference("b"), Some((&digest(b"other"), "a"))).await.unwrap();
        assert!(matches!(other, Begun::Upload(_)));
    });
}

#[test]
fn an_upload_that_broke_within_a_chunk_goes_on_or_begins_anew() {
    let Some(peer) = Peer::start(With::Nothing) else { testkit::skip!("no docker-registry") };
    run(async {
        let (client, name, blob) = (Client::new(settings(None)), peer.reference("a"), vec![1; 200_000]);
        let mut upload = begin(&client, &name).await;
        let part = body(&blob[..150_000]);
        let broken = client.upload_chunk(&name, &mut upload, 0, Some(200_000), part).await.unwrap_err();
        assert!(broken.is_transient(), "{broken}");
        // What it keeps depends on when it sees the end; the address it gave before holds the old offset, and it takes no other.
        let offset = match client.upload_offset(&name, &mut upload).await {
            Err(ClientError::NotFound { .. }) => {
                upload = begin(&client, &name).await;
                0
            }
            known => known.unwrap(),
        };
        let rest = &blob[usize::try_from(offset).unwrap()..];
        client.upload_chunk(&name, &mut upload, offset, Some(rest.len() as u64), body(rest)).await.unwrap();
        client.finish_upload(&name, upload, &digest(&blob)).await.unwrap();
    });
}

#[test]
fn a_password_opens_the_door() {
    // Of `htpasswd -nbB me secret`.
    const LINE: &str = "me:$2y$05$jnrHZNajpP8opnxa1T9nWeTlhWvGrDnCtLTb1fmQFwvGhkRmPKhWS\n";
    let Some(peer) = Peer::start(With::Password(LINE)) else { testkit::skip!("no docker-registry") };
    run(async {
        let login = |password: &str| Login::Password { user: "me".into(), password: password.into() };
        let name = peer.reference("a:1");
        round_trip(&Client::new(settings(Some(login("secret")))), &name).await.unwrap();
        for client in [settings(None), settings(Some(login("wrong")))].map(Client::new) {
            assert!(matches!(client.manifest(&name).await, Err(ClientError::Denied { .. })));
        }
        let client = Client::new(settings(None));
        client.log_in(&peer.address, &login("secret")).await.unwrap();
        let wrong = client.log_in(&peer.address, &login("wrong")).await;
        assert!(matches!(wrong, Err(ClientError::Denied { .. })));
    });
}

#[test]
fn a_certificate_is_verified_where_its_authority_is_known() {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    let Some(peer) = Peer::start(With::Tls(cert.clone(), key)) else { testkit::skip!("no docker-registry") };
    run(async {
        let name = peer.reference("a:1");
        round_trip(&Client::new(settings(None)), &name).await.unwrap();
        let trusting = |cert: &str| {
            let certs = Root::new();
            certs.write(&format!("{}/ca.crt", peer.address), cert);
            (Client::new(Settings { certs_dirs: vec![certs.path().into()], ..settings(None) }), certs)
        };
        let (client, _certs) = trusting(&cert);
        round_trip(&client, &name).await.unwrap();
        let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (client, _certs) = trusting(&other.cert.pem());
        let refused = client.manifest(&name).await.unwrap_err();
        assert!(matches!(&refused, ClientError::Untrusted { .. }), "{refused}");
    });
}
