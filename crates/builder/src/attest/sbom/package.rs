//! A piece of software in an image.

use std::collections::{BTreeMap, BTreeSet};

use spec::purl::Purl;

/// Names and versions of packages are short; what is longer is no name, or wants to fill the document.
const NAME_BYTES: usize = 512;
/// Places that are listed of one package.
const PLACES: usize = 16;

/// A package, as some file of the image names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    /// What it is, for whoever compares it with lists of weaknesses.
    pub(crate) purl: Purl,
    /// As its own tools call it: `@angular/core`.
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    /// As written.
    pub(crate) license: Option<String>,
    /// Who made it, as written.
    pub(crate) supplier: Option<String>,
}

impl Package {
    /// None: it has no name that could be one.
    pub(crate) fn new(kind: &'static str, namespace: Option<&str>, name: &str, version: &str) -> Option<Package> {
        let is_word = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES && !text.chars().any(char::is_control);
        let (name, version) = (name.trim(), version.trim());
        let namespace = namespace.map(str::trim).filter(|namespace| !namespace.is_empty());
        if !is_word(name) || !(version.is_empty() || is_word(version)) || !namespace.is_none_or(is_word) {
            return None;
        }
        let version = (!version.is_empty()).then(|| version.to_owned());
        let purl = Purl {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            version: version.clone(),
            qualifiers: BTreeMap::new(),
        };
        Some(Package { purl, name: name.to_owned(), version, license: None, supplier: None })
    }

    /// A name of which the last part after a slash is the name of the package.
    pub(crate) fn in_namespace(kind: &'static str, whole: &str, version: &str) -> Option<Package> {
        let (namespace, name) = whole.rsplit_once('/').map_or((None, whole), |(space, name)| (Some(space), name));
        let package = Package::new(kind, namespace, name, version)?;
        Some(Package { name: whole.trim().to_owned(), ..package })
    }

    pub(crate) fn with(mut self, qualifier: &'static str, value: &str) -> Package {
        let value = value.trim();
        if !value.is_empty() && value.len() <= NAME_BYTES {
            self.purl.qualifiers.insert(qualifier, value.to_owned());
        }
        self
    }

    pub(crate) fn licensed(mut self, license: &str) -> Package {
        self.license = short(license);
        self
    }

    pub(crate) fn supplied(mut self, supplier: &str) -> Package {
        self.supplier = short(supplier);
        self
    }
}

fn short(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= NAME_BYTES && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// All packages of an image, each once, by their URLs.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    found: BTreeMap<String, (Package, BTreeSet<String>)>,
}

impl Packages {
    /// Notes that `place`, a file of the image, names a package. Whether there was room for it.
    pub(crate) fn add(&mut self, package: Package, place: &str, most: usize) -> bool {
        let key = package.purl.to_string();
        if self.found.len() >= most && !self.found.contains_key(&key) {
            return false;
        }
        let (known, places) = self.found.entry(key).or_insert_with(|| (package.clone(), BTreeSet::new()));
        known.license = known.license.take().or(package.license);
        known.supplier = known.supplier.take().or(package.supplier);
        if places.len() < PLACES {
            places.insert(place.to_owned());
        }
        true
    }

    /// In the order of their URLs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Package, &BTreeSet<String>)> {
        self.found.iter().map(|(purl, (package, places))| (purl, package, places))
    }
}
