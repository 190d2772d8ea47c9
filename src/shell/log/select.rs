//! Which records are wanted: one selection, asked of the index or held against a record's outline.
//!
//! Both must give the same records, so both use the same patterns over the same fields.

use std::fmt::Write;

use jiff::Timestamp;

use super::index::{self, Failure, Index, POLICY_SEPARATOR};
use super::outline::Outline;
use super::segments::Place;
use crate::model::decision::Verdict;
use crate::model::glob::Glob;
use crate::model::request::SourceKind;

/// A pattern over names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamePattern {
    /// With `*`: the whole name must fit.
    Glob(Glob),
    /// Without: the name, or words of it. `kitchen` fits `kitchen_echo`, `front_door` fits `lock.front_door`.
    Words(String),
}

impl NamePattern {
    pub fn new(text: &str) -> NamePattern {
        if text.contains('*') { NamePattern::Glob(Glob::new(text)) } else { NamePattern::Words(text.to_lowercase()) }
    }

    pub fn fits(&self, name: &str) -> bool {
        match self {
            NamePattern::Glob(glob) => glob.matches(name),
            NamePattern::Words(words) => has_words(&name.to_lowercase(), words),
        }
    }
}

fn has_words(name: &str, words: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    name == words
        || name.match_indices(words).any(|(at, found)| {
            let (before, rest) = name.split_at_checked(at).unwrap_or(("", ""));
            !words.is_empty() && is_edge(before.chars().next_back()) && is_edge(rest.chars().nth(found.chars().count()))
        })
}

/// Which records are wanted. An empty list wants all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Included.
    pub since: Option<Timestamp>,
    /// Not included.
    pub until: Option<Timestamp>,
    pub records: Vec<String>,
    pub verdicts: Vec<Verdict>,
    pub applied: Vec<Verdict>,
    pub actions: Vec<NamePattern>,
    pub targets: Vec<NamePattern>,
    pub speakers: Vec<NamePattern>,
    pub policies: Vec<NamePattern>,
    pub sources: Vec<SourceKind>,
    /// The number of one record.
    pub seq: Option<u64>,
    /// Keys of decisions: they, and what is about them.
    pub keys: Vec<i64>,
}

impl Selection {
    /// Whether a record is wanted.
    pub fn fits(&self, outline: &Outline) -> bool {
        let one = |patterns: &[NamePattern], name: Option<&String>| {
            patterns.is_empty() || name.is_some_and(|name| patterns.iter().any(|pattern| pattern.fits(name)))
        };
        let policies = || outline.policies.iter().any(|policy| one(&self.policies, Some(policy)));
        let is_about = |key: &i64| outline.own == Some(*key) || outline.about == Some(*key);
        self.seq.is_none_or(|seq| outline.seq == seq)
            && self.since.is_none_or(|since| outline.at_ms >= since.as_millisecond())
            && self.until.is_none_or(|until| outline.at_ms < until.as_millisecond())
            && (self.records.is_empty() || self.records.contains(&outline.record))
            && among(&self.verdicts, outline.verdict)
            && among(&self.applied, outline.applied)
            && among(&self.sources, outline.source)
            && one(&self.actions, outline.action.as_ref())
            && one(&self.targets, outline.target.as_ref())
            && one(&self.speakers, outline.speaker.as_ref())
            && (self.policies.is_empty() || policies())
            && (self.keys.is_empty() || self.keys.iter().any(is_about))
    }
}

fn among<T: PartialEq>(wanted: &[T], value: Option<T>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(&value))
}

/// Asks the index: what fits, in order or from the last to the first, until `each` says `false`.
///
/// # Errors
/// The index cannot be read, or `each` failed.
pub fn run(
    index: &Index,
    selection: &Selection,
    is_backwards: bool,
    each: &mut dyn FnMut(Place) -> Result<bool, String>,
) -> Result<(), Failure> {
    let Some(conditions) = conditions(index, selection)? else { return Ok(()) };
    let direction = if is_backwards { "DESC" } else { "ASC" };
    let sql = format!("SELECT seq, segment, place FROM entries WHERE {conditions} ORDER BY seq {direction}");
    let mut statement = index.connection().prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let [seq, segment, offset] = [row.get(0)?, row.get(1)?, row.get(2)?].map(index::unsigned);
        if !each(Place { seq, segment, offset })? {
            break;
        }
    }
    Ok(())
}

/// The selection as SQL. `None`: nothing can fit. Texts are asked for by their numbers, so nothing of the owner's words
/// stands in it.
fn conditions(index: &Index, selection: &Selection) -> Result<Option<String>, Failure> {
    let mut sql = "1".to_owned();
    push(&mut sql, "seq", selection.seq.map(index::signed).into_iter());
    if !push_times(index, selection, &mut sql)? {
        return Ok(None);
    }
    push(&mut sql, "verdict", selection.verdicts.iter().map(|verdict| index::verdict_number(*verdict)));
    push(&mut sql, "applied", selection.applied.iter().map(|verdict| index::verdict_number(*verdict)));
    push(&mut sql, "source", selection.sources.iter().map(|source| index::source_number(*source)));
    let records = |text: &str| selection.records.iter().any(|record| record == text);
    if !selection.records.is_empty() && !push_texts(index, &mut sql, "record", &records)? {
        return Ok(None);
    }
    for (column, patterns) in
        [("action", &selection.actions), ("target", &selection.targets), ("speaker", &selection.speakers)]
    {
        let fits = |text: &str| patterns.iter().any(|pattern| pattern.fits(text));
        if !patterns.is_empty() && !push_texts(index, &mut sql, column, &fits)? {
            return Ok(None);
        }
    }
    let fits = |text: &str| {
        text.split(POLICY_SEPARATOR).any(|policy| selection.policies.iter().any(|pattern| pattern.fits(policy)))
    };
    if !selection.policies.is_empty() && !push_texts(index, &mut sql, "policies", &fits)? {
        return Ok(None);
    }
    if !selection.keys.is_empty() {
        let keys = list(selection.keys.iter().copied());
        sql.push_str(&format!(" AND (own IN ({keys}) OR about IN ({keys}))"));
    }
    Ok(Some(sql))
}

/// A time is looked up by segment, so that an entry's number bounds every other question. `false`: no segment is that old
/// or that young.
fn push_times(index: &Index, selection: &Selection, sql: &mut String) -> Result<bool, Failure> {
    if selection.since.is_none() && selection.until.is_none() {
        return Ok(true);
    }
    let since_ms = selection.since.map_or(i64::MIN, Timestamp::as_millisecond);
    let until_ms = selection.until.map_or(i64::MAX, Timestamp::as_millisecond);
    let known = index.known()?;
    let mut within = known.iter().filter(|known| known.at_max_ms >= since_ms && known.at_min_ms < until_ms);
    let Some(first) = within.next() else { return Ok(false) };
    let last = within.next_back().unwrap_or(first);
    sql.push_str(&format!(
        " AND seq BETWEEN {} AND {} AND at_ms >= {since_ms} AND at_ms < {until_ms}",
        first.first, last.last_seq
    ));
    Ok(true)
}

/// `false`: no text fits.
fn push_texts(index: &Index, sql: &mut String, column: &str, fits: &dyn Fn(&str) -> bool) -> Result<bool, Failure> {
    let mut numbers = Vec::new();
    // A text may be the name of something else in another column, and one number is asked for quicker than several.
    let texts = format!("SELECT id, text FROM texts WHERE EXISTS (SELECT 1 FROM entries WHERE {column} = texts.id)");
    let mut statement = index.connection().prepare_cached(&texts)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(1)?.as_str().is_ok_and(fits) {
            numbers.push(row.get::<_, i64>(0)?);
        }
    }
    push(sql, column, numbers.iter().copied());
    Ok(!numbers.is_empty())
}

fn push(sql: &mut String, column: &str, numbers: impl Iterator<Item = i64>) {
    let numbers = list(numbers);
    if !numbers.is_empty() {
        // Writing to a string cannot fail.
        write!(sql, " AND {column} IN ({numbers})").unwrap_or(());
    }
}

fn list(numbers: impl Iterator<Item = i64>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_a_pattern_or_by_its_words() {
        for (pattern, name, expected) in [
            ("notify.*", "notify.send_message", true),
            ("notify.*", "x.notify.y", false),
            ("kitchen", "kitchen", true),
            ("kitchen", "kitchen_echo", true),
            ("Kitchen", "the Kitchen", true),
            ("kitchen", "kitchenette", false),
            ("front_door", "lock.front_door", true),
            ("front_door", "lock.front_door2", false),
            ("kit", "kitchen kit", true),
            ("äß", "x-äß", true),
            ("", "kitchen", false),
        ] {
            assert_eq!(NamePattern::new(pattern).fits(name), expected, "{pattern} on {name}");
        }
    }
}
