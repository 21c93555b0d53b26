//! A JSON object as its fields, each still JSON text. Known fields are taken out and parsed; the
//! rest stays verbatim, so that numbers keep their digits.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::ParseError;
use super::kinds::Unknown;

/// The fields of one object that are not taken yet. `null` counts as absent.
pub(super) struct Fields<'a> {
    /// The object's place in the action, such as `add` or `add.deletionVector`.
    place: Cow<'a, str>,
    entries: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Parses the object in `text`, which errors call `place`.
    pub(super) fn parse(place: impl Into<Cow<'a, str>>, text: &'a str) -> Result<Self, ParseError> {
        let place = place.into();
        let object: Object<'a> =
            serde_json::from_str(text).map_err(|error| ParseError::json(&place, &error))?;
        let mut entries = object.0;
        if let Some(key) = repeated(&entries) {
            return Err(ParseError(format!("{place}.{key} is there twice")));
        }
        entries.retain(|(_, value)| value.get() != "null");
        Ok(Self { place, entries })
    }

    /// Lists the names of the fields that are left.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(key, _)| key.as_ref())
    }

    /// Takes a field as JSON text.
    pub(super) fn raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.entries.iter().position(|(key, _)| key == name)?;
        Some(self.entries.swap_remove(index).1)
    }

    /// Takes and parses a field that may be absent.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, ParseError> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|error| ParseError::json(&format!("{}.{name}", self.place), &error))
    }

    /// Takes and parses a field that must be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ParseError> {
        self.optional(name)?.ok_or_else(|| ParseError(format!("{}.{name} is missing", self.place)))
    }

    /// Takes all fields that are left.
    pub(super) fn unknown(self) -> Unknown {
        self.entries.into_iter().map(|(key, raw)| (key.into_owned(), raw.to_owned())).collect()
    }
}

/// Returns whether the object in `text`, which errors call `place`, holds a key twice.
pub(super) fn repeats_a_key(place: &str, text: &str) -> Result<bool, ParseError> {
    let object: Object<'_> =
        serde_json::from_str(text).map_err(|error| ParseError::json(place, &error))?;
    Ok(repeated(&object.0).is_some())
}

/// Returns the first key that is there a second time.
fn repeated<'a>(entries: &'a [(Cow<'_, str>, &RawValue)]) -> Option<&'a str> {
    if entries.len() <= FEW_KEYS {
        let mut keys = entries.iter().enumerate();
        let found =
            keys.find(|(at, (key, _))| entries[..*at].iter().any(|(other, _)| other == key));
        return found.map(|(_, (key, _))| key.as_ref());
    }
    let mut known = HashSet::with_capacity(entries.len());
    entries.iter().map(|(key, _)| key.as_ref()).find(|key| !known.insert(*key))
}

/// So many keys are compared with each other faster than they are hashed.
const FEW_KEYS: usize = 32;

struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(Name(key)) = map.next_key::<Name<'de>>()? {
                    entries.push((key, map.next_value::<&'de RawValue>()?));
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A key, borrowed from the text unless it holds escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
