//! A row of `stats` (docker/cli `formatter_stats.go`).

use engine::container::stats::Reading;
use serde_json::Value;

use super::container_row::{Width, float};
use crate::template::{Column, Row};
use crate::units::{bytes_size, human_size_with, short_id};

/// `docker stats`.
pub(crate) const TABLE: &str =
    "table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}";

/// The header.
pub(crate) const COLUMNS: &[Column] = &[
    ("BlockIO", "BLOCK I/O"),
    ("CPUPerc", "CPU %"),
    ("Container", "CONTAINER"),
    ("ID", "CONTAINER ID"),
    ("MemPerc", "MEM %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("Name", "NAME"),
    ("NetIO", "NET I/O"),
    ("PIDs", "PIDS"),
];

const NAMES: &[&str] = &["BlockIO", "CPUPerc", "Container", "ID", "MemPerc", "MemUsage", "Name", "NetIO", "PIDs"];

/// What is known of a container's use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Use {
    /// Nothing, as the container is gone or could not be read.
    Unknown,
    /// It does not run.
    Nothing,
    /// This, and so much of a processor.
    Some { reading: Reading, cpu_percent: f64 },
}

/// One container.
#[derive(Debug, Clone)]
pub(crate) struct StatsRow {
    /// As the user named it; else its ID.
    pub(crate) container: String,
    /// Whole; empty where it is not known.
    pub(crate) id: String,
    /// Empty where it is not known.
    pub(crate) name: String,
    /// What it uses.
    pub(crate) used: Use,
    /// Whether the ID is cut.
    pub(crate) width: Width,
}

const NONE: &str = "--";

impl StatsRow {
    /// A column that is `--` where nothing is known.
    fn known(&self, show: impl Fn(&Reading, f64) -> String) -> String {
        match &self.used {
            Use::Unknown => NONE.to_owned(),
            Use::Nothing => show(&Reading::default(), 0.0),
            Use::Some { reading, cpu_percent } => show(reading, *cpu_percent),
        }
    }
}

impl Row for StatsRow {
    fn type_name(&self) -> &'static str {
        "*container.statsContext"
    }

    fn names(&self) -> &'static [&'static str] {
        NAMES
    }

    fn field(&self, name: &str) -> Option<Value> {
        let pair = |one, other| format!("{} / {}", human_size_with(float(one), 3), human_size_with(float(other), 3));
        Some(Value::from(match name {
            "BlockIO" => self.known(|reading, _| pair(reading.read_bytes, reading.written_bytes)),
            "CPUPerc" => self.known(|_, cpu| format!("{cpu:.2}%")),
            "Container" => self.container.clone(),
            "ID" if self.width == Width::Short => short_id(&self.id).to_owned(),
            "ID" => self.id.clone(),
            "MemPerc" => self.known(|reading, _| {
                let share = float(reading.memory_bytes) / float(reading.limit_bytes.max(1));
                format!("{:.2}%", if reading.limit_bytes == 0 { 0.0 } else { share * 100.0 })
            }),
            "MemUsage" if self.used == Use::Unknown => format!("{NONE} / {NONE}"),
            "MemUsage" => self.known(|reading, _| {
                let sizes = [reading.memory_bytes, reading.limit_bytes].map(|bytes| bytes_size(float(bytes)));
                sizes.join(" / ")
            }),
            "Name" if self.name.is_empty() => NONE.to_owned(),
            "Name" => self.name.clone(),
            "NetIO" => self.known(|reading, _| pair(reading.received_bytes, reading.sent_bytes)),
            "PIDs" => self.known(|reading, _| reading.pids.to_string()),
            _ => return None,
        }))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::template::Listing;

    #[test]
    fn rows_are_dockers() {
        let reading = Reading {
            memory_bytes: 12_345_678,
            limit_bytes: 8 << 30,
            received_bytes: 1_234_567,
            sent_bytes: 999,
            read_bytes: 0,
            written_bytes: 4096,
            pids: 3,
            ..Reading::default()
        };
        let row = |used| StatsRow {
            container: "web".into(),
            id: "4f0c21d3a5b6c7".into(),
            name: if used == Use::Unknown { String::new() } else { "web".into() },
            used,
            width: Width::Short,
        };
        let rows = [row(Use::Some { reading, cpu_percent: 12.345 }), row(Use::Nothing), row(Use::Unknown)];
        let rows: Vec<&dyn Row> = rows.iter().map(|row| row as &dyn Row).collect();
        expect![[r#"
            CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O         BLOCK I/O    PIDS
            4f0c21d3a5b6   web       12.35%    11.77MiB / 8GiB     0.14%     1.23MB / 999B   0B / 4.1kB   3
            4f0c21d3a5b6   web       0.00%     0B / 0B             0.00%     0B / 0B         0B / 0B      0
            4f0c21d3a5b6   --        --        -- / --             --        --              --           --
        "#]]
        .assert_eq(&Listing::parse(TABLE).unwrap().render(COLUMNS, &rows).unwrap());
        expect![[r#"
            {"BlockIO":"0B / 4.1kB","CPUPerc":"12.35%","Container":"web","ID":"4f0c21d3a5b6","MemPerc":"0.14%","MemUsage":"11.77MiB / 8GiB","Name":"web","NetIO":"1.23MB / 999B","PIDs":"3"}
        "#]]
        .assert_eq(&Listing::parse("json").unwrap().render(COLUMNS, &rows[..1]).unwrap());
    }
}
