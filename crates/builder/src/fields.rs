//! Options of the command line that are lines of CSV: `type=local,"dest=a,b"`.

/// The fields of one line, as Go's `csvvalue` reads them.
///
/// # Errors
/// A quote that does not end, or stands inside a field.
pub(crate) fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') { unquote(quoted)? } else { plain(rest)? };
        fields.push(field);
        match after {
            Some(after) => rest = after,
            None => return Ok(fields),
        }
    }
}

fn plain(text: &str) -> Result<(String, Option<&str>), String> {
    let (field, after) = text.split_once(',').map_or((text, None), |(field, after)| (field, Some(after)));
    if field.contains('"') {
        return Err("bare \" in non-quoted field".into());
    }
    Ok((field.to_owned(), after))
}

fn unquote(mut text: &str) -> Result<(String, Option<&str>), String> {
    let mut field = String::new();
    loop {
        let Some((before, after)) = text.split_once('"') else { return Err("a \" does not end".into()) };
        field.push_str(before);
        match after.chars().next() {
            None => return Ok((field, None)),
            Some(',') => return Ok((field, Some(&after[1..]))),
            Some('"') => {
                field.push('"');
                text = &after[1..];
            }
            Some(_) => return Err("extraneous or missing \" in quoted field".into()),
        }
    }
}

/// Go's `strconv.ParseBool`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_keep_commas() {
        let check = |line: &str, are: &[&str]| assert_eq!(fields(line).unwrap(), are);
        check("a=1,b", &["a=1", "b"]);
        check("", &[""]);
        check(r#""a=1,2","b=""x""""#, &["a=1,2", r#"b="x""#]);
        check("a,", &["a", ""]);
        for wrong in [r#"a"b"#, r#""a"#, r#""a"b"#] {
            assert!(fields(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(line in r#"[a=",]{0,20}|.{0,20}"#) {
            let _ = fields(&line);
        }
    }
}
