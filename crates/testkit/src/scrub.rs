//! Output without what differs from run to run.

use std::path::Path;

/// Replaces identifiers (64 or 12 hexadecimal digits, at least one of them decimal) by `<id64>` and `<id>`, instants by `<time>`,
/// spans (`3 seconds ago`, `Up About a minute`) by `<ago>`, the private root by `<root>`; makes every run of three or more blanks
/// three, because columns are as wide as what was replaced, and ends lines without blanks.
pub fn scrub(text: &str, root: &Path) -> String {
    let text = text.replace(&*root.to_string_lossy(), "<root>");
    let ends_in_newline = text.ends_with('\n');
    let mut scrubbed: Vec<String> = text.lines().map(|line| blanks(&spans(&words(line)))).collect();
    if ends_in_newline {
        scrubbed.push(String::new());
    }
    scrubbed.join("\n")
}

/// Scrubs word by word; what is between words stays.
fn words(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while !rest.is_empty() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.' | '+' | '_');
        let end = rest.find(|c| is_word(c) != rest.starts_with(is_word)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(&if is_instant(word) { "<time>".to_owned() } else { identifiers(word) });
        rest = after;
    }
    out
}

/// `2026-01-02T03:04:05.000Z`, with any offset.
fn is_instant(word: &str) -> bool {
    let shape: String = word.chars().take(19).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00"
}

fn identifiers(word: &str) -> String {
    let part = |part: &str| {
        let hex = part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match part.len() {
            64 if hex => "<id64>".to_owned(),
            12 if hex && part.bytes().any(|b| b.is_ascii_digit()) => "<id>".to_owned(),
            _ => part.to_owned(),
        }
    };
    word.split_inclusive(['-', ':', '.', '+', '_'])
        .map(|piece| {
            let bare = piece.trim_end_matches(['-', ':', '.', '+', '_']);
            part(bare) + &piece[bare.len()..]
        })
        .collect()
}

/// Docker's words for spans of time, up to days: a test that takes weeks is another problem.
fn spans(line: &str) -> String {
    const FIXED: [&str; 3] = ["Less than a second", "About a minute", "About an hour"];
    let mut line = line.to_owned();
    for fixed in FIXED {
        line = line.replace(&format!("{fixed} ago"), "<ago>").replace(fixed, "<ago>");
    }
    for unit in ["seconds", "second", "minutes", "minute", "hours", "hour", "days"] {
        for suffix in [" ago", ""] {
            line = counted(&line, &format!(" {unit}{suffix}"));
        }
    }
    line
}

/// Replaces `<number><unit>`.
fn counted(line: &str, unit: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(unit) {
        let (before, after) = (&rest[..at], &rest[at + unit.len()..]);
        let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || after.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            out.push_str(&rest[..at + unit.len()]);
        } else {
            out.push_str(&before[..before.len() - digits]);
            out.push_str("<ago>");
        }
        rest = after;
    }
    out + rest
}

fn blanks(line: &str) -> String {
    let mut out = String::new();
    let mut run = 0;
    for c in line.trim_end().chars() {
        run = if c == ' ' { run + 1 } else { 0 };
        if run <= 3 {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::scrub;
    use expect_test::{Expect, expect};
    use std::path::Path;

    fn check(text: &str, want: Expect) {
        want.assert_eq(&scrub(text, Path::new("/var/tmp/kist-test-1-0")));
    }

    #[test]
    fn a_table_of_containers() {
        check(
            "CONTAINER ID   IMAGE     CREATED                  STATUS                  NAMES\n\
             0123456789ab   busybox   Less than a second ago   Up Less than a second   web\n\
             ffeeffeeffee   busybox   12 minutes ago           Exited (0) 1 second ago   decade\n",
            expect![[r#"
                CONTAINER ID   IMAGE   CREATED   STATUS   NAMES
                <id>   busybox   <ago>   Up <ago>   web
                ffeeffeeffee   busybox   <ago>   Exited (0) <ago>   decade
            "#]],
        );
    }

    #[test]
    fn digests_instants_and_paths() {
        let digest = "0123456789abcdef".repeat(4);
        check(
            &format!("sha256:{digest} at 2026-01-02T03:04:05.123456789Z in /var/tmp/kist-test-1-0/x, {digest}.json"),
            expect!["sha256:<id64> at <time> in <root>/x, <id64>.json"],
        );
    }

    #[test]
    fn what_only_looks_alike_stays() {
        check("30 secondsX 5 seconds-a 123456789 seconds ago", expect!["30 secondsX <ago>-a <ago>"]);
    }
}
