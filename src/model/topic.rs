//! MQTT topic names and filters: validity and matching (MQTT 5.0, section 4.7).
//!
//! Shared subscriptions (`$share/…`) are not read here; the bridge makes none.

use std::fmt;

/// Longest topic that the bridge reads or writes, in bytes. MQTT allows 65,535; no home needs more than this.
pub const TOPIC_BYTES_MAX: usize = 1024;

/// Why a text is no topic name that may be published to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    #[error("the topic is empty")]
    Empty,
    #[error("the topic is longer than {TOPIC_BYTES_MAX} bytes")]
    TooLong,
    #[error("the topic has a wildcard (`+` or `#`)")]
    Wildcard,
    #[error("the topic begins with `$`, which belongs to the broker")]
    Reserved,
    #[error("the topic has a control character")]
    ControlCharacter,
}

/// Checks that a text is a topic name that may be published to.
pub fn check_name(topic: &str) -> Result<(), TopicError> {
    if topic.is_empty() {
        return Err(TopicError::Empty);
    }
    if topic.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::TooLong);
    }
    if topic.contains(['+', '#']) {
        return Err(TopicError::Wildcard);
    }
    if topic.starts_with('$') {
        return Err(TopicError::Reserved);
    }
    if topic.chars().any(char::is_control) {
        return Err(TopicError::ControlCharacter);
    }
    Ok(())
}

/// Whether `topic` is `root` or lies below it.
pub fn is_under(topic: &str, root: &str) -> bool {
    topic.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Where Home Assistant looks for devices that announce themselves.
pub const DISCOVERY_PREFIX: &str = "homeassistant";

/// Whether a message on `topic` announces a device to Home Assistant, or changes what it takes a device for.
pub fn is_discovery(topic: &str) -> bool {
    topic != DISCOVERY_PREFIX && is_under(topic, DISCOVERY_PREFIX) && topic.ends_with("/config")
}

/// The level below a guarded topic on which the canary sings. Nothing on it is a command.
pub const CANARY_LEVEL: &str = "hushgate_canary";

/// Whether the canary sings on `topic`.
pub fn is_canary(topic: &str) -> bool {
    topic.rsplit_once('/').is_some_and(|(_, last)| last == CANARY_LEVEL)
}

/// A valid topic filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicFilter(String);

impl TopicFilter {
    /// Reads a filter: `+` stands alone in its level, `#` alone in the last one.
    pub fn new(filter: &str) -> Result<TopicFilter, TopicError> {
        if filter.is_empty() {
            return Err(TopicError::Empty);
        }
        if filter.len() > TOPIC_BYTES_MAX {
            return Err(TopicError::TooLong);
        }
        if filter.chars().any(char::is_control) {
            return Err(TopicError::ControlCharacter);
        }
        let mut levels = filter.split('/').peekable();
        while let Some(level) = levels.next() {
            let alone = match level {
                "#" => levels.peek().is_none(),
                "+" => true,
                _ => !level.contains(['+', '#']),
            };
            if !alone {
                return Err(TopicError::Wildcard);
            }
        }
        Ok(TopicFilter(filter.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether some topic is matched by both filters. A topic is a filter too.
    pub fn overlaps(&self, other: &TopicFilter) -> bool {
        let is_open = |filter: &TopicFilter| filter.0.starts_with(['+', '#']);
        if (self.0.starts_with('$') && is_open(other)) || (other.0.starts_with('$') && is_open(self)) {
            return false;
        }
        let (mut own, mut others) = (self.0.split('/'), other.0.split('/'));
        loop {
            match (own.next(), others.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some(one), Some(two)) if one == two || one == "+" || two == "+" => {}
                _ => return false,
            }
        }
    }

    /// Whether the filter matches a topic name. A leading wildcard does not match a topic that begins with `$`.
    pub fn matches(&self, topic: &str) -> bool {
        if topic.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut levels = topic.split('/');
        for expected in self.0.split('/') {
            if expected == "#" {
                return true;
            }
            match levels.next() {
                Some(level) if expected == "+" || expected == level => {}
                _ => return false,
            }
        }
        levels.next().is_none()
    }
}

impl TopicFilter {
    /// Whether the filter matches some of the topics at or below `root`, but not all of them.
    ///
    /// Beside a subscription to `root/#` such a filter makes a broker deliver a message twice.
    pub fn cuts_into(&self, root: &str) -> bool {
        let mut levels = self.0.split('/');
        for level in root.split('/') {
            match levels.next() {
                Some("#") => return false,
                Some(expected) if expected == "+" || expected == level => {}
                _ => return false,
            }
        }
        levels.next() != Some("#")
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_specification_says() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "$SYS/x", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/x", true),
            ("+", "", true),
            ("a/+/c", "a//c", true),
        ] {
            let seen = TopicFilter::new(filter).expect("a valid filter").matches(topic);
            assert_eq!(seen, expected, "{filter} on {topic}");
        }
    }

    #[test]
    fn discovery_is_told_by_its_ends() {
        for (topic, expected) in [
            ("homeassistant/lock/door/config", true),
            ("homeassistant/device/x/config", true),
            ("homeassistant/status", false),
            ("homeassistant", false),
            ("homeassistant_statestream/lock/door/config", false),
            ("zigbee2mqtt/config", false),
        ] {
            assert_eq!(is_discovery(topic), expected, "{topic}");
        }
    }

    #[test]
    fn the_canary_is_told_by_the_last_level() {
        for (topic, expected) in [
            ("a/set/hushgate_canary", true),
            ("hushgate_canary", false),
            ("a/hushgate_canary/set", false),
            ("a/x", false),
        ] {
            assert_eq!(is_canary(topic), expected, "{topic}");
        }
    }

    #[test]
    fn filters_overlap_where_a_topic_fits_both() {
        for (one, two, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/+", "+/b", true),
            ("a/#", "a", true),
            ("a/#", "b/#", false),
            ("a/+/set", "a/b/c/set", false),
            ("a/+/set/#", "a/b/set", true),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("a", "a/b", false),
        ] {
            let filter = |text| TopicFilter::new(text).expect("a valid filter");
            assert_eq!(filter(one).overlaps(&filter(two)), expected, "{one} and {two}");
            assert_eq!(filter(two).overlaps(&filter(one)), expected, "{two} and {one}");
        }
    }

    #[test]
    fn a_filter_cuts_into_a_tree_that_it_does_not_cover() {
        for (filter, expected) in [
            ("#", false),
            ("+/#", false),
            ("hushgate/#", false),
            ("+/gate/#", false),
            ("+/+/zigbee2mqtt/#", true),
            ("+/gate", true),
            ("hushgate/gate/+/set", true),
            ("+/status", false),
            ("zigbee2mqtt/+/#", false),
            ("hushgate", false),
        ] {
            let seen = TopicFilter::new(filter).expect("a valid filter").cuts_into("hushgate/gate");
            assert_eq!(seen, expected, "{filter}");
        }
    }

    #[test]
    fn malformed_names_and_filters_are_refused() {
        for filter in ["", "a/#/b", "a+/b", "a/b#"] {
            assert!(TopicFilter::new(filter).is_err(), "{filter}");
        }
        for (name, error) in [
            ("", TopicError::Empty),
            ("a/+/b", TopicError::Wildcard),
            ("$SYS/x", TopicError::Reserved),
            ("a\u{0}b", TopicError::ControlCharacter),
        ] {
            assert_eq!(check_name(name), Err(error), "{name}");
        }
        assert_eq!(check_name(&"x".repeat(TOPIC_BYTES_MAX + 1)), Err(TopicError::TooLong));
        assert_eq!(check_name("zigbee2mqtt/front door/set"), Ok(()));
    }
}
