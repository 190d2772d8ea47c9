//! From opinions to one verdict. A pure function; nothing else decides.
//!
//! 1. The safety floor: what no policy may block is allowed.
//! 2. Deny over confirm over allow, among the policies that have an opinion.
//! 3. Nobody has one: ordinary actions are allowed, sensitive ones are confirmed.
//!
//! It is asked twice: of all opinions (the verdict), and of those that are enforced (what is done).

use std::borrow::Cow;

use super::grants;
use crate::model::action::{ACCEPT, Class, GRANT, RELEASE, SET_MODE, TURN_OFF_POLICY, UNMUTE};
use crate::model::decision::{CONFIRM_WITHIN_DEFAULT_MS, Opinion, Otherwise, Terms, Verdict};
use crate::model::mode::Mode;
use crate::model::request::Request;

/// What the opinions say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Combined {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    pub(super) deciding: Vec<String>,
    /// For `confirm`: the strictest terms of all who ask for one.
    pub(super) terms: Option<Terms>,
}

/// Combines opinions on a request. `floor`: no policy may block it.
pub(super) fn combine<'a>(
    request: &Request,
    class: Class,
    floor: bool,
    opinions: impl Iterator<Item = &'a Opinion> + Clone,
) -> Combined {
    if floor {
        let reason = format!("the safety floor: nothing may block `{}`", request.action);
        return Combined { verdict: Verdict::Allow, reason, deciding: Vec::new(), terms: None };
    }
    let Some(verdict) = opinions.clone().map(|opinion| opinion.verdict).max() else {
        return class_default(request, class);
    };
    let deciding = opinions.filter(|opinion| opinion.verdict == verdict);
    let mut reasons: Vec<&str> = Vec::new();
    for opinion in deciding.clone() {
        // Two policies that say the same say it once.
        if !reasons.contains(&opinion.reason.as_str()) {
            reasons.push(&opinion.reason);
        }
    }
    let mut reason = reasons.join("; ");
    let policies = deciding.clone().map(|opinion| opinion.policy.clone()).collect();
    let mut terms = (verdict == Verdict::Confirm).then(|| strictest_terms(request, deciding));
    if let Some(terms) = &mut terms
        && terms.otherwise == Otherwise::Allow
        && class == Class::Sensitive
    {
        terms.otherwise = Otherwise::Deny;
        reason.push_str("; silence denies it, since it is sensitive and the rule does not say \"allow_sensitive\"");
    }
    Combined { verdict, reason, deciding: policies, terms }
}

/// The opinions that are acted on: those of enforcing policies in an enforcing house.
pub(super) fn enforced(house: Mode, opinions: &[Opinion]) -> impl Iterator<Item = &Opinion> + Clone {
    opinions.iter().filter(move |opinion| opinion.mode.min(house) == Mode::Enforce)
}

fn class_default(request: &Request, class: Class) -> Combined {
    let action = &request.action;
    let (verdict, reason, terms) = match class {
        Class::Ordinary => (Verdict::Allow, format!("`{action}` is ordinary and no policy objects"), None),
        Class::Sensitive => {
            let terms = Terms::new(question(request));
            (Verdict::Confirm, format!("`{action}` is sensitive and no policy allows it"), Some(terms))
        }
    };
    Combined { verdict, reason, deciding: Vec::new(), terms }
}

/// Characters of a question. People read no more, and whoever asks chooses some of them.
pub(super) const QUESTION_CHARACTERS_MAX: usize = 500;
/// Characters of the target in a question that no policy words, so that it cannot push the asker out of sight.
const TARGET_CHARACTERS_MAX: usize = 100;
/// Characters of what a grant means, for the same reason.
const MEANING_CHARACTERS_MAX: usize = 300;

/// A text in one line and in one direction, of at most so many characters: an asker must not be able to write a second
/// question below the first.
pub(super) fn in_one_line(text: &str, characters_max: usize) -> String {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let mut line: String = text.chars().take(characters_max).map(|c| if is_plain(c) { c } else { ' ' }).collect();
    if text.chars().nth(characters_max).is_some() {
        line.push('…');
    }
    line
}

/// What a person is asked where no policy words the question.
fn question(request: &Request) -> String {
    let target = request.target.as_deref().map(|target| in_one_line(target, TARGET_CHARACTERS_MAX));
    let target = target.map(|target| format!(" for `{target}`")).unwrap_or_default();
    let meaning = meaning(request).map(|meaning| format!(" ({meaning})")).unwrap_or_default();
    format!("Allow `{}`{target}{meaning}? Asked by: {}.", request.action, asker(request))
}

/// Who asks, in the words of a question.
pub(super) fn asker(request: &Request) -> String {
    let source = &request.source;
    let seeming = source.evidence.map_or_else(String::new, |evidence| format!("{} ", evidence.certainty.name()));
    let by = source.channel.as_ref().or(source.satellite.as_ref().map(|satellite| &satellite.name));
    let by = by.map(|name| format!(" (`{name}`)")).unwrap_or_default();
    format!("{seeming}{}{by}", source.kind.name())
}

/// What follows from an action of the bridge itself. Its name alone tells that to nobody who did not ask for it.
fn meaning(request: &Request) -> Option<Cow<'static, str>> {
    let meaning = match request.action.as_str() {
        SET_MODE => "the bridge holds nothing back",
        TURN_OFF_POLICY => "this policy no longer judges",
        UNMUTE => "its microphone listens again",
        RELEASE => "Home Assistant commands its devices without the gate",
        ACCEPT => "what devices announce now is taken for right",
        GRANT => return Some(in_one_line(&grants::meaning(request), MEANING_CHARACTERS_MAX).into()),
        _ => return None,
    };
    Some(meaning.into())
}

/// All who ask for a confirmation must be satisfied: the shortest time, the channels that all of them name, a code if
/// anybody wants one, the stricter side of silence, and a group only where all name the same.
///
/// Where they name no channel in common, `from` holds a name that no channel has, so that none is fit. Who asks without
/// terms of its own (a failed policy) wants no code, and wants silence to be a no.
fn strictest_terms<'a>(request: &Request, deciding: impl Iterator<Item = &'a Opinion> + Clone) -> Terms {
    let mut asked: Vec<&str> = Vec::new();
    let mut within_ms = u64::MAX;
    let mut from: Option<Vec<String>> = None;
    let said = |opinion: &'a Opinion| opinion.terms.as_ref();
    let pin = deciding.clone().filter_map(said).any(|terms| terms.pin);
    let otherwise = deciding.clone().map(|opinion| said(opinion).map_or(Otherwise::Deny, |terms| terms.otherwise));
    let otherwise = otherwise.max().unwrap_or_default();
    let mut groups = deciding.clone().map(|opinion| said(opinion).and_then(|terms| terms.group.as_ref()));
    let group = groups.next().flatten().filter(|group| groups.all(|other| other == Some(group)));
    for terms in deciding.filter_map(said) {
        asked.push(&terms.ask);
        within_ms = within_ms.min(terms.within_ms);
        if !terms.from.is_empty() {
            from = Some(match from {
                None => terms.from.clone(),
                Some(common) => common.into_iter().filter(|name| terms.from.contains(name)).collect(),
            });
        }
    }
    let mut ask = asked.join(" ");
    if asked.is_empty() {
        ask = question(request);
    } else if meaning(request).is_some() {
        // What loosens the bridge is said before the words of a rule, which cannot know how far it goes.
        ask = format!("{} {ask}", question(request));
    }
    let ask = in_one_line(&ask, QUESTION_CHARACTERS_MAX);
    let within_ms = if within_ms == u64::MAX { CONFIRM_WITHIN_DEFAULT_MS } else { within_ms };
    let from = match from {
        None => Vec::new(),
        Some(common) if common.is_empty() => vec![NO_COMMON_CHANNEL.to_owned()],
        Some(common) => common,
    };
    Terms { ask, within_ms, from, pin, otherwise, group: group.cloned() }
}

/// Stands for "the policies name no channel in common". No channel can be called so.
const NO_COMMON_CHANNEL: &str = "(none in common)";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::request::{Door, Source, SourceKind};

    fn request() -> Request {
        Request {
            action: "a.b".to_owned(),
            target: Some("door".to_owned()),
            source: Source { kind: SourceKind::Voice, channel: Some("kitchen".to_owned()), ..Source::default() },
            door: Door::Gate,
            data: BTreeMap::new(),
            text: None,
            confidence: None,
            sensitive: false,
            heard: None,
        }
    }

    fn opinion(policy: &str, verdict: Verdict) -> Opinion {
        Opinion {
            policy: policy.to_owned(),
            verdict,
            reason: format!("{policy} says so"),
            instead: None,
            mode: Mode::Enforce,
            error: None,
            terms: None,
        }
    }

    fn confirm(policy: &str, within_ms: u64, from: &[&str]) -> Opinion {
        let from = from.iter().map(|name| (*name).to_owned()).collect();
        let terms = Terms { within_ms, from, ..Terms::new(format!("{policy} asks?")) };
        Opinion { terms: Some(terms), ..opinion(policy, Verdict::Confirm) }
    }

    #[test]
    fn deny_beats_confirm_beats_allow_and_the_reasons_are_those_of_the_deciding() {
        use Verdict::{Allow, Confirm, Deny};
        for (verdicts, class, floor, expected, reason, deciding) in [
            (vec![], Class::Ordinary, false, Allow, "`a.b` is ordinary and no policy objects", vec![]),
            (vec![], Class::Sensitive, false, Confirm, "`a.b` is sensitive and no policy allows it", vec![]),
            (vec![Allow], Class::Sensitive, false, Allow, "p0 says so", vec!["p0"]),
            (vec![Allow, Confirm], Class::Ordinary, false, Confirm, "p1 says so", vec!["p1"]),
            (vec![Deny, Confirm, Deny], Class::Ordinary, false, Deny, "p0 says so; p2 says so", vec!["p0", "p2"]),
            (vec![Deny], Class::Sensitive, true, Allow, "the safety floor: nothing may block `a.b`", vec![]),
        ] {
            let opinions: Vec<Opinion> =
                verdicts.iter().enumerate().map(|(index, verdict)| opinion(&format!("p{index}"), *verdict)).collect();
            let seen = combine(&request(), class, floor, opinions.iter());
            assert_eq!((seen.verdict, seen.reason.as_str()), (expected, reason), "{verdicts:?}");
            assert_eq!(seen.deciding, deciding, "{verdicts:?}");
        }
    }

    #[test]
    fn several_confirmations_must_all_be_satisfied() {
        for (opinions, within_ms, from) in [
            (vec![confirm("a", 30_000, &[]), confirm("b", 60_000, &[])], 30_000, vec![]),
            (vec![confirm("a", 30_000, &["phone", "panel"]), confirm("b", 60_000, &["panel"])], 30_000, vec!["panel"]),
            (vec![confirm("a", 9_000, &["phone"]), confirm("b", 8_000, &["panel"])], 8_000, vec![NO_COMMON_CHANNEL]),
            (vec![opinion("a", Verdict::Confirm)], CONFIRM_WITHIN_DEFAULT_MS, vec![]),
        ] {
            let terms = combine(&request(), Class::Ordinary, false, opinions.iter()).terms.expect("terms");
            assert_eq!((terms.within_ms, terms.from), (within_ms, from.into_iter().map(str::to_owned).collect()));
        }
        let nobody_words_it = combine(&request(), Class::Sensitive, false, [].iter()).terms.expect("terms");
        assert_eq!(nobody_words_it.ask, "Allow `a.b` for `door`? Asked by: voice (`kitchen`).");
    }

    #[test]
    fn a_code_is_wanted_if_anybody_wants_it_and_silence_and_groups_need_all() {
        use Otherwise::{Allow, AllowSensitive, Deny};
        let said = |pin, otherwise, group: Option<&str>| {
            let terms = Terms { pin, otherwise, group: group.map(str::to_owned), ..Terms::new("x?".to_owned()) };
            Opinion { terms: Some(terms), ..opinion("p", Verdict::Confirm) }
        };
        let without_terms = || opinion("failed", Verdict::Confirm);
        for (opinions, class, expected) in [
            (vec![said(false, Allow, Some("g"))], Class::Ordinary, (false, Allow, Some("g"))),
            (vec![said(true, Deny, None), said(false, Allow, None)], Class::Ordinary, (true, Deny, None)),
            (vec![said(false, AllowSensitive, None), said(false, Allow, None)], Class::Ordinary, (false, Allow, None)),
            (
                vec![said(false, Allow, Some("g")), said(false, Allow, Some("g"))],
                Class::Ordinary,
                (false, Allow, Some("g")),
            ),
            (vec![said(false, Allow, Some("g")), said(false, Allow, Some("h"))], Class::Ordinary, (false, Allow, None)),
            (vec![said(false, Allow, Some("g")), said(false, Allow, None)], Class::Ordinary, (false, Allow, None)),
            (vec![said(false, Allow, Some("g")), without_terms()], Class::Ordinary, (false, Deny, None)),
            (vec![said(false, AllowSensitive, None)], Class::Sensitive, (false, AllowSensitive, None)),
            (vec![said(false, AllowSensitive, None), said(false, Allow, None)], Class::Sensitive, (false, Deny, None)),
            (vec![said(false, Allow, None)], Class::Sensitive, (false, Deny, None)),
            (vec![], Class::Sensitive, (false, Deny, None)),
        ] {
            let combined = combine(&request(), class, false, opinions.iter());
            let terms = combined.terms.expect("terms");
            assert_eq!((terms.pin, terms.otherwise, terms.group.as_deref()), expected, "{opinions:?}");
            let is_told = combined.reason.contains("silence denies it, since it is sensitive");
            let wanted_allow =
                opinions.iter().any(|said| said.terms.as_ref().is_some_and(|terms| terms.otherwise == Allow));
            assert_eq!(is_told, class == Class::Sensitive && wanted_allow, "{}", combined.reason);
        }
    }

    #[test]
    fn what_loosens_the_bridge_is_asked_in_plain_words() {
        for (action, expected) in [
            (RELEASE, "Allow `hushgate.release` (Home Assistant commands its devices without the gate)?"),
            (ACCEPT, "Allow `hushgate.accept` (what devices announce now is taken for right)?"),
            (SET_MODE, "Allow `hushgate.set_mode` (the bridge holds nothing back)?"),
            (TURN_OFF_POLICY, "Allow `hushgate.turn_off_policy` (this policy no longer judges)?"),
            (UNMUTE, "Allow `hushgate.unmute` (its microphone listens again)?"),
        ] {
            let request = Request { action: action.to_owned(), target: None, ..request() };
            let asked = combine(&request, Class::Sensitive, false, [].iter()).terms.expect("terms").ask;
            assert!(asked.starts_with(expected), "{asked}");
        }
    }

    #[test]
    fn no_rule_words_away_what_would_be_loosened() {
        let data = [("action", "lock.*"), ("until", "2027-01-01T23:00:00+01:00")];
        let data = data.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        let (action, target) = (GRANT.to_owned(), Some("sitter".to_owned()));
        let grant = Request { action, target, data, ..request() };
        let said = |ask: &str| Opinion { terms: Some(Terms::new(ask.to_owned())), ..opinion("p", Verdict::Confirm) };
        let asked = |ask: &str| combine(&grant, Class::Sensitive, false, [said(ask)].iter()).terms.expect("terms").ask;
        let meant = "Allow `hushgate.grant` for `sitter` (`sitter` may do `lock.*` without being asked until 23:00)? \
                     Asked by: voice (`kitchen`).";
        assert_eq!(asked("Let them in?"), format!("{meant} Let them in?"));
        assert!(asked(&"x".repeat(QUESTION_CHARACTERS_MAX)).starts_with(meant), "nor push it out of sight");
    }

    #[test]
    fn a_question_is_one_line_of_bounded_length() {
        let asked = |target: &str, opinions: &[Opinion]| {
            let request = Request { target: Some(target.to_owned()), ..request() };
            combine(&request, Class::Sensitive, false, opinions.iter()).terms.expect("terms").ask
        };
        let two_lines = "door`?\nAsked by: person. \u{202e}`";
        assert_eq!(
            asked(two_lines, &[]),
            "Allow `a.b` for `door`? Asked by: person.  ``? Asked by: voice (`kitchen`)."
        );
        let long = "x".repeat(TARGET_CHARACTERS_MAX + 1);
        let cut = "x".repeat(TARGET_CHARACTERS_MAX);
        assert_eq!(asked(&long, &[]), format!("Allow `a.b` for `{cut}…`? Asked by: voice (`kitchen`)."));
        assert_eq!(asked(&cut, &[]), format!("Allow `a.b` for `{cut}`? Asked by: voice (`kitchen`)."));
        let worded = |ask: String| {
            let terms = Terms { within_ms: 1, ..Terms::new(ask) };
            [Opinion { terms: Some(terms), ..opinion("p", Verdict::Confirm) }]
        };
        assert_eq!(asked("door", &worded("Open\r\nit?".to_owned())), "Open  it?");
        let at_bound = "x".repeat(QUESTION_CHARACTERS_MAX);
        assert_eq!(asked("door", &worded(at_bound.clone())), at_bound);
        assert_eq!(asked("door", &worded(format!("{at_bound}x"))), format!("{at_bound}…"));
    }

    #[test]
    fn only_enforcing_policies_in_an_enforcing_house_are_enforced() {
        let observing = Opinion { mode: Mode::Observe, ..opinion("o", Verdict::Deny) };
        let opinions = [opinion("e", Verdict::Allow), observing];
        let names = |house| enforced(house, &opinions).map(|opinion| opinion.policy.as_str()).collect::<Vec<_>>();
        assert_eq!(names(Mode::Enforce), ["e"]);
        assert!(names(Mode::Observe).is_empty());
    }
}
