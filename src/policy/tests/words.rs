//! The words for facts, time, memory and effects, each where the house knows and where it does not.

use serde_json::json;

use super::{NOW_MS, ask, ask_in, fact, failure, holds, view};
use crate::model::decision::Outcome;
use crate::model::durable::{COUNTERS_MAX, Change, MEMORIES_MAX, Mute, PROMPTS_MAX, Prompt};
use crate::model::request::FactChange;
use crate::policy::{View, Wish};

/// A house that knows some things: everything was heard a minute ago.
fn house() -> View {
    let view = view();
    for (entity, value) in [
        ("lock.door", Some("locked")),
        ("sensor.outside", Some("21.5")),
        ("sensor.broken", Some("warm")),
        ("lock.shed", None),
        ("person.anna", Some("not_home")),
        ("person.ben", Some("work")),
    ] {
        fact(&view, entity, value);
    }
    for (entity, attribute, value) in [
        ("light.lamp", Some("brightness"), json!(128)),
        ("light.lamp", Some("modes"), json!(["a", "b"])),
        ("switch.on", None, json!(true)),
    ] {
        let change =
            FactChange { entity: entity.to_owned(), attribute: attribute.map(str::to_owned), value: Some(value) };
        view.world.borrow_mut().home.fold(NOW_MS - 60_000, change).expect("room");
    }
    view
}

#[test]
fn the_house_answers_what_it_knows() {
    let view = house();
    for (expression, expected) in [
        ("state(\"lock.door\") == \"locked\"", true),
        ("state(\"lock.nowhere\", \"?\") == \"?\"", true),
        ("state(\"lock.shed\", \"?\") == \"?\"", true),
        ("state(\"switch.on\") == \"true\"", true),
        ("number(\"sensor.outside\") > 21 && number(\"sensor.outside\") < 22", true),
        ("number(\"sensor.nowhere\", 5) == 5 && number(\"sensor.nowhere\", 0.5) == 0.5", true),
        ("attribute(\"light.lamp\", \"brightness\") == 128", true),
        ("\"b\" in attribute(\"light.lamp\", \"modes\")", true),
        ("attribute(\"light.lamp\", \"colour\", \"none\") == \"none\"", true),
        ("is(\"lock.door\", \"locked\")", true),
        ("is(\"lock.door\", \"unlocked\")", false),
        ("is_not(\"lock.door\", \"unlocked\")", true),
        ("is_not(\"lock.door\", \"locked\")", false),
        // What is not known is neither.
        ("is(\"lock.shed\", \"locked\") || is_not(\"lock.shed\", \"locked\")", false),
        ("is(\"lock.nowhere\", \"locked\") || is_not(\"lock.nowhere\", \"locked\")", false),
        ("is_known(\"lock.door\")", true),
        ("is_known(\"lock.shed\") || is_known(\"lock.nowhere\")", false),
        ("age_s(\"lock.door\") == 60", true),
        ("is_fresh(\"lock.door\", \"60s\")", true),
        (
            "is_fresh(\"lock.door\", \"59s\") || is_fresh(\"lock.shed\", \"1h\") || is_fresh(\"lock.nowhere\", \"1h\")",
            false,
        ),
        ("everybody_away() && !anybody_home()", true),
    ] {
        assert_eq!(holds(expression, &view), expected, "{expression}");
    }
    assert!(!holds("everybody_away() || anybody_home()", &super::view()), "nobody is known");
    fact(&view, "person.ben", "home");
    assert!(holds("anybody_home() && !everybody_away()", &view));
}

#[test]
fn what_the_house_does_not_know_is_an_error_without_a_default() {
    let view = house();
    for (body, message) in [
        ("state(\"lock.nowhere\");", "the state of `lock.nowhere` is not known; use `state(entity, default)`"),
        ("state(\"lock.shed\");", "the state of `lock.shed` is not known; use `state(entity, default)`"),
        ("number(\"sensor.nowhere\");", "the state of `sensor.nowhere` is not known; use `number(entity, default)`"),
        ("number(\"sensor.broken\");", "expected a number as the state of `sensor.broken`, found `\"warm\"`"),
        ("number(\"sensor.broken\", 5);", "expected a number as the state of `sensor.broken`, found `\"warm\"`"),
        (
            "attribute(\"lock.door\", \"x\");",
            "the attribute `x` of `lock.door` is not known; use `attribute(entity, name, default)`",
        ),
        ("age_s(\"lock.nowhere\");", "`lock.nowhere` was never heard of; ask `is_known` or `is_fresh` first"),
    ] {
        let reaction = ask_in(body, &view);
        assert_eq!(failure(&reaction), (1, 1, message.to_owned()));
        assert_eq!(reaction.facts.len(), 1, "the fact is told all the same: {body}");
    }
}

#[test]
fn every_fact_that_was_read_is_told_once_with_value_and_age() {
    let view = house();
    let reaction = ask_in(
        "is(\"lock.door\", \"x\"); is_known(\"lock.shed\"); state(\"lock.door\"); state(\"lock.no\", \"\"); \
         attribute(\"light.lamp\", \"brightness\"); anybody_home();",
        &view,
    );
    let told: Vec<_> = reaction
        .facts
        .iter()
        .map(|fact| (fact.entity.as_str(), fact.attribute.as_deref(), fact.value.clone(), fact.age_ms))
        .collect();
    assert_eq!(
        told,
        [
            ("lock.door", None, Some(json!("locked")), Some(60_000)),
            ("lock.shed", None, None, Some(60_000)),
            ("lock.no", None, None, None),
            ("light.lamp", Some("brightness"), Some(json!(128)), Some(60_000)),
            ("person.anna", None, Some(json!("not_home")), Some(60_000)),
            ("person.ben", None, Some(json!("work")), Some(60_000)),
        ]
    );
}

#[test]
fn presence_is_not_asked_of_a_crowd() {
    let view = view();
    for index in 0..=64 {
        let entity = format!("person.p{index}");
        let change = FactChange { entity, attribute: None, value: Some(json!("home")) };
        view.world.borrow_mut().home.fold(NOW_MS, change).expect("room");
    }
    assert_eq!(failure(&ask_in("anybody_home();", &view)).2, "more than 64 persons; presence is not asked of so many");
}

#[test]
fn the_time_is_that_of_the_house() {
    // Monday, 23:14, in Portland.
    for (expression, expected) in [
        ("between(\"22:00\", \"07:00\")", true),
        ("between(\"07:00\", \"22:00\")", false),
        ("hour() == 23 && minute() == 14 && time_of_day() == \"23:14\"", true),
        ("weekday() == \"monday\"", true),
        ("is_weekend()", false),
        ("sun_is_down() && !sun_is_up()", true),
        ("hour() in 22..24", true),
    ] {
        assert_eq!(holds(expression, &view()), expected, "{expression}");
    }
    let polar = View {
        civil: Some("2026-12-21T12:00[Europe/Oslo]".parse().expect("a zoned time")),
        coordinates: Some((69.65, 18.96)),
        ..view()
    };
    assert_eq!(failure(&ask_in("sun_is_up();", &polar)).2, "the sun neither rises nor sets here today");
    assert_eq!(failure(&ask_in("sun_is_down();", &polar)).2, "the sun neither rises nor sets here today");
    let placeless = View { coordinates: None, ..view() };
    assert_eq!(
        failure(&ask_in("sun_is_up();", &placeless)).2,
        "the place of the house is not known: no coordinates are configured"
    );
    let timeless = View { civil: None, ..view() };
    for word in [
        "between(\"22:00\", \"07:00\")",
        "hour()",
        "minute()",
        "weekday()",
        "is_weekend()",
        "time_of_day()",
        "sun_is_up()",
    ] {
        let (line, column, message) = failure(&ask_in(&format!("{word};"), &timeless));
        let expected = "the time is not known: no time zone is configured, or the clock cannot be right";
        assert_eq!((line, column, message.as_str()), (1, 1, expected), "{word}");
    }
}

#[test]
fn effects_are_wishes_in_their_order() {
    let reaction =
        ask("mute(\"kitchen\", \"10m\", \"woken too often\"); unmute(\"bedroom\"); announce(\"kitchen\", \"hello\");
         notify(\"look\"); publish(\"lamp/set\", \"ON\"); publish(\"lamp/set\", #{ state: \"ON\", level: [1, 0.5] });
         remember(\"k\", [1]); forget(\"k\"); count(\"n\", \"1m\"); deny(\"no\")");
    assert_eq!(reaction.error, None);
    let text = str::to_owned;
    assert_eq!(
        reaction.wishes,
        [
            Wish::Mute {
                speaker: text("kitchen"),
                what: crate::model::speaker::What::Mic,
                for_ms: 600_000,
                reason: text("woken too often")
            },
            Wish::Unmute { speaker: text("bedroom") },
            Wish::Announce { speaker: text("kitchen"), text: text("hello") },
            Wish::Notify { text: text("look") },
            Wish::Publish { topic: text("lamp/set"), payload: text("ON") },
            Wish::Publish { topic: text("lamp/set"), payload: text("{\"level\":[1,0.5],\"state\":\"ON\"}") },
            Wish::Remember { key: text("k"), value: json!([1]) },
            Wish::Forget { key: text("k") },
            Wish::Count { name: text("n") },
        ]
    );
}

#[test]
fn effects_refuse_what_cannot_be_meant() {
    for (body, message) in [
        ("mute(\"kitchen\", \"25h\", \"x\")", "expected a mute of at most 24 h, found `25h`"),
        ("mute(\"kitchen\", \"0s\", \"x\")", "expected a mute of at most 24 h, found `0s`"),
        ("mute(\"kitchen\", \"1m\", \"\")", "expected a reason, found an empty text"),
        ("announce(\"kitchen\", \" \")", "expected a text to say, found an empty text"),
        ("notify(\"\")", "expected a text to tell, found an empty text"),
        (
            "let t = \"a/+\"; publish(t, \"x\")",
            "expected a topic to publish to, found `a/+`: the topic has a wildcard (`+` or `#`)",
        ),
        ("publish(\"a\", ())", "expected a payload, found nothing"),
        ("publish(\"a\", |x| x)", "expected text, a number, true or false, a list or a map, found a function"),
        ("remember(\"\", 1)", "expected a name of 1 to 128 bytes, found `0`"),
        ("remember(\"k\", ())", "expected a value to remember, found nothing; use `forget(key)`"),
        (
            "let s = \"0123456789abcdef\"; s += s; s += s; s += s; s += s; s += s; s += s; s += s; s += s; remember(\"k\", s)",
            "expected at most 4096 bytes to remember, found `4098`",
        ),
        ("recall(\"never\")", "nothing is remembered as `never`; use `recall(key, default)`"),
    ] {
        assert_eq!(failure(&ask(body)).2, message, "{body}");
    }
}

fn apply(view: &View, change: Change) {
    view.world.borrow_mut().durable.apply(change);
}

#[test]
fn a_policy_sees_what_it_has_written_itself() {
    let view = view();
    let text = str::to_owned;
    for at_ms in [NOW_MS - 700_000, NOW_MS - 500_000, NOW_MS - 1] {
        apply(&view, Change::Count { policy: text("rule"), name: text("woken"), at_ms });
    }
    apply(&view, Change::Count { policy: text("other"), name: text("alien"), at_ms: NOW_MS });
    apply(&view, Change::Remember { policy: text("rule"), key: text("who"), value: json!({"name": "anna"}) });
    let mute = Mute {
        before: None,
        what: crate::model::speaker::What::Mic,
        until_ms: NOW_MS + 1,
        until: view.at.utc,
        reason: text("x"),
        by: text("control"),
    };
    apply(&view, Change::Mute { speaker: text("kitchen"), mute: mute.clone() });
    apply(&view, Change::Mute { speaker: text("hall"), mute: Mute { until_ms: NOW_MS, ..mute } });
    for expression in [
        "counted(\"woken\", \"10m\") == 2 && counted(\"woken\", \"1h\") == 3",
        "counted(\"alien\", \"1h\") == 0 && counted(\"never\", \"1h\") == 0",
        "count(\"woken\", \"10m\") == 3 && count(\"woken\", \"10m\") == 4 && counted(\"woken\", \"10m\") == 4",
        "recall(\"who\").name == \"anna\" && recall(\"never\", 7) == 7",
        "is_muted(\"kitchen\") && !is_muted(\"hall\") && !is_muted(\"bedroom\")",
    ] {
        assert!(holds(expression, &view), "{expression}");
    }
    let written = "remember(\"who\", \"ben\"); if recall(\"who\") != \"ben\" { deny(\"a\") } forget(\"who\"); \
                   if recall(\"who\", \"gone\") != \"gone\" { deny(\"b\") } \
                   unmute(\"kitchen\"); if is_muted(\"kitchen\") { deny(\"c\") } \
                   mute(\"hall\", \"1m\", \"x\"); if !is_muted(\"hall\") { deny(\"d\") }";
    assert_eq!(super::stated(&ask_in(written, &view)), None);
}

#[test]
fn a_policy_counts_how_people_have_answered() {
    let view = view();
    let prompt = |action: &str, ago_ms: u64, outcome: Option<Outcome>| {
        let (id, asker, action, at_ms) = (String::new(), String::new(), action.to_owned(), NOW_MS - ago_ms);
        let prompt = Prompt {
            id,
            at_ms,
            asker,
            action,
            target: None,
            joined: Vec::new(),
            policies: Vec::new(),
            outcome,
            ended_ms: None,
        };
        apply(&view, Change::Prompt { prompt });
    };
    prompt("lock.open", 600_001, Some(Outcome::Approved));
    for outcome in [
        Some(Outcome::Approved),
        Some(Outcome::Rejected),
        Some(Outcome::Expired),
        Some(Outcome::Cancelled),
        Some(Outcome::Unopposed),
        Some(Outcome::JudgedAgain),
        None,
    ] {
        prompt("lock.open", 600_000, outcome);
    }
    prompt("lock.unlock", 0, Some(Outcome::Rejected));
    for expression in [
        "approvals(\"lock.open\", \"10m\") == #{ asked: 7, approved: 1, refused: 1, expired: 1 }",
        "approvals(\"lock.*\", \"7d\") == #{ asked: 9, approved: 2, refused: 2, expired: 1 }",
        "approvals(\"lock.unlock\", \"0s\").refused == 1",
        "approvals(\"light.turn_on\", \"7d\").asked == 0",
    ] {
        assert!(holds(expression, &view), "{expression}");
    }
    let too_long = "expected at most `7d`, as no more is kept, found `7d1s`";
    assert_eq!(failure(&ask_in("let w = \"7d1s\"; approvals(\"lock.open\", w);", &view)).2, too_long);
    for _ in 0..PROMPTS_MAX {
        prompt("lock.open", 0, None);
    }
    let forty = "for index in 0..40 { approvals(\"lock.open\", \"1h\"); }";
    let too_much = "the rule does not end: more than 10000 steps";
    assert_eq!(failure(&ask_in(forty, &view)).2, too_much, "to look at many questions is work");
}

#[test]
fn counters_and_memories_of_a_policy_are_bounded() {
    let full = |change: &dyn Fn(usize) -> Change, count: usize| {
        let view = view();
        (0..count).for_each(|index| apply(&view, change(index)));
        view
    };
    let counter = |index: usize| Change::Count { policy: "rule".to_owned(), name: format!("c{index}"), at_ms: NOW_MS };
    let counters = full(&counter, COUNTERS_MAX);
    assert!(holds("count(\"c0\", \"1m\") == 2", &counters), "an old counter goes on");
    assert_eq!(failure(&ask_in("count(\"new\", \"1m\");", &counters)).2, "more than 64 counters in one policy");
    let nearly = full(&counter, COUNTERS_MAX - 1);
    assert_eq!(
        failure(&ask_in("count(\"a\", \"1m\"); count(\"a\", \"1m\");\ncount(\"b\", \"1m\");", &nearly)),
        (2, 1, "more than 64 counters in one policy".to_owned()),
        "what the same evaluation has begun is counted"
    );
    let memory =
        |index: usize| Change::Remember { policy: "rule".to_owned(), key: format!("m{index}"), value: json!(index) };
    let memories = full(&memory, MEMORIES_MAX);
    assert_eq!(ask_in("remember(\"m0\", 5);", &memories).error, None);
    assert_eq!(failure(&ask_in("remember(\"new\", 5);", &memories)).2, "more than 64 remembered values in one policy");
    let nearly = full(&memory, MEMORIES_MAX - 1);
    assert_eq!(failure(&ask_in("remember(\"a\", 1); remember(\"a\", 2);\nremember(\"b\", 1);", &nearly)).0, 2);
}

#[test]
fn pure_words_do_what_their_names_say() {
    for expression in [
        "\"Front Door\".to_lower() == \"front door\" && to_upper(\"é\") == \"É\" && \" x \".trim() == \"x\"",
        "\"notify.send\".starts_with(\"notify\") && \"notify.send\".ends_with(\"send\") && \"abc\".contains(\"b\")",
        "\"é\".len() == 1 && \"\".is_empty() && [1, 2].len() == 2 && [].is_empty() && #{ a: 1 }.len() == 1 && #{}.is_empty()",
        "\"a-b\".replace(\"-\", \"+\") == \"a+b\" && \"a,b\".split(\",\") == [\"a\", \"b\"] && [\"a\", 1].join(\"-\") == \"a-1\"",
        "\"lock.front_door\".matches(\"lock.*\") && !\"light.x\".matches(\"lock.*\")",
        "to_number(\" 2.5 \") == 2.5 && to_text(3) == \"3\" && to_text(true) == \"true\"",
        "abs(-3) == 3 && abs(-0.5) == 0.5 && min(1, 2) == 1 && max(1, 2.5) == 2.5 && round(2.5) == 3 && round(7) == 7",
        "[1, 2, 3].any(|n| n > 2) && ![1].any(|n| n > 2) && [1, 2].all(|n| n > 0) && [1, 2, 3].filter(|n| n != 2) == [1, 3]",
        "\"x\" + 1 == \"x1\" && 1 + \"x\" == \"1x\" && \"x\" + 0.5 == \"x0.5\" && `${1}${true}` == \"1true\" && [1] + [2] == [1, 2]",
    ] {
        assert!(holds(expression, &view()), "{expression}");
    }
    for (body, message) in [
        ("to_number(\"warm\");", "expected a number, found `\"warm\"`"),
        ("to_number(\"inf\");", "expected a number, found `\"inf\"`"),
        ("to_text([1]);", "expected text, a number, true or false, found a list"),
        ("let v = [1].join(1);", "there is no word `join` that takes (a list, a number)"),
        ("[1].any(|n| n);", "expected true or false from the function, found `1`"),
        ("\"a\".split(\"\");", "expected a separator, found an empty text"),
        ("\"a\".replace(\"\", \"b\");", "expected a part to replace, found an empty text"),
        ("round(1.0e16);", "the number is too large: `10000000000000000`"),
        ("let m = \"a\"; m - [1];", "`-` cannot work on text and a list"),
        ("min(1, \"a\");", "expected two numbers, found `1` and `\"a\"`"),
    ] {
        assert_eq!(failure(&ask(body)).2, message, "{body}");
    }
}

#[test]
fn the_list_of_words_is_what_is_registered() {
    let host = crate::policy::host::Host::new(&super::catalog(), None);
    let registered: Vec<&str> = host.vocabulary.keys().map(String::as_str).collect();
    let mut listed: Vec<&str> = crate::policy::words::all().map(|word| word.name).collect();
    listed.sort_unstable();
    assert_eq!(listed, registered);
    for word in crate::policy::words::all() {
        assert!(word.usage.contains(&format!("{}(", word.name)), "{}", word.usage);
    }
}
