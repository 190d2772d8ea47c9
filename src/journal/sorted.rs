//! JSON with the fields of each object in the order of their names: whatever order the types have, the bytes are the same.
//! On the way fields can be left out, and others written in their place.
//!
//! What a field means, and what stands in its place, is decided elsewhere.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::Error;

mod serializer;

/// Room that is made at once, and not step by step: most records need no more.
const JSON_BYTES: usize = 1024;
/// The same for what is known of open objects, in bytes of names and in fields.
const NAMES_BYTES: usize = 256;
const FIELDS: usize = 32;

/// What is written in place of a field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Instead {
    /// A JSON pointer, in which no name needs an escape.
    pub(super) pointer: Cow<'static, str>,
    /// JSON. `None`: the field is left out.
    pub(super) json: Option<String>,
}

/// Writes a value.
///
/// # Errors
/// It has no form in JSON.
pub(super) fn write(value: &(impl Serialize + ?Sized), instead: &[Instead]) -> Result<String, Error> {
    let mut writer = Writer {
        json: Vec::with_capacity(JSON_BYTES),
        pointer: String::with_capacity(NAMES_BYTES),
        names: String::with_capacity(NAMES_BYTES),
        fields: Vec::with_capacity(FIELDS),
        sorted: Vec::with_capacity(JSON_BYTES),
        instead,
    };
    value.serialize(&mut writer)?;
    String::from_utf8(writer.json).map_err(Error::custom)
}

struct Writer<'i> {
    json: Vec<u8>,
    /// Where what is written now stands.
    pointer: String,
    /// Those of all fields of objects that are open.
    names: String,
    fields: Vec<Field>,
    /// The fields of one object while they change places.
    sorted: Vec<u8>,
    instead: &'i [Instead],
}

/// One field of an open object.
struct Field {
    /// In `names`.
    name: Range<usize>,
    /// In `json`.
    json: Range<usize>,
}

impl Writer<'_> {
    fn plain(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        serde_json::to_writer(&mut self.json, value)
    }

    /// `first`: how many fields there were before this object's.
    fn field(&mut self, first: usize, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let above = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(name);
        let instead = self.instead.iter().find(|instead| instead.pointer == self.pointer);
        if instead.is_none_or(|instead| instead.json.is_some()) {
            if self.fields.len() > first {
                self.json.push(b',');
            }
            let (start, start_of_name) = (self.json.len(), self.names.len());
            self.names.push_str(name);
            let name_in_names = start_of_name..self.names.len();
            self.plain(name)?;
            self.json.push(b':');
            match instead.and_then(|instead| instead.json.as_ref()) {
                Some(json) => self.json.extend_from_slice(json.as_bytes()),
                None => value.serialize(&mut *self)?,
            }
            self.fields.push(Field { name: name_in_names, json: start..self.json.len() });
        }
        self.pointer.truncate(above);
        Ok(())
    }

    /// Puts the fields of an object in order.
    fn sort(&mut self, first: usize) {
        let Writer { json, names, fields, sorted, .. } = self;
        let fields_here = fields.get_mut(first..).unwrap_or_default();
        let (Some(start), Some(start_of_names)) =
            (fields_here.first().map(|field| field.json.start), fields_here.first().map(|field| field.name.start))
        else {
            return;
        };
        let name = |field: &Field| names.get(field.name.clone()).unwrap_or_default();
        if !fields_here.is_sorted_by_key(name) {
            fields_here.sort_by(|one, other| name(one).cmp(name(other)));
            sorted.clear();
            for field in fields_here {
                if !sorted.is_empty() {
                    sorted.push(b',');
                }
                sorted.extend_from_slice(json.get(field.json.clone()).unwrap_or_default());
            }
            json.truncate(start);
            json.extend_from_slice(sorted);
        }
        fields.truncate(first);
        names.truncate(start_of_names);
    }
}

/// An array that is being written.
struct Items<'w, 'i> {
    writer: &'w mut Writer<'i>,
    count: usize,
    end: &'static str,
}

impl Items<'_, '_> {
    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        if self.count > 0 {
            self.writer.json.push(b',');
        }
        let above = self.writer.pointer.len();
        write!(self.writer.pointer, "/{}", self.count).map_err(Error::custom)?;
        value.serialize(&mut *self.writer)?;
        self.writer.pointer.truncate(above);
        self.count += 1;
        Ok(())
    }

    fn close(self) {
        self.writer.json.extend_from_slice(self.end.as_bytes());
    }
}

/// An object that is being written.
struct Fields<'w, 'i> {
    writer: &'w mut Writer<'i>,
    first: usize,
    /// The name of the next field, where names and values come apart.
    name: String,
    end: &'static str,
}

impl Fields<'_, '_> {
    fn close(self) {
        self.writer.sort(self.first);
        self.writer.json.extend_from_slice(self.end.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(u8, char),
        Struct { z: f32, a: Option<()> },
    }

    #[derive(Serialize)]
    struct Inner {
        inner: &'static str,
        also: (i64, bool),
    }

    #[derive(Serialize)]
    struct Outer {
        z: Vec<Shape>,
        names: BTreeMap<&'static str, f64>,
        #[serde(flatten)]
        flat: Inner,
        numbers: BTreeMap<u8, Value>,
        a: Value,
    }

    fn outer() -> Outer {
        Outer {
            z: vec![Shape::Unit, Shape::Newtype(1), Shape::Tuple(2, '"'), Shape::Struct { z: 0.1, a: None }],
            names: BTreeMap::from([("a\"b", f64::NAN), ("a!b", 1e300), ("a\\b", -0.0), ("aab", 0.1)]),
            flat: Inner { inner: "\u{1}\t\u{7f}", also: (i64::MIN, true) },
            numbers: BTreeMap::from([(10, json!({})), (9, json!([]))]),
            a: json!({"b": [{"z": 1, "a": [{}, {"y": 2, "x": 3}]}], "a": u64::MAX}),
        }
    }

    #[test]
    fn every_shape_is_written_as_a_tree_would_be_with_its_fields_in_order() {
        let written = write(&outer(), &[]).expect("JSON");
        assert_eq!(written, serde_json::to_value(outer()).expect("a tree").to_string());
        assert!(written.find(r#""a":"#) < written.find(r#""also":"#), "{written}");
        assert_eq!(write("text", &[]).ok().as_deref(), Some(r#""text""#));
    }

    #[test]
    fn fields_are_replaced_and_left_out_where_they_stand() {
        let instead = |pointer: &'static str, json: Option<&str>| Instead {
            pointer: pointer.into(),
            json: json.map(str::to_owned),
        };
        let value = json!({"a": {"text": 1, "z": 2}, "list": [{"text": 3}, {"text": 4}], "text": 5});
        for (pointer, json, expected) in [
            ("/text", None, r#"{"a":{"text":1,"z":2},"list":[{"text":3},{"text":4}]}"#),
            ("/a/text", None, r#"{"a":{"z":2},"list":[{"text":3},{"text":4}],"text":5}"#),
            ("/list/1/text", Some("[]"), r#"{"a":{"text":1,"z":2},"list":[{"text":3},{"text":[]}],"text":5}"#),
            ("/a", Some("0"), r#"{"a":0,"list":[{"text":3},{"text":4}],"text":5}"#),
            ("/nowhere", None, r#"{"a":{"text":1,"z":2},"list":[{"text":3},{"text":4}],"text":5}"#),
        ] {
            assert_eq!(write(&value, &[instead(pointer, json)]).ok().as_deref(), Some(expected), "{pointer}");
        }
    }

    #[test]
    fn what_has_no_form_is_refused() {
        assert!(write(&BTreeMap::from([((1, 2), 3)]), &[]).is_err(), "a name must be a text");
    }
}
