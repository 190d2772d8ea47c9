//! Words for what a policy counts and remembers. Each policy has its own; none sees another's.
//!
//! A policy sees what it has just written. Nothing is kept unless the whole evaluation succeeds.

use std::rc::Rc;

use rhai::{Dynamic, Engine, INT, ImmutableString, NativeCallContext};
use serde_json::Value;

use crate::model::durable::{COUNTER_ENTRIES_MAX, COUNTERS_MAX, MEMORIES_MAX, Memory};
use crate::policy::call::{Call, call_of};
use crate::policy::reaction::Wish;
use crate::script::json;
use crate::script::operators::{Outcome, fail};
use crate::script::sandbox::Meter;
use crate::time::parse_duration_ms;

/// Longest name of a counter or a remembered value, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 128;
/// Largest remembered value, in bytes of JSON.
pub(super) const MEMORY_BYTES_MAX: usize = 4 * 1024;

pub(super) fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    engine.register_fn("count", count).register_fn("counted", counted);
    let counting = Rc::clone(meter);
    engine.register_fn("remember", move |context: NativeCallContext, key: &str, value: Dynamic| {
        remember(&context, key, &value, &counting)
    });
    let counting = Rc::clone(meter);
    engine.register_fn("recall", move |context: NativeCallContext, key: &str| {
        match recalled(&context, key, &counting)? {
            Some(value) => Ok(value),
            None => fail(format!("nothing is remembered as `{key}`; use `recall(key, default)`")),
        }
    });
    let counting = Rc::clone(meter);
    engine.register_fn("recall", move |context: NativeCallContext, key: &str, default: Dynamic| -> Outcome<Dynamic> {
        Ok(recalled(&context, key, &counting)?.unwrap_or(default))
    });
    engine.register_fn("forget", |context: NativeCallContext, key: &str| {
        call_of(&context)?.wish(Wish::Forget { key: checked_key(key)? })
    });
}

fn with_memory<T>(call: &Call, ask: impl FnOnce(&Memory) -> T) -> T {
    let world = call.view.world.borrow();
    match world.durable.memories.get(&call.profile.name) {
        Some(memory) => ask(memory),
        None => ask(&Memory::default()),
    }
}

fn checked_key(key: &str) -> Outcome<String> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return fail(format!("expected a name of 1 to {KEY_BYTES_MAX} bytes, found `{}`", key.len()));
    }
    Ok(key.to_owned())
}

fn count(context: NativeCallContext, name: &str, window: ImmutableString) -> Outcome<INT> {
    let call = call_of(&context)?;
    let name = checked_key(name)?;
    let own = own_counters(&call);
    let others = with_memory(&call, |memory| {
        let is_new = !memory.counters.contains_key(&name) && !own.contains(&name);
        let new = own.iter().filter(|own| !memory.counters.contains_key(*own)).count();
        is_new.then_some(memory.counters.len() + new)
    });
    if others.is_some_and(|others| others >= COUNTERS_MAX) {
        return fail(format!("more than {COUNTERS_MAX} counters in one policy"));
    }
    call.wish(Wish::Count { name: name.clone() })?;
    occurrences(&call, &name, &window)
}

fn counted(context: NativeCallContext, name: &str, window: ImmutableString) -> Outcome<INT> {
    occurrences(&*call_of(&context)?, name, &window)
}

/// Names of counters that this evaluation has counted on, each once.
fn own_counters(call: &Call) -> std::collections::BTreeSet<String> {
    let state = call.state.borrow();
    let counts = state.wishes.iter().filter_map(|wish| match wish {
        Wish::Count { name } => Some(name.clone()),
        _ => None,
    });
    counts.collect()
}

/// Occurrences in the window, those of this evaluation included. A full counter tells of no more than it keeps.
fn occurrences(call: &Call, name: &str, window: &str) -> Outcome<INT> {
    let window_ms = match parse_duration_ms(window) {
        Ok(window_ms) => window_ms,
        Err(message) => return fail(message),
    };
    let earlier = with_memory(call, |memory| memory.counted(name, call.view.at.monotonic_ms, window_ms));
    let state = call.state.borrow();
    let own = state.wishes.iter().filter(|wish| matches!(wish, Wish::Count { name: own } if own == name)).count();
    Ok(INT::try_from((earlier + own).min(COUNTER_ENTRIES_MAX)).unwrap_or(INT::MAX))
}

fn remember(context: &NativeCallContext, key: &str, value: &Dynamic, meter: &Meter) -> Outcome<()> {
    let call = call_of(context)?;
    let key = checked_key(key)?;
    let value = match json::from_script(value) {
        Ok(Value::Null) => return fail("expected a value to remember, found nothing; use `forget(key)`"),
        Ok(value) => value,
        Err(message) => return fail(message),
    };
    meter.charge(json::size(&value));
    let bytes = value.to_string().len();
    if bytes > MEMORY_BYTES_MAX {
        return fail(format!("expected at most {MEMORY_BYTES_MAX} bytes to remember, found `{bytes}`"));
    }
    if own_memory(&call, &key).is_none() {
        let state = call.state.borrow();
        let stored = with_memory(&call, |memory| {
            let own = state.wishes.iter().filter_map(|wish| match wish {
                Wish::Remember { key, .. } if !memory.values.contains_key(key) => Some(key),
                _ => None,
            });
            let new = own.collect::<std::collections::BTreeSet<_>>().len();
            if memory.values.contains_key(&key) { 0 } else { memory.values.len() + new }
        });
        if stored >= MEMORIES_MAX {
            return fail(format!("more than {MEMORIES_MAX} remembered values in one policy"));
        }
    }
    call.wish(Wish::Remember { key, value })
}

/// What this evaluation has itself done with a key: `None`: nothing; `Some(None)`: forgotten.
fn own_memory(call: &Call, key: &str) -> Option<Option<Value>> {
    let state = call.state.borrow();
    state.wishes.iter().rev().find_map(|wish| match wish {
        Wish::Remember { key: own, value } if own == key => Some(Some(value.clone())),
        Wish::Forget { key: own } if own == key => Some(None),
        _ => None,
    })
}

fn recalled(context: &NativeCallContext, key: &str, meter: &Meter) -> Outcome<Option<Dynamic>> {
    let call = call_of(context)?;
    let value = match own_memory(&call, key) {
        Some(own) => own,
        None => with_memory(&call, |memory| memory.values.get(key).cloned()),
    };
    Ok(value.map(|value| {
        meter.charge(json::size(&value));
        json::to_script(&value)
    }))
}
