//! `--annotation`: free words on the documents of an image that is sent or saved (buildx `ParseAnnotations`, BuildKit `exptypes`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::platform::{Platform, PlatformError};

/// Which document it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The image's manifest.
    Manifest,
    /// What points to that, in an index.
    ManifestDescriptor,
    /// The index of several images, or of an image and what is said about it.
    Index,
    /// What points to that, in a layout's `index.json`.
    IndexDescriptor,
}

/// All that was asked for; of two with the same key the last counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations(Vec<Annotation>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Annotation {
    place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    key: String,
    value: String,
}

/// The text is no annotation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnnotationError {
    /// There is no `=`.
    #[error("invalid annotation {0:?}, expected key=value")]
    NoValue(String),
    /// What is before the colon.
    #[error("invalid annotation type {0:?}, expected type and optional platform in square brackets")]
    NoPlace(String),
    /// No document is called that.
    #[error("unknown annotation type {0:?}")]
    UnknownPlace(String),
    /// In the brackets.
    #[error("invalid platform {0:?}")]
    Platform(String, #[source] PlatformError),
}

impl Annotations {
    /// Takes `[type[platform],…:]key=value`, as `--annotation` has it.
    ///
    /// # Errors
    /// [`AnnotationError`].
    pub fn add(&mut self, text: &str) -> Result<(), AnnotationError> {
        let (key, value) = text.split_once('=').ok_or_else(|| AnnotationError::NoValue(text.to_owned()))?;
        let (places, key) = key.split_once(':').map_or((None, key), |(places, key)| (Some(places), key));
        let places = match places {
            None => vec![(Place::Manifest, None)],
            Some(places) => places.split(',').map(place).collect::<Result<_, _>>()?,
        };
        for (place, platform) in places {
            self.0.push(Annotation { place, platform, key: key.to_owned(), value: value.to_owned() });
        }
        Ok(())
    }

    /// Takes an attribute of an output: `annotation[-type][[platform]].key`. Whether it is one.
    ///
    /// # Errors
    /// [`AnnotationError`].
    pub fn add_attribute(&mut self, name: &str, value: &str) -> Result<bool, AnnotationError> {
        let Some(rest) = name.strip_prefix("annotation") else { return Ok(false) };
        let Some((place_text, key)) = rest.split_once('.') else { return Ok(false) };
        let (place, platform) = match place_text.strip_prefix('-') {
            Some(text) => place(text)?,
            None if place_text.is_empty() || place_text.starts_with('[') => place(&format!("manifest{place_text}"))?,
            None => return Ok(false),
        };
        self.0.push(Annotation { place, platform, key: key.to_owned(), value: value.to_owned() });
        Ok(true)
    }

    /// These and those; those count for more.
    #[must_use]
    pub fn and(&self, others: &Annotations) -> Annotations {
        Annotations(self.0.iter().chain(&others.0).cloned().collect())
    }

    /// Whether none was asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether some are for an index.
    #[must_use]
    pub fn want_index(&self) -> bool {
        self.0.iter().any(|annotation| matches!(annotation.place, Place::Index | Place::IndexDescriptor))
    }

    /// Whether some are for anything but manifests.
    #[must_use]
    pub fn beside_manifests(&self) -> bool {
        self.0.iter().any(|annotation| annotation.place != Place::Manifest)
    }

    /// Those of a document. Manifests are of a platform, and one that is named for it counts for more than one for all; an index is of all.
    #[must_use]
    pub fn on(&self, place: Place, platform: &Platform) -> BTreeMap<String, String> {
        let of_index = matches!(place, Place::Index | Place::IndexDescriptor);
        let here = |annotation: &&Annotation| annotation.place == place;
        let pair = |annotation: &Annotation| (annotation.key.clone(), annotation.value.clone());
        let for_all = self.0.iter().filter(here).filter(|annotation| of_index || annotation.platform.is_none());
        let named = self.0.iter().filter(here).filter(|annotation| annotation.platform.as_ref() == Some(platform));
        for_all.chain(named).map(pair).collect()
    }
}

/// `type[platform]`.
fn place(text: &str) -> Result<(Place, Option<Platform>), AnnotationError> {
    let wrong = || AnnotationError::NoPlace(text.to_owned());
    let (name, platform) = match text.split_once('[') {
        None => (text, None),
        Some((name, rest)) => (name, Some(rest.strip_suffix(']').filter(|rest| !rest.is_empty()).ok_or_else(wrong)?)),
    };
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
        return Err(wrong());
    }
    let place = match name {
        "manifest" => Place::Manifest,
        "manifest-descriptor" => Place::ManifestDescriptor,
        "index" => Place::Index,
        "index-descriptor" => Place::IndexDescriptor,
        other => return Err(AnnotationError::UnknownPlace(other.to_owned())),
    };
    let parsed = |text: &str| text.parse().map_err(|e| AnnotationError::Platform(text.to_owned(), e));
    Ok((place, platform.map(parsed).transpose()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(texts: &[&str]) -> Annotations {
        let mut annotations = Annotations::default();
        texts.iter().for_each(|text| annotations.add(text).unwrap());
        annotations
    }

    #[test]
    fn they_are_on_the_documents_they_name() {
        let (here, there) = ("linux/amd64".parse().unwrap(), "linux/arm64".parse().unwrap());
        let asked =
            all(&["a=1", "manifest[linux/arm64],index:a=2=3", "index-descriptor:b=", "manifest-descriptor:c=4"]);
        let on = |place, platform: &Platform| format!("{:?}", asked.on(place, platform));
        assert_eq!(on(Place::Manifest, &here), r#"{"a": "1"}"#);
        assert_eq!(on(Place::Manifest, &there), r#"{"a": "2=3"}"#);
        assert_eq!(on(Place::ManifestDescriptor, &there), r#"{"c": "4"}"#);
        assert_eq!(on(Place::Index, &here), r#"{"a": "2=3"}"#);
        assert_eq!(on(Place::IndexDescriptor, &here), r#"{"b": ""}"#);
        assert!(asked.want_index() && !all(&["a=1"]).want_index());
    }

    #[test]
    fn outputs_have_them_as_attributes() {
        let mut asked = Annotations::default();
        assert_eq!(asked.add_attribute("annotation.org.x", "1"), Ok(true));
        assert_eq!(asked.add_attribute("annotation-index[linux/amd64].y", "2"), Ok(true));
        assert_eq!(asked.add_attribute("annotation[linux/arm64].z", "3"), Ok(true));
        assert_eq!(asked.add_attribute("name", "x"), Ok(false));
        assert_eq!(asked, all(&["org.x=1", "index[linux/amd64]:y=2", "manifest[linux/arm64]:z=3"]));
    }

    #[test]
    fn what_is_none_is_told_in_buildxs_words() {
        let refused = |text: &str| Annotations::default().add(text).unwrap_err().to_string();
        assert_eq!(refused("a"), r#"invalid annotation "a", expected key=value"#);
        assert_eq!(refused("x:a=1"), r#"unknown annotation type "x""#);
        assert_eq!(
            refused("index[]:a=1"),
            r#"invalid annotation type "index[]", expected type and optional platform in square brackets"#
        );
        assert_eq!(refused("manifest[a/b/c/d]:a=1"), r#"invalid platform "a/b/c/d""#);
    }

    proptest! {
        #[test]
        fn any_text_is_one_or_refused(text in "[a-z:=,./\\[\\]-]{0,40}") {
            let mut asked = Annotations::default();
            let _ = asked.add(&text);
            let _ = asked.add_attribute(&text, "x");
        }
    }
}
