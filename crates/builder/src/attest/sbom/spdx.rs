//! SPDX 2.3 as JSON.

use std::collections::BTreeSet;

use serde::Serialize;
use spec::digest::Digest;
use spec::time::Time;

use super::package::Package;
use super::{Scan, Subject, license};

const NONE: &str = "NOASSERTION";
const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const IMAGE: &str = "SPDXRef-Image";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    spdx_id: &'static str,
    name: &'a str,
    document_namespace: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    creation_info: Creation,
    packages: Vec<Item>,
    relationships: Vec<Relationship>,
}

#[derive(Serialize)]
struct Creation {
    created: String,
    creators: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    #[serde(rename = "SPDXID")]
    spdx_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supplier: Option<String>,
    download_location: &'static str,
    files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    license_concluded: &'static str,
    license_declared: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_comments: Option<String>,
    copyright_text: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_package_purpose: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum {
    algorithm: &'static str,
    checksum_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship {
    spdx_element_id: &'static str,
    related_spdx_element: String,
    relationship_type: &'static str,
}

/// The document.
pub(super) fn document(subject: &Subject<'_>, scan: &Scan) -> Vec<u8> {
    let id = &subject.image.0;
    let name = subject.name.unwrap_or(id.hex());
    let mut packages = vec![image(subject, name)];
    let mut relationships = vec![relationship(DOCUMENT, "DESCRIBES", IMAGE.to_owned())];
    packages.extend(scan.os.as_ref().map(|os| Item {
        version_info: os.version.clone(),
        primary_package_purpose: Some("OPERATING-SYSTEM"),
        ..Item::new(os.id.clone(), "SPDXRef-OperatingSystem".to_owned())
    }));
    packages.extend(scan.packages.iter().map(|(purl, package, places)| item(purl, package, places)));
    relationships.extend(packages[1..].iter().map(|item| relationship(IMAGE, "CONTAINS", item.spdx_id.clone())));
    let document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        spdx_id: DOCUMENT,
        name,
        // It is unique as the image is, and says the same wherever it is made.
        document_namespace: format!("urn:kist:sbom:{id}"),
        comment: (!scan.skipped.is_empty()).then(|| format!("Not complete: {}.", scan.skipped.join("; "))),
        creation_info: Creation {
            created: whole_seconds(subject.created),
            creators: vec![format!("Tool: kist-{}", env!("CARGO_PKG_VERSION"))],
        },
        packages,
        relationships,
    };
    serde_json::to_vec(&document).expect("texts and numbers in structs and lists are always JSON")
}

impl Item {
    fn new(name: String, spdx_id: String) -> Item {
        Item {
            name,
            spdx_id,
            version_info: None,
            supplier: None,
            download_location: NONE,
            files_analyzed: false,
            checksums: Vec::new(),
            source_info: None,
            license_concluded: NONE,
            license_declared: NONE.to_owned(),
            license_comments: None,
            copyright_text: NONE,
            external_refs: Vec::new(),
            primary_package_purpose: None,
        }
    }
}

fn image(subject: &Subject<'_>, name: &str) -> Item {
    let id = &subject.image.0;
    Item {
        version_info: Some(id.to_string()),
        checksums: vec![Checksum { algorithm: "SHA256", checksum_value: id.hex().to_owned() }],
        primary_package_purpose: Some("CONTAINER"),
        ..Item::new(name.to_owned(), IMAGE.to_owned())
    }
}

fn item(purl: &str, package: &Package, places: &BTreeSet<String>) -> Item {
    let declared = package.license.as_deref().and_then(license::expression);
    let comments = package.license.as_ref().filter(|_| declared.is_none());
    let from = places.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    Item {
        version_info: package.version.clone(),
        // Whether a person or a company, no list says.
        supplier: package.supplier.as_ref().map(|supplier| format!("Organization: {supplier}")),
        source_info: Some(format!("named in {from}")),
        license_declared: declared.unwrap_or_else(|| NONE.to_owned()),
        license_comments: comments.map(|license| format!("declared as: {license}")),
        external_refs: vec![ExternalRef {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: purl.to_owned(),
        }],
        ..Item::new(package.name.clone(), spdx_id(purl, package))
    }
}

/// Letters, digits, dots and hyphens; the URL's digest keeps those apart that differ in other characters only.
fn spdx_id(purl: &str, package: &Package) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = package.name.chars().take(64).map(word).collect();
    format!("SPDXRef-{}-{name}-{}", package.purl.kind, &Digest::sha256(purl.as_bytes()).hex()[..16])
}

fn relationship(from: &'static str, kind: &'static str, to: String) -> Relationship {
    Relationship { spdx_element_id: from, related_spdx_element: to, relationship_type: kind }
}

/// SPDX knows no fractions of seconds.
fn whole_seconds(time: Time) -> String {
    Time::from_ns(time.seconds().saturating_mul(1_000_000_000)).to_string()
}
