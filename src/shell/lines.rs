//! One line for people: of a decision, and of every other record.
//!
//! What came from outside is made harmless for a terminal first: a topic must not be able to write its own line. The same in
//! whole sentences, for the owner who reads the log, is in `plain`.

pub mod heard;
pub mod plain;
mod speakers;
mod verbs;

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::decision::{Decision, Enforcement, Grade, Outcome, Verdict};
use crate::model::event::{Entry, Overheard, Record};
use crate::model::request::Source;
use crate::model::speaker::What;

/// Characters of one text that are shown.
pub const TEXT_CHARACTERS_MAX: usize = 200;

/// Between the parts of a line.
const SEPARATOR: &str = " · ";

/// How the parts of a line look.
#[derive(Debug, Clone, Copy)]
pub struct Palette {
    strong: Style,
    quiet: Style,
    verdicts: [Style; 3],
}

impl Palette {
    pub const PLAIN: Palette = Palette { strong: Style::new(), quiet: Style::new(), verdicts: [Style::new(); 3] };
    pub const COLOURED: Palette = Palette {
        strong: Style::new().bold(),
        quiet: Style::new().dimmed(),
        verdicts: [
            AnsiColor::Green.on_default().bold(),
            AnsiColor::Yellow.on_default().bold(),
            AnsiColor::Red.on_default().bold(),
        ],
    };

    /// How what matters less looks.
    pub const fn quiet(&self) -> Style {
        self.quiet
    }

    /// How a verdict looks.
    pub const fn verdict(&self, verdict: Verdict) -> Style {
        let [allow, confirm, deny] = self.verdicts;
        match verdict {
            Verdict::Allow => allow,
            Verdict::Confirm => confirm,
            Verdict::Deny => deny,
        }
    }
}

/// A text without control characters and changes of direction, and not longer than anybody reads.
pub fn harmless(text: &str) -> Cow<'_, str> {
    harmless_within(text, TEXT_CHARACTERS_MAX)
}

/// The same with another length: for sentences of our own in which a name of somebody else's stands.
pub fn harmless_within(text: &str, characters_max: usize) -> Cow<'_, str> {
    let is_harmful = |c: char| {
        c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
    };
    if text.len() <= characters_max && !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == characters_max {
            shown.push('…');
            break;
        }
        if is_harmful(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// A decision: verdict, action, target, source, reason, deciding policies.
pub fn decision(decision: &Decision, palette: &Palette) -> String {
    let request = &decision.request;
    let (style, strong, quiet) = (palette.verdict(decision.verdict), palette.strong, palette.quiet);
    let mut line =
        format!("{style}{:<7}{style:#} {strong}{}{strong:#}", decision.verdict.name(), harmless(&request.action));
    if let Some(target) = &request.target {
        push(&mut line, " ", format_args!("{}", harmless(target)));
    }
    push(&mut line, SEPARATOR, format_args!("{}", source(&request.source)));
    push(&mut line, SEPARATOR, format_args!("{}", harmless(&decision.reason)));
    if !decision.deciding.is_empty() {
        push(&mut line, SEPARATOR, format_args!("{quiet}{}{quiet:#}", harmless(&decision.deciding.join(", "))));
    }
    if let Some(settlement) = &decision.settles {
        let outcome = match settlement.outcome {
            Outcome::Approved => "approved",
            Outcome::Rejected => "rejected",
            Outcome::Expired => "not answered in time",
            Outcome::JudgedAgain => "judged again",
            Outcome::Unopposed => "nobody objected",
            Outcome::Cancelled => "cancelled by a contrary command",
        };
        push(&mut line, SEPARATOR, format_args!("{outcome}"));
        if let Some(channel) = &settlement.channel {
            push(&mut line, " by ", format_args!("{}", harmless(channel)));
        }
    }
    let aside = match (decision.grade, request.door.holds()) {
        (Grade::Reverted, _) => Some("undone"),
        (_, false) => Some("only seen"),
        (_, true) => (decision.applied != decision.verdict).then_some("only observed"),
    };
    if let Some(aside) = aside {
        push(&mut line, SEPARATOR, format_args!("{quiet}{aside}{quiet:#}"));
    }
    line
}

fn push(line: &mut String, separator: &str, part: std::fmt::Arguments<'_>) {
    line.push_str(separator);
    // Writing to a string cannot fail.
    line.write_fmt(part).unwrap_or(());
}

fn source(source: &Source) -> String {
    let name = source.channel.as_deref().or(source.policy.as_deref());
    let name = name.or(source.satellite.as_ref().map(|satellite| satellite.name.as_str()));
    let certainty = source.evidence.map_or_else(String::new, |evidence| format!("{} ", evidence.certainty.name()));
    match name {
        Some(name) => format!("{certainty}{} {}", source.kind.name(), harmless(name)),
        None => format!("{certainty}{}", source.kind.name()),
    }
}

/// A moment within a day, by the clock on the wall. Without a zone: the whole of it, in UTC.
pub fn moment(at: &Timestamp, zone: Option<&TimeZone>) -> String {
    match zone {
        Some(zone) => at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string(),
        None => format!("{at:.0}"),
    }
}

/// Any record, with times by `moment`. `true`: the owner should look at it.
pub fn record(record: &Record, palette: &Palette, zone: Option<&TimeZone>) -> (bool, String) {
    let about = |word: &str, what: &str, why: &str| about(palette.strong, word, what, why);
    let by = |who: &String| format!(" by {}", harmless(who));
    let ends = |until: &Option<Timestamp>| {
        until.as_ref().map(|until| format!(" until {}", moment(until, zone))).unwrap_or_default()
    };
    match &record.entry {
        Entry::Decision { decision } => (false, self::decision(decision, palette)),
        Entry::Refused { topic, reason } => (true, about("refused", topic, reason)),
        Entry::AnswerRefused { pending, channel, reason } => {
            // What comes without a token, or with one that nobody knows, is for no question in particular.
            let to = if pending.is_empty() { String::new() } else { format!("{pending} ") };
            (true, about("answer refused", &format!("{to}from {channel}"), reason))
        }
        Entry::WishRefused { policy, wish, reason } => {
            (true, about("wish refused", &format!("{wish} of policy {policy}"), reason))
        }
        Entry::Ghost { topic } => (true, about("ghost cleared", topic, "a stored message lay on a command topic")),
        Entry::Forged { topic } => (true, about("forged topic", topic, "somebody else wrote it; it was put right")),
        Entry::PolicyFailed { error } => {
            let place = format!("{}:{}:{}", error.file, error.line, error.column);
            (true, about("policy failed", &place, &error.message))
        }
        Entry::IntegrationFailed { error } => {
            let place = format!("{}:{}:{}", error.file, error.line, error.column);
            (true, about("integration failed", &place, &error.message))
        }
        Entry::IntegrationsReloaded { integrations } => {
            (false, about("integrations", "reloaded", &integrations.join(", ")))
        }
        Entry::Muted { speaker, what, until, reason, by: who, applied } => {
            let word = if *applied { "muted" } else { "would be muted" };
            (false, about(word, &format!("{} until {}{}", part(speaker, *what), moment(until, zone), by(who)), reason))
        }
        Entry::Unmuted { speaker, by: who } => (false, format!("un-muted {}{}", harmless(speaker), by(who))),
        Entry::MuteRefused { .. }
        | Entry::MuteUnconfirmed { .. }
        | Entry::MuteConfirmed { .. }
        | Entry::MuteReasserted { .. }
        | Entry::MuteContested { .. }
        | Entry::Said { .. }
        | Entry::AnnounceUnconfirmed { .. }
        | Entry::RefusalSpoken { .. } => speakers::line(&record.entry, palette),
        Entry::ModeSet { mode, by: who, until } => {
            (false, format!("mode is {}{}{}", mode.name(), by(who), ends(until)))
        }
        Entry::PolicySet { policy, on, by: who, until } => {
            let state = if *on { "on" } else { "off" };
            (false, format!("policy {} is {state}{}{}", harmless(policy), by(who), ends(until)))
        }
        Entry::Notice { text, policy, applied } => {
            let word = if *applied { "notice" } else { "would notify" };
            (false, about(word, policy, text))
        }
        Entry::Announced { speaker, text, policy, applied, .. } => {
            let word = if *applied { "announced on" } else { "would announce on" };
            (false, about(word, speaker, text) + SEPARATOR + harmless(policy).as_ref())
        }
        Entry::Published { topic, policy, applied } => {
            let word = if *applied { "published" } else { "would publish" };
            (false, about(word, topic, policy))
        }
        Entry::Reloaded { revision, policies } => {
            let count = if policies.len() == 1 { "policy is" } else { "policies are" };
            (false, format!("{} {count} in force, revision {}", policies.len(), harmless(revision)))
        }
        Entry::ReloadRefused { errors, integrations } => {
            let what = if *integrations { "integrations" } else { "policies" };
            let errors: Vec<Cow<'_, str>> = errors.iter().map(|error| harmless(error)).collect();
            (true, format!("new {what} refused, the old ones stay in force: {}", errors.join("; ")))
        }
        Entry::Connected => (false, "connected to the broker".to_owned()),
        Entry::Disconnected { reason } => (true, format!("connection lost: {}", harmless(reason))),
        Entry::Dropped { topic, reason } => (true, about("not delivered", topic, reason)),
        Entry::Full { table, limit, what } => {
            (true, format!("{} is full ({limit}): {}", harmless(table), harmless(what)))
        }
        Entry::Guarded { topic, entities, problem: None, by: who } => {
            let word = if who.is_some() { "guarded, and accepted" } else { "guarded" };
            (false, about(word, topic, &entities.join(", ")))
        }
        Entry::Guarded { topic, entities, problem: Some(problem), .. } => {
            (true, about("guarded, and changed", topic, problem) + SEPARATOR + harmless(&entities.join(", ")).as_ref())
        }
        Entry::RelaySet { on, by: who, until } => {
            let state = if *on { "points at the gate" } else { "points at the devices" };
            (!on, format!("the mirrored discovery {state}{}{}", by(who), ends(until)))
        }
        Entry::Canary { enforcement, reason } => {
            let (is_shut, word) = match enforcement {
                Enforcement::Proven => (true, "proven: the way around is shut"),
                Enforcement::Unproven => (false, "not proven: the way around may be open"),
                Enforcement::NotEnforced => (false, "the way around is open"),
            };
            (!is_shut, format!("{word}{SEPARATOR}{}", harmless(reason)))
        }
        Entry::Unconfirmed { action, target, expected, found, .. } => {
            let found = found.as_deref().unwrap_or("nothing known");
            (
                true,
                about("did not happen", &format!("{action} {target}"), &format!("expected {expected}, found {found}")),
            )
        }
        Entry::Reverted { topic, action, target, .. } => {
            let what = target.as_ref().map_or_else(|| action.clone(), |target| format!("{action} {target}"));
            (true, about("undone by", &what, topic))
        }
        Entry::Clock { plausible: true, utc } => (false, format!("the clock is right again: {utc:.0}")),
        Entry::Clock { plausible: false, utc } => (true, format!("the clock cannot be right: {utc:.0}")),
        Entry::Event { event, policies } => {
            let heard = if policies.is_empty() { "nobody reacted".to_owned() } else { policies.join(", ") };
            (false, about("event", &event.name, &heard))
        }
        Entry::Granted { channel, action, target, until, .. } => {
            let target = target.as_ref().map(|target| format!(" {}", harmless(target))).unwrap_or_default();
            let until = moment(until, zone);
            (false, format!("granted to {}: {}{target} until {until}", harmless(channel), harmless(action)))
        }
        Entry::Revoked { id, by: who } => (false, format!("grant {} is over{}", harmless(id), by(who))),
        Entry::ChannelLocked { channel, until } => {
            let why = format!("too many wrong codes; nothing is approved there until {}", moment(until, zone));
            (true, about("locked", channel, &why))
        }
        Entry::ChannelOverheard { overheard: Overheard { channel, problem } } => match problem {
            Some(problem) => (true, about("overheard", channel, problem)),
            None => (false, about("not overheard", channel, "nobody who was tried can read what is answered there")),
        },
        Entry::Noticed { pending, channel } => (false, about("seen", pending, channel)),
        Entry::Started { version, revision, mode } => (
            false,
            format!("hushgate {} starts, mode {}, revision {}", harmless(version), mode.name(), harmless(revision)),
        ),
        Entry::Stopped { reason } => (false, format!("hushgate ends: {}", harmless(reason))),
        Entry::Journal { failure: Some(reason) } => {
            let reason = harmless(reason);
            (true, format!("the journal cannot be written{SEPARATOR}{reason}; what is sensitive is denied"))
        }
        Entry::Journal { failure: None } => (false, "the journal can be written again".to_owned()),
        Entry::Gap { lost, since, reason } => {
            let what = format!("{lost} records since {}", moment(since, zone));
            (true, about("lost", &what, reason))
        }
        Entry::Torn { bytes } => (true, format!("the end of the journal was torn: {bytes} bytes were cut off")),
        Entry::Pruned { entries, .. } => (false, format!("{entries} old records were taken out of the journal")),
        Entry::StateLost { file, reason } => (true, about("put aside", file, reason)),
        Entry::AskedAnew { pending, channels, reason } => {
            (false, about("asked anew", &format!("{pending} on {}", channels.join(", ")), reason))
        }
    }
}

fn about(strong: Style, word: &str, what: &str, why: &str) -> String {
    format!("{word} {strong}{}{strong:#}{SEPARATOR}{}", harmless(what), harmless(why))
}

/// What of a speaker is meant; its microphone, where nothing else is said.
fn part(speaker: &str, what: What) -> String {
    match what {
        What::Mic => harmless(speaker).to_string(),
        What::Sound => format!("the sound of {}", harmless(speaker)),
        What::Both => format!("{} and its sound", harmless(speaker)),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::decision::Grade;
    use crate::model::mode::Mode;
    use crate::model::request::{Door, Request, SourceKind};

    pub(crate) fn example() -> Decision {
        Decision {
            id: "1".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            request: Request {
                action: "lock.unlock".to_owned(),
                target: Some("front_door".to_owned()),
                source: Source { kind: SourceKind::Voice, channel: Some("kitchen".to_owned()), ..Source::default() },
                door: Door::Gate,
                data: std::collections::BTreeMap::new(),
                text: None,
                confidence: None,
                sensitive: false,
                heard: None,
            },
            verdict: Verdict::Deny,
            applied: Verdict::Allow,
            mode: Mode::Observe,
            reason: "not by voice".to_owned(),
            deciding: vec!["second-channel".to_owned()],
            opinions: Vec::new(),
            facts: Vec::new(),
            grade: Grade::Prevented,
            enforcement: Enforcement::NotEnforced,
            revision: "abc".to_owned(),
            confirm: None,
            settles: None,
        }
    }

    #[test]
    fn a_decision_is_one_line_with_everything_that_matters() {
        assert_eq!(
            decision(&example(), &Palette::PLAIN),
            "deny    lock.unlock front_door · voice kitchen · not by voice · second-channel · only observed"
        );
        let coloured = decision(&example(), &Palette::COLOURED);
        assert!(coloured.contains("\u{1b}[1m\u{1b}[31mdeny"), "the verdict is red");
    }

    #[test]
    fn the_end_of_a_mute_is_told_by_the_clock_on_the_wall() {
        let (until, zone) = ("2027-05-18T06:44:03.5Z".parse().unwrap(), TimeZone::get("America/Los_Angeles").unwrap());
        let record = Record {
            at: Timestamp::UNIX_EPOCH,
            entry: Entry::Muted {
                what: What::Mic,
                speaker: "kitchen".to_owned(),
                until,
                reason: "guests".to_owned(),
                by: "control".to_owned(),
                applied: true,
            },
        };
        for (zone, expected) in [
            (None, "muted kitchen until 2027-05-18T06:44:03Z by control · guests"),
            (Some(&zone), "muted kitchen until 23:44:03 by control · guests"),
        ] {
            assert_eq!(self::record(&record, &Palette::PLAIN, zone).1, expected);
        }
    }

    #[test]
    fn what_comes_from_outside_writes_no_line_of_its_own() {
        for (text, expected) in [
            ("a\nb", "a\\u{a}b"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{202E}abc", "\\u{202e}abc"),
            ("naïve café", "naïve café"),
        ] {
            assert_eq!(harmless(text), expected);
        }
        assert_eq!(harmless(&"é".repeat(TEXT_CHARACTERS_MAX)).chars().count(), TEXT_CHARACTERS_MAX);
        assert_eq!(harmless(&"é".repeat(500)).chars().count(), TEXT_CHARACTERS_MAX + 1);
        let record = Record {
            at: Timestamp::UNIX_EPOCH,
            entry: Entry::Dropped { topic: "a\nINFO allow".to_owned(), reason: "r".to_owned() },
        };
        let (is_warning, line) = self::record(&record, &Palette::PLAIN, None);
        assert!(is_warning && !line.contains('\n'), "{line}");
    }
}
