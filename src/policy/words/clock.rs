//! Words for the time of day, the day of the week and the sun, in the house's zone.
//!
//! Where the house does not know the time, every one of them is an error: a rule about the night must not guess that
//! it is day.

use jiff::Zoned;
use rhai::{Engine, INT, ImmutableString, NativeCallContext};

use crate::policy::call::call_of;
use crate::script::operators::{Outcome, fail};
use crate::time::{is_between, parse_time_of_day, sun_is_up};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("between", between);
    engine.register_fn("hour", |context: NativeCallContext| civil(&context, |now| INT::from(now.hour())));
    engine.register_fn("minute", |context: NativeCallContext| civil(&context, |now| INT::from(now.minute())));
    engine.register_fn("weekday", |context: NativeCallContext| civil(&context, |now| weekday_name(now).to_owned()));
    engine.register_fn("is_weekend", |context: NativeCallContext| civil(&context, is_weekend));
    engine.register_fn("time_of_day", |context: NativeCallContext| {
        civil(&context, |now| format!("{:02}:{:02}", now.hour(), now.minute()))
    });
    engine.register_fn("sun_is_up", |context: NativeCallContext| sun(&context));
    engine.register_fn("sun_is_down", |context: NativeCallContext| sun(&context).map(|up| !up));
}

fn civil<T>(context: &NativeCallContext, ask: impl FnOnce(&Zoned) -> T) -> Outcome<T> {
    match &call_of(context)?.view.civil {
        Some(now) => Ok(ask(now)),
        None => fail("the time is not known: no time zone is configured, or the clock cannot be right"),
    }
}

fn between(context: NativeCallContext, from: &str, to: ImmutableString) -> Outcome<bool> {
    match (parse_time_of_day(from), parse_time_of_day(&to)) {
        (Ok(from), Ok(to)) => civil(&context, |now| is_between(now.time(), from, to)),
        (Err(message), _) | (_, Err(message)) => fail(message),
    }
}

fn weekday_name(now: &Zoned) -> &'static str {
    use jiff::civil::Weekday;
    match now.weekday() {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}

fn is_weekend(now: &Zoned) -> bool {
    matches!(weekday_name(now), "saturday" | "sunday")
}

fn sun(context: &NativeCallContext) -> Outcome<bool> {
    let Some((latitude, longitude)) = call_of(context)?.view.coordinates else {
        return fail("the place of the house is not known: no coordinates are configured");
    };
    match civil(context, |now| sun_is_up(now, latitude, longitude))? {
        Some(is_up) => Ok(is_up),
        None => fail("the sun neither rises nor sets here today"),
    }
}
