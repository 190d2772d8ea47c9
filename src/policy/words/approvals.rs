//! The word for how people have answered: `approvals(action, "7d")`.
//!
//! It counts questions, not requests, and says nothing of who was asked. What was judged again, cancelled or let go because
//! nobody objected was asked, and nobody has answered it.

use std::rc::Rc;

use rhai::{Dynamic, Engine, INT, ImmutableString, Map, NativeCallContext};

use crate::model::decision::Outcome as Ended;
use crate::model::durable::PROMPTS_KEPT_MS;
use crate::model::glob::Glob;
use crate::policy::call::call_of;
use crate::script::operators::{Outcome, fail};
use crate::script::sandbox::Meter;
use crate::time::parse_duration_ms;

/// Questions that are looked at for the price of one operation.
const PROMPTS_PER_OPERATION: u64 = 16;

pub(super) fn register(engine: &mut Engine, meter: &Rc<Meter>) {
    let counting = Rc::clone(meter);
    engine.register_fn("approvals", move |context: NativeCallContext, action: &str, window: ImmutableString| {
        approvals(&context, action, &window, &counting)
    });
}

/// Reads how far back questions are counted, in milliseconds.
pub(in crate::policy) fn read_window_ms(text: &str) -> Result<u64, String> {
    let window_ms = parse_duration_ms(text)?;
    if window_ms > PROMPTS_KEPT_MS {
        return Err(format!(
            "expected at most `{}d`, as no more is kept, found `{text}`",
            PROMPTS_KEPT_MS / 86_400_000
        ));
    }
    Ok(window_ms)
}

fn approvals(context: &NativeCallContext, action: &str, window: &str, meter: &Meter) -> Outcome<Map> {
    let call = call_of(context)?;
    let window_ms = match read_window_ms(window) {
        Ok(window_ms) => window_ms,
        Err(message) => return fail(message),
    };
    let since_ms = call.view.at.monotonic_ms.saturating_sub(window_ms);
    let pattern = Glob::new(action);
    let world = call.view.world.borrow();
    let prompts = &world.durable.prompts;
    meter.charge(u64::try_from(prompts.len()).unwrap_or(u64::MAX) / PROMPTS_PER_OPERATION);
    let (mut asked, mut approved, mut refused, mut expired): (INT, INT, INT, INT) = (0, 0, 0, 0);
    // Their number is bounded far below what an integer holds.
    for prompt in prompts.iter().filter(|prompt| prompt.at_ms >= since_ms && pattern.matches(&prompt.action)) {
        asked += 1;
        match prompt.outcome {
            Some(Ended::Approved) => approved += 1,
            Some(Ended::Rejected) => refused += 1,
            Some(Ended::Expired) => expired += 1,
            Some(Ended::JudgedAgain | Ended::Unopposed | Ended::Cancelled) | None => {}
        }
    }
    let counts = [("asked", asked), ("approved", approved), ("refused", refused), ("expired", expired)];
    Ok(counts.into_iter().map(|(name, count)| (name.into(), Dynamic::from(count))).collect())
}
