//! Patterns over names that are written with dots: `notify.*`, `*.turn_on`, `lock.front_door`.
//!
//! `*` stands for any run of characters, dots included. There is nothing else: no classes, no alternatives.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pattern over actions, events or entities.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    pub fn new(pattern: impl Into<String>) -> Glob {
        Glob(pattern.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the pattern has no `*` and so names one thing.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }

    /// Whether the whole of `name` fits the pattern. Linear for one `*`; quadratic at the worst.
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(first) = pieces.next() else { return false };
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            match rest.split_once(piece) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, name, expected) in [
            ("notify.*", "notify.send_message", true),
            ("notify.*", "notify", false),
            ("*.turn_on", "light.turn_on", true),
            ("lock.unlock", "lock.unlock", true),
            ("lock.unlock", "lock.unlocked", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("l*.*_on", "light.turn_on", true),
            ("", "x", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }
}
