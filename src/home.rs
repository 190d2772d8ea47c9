//! The mirror of the house: folds what is learned and answers with value and age.
//!
//! It keeps no history, guesses nothing, and never turns "not known" into a value.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::request::FactChange;

/// Entities that the mirror holds. A home has a few thousand.
pub const ENTITIES_MAX: usize = 100_000;
/// Attributes of one entity.
pub const ATTRIBUTES_MAX: usize = 64;
/// Largest value of a state or attribute, in bytes of JSON text.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;

/// One state or attribute, and when it was last heard.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// `None`: its source says that it does not know.
    pub value: Option<Value>,
    heard_ms: u64,
}

impl Known {
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.heard_ms)
    }
}

#[derive(Debug, Clone, Default)]
struct Entity {
    state: Option<Known>,
    attributes: BTreeMap<String, Known>,
}

/// Why a fact was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    Entities,
    Attributes,
    Value,
}

/// Who is at home, as far as the house knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// At least one person is known to be at home.
    SomebodyHome,
    /// Every person of the house is known to be elsewhere, and there is at least one.
    EverybodyAway,
    Unknown,
}

/// What the house is known to be like.
#[derive(Debug, Clone, Default)]
pub struct Home {
    entities: BTreeMap<String, Entity>,
}

impl Home {
    /// Takes in one fact, heard at `now_ms` on the monotonic side.
    pub fn fold(&mut self, now_ms: u64, change: FactChange) -> Result<(), Overflow> {
        if change.value.as_ref().is_some_and(|value| value_bytes(value) > VALUE_BYTES_MAX) {
            return Err(Overflow::Value);
        }
        if self.entities.len() >= ENTITIES_MAX && !self.entities.contains_key(&change.entity) {
            return Err(Overflow::Entities);
        }
        let entity = self.entities.entry(change.entity).or_default();
        let known = Known { value: change.value, heard_ms: now_ms };
        match change.attribute {
            None => entity.state = Some(known),
            Some(name) => {
                if entity.attributes.len() >= ATTRIBUTES_MAX && !entity.attributes.contains_key(&name) {
                    return Err(Overflow::Attributes);
                }
                entity.attributes.insert(name, known);
            }
        }
        Ok(())
    }

    /// The state of an entity (`attribute` is `None`) or one of its attributes. `None`: never heard of.
    pub fn get(&self, entity: &str, attribute: Option<&str>) -> Option<&Known> {
        let entity = self.entities.get(entity)?;
        match attribute {
            None => entity.state.as_ref(),
            Some(name) => entity.attributes.get(name),
        }
    }

    /// The persons of the house with their states: all entities of Home Assistant's domain `person`.
    pub fn persons(&self) -> impl Iterator<Item = (&str, Option<&Known>)> {
        self.of_domain("person")
    }

    /// The entities of one of Home Assistant's domains with their states.
    pub fn of_domain(&self, domain: &str) -> impl Iterator<Item = (&str, Option<&Known>)> {
        let start = format!("{domain}.");
        let entities = self.entities.range(start.clone()..).take_while(move |(name, _)| name.starts_with(&start));
        entities.map(|(name, entity)| (name.as_str(), entity.state.as_ref()))
    }

    pub fn presence(&self) -> Presence {
        let (mut persons, mut away) = (0_usize, 0_usize);
        for (_, known) in self.persons() {
            persons += 1;
            match known.and_then(|known| known.value.as_ref()).and_then(Value::as_str) {
                Some("home") => return Presence::SomebodyHome,
                Some(_) => away += 1,
                None => {}
            }
        }
        if persons > 0 && persons == away { Presence::EverybodyAway } else { Presence::Unknown }
    }

    pub fn len(&self) -> usize {
        self.entities.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }
}

/// An upper estimate of the JSON text of a value, without writing it.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 24,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(|item| value_bytes(item) + 1).sum::<usize>() + 2,
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| name.len() + value_bytes(field) + 4).sum::<usize>() + 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(entity: &str, value: Option<&str>) -> FactChange {
        FactChange { entity: entity.to_owned(), attribute: None, value: value.map(Value::from) }
    }

    #[test]
    fn nobody_known_at_home_is_not_nobody_home() {
        let mut home = Home::default();
        assert_eq!(home.presence(), Presence::Unknown, "no person is known at all");
        for (change, expected) in [
            (state("person.anna", Some("not_home")), Presence::EverybodyAway),
            (state("person.ben", None), Presence::Unknown),
            (state("person.ben", Some("work")), Presence::EverybodyAway),
            (state("person.anna", Some("home")), Presence::SomebodyHome),
        ] {
            home.fold(0, change.clone()).expect("room");
            assert_eq!(home.presence(), expected, "after {change:?}");
        }
    }

    #[test]
    fn a_fact_has_an_age_and_unknown_is_a_value_of_its_own() {
        let mut home = Home::default();
        home.fold(1_000, state("lock.door", Some("locked"))).expect("room");
        home.fold(3_000, state("lock.gate", None)).expect("room");
        let door = home.get("lock.door", None).expect("heard of");
        assert_eq!((door.value.clone(), door.age_ms(5_000)), (Some(Value::from("locked")), 4_000));
        assert_eq!(home.get("lock.gate", None).map(|known| known.value.clone()), Some(None));
        assert_eq!(home.get("lock.shed", None), None);
    }

    #[test]
    fn a_full_mirror_refuses_new_entities_and_goes_on_with_the_old_ones() {
        let mut home = Home::default();
        for index in 0..ENTITIES_MAX {
            home.fold(0, state(&format!("sensor.s{index}"), Some("1"))).expect("room");
        }
        assert_eq!(home.fold(1, state("sensor.new", Some("1"))), Err(Overflow::Entities));
        assert_eq!(home.fold(1, state("sensor.s7", Some("2"))), Ok(()));
        assert_eq!(home.len(), ENTITIES_MAX);
        assert_eq!(home.fold(1, state("sensor.s7", Some(&"x".repeat(VALUE_BYTES_MAX)))), Err(Overflow::Value));
    }

    #[test]
    fn attributes_of_one_entity_are_bounded() {
        let mut home = Home::default();
        let attribute =
            |index: usize| FactChange { attribute: Some(format!("a{index}")), ..state("sensor.s", Some("1")) };
        for index in 0..ATTRIBUTES_MAX {
            home.fold(0, attribute(index)).expect("room");
        }
        assert_eq!(home.fold(0, attribute(ATTRIBUTES_MAX)), Err(Overflow::Attributes));
        assert_eq!(home.fold(0, attribute(0)), Ok(()));
    }
}
