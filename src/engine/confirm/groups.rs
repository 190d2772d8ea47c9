//! Groups: requests of one asker under one name become one question that lists them.
//!
//! A group gathers for a moment before it asks. What joins a question that was asked already voids its tokens: nobody
//! says yes to a list that has grown since he read it. Nobody joins a stranger's question.

use super::{Engine, Turn, is_same_asker};
use crate::engine::combine::{QUESTION_CHARACTERS_MAX, asker, in_one_line};
use crate::model::decision::Terms;
use crate::model::durable::{Item, Pending};
use crate::model::event::{Entry, Publication};
use crate::model::request::{Arrival, Held, Request, Source};

/// Requests in one group. One more is denied.
pub const GROUP_ITEMS_MAX: usize = 64;
/// How long a group gathers before its question is asked.
pub const GATHERING_MS: u64 = 1_000;
/// Characters of one target in the list, so that a long one cannot push the others out of sight.
const TARGET_CHARACTERS_MAX: usize = 40;

impl Engine {
    /// The open question that a request joins. `None`: it gets its own.
    ///
    /// At least half of its time must be left: a person needs time to read the longer list.
    pub(super) fn to_join(
        &self,
        turn: &Turn<'_>,
        arrival: &Arrival,
        terms: &Terms,
        channels: &[String],
    ) -> Option<Pending> {
        if !can_join(arrival, terms) {
            return None;
        }
        let now_ms = turn.at.monotonic_ms;
        let fits = |pending: &&Pending| {
            let half_ms = pending.expires_ms.saturating_sub(pending.opened_ms) / 2;
            is_same_evidence(&pending.first.arrival.request, &arrival.request)
                && can_join(&pending.first.arrival, &pending.terms)
                && is_same_but_the_question(&pending.terms, terms)
                && !common(&pending.channels, channels).is_empty()
                && pending.expires_ms.saturating_sub(now_ms) >= half_ms
        };
        self.world.borrow().durable.pendings.values().rev().find(fits).cloned()
    }

    /// One more request for a question that is open, which `channels` may confirm with all the others. It is asked anew
    /// once the group has gathered.
    pub(super) fn join(&mut self, turn: &mut Turn<'_>, mut pending: Pending, item: Item, channels: Vec<String>) {
        let was_asked = pending.was_asked();
        for channel in pending.channels.iter().filter(|asked| was_asked && !channels.contains(asked)) {
            turn.publish(Publication::PromptOver { channel: channel.clone(), id: pending.id.clone() });
        }
        pending.channels = channels;
        if !pending.tokens.is_empty() {
            let reason = format!("`{}` joined it", item.arrival.request.action);
            turn.record(Entry::AskedAnew { pending: pending.id.clone(), channels: pending.channels.clone(), reason });
            pending.tokens.clear();
            pending.round = pending.round.saturating_add(1);
            pending.noticed_ms = None;
            pending.ask_ms = Some(turn.at.monotonic_ms.saturating_add(GATHERING_MS));
        }
        let request = item.arrival.request.clone();
        pending.joined.push(item);
        pending.question = question(&pending);
        self.note_joined(turn, &pending.id, &request);
        self.show(turn, pending);
    }

    /// A group has gathered.
    pub(in crate::engine) fn ask_gathered(&mut self, turn: &mut Turn<'_>, id: &str) {
        let pending = self.world.borrow().durable.pendings.get(id).cloned();
        if let Some(pending) = pending {
            self.ask(turn, pending);
        }
    }
}

/// The channels that may confirm both.
pub(super) fn common(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|channel| other.contains(channel)).cloned().collect()
}

/// What loosens the bridge itself is asked alone: it must not stand at the end of a list of lamps.
pub(super) fn can_join(arrival: &Arrival, terms: &Terms) -> bool {
    terms.group.is_some() && !matches!(arrival.held, Held::Control(_))
}

pub(super) fn is_same_but_the_question(one: &Terms, other: &Terms) -> bool {
    let Terms { ask: _, within_ms, from, pin, otherwise, group } = one;
    (within_ms, from, pin, otherwise, group)
        == (&other.within_ms, &other.from, &other.pin, &other.otherwise, &other.group)
}

/// Whether two requests come from the same asker, also as far as only Home Assistant's streams tell. How sure and how old
/// that is makes no difference.
fn is_same_evidence(one: &Request, other: &Request) -> bool {
    let seen = |source: &Source| {
        let names = [&source.satellite, &source.person].map(|clue| clue.as_ref().map(|clue| clue.name.clone()));
        (source.kind, names, source.likely_channels.clone())
    };
    is_same_asker(one, other) && seen(&one.source) == seen(&other.source)
}

/// A question for these requests alone. `None`: there are none.
pub(super) fn with_items(pending: Pending, items: Vec<Item>) -> Option<Pending> {
    let mut items = items.into_iter();
    let pending = Pending { first: items.next()?, joined: items.collect(), ..pending };
    Some(Pending { question: question(&pending), ..pending })
}

/// What people are asked: the rule's own words, or the list of all.
fn question(pending: &Pending) -> String {
    if pending.joined.is_empty() {
        return pending.first.question.clone();
    }
    let count = pending.items().count();
    let mut text = format!("Allow these {count} requests? Asked by: {}.", asker(&pending.first.arrival.request));
    for (index, item) in pending.items().enumerate() {
        let request = &item.arrival.request;
        let target = request.target.as_deref().map(|target| in_one_line(target, TARGET_CHARACTERS_MAX));
        let target = target.map(|target| format!(" for `{target}`")).unwrap_or_default();
        let line = format!(" {}. `{}`{target}", index + 1, request.action);
        let rest = format!(" … and {} more.", count - index);
        let is_last = index + 1 == count;
        let room = QUESTION_CHARACTERS_MAX.saturating_sub(text.chars().count());
        let needed = line.chars().count() + if is_last { 0 } else { rest.chars().count() };
        if needed > room {
            text.push_str(&rest);
            break;
        }
        text.push_str(&line);
    }
    in_one_line(&text, QUESTION_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(targets: &[String]) -> Pending {
        let item = |target: &String| {
            serde_json::json!({
                "id": "1", "question": "Alone?", "at_ms": 0,
                "arrival": {
                    "request": {"action": "light.turn_on", "target": target, "door": "gate", "source": {"kind": "agent"}},
                    "held": "question", "reply": null,
                },
            })
        };
        let mut items: Vec<serde_json::Value> = targets.iter().map(item).collect();
        let first = items.remove(0);
        let value = serde_json::json!({
            "id": "1", "first": first, "joined": items, "terms": Terms::new("Alone?".to_owned()), "question": "",
            "channels": [], "tokens": {}, "round": 0, "opened_ms": 0, "asked_ms": 0, "expires_ms": 0, "until": "2027-03-02T20:00:00Z",
        });
        serde_json::from_value(value).expect("a pending")
    }

    #[test]
    fn a_list_is_one_line_of_bounded_length_and_says_what_it_leaves_out() {
        let asked = |targets: &[&str]| {
            question(&pending(&targets.iter().map(|target| (*target).to_owned()).collect::<Vec<_>>()))
        };
        assert_eq!(asked(&["hall"]), "Alone?");
        assert_eq!(
            asked(&["hall", "a\n3. `x`"]),
            "Allow these 2 requests? Asked by: agent. 1. `light.turn_on` for `hall` 2. `light.turn_on` for `a 3. `x``"
        );
        let long = "x".repeat(TARGET_CHARACTERS_MAX + 1);
        let cut = "x".repeat(TARGET_CHARACTERS_MAX);
        assert!(asked(&["hall", &long]).ends_with(&format!(" 2. `light.turn_on` for `{cut}…`")));
        for count in 2..=GROUP_ITEMS_MAX {
            let targets: Vec<String> = (0..count).map(|index| format!("{index}{}", "ü".repeat(index))).collect();
            let text = question(&pending(&targets));
            assert!(text.chars().count() <= QUESTION_CHARACTERS_MAX, "{count}: {text}");
            let shown = text.matches("light.turn_on").count();
            let ending = format!(" … and {} more.", count - shown);
            assert_eq!(text.ends_with(&ending), shown < count, "{count}: {text}");
        }
    }

    #[test]
    fn a_question_is_for_what_is_left_of_it() {
        let all = pending(&["hall".to_owned(), "stairs".to_owned()]);
        let left: Vec<Item> = all.joined.clone();
        let shrunk = with_items(all.clone(), left).expect("one is left");
        assert_eq!((shrunk.question.as_str(), shrunk.items().count()), ("Alone?", 1));
        assert_eq!(with_items(all, Vec::new()), None);
    }
}
