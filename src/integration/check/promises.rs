//! What the constants promise, the functions keep, and the other way round.

use super::Examined;
use crate::script::diagnostics::{Diagnostic, Place};

pub(super) fn check(examined: &Examined<'_>, findings: &mut Vec<Diagnostic>) {
    let Examined { script, header, .. } = *examined;
    let place_of = |name: &str| examined.places.get(name).copied().unwrap_or_default();
    let mut refuse = |place: Place, message: &str, help: &str| {
        findings.push(script.error("header", place, message.to_owned()).with_help(Some(help)));
    };
    let has = |name: &str| examined.places.contains_key(name);
    if header.mutes("mic") && header.grade.as_deref().is_none_or(|grade| grade.trim().is_empty()) {
        let message = "expected `GRADE` beside `mic` in `MUTES`: what muting the microphone honestly achieves";
        refuse(place_of("MUTES"), message, "write `const GRADE = \"stops listening\";`, or what is true");
    }
    if has("GRADE") && !has("MUTES") {
        refuse(place_of("GRADE"), "`GRADE` has no effect: there is no `MUTES`", "leave it out, or write `MUTES`");
    }
    if let (Some(cancel), None) = (examined.function("cancel"), examined.function("ask")) {
        let help = "leave it out, or write `fn ask(speaker, question) { … }`";
        refuse(cancel.place, "`cancel` is never called: there is no `ask`", help);
    }
    for (word, function, missing) in [
        ("mute", "mute", "`CONFIRMS` has `mute`, and there is no `mute`"),
        ("announce", "announce", "`CONFIRMS` has `announce`, and there is no `announce`"),
    ] {
        if header.confirms(word) && examined.function(function).is_none() {
            refuse(place_of("CONFIRMS"), missing, "leave it out: only what can be done can be confirmed");
        }
    }
    let mut warn = |code: &'static str, place: Place, message: &str, help: &str| {
        findings.push(script.warning(code, place, message.to_owned()).with_help(Some(help)));
    };
    for (word, said, message) in [
        ("mute", "muted", "`CONFIRMS` has `mute`, and nothing says `muted(speaker, what)`: no mute is ever confirmed"),
        (
            "announce",
            "said",
            "`CONFIRMS` has `announce`, and nothing says `said(speaker, id)`: no announcement is ever confirmed",
        ),
    ] {
        if header.confirms(word) && !examined.says(said) {
            warn(
                "never-confirmed",
                place_of("CONFIRMS"),
                message,
                "read the feedback in `on_message`, or leave it out",
            );
        }
    }
    if let Some(ask) = examined.function("ask").filter(|_| !examined.says("approve")) {
        let message = "`ask` asks, and nothing says `approve(speaker, token)`: nobody can say yes by it";
        warn("no-answer", ask.place, message, "read the answer in `on_message`");
    }
}
