//! The diagnosis for people: what was found first, what is open after it, the next step last.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::diagnosis::{Bridge, Diagnosis, Mirror};
use crate::config::Config;
use crate::model::decision::Enforcement;
use crate::model::mode::Mode;
use crate::shell::lines::{harmless, harmless_within};

const NAME: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const OPEN: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default();

/// Width of the first column.
const COLUMN: usize = 12;

/// Longest sentence of the report. Longer than any with names of the usual length in it.
const SENTENCE_CHARACTERS_MAX: usize = 1_000;

/// The whole report, with its colours.
pub(super) fn human(config: &Config, found: &Diagnosis) -> String {
    let mut text = String::new();
    line(&mut text, "bridge", &bridge(config, found));
    line(&mut text, "found", &entities(found));
    guarded(&mut text, config, found);
    line(&mut text, "mirror", mirror(found.mirror));
    if let Some(doors) = &found.doors {
        let said = if doors.gate + doors.twin > 0 {
            format!("{} came by the gate and {} by twins since the start", commands(doors.gate), doors.twin)
        } else if doors.watch + doors.bypass > 0 {
            "no command came by it since the start, others were seen on their way: Home Assistant may not read the mirror yet"
                .to_owned()
        } else {
            "no command came by it since the start".to_owned()
        };
        line(&mut text, "gate", &said);
        if doors.bypass > 0 {
            line(
                &mut text,
                "bypass",
                &format!("{BAD}{} went round the gate{BAD:#} since the start", commands(doors.bypass)),
            );
        }
    }
    let (style, word) = match found.enforcement {
        Enforcement::Proven => (GOOD, "proven"),
        Enforcement::Unproven => (OPEN, "not proven"),
        Enforcement::NotEnforced => (BAD, "not enforced"),
    };
    line(&mut text, "enforcement", &format!("{style}{word}{style:#}: {}", sentence(&found.enforcement_reason)));
    let problems = found.problems.iter().chain(&found.refused);
    for problem in problems {
        line(
            &mut text,
            "problem",
            &format!("{OPEN}{}{OPEN:#}: {}", harmless(&problem.about), harmless(&problem.problem)),
        );
    }
    if found.coverage.not_covered.is_empty() {
        line(&mut text, "not covered", "nothing that announces itself or that Home Assistant's streams have shown");
    }
    for missing in &found.coverage.not_covered {
        let said = format!("{BAD}{}{BAD:#}: {}", harmless(&missing.what), sentence(&missing.reason));
        line(&mut text, "not covered", &said);
        line(&mut text, "", &format!("{HELP}help{HELP:#}: {}", sentence(&missing.help)));
    }
    for note in &found.coverage.notes {
        line(&mut text, "note", &sentence(note));
    }
    if let Some(gap) = &found.gap {
        line(&mut text, "gap", &format!("something may be missing here: {}", harmless(gap)));
    }
    line(&mut text, "next", &found.next);
    text
}

/// A sentence with names of others in it, whole: half a help helps nobody.
fn sentence(text: &str) -> Cow<'_, str> {
    harmless_within(text, SENTENCE_CHARACTERS_MAX)
}

fn line(text: &mut String, name: &str, said: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{NAME}{name:<COLUMN$}{NAME:#} {said}").unwrap_or(());
}

fn bridge(config: &Config, found: &Diagnosis) -> String {
    let mode = match config.mode {
        Mode::Observe => "observe",
        Mode::Enforce => "enforce",
    };
    let base = harmless(&config.base);
    match found.bridge {
        Bridge::Online => format!("{GOOD}online{GOOD:#} on the base `{base}`; the configuration says `mode: {mode}`"),
        Bridge::Offline => format!("{OPEN}offline{OPEN:#} on the base `{base}`"),
        Bridge::None => format!("{OPEN}none{OPEN:#}: no bridge has run on the base `{base}` of this broker"),
    }
}

fn entities(found: &Diagnosis) -> String {
    let count: usize = found.entities.values().sum();
    if count == 0 {
        return "no entity is announced".to_owned();
    }
    let kinds: Vec<String> =
        found.entities.iter().map(|(platform, count)| format!("{count} {}", harmless(platform))).collect();
    format!("{count} announced entities: {}", kinds.join(", "))
}

fn commands(count: u64) -> String {
    if count == 1 { "1 command".to_owned() } else { format!("{count} commands") }
}

/// Each guarded entity with its topics.
fn guarded(text: &mut String, config: &Config, found: &Diagnosis) {
    let twins = &config.home_assistant.twins;
    if found.guarded.is_empty() && twins.is_empty() {
        line(text, "guarded", "nothing");
    }
    for (entity, topics) in &found.guarded {
        let topics: Vec<String> = topics.iter().map(|topic| format!("`{}`", harmless(topic))).collect();
        line(text, "guarded", &format!("{} on {}", harmless(entity), topics.join(", ")));
    }
    for twin in twins {
        line(text, "twin", twin);
    }
}

fn mirror(mirror: Mirror) -> &'static str {
    match mirror {
        Mirror::Empty => "empty: no bridge has mirrored the announcements yet",
        Mirror::Gate => "whole; what is guarded points at the gate",
        Mirror::Released => "released: everything points at the devices",
        Mirror::Incomplete => "not what it should be; a running bridge puts it right",
    }
}
