//! The forms of serde, each written as JSON has it.
//!
//! Numbers and texts are written by `serde_json`; here is only what holds others.

use serde::ser::{
    Error as _, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};
use serde_json::{Error, Value};

use super::{Fields, Items, Writer};

impl<'i> Writer<'i> {
    fn array(&mut self, end: &'static str) -> Items<'_, 'i> {
        self.json.push(b'[');
        Items { writer: self, count: 0, end }
    }

    fn object(&mut self, end: &'static str) -> Fields<'_, 'i> {
        self.json.push(b'{');
        let first = self.fields.len();
        Fields { writer: self, first, name: String::new(), end }
    }

    /// An object with one field, which holds what a variant holds.
    fn variant(&mut self, name: &str) -> Result<(), Error> {
        self.json.push(b'{');
        self.plain(name)?;
        self.json.push(b':');
        Ok(())
    }
}

impl<'w, 'i> Serializer for &'w mut Writer<'i> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'w, 'i>;
    type SerializeTuple = Items<'w, 'i>;
    type SerializeTupleStruct = Items<'w, 'i>;
    type SerializeTupleVariant = Items<'w, 'i>;
    type SerializeMap = Fields<'w, 'i>;
    type SerializeStruct = Fields<'w, 'i>;
    type SerializeStructVariant = Fields<'w, 'i>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.plain(&value)
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.plain(value)
    }

    /// As the number that it is, and not as the shortest text that only another `f32` would be read from.
    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.plain(&f64::from(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.plain(value)
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        serde_json::Serializer::new(&mut self.json).collect_str(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.plain(&())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.plain(&())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.plain(&())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.plain(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.json.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'w, 'i>, Error> {
        Ok(self.array("]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'w, 'i>, Error> {
        Ok(self.array("]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'w, 'i>, Error> {
        Ok(self.array("]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'w, 'i>, Error> {
        self.variant(variant)?;
        Ok(self.array("]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'w, 'i>, Error> {
        Ok(self.object("}"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'w, 'i>, Error> {
        Ok(self.object("}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'w, 'i>, Error> {
        self.variant(variant)?;
        Ok(self.object("}}"))
    }
}

impl SerializeSeq for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleVariant for Items<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Fields<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.writer.field(self.first, name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStructVariant for Fields<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.writer.field(self.first, name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Fields<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, name: &T) -> Result<(), Error> {
        self.name = match serde_json::to_value(name)? {
            Value::String(name) => name,
            name @ (Value::Bool(_) | Value::Number(_)) => name.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(Error::custom("a name must be a text")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.writer.field(self.first, &self.name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}
