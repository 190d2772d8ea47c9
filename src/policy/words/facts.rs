//! Words that ask the house.
//!
//! The house may not know. Then a word without a default is an error, and a word that answers yes or no answers no to
//! both sides: `is` and `is_not` are both false of what is unknown. Every reading is noted with value and age.

use std::rc::Rc;

use rhai::{Dynamic, Engine, INT, ImmutableString, NativeCallContext};
use serde_json::Value;

use crate::home::Presence;
use crate::model::decision::FactRead;
use crate::policy::call::{Call, call_of};
use crate::policy::reaction::FACTS_MAX;
use crate::script::json;
use crate::script::operators::{Outcome, fail};
use crate::script::sandbox::Meter;
use crate::script::words::number_in;
use crate::time::parse_duration_ms;

/// Persons of a house, as far as rules can ask for them.
pub(super) const PERSONS_MAX: usize = 64;

pub(super) fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    engine.register_fn("state", state).register_fn("state", state_or);
    engine.register_fn("number", number).register_fn("number", number_or).register_fn("number", number_or_whole);
    let counting = Rc::clone(meter);
    engine.register_fn(
        "attribute",
        move |context: NativeCallContext, entity: &str, name: ImmutableString| match charged(
            &counting,
            read(&context, entity, Some(&name))?.value,
        ) {
            Some(value) => Ok(value),
            None => fail(format!(
                "the attribute `{name}` of `{entity}` is not known; use `attribute(entity, name, default)`"
            )),
        },
    );
    let counting = Rc::clone(meter);
    engine.register_fn(
        "attribute",
        move |context: NativeCallContext, entity: &str, name: ImmutableString, default: Dynamic| -> Outcome<Dynamic> {
            Ok(charged(&counting, read(&context, entity, Some(&name))?.value).unwrap_or(default))
        },
    );
    engine.register_fn("is", is).register_fn("is_not", is_not).register_fn("is_known", is_known);
    engine.register_fn("age_s", age_s).register_fn("is_fresh", is_fresh);
    engine.register_fn("anybody_home", |context: NativeCallContext| -> Outcome<bool> {
        Ok(presence(&context)? == Presence::SomebodyHome)
    });
    engine.register_fn("everybody_away", |context: NativeCallContext| -> Outcome<bool> {
        Ok(presence(&context)? == Presence::EverybodyAway)
    });
}

fn charged(meter: &Meter, value: Option<Value>) -> Option<Dynamic> {
    let value = value?;
    meter.charge(json::size(&value));
    Some(json::to_script(&value))
}

/// A fact as it was found. Both are `None` where it was never heard of.
struct Found {
    value: Option<Value>,
    age_ms: Option<u64>,
}

/// Reads a fact and notes that it was read.
fn read(context: &NativeCallContext, entity: &str, attribute: Option<&str>) -> Outcome<Found> {
    let call = call_of(context)?;
    let world = call.view.world.borrow();
    let known = world.home.get(entity, attribute);
    let found = Found {
        value: known.and_then(|known| known.value.clone()),
        age_ms: known.map(|known| known.age_ms(call.view.at.monotonic_ms)),
    };
    note(&call, entity, attribute, &found)?;
    Ok(found)
}

fn note(call: &Call, entity: &str, attribute: Option<&str>, found: &Found) -> Outcome<()> {
    let facts = &mut call.state.borrow_mut().facts;
    if facts.iter().any(|fact| fact.entity == entity && fact.attribute.as_deref() == attribute) {
        return Ok(());
    }
    if facts.len() >= FACTS_MAX {
        return fail(format!("more than {FACTS_MAX} different facts in one evaluation"));
    }
    facts.push(FactRead {
        entity: entity.to_owned(),
        attribute: attribute.map(str::to_owned),
        value: found.value.clone(),
        age_ms: found.age_ms,
    });
    Ok(())
}

/// A state as text. Home Assistant's states always are; other sources may tell numbers and truth values.
fn text_of(value: Value) -> Option<ImmutableString> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(truth) => Some(truth.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn unknown<T>(entity: &str, word: &str) -> Outcome<T> {
    fail(format!("the state of `{entity}` is not known; use `{word}(entity, default)`"))
}

fn state(context: NativeCallContext, entity: &str) -> Outcome<ImmutableString> {
    match read(&context, entity, None)?.value.and_then(text_of) {
        Some(text) => Ok(text),
        None => unknown(entity, "state"),
    }
}

fn state_or(context: NativeCallContext, entity: &str, default: ImmutableString) -> Outcome<ImmutableString> {
    Ok(read(&context, entity, None)?.value.and_then(text_of).unwrap_or(default))
}

/// The state as a number: `None` where it is not known, an error where it is known and no number.
fn number_read(context: &NativeCallContext, entity: &str) -> Outcome<Option<f64>> {
    let number = match read(context, entity, None)?.value {
        None => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => match number_in(&text) {
            Some(number) => Some(number),
            None => return fail(format!("expected a number as the state of `{entity}`, found `\"{text}\"`")),
        },
        Some(_) => None,
    };
    number.map_or_else(|| fail(format!("expected a number as the state of `{entity}`")), |number| Ok(Some(number)))
}

fn number(context: NativeCallContext, entity: &str) -> Outcome<f64> {
    match number_read(&context, entity)? {
        Some(number) => Ok(number),
        None => unknown(entity, "number"),
    }
}

fn number_or(context: NativeCallContext, entity: &str, default: f64) -> Outcome<f64> {
    Ok(number_read(&context, entity)?.unwrap_or(default))
}

#[expect(clippy::cast_precision_loss, reason = "an owner's default is a small number")]
fn number_or_whole(context: NativeCallContext, entity: &str, default: INT) -> Outcome<f64> {
    Ok(number_read(&context, entity)?.unwrap_or(default as f64))
}

/// Whether an entity is known to have this state.
pub(super) fn is_state(context: &NativeCallContext, entity: &str, state: &str) -> Outcome<bool> {
    Ok(read(context, entity, None)?.value.and_then(text_of).is_some_and(|known| known == state))
}

fn is(context: NativeCallContext, entity: &str, value: ImmutableString) -> Outcome<bool> {
    is_state(&context, entity, &value)
}

fn is_not(context: NativeCallContext, entity: &str, value: ImmutableString) -> Outcome<bool> {
    Ok(read(&context, entity, None)?.value.and_then(text_of).is_some_and(|state| state != value))
}

fn is_known(context: NativeCallContext, entity: &str) -> Outcome<bool> {
    Ok(read(&context, entity, None)?.value.is_some())
}

fn age_s(context: NativeCallContext, entity: &str) -> Outcome<INT> {
    match read(&context, entity, None)?.age_ms {
        Some(age_ms) => Ok(INT::try_from(age_ms / 1_000).unwrap_or(INT::MAX)),
        None => fail(format!("`{entity}` was never heard of; ask `is_known` or `is_fresh` first")),
    }
}

fn is_fresh(context: NativeCallContext, entity: &str, within: ImmutableString) -> Outcome<bool> {
    let within_ms = match parse_duration_ms(&within) {
        Ok(within_ms) => within_ms,
        Err(message) => return fail(message),
    };
    let found = read(&context, entity, None)?;
    Ok(found.value.is_some() && found.age_ms.is_some_and(|age_ms| age_ms <= within_ms))
}

/// Who is at home; every person's state is noted.
fn presence(context: &NativeCallContext) -> Outcome<Presence> {
    let call = call_of(context)?;
    let world = call.view.world.borrow();
    for (index, (person, known)) in world.home.persons().enumerate() {
        if index >= PERSONS_MAX {
            return fail(format!("more than {PERSONS_MAX} persons; presence is not asked of so many"));
        }
        let found = Found {
            value: known.and_then(|known| known.value.clone()),
            age_ms: known.map(|known| known.age_ms(call.view.at.monotonic_ms)),
        };
        note(&call, person, None, &found)?;
    }
    Ok(world.home.presence())
}
