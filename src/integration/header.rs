//! The constants at the top of an integration: what it reads, where it sends, what it can mute, and how honestly.
//!
//! They are read once, when the integration is loaded.

use super::words::reading::is_dotted;
use crate::config::{Config, is_heard_twice};
use crate::model::topic::{DISCOVERY_PREFIX, TopicFilter, is_under};
use crate::script::check::header::Reader;

/// Filters or names of one of `TOPICS`, `COMMANDS`, `SENDS`, `EVENTS`, `ACTIONS`.
pub const FILTERS_MAX: usize = 64;

/// Constants that the bridge reads.
pub(super) const OWN: &[&str] = &["GRADE", "TOPICS", "COMMANDS", "SENDS", "MUTES", "CONFIRMS", "EVENTS", "ACTIONS"];
/// What `MUTES` can name.
const MUTES: &[&str] = &["mic", "sound"];
/// What `CONFIRMS` can name.
const CONFIRMS: &[&str] = &["mute", "announce"];

#[derive(Debug)]
pub(super) struct Header {
    pub grade: Option<String>,
    pub topics: Vec<TopicFilter>,
    pub commands: Vec<TopicFilter>,
    pub sends: Vec<TopicFilter>,
    /// Events and actions that rules may name though the script puts their names together.
    pub events: Vec<String>,
    pub actions: Vec<String>,
    mutes: Vec<String>,
    confirms: Vec<String>,
}

impl Header {
    pub(super) fn mutes(&self, what: &str) -> bool {
        self.mutes.iter().any(|word| word == what)
    }

    pub(super) fn confirms(&self, what: &str) -> bool {
        self.confirms.iter().any(|word| word == what)
    }
}

/// Reads the header. What is wrong is among the reader's findings.
pub(super) fn read(reader: &mut Reader<'_>, config: &Config) -> Header {
    Header {
        grade: reader.text("GRADE"),
        topics: reader.filters("TOPICS", FILTERS_MAX, |filter| refused_to_read(config, filter)),
        commands: reader.filters("COMMANDS", FILTERS_MAX, |filter| refused_to_write(config, filter)),
        sends: reader.filters("SENDS", FILTERS_MAX, |filter| refused_to_write(config, filter)),
        events: names(reader, "EVENTS", "voice.transcript"),
        actions: names(reader, "ACTIONS", "communication.send_message"),
        mutes: reader.choices("MUTES", MUTES),
        confirms: reader.choices("CONFIRMS", CONFIRMS),
    }
}

fn names(reader: &mut Reader<'_>, constant: &str, example: &str) -> Vec<String> {
    let names = reader.texts(constant, "names", FILTERS_MAX);
    for (index, name) in names.iter().enumerate().filter(|(_, name)| !is_dotted(name)) {
        reader.refuse_item(constant, index, format!("expected a name such as `{example}`, found `{name}`"), None);
    }
    names
}

/// The bridge's own topics tell an integration nothing, and one that cut into them would make commands come twice.
fn refused_to_read(config: &Config, filter: &TopicFilter) -> Option<(String, String)> {
    let text = filter.as_str();
    (is_heard_twice(&config.base, filter) || is_under(text, &config.base)).then(|| {
        let message = format!("expected topics of the house, found `{text}`: it reaches into the bridge's own");
        (message, "begin the filter with the first level that you mean".to_owned())
    })
}

/// What is sent, and what passes the gate, goes to topics of this family alone: never to all topics, nor to those by which
/// the bridge, the broker or Home Assistant is told what to do.
fn refused_to_write(config: &Config, filter: &TopicFilter) -> Option<(String, String)> {
    let text = filter.as_str();
    let reaches = |root: &str| {
        let tree = TopicFilter::new(&format!("{root}/#"));
        tree.is_ok_and(|tree| tree.overlaps(filter))
    };
    let why = if text.starts_with(['+', '#']) {
        "it fits topics of every family"
    } else if text.starts_with('$') {
        "it belongs to the broker"
    } else if reaches(&config.base) {
        "it reaches into the bridge's own"
    } else if reaches(DISCOVERY_PREFIX) || reaches(&config.home_assistant.discovery) {
        "it reaches into Home Assistant's discovery"
    } else {
        return None;
    };
    let message = format!("expected topics of this family alone, found `{text}`: {why}");
    Some((message, "begin the filter with the first level that is its own".to_owned()))
}
