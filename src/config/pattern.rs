//! Topic patterns with named places.
//!
//! `signal/out/method/send/recipient/{recipient}` names one level; `zigbee2mqtt/{name*}/set` names one or more.
//! A place fills whole levels, and never an empty one. There are no optional places and no alternatives.

use std::collections::BTreeMap;

use crate::model::topic::{self, TopicFilter};

/// What the places of a pattern stand for in one topic.
pub type Names = BTreeMap<String, String>;

/// What is wrong with a pattern or template, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    pub message: String,
    pub help: Option<String>,
}

impl Malformed {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Malformed {
        Malformed { message: message.into(), help: Some(help.into()) }
    }
}

/// A topic filter whose wildcards have names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern {
    text: String,
    levels: Vec<Level>,
    /// The text before the first place: what every fitting topic begins with.
    prefix: String,
    filter: TopicFilter,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    Literal(String),
    One(String),
    Many(String),
}

impl TopicPattern {
    /// Reads a pattern. A name stands once; `{name*}` stands at most once.
    pub fn parse(text: &str) -> Result<TopicPattern, Malformed> {
        let levels = text.split('/').map(|level| read_level(text, level)).collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<&str> = levels.iter().filter_map(Level::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find_map(|pair| pair.first().filter(|name| pair.get(1) == Some(name))) {
            return Err(Malformed::new(
                format!("expected each place once, found `{{{twice}}}` twice"),
                "give the second place another name",
            ));
        }
        if levels.iter().filter(|level| matches!(level, Level::Many(_))).count() > 1 {
            return Err(Malformed::new(
                format!("expected at most one place of many levels, found `{text}`"),
                "keep one `{name*}` and write `{name}` for single levels",
            ));
        }
        let filter = filter_of(&levels);
        // A place is never empty, so this name is as valid as any topic that the pattern fits.
        let sample: Vec<&str> = levels.iter().map(Level::sample).collect();
        topic::check_name(&sample.join("/")).map_err(|error| {
            Malformed::new(
                format!("expected a topic, found `{text}`: {error}"),
                "write a topic such as `lock/{name}/set`",
            )
        })?;
        let filter = TopicFilter::new(&filter)
            .map_err(|error| Malformed::new(format!("expected a topic, found `{text}`: {error}"), "shorten it"))?;
        let prefix = text.split('{').next().unwrap_or_default().to_owned();
        Ok(TopicPattern { text: text.to_owned(), levels, prefix, filter })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of the places, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.levels.iter().filter_map(Level::name)
    }

    /// The narrowest MQTT filter that lets every fitting topic through. `{name*}` in the middle makes it wider than
    /// the pattern.
    pub fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// Whether a topic fits.
    pub fn fits(&self, topic: &str) -> bool {
        self.walk(topic, |_, _| {})
    }

    /// What the places stand for in a topic. `None`: the topic does not fit.
    pub fn read(&self, topic: &str) -> Option<Names> {
        let mut names = Names::new();
        self.walk(topic, |name, levels| {
            names.insert(name.to_owned(), levels.join("/"));
        })
        .then_some(names)
    }

    fn walk(&self, topic: &str, mut bind: impl FnMut(&str, &[&str])) -> bool {
        if !topic.starts_with(&self.prefix) {
            return false;
        }
        let found: Vec<&str> = topic.split('/').collect();
        let many = self.levels.iter().any(|level| matches!(level, Level::Many(_)));
        if found.len() < self.levels.len() || (!many && found.len() > self.levels.len()) {
            return false;
        }
        // The one place of many levels takes what the others leave.
        let many_levels = found.len() - self.levels.len() + 1;
        let mut rest = found.as_slice();
        for level in &self.levels {
            let take = if matches!(level, Level::Many(_)) { many_levels } else { 1 };
            let Some((taken, behind)) = rest.split_at_checked(take) else { return false };
            rest = behind;
            match level {
                Level::Literal(text) => {
                    if taken.first() != Some(&text.as_str()) {
                        return false;
                    }
                }
                Level::One(name) | Level::Many(name) => {
                    if taken.iter().any(|level| level.is_empty()) {
                        return false;
                    }
                    bind(name, taken);
                }
            }
        }
        true
    }
}

impl Level {
    fn name(&self) -> Option<&str> {
        match self {
            Level::Literal(_) => None,
            Level::One(name) | Level::Many(name) => Some(name),
        }
    }

    fn sample(&self) -> &str {
        match self {
            Level::Literal(text) => text,
            Level::One(_) | Level::Many(_) => "x",
        }
    }
}

fn read_level(pattern: &str, level: &str) -> Result<Level, Malformed> {
    if level == "+" || level == "#" {
        let named = if level == "+" { "{name}" } else { "{name*}" };
        return Err(Malformed::new(
            format!("expected a place with a name, found the wildcard `{level}` in `{pattern}`"),
            format!("write `{named}`"),
        ));
    }
    let Some(inside) = level.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        if level.contains(['{', '}']) {
            return Err(Malformed::new(
                format!("expected a place that fills its level, found `{level}`"),
                "write `{name}` between two slashes",
            ));
        }
        return Ok(Level::Literal(level.to_owned()));
    };
    let (name, many) = inside.strip_suffix('*').map_or((inside, false), |name| (name, true));
    if name == "payload" || !is_name(name) {
        return Err(Malformed::new(
            format!("expected a name of letters, digits and `_`, found `{level}`"),
            "write `{name}`; `payload` is taken",
        ));
    }
    Ok(if many { Level::Many(name.to_owned()) } else { Level::One(name.to_owned()) })
}

/// Whether a text can be the name of a place.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn filter_of(levels: &[Level]) -> String {
    let mut filter: Vec<&str> = Vec::new();
    for level in levels {
        match level {
            Level::Literal(text) => filter.push(text),
            Level::One(_) => filter.push("+"),
            Level::Many(_) => {
                filter.push("#");
                break;
            }
        }
    }
    filter.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_bind_whole_levels() {
        for (pattern, topic, expected) in [
            ("a/b", "a/b", Some("")),
            ("a/b", "a/b/c", None),
            ("send/{to}", "send/%2B49", Some("to=%2B49")),
            ("send/{to}", "send/", None),
            ("send/{to}", "send", None),
            ("send/{to}", "send/a/b", None),
            ("z/{name*}/set", "z/door/set", Some("name=door")),
            ("z/{name*}/set", "z/hall/front/set", Some("name=hall/front")),
            ("z/{name*}/set", "z/set", None),
            ("z/{name*}/set", "z//set", None),
            ("z/{name*}/set", "z/hall//set", None),
            ("z/{name*}/set", "z/door/get", None),
            ("z/{name*}/set/{field}", "z/a/b/set/state", Some("field=state name=a/b")),
            ("{all*}", "x/y", Some("all=x/y")),
            ("/{a}/c", "/b/c", Some("a=b")),
        ] {
            let read = TopicPattern::parse(pattern).expect("a pattern").read(topic);
            let seen = read
                .map(|names| names.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "));
            assert_eq!(seen.as_deref(), expected, "{pattern} on {topic}");
        }
    }

    #[test]
    fn a_pattern_has_a_filter() {
        for (pattern, filter) in [
            ("a/b", "a/b"),
            ("a/{b}/c", "a/+/c"),
            ("z/{name*}/set", "z/#"),
            ("hermes/hotword/{w}/detected", "hermes/hotword/+/detected"),
        ] {
            assert_eq!(TopicPattern::parse(pattern).expect("a pattern").filter().as_str(), filter);
        }
    }

    #[test]
    fn malformed_patterns_say_what_to_write() {
        for (pattern, found) in [
            ("", "the topic is empty"),
            ("a/+", "wildcard `+`"),
            ("a/#", "wildcard `#`"),
            ("a/b+", "wildcard"),
            ("a/x{b}", "fills its level"),
            ("a/{b c}", "found `{b c}`"),
            ("a/{}", "found `{}`"),
            ("a/{payload}", "found `{payload}`"),
            ("a/{b}/{b}", "`{b}` twice"),
            ("{a*}/{b*}", "at most one"),
            ("$SYS/{x}", "belongs to the broker"),
        ] {
            let error = TopicPattern::parse(pattern).expect_err(pattern);
            assert!(error.message.contains(found), "{pattern}: {}", error.message);
            assert!(error.help.is_some(), "{pattern}");
        }
    }
}
