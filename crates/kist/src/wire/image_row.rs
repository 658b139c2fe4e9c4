//! Rows of `images` and `history` (docker/cli `formatter/image.go`, `image/formatter_history.go`).

use jiff::Timestamp;
use serde_json::Value;

use super::container_row::{Reader, Width, float};
use super::go::local_time;
use super::phase::since_then;
use crate::template::{Column, Row};
use crate::units::{ellipsis, human_size, human_size_with, short_id};

/// `docker images`.
pub(crate) const TABLE: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t\
    {{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}";

/// `docker images --digests`.
pub(crate) const TABLE_WITH_DIGESTS: &str = "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t\
    {{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}";

/// `docker images --format raw`.
pub(crate) const RAW: &str = "repository: {{ .Repository }}\ntag: {{.Tag}}\nimage_id: {{.ID}}\n\
    created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n";

/// `docker images --digests --format raw`.
pub(crate) const RAW_WITH_DIGESTS: &str = "repository: {{ .Repository }}\ntag: {{.Tag}}\ndigest: {{.Digest}}\n\
    image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n";

/// The header of `images`.
pub(crate) const COLUMNS: &[Column] = &[
    ("Containers", "CONTAINERS"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedSince", "CREATED"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("Repository", "REPOSITORY"),
    ("SharedSize", "SHARED SIZE"),
    ("Size", "SIZE"),
    ("Tag", "TAG"),
    ("UniqueSize", "UNIQUE SIZE"),
];

const NAMES: &[&str] = &[
    "Containers",
    "CreatedAt",
    "CreatedSince",
    "Digest",
    "ID",
    "Repository",
    "SharedSize",
    "Size",
    "Tag",
    "UniqueSize",
];

/// `docker history`.
pub(crate) const HISTORY_TABLE: &str = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

/// `docker history --human=false`.
pub(crate) const HISTORY_TABLE_EXACT: &str = "table {{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

/// The header of `history`.
pub(crate) const HISTORY_COLUMNS: &[Column] = &[
    ("Comment", "COMMENT"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("CreatedSince", "CREATED"),
    ("ID", "IMAGE"),
    ("Size", "SIZE"),
];

const HISTORY_NAMES: &[&str] = &["Comment", "CreatedAt", "CreatedBy", "CreatedSince", "ID", "Size"];

/// One name of one image.
#[derive(Debug, Clone)]
pub(crate) struct ImageRow<'a> {
    /// Who reads.
    pub(crate) reader: &'a Reader,
    /// `sha256:…`.
    pub(crate) id: String,
    /// Familiar, or `<none>`.
    pub(crate) repository: String,
    /// Or `<none>`.
    pub(crate) tag: String,
    /// Or `<none>`.
    pub(crate) digest: String,
    /// When it was built.
    pub(crate) created: Timestamp,
    /// Bytes.
    pub(crate) size: u64,
    /// Bytes shared with other images, when they were counted.
    pub(crate) shared_size: Option<u64>,
    /// Containers made from it, when they were counted.
    pub(crate) containers: Option<u64>,
}

impl Row for ImageRow<'_> {
    fn type_name(&self) -> &'static str {
        "*formatter.imageContext"
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn field(&self, name: &str) -> Option<Value> {
        let unknown = || "N/A".to_owned();
        Some(Value::from(match name {
            "Containers" => self.containers.map_or_else(unknown, |count| count.to_string()),
            "CreatedAt" => local_time(self.created, &self.reader.zone),
            "CreatedSince" => since_then(self.created, self.reader.now) + " ago",
            "Digest" => self.digest.clone(),
            "ID" if self.reader.width == Width::Short => short_id(&self.id).to_owned(),
            "ID" => self.id.clone(),
            "Repository" => self.repository.clone(),
            "SharedSize" => self.shared_size.map_or_else(unknown, |size| human_size(float(size))),
            "Size" => human_size_with(float(self.size), 3),
            "Tag" => self.tag.clone(),
            "UniqueSize" => {
                self.shared_size.map_or_else(unknown, |shared| human_size(float(self.size.saturating_sub(shared))))
            }
            _ => return None,
        }))
    }
}

/// How `history` writes times and sizes (`--human`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// In words and units.
    Human,
    /// Dates and bytes.
    Exact,
}

/// One step of an image's history.
#[derive(Debug, Clone)]
pub(crate) struct HistoryRow<'a> {
    /// Who reads.
    pub(crate) reader: &'a Reader,
    /// How.
    pub(crate) numbers: Numbers,
    /// `sha256:…`, or `<missing>`.
    pub(crate) id: String,
    /// When; without a date the year 1970.
    pub(crate) created: Timestamp,
    /// The instruction.
    pub(crate) created_by: String,
    /// Bytes.
    pub(crate) size: u64,
    /// A comment.
    pub(crate) comment: String,
}

/// The year 2000: builds that pin their dates do so before it, and Docker then tells no age.
const NO_DATE_UNTIL: i64 = 946_684_800;

impl HistoryRow<'_> {
    fn created_at(&self) -> String {
        let local = self.created.to_zoned_datetime(self.reader.zone.clone());
        let zone = if local.offset().seconds() == 0 { "Z".to_owned() } else { local.strftime("%:z").to_string() };
        format!("{}{zone}", local.strftime("%Y-%m-%dT%H:%M:%S"))
    }

    fn created_since(&self) -> String {
        if self.numbers == Numbers::Exact {
            self.created_at()
        } else if self.created.as_second() <= NO_DATE_UNTIL {
            "N/A".to_owned()
        } else {
            since_then(self.created, self.reader.now) + " ago"
        }
    }
}

impl Row for HistoryRow<'_> {
    fn type_name(&self) -> &'static str {
        "*image.historyContext"
    }

    fn names(&self) -> &'static [&'static str] {
        HISTORY_NAMES
    }

    fn field(&self, name: &str) -> Option<Value> {
        let short = self.reader.width == Width::Short;
        Some(Value::from(match name {
            "Comment" => self.comment.clone(),
            "CreatedAt" => self.created_at(),
            "CreatedBy" => {
                let line = self.created_by.replace('\t', " ");
                if short { ellipsis(&line, 45) } else { line }
            }
            "CreatedSince" => self.created_since(),
            "ID" if short => short_id(&self.id).to_owned(),
            "ID" => self.id.clone(),
            "Size" if self.numbers == Numbers::Exact => self.size.to_string(),
            "Size" => human_size_with(float(self.size), 3),
            _ => return None,
        }))
    }
}
