//! What can be found wrong with a policy before it runs, beyond what any script can get wrong.
//!
//! It looks at the script as written and at its header; it runs no hook. What it cannot know for certain it leaves to
//! the run, where the same mistakes are errors too.

mod evidence;
mod literals;
mod terms;

use super::call;
use super::header::{self, Header};
use super::host::Host;
use super::values::{EVENT_FIELDS, EVENT_WORDS, REQUEST_FIELDS, REQUEST_WORDS};
use super::words;
use crate::script::check::functions::Function;
use crate::script::check::language::{Given, Hook, Language, Parameter, Shape};
use crate::script::check::{self, call_at, literal};
use crate::script::diagnostics::{Diagnostic, Script};
use crate::script::kinds::Kind;
use crate::script::message;

/// The language of rules.
pub(super) const LANGUAGE: &Language = &Language {
    script: "policy",
    hooks: &[hook(call::Hook::Request, REQUEST), hook(call::Hook::Event, EVENT), hook(call::Hook::Message, MESSAGE)],
    constants: header::OWN,
    results: RESULTS,
    usage: words::usage,
    beginning: "write `fn on_request(request) { … }` and `const ACTIONS = [\"…\"];`",
};

const REQUEST: &[Parameter] = &[Parameter {
    name: "request",
    is: Given::Thing(&Shape { name: "request", fields: REQUEST_FIELDS, words: REQUEST_WORDS }),
}];
const EVENT: &[Parameter] = &[Parameter {
    name: "event",
    is: Given::Thing(&Shape { name: "event", fields: EVENT_FIELDS, words: EVENT_WORDS }),
}];
const MESSAGE: &[Parameter] = &[Parameter { name: "message", is: Given::Thing(message::SHAPE) }];

const fn hook(hook: call::Hook, parameters: &'static [Parameter]) -> Hook {
    Hook { name: hook.name(), header: Some(hook.header()), parameters }
}

/// What a word gives, where it is always the same.
const RESULTS: &[(Kind, &[&str])] = &[
    (Kind::Text, &["state", "time_of_day", "weekday"]),
    (Kind::Number, &["age_s", "count", "counted", "hour", "minute", "number"]),
    (
        Kind::Truth,
        &[
            "anybody_home",
            "between",
            "everybody_away",
            "is",
            "is_fresh",
            "is_known",
            "is_muted",
            "is_not",
            "is_speaker",
            "is_weekend",
            "playing_near",
            "spoke",
            "sun_is_down",
            "sun_is_up",
        ],
    ),
    (Kind::Map, &["approvals"]),
];

/// One policy under examination.
struct Examined<'a> {
    script: Script<'a>,
    functions: &'a [Function],
    header: &'a Header,
    host: &'a Host,
}

/// Everything beyond the structure, by place.
pub(super) fn meaning(script: Script<'_>, functions: &[Function], header: &Header, host: &Host) -> Vec<Diagnostic> {
    let (constants, vocabulary) = (&header.constants, &host.vocabulary);
    let mut findings =
        check::meaning(&check::Examined { script, functions, constants, language: LANGUAGE, vocabulary });
    let examined = Examined { script, functions, header, host };
    literals::check(&examined, &mut findings);
    evidence::check(&examined, &mut findings);
    findings
}
