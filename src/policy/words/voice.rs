//! Words for what speakers hear that is no person: the house itself, a player in the room, another speaker's words.
//!
//! They tell of what is known. A speaker that nobody has configured spoke never, and nothing is known to play near it.

use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};

use super::facts;
use crate::policy::call::call_of;
use crate::script::kinds::shown;
use crate::script::operators::{Outcome, fail};
use crate::time::parse_duration_ms;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("playing_near", playing_near);
    engine.register_fn("spoke", spoke).register_fn("spoke", spoke_any);
    engine.register_fn("same_words", same_words);
}

/// Whether a player in the speaker's room is known to play. What was asked of the house is noted.
fn playing_near(context: NativeCallContext, speaker: &str) -> Outcome<bool> {
    let call = call_of(&context)?;
    let mut plays = false;
    for entity in call.profile.catalog.near.get(speaker).into_iter().flatten() {
        plays |= facts::is_state(&context, entity, "playing")?;
    }
    Ok(plays)
}

fn within_ms(text: &str) -> Outcome<u64> {
    parse_duration_ms(text).or_else(fail)
}

fn spoke_within(context: &NativeCallContext, speaker: &str, within: &str) -> Outcome<bool> {
    let call = call_of(context)?;
    let within_ms = within_ms(within)?;
    Ok(call.view.world.borrow().voice.spoke(speaker, within_ms, call.view.at.monotonic_ms))
}

/// Whether the bridge speaks through a speaker, or did within that time.
fn spoke(context: NativeCallContext, speaker: &str, within: ImmutableString) -> Outcome<bool> {
    spoke_within(&context, speaker, &within)
}

/// The same of any speaker in a list.
fn spoke_any(context: NativeCallContext, speakers: Array, within: ImmutableString) -> Outcome<bool> {
    let mut any = false;
    for speaker in speakers {
        match speaker.clone().into_immutable_string() {
            Ok(name) => any |= spoke_within(&context, &name, &within)?,
            Err(_) => return fail(format!("expected the name of a speaker, found {}", shown(&speaker))),
        }
    }
    Ok(any)
}

/// The speakers that heard what this one heard last, at most so long before or after it; who heard it first stands first.
fn same_words(context: NativeCallContext, speaker: &str, within: ImmutableString) -> Outcome<Array> {
    let call = call_of(&context)?;
    let within_ms = within_ms(&within)?;
    let world = call.view.world.borrow();
    let speakers = world.voice.same_words(speaker, within_ms, call.view.at.monotonic_ms);
    Ok(speakers.into_iter().map(|name| Dynamic::from(ImmutableString::from(name))).collect())
}
