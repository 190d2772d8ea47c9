//! What the bridge subscribes to.
//!
//! Every subscription is `no_local`: what the bridge says itself is no news to it. Filters that overlap without one
//! covering the other may make a broker deliver a message twice. For facts and events that is harmless; filters that would
//! double a command are refused where they are written (`config::is_heard_twice`).

use std::collections::BTreeMap;

use crate::model::message::Qos;
use crate::model::topic::{TopicFilter, is_under};

/// Whether stored messages are wanted when a subscription is made (MQTT 5.0, section 3.8.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainHandling {
    /// They are sent at each new subscription.
    OnSubscribe,
    /// They are never sent.
    Never,
}

/// One subscription of the bridge. `retain_as_published` is never asked for, so that a retain flag always means
/// "stored".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub filter: TopicFilter,
    pub qos: Qos,
    /// The broker does not send the bridge's own messages back.
    pub no_local: bool,
    pub retain_handling: RetainHandling,
}

/// The bridge's own topics that others write, or might forge. `info` first: whether another bridge has taken the base
/// must be known before this one announces itself.
const OWN: [&str; 19] = [
    "info",
    "gate/#",
    "ask/#",
    "confirm/#",
    "mode/#",
    "relay/#",
    "guard/#",
    "policy/#",
    "mute/#",
    "grant/#",
    "pending/#",
    "act",
    "intent/#",
    "journal",
    "state/#",
    "twin/#",
    "homeassistant/#",
    "home_assistant/#",
    "status",
];

/// Of these, what may be stored in great numbers.
const MANY: [&str; 2] = ["state/#", "homeassistant/#"];

/// How a filter is wanted.
type Wish = (RetainHandling, Qos);

/// `house` may be stored and still count; what is stored on `watched` topics and those of policies never does.
///
/// What may be stored in great numbers comes all at once. At quality of service 1 Mosquitto drops of that what is more
/// than its queue for one client, 1,000 messages by default, without a word; at 0 it writes everything into the socket.
pub(super) fn all(
    base: &str,
    house: &[TopicFilter],
    watched: &[TopicFilter],
    policies: &[TopicFilter],
) -> Vec<Subscription> {
    let own: Vec<TopicFilter> =
        OWN.iter().filter_map(|rest| TopicFilter::new(&format!("{base}/{rest}")).ok()).collect();
    let policies = policies.iter().filter(|filter| !is_under(filter.as_str(), base));
    let is_many = |filter: &TopicFilter| {
        let below = filter.as_str().strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
        below.is_some_and(|rest| MANY.contains(&rest))
    };
    let own_qos = |filter: &TopicFilter| if is_many(filter) { Qos::AtMostOnce } else { Qos::AtLeastOnce };
    let own = own.iter().map(|filter| (filter, (RetainHandling::OnSubscribe, own_qos(filter))));
    let house = house.iter().map(|filter| (filter, (RetainHandling::OnSubscribe, Qos::AtMostOnce)));
    let unwanted = watched.iter().chain(policies).map(|filter| (filter, (RetainHandling::Never, Qos::AtLeastOnce)));
    let mut chosen: Vec<(&TopicFilter, Wish)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (filter, wish) in own.chain(house).chain(unwanted) {
        let place = *places.entry(filter.as_str()).or_insert(chosen.len());
        match chosen.get_mut(place) {
            Some(known) => known.1 = strongest(known.1, wish),
            None => chosen.push((filter, wish)),
        }
    }
    let index = Index::new(&chosen);
    let coverers: Vec<Vec<usize>> = chosen.iter().map(|(filter, _)| index.coverers(filter)).collect();
    let is_covered = |place: usize| coverers.get(place).is_some_and(|coverers| !coverers.is_empty());
    let mut wishes: Vec<Wish> = chosen.iter().map(|(_, wish)| *wish).collect();
    for ((_, wish), coverers) in chosen.iter().zip(&coverers) {
        let wider = coverers.iter().find(|place| !is_covered(**place));
        if let Some(kept) = wider.and_then(|place| wishes.get_mut(*place)) {
            *kept = strongest(*kept, *wish);
        }
    }
    let subscription = |filter: &TopicFilter, (retain_handling, qos): Wish| Subscription {
        filter: filter.clone(),
        qos,
        no_local: true,
        retain_handling,
    };
    let kept = chosen.iter().zip(wishes).enumerate().filter(|(place, _)| !is_covered(*place));
    kept.map(|(_, ((filter, _), wish))| subscription(filter, wish)).collect()
}

/// Finds who covers a filter without comparing each one with all others: a house has thousands.
struct Index<'a> {
    /// Filters such as `a/b/#`, by what stands before the `#`.
    trees: BTreeMap<&'a str, usize>,
    /// All others with a wildcard, by what stands before the first one.
    patterns: BTreeMap<&'a str, Vec<(usize, &'a TopicFilter)>>,
}

impl<'a> Index<'a> {
    fn new(filters: &[(&'a TopicFilter, Wish)]) -> Index<'a> {
        let mut index = Index { trees: BTreeMap::new(), patterns: BTreeMap::new() };
        for (place, (filter, _)) in filters.iter().enumerate() {
            match filter.as_str().strip_suffix("/#") {
                Some(root) if !root.contains('+') => {
                    index.trees.insert(root, place);
                }
                _ => {
                    let text = filter.as_str();
                    let Some(wildcard) = text.find(['+', '#']) else { continue };
                    let root = text.get(..wildcard.saturating_sub(1)).unwrap_or_default();
                    index.patterns.entry(root).or_default().push((place, filter));
                }
            }
        }
        index
    }

    /// The places of all filters that match whatever this one matches, itself left out.
    fn coverers(&self, filter: &TopicFilter) -> Vec<usize> {
        let text = filter.as_str();
        let own_root = text.strip_suffix("/#");
        let ends = text.match_indices('/').map(|(end, _)| end).chain([text.len()]);
        let roots = ends.filter_map(|end| text.get(..end));
        let trees = roots.clone().filter(|root| Some(*root) != own_root);
        let trees = trees.filter_map(|root| self.trees.get(root).copied());
        let patterns = roots.chain([""]).filter_map(|root| self.patterns.get(root)).flatten();
        let patterns = patterns.filter(|(_, wide)| *wide != filter && covers(wide, filter));
        trees.chain(patterns.map(|(place, _)| *place)).collect()
    }
}

fn strongest(one: Wish, other: Wish) -> Wish {
    let retain_handling = if one.0 == RetainHandling::OnSubscribe { one.0 } else { other.0 };
    (retain_handling, one.1.max(other.1))
}

/// Whether every topic that `narrow` matches is matched by `wide` too.
fn covers(wide: &TopicFilter, narrow: &TopicFilter) -> bool {
    let (wide, narrow) = (wide.as_str(), narrow.as_str());
    if narrow.starts_with('$') && wide.starts_with(['+', '#']) {
        return false;
    }
    let mut narrow = narrow.split('/');
    for level in wide.split('/') {
        if level == "#" {
            return true;
        }
        match narrow.next() {
            Some("#") | None => return false,
            Some(found) if level == "+" || level == found => {}
            Some(_) => return false,
        }
    }
    narrow.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).expect("a filter")
    }

    #[test]
    fn a_filter_covers_what_it_matches() {
        for (wide, narrow, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/b", "a/+", false),
            ("a/#", "a/+/c", true),
            ("a/#", "a/#", true),
            ("a/#", "a", true),
            ("a/+", "a/#", false),
            ("#", "a/b", true),
            ("#", "$SYS/x", false),
            ("a/+/c", "a/b/d", false),
        ] {
            assert_eq!(covers(&filter(wide), &filter(narrow)), expected, "{wide} over {narrow}");
        }
    }

    #[test]
    fn what_is_covered_is_not_subscribed_to_twice() {
        let told = |house: &[&str], policies: &[&str]| {
            let house: Vec<TopicFilter> = house.iter().map(|text| filter(text)).collect();
            let policies: Vec<TopicFilter> = policies.iter().map(|text| filter(text)).collect();
            let all = all("h", &house, &[], &policies);
            assert!(all.iter().all(|subscription| subscription.no_local));
            let rest = all.iter().filter(|subscription| !is_under(subscription.filter.as_str(), "h"));
            let shown = |subscription: &Subscription| {
                let Subscription { filter, retain_handling, qos, .. } = subscription;
                format!("{filter} {retain_handling:?} {}", u8::from(*qos == Qos::AtLeastOnce))
            };
            rest.map(shown).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(told(&[], &[]), "");
        assert_eq!(told(&["a/+"], &["b/#", "h/gate/x"]), "a/+ OnSubscribe 0, b/# Never 1");
        assert_eq!(told(&["a/+", "a/b"], &[]), "a/+ OnSubscribe 0");
        assert_eq!(told(&["a/+", "a/b"], &["a/b"]), "a/+ OnSubscribe 1", "a policy hears no less for it");
        assert_eq!(told(&["a/b"], &["a/#"]), "a/# OnSubscribe 1");
        assert_eq!(told(&["a/b"], &["#"]), "# OnSubscribe 1");
        assert_eq!(told(&["a", "a/b/c"], &["a/+/c", "a/b/#", "a/#"]), "a/# OnSubscribe 1");
        assert_eq!(told(&["a/+/c"], &["a/b/c", "+/+/c", "a/#"]), "+/+/c Never 1, a/# OnSubscribe 1");
        let own = all("h", &[], &[], &[]);
        assert_eq!(own.len(), OWN.len());
        assert!(own.iter().all(|subscription| subscription.retain_handling == RetainHandling::OnSubscribe));
        let at_most_once = own.iter().filter(|subscription| subscription.qos == Qos::AtMostOnce);
        let many: Vec<&str> = at_most_once.map(|subscription| subscription.filter.as_str()).collect();
        assert_eq!(many, ["h/state/#", "h/homeassistant/#"], "commands and answers are acknowledged");
    }
}
