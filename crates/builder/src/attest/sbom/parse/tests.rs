use std::io::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn check(path: &str, text: &str, are: Expect) {
    let os = Os::parse(b"NAME=x\nID=debian\nVERSION_ID=\"12\"\n").unwrap();
    let found = Reader::of(Path::new(path)).unwrap().packages(text, Some(&os));
    let line = |package: &Package| {
        let license = package.license.as_ref().map(|license| format!(" [{license}]")).unwrap_or_default();
        let supplier = package.supplier.as_ref().map(|supplier| format!(" by {supplier}")).unwrap_or_default();
        format!("{}{license}{supplier}\n", package.purl)
    };
    are.assert_eq(&found.iter().map(line).collect::<String>());
}

#[test]
fn debian_names_what_is_installed() {
    let text = "Package: bash\nStatus: install ok installed\nMaintainer: A B <a@b>\nArchitecture: amd64\nVersion: 1:5.2-2+b1\nDescription: x\n  Package: no\n\n\
                Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: libc6\nStatus: install ok installed\nSource: glibc (2.36-9)\n\
                Version: 2.36-9+x\n\nnonsense\n\n\n\nPackage: nameless-version\nStatus: install ok installed\n";
    check(
        "var/lib/dpkg/status",
        text,
        expect![[r#"
        pkg:deb/debian/bash@1:5.2-2%2Bb1?arch=amd64&distro=debian-12 by A B <a@b>
        pkg:deb/debian/libc6@2.36-9%2Bx?distro=debian-12&upstream=glibc%402.36-9
    "#]],
    );
    check(
        "var/lib/dpkg/status.d/tzdata",
        "Package: tzdata\nVersion: 2024a\nArchitecture: all\n",
        expect![[r#"
        pkg:deb/debian/tzdata@2024a?arch=all&distro=debian-12
    "#]],
    );
    assert_eq!(Reader::of(Path::new("var/lib/dpkg/status.d/tzdata.md5sums")), None);
}

#[test]
fn alpine_names_licenses_too() {
    let text = "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nm:Timo <t@a>\n\nP:musl-utils\nV:1.2.4-r2\nA:x86_64\nL:MIT AND BSD-2-Clause\no:musl\nF:sbin\nR:ldconfig\n";
    check(
        "lib/apk/db/installed",
        text,
        expect![[r#"
        pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12 [MIT] by Timo <t@a>
        pkg:apk/debian/musl-utils@1.2.4-r2?arch=x86_64&distro=debian-12&upstream=musl [MIT AND BSD-2-Clause]
    "#]],
    );
}

#[test]
fn npm_names_modules_and_locks() {
    check(
        "srv/node_modules/@a/b/package.json",
        r#"{"name":"@a/b","version":"1.0.0","license":"MIT"}"#,
        expect![[r#"
        pkg:npm/%40a/b@1.0.0 [MIT]
    "#]],
    );
    check(
        "srv/node_modules/old/package.json",
        r#"{"name":"old","version":"1","license":{"type":"ISC","url":"x"}}"#,
        expect![[r#"
            pkg:npm/old@1 [ISC]
        "#]],
    );
    check(
        "srv/node_modules/odd/package.json",
        r#"{"name":"odd","license":["x"]}"#,
        expect![[r#"
        pkg:npm/odd
    "#]],
    );
    for part in ["srv/package.json", "srv/node_modules/a/lib/package.json", "node_modules/package.json"] {
        assert_eq!(Reader::of(Path::new(part)), None, "{part}");
    }
    let three = r#"{"lockfileVersion":3,"packages":{"":{"name":"app","version":"1"},"node_modules/a":{"version":"1.2.3","license":"MIT",
        "dependencies":{"b":"^2"}},"node_modules/a/node_modules/@s/b":{"version":"2.0.0"},"lib/x":{"version":"1"},
        "node_modules/x":{"resolved":"lib/x","link":true},"node_modules/g":{"version":"git+ssh://h/x"}}}"#;
    check(
        "srv/package-lock.json",
        three,
        expect![[r#"
        pkg:npm/a@1.2.3 [MIT]
        pkg:npm/%40s/b@2.0.0
        pkg:npm/g
    "#]],
    );
    let one =
        r#"{"dependencies":{"a":{"version":"1.0.0","requires":{"b":"1"},"dependencies":{"b":{"version":"2.0.0"}}}}}"#;
    check(
        "srv/package-lock.json",
        one,
        expect![[r#"
        pkg:npm/a@1.0.0
        pkg:npm/b@2.0.0
    "#]],
    );
}

#[test]
fn python_names_what_is_installed_and_pinned() {
    let text = "Metadata-Version: 2.1\nName: Flask_Cors\nVersion: 4.0.0\nLicense: MIT\n\nName: not this\n";
    check(
        "usr/lib/python3/dist-packages/Flask_Cors-4.0.0.dist-info/METADATA",
        text,
        expect![[r#"
        pkg:pypi/flask-cors@4.0.0 [MIT]
    "#]],
    );
    let pinned = "# all\nFlask[async]==3.0.0 ; python_version > '3'\nrequests>=2\nsix==1.16.0 --hash=sha256:00\n-r other.txt\nx==1.*\n";
    check(
        "srv/requirements.txt",
        pinned,
        expect![[r#"
        pkg:pypi/flask@3.0.0
        pkg:pypi/six@1.16.0
    "#]],
    );
    let lock = "version = 1\n\n[[package]]\nname = \"app\"\nversion = \"0.1\"\nsource = { editable = \".\" }\n\n[[package]]\nname = \"idna\"\nversion = \"3.6\"\n\
                source = { registry = \"https://pypi.org/simple\" }\n\n[package.metadata]\nname = \"no\"\n";
    check(
        "srv/uv.lock",
        lock,
        expect![[r#"
        pkg:pypi/idna@3.6
    "#]],
    );
}

#[test]
fn cargo_gems_and_composer_name_theirs() {
    let text = "version = 3\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"registry+https://x\"\ndependencies = [\n \"a\",\n]\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n";
    check(
        "srv/Cargo.lock",
        text,
        expect![[r#"
        pkg:cargo/serde@1.0.1
        pkg:cargo/app@0.1.0
    "#]],
    );
    let text = "GIT\n  remote: x\n  specs:\n    own (1.0)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    rack (3.0.8)\n      dep (>= 1)\n    nokogiri (1.16.0-x86_64-linux)\n\nPLATFORMS\n    ruby (1)\n";
    check(
        "srv/Gemfile.lock",
        text,
        expect![[r#"
        pkg:gem/rack@3.0.8
        pkg:gem/nokogiri@1.16.0-x86_64-linux
    "#]],
    );
    let text = r#"{"packages":[{"name":"symfony/console","version":"v6.4.1","license":["MIT"]}],"packages-dev":[{"name":"x/y","version":"1","license":["MIT","ISC"]}]}"#;
    check(
        "srv/composer.lock",
        text,
        expect![[r#"
        pkg:composer/symfony/console@v6.4.1 [MIT]
        pkg:composer/x/y@1 [MIT OR ISC]
    "#]],
    );
}

#[test]
fn go_names_modules() {
    let text = "github.com/a/b v1.2.0 h1:x=\ngithub.com/a/b v1.2.0/go.mod h1:y=\ngolang.org/x/sys v0.1.0+incompatible h1:z=\nbad\n";
    check(
        "srv/go.sum",
        text,
        expect![[r#"
        pkg:golang/github.com/a/b@v1.2.0
        pkg:golang/golang.org/x/sys@v0.1.0%2Bincompatible
    "#]],
    );
}

/// A program with nothing in it but what is looked for.
fn program(modules: &str, with_sections: bool) -> Vec<u8> {
    let info = |bytes: &mut Vec<u8>, text: &[u8]| {
        let mut length = text.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(text);
    };
    let mut data = b"\xff Go buildinf:\x08\x02".to_vec();
    data.resize(32, 0);
    info(&mut data, b"go1.21.5");
    info(&mut data, format!("{}{modules}{}", "0".repeat(16), "1".repeat(16)).as_bytes());
    let (names, place) = (b"\0.shstrtab\0.go.buildinfo\0", 4096u64);
    let mut elf = vec![0; 64];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let put = |bytes: &mut Vec<u8>, at: usize, number: u64, length: usize| {
        bytes[at..at + length].copy_from_slice(&number.to_le_bytes()[..length]);
    };
    // One segment, to be written to; then sections.
    put(&mut elf, 32, 64, 8);
    put(&mut elf, 54, 56, 2);
    put(&mut elf, 56, 1, 2);
    elf.resize(64 + 56, 0);
    put(&mut elf, 64, 1, 4);
    put(&mut elf, 68, 6, 4);
    put(&mut elf, 72, place, 8);
    if with_sections {
        put(&mut elf, 40, 256, 8);
        put(&mut elf, 58, 64, 2);
        put(&mut elf, 60, 2, 2);
        elf.resize(256 + 128, 0);
        put(&mut elf, 256 + 24, 512, 8);
        put(&mut elf, 256 + 64, 11, 4);
        put(&mut elf, 256 + 64 + 24, place, 8);
        elf.resize(512, 0);
        elf.extend_from_slice(names);
    }
    elf.resize(4096, 0);
    elf.extend(data);
    elf
}

fn programs(bytes: &[u8]) -> Vec<String> {
    let mut file = std::fs::File::from(rustix::fs::memfd_create("program", rustix::fs::MemfdFlags::CLOEXEC).unwrap());
    file.write_all(bytes).unwrap();
    let found = go::program(&file, bytes.len() as u64).unwrap();
    found.iter().map(|package| package.purl.to_string()).collect()
}

#[test]
fn programs_of_go_name_their_modules() {
    let modules = "path\tx/cmd\nmod\texample.com/x\t(devel)\t\ndep\tgithub.com/a/b\tv1.0.0\th1:x=\ndep\told/c\tv1.0.0\n=>\tnew/c\tv2.0.0\th1:y=\nbuild\t-x=1\n";
    let are = [
        "pkg:golang/stdlib@1.21.5",
        "pkg:golang/example.com/x",
        "pkg:golang/github.com/a/b@v1.0.0",
        "pkg:golang/new/c@v2.0.0",
    ];
    assert_eq!(programs(&program(modules, true)), are);
    assert_eq!(programs(&program(modules, false)), are);
    assert!(programs(b"\x7fELF").is_empty());
    assert!(programs(b"#!/bin/sh\n").is_empty());
}

const READERS: [(&str, Reader); 11] = [
    ("var/lib/dpkg/status", Reader::Dpkg),
    ("lib/apk/db/installed", Reader::Apk),
    ("node_modules/a/package.json", Reader::NodePackage),
    ("package-lock.json", Reader::NodeLock),
    ("a.dist-info/METADATA", Reader::PythonMetadata),
    ("requirements.txt", Reader::PythonRequirements),
    ("poetry.lock", Reader::PythonLock),
    ("Cargo.lock", Reader::CargoLock),
    ("go.sum", Reader::GoSum),
    ("Gemfile.lock", Reader::GemLock),
    ("composer.lock", Reader::ComposerLock),
];

#[test]
fn lists_are_known_by_their_names() {
    for (path, reader) in READERS {
        assert_eq!(Reader::of(Path::new(path)), Some(reader));
    }
}

proptest! {
    #[test]
    fn any_text_names_packages_or_none(
        text in r#"(Package: |P:|Version: |V:|Name: |\n|\n\n|a|1\.0|==|\[\[package\]\]|name = |"|GEM\n|    a \(|\)|v1| |ü|\{|\}|:|,){0,40}|.{0,60}"#
    ) {
        for (_, reader) in READERS {
            for package in reader.packages(&text, None) {
                prop_assert!(!package.name.is_empty());
            }
        }
    }

    #[test]
    fn deep_json_names_nothing(depth in 0usize..3000) {
        let text = r#"{"dependencies":{"a":"#.repeat(depth);
        let _ = Reader::NodeLock.packages(&text, None);
    }

    #[test]
    fn any_damage_to_a_program_is_survived(at in 0usize..4500, byte: u8, cut in 0usize..4600) {
        let mut bytes = program("dep\ta/b\tv1\n", true);
        let length = bytes.len();
        bytes[at % length] = byte;
        bytes.truncate(cut);
        let _ = programs(&bytes);
    }
}
