//! `hushgate log show`: everything about one decision, in order.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::list::open;
use super::output::{Output, json_line};
use super::place::PlaceArguments;
use super::{Format, Stop};
use crate::cli::Exit;
use crate::cli::terminal::Progress;
use crate::model::decision::{Decision, FactRead};
use crate::model::event::{Entry, Record};
use crate::shell::lines::heard::story;
use crate::shell::lines::{Palette, harmless, moment, plain};
use crate::shell::log::outline;
use crate::shell::log::reading::{Kept, Reading, Records};
use crate::shell::log::segments::Place;
use crate::shell::log::select::Selection;

/// Where the ids of decisions stand in a record: its own, or the one that it is about.
const IDS: [&str; 6] =
    ["/decision/id", "/decision/settles/pending", "/decision/confirm/joins", "/pending", "/id", "/by"];
/// Records that belong to one decision. Those beyond are left out, and that is said.
const RECORDS_MAX: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The number of a record (`1234`), or the id of a decision.
    #[arg(value_name = "NUMBER|ID")]
    what: String,
    #[command(flatten)]
    place: PlaceArguments,
    /// For whom it is written: `csv` is none of its forms.
    #[arg(long, value_enum, default_value_t = crate::cli::Format::Human)]
    format: crate::cli::Format,
}

pub(super) fn execute(arguments: &ShowArguments) -> Result<Exit, Stop> {
    let place = arguments.place.find()?;
    let reading = open(&place.data)?;
    let mut records = Records::new(&place.data);
    let found = gather(&reading, &mut records, &arguments.what)?;
    if found.is_empty() {
        let what = &arguments.what;
        return Err(Stop::Failed(format!(
            "no record has the number or the id `{what}`\nhelp: `hushgate log` tells numbers"
        )));
    }
    let mut output = Output::new(Format::Human, place.zone.clone());
    for kept in found.into_values() {
        if arguments.format == crate::cli::Format::Json {
            output.line(&json_line(kept));
            continue;
        }
        let seq = kept.place.seq;
        let record = kept.opened.into_record().map_err(|error| format!("record {seq}: {error}"))?;
        let at = record.at.to_zoned(place.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let (_, sentence) = plain::sentence(&record, &[], &Palette::COLOURED, &place.zone);
        output.line(&format!("#{seq} {at} {sentence}"));
        if let Record { entry: Entry::Decision { decision }, .. } = &record {
            details(decision, &place.zone)
                .iter()
                .for_each(|(name, value)| output.line(&format!("    {name:<12} {}", harmless(value))));
        }
    }
    output.flush();
    Ok(Exit::Done)
}

/// The record that was asked for, and all that belongs to it.
fn gather(reading: &Reading, records: &mut Records, what: &str) -> Result<BTreeMap<u64, Kept>, String> {
    let mut found = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let number = what.strip_prefix('#').unwrap_or(what).parse().ok();
    if let Some(seq) = number {
        let selection = Selection { seq: Some(seq), ..Selection::default() };
        take(reading, records, &selection, &mut |kept| {
            ids.extend(ids_of(&kept.opened.value));
            found.insert(seq, kept);
            false
        })?;
    } else {
        ids.insert(what.to_owned());
    }
    // What is about a decision may name another one: the one that was held, the one that settled it.
    let mut asked = BTreeSet::new();
    loop {
        let keys: Vec<i64> = ids.difference(&asked).map(|id| outline::key(id)).collect();
        if keys.is_empty() || found.len() >= RECORDS_MAX {
            break;
        }
        asked.clone_from(&ids);
        take(reading, records, &Selection { keys, ..Selection::default() }, &mut |kept| {
            let named = ids_of(&kept.opened.value);
            // Two ids may have one key.
            if named.iter().any(|id| asked.contains(id)) {
                ids.extend(named);
                found.insert(kept.place.seq, kept);
            }
            found.len() < RECORDS_MAX
        })?;
    }
    let decisions: Vec<Place> =
        found.values().filter(|kept| kept.opened.value.get("decision").is_some()).map(|kept| kept.place).collect();
    for decision in decisions {
        for (place, record) in records.following(decision)? {
            if plain::is_told_with_decision(&record)
                && let Some(kept) = records.fetch(place)?
            {
                found.insert(place.seq, kept);
            }
        }
    }
    Ok(found)
}

fn take(
    reading: &Reading,
    records: &mut Records,
    selection: &Selection,
    each: &mut dyn FnMut(Kept) -> bool,
) -> Result<(), String> {
    let mut progress = Progress::new("reading the journal", reading.bytes_to_scan()?);
    let mut fetch = |place| Ok(records.fetch(place)?.is_none_or(&mut *each));
    reading.each(selection, &mut fetch, &mut |bytes| progress.advance(bytes))
}

fn ids_of(record: &Value) -> BTreeSet<String> {
    // Who made a change is no id, and neither is the name of a policy.
    let is_id = |text: &&str| text.len() >= 3 && text.contains('-');
    IDS.iter().filter_map(|pointer| record.pointer(pointer)?.as_str()).filter(is_id).map(str::to_owned).collect()
}

/// Name and value, line by line.
fn details(decision: &Decision, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let request = &decision.request;
    let mut details = vec![
        ("id", decision.id.clone()),
        ("action", request.action.clone()),
        ("verdict", format!("{}, applied: {}", decision.verdict.name(), decision.applied.name())),
        ("reason", decision.reason.clone()),
        ("source", json(&request.source)),
        ("door", json(&request.door)),
        ("grade", format!("{}, the way around: {}", json(&decision.grade), json(&decision.enforcement))),
        ("mode", decision.mode.name().to_owned()),
        ("policies", format!("revision {}", decision.revision)),
    ];
    details.extend(request.target.clone().map(|target| ("target", target)));
    details.extend(request.text.clone().map(|text| ("text", text)));
    details.extend(request.confidence.map(|confidence| ("confidence", confidence.to_string())));
    details.extend(request.heard.as_ref().and_then(|heard| story(heard, zone)).map(|story| ("heard", story)));
    details.extend(request.data.iter().map(|(name, value)| ("data", format!("{name}: {value}"))));
    for opinion in &decision.opinions {
        let error = opinion.error.as_ref().map(|error| format!("; it failed: {}", error.message)).unwrap_or_default();
        let verdict = opinion.verdict.name();
        let mode = opinion.mode.name();
        details.push(("opinion", format!("{} ({mode}): {verdict}, {}{error}", opinion.policy, opinion.reason)));
    }
    details.extend(decision.facts.iter().map(|fact| ("fact", fact_read(fact))));
    if let Some(confirm) = &decision.confirm {
        details.push(("asked", format!("{} on {}", confirm.question, confirm.channels.join(", "))));
        details.push(("until", moment(&confirm.until, Some(zone))));
    }
    details.extend(decision.settles.as_ref().map(|settles| ("settles", settles.pending.clone())));
    details
}

fn fact_read(fact: &FactRead) -> String {
    let attribute = fact.attribute.as_ref().map(|attribute| format!(" {attribute}")).unwrap_or_default();
    let value = fact.value.as_ref().map_or_else(|| "unknown".to_owned(), Value::to_string);
    let age = fact.age_ms.map(|age_ms| format!(", {} s old", age_ms / 1_000)).unwrap_or_default();
    format!("{}{attribute} = {value}{age}", fact.entity)
}

/// A word of the record's JSON, without its quotes.
fn json<T: serde::Serialize>(value: &T) -> String {
    // All of these have a form in JSON; without one the line is empty.
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
