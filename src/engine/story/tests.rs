//! Which parts make one story, how long they are kept, and what a story can and cannot do to a request.

use super::*;
use crate::config::{self, NoSecrets};
use crate::engine::Setup;
use crate::model::decision::Decision;
use crate::model::event::{Entry, Event};
use crate::model::request::{Arrival, Door, FactChange, Held};

const CONFIG: &str = "
channels: {kitchen_echo: {kind: voice}, hall_echo: {kind: voice}}
speakers:
  kitchen: {channel: kitchen_echo, near: [media_player.kitchen_tv, media_player.radio]}
  hall: {channel: hall_echo}
commands: [{topic: lamp/set, action: light.turn_on}]
";
const NOW: At = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };

fn engine() -> Engine {
    let setup = Setup {
        config: Rc::new(config::parse("test.yaml", CONFIG, &NoSecrets).expect("a configuration")),
        sources: Vec::new(),
        seed: [0; 32],
        integrations: Vec::new(),
        stopwatch: None,
        saved: None,
    };
    Engine::start(setup, NOW, &mut Vec::new()).expect("an engine")
}

fn event(name: &str, speaker: &str, session: Option<&str>, confidence: Option<f64>) -> HouseEvent {
    HouseEvent {
        name: format!("voice.{name}"),
        speaker: Some(speaker.to_owned()),
        session: session.map(str::to_owned),
        confidence,
        ..HouseEvent::default()
    }
}

fn hear(engine: &mut Engine, after_ms: u64, event: HouseEvent) -> Vec<Effect> {
    let mut effects = Vec::new();
    engine.handle(NOW.plus_ms(after_ms), Event::House(event), &mut effects);
    effects
}

/// The decision on a request that an integration has read, or that came by a channel where `heard` is `None`.
fn decide(engine: &mut Engine, after_ms: u64, heard: Option<Heard>, change: impl FnOnce(&mut Request)) -> Decision {
    let mut request = engine.registry.read_command("lamp/set", b"ON", Door::Ask).expect("a request");
    request.heard = heard.map(Box::new);
    change(&mut request);
    let held = if request.door.holds() { Held::Question } else { Held::Seen { undo: None } };
    let mut effects = Vec::new();
    let arrival = Box::new(Arrival { request, held, reply: None });
    engine.handle(NOW.plus_ms(after_ms), Event::Arrival(arrival), &mut effects);
    let decision = effects.into_iter().find_map(|effect| match effect {
        Effect::Record(record) => match record.entry {
            Entry::Decision { decision } => Some(*decision),
            _ => None,
        },
        _ => None,
    });
    decision.expect("a decision")
}

fn by(speaker: &str, session: Option<&str>) -> Option<Heard> {
    Some(Heard { speaker: speaker.to_owned(), session: session.map(str::to_owned), ..Heard::default() })
}

/// The story in one line: seconds after the start, `-` for what is not known.
fn line(decision: &Decision) -> String {
    let Some(heard) = &decision.request.heard else { return "none".to_owned() };
    let after = |moment: Option<Timestamp>| {
        moment.map_or_else(|| "-".to_owned(), |moment| moment.duration_since(NOW.utc).as_secs().to_string())
    };
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    format!(
        "{} {} woke {} heard {} at {}; request {}",
        heard.speaker,
        heard.session.as_deref().unwrap_or("-"),
        after(heard.woke),
        after(heard.heard),
        number(heard.confidence),
        number(decision.request.confidence)
    )
}

/// What is told of a speaker, when, and how sure.
type Told = (u64, &'static str, &'static str, Option<&'static str>, Option<f64>);

#[test]
fn wake_word_words_and_request_are_one_story() {
    let woke = (0, "wake_word", "kitchen", None, None);
    let s1 = Some("s1");
    let cases: Vec<(Vec<Told>, Option<Heard>, &str)> = vec![
        (vec![], by("kitchen", None), "kitchen - woke - heard - at -; request -"),
        (vec![woke], by("kitchen", None), "kitchen - woke 0 heard - at -; request -"),
        (vec![woke], by("hall", None), "hall - woke - heard - at -; request -"),
        // The name of the dialogue comes after the wake word.
        (
            vec![
                woke,
                (1, "session_started", "kitchen", s1, None),
                (3, "transcript", "kitchen", s1, Some(0.41)),
                (4, "intent", "kitchen", s1, Some(0.9)),
                (5, "session_ended", "kitchen", s1, None),
            ],
            by("kitchen", s1),
            "kitchen s1 woke 0 heard 3 at 0.41; request 0.41",
        ),
        // Within one dialogue the least sure words count; the next wake word begins anew.
        (
            vec![woke, (1, "transcript", "kitchen", s1, Some(0.3)), (2, "transcript", "kitchen", s1, Some(0.9))],
            by("kitchen", s1),
            "kitchen s1 woke 0 heard 2 at 0.3; request 0.3",
        ),
        (
            vec![
                (0, "transcript", "kitchen", s1, Some(0.3)),
                (5, "wake_word", "kitchen", None, None),
                (6, "transcript", "kitchen", Some("s2"), Some(0.9)),
            ],
            by("kitchen", None),
            "kitchen s2 woke 5 heard 6 at 0.9; request 0.9",
        ),
        // Of two dialogues the one that the request names.
        (
            vec![(0, "transcript", "kitchen", s1, Some(0.3)), (1, "transcript", "kitchen", Some("s2"), Some(0.9))],
            by("kitchen", s1),
            "kitchen s1 woke - heard 0 at 0.3; request 0.3",
        ),
        // What it means may be less sure than the words, and then counts; what it means is no new sentence.
        (
            vec![woke, (1, "transcript", "kitchen", None, Some(0.8)), (2, "intent", "kitchen", None, Some(0.2))],
            by("kitchen", None),
            "kitchen - woke 0 heard 1 at 0.2; request 0.2",
        ),
        // The next sentence without a name is another one.
        (
            vec![woke, (1, "transcript", "kitchen", None, Some(0.2)), (2, "transcript", "kitchen", None, Some(0.8))],
            by("kitchen", None),
            "kitchen - woke 0 heard 2 at 0.8; request 0.8",
        ),
        // What ended takes in nothing more, and an end alone is no story.
        (
            vec![
                (0, "session_started", "kitchen", s1, None),
                (1, "session_ended", "kitchen", s1, None),
                (2, "transcript", "kitchen", None, Some(0.5)),
            ],
            by("kitchen", None),
            "kitchen - woke - heard 2 at 0.5; request 0.5",
        ),
        (
            vec![(0, "session_ended", "kitchen", s1, None)],
            by("kitchen", s1),
            "kitchen s1 woke - heard - at -; request -",
        ),
        (vec![(0, "noise", "kitchen", s1, Some(0.1))], by("kitchen", s1), "kitchen s1 woke - heard - at -; request -"),
    ];
    for (told, heard, expected) in cases {
        let mut engine = engine();
        for (after_s, name, speaker, session, confidence) in &told {
            assert!(hear(&mut engine, after_s * 1_000, event(name, speaker, *session, *confidence)).is_empty());
        }
        assert_eq!(line(&decide(&mut engine, 10_000, heard, |_| {})), expected, "{told:?}");
    }
}

#[test]
fn a_story_takes_confidence_away_and_gives_none() {
    for (own, heard, expected) in [
        (None, None, None),
        (None, Some(0.4), Some(0.4)),
        (Some(0.7), None, Some(0.7)),
        (Some(0.7), Some(0.4), Some(0.4)),
        (Some(0.3), Some(0.9), Some(0.3)),
    ] {
        let mut engine = engine();
        hear(&mut engine, 0, event("transcript", "kitchen", None, heard));
        let decision = decide(&mut engine, 1, by("kitchen", None), |request| request.confidence = own);
        assert_eq!(decision.request.confidence, expected, "{own:?} and {heard:?}");
        assert_eq!(decision.request.heard.expect("a story").confidence, heard, "what was heard stays what it was");
    }
}

#[test]
fn who_asks_by_the_channel_of_a_speaker_was_heard_by_it() {
    let channel = |name: &str| Some(name.to_owned());
    let likely = |names: &[&str]| Source {
        likely_channels: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Source::default()
    };
    for (source, expected) in [
        (Source { channel: channel("kitchen_echo"), ..Source::default() }, "kitchen - woke 0 heard - at -; request -"),
        (Source { channel: channel("hall_echo"), ..Source::default() }, "hall - woke - heard - at -; request -"),
        (likely(&["kitchen_echo"]), "kitchen - woke 0 heard - at -; request -"),
        (likely(&["hall_echo", "kitchen_echo"]), "kitchen - woke 0 heard - at -; request -"),
        (likely(&["panel"]), "none"),
        (Source::default(), "none"),
    ] {
        let mut engine = engine();
        hear(&mut engine, 0, event("wake_word", "kitchen", None, None));
        let decision = decide(&mut engine, 1, None, |request| request.source = source.clone());
        assert_eq!(line(&decision), expected, "{source:?}");
    }
    let decision = decide(&mut engine(), 1, None, |request| request.source = likely(&["hall_echo", "kitchen_echo"]));
    assert_eq!(line(&decision), "none", "of two that heard nothing nobody knows which one it was");
}

#[test]
fn a_story_is_forgotten_after_a_minute() {
    for (after_ms, expected) in [
        (HEARD_KEPT_MS, "kitchen - woke 0 heard - at -; request -"),
        (HEARD_KEPT_MS + 1, "kitchen - woke - heard - at -; request -"),
    ] {
        let mut engine = engine();
        hear(&mut engine, 0, event("wake_word", "kitchen", None, None));
        assert_eq!(line(&decide(&mut engine, after_ms, by("kitchen", None), |_| {})), expected, "{after_ms}");
    }
}

#[test]
fn what_played_is_what_played_when_it_woke() {
    let mut engine = engine();
    let play = |entity: &str, state: Option<&str>, after_ms: u64, engine: &mut Engine| {
        let change = FactChange { entity: entity.to_owned(), attribute: None, value: state.map(Into::into) };
        engine.handle(NOW.plus_ms(after_ms), Event::Fact(change), &mut Vec::new());
    };
    play("media_player.kitchen_tv", Some("playing"), 0, &mut engine);
    play("media_player.radio", None, 0, &mut engine);
    play("media_player.bedroom", Some("playing"), 0, &mut engine);
    hear(&mut engine, 0, event("wake_word", "kitchen", None, None));
    play("media_player.kitchen_tv", Some("paused"), 1, &mut engine);
    hear(&mut engine, 2, event("transcript", "kitchen", None, None));
    let heard = decide(&mut engine, 3, by("kitchen", None), |_| {}).request.heard.expect("a story");
    assert_eq!(heard.playing, ["media_player.kitchen_tv"]);
    hear(&mut engine, 4, event("wake_word", "kitchen", None, None));
    let heard = decide(&mut engine, 5, by("kitchen", None), |_| {}).request.heard.expect("a story");
    assert!(heard.playing.is_empty(), "{heard:?}");
}

#[test]
fn when_something_happened_counts_where_it_is_before_the_bridge_heard_of_it() {
    let moment = |after_s: i64| NOW.utc + SignedDuration::from_secs(after_s);
    for (happened, told) in [
        (None, None),
        (Some(moment(3)), Some(7)),
        (Some(moment(9)), Some(1)),
        (Some(moment(10)), None),
        (Some(moment(11)), None),
    ] {
        let heard = Heard { happened, ..by("kitchen", None).unwrap_or_default() };
        for door in [Door::Watch, Door::Ask] {
            let decision = decide(&mut engine(), 10_000, Some(heard.clone()), |request| request.door = door);
            let reason = "`light.turn_on` is ordinary and no policy objects";
            let expected = match told.filter(|_| door == Door::Watch) {
                Some(seconds) => format!("{reason}; seen {seconds} s after; could not be prevented"),
                None => reason.to_owned(),
            };
            assert_eq!(decision.reason, expected, "{happened:?} by {door:?}");
        }
    }
    let mut engine = engine();
    let woke = |after_s| HouseEvent { happened: Some(moment(after_s)), ..event("wake_word", "kitchen", None, None) };
    for (after_s, expected) in [(4, 4), (11, 10)] {
        hear(&mut engine, 10_000, woke(after_s));
        let line = line(&decide(&mut engine, 10_000, by("kitchen", None), |_| {}));
        assert_eq!(line, format!("kitchen - woke {expected} heard - at -; request -"), "never in the future");
    }
}

#[test]
fn strangers_are_forgotten_and_told_of_and_the_houses_own_speakers_stay() {
    let mut engine = engine();
    hear(&mut engine, 0, event("wake_word", "kitchen", None, None));
    for index in 0..STRANGERS_MAX {
        assert!(hear(&mut engine, 1, event("wake_word", &format!("s{index}"), None, None)).is_empty(), "{index}");
    }
    let seen = hear(&mut engine, 2, event("wake_word", "one more", None, None));
    let [Effect::Record(record)] = seen.as_slice() else { panic!("{seen:?}") };
    let table = "speakers that are not configured".to_owned();
    assert_eq!(record.entry, Entry::Full { table, limit: STRANGERS_MAX as u64, what: "one more".to_owned() });
    let woke = |engine: &mut Engine, speaker: &str| {
        decide(engine, 3, by(speaker, None), |_| {}).request.heard.expect("a story").woke.is_some()
    };
    assert!(woke(&mut engine, "kitchen") && woke(&mut engine, "one more") && woke(&mut engine, "s63"));
    assert!(!woke(&mut engine, "s0"), "the first one is forgotten");
}

#[test]
fn one_dialogue_more_than_is_kept_forgets_the_oldest() {
    let mut engine = engine();
    for index in 0..=DIALOGUES_MAX {
        hear(&mut engine, 0, event("wake_word", "kitchen", Some(&format!("s{index}")), None));
    }
    for (session, expected) in [("s0", "-"), ("s1", "0")] {
        let line = line(&decide(&mut engine, 0, by("kitchen", Some(session)), |_| {}));
        assert_eq!(line, format!("kitchen {session} woke {expected} heard - at -; request -"));
    }
}

#[test]
fn words_are_compared_without_what_speech_has_not() {
    for (text, expected) in [
        ("Unlock  the door!", "unlock the door"),
        ("\u{c4}ndere 21,5 Grad", "\u{e4}ndere 21 5 grad"),
        (" \u{2026} ", ""),
        (&"ab ".repeat(1_000), "ab ".repeat(171).trim_end()),
    ] {
        assert_eq!(normalised(text), expected, "{text}");
    }
}
