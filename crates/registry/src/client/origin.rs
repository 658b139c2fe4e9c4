//! Where a registry is: its mirrors, its host, and what that host speaks.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};

use super::error::ClientError;
use super::settings::Settings;

/// Docker Hub's API does not answer under the name its references have.
const DOCKER_HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// One place to ask: a mirror or the registry itself.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// What it is called in errors and where its login is kept.
    pub name: String,
    pub authority: Authority,
    /// Written in a mirror's URL; otherwise found out.
    pub scheme: Option<Scheme>,
    /// Before `/v2/`; empty or `/path`.
    pub prefix: String,
    /// A mirror of any registry learns from `?ns=` which one is meant (containerd's convention).
    pub namespace: Option<String>,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Asked once, and passed over for the next when it fails in any way.
    Mirror,
    /// Asked with patience; its errors are the ones that are told.
    Registry,
}

impl Endpoint {
    /// The registry itself.
    pub(super) fn registry(name: &str) -> Result<Endpoint, ClientError> {
        let host = if name == DOCKER_HUB.0 { DOCKER_HUB.1 } else { name };
        let authority =
            host.parse().map_err(|_| ClientError::Settings(format!("{name:?} is no registry's address")))?;
        Ok(Endpoint {
            name: name.into(),
            authority,
            scheme: None,
            prefix: String::new(),
            namespace: None,
            role: Role::Registry,
        })
    }

    fn mirror(url: &str, namespace: Option<&str>) -> Result<Endpoint, ClientError> {
        // What stands before an `@` may be a password.
        let shown = url.rsplit('@').next().unwrap_or_default();
        let wrong =
            || ClientError::Settings(format!("the mirror {shown:?} is no http or https URL without query and user"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme().filter(|scheme| **scheme == Scheme::HTTP || **scheme == Scheme::HTTPS);
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else { return Err(wrong()) };
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        Ok(Endpoint {
            name: authority.to_string(),
            authority: authority.clone(),
            scheme: Some(scheme.clone()),
            prefix: uri.path().trim_end_matches('/').into(),
            namespace: namespace.map(Into::into),
            role: Role::Mirror,
        })
    }

    /// The address of something below `/v2/`.
    pub(super) fn uri(&self, scheme: &Scheme, path: &str, query: &[(&str, &str)]) -> Result<Uri, ClientError> {
        let mut text = format!("{scheme}://{}{}/v2/{path}", self.authority, self.prefix);
        let namespace = self.namespace.iter().map(|registry| ("ns", registry.as_str()));
        append_query(&mut text, query.iter().copied().chain(namespace));
        text.parse().map_err(|_| ClientError::broken(&self.name, format!("{text:?} cannot be asked for")))
    }
}

/// Where to read from before the registry itself: its own mirrors, then those of any.
pub(super) fn mirrors(settings: &Settings, registry: &str) -> Result<Vec<Endpoint>, ClientError> {
    let of = |key: &str| settings.mirrors.get(key).into_iter().flatten();
    let own = of(registry).map(|url| Endpoint::mirror(url, None));
    let any = of("*").map(|url| Endpoint::mirror(url, Some(registry)));
    own.chain(any).collect()
}

/// Adds `?a=b&c=d`, or `&…` when there is a query already.
pub(super) fn append_query<'a>(uri: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut separator = if uri.contains('?') { '&' } else { '?' };
    for (key, value) in pairs {
        uri.push(separator);
        uri.push_str(key);
        uri.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                uri.push(char::from(byte));
            } else {
                uri.push_str(&format!("%{byte:02X}"));
            }
        }
        separator = '&';
    }
}

/// The address a `Location` or a token realm names, seen from `base` (RFC 3986, section 5.2; no registry sends dot segments).
pub(super) fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.split('#').next()?;
    let origin = format!("{}://{}", base.scheme()?, base.authority()?);
    let has_scheme = location.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(['/', '?']));
    let absolute = if has_scheme {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{}:{location}", base.scheme()?)
    } else if location.starts_with('/') {
        format!("{origin}{location}")
    } else if location.starts_with('?') {
        format!("{origin}{}{location}", base.path())
    } else {
        let (parent, _) = base.path().rsplit_once('/')?;
        format!("{origin}{parent}/{location}")
    };
    let uri: Uri = absolute.parse().ok()?;
    let scheme = uri.scheme()?;
    let known = (*scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) && !uri.authority()?.as_str().contains('@');
    known.then_some(uri)
}

/// Whether a secret for one is safe with the other.
pub(super) fn same_origin(a: &Uri, b: &Uri) -> bool {
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    a.scheme() == b.scheme() && host(a) == host(b) && port(a) == port(b)
}

/// The port spoken to.
pub(super) fn port(uri: &Uri) -> u16 {
    uri.port_u16().unwrap_or(if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 })
}

/// A name or address without the brackets of IPv6.
pub(super) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether this is our own machine, where nobody listens in.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = bare(host);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Whether an entry of `insecure` (`host`, `host:port` or a network) means this authority, which has these addresses.
pub(super) fn is_insecure(entry: &str, authority: &Authority, addresses: &[IpAddr]) -> bool {
    match network(entry) {
        Some(network) => addresses.iter().any(|address| contains(network, *address)),
        None => entry.eq_ignore_ascii_case(authority.as_str()) || entry.eq_ignore_ascii_case(authority.host()),
    }
}

/// `10.0.0.0/8` as address and length of the prefix.
pub(super) fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length = length.parse().ok()?;
    (length <= bits(address).1).then_some((address, length))
}

fn contains((net, length): (IpAddr, u32), address: IpAddr) -> bool {
    let ((net, width), (address, of)) = (bits(net), bits(address.to_canonical()));
    width == of && (length == 0 || (net ^ address) >> (width - length) == 0)
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// What was learnt about hosts; kept for the client's life, which is one command.
#[derive(Default)]
pub(super) struct Known {
    schemes: Mutex<BTreeMap<String, Scheme>>,
    bad: Mutex<Vec<Authority>>,
}

impl Known {
    pub(super) fn scheme(&self, authority: &Authority) -> Option<Scheme> {
        locked(&self.schemes).get(authority.as_str()).cloned()
    }

    pub(super) fn speaks(&self, authority: &Authority, scheme: &Scheme) {
        locked(&self.schemes).insert(authority.to_string(), scheme.clone());
    }

    /// A mirror that failed is not asked again.
    pub(super) fn avoid(&self, endpoint: &Endpoint) {
        if endpoint.role == Role::Mirror {
            locked(&self.bad).push(endpoint.authority.clone());
        }
    }

    pub(super) fn avoids(&self, endpoint: &Endpoint) -> bool {
        locked(&self.bad).contains(&endpoint.authority)
    }
}

/// What these locks guard is whole at any moment, so that one who panicked leaves nothing half done.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_seen_from_where_it_was_said() {
        let check = |location: &str, absolute: &str| {
            let base = "https://r.test:5000/v2/a/blobs/uploads/1?x=1".parse().unwrap();
            assert_eq!(resolve(&base, location).map(|uri| uri.to_string()).unwrap_or_default(), absolute);
        };
        check("/v2/a?_state=b%2Fc", "https://r.test:5000/v2/a?_state=b%2Fc");
        check("http://other.test/x", "http://other.test/x");
        check("//other.test/x", "https://other.test/x");
        check("2?y=2#part", "https://r.test:5000/v2/a/blobs/uploads/2?y=2");
        check("?y=2", "https://r.test:5000/v2/a/blobs/uploads/1?y=2");
        check("file:///etc/passwd", "");
        check("https://user:password@r.test/", "");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let check = |a: &str, b: &str| same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(check("https://A.test/x", "https://a.test:443/y"));
        assert!(!check("https://a.test/", "http://a.test/"));
        assert!(!check("https://a.test/", "https://a.test:5000/"));
        assert!(!check("https://a.test/", "https://b.test/"));
    }

    #[test]
    fn insecure_is_a_host_a_port_of_it_or_a_network() {
        let check = |entry: &str, authority: &str, address: &str| {
            let addresses: Vec<IpAddr> = address.parse().into_iter().collect();
            is_insecure(entry, &authority.parse().unwrap(), &addresses)
        };
        assert!(check("r.test", "r.test:5000", ""));
        assert!(check("r.test:5000", "R.test:5000", ""));
        assert!(!check("r.test:5000", "r.test:5001", ""));
        assert!(check("10.0.0.0/8", "r.test", "10.1.2.3"));
        assert!(!check("10.0.0.0/8", "r.test", "11.1.2.3"));
        assert!(check("::/0", "r.test", "2001:db8::1"));
        assert!(!check("0.0.0.0/33", "r.test", "1.1.1.1"));
    }

    #[test]
    fn a_query_is_escaped() {
        let mut uri = "http://r/x?a=b".to_owned();
        append_query(&mut uri, [("scope", "repository:a/b:pull,push"), ("c", "d e")].into_iter());
        assert_eq!(uri, "http://r/x?a=b&scope=repository%3Aa/b%3Apull%2Cpush&c=d%20e");
    }
}
