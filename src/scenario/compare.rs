//! What was expected beside what was seen, both as texts.
//!
//! It decides which items belong together and which of the bridge's own topics count; whether the texts differ is for
//! the caller to see.

use std::collections::BTreeSet;

use super::item::{self, Item};
use super::steps::Step;

pub(super) struct Comparison {
    pub(super) expected: String,
    pub(super) seen: String,
    /// What was seen, in the form in which it would be expected.
    pub(super) items: Vec<Item>,
}

/// Compares what followed a step with what it expects. The bridge's own topics count where the step names them.
pub(super) fn compare(step: &Step, seen: &[Item], is_own: &dyn Fn(&str) -> bool) -> Comparison {
    let named: BTreeSet<&str> =
        step.expect.iter().filter_map(Item::message_topic).chain(step.silent.iter().map(String::as_str)).collect();
    let counts = |item: &&Item| item.message_topic().is_none_or(|topic| !is_own(topic) || named.contains(topic));
    let seen: Vec<&Item> = seen.iter().filter(counts).collect();
    let pairs = pairs(&step.expect, &seen);
    let items: Vec<Item> = seen
        .iter()
        .zip(&pairs)
        .map(|(item, pair)| match pair.and_then(|index| step.expect.get(index)) {
            Some(expected) => item.as_expected_by(expected),
            None => item.in_brief(),
        })
        .collect();
    Comparison { expected: item::write(&step.expect, 0), seen: item::write(&items, 0), items }
}

/// For each seen item the expected one that it is compared with: the longest run of common heads.
fn pairs(expected: &[Item], seen: &[&Item]) -> Vec<Option<usize>> {
    let width = expected.len() + 1;
    // common[s * width + e]: how many heads seen[s..] and expected[e..] have in common, in order.
    let mut common = vec![0_usize; (seen.len() + 1) * width];
    let at = |common: &[usize], s: usize, e: usize| common.get(s * width + e).copied().unwrap_or_default();
    for (s, seen) in seen.iter().enumerate().rev() {
        for (e, expected) in expected.iter().enumerate().rev() {
            let longest = if seen.head() == expected.head() {
                at(&common, s + 1, e + 1) + 1
            } else {
                at(&common, s + 1, e).max(at(&common, s, e + 1))
            };
            if let Some(cell) = common.get_mut(s * width + e) {
                *cell = longest;
            }
        }
    }
    let (mut pairs, mut s, mut e) = (vec![None; seen.len()], 0, 0);
    while let (Some(item), Some(wanted), Some(pair)) = (seen.get(s), expected.get(e), pairs.get_mut(s)) {
        if item.head() == wanted.head() {
            *pair = Some(e);
            (s, e) = (s + 1, e + 1);
        } else if at(&common, s, e + 1) >= at(&common, s + 1, e) {
            e += 1;
        } else {
            s += 1;
        }
    }
    pairs
}
