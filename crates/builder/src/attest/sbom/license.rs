//! Which texts are license expressions of SPDX. A reader of SPDX refuses a document with an identifier it does not know, so only those are
//! passed on that are on its list; these are the ones that packages use.

const KNOWN: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-2.0",
    "BlueOak-1.0.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSD-4-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "curl",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "FTL",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "Libpng",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PostgreSQL",
    "PSF-2.0",
    "Python-2.0",
    "Ruby",
    "SSPL-1.0",
    "TCL",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "UPL-1.0",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "Zlib",
    "zlib-acknowledgement",
    "ZPL-2.1",
];

const EXCEPTIONS: &[&str] =
    &["Classpath-exception-2.0", "GCC-exception-3.1", "LLVM-exception", "OpenSSL-exception", "Autoconf-exception-3.0"];

/// The expression, if it is one: `MIT AND (GPL-2.0-only OR ISC)`. An old slash between two (`MIT/Apache-2.0`) means OR.
pub(super) fn expression(text: &str) -> Option<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (mut depth, mut wants_license) = (0usize, true);
    let mut after_with = false;
    for word in &words {
        match (*word, wants_license) {
            ("(", true) => depth += 1,
            (")", false) => depth = depth.checked_sub(1)?,
            ("AND" | "OR", false) => wants_license = true,
            ("WITH", false) => (wants_license, after_with) = (true, true),
            (exception, true) if after_with && EXCEPTIONS.contains(&exception) => {
                (wants_license, after_with) = (false, false);
            }
            (license, true) if !after_with && KNOWN.contains(&license) => wants_license = false,
            _ => return None,
        }
    }
    (depth == 0 && !wants_license).then(|| words.join(" ").replace("( ", "(").replace(" )", ")"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expressions_are_told_from_other_texts() {
        let check = |text: &str, is: Option<&str>| assert_eq!(expression(text).as_deref(), is, "{text}");
        check("MIT", Some("MIT"));
        check("MIT/Apache-2.0", Some("MIT OR Apache-2.0"));
        check("(MIT AND Zlib) OR ISC", Some("(MIT AND Zlib) OR ISC"));
        check("GPL-2.0-or-later WITH Classpath-exception-2.0", Some("GPL-2.0-or-later WITH Classpath-exception-2.0"));
        for text in ["", "MIT License", "MIT OR", "(MIT", "MIT)", "AND", "GPL", "MIT WITH ISC", "MIT ISC"] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_taken_again(text in r"(MIT|ISC|AND|OR|WITH| |\(|\)|/){0,12}") {
            if let Some(taken) = expression(&text) {
                prop_assert_eq!(expression(&taken), Some(taken.clone()));
            }
        }
    }
}
