//! Whom we trust, and how to say why not. Nothing is read from disk before the first TLS connection.
//!
//! A host's own authorities and our certificate for it lie in `certs.d/<host:port>`, as Docker has them. The certificate of a loopback
//! host is verified only if there is an authority for it, since nobody else can listen there.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use hyper::http::uri::Authority;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::error::ClientError;
use super::origin::{bare, is_insecure, is_loopback, locked, network};

/// Whether a host must prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// By a certificate of an authority that is known.
    Proven,
    /// It need not, and plain HTTP will do.
    Blind,
}

/// The TLS settings of each host, made when it is first connected to.
pub(super) struct Tls {
    certs_dirs: Vec<PathBuf>,
    insecure: Vec<String>,
    roots: OnceLock<RootCertStore>,
    configs: Mutex<BTreeMap<String, Arc<ClientConfig>>>,
}

impl Tls {
    pub(super) fn new(certs_dirs: Vec<PathBuf>, insecure: Vec<String>) -> Tls {
        Tls { certs_dirs, insecure, roots: OnceLock::new(), configs: Mutex::default() }
    }

    /// Whether this host must prove who it is. Its name is looked up only where networks are listed as insecure.
    pub(super) async fn trust(&self, authority: &Authority) -> Trust {
        let host = bare(authority.host());
        let mut addresses: Vec<IpAddr> = host.parse().into_iter().collect();
        if addresses.is_empty() && self.insecure.iter().any(|entry| network(entry).is_some()) {
            // A name that cannot be looked up is in no network; connecting says what is wrong with it.
            let found = tokio::net::lookup_host((host, 0)).await;
            addresses = found.into_iter().flatten().map(|address| address.ip()).collect();
        }
        let listed = self.insecure.iter().any(|entry| is_insecure(entry, authority, &addresses));
        let own = || self.dir(authority).is_some_and(|dir| !with_extension(&dir, "crt").is_empty());
        if listed || is_loopback(host) && !own() { Trust::Blind } else { Trust::Proven }
    }

    /// The TLS settings of this host.
    pub(super) fn config(&self, authority: &Authority, trust: Trust) -> Result<Arc<ClientConfig>, ClientError> {
        if let Some(config) = locked(&self.configs).get(authority.as_str()) {
            return Ok(config.clone());
        }
        let config = Arc::new(self.make(authority, trust)?);
        locked(&self.configs).insert(authority.to_string(), config.clone());
        Ok(config)
    }

    fn make(&self, authority: &Authority, trust: Trust) -> Result<ClientConfig, ClientError> {
        let dir = self.dir(authority);
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match trust {
            Trust::Blind => Arc::new(Anyone(provider.clone())),
            Trust::Proven => self.verifier(dir.as_deref(), &provider)?,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| ClientError::Settings(format!("TLS: {e}")))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match dir.as_deref().map(identity).transpose()?.flatten() {
            None => Ok(config.with_no_client_auth()),
            Some((certs, key, path)) => config
                .with_client_auth_cert(certs, key)
                .map_err(|e| ClientError::Settings(format!("{} is no usable certificate: {e}", path.display()))),
        }
    }

    fn verifier(
        &self,
        dir: Option<&Path>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, ClientError> {
        let mut roots = self.roots.get_or_init(system_roots).clone();
        let mut own = Vec::new();
        for path in dir.map(|dir| with_extension(dir, "crt")).unwrap_or_default() {
            own.extend(certificates(&path)?);
        }
        roots.add_parsable_certificates(own.iter().cloned());
        if roots.is_empty() {
            return Err(ClientError::Settings(
                "this machine has no certificates of authorities (ca-certificates)".into(),
            ));
        }
        let known = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let known = known.map_err(|e| ClientError::Settings(format!("TLS: {e}")))?;
        Ok(Arc::new(Known { authorities: known, own }))
    }

    fn dir(&self, authority: &Authority) -> Option<PathBuf> {
        let dirs = self.certs_dirs.iter().map(|dir| dir.join(authority.as_str()));
        dirs.into_iter().find(|dir| dir.is_dir())
    }

    /// What to do about an error of TLS, if that is what is in this chain and it has to do with trust.
    pub(super) fn advice(&self, error: &(dyn std::error::Error + 'static), authority: &Authority) -> Option<String> {
        let dir = self.dir(authority).or_else(|| Some(self.certs_dirs.first()?.join(authority.as_str())));
        let dir = dir.unwrap_or_else(|| Path::new("certs.d").join(authority.as_str()));
        advice(find(error)?, &dir.display().to_string())
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // Files that cannot be read count as absent; what is missing shows as an unknown issuer.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn with_extension(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = dir.read_dir().into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    paths
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let wrong = |e: &dyn std::fmt::Display| ClientError::Settings(format!("{}: {e}", path.display()));
    let text = std::fs::read(path).map_err(|e| wrong(&e))?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().map_err(|e| wrong(&e))?;
    if found.is_empty() { Err(wrong(&"holds no certificate in PEM")) } else { Ok(found) }
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, PathBuf);

/// Our certificate for a host: the first `x.cert` with its `x.key`.
fn identity(dir: &Path) -> Result<Option<Identity>, ClientError> {
    let Some(cert) = with_extension(dir, "cert").into_iter().next() else { return Ok(None) };
    let path = cert.with_extension("key");
    let key = PrivateKeyDer::from_pem_file(&path);
    let key = key.map_err(|e| {
        ClientError::Settings(format!("{}: the key of {} cannot be read: {e}", path.display(), cert.display()))
    })?;
    Ok(Some((certificates(&cert)?, key, cert)))
}

/// Accepts what an authority signed, and a certificate that itself lies in `certs.d`: `openssl req -x509`, which Docker's manual tells
/// people to use, marks a server's own certificate as an authority's, and webpki takes no such certificate for a server's.
#[derive(Debug)]
struct Known {
    authorities: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            // webpki looks at the dates before it looks at the mark, so here they are right.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_))) if self.own.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.authorities.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.authorities.supported_verify_schemes()
    }
}

/// Accepts any certificate whose key the other side has.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The error of rustls in a chain of sources. An `io::Error` does not show the error within as its source, but that one's source.
fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let within = |error: &'a (dyn std::error::Error + 'static)| {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.and_then(|inner| inner.downcast_ref()).or_else(|| error.downcast_ref())
    };
    std::iter::successors(Some(error), |error| error.source()).find_map(within)
}

fn advice(error: &rustls::Error, dir: &str) -> Option<String> {
    use CertificateError as Why;
    if let rustls::Error::AlertReceived(alert) = error {
        let about_us = [
            AlertDescription::CertificateRequired,
            AlertDescription::BadCertificate,
            AlertDescription::CertificateUnknown,
            AlertDescription::CertificateExpired,
            AlertDescription::UnknownCA,
        ];
        return about_us.contains(alert).then(|| {
            format!("it does not accept our certificate or the want of one; put one and its key into {dir}/client.cert and client.key")
        });
    }
    let rustls::Error::InvalidCertificate(why) = error else { return None };
    Some(if matches!(why, Why::UnknownIssuer | Why::BadSignature) {
        // A signature is bad when an authority was made anew under its old name.
        format!(
            "an authority that is not known here signed its certificate; put that authority's certificate into {dir}/ca.crt"
        )
    } else if matches!(why, Why::NotValidForName | Why::NotValidForNameContext { .. }) {
        "its certificate is for another name (the names that count are the subjectAltName's)".into()
    } else if matches!(why, Why::Expired | Why::ExpiredContext { .. }) {
        "its certificate has expired, or the clock of this machine is wrong".into()
    } else if matches!(why, Why::NotValidYet | Why::NotValidYetContext { .. }) {
        "its certificate is not valid yet, or the clock of this machine is wrong".into()
    } else {
        // Above all `openssl req -x509`: marked as an authority's, see `Known`.
        format!("its certificate is not acceptable; if it is one that it made for itself, put it into {dir}/ca.crt")
    })
}
