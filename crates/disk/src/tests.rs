//! Facts about durable files, each in a directory of its own.

mod golden;

use std::fs;
use std::io;
use std::path::PathBuf;

use expect_test::expect;
use serde::{Deserialize, Serialize};
use spec::id::ContainerId;

use crate::{DiskError, Durability, Home, Journal, Lock, Record, links, read, replace, write};

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let dir = std::env::temp_dir().join(format!("kist-disk-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Dir(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Record for Note {
    const FILE: &'static str = "note.json";
    const FORMAT: u32 = 2;
}

fn id(n: u8) -> ContainerId {
    ContainerId::from_bytes([n; 32])
}

#[test]
fn a_record_is_read_back_and_its_bytes_are_fixed() {
    let dir = Dir::new("record");
    assert_eq!(read::<Note>(&dir.0).unwrap(), None);
    write(&dir.0, &Note { text: "a".into() }, Durability::Durable).unwrap();
    expect![[r#"{"format":2,"record":{"text":"a"}}"#]].assert_eq(&fs::read_to_string(dir.0.join("note.json")).unwrap());
    assert_eq!(read::<Note>(&dir.0).unwrap(), Some(Note { text: "a".into() }));
    assert_eq!(fs::read_dir(&dir.0).unwrap().count(), 1, "no temporary stays");
}

#[test]
fn damage_and_newer_formats_are_told_apart() {
    let dir = Dir::new("damage");
    let path = dir.0.join("note.json");
    replace(&path, br#"{"format":3,"record":{"other":1}}"#, Durability::Volatile).unwrap();
    assert!(matches!(read::<Note>(&dir.0), Err(DiskError::Newer { found: 3, known: 2, .. })));
    for bad in ["", "{", r#"{"format":2,"record":{}}"#, "null"] {
        replace(&path, bad.as_bytes(), Durability::Volatile).unwrap();
        assert!(matches!(read::<Note>(&dir.0), Err(DiskError::Damaged(..))), "{bad}");
    }
}

#[test]
fn a_name_has_one_holder() {
    let dir = Dir::new("links");
    assert_eq!(links::claim(&dir.0, "web", "a").unwrap(), None);
    assert_eq!(links::claim(&dir.0, "web", "b").unwrap(), Some("a".into()));
    assert_eq!(links::claim(&dir.0, "db", "b").unwrap(), None);
    assert_eq!(links::rename(&dir.0, "web", "db").unwrap(), Some("b".into()));
    assert_eq!(links::rename(&dir.0, "web", "www").unwrap(), None);
    assert_eq!(links::holder(&dir.0, "web").unwrap(), None);
    links::release(&dir.0, "www").unwrap();
    links::release(&dir.0, "www").unwrap();
    assert_eq!(links::all(&dir.0).unwrap().into_iter().collect::<Vec<_>>(), [("db".into(), "b".into())]);
}

#[test]
fn fifty_claimants_and_one_wins() {
    let dir = Dir::new("race");
    let won: usize = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..50)
            .map(|n| {
                scope.spawn({
                    let dir = &dir.0;
                    move || links::claim(dir, "x", &n.to_string()).unwrap().is_none()
                })
            })
            .collect();
        claims.into_iter().map(|claim| usize::from(claim.join().unwrap())).sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn claims_are_given_back_newest_first_and_survive_a_crash() {
    let dir = Dir::new("journal");
    let path = dir.0.join("claims.log");
    let mut journal: Journal<String> = Journal::open(&path).unwrap();
    for claim in ["a", "b", "c"] {
        journal.take(claim.into()).unwrap();
    }
    drop(journal);
    // A crash in the middle of a line: nothing was taken yet.
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str(r#"{"take":"d"#);
    replace(&path, text.as_bytes(), Durability::Volatile).unwrap();

    let mut journal: Journal<String> = Journal::open(&path).unwrap();
    let mut given = Vec::new();
    let refused: io::Result<()> = journal.give_back(|claim| {
        given.push(claim.clone());
        if claim == "b" { Err(io::Error::other("busy")) } else { Ok(()) }
    });
    assert!(refused.is_err());
    assert_eq!(given, ["c", "b", "a"]);
    drop(journal);

    let mut journal: Journal<String> = Journal::open(&path).unwrap();
    assert_eq!(journal.held().collect::<Vec<_>>(), ["b"]);
    journal.give_back(|_| io::Result::Ok(())).unwrap();
    assert_eq!(journal.held().count(), 0);
    expect![[r#"
        {"take":"a"}
        {"take":"b"}
        {"take":"c"}
        {"take":"d
        {"give":2}
        {"give":0}
        {"give":1}
    "#]]
    .assert_eq(&fs::read_to_string(&path).unwrap());
}

#[test]
fn a_lock_ends_with_its_holder() {
    let dir = Dir::new("lock");
    let path = dir.0.join("lock");
    let held = Lock::exclusive(&path).unwrap();
    assert!(Lock::try_exclusive(&path).unwrap().is_none());
    assert!(Lock::try_shared(&path).unwrap().is_none());
    drop(held);
    assert!(Lock::try_exclusive(&path).unwrap().is_some());
}

#[test]
fn a_container_comes_to_be_by_one_rename_and_ends_by_one() {
    let dir = Dir::new("limbo");
    let home = Home::open(&dir.0.join("root"), &dir.0.join("run")).unwrap();
    let making = home.begin(&id(1)).unwrap();
    links::claim(&home.names(), "web", id(1).as_str()).unwrap();
    write(making.dir(), &Note { text: "a".into() }, Durability::Volatile).unwrap();
    assert!(!home.container(&id(1)).exists());
    home.sweep::<io::Error>(|id| panic!("{id} is being made")).unwrap();
    making.commit(Durability::Durable).unwrap();
    assert!(home.container(&id(1)).join("note.json").is_file());

    let ending = home.end(&id(1)).unwrap();
    assert!(links::all(&home.names()).unwrap().is_empty());
    assert!(!home.container(&id(1)).exists());
    home.sweep::<io::Error>(|id| panic!("{id} is being ended")).unwrap();
    ending.clear().unwrap();
    assert_eq!(fs::read_dir(dir.0.join("root/limbo")).unwrap().count(), 0);
    let again = home.end(&id(1));
    assert_eq!(again.unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn what_a_crash_left_in_limbo_is_swept() {
    let dir = Dir::new("sweep");
    let home = Home::open(&dir.0.join("root"), &dir.0.join("run")).unwrap();
    drop(home.begin(&id(2)).unwrap());
    links::claim(&home.names(), "half", id(2).as_str()).unwrap();
    links::claim(&home.names(), "whole", id(3).as_str()).unwrap();
    let mut released = Vec::new();
    home.sweep::<io::Error>(|id| {
        released.push(id.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(released, [id(2)]);
    assert_eq!(links::all(&home.names()).unwrap().into_keys().collect::<Vec<_>>(), ["whole"]);
}

#[test]
fn a_root_of_a_newer_kist_is_refused() {
    let dir = Dir::new("newer");
    replace(&dir.0.join("format.json"), br#"{"format":99,"record":{}}"#, Durability::Volatile).unwrap();
    let refused = Home::open(&dir.0, &dir.0.join("run")).unwrap_err();
    assert!(refused.to_string().contains("has format 99; this kist knows formats up to 1"), "{refused}");
}

#[test]
fn a_record_that_cannot_be_written_says_that_it_was_to_be() {
    let dir = Dir::new("unwritten");
    let refused = write(&dir.0.join("gone"), &Note { text: "x".into() }, Durability::Volatile).unwrap_err();
    assert_eq!(refused.to_string(), format!("writing {}", dir.0.join("gone/note.json").display()));
}
