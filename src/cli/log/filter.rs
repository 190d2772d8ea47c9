//! Which records are wanted, as the command line says it.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::{Stop, moment, usage};
use crate::model::decision::Verdict;
use crate::model::request::SourceKind;
use crate::script::nearest::did_you_mean_one_of;
use crate::shell::log::outline::KINDS;
use crate::shell::log::select::{NamePattern, Selection};

/// Names are patterns with `*`, or words of the name: `kitchen` fits `kitchen_echo`. Several are divided by commas.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// From this moment on: `1d`, `23:00`, `2026-11-20`, `2026-11-20 23:00`.
    #[arg(long, value_name = "MOMENT")]
    pub(super) since: Option<String>,
    /// Before this moment.
    #[arg(long, value_name = "MOMENT")]
    pub(super) until: Option<String>,
    /// What was said on a request.
    #[arg(long, value_delimiter = ',')]
    verdict: Vec<VerdictArgument>,
    /// What was done with a request.
    #[arg(long, value_delimiter = ',')]
    applied: Vec<VerdictArgument>,
    /// The action or event: `lock.unlock`, `notify.*`.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    action: Vec<String>,
    /// What it was about: `front_door`.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    target: Vec<String>,
    /// Who asked, was asked, muted or spoke: a channel, satellite or speaker.
    #[arg(long, visible_alias = "channel", value_name = "PATTERN", value_delimiter = ',')]
    speaker: Vec<String>,
    /// A policy that had an opinion, asked or reacted.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    policy: Vec<String>,
    /// The kind of asker.
    #[arg(long, value_delimiter = ',')]
    source: Vec<SourceArgument>,
    /// Kinds of records: `decision`, `muted`, `connected`, …
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(super) record: Vec<String>,
    /// Words that must all stand in what is kept.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum VerdictArgument {
    Allow,
    Confirm,
    Deny,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SourceArgument {
    Voice,
    Person,
    Automation,
    Agent,
    Policy,
    Unknown,
}

impl FilterArguments {
    pub(super) fn selection(&self, now: Timestamp, zone: &TimeZone) -> Result<Selection, Stop> {
        let moment = |text: &Option<String>| {
            text.as_ref().map(|text| moment::parse(text, now, zone).map_err(|error| usage(&error))).transpose()
        };
        if let Some(kind) = self.record.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            let help = did_you_mean_one_of(kind, KINDS.iter().copied()).unwrap_or_default();
            return Err(usage(&format!("expected a kind of record, found `{kind}`\nhelp: {help}")));
        }
        Ok(Selection {
            since: moment(&self.since)?,
            until: moment(&self.until)?,
            records: self.record.clone(),
            verdicts: self.verdict.iter().copied().map(verdict).collect(),
            applied: self.applied.iter().copied().map(verdict).collect(),
            actions: patterns(&self.action),
            targets: patterns(&self.target),
            speakers: patterns(&self.speaker),
            policies: patterns(&self.policy),
            sources: self.source.iter().copied().map(source).collect(),
            ..Selection::default()
        })
    }

    /// The words that must stand in a record, in lower case.
    pub(super) fn words(&self) -> Vec<String> {
        self.text.iter().flat_map(|text| text.split_whitespace()).map(str::to_lowercase).collect()
    }
}

pub(super) fn patterns(texts: &[String]) -> Vec<NamePattern> {
    texts.iter().map(|text| NamePattern::new(text)).collect()
}

const fn verdict(argument: VerdictArgument) -> Verdict {
    match argument {
        VerdictArgument::Allow => Verdict::Allow,
        VerdictArgument::Confirm => Verdict::Confirm,
        VerdictArgument::Deny => Verdict::Deny,
    }
}

const fn source(argument: SourceArgument) -> SourceKind {
    match argument {
        SourceArgument::Voice => SourceKind::Voice,
        SourceArgument::Person => SourceKind::Person,
        SourceArgument::Automation => SourceKind::Automation,
        SourceArgument::Agent => SourceKind::Agent,
        SourceArgument::Policy => SourceKind::Policy,
        SourceArgument::Unknown => SourceKind::Unknown,
    }
}

/// Whether each word stands in some text of the record.
pub(super) fn has_words(record: &Value, words: &[String]) -> bool {
    words.iter().all(|word| has_word(record, word))
}

fn has_word(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text.to_lowercase().contains(word),
        Value::Array(items) => items.iter().any(|item| has_word(item, word)),
        Value::Object(fields) => fields.values().any(|field| has_word(field, word)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_looked_for_in_texts_and_not_in_names_of_fields() {
        let record = serde_json::json!({"decision": {"request": {"text": "Open the DOOR"}, "facts": [{"value": 7}]}});
        for (words, expected) in
            [(vec!["door"], true), (vec!["door", "open"], true), (vec!["facts"], false), (vec!["door", "x"], false)]
        {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(has_words(&record, &words), expected, "{words:?}");
        }
    }
}
