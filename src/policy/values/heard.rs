//! How a request came to be heard, as fields of the request: speaker, dialogue, times, what played.
//!
//! Times are told as seconds ago, and never below nothing: where the clock on the wall was put back meanwhile, it is 0.

use jiff::Timestamp;
use rhai::{Engine, INT, ImmutableString, NativeCallContext};

use super::{RequestValue, list};
use crate::model::speaker::Heard;
use crate::policy::call::call_of;
use crate::script::operators::{Outcome, fail};

/// A text of the story that need not be there, with `has_…` and `…_or`.
macro_rules! text {
    ($engine:ident, $($field:literal $has:literal $or:literal |$heard:ident| $text:expr;)*) => { $(
        $engine.register_get($field, |request: &mut RequestValue| -> Outcome<ImmutableString> {
            let found = request.0.heard.as_deref().and_then(|$heard| $text);
            found.map_or_else(|| absent($field, $has, $or), |text| Ok(text.into()))
        });
        $engine.register_get($has, |request: &mut RequestValue| {
            request.0.heard.as_deref().and_then(|$heard| $text).is_some()
        });
        $engine.register_fn($or, |request: &mut RequestValue, default: ImmutableString| {
            request.0.heard.as_deref().and_then(|$heard| $text).map_or(default, Into::into)
        });
    )* };
}

pub(super) fn register(engine: &mut Engine) {
    text! { engine,
        "speaker" "has_speaker" "speaker_or" |heard| Some(heard.speaker.as_str());
        "session" "has_session" "session_or" |heard| heard.session.as_deref();
    }
    moment(engine, ["woke_ago_s", "has_woke", "woke_ago_s_or"], |heard| heard.woke);
    moment(engine, ["heard_ago_s", "has_heard", "heard_ago_s_or"], |heard| heard.heard);
    moment(engine, ["happened_ago_s", "has_happened", "happened_ago_s_or"], |heard| heard.happened);
    list(engine, "playing", |request| request.heard.as_ref().map(|heard| heard.playing.as_slice()).unwrap_or_default());
}

/// A moment of the story that need not be known, as seconds ago.
fn moment(engine: &mut Engine, [field, has, or]: [&'static str; 3], of: fn(&Heard) -> Option<Timestamp>) {
    let found = move |request: &RequestValue| request.0.heard.as_deref().and_then(of);
    engine.register_get(field, move |context: NativeCallContext, request: &mut RequestValue| -> Outcome<INT> {
        match found(request) {
            Some(moment) => ago_s(&context, moment),
            None => absent(field, has, or),
        }
    });
    engine.register_get(has, move |request: &mut RequestValue| found(request).is_some());
    engine.register_fn(or, move |context: NativeCallContext, request: &mut RequestValue, default: INT| {
        found(request).map_or(Ok(default), |moment| ago_s(&context, moment))
    });
}

fn ago_s(context: &NativeCallContext, moment: Timestamp) -> Outcome<INT> {
    Ok(call_of(context)?.view.at.utc.duration_since(moment).as_secs().max(0))
}

fn absent<T>(field: &str, has: &str, or: &str) -> Outcome<T> {
    fail(format!("this request has no `{field}`; ask `{has}` first, or use `{or}(default)`"))
}
