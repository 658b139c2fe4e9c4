//! A list's `--format`: Docker's `cli/command/formatter`.

use serde_json::Value;

use super::datum::Datum;
use super::eval::AbsentKey;
use super::funcs::Functions;
use super::{Row, Template, TemplateError};
use crate::table::align;

/// A field and what the table's header calls it.
pub(crate) type Column = (&'static str, &'static str);

/// How to print a list.
#[derive(Debug)]
pub(crate) struct Listing {
    template: Template,
    table: bool,
}

impl Listing {
    /// Parses a `--format`: `table …`, `json`, or a template per row. The command has already put its own default in
    /// the place of an empty one, a bare `table` and `raw`.
    pub(crate) fn parse(format: &str) -> Result<Listing, TemplateError> {
        let table = format.strip_prefix("table");
        let text = match format {
            "table" => "",
            "json" => "{{json .}}",
            format => table.unwrap_or(format),
        };
        let text = text.trim_matches(' ').replace("\\t", "\t").replace("\\n", "\n");
        Ok(Listing { template: Template::parse(&text)?, table: table.is_some() })
    }

    /// Whether the format speaks of a field of this name.
    pub(crate) fn speaks_of(&self, field: &str) -> bool {
        self.template.speaks_of(field)
    }

    /// The whole list as printed; nothing of it when one row fails.
    pub(crate) fn render(&self, columns: &'static [Column], rows: &[&dyn Row]) -> Result<String, TemplateError> {
        let mut out = String::new();
        for row in rows {
            out.push_str(&self.template.render(*row)?);
            out.push('\n');
        }
        if !self.table {
            return Ok(out);
        }
        // Docker prints what the header came to before it failed; a template that fails here prints no header.
        let header = Header { columns };
        let header = self.template.run(Datum::Row(&header), AbsentKey::NoValue, Functions::Header).unwrap_or_default();
        Ok(align(&format!("{header}\n{out}")))
    }
}

struct Header {
    columns: &'static [Column],
}

impl Row for Header {
    fn type_name(&self) -> &'static str {
        "formatter.SubHeaderContext"
    }

    fn names(&self) -> &'static [&'static str] {
        &[]
    }

    fn field(&self, name: &str) -> Option<Value> {
        // `Label` is a method of the header too; every other absent name is an absent key.
        (name != "Label").then(|| {
            self.columns
                .iter()
                .find(|(field, _)| *field == name)
                .map_or(Value::from("<no value>"), |(_, title)| Value::from(*title))
        })
    }

    fn call(&self, name: &str, argument: &str) -> Option<String> {
        (name == "Label").then(|| argument.rsplit('.').next().unwrap_or(argument).replace(['-', '_'], " "))
    }
}
