//! What hooks are given, and what they may say.

use std::rc::Rc;

use super::{ask, failure, hear, holds, load, request, stated, tell, view};
use crate::model::decision::{Otherwise, Terms, Verdict};
use crate::model::message::Message;
use crate::model::request::{Certainty, Clue, Evidence, HouseEvent, Request, Source, SourceKind};

#[test]
fn a_request_has_typed_fields() {
    for expression in [
        "request.action == \"notify.send_message\"",
        "request.domain == \"notify\" && request.service == \"send_message\"",
        "request.target == \"emma\" && request.has_target && request.target_or(\"x\") == \"emma\"",
        "request.source == \"voice\" && request.by_voice && !request.by_person && !request.by_unknown",
        "request.channel == \"kitchen\" && request.channel_or(\"x\") == \"kitchen\"",
        "!request.has_text && request.text_or(\"none\") == \"none\"",
        "request.has_confidence && request.confidence < 0.5 && request.confidence_or(1.0) == 0.4",
        "request.door == \"gate\"",
        "request.sensitive",
        "request.data.urgent && \"urgent\" in request.data && !(\"nothing\" in request.data)",
        "request.data_or(\"nothing\", 5) == 5 && request.data_or(\"urgent\", false)",
    ] {
        assert!(holds(expression, &view()), "{expression}");
    }
}

#[test]
fn what_only_the_streams_say_stays_unknown_and_is_told_apart() {
    let evidence = Evidence { certainty: Certainty::Likely, age_ms: 20 };
    let clue = |name: &str| Some(Clue { name: name.to_owned(), evidence });
    let seeming = |kind| Source {
        kind,
        evidence: Some(evidence),
        satellite: clue("assist_satellite.hall"),
        likely_channels: vec!["hall".to_owned()],
        ..Source::default()
    };
    let unknown = "request.source == \"unknown\" && request.by_unknown && !request.has_channel";
    let vouched = "request.certainty == \"certain\" && request.likely_source == request.source";
    for (source, expressions) in [
        (
            seeming(SourceKind::Voice),
            [
                unknown,
                "request.by_voice && request.likely_source == \"voice\" && request.certainty == \"likely\"",
                "request.satellite == \"assist_satellite.hall\" && request.has_satellite && !request.has_person",
                "request.person_or(\"nobody\") == \"nobody\" && \"hall\" in request.likely_channels",
            ],
        ),
        (
            seeming(SourceKind::Automation),
            [unknown, "!request.by_automation && !request.by_voice", "request.likely_source == \"automation\"", "true"],
        ),
        (request().source, [vouched, "!request.by_unknown", "is_empty(request.likely_channels)", "request.by_voice"]),
        (
            Source::default(),
            [unknown, "request.certainty == \"unknown\"", "!request.by_voice", "request.satellite_or(\"\") == \"\""],
        ),
    ] {
        let request = Rc::new(Request { source, ..request() });
        for expression in expressions {
            let text =
                format!("const ACTIONS = \"*\"; fn on_request(request) {{ if {expression} {{ deny(\"holds\") }} }}");
            let reaction = load(&text).policies()[0].on_request(&request, &view());
            assert_eq!(
                reaction.stated.map(|stated| stated.reason).as_deref(),
                Some("holds"),
                "{expression} {request:?}"
            );
        }
    }
}

#[test]
fn what_is_absent_unknown_or_assigned_is_an_error_at_its_place() {
    for (body, column, message) in [
        ("request.text == \"x\"", 9, "this request has no `text`; ask `has_text` first, or use `text_or(default)`"),
        ("let r = request; r.sorce == \"x\"", 19, "a request has no field `sorce`; did you mean `source`?"),
        ("let r = request; r.target = \"x\";", 19, "a request cannot be changed; found an assignment to `target`"),
        ("request.data.colour == \"red\"", 14, "there is no field `colour`"),
        ("let r = request; r == 1", 20, "`==` cannot compare a request with a number (`1`)"),
    ] {
        assert_eq!(failure(&ask(body)), (1, column, message.to_owned()), "{body}");
    }
}

#[test]
fn verdicts_count_when_they_are_said_and_the_strictest_wins() {
    for (body, expected) in [
        ("deny(\"no\")", Some((Verdict::Deny, "no"))),
        ("deny(\"no\");", Some((Verdict::Deny, "no"))),
        ("deny(\"no\"); allow(\"yes\")", Some((Verdict::Deny, "no"))),
        ("allow(); deny(\"no\");", Some((Verdict::Deny, "no"))),
        ("confirm(\"sure?\"); allow()", Some((Verdict::Confirm, "sure?"))),
        ("deny(\"first\"); deny(\"second\")", Some((Verdict::Deny, "first"))),
        ("allow()", Some((Verdict::Allow, "the rule allows it"))),
        ("let verdict = deny(\"kept\"); let other = 1;", Some((Verdict::Deny, "kept"))),
        ("if false { deny(\"never\") }", None),
        ("if true { return; } deny(\"never\")", None),
        ("return deny(\"early\");", Some((Verdict::Deny, "early"))),
    ] {
        assert_eq!(stated(&ask(body)), expected, "{body}");
    }
}

#[test]
fn a_failure_opens_nothing_that_was_shut_before_it() {
    for (body, expected) in [
        ("deny(\"no\"); notify(\"x\"); let t = request.text;", Some(Verdict::Deny)),
        ("confirm(\"sure?\"); let t = request.text;", Some(Verdict::Confirm)),
        ("allow(); let t = request.text;", None),
        ("let t = request.text; deny(\"too late\")", None),
    ] {
        let reaction = ask(body);
        assert!(reaction.error.is_some() && reaction.wishes.is_empty(), "{body}");
        assert_eq!(reaction.stated.map(|stated| stated.verdict), expected, "{body}");
    }
}

#[test]
fn confirm_takes_terms_and_refuses_what_it_does_not_know() {
    let terms = |body: &str| ask(body).stated.expect(body).terms;
    assert_eq!(
        terms("confirm(#{ ask: \"open?\", within: \"30s\", from: [\"phone\", \"panel\", \"phone\"] })"),
        Some(Terms {
            within_ms: 30_000,
            from: vec!["phone".to_owned(), "panel".to_owned()],
            ..Terms::new("open?".to_owned())
        })
    );
    assert_eq!(
        terms("confirm(#{ ask: \"open?\", within: 90, from: \"phone\" })"),
        Some(Terms { within_ms: 90_000, from: vec!["phone".to_owned()], ..Terms::new("open?".to_owned()) })
    );
    assert_eq!(terms("confirm(\"open?\")"), Some(Terms::new("open?".to_owned())));
    let grouped = |characters: usize| format!("confirm(#{{ ask: \"open?\", group: \"{}\" }})", "ü".repeat(characters));
    assert_eq!(terms(&grouped(64)).and_then(|terms| terms.group), Some("ü".repeat(64)));
    assert_eq!(
        terms("confirm(#{ ask: \"open?\", pin: true, otherwise: \"allow_sensitive\", group: \"lamps\" })"),
        Some(Terms {
            pin: true,
            otherwise: Otherwise::AllowSensitive,
            group: Some("lamps".to_owned()),
            ..Terms::new("open?".to_owned())
        })
    );
    for (body, message) in [
        (
            "confirm(#{ question: \"open?\" })",
            "expected `ask`, `within`, `from`, `pin`, `otherwise` or `group`, found `question`",
        ),
        ("confirm(#{ ask: \"open?\", withn: \"1m\" })", "found `withn`; did you mean `within`?"),
        ("confirm(#{ within: \"60s\" })", "expected a question in `ask`, found an empty text"),
        ("confirm(#{ ask: \"open?\", within: \"4s\" })", "expected 5 s to 1 h in `within`, found `\"4s\"`"),
        ("confirm(#{ ask: \"open?\", within: 3601 })", "expected 5 s to 1 h in `within`, found `3601`"),
        ("confirm(#{ ask: \"open?\", within: -1 })", "expected 5 s to 1 h in `within`, found `-1`"),
        ("confirm(#{ ask: \"open?\", within: \"soon\" })", "expected a duration"),
        ("confirm(#{ ask: \"open?\", from: [] })", "expected 1 to 16 channels in `from`, found `0`"),
        ("confirm(#{ ask: \"open?\", from: \"fone\" })", "found `fone`; did you mean `phone`?"),
        ("confirm(#{ ask: \"open?\", from: [1] })", "expected text in `from`, found `1`"),
        ("confirm(#{ ask: \"open?\", pin: \"yes\" })", "expected true or false in `pin`, found `\"yes\"`"),
        ("confirm(#{ ask: \"open?\", otherwise: true })", "expected text in `otherwise`, found `true`"),
        (
            "confirm(#{ ask: \"open?\", otherwise: \"alow\" })",
            "expected `deny`, `allow` or `allow_sensitive` in `otherwise`, found `alow`; did you mean `allow`?",
        ),
        ("confirm(#{ ask: \"open?\", group: 5 })", "expected text in `group`, found `5`"),
        (
            "confirm(#{ ask: \"open?\", group: \" \" })",
            "expected a name of 1 to 64 characters in `group`, found an empty text",
        ),
        (&grouped(65), "expected a name of 1 to 64 characters in `group`, found `65`"),
        ("confirm(#{ ask: 1 })", "expected text in `ask`, found `1`"),
        ("deny(\" \")", "expected a reason, found an empty text"),
    ] {
        // Behind a variable `check` cannot see the terms, so it is the word that refuses them.
        let body =
            body.replace("confirm(#{", "let terms = #{").replace("})", "};\nconfirm(terms)").replace("deny", "\ndeny");
        let (line, column, found) = failure(&ask(&body));
        assert_eq!((line, column), (2, 1), "{body}");
        assert!(found.contains(message), "{body}: {found}");
    }
}

#[test]
fn a_hook_returns_a_verdict_or_nothing() {
    let (_, _, message) = failure(&ask("request.by_voice"));
    assert_eq!(message, "expected a verdict or nothing from `on_request`, found `true`");
    let event = HouseEvent { name: "voice.wake_word".to_owned(), ..HouseEvent::default() };
    let (line, column, message) = failure(&tell("let e = event;\ndeny(\"no\")", event.clone()));
    assert_eq!((line, column, message.as_str()), (2, 1, "`deny` answers a request; there is none in `on_event`"));
    let (_, _, message) = failure(&tell("5", event));
    assert_eq!(message, "expected nothing from `on_event`, found `5`");
}

#[test]
fn events_and_messages_have_typed_fields() {
    let event =
        HouseEvent { name: "voice.wake_word".to_owned(), speaker: Some("kitchen".to_owned()), ..HouseEvent::default() };
    let reaction = tell("if event.name == \"voice.wake_word\" && event.has_speaker { notify(event.speaker) }", event);
    assert_eq!(reaction.error, None);
    assert_eq!(reaction.wishes.len(), 1);
    let heard = |body: &str, payload: &[u8]| hear(body, &Message::live("home/door", payload.to_vec()));
    let reaction = heard(
        "if message.is_json && message.json.open { notify(message.topic + message.payload) }",
        b"{\"open\":true}",
    );
    assert_eq!((reaction.error, reaction.wishes.len()), (None, 1));
    for (body, payload, message) in [
        (
            "notify(message.payload)",
            b"\xff".as_slice(),
            "expected text, found 1 bytes that are not UTF-8; ask `is_text` first",
        ),
        ("message.json.x", b"{", "expected JSON of at most 16384 bytes; ask `is_json` first"),
    ] {
        assert_eq!(failure(&heard(body, payload)).2, message);
    }
}
