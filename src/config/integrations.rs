//! Which integrations are used, and what each wants to know.
//!
//! Whether there is an integration of a name is known only when they are loaded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::keys;
use super::reader::{Cursor, Reader};
use super::sections::read_text;

/// Where the owner's own integrations are, unless the owner says otherwise.
const FOLDER_DEFAULT: &str = "integrations";
/// Integrations of one house.
pub(super) const INTEGRATIONS_MAX: usize = 64;
/// Settings of one integration or speaker, and entries of one that is a list or mapping.
pub(super) const SETTINGS_MAX: usize = 64;
/// How deep lists and mappings may stand within a setting.
const SETTING_DEPTH_MAX: usize = 4;

/// The folder, and the settings of those that are used by themselves.
pub(super) fn read(
    reader: &mut Reader<'_>,
    cursor: Option<&Cursor<'_>>,
) -> (PathBuf, BTreeMap<String, BTreeMap<String, Value>>) {
    let default = || PathBuf::from(FOLDER_DEFAULT);
    let Some(cursor) = cursor else { return (default(), BTreeMap::new()) };
    let fields = reader.fields(cursor, keys::INTEGRATIONS);
    let folder = read_text(reader, &fields, "folder").map_or_else(default, PathBuf::from);
    let Some(used) = fields.get("use") else { return (folder, BTreeMap::new()) };
    let mut integrations = BTreeMap::new();
    for (name, entry) in reader.entries(used, INTEGRATIONS_MAX) {
        if is_name(name) {
            integrations.insert(name.to_owned(), settings(reader, &entry));
        } else {
            let help = Some("write the name of its file without `.rhai`, such as `signal_mqtt`".to_owned());
            reader.key_error(&entry, format!("expected the name of an integration, found `{name}`"), help);
        }
    }
    (folder, integrations)
}

/// Whether an integration can have this name: that of its file without the ending.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

pub(super) fn settings(reader: &mut Reader<'_>, cursor: &Cursor<'_>) -> BTreeMap<String, Value> {
    if cursor.is_nothing() {
        return BTreeMap::new();
    }
    let mut settings = BTreeMap::new();
    for (name, entry) in reader.entries(cursor, SETTINGS_MAX) {
        if let Some(value) = setting(reader, &entry, SETTING_DEPTH_MAX) {
            settings.insert(name.to_owned(), value);
        }
    }
    settings
}

fn setting(reader: &mut Reader<'_>, cursor: &Cursor<'_>, depth: usize) -> Option<Value> {
    if depth == 0 && (cursor.is_list() || cursor.is_mapping()) {
        let message = format!("expected a setting of at most {SETTING_DEPTH_MAX} levels, found a deeper one");
        reader.error(cursor, message, None);
        return None;
    }
    if cursor.is_list() {
        let items = reader.list(cursor, SETTINGS_MAX);
        return items.iter().map(|item| setting(reader, item, depth - 1)).collect();
    }
    if cursor.is_mapping() {
        let entries = reader.entries(cursor, SETTINGS_MAX);
        let field = |(name, entry): (&str, Cursor<'_>)| Some((name.to_owned(), setting(reader, &entry, depth - 1)?));
        return entries.into_iter().map(field).collect::<Option<serde_json::Map<_, _>>>().map(Value::Object);
    }
    reader.value(cursor)
}
