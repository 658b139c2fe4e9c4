//! Reads a Docker-shaped struct as Go's templates see it: a struct stays a struct, its omitted fields stay known, and
//! a nil slice or map (`wire::go`) is told from a nil pointer.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::ser::{self, Impossible};

use super::datum::{Datum, Field, Nil};
use crate::wire::go;

/// The struct as a value; nothing when it holds what Docker's structs never do.
pub(super) fn read(subject: &impl Serialize) -> Option<Datum<'static>> {
    subject.serialize(Reader).ok()
}

/// Fields with `omitempty` whose Go type is a pointer; slices and maps are next. All others are strings or numbers.
const OMITTED_POINTERS: [&str; 15] = [
    "Health",
    "Healthcheck",
    "SizeRw",
    "SizeRootFs",
    "StopTimeout",
    "Init",
    "ImageManifestDescriptor",
    "Descriptor",
    "BindOptions",
    "VolumeOptions",
    "ImageOptions",
    "TmpfsOptions",
    "ClusterOptions",
    "DriverConfig",
    "platform",
];
const OMITTED_LISTS: [&str; 10] =
    ["Shell", "Mounts", "OnBuild", "Env", "Entrypoint", "Cmd", "Layers", "Test", "LinkLocalIPs", "Manifests"];
const OMITTED_MAPS: [&str; 8] =
    ["ExposedPorts", "Annotations", "StorageOpt", "Tmpfs", "Sysctls", "Labels", "Volumes", "annotations"];

fn omitted(name: &str) -> Datum<'static> {
    if OMITTED_POINTERS.contains(&name) {
        Datum::Nil(Nil::Pointer)
    } else if OMITTED_LISTS.contains(&name) {
        Datum::Nil(Nil::List)
    } else if OMITTED_MAPS.contains(&name) {
        Datum::Nil(Nil::Map)
    } else {
        Datum::text("")
    }
}

/// Why a value could not be read; never shown.
#[derive(Debug)]
struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a value of Docker's")
    }
}

impl std::error::Error for Unreadable {}

impl ser::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Unreadable
    }
}

type Read = Result<Datum<'static>, Unreadable>;

struct Reader;

macro_rules! ints {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, value: $type) -> Read {
            Ok(Datum::Int(i128::from(value)))
        })*
    };
}

impl ser::Serializer for Reader {
    type Ok = Datum<'static>;
    type Error = Unreadable;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Impossible<Datum<'static>, Unreadable>;
    type SerializeMap = Entries;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Impossible<Datum<'static>, Unreadable>;

    ints!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64);
    ints!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_bool(self, value: bool) -> Read {
        Ok(Datum::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Read {
        Ok(Datum::Float(f64::from(value)))
    }

    fn serialize_f64(self, value: f64) -> Read {
        Ok(Datum::Float(value))
    }

    fn serialize_char(self, value: char) -> Read {
        Ok(Datum::text(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Read {
        Ok(Datum::text(value))
    }

    fn serialize_bytes(self, _: &[u8]) -> Read {
        Err(Unreadable)
    }

    fn serialize_none(self) -> Read {
        Ok(Datum::Nil(Nil::Pointer))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Read {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Read {
        Ok(Datum::Missing)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Read {
        Ok(Datum::Missing)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Read {
        Ok(Datum::text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Read {
        let read = value.serialize(Reader)?;
        Ok(match (name, read) {
            (go::LIST, Datum::Nil(_)) => Datum::Nil(Nil::List),
            (go::MAP, Datum::Nil(_)) => Datum::Nil(Nil::Map),
            (_, read) => read,
        })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _: &'static str, _: u32, _: &'static str, _: &T) -> Read {
        Err(Unreadable)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Unreadable> {
        Ok(Items(Vec::new()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, Unreadable> {
        Ok(Items(Vec::new()))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, Unreadable> {
        Ok(Items(Vec::new()))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unreadable> {
        Err(Unreadable)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Unreadable> {
        Ok(Entries { entries: BTreeMap::new(), key: String::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Unreadable> {
        Ok(Fields(Vec::new()))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unreadable> {
        Err(Unreadable)
    }
}

struct Items(Vec<Datum<'static>>);

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.0.push(value.serialize(Reader)?);
        Ok(())
    }
}

impl ser::SerializeSeq for Items {
    type Ok = Datum<'static>;
    type Error = Unreadable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.push(value)
    }

    fn end(self) -> Read {
        Ok(Datum::List(self.0.into()))
    }
}

impl ser::SerializeTuple for Items {
    type Ok = Datum<'static>;
    type Error = Unreadable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.push(value)
    }

    fn end(self) -> Read {
        Ok(Datum::List(self.0.into()))
    }
}

impl ser::SerializeTupleStruct for Items {
    type Ok = Datum<'static>;
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.push(value)
    }

    fn end(self) -> Read {
        Ok(Datum::List(self.0.into()))
    }
}

struct Entries {
    entries: BTreeMap<String, Datum<'static>>,
    key: String,
}

impl ser::SerializeMap for Entries {
    type Ok = Datum<'static>;
    type Error = Unreadable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unreadable> {
        let Datum::Str(key) = key.serialize(Reader)? else { return Err(Unreadable) };
        self.key = key.to_string();
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unreadable> {
        self.entries.insert(std::mem::take(&mut self.key), value.serialize(Reader)?);
        Ok(())
    }

    fn end(self) -> Read {
        Ok(Datum::Map(Rc::new(self.entries)))
    }
}

struct Fields(Vec<Field<'static>>);

impl ser::SerializeStruct for Fields {
    type Ok = Datum<'static>;
    type Error = Unreadable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Unreadable> {
        self.0.push(Field { name, value: value.serialize(Reader)?, omitted: false });
        Ok(())
    }

    fn skip_field(&mut self, name: &'static str) -> Result<(), Unreadable> {
        self.0.push(Field { name, value: omitted(name), omitted: true });
        Ok(())
    }

    fn end(self) -> Read {
        Ok(Datum::Struct(self.0.into()))
    }
}
