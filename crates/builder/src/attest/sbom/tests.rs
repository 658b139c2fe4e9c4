#![allow(clippy::too_many_lines, reason = "a whole document stands in a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect;
use testkit::Root;

use super::*;
use spec::digest::Digest;

fn look(root: &Root, dir: &str) -> serde_json::Value {
    let dir = fs::File::open(root.join(dir)).unwrap();
    let image = ImageId(Digest::sha256(b"x"));
    let subject = Subject { image: &image, name: Some("app:1"), created: Time::from_ns(1_700_000_000_123_000_000) };
    let one = sbom(std::os::fd::AsFd::as_fd(&dir), &subject).unwrap();
    assert_eq!(one.body, sbom(std::os::fd::AsFd::as_fd(&dir), &subject).unwrap().body);
    serde_json::from_slice(&one.body).unwrap()
}

fn purls(document: &serde_json::Value) -> Vec<String> {
    let packages = document["packages"].as_array().unwrap();
    packages.iter().filter_map(|p| p["externalRefs"][0]["referenceLocator"].as_str()).map(str::to_owned).collect()
}

fn write(root: &Root, path: &str, text: &str) {
    root.write(path, text);
}

#[test]
fn a_document_says_what_is_in_an_image() {
    let root = Root::new();
    write(&root, "i/etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n");
    write(&root, "i/lib/apk/db/installed", "P:musl\nV:1.2\nA:x86_64\nL:MIT\n\nP:odd\nV:1\nL:My license\nm:Me\n");
    write(&root, "i/srv/Gemfile.lock", "GEM\n  specs:\n    rack (3.0)\n");
    write(&root, "i/opt/Gemfile.lock", "GEM\n  specs:\n    rack (3.0)\n");
    expect![[r#"
        {
          "SPDXID": "SPDXRef-DOCUMENT",
          "creationInfo": {
            "created": "2023-11-14T22:13:20Z",
            "creators": [
              "Tool: kist-0.1.0"
            ]
          },
          "dataLicense": "CC0-1.0",
          "documentNamespace": "urn:kist:sbom:sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
          "name": "app:1",
          "packages": [
            {
              "SPDXID": "SPDXRef-Image",
              "checksums": [
                {
                  "algorithm": "SHA256",
                  "checksumValue": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
                }
              ],
              "copyrightText": "NOASSERTION",
              "downloadLocation": "NOASSERTION",
              "filesAnalyzed": false,
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "name": "app:1",
              "primaryPackagePurpose": "CONTAINER",
              "versionInfo": "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
            },
            {
              "SPDXID": "SPDXRef-OperatingSystem",
              "copyrightText": "NOASSERTION",
              "downloadLocation": "NOASSERTION",
              "filesAnalyzed": false,
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "name": "alpine",
              "primaryPackagePurpose": "OPERATING-SYSTEM",
              "versionInfo": "3.20.1"
            },
            {
              "SPDXID": "SPDXRef-apk-musl-c9fb75d5a7835c95",
              "copyrightText": "NOASSERTION",
              "downloadLocation": "NOASSERTION",
              "externalRefs": [
                {
                  "referenceCategory": "PACKAGE-MANAGER",
                  "referenceLocator": "pkg:apk/alpine/musl@1.2?arch=x86_64&distro=alpine-3.20.1",
                  "referenceType": "purl"
                }
              ],
              "filesAnalyzed": false,
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "MIT",
              "name": "musl",
              "sourceInfo": "named in /lib/apk/db/installed",
              "versionInfo": "1.2"
            },
            {
              "SPDXID": "SPDXRef-apk-odd-fe88e5afe7e007ca",
              "copyrightText": "NOASSERTION",
              "downloadLocation": "NOASSERTION",
              "externalRefs": [
                {
                  "referenceCategory": "PACKAGE-MANAGER",
                  "referenceLocator": "pkg:apk/alpine/odd@1?distro=alpine-3.20.1",
                  "referenceType": "purl"
                }
              ],
              "filesAnalyzed": false,
              "licenseComments": "declared as: My license",
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "name": "odd",
              "sourceInfo": "named in /lib/apk/db/installed",
              "supplier": "Organization: Me",
              "versionInfo": "1"
            },
            {
              "SPDXID": "SPDXRef-gem-rack-1342b715ae03e765",
              "copyrightText": "NOASSERTION",
              "downloadLocation": "NOASSERTION",
              "externalRefs": [
                {
                  "referenceCategory": "PACKAGE-MANAGER",
                  "referenceLocator": "pkg:gem/rack@3.0",
                  "referenceType": "purl"
                }
              ],
              "filesAnalyzed": false,
              "licenseConcluded": "NOASSERTION",
              "licenseDeclared": "NOASSERTION",
              "name": "rack",
              "sourceInfo": "named in /opt/Gemfile.lock, /srv/Gemfile.lock",
              "versionInfo": "3.0"
            }
          ],
          "relationships": [
            {
              "relatedSpdxElement": "SPDXRef-Image",
              "relationshipType": "DESCRIBES",
              "spdxElementId": "SPDXRef-DOCUMENT"
            },
            {
              "relatedSpdxElement": "SPDXRef-OperatingSystem",
              "relationshipType": "CONTAINS",
              "spdxElementId": "SPDXRef-Image"
            },
            {
              "relatedSpdxElement": "SPDXRef-apk-musl-c9fb75d5a7835c95",
              "relationshipType": "CONTAINS",
              "spdxElementId": "SPDXRef-Image"
            },
            {
              "relatedSpdxElement": "SPDXRef-apk-odd-fe88e5afe7e007ca",
              "relationshipType": "CONTAINS",
              "spdxElementId": "SPDXRef-Image"
            },
            {
              "relatedSpdxElement": "SPDXRef-gem-rack-1342b715ae03e765",
              "relationshipType": "CONTAINS",
              "spdxElementId": "SPDXRef-Image"
            }
          ],
          "spdxVersion": "SPDX-2.3"
        }
    "#]]
    .assert_eq(&format!("{:#}\n", look(&root, "i")));
}

#[test]
fn an_empty_image_has_a_document_too() {
    let root = Root::new();
    fs::create_dir(root.join("i")).unwrap();
    let document = look(&root, "i");
    assert_eq!(document["packages"].as_array().unwrap().len(), 1);
    assert_eq!(document["comment"], serde_json::Value::Null);
}

#[test]
fn links_lead_nowhere_outside() {
    let root = Root::new();
    write(&root, "outside/status", "Package: secret\nVersion: 1\n");
    write(&root, "outside/Gemfile.lock", "GEM\n  specs:\n    secret (1)\n");
    fs::create_dir_all(root.join("i/var/lib/dpkg")).unwrap();
    fs::create_dir_all(root.join("i/srv")).unwrap();
    std::os::unix::fs::symlink("../../../../outside/status", root.join("i/var/lib/dpkg/status")).unwrap();
    std::os::unix::fs::symlink(root.join("outside"), root.join("i/srv/up")).unwrap();
    std::os::unix::fs::symlink("../../outside/Gemfile.lock", root.join("i/srv/Gemfile.lock")).unwrap();
    std::os::unix::fs::symlink("/proc/self/root", root.join("i/srv/magic")).unwrap();
    std::os::unix::fs::symlink(".", root.join("i/srv/loop")).unwrap();
    assert!(purls(&look(&root, "i")).is_empty());
    // Inside they are followed, as dpkg would.
    write(&root, "i/real", "Package: bash\nVersion: 1\n");
    fs::remove_file(root.join("i/var/lib/dpkg/status")).unwrap();
    std::os::unix::fs::symlink("/real", root.join("i/var/lib/dpkg/status")).unwrap();
    assert_eq!(purls(&look(&root, "i")), ["pkg:deb/debian/bash@1"]);
}

#[test]
fn what_is_no_file_is_not_opened() {
    let root = Root::new();
    fs::create_dir_all(root.join("i/lib/apk/db")).unwrap();
    for pipe in ["i/Cargo.lock", "i/lib/apk/db/installed"] {
        let mode = rustix::fs::Mode::from_raw_mode(0o755);
        rustix::fs::mknodat(rustix::fs::CWD, root.join(pipe), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }
    fs::create_dir(root.join("i/Gemfile.lock")).unwrap();
    assert!(purls(&look(&root, "i")).is_empty());
}

#[test]
fn what_is_too_long_is_told() {
    let root = Root::new();
    fs::create_dir_all(root.join("i/srv")).unwrap();
    let long = fs::File::create(root.join("i/srv/go.sum")).unwrap();
    long.set_len(65 << 20).unwrap();
    assert_eq!(look(&root, "i")["comment"], "Not complete: /srv/go.sum is too long.");
}

/// The list of this machine, whatever it has.
#[test]
fn this_debian_is_read() {
    let root = Root::new();
    let text = fs::read_to_string("/var/lib/dpkg/status").unwrap();
    write(&root, "i/var/lib/dpkg/status", &text);
    let found = purls(&look(&root, "i"));
    assert!(found.len() > 50 && found.iter().any(|purl| purl.starts_with("pkg:deb/debian/dpkg@")), "{found:?}");
}

#[test]
fn programs_are_looked_into() {
    let root = Root::new();
    write(&root, "i/bin/app", "#!/bin/sh\n");
    root.write("i/bin/big", vec![0u8; 100_000]);
    fs::set_permissions(root.join("i/bin/big"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(purls(&look(&root, "i")).is_empty());
}
