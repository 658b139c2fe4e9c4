//! How an image leaves, as the attributes of `--output` have it (BuildKit `containerimage.ImageCommitOpts`).

use std::collections::BTreeMap;

use builder::Built;
use engine::build::output::rewritten;
use spec::form::{Form, Packed, Packing, Types};

use super::outputs::wrong;
use crate::report::Report;
use crate::verb::is_true;

/// The form that was asked for. What depends on the build is added when that is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) form: Form,
    rewritten: Rewritten,
}

/// Whether layers say of their times that they are the build's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rewritten {
    Said,
    #[default]
    Unsaid,
}

impl Shape {
    /// Of an output's attributes.
    pub(super) fn parse(attributes: &BTreeMap<String, String>) -> Result<Shape, Report> {
        let of = |key: &str| attributes.get(key).map(String::as_str);
        let switch = |key: &str, bare: Option<bool>| match (of(key), bare) {
            (None, _) => Ok(None),
            (Some(""), Some(bare)) => Ok(Some(bare)),
            (Some(text), _) => match is_true(text) {
                Some(is_on) => Ok(Some(is_on)),
                None => Err(wrong(format!("non-bool value {text} specified for {key}"))),
            },
        };
        let mut shape = Shape::default();
        let form = &mut shape.form;
        for (key, value) in attributes {
            form.annotations.add_attribute(key, value).map_err(wrong)?;
        }
        form.packing = Packing::parse(of("compression"), of("compression-level")).map_err(wrong)?;
        if switch("force-compression", Some(true))? == Some(true) {
            form.packed = Packed::All;
        }
        if switch("oci-mediatypes", None)? == Some(false) {
            form.types = Types::Docker;
        }
        let is_rewritten = switch("rewrite-timestamp", None)? == Some(true);
        match of("source-date-epoch") {
            // Files have the build's time; another one is no output's to give.
            Some(epoch) if !epoch.is_empty() => {
                let why = format!("the time is the build's: say --build-arg SOURCE_DATE_EPOCH={epoch}");
                return Err(wrong(format!("source-date-epoch={epoch} of an output is not there in kist: {why}")));
            }
            None if is_rewritten => shape.rewritten = Rewritten::Said,
            Some(_) | None => {}
        }
        Ok(shape)
    }

    /// The form of what was built.
    pub(super) fn of(&self, built: &Built) -> Form {
        match self.rewritten {
            Rewritten::Unsaid => self.form.clone(),
            Rewritten::Said => Form { rewritten: rewritten(built), ..self.form.clone() },
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn attributes_are_buildkits() {
        let check = |text: &str, is: Expect| {
            let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
            let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            is.assert_eq(&Shape::parse(&pairs).map_or_else(|report| report.text, |shape| format!("{shape:?}")));
        };
        check(
            "name=x compression=zstd compression-level=9 force-compression= rewrite-timestamp=true",
            expect![
                "Shape { form: Form { annotations: Annotations([]), types: Oci, packing: Some(Zstd(9)), packed: All, rewritten: {} }, rewritten: Said }"
            ],
        );
        check(
            "oci-mediatypes=false annotation.a=b source-date-epoch= rewrite-timestamp=1",
            expect![[
                r#"Shape { form: Form { annotations: Annotations([Annotation { place: Manifest, platform: None, key: "a", value: "b" }]), types: Docker, packing: None, packed: Missing, rewritten: {} }, rewritten: Unsaid }"#
            ]],
        );
        check("rewrite-timestamp=", expect!["ERROR: non-bool value  specified for rewrite-timestamp"]);
        check(
            "source-date-epoch=7",
            expect![
                "ERROR: source-date-epoch=7 of an output is not there in kist: the time is the build's: say --build-arg SOURCE_DATE_EPOCH=7"
            ],
        );
        check(
            "compression=estargz",
            expect!["ERROR: compression=estargz is not there in kist: there are uncompressed, gzip and zstd"],
        );
    }
}
