//! How the owner's log is kept: what of what was said, for how long, and how much.

use std::collections::BTreeMap;

use super::keys;
use super::reader::{Cursor, Fields, Reader};
use crate::model::request::SourceKind;
use crate::script::nearest::did_you_mean_one_of;
use crate::time::parse_duration_ms;

/// The bounds of `log.ordinary` and `log.sensitive`.
const KEPT_MIN_MS: u64 = 86_400_000;
const KEPT_MAX_MS: u64 = 3_650 * 86_400_000;
/// The bounds of `log.size`.
const SIZE_MIN_BYTES: u64 = 10 * 1_000_000;
const SIZE_MAX_BYTES: u64 = 1_000 * 1_000_000_000;

/// The kinds of sources, as `log.text` names them.
const KINDS: [SourceKind; 6] = [
    SourceKind::Voice,
    SourceKind::Person,
    SourceKind::Automation,
    SourceKind::Agent,
    SourceKind::Policy,
    SourceKind::Unknown,
];

/// How the owner's log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What is kept of a text that was heard or sent, by the kind of its source.
    pub text: BTreeMap<SourceKind, Keep>,
    /// The same for kinds that are not named, and for events.
    pub text_default: Keep,
    /// Whether `decision/…` carries texts.
    pub publish_text: bool,
    /// How long records of ordinary requests and of the run of things are kept.
    pub ordinary_ms: u64,
    /// How long records of sensitive requests, confirmations, mutes and control are kept.
    pub sensitive_ms: u64,
    /// Bytes of the whole journal. The oldest goes first.
    pub size_bytes: u64,
    /// Sensitive commands leave only when their record is on the disk.
    pub sync_sensitive: bool,
}

/// What is kept of a text. The order is from the most to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// All of it, until it is forgotten.
    Keep,
    /// How many words it has.
    Mask,
    /// Nothing.
    Drop,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            text: BTreeMap::new(),
            text_default: Keep::Mask,
            publish_text: false,
            ordinary_ms: 90 * 86_400_000,
            sensitive_ms: 2 * 365 * 86_400_000,
            size_bytes: 2_000_000_000,
            sync_sensitive: false,
        }
    }
}

impl Log {
    /// What is kept of a text of this kind of source.
    pub fn keep(&self, kind: SourceKind) -> Keep {
        self.text.get(&kind).copied().unwrap_or(self.text_default)
    }
}

pub(super) fn read(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> Log {
    let fields = reader.fields(cursor, keys::LOG);
    let mut log = Log::default();
    if let Some(cursor) = fields.get("text") {
        read_text(reader, cursor, &mut log);
    }
    if let Some(publish_text) = fields.get("publish_text").and_then(|cursor| reader.flag(cursor)) {
        log.publish_text = publish_text;
    }
    log.ordinary_ms = read_kept(reader, &fields, "ordinary").unwrap_or(log.ordinary_ms);
    log.sensitive_ms = read_kept(reader, &fields, "sensitive").unwrap_or(log.sensitive_ms);
    log.size_bytes = read_size(reader, &fields).unwrap_or(log.size_bytes);
    let sync = fields.get("sync");
    let sync = sync.and_then(|cursor| one_of(reader, cursor, &[("none", false), ("sensitive", true)]));
    log.sync_sensitive = sync.unwrap_or(log.sync_sensitive);
    log
}

/// One word for all, or a mapping by the kind of the source.
fn read_text(reader: &mut Reader<'_>, cursor: &Cursor<'_>, log: &mut Log) {
    const KEEPS: [(&str, Keep); 3] = [("keep", Keep::Keep), ("mask", Keep::Mask), ("drop", Keep::Drop)];
    if !cursor.is_mapping() {
        log.text_default = one_of(reader, cursor, &KEEPS).unwrap_or(log.text_default);
        return;
    }
    let fields = reader.fields(cursor, keys::LOG_TEXT);
    let mut keep = |name: &str| fields.get(name).and_then(|cursor| one_of(reader, cursor, &KEEPS));
    log.text_default = keep("default").unwrap_or(log.text_default);
    log.text = KINDS.into_iter().filter_map(|kind| Some((kind, keep(kind.name())?))).collect();
}

fn one_of<T: Copy>(reader: &mut Reader<'_>, cursor: &Cursor<'_>, words: &[(&'static str, T)]) -> Option<T> {
    let scalar = reader.text(cursor)?;
    let found = words.iter().find(|(word, _)| *word == scalar.text).map(|(_, value)| *value);
    if found.is_none() {
        let quoted: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let expected = match quoted.split_last() {
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        };
        let near = did_you_mean_one_of(&scalar.text, words.iter().map(|(word, _)| *word));
        let near = near.filter(|help| help.starts_with("did you mean")).unwrap_or_else(|| format!("write {expected}"));
        reader.error(cursor, format!("expected {expected}, found {}", scalar.shown()), Some(near));
    }
    found
}

fn read_kept(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<u64> {
    let cursor = fields.get(key)?;
    let scalar = reader.scalar(cursor)?;
    let within = |kept_ms: &u64| (KEPT_MIN_MS..=KEPT_MAX_MS).contains(kept_ms);
    let kept_ms = parse_duration_ms(&scalar.text).ok().filter(within);
    if kept_ms.is_none() {
        let message = format!("expected a duration from `1d` to `3650d`, found {}", scalar.shown());
        reader.error(cursor, message, Some("write it like `90d`".to_owned()));
    }
    kept_ms
}

fn read_size(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<u64> {
    let cursor = fields.get("size")?;
    let scalar = reader.scalar(cursor)?;
    let bytes = parse_bytes(&scalar.text).filter(|bytes| (SIZE_MIN_BYTES..=SIZE_MAX_BYTES).contains(bytes));
    if bytes.is_none() {
        let message = format!("expected a size from `10MB` to `1000GB`, found {}", scalar.shown());
        reader.error(cursor, message, Some("write it like `2GB`".to_owned()));
    }
    bytes
}

/// `500MB`: a number of bytes, in powers of a thousand.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let units = [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];
    let (digits, unit) =
        units.into_iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes))).unwrap_or((text, 1_u64));
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NoSecrets, parse};

    #[test]
    fn the_log_is_kept_as_the_owner_says() {
        let read = |text: &str| parse("home.yaml", text, &NoSecrets).expect("a configuration").log;
        assert_eq!(read("mode: observe"), Log::default());
        assert_eq!(read("log: {text: drop}"), Log { text_default: Keep::Drop, ..Log::default() });
        let log = read(
            "log: {text: {voice: keep, policy: drop}, publish_text: true, ordinary: 1d, sensitive: 3650d, size: 10MB, sync: sensitive}",
        );
        assert_eq!(
            [SourceKind::Voice, SourceKind::Policy, SourceKind::Person].map(|kind| log.keep(kind)),
            [Keep::Keep, Keep::Drop, Keep::Mask]
        );
        assert!(log.publish_text && log.sync_sensitive);
        assert_eq!((log.ordinary_ms, log.sensitive_ms, log.size_bytes), (KEPT_MIN_MS, KEPT_MAX_MS, SIZE_MIN_BYTES));
    }

    #[test]
    fn sizes_are_read_in_powers_of_a_thousand() {
        for (text, expected) in [
            ("7", Some(7)),
            ("10KB", Some(10_000)),
            ("1MB", Some(1_000_000)),
            ("2GB", Some(2_000_000_000)),
            ("2GiB", None),
            ("-1MB", None),
            ("+1MB", None),
            ("1.5GB", None),
            ("MB", None),
            ("99999999999999GB", None),
        ] {
            assert_eq!(parse_bytes(text), expected, "{text}");
        }
    }
}
