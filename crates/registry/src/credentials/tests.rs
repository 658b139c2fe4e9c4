//! The file on disk, and who is asked first.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::PoisonError;

use testkit::Root;

use super::*;

fn alice() -> Login {
    Login::Password { user: "alice".to_owned(), password: "s".to_owned() }
}

fn open(root: &Root) -> ConfigFile {
    let path = root.path().display().to_string();
    ConfigFile::open(&root.join("docker"), Surroundings { path, auth_config: None })
}

#[test]
fn a_login_is_kept_for_its_owner_alone_and_forgotten() {
    let root = Root::new();
    let config = open(&root);
    assert_eq!(config.login_of("ghcr.io").unwrap(), None);
    let file = root.join("docker/config.json");
    assert_eq!(config.store("ghcr.io", &alice()).unwrap(), Kept::Plainly(file.clone()));
    assert_eq!(config.store("https://ghcr.io/v2/", &alice()).unwrap(), Kept::Unchanged);
    assert_eq!(config.login_of("ghcr.io").unwrap(), Some(alice()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&root.join("docker"))), (0o600, 0o700));
    config.erase("ghcr.io").unwrap();
    config.erase("ghcr.io").unwrap();
    assert_eq!(config.login_of("ghcr.io").unwrap(), None);
}

#[test]
fn a_link_stays_a_link() {
    let root = Root::new();
    fs::create_dir(root.join("docker")).unwrap();
    symlink("../mine.json", root.join("docker/config.json")).unwrap();
    for _ in 0..2 {
        open(&root).store("ghcr.io", &alice()).unwrap();
        open(&root).store("quay.io", &alice()).unwrap();
        assert_eq!(fs::read_link(root.join("docker/config.json")).unwrap(), Path::new("../mine.json"));
        assert!(fs::read_to_string(root.join("mine.json")).unwrap().contains("quay.io"));
    }
}

#[test]
fn a_helper_keeps_what_the_file_only_notes() {
    let _alone = keychain::tests::PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Root::new();
    let kept = root.join("kept");
    let script =
        format!("#!/bin/sh\ncase $1 in store) cat > {0};; get) cat {0};; erase) rm {0};; esac\n", kept.display());
    let helper = root.write("docker-credential-x", script);
    fs::set_permissions(helper, Permissions::from_mode(0o700)).unwrap();
    root.write("docker/config.json", r#"{"credsStore":"x"}"#);
    let config = open(&root);
    assert_eq!(config.store("docker.io", &alice()).unwrap(), Kept::ByKeychain);
    let text = || fs::read_to_string(root.join("docker/config.json")).unwrap();
    assert!(text().contains("\t\t\"https://index.docker.io/v1/\": {}"));
    assert_eq!(config.login_of("docker.io").unwrap(), Some(alice()));
    config.erase("docker.io").unwrap();
    assert!(text().contains("\"auths\": {}") && !fs::exists(&kept).unwrap());
}

#[test]
fn the_variable_is_asked_first() {
    let root = Root::new();
    open(&root).store("ghcr.io", &alice()).unwrap();
    let with = |text: &str| {
        let around = Surroundings { path: String::new(), auth_config: Some(text.to_owned()) };
        let of = |registry| ConfigFile::open(&root.join("docker"), around.clone()).of(registry);
        (of("ghcr.io"), of("quay.io"))
    };
    let bob = Login::Password { user: "bob".to_owned(), password: "s".to_owned() };
    assert_eq!(with(r#"{"auths":{"quay.io":{"auth":"Ym9iOnM="}}}"#), (Ok(Some(alice())), Ok(Some(bob))));
    assert_eq!(with("{").1, Err("DOCKER_AUTH_CONFIG: invalid JSON in line 1, column 1".to_owned()));
}

#[test]
fn a_damaged_file_is_not_overwritten() {
    let root = Root::new();
    let file = root.write("docker/config.json", "{\"auths\": ");
    let refused = open(&root).store("ghcr.io", &alice()).unwrap_err().to_string();
    assert_eq!(refused, format!("{}: invalid JSON in line 1, column 10", file.display()));
    assert_eq!(fs::read_to_string(file).unwrap(), "{\"auths\": ");
}
