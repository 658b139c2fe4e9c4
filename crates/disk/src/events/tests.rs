//! Facts about the log of events.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use expect_test::expect;
use spec::event::{Event, ImageAct, Kind};
use spec::time::Time;

use super::*;

struct Root(PathBuf);

impl Root {
    fn new(name: &str) -> Root {
        let root = std::env::temp_dir().join(format!("kist-events-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        Root(root)
    }

    fn home(&self) -> Home {
        Home::open(&self.0.join("root"), &self.0.join("run")).unwrap()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn event(n: u64) -> Event {
    Event::image(Time::from_ns(i64::try_from(n).unwrap()), &n.to_string(), "x", &BTreeMap::new(), ImageAct::Tag)
}

/// A process of its own, as far as the file can tell.
fn write_all(root: &Path, events: impl Iterator<Item = Event>, full: u64) {
    let open = || OpenOptions::new().read(true).append(true).create(true).open(root.join(FILE)).unwrap();
    let mut file = open();
    for event in events {
        let line = [serde_json::to_vec(&event).unwrap(), b"\n".to_vec()].concat();
        while !append(root, &file, &line, full).unwrap() {
            file = open();
        }
    }
}

fn ids(reader: &mut Reader) -> Vec<u64> {
    std::iter::from_fn(|| reader.next().unwrap()).map(|event| event.actor.id.parse().unwrap()).collect()
}

#[test]
fn the_bytes_are_these() {
    let root = Root::new("golden");
    let home = root.home();
    record(&home, &event(1)).unwrap();
    record(&home, &Event::pruned(Time::from_ns(2), Kind::Container, 3)).unwrap();
    expect![[r#"
        {"format":1,"file":1}
        {"Type":"image","Action":"tag","Actor":{"ID":"1","Attributes":{"name":"x"}},"timeNano":1}
        {"Type":"container","Action":"prune","Actor":{"ID":"","Attributes":{"reclaimed":"3"}},"timeNano":2}
    "#]]
    .assert_eq(&fs::read_to_string(home.root().join(FILE)).unwrap());
}

#[test]
fn a_reader_gets_what_was_and_what_comes() {
    let root = Root::new("reader");
    let home = root.home();
    let mut early = Reader::all(&home).unwrap();
    assert!(ids(&mut early).is_empty());
    record(&home, &event(1)).unwrap();
    let mut late = Reader::new_ones(&home).unwrap();
    record(&home, &event(2)).unwrap();
    assert_eq!((ids(&mut early), ids(&mut late)), (vec![1, 2], vec![2]));
    assert_eq!(ids(&mut Reader::all(&home).unwrap()), [1, 2]);
}

#[test]
fn what_a_crash_cut_short_costs_no_other_line() {
    let root = Root::new("torn");
    let home = root.home();
    record(&home, &event(1)).unwrap();
    let mut reader = Reader::all(&home).unwrap();
    OpenOptions::new().append(true).open(home.root().join(FILE)).unwrap().write_all(b"{\"Type\":\"ima").unwrap();
    assert_eq!(ids(&mut reader), [1]);
    record(&home, &event(2)).unwrap();
    let newer = b"{\"Type\":\"hologram\",\"Action\":\"x\"}\n";
    OpenOptions::new().append(true).open(home.root().join(FILE)).unwrap().write_all(newer).unwrap();
    record(&home, &event(3)).unwrap();
    assert_eq!(ids(&mut reader), [2, 3]);
    // The first line of a file, too.
    fs::write(home.root().join(FILE), "\0\0\0").unwrap();
    record(&home, &event(4)).unwrap();
    assert_eq!(ids(&mut Reader::all(&home).unwrap()), [4]);
}

#[test]
fn who_removes_the_file_loses_what_was_in_it_and_no_more() {
    let root = Root::new("removed");
    let home = root.home();
    record(&home, &event(1)).unwrap();
    let mut reader = Reader::all(&home).unwrap();
    assert_eq!(ids(&mut reader), [1]);
    fs::remove_file(home.root().join(FILE)).unwrap();
    record(&home, &event(2)).unwrap();
    assert_eq!(ids(&mut reader), [2]);
}

#[test]
fn nothing_is_missed_and_nothing_read_twice_while_files_turn_over() {
    const WRITERS: u64 = 4;
    const EACH: u64 = 500;
    const TINY: u64 = 2_000;
    // Two files are kept, and each has room for nineteen events: who falls behind by more has lost.
    const AHEAD: usize = 15;
    let root = Root::new("storm");
    let (written, seen) = (AtomicUsize::new(0), [const { AtomicUsize::new(0) }; 2]);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (root, written, seen) = (&root.0, &written, &seen);
            scope.spawn(move || {
                for n in 0..EACH {
                    let slowest = || seen.iter().map(|seen| seen.load(Ordering::SeqCst)).min().unwrap();
                    while written.load(Ordering::SeqCst) > slowest() + AHEAD - usize::try_from(WRITERS).unwrap() {
                        std::thread::yield_now();
                    }
                    written.fetch_add(1, Ordering::SeqCst);
                    write_all(root, std::iter::once(event(writer * EACH + n)), TINY);
                }
            });
        }
        for mine in &seen {
            let root = &root.0;
            scope.spawn(move || {
                let mut reader = Reader::at(root, TINY).unwrap();
                let mut all = Vec::new();
                while all.len() < usize::try_from(WRITERS * EACH).unwrap() {
                    all.extend(ids(&mut reader));
                    mine.store(all.len(), Ordering::SeqCst);
                    std::thread::yield_now();
                }
                for writer in 0..WRITERS {
                    let of = all.iter().copied().filter(|n| n / EACH == writer).collect::<Vec<_>>();
                    assert_eq!(of, (writer * EACH..(writer + 1) * EACH).collect::<Vec<_>>(), "in order, each once");
                }
            });
        }
    });
    assert!(fs::metadata(root.0.join(OLD)).unwrap().len() >= TINY);
    let number = number(&File::open(root.0.join(FILE)).unwrap()).unwrap();
    assert!(number > 50, "{number} files");
}

#[test]
fn a_watch_wakes_for_an_event_and_not_before() {
    let root = Root::new("watch");
    let home = root.home();
    let watch = Watch::new(&home).unwrap();
    let began = std::time::Instant::now();
    watch.wait(Some(Duration::from_millis(60))).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(60));
    record(&home, &event(1)).unwrap();
    watch.wait(None).unwrap();
    assert!(fs::symlink_metadata(home.root().join(FILE)).is_ok());
}
