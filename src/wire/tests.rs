//! Tables of inbound messages and what the core is told of them.

mod discovery;
mod mirrors;
mod outbound;
mod questions;
mod twins;

use super::*;
use crate::config::{self, NoSecrets};
use crate::model::message::{Qos, ReplyTo};
use crate::model::request::Held;

const CONFIG: &str = "
channels:
  phone: {kind: person, independent: true, confirms: true}
  echo: {kind: voice}
  assistant: {kind: agent}
commands:
  - {topic: 'z/{name*}/set', when: {state: UNLOCK}, action: lock.unlock, target: '{name}'}
  - {topic: answers/lamp/set, action: light.turn_on}
  - {topic: '{x}/{y}/config', action: light.turn_on}
  - {topic: '{any}/mode/set', action: light.turn_on}
facts: {statestream: ha, topics: [{topic: door/state, entity: lock.door}]}
events: [{topic: door/bell, event: door.bell}]
speakers:
  kitchen:
    mute: [{topic: 'hermes/{speaker}/off', payload: '{\"siteId\": \"{speaker}\"}'}]
    unmute: [{topic: 'hermes/{speaker}/on', payload: '{\"siteId\": \"{speaker}\"}', retain: true}]
    announce: [{topic: hermes/say, payload: '{\"text\": \"{text}\", \"siteId\": \"{speaker}\"}'}]
  hall: {}
notify: [{topic: house/notice, payload: '{policy}: {text}'}]
ask: {response_prefixes: [answers, homeassistant_answers]}
";

pub(super) fn wire() -> Wire {
    let config = Rc::new(config::parse("test.yaml", CONFIG, &NoSecrets).expect("a configuration"));
    let registry = Rc::new(Registry::new(&config));
    Wire::new(config, registry, "one")
}

fn stored(topic: &str, payload: &str) -> Message {
    Message { retain: true, ..Message::live(topic, payload.to_owned()) }
}

/// What one message becomes, in one line: events, then `+` and the repairs.
fn told(decoded: &Decoded) -> String {
    let mut parts: Vec<String> = decoded.events.iter().map(told_event).collect();
    parts.extend(decoded.repairs.iter().map(|repair| {
        format!(
            "+ {}={}{}",
            repair.topic,
            String::from_utf8_lossy(&repair.payload),
            if repair.retain { " kept" } else { "" }
        )
    }));
    if decoded.taken_over {
        parts.push("taken over".to_owned());
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") }
}

fn told_event(event: &Event) -> String {
    let reply = |reply: &Option<Reply>| {
        reply.as_ref().map_or_else(String::new, |reply| {
            let ask = reply.ask.as_ref().map_or_else(String::new, |ask| format!(" #{ask}"));
            let correlation = reply.correlation.as_ref().map_or("", |_| " correlated");
            format!(" → {}{ask}{correlation}{}", reply.topic, if reply.retain { " kept" } else { "" })
        })
    };
    match event {
        Event::Arrival(arrival) => {
            let request = &arrival.request;
            let held = match &arrival.held {
                Held::Command(command) => format!("command {} {:?} {:?}", command.topic, command.qos, command.expiry_s),
                Held::Question => "question".to_owned(),
                Held::Seen { .. } => "seen".to_owned(),
                Held::Control(_) => "control".to_owned(),
            };
            let channel = request.source.channel.as_deref().unwrap_or("-");
            let target = request.target.as_deref().unwrap_or("-");
            let kind = request.source.kind.name();
            format!("{held}: {} {target} by {kind}/{channel}{}", request.action, reply(&arrival.reply))
        }
        Event::Refused(refusal) => format!("refused: {}{}", refusal.reason, reply(&refusal.reply)),
        Event::Ghost { topic } => format!("ghost {topic}"),
        Event::Forged { topic } => format!("forged {topic}"),
        Event::Answer(answer) => format!("{answer:?}"),
        Event::Control(control) => format!("{control:?}"),
        Event::Fact(fact) => format!("fact {} {:?}", fact.entity, fact.value),
        Event::House(event) => format!("event {}", event.name),
        Event::Message(message) => format!("message {}", message.topic),
        Event::Guard { topic, guard } => format!("guard {topic} {}", guard.problem.as_deref().unwrap_or("-")),
        other => format!("{other:?}"),
    }
}

fn check(cases: &[(&str, &str, &str)]) {
    for (topic, payload, expected) in cases {
        let seen = told(&wire().decode(&Message::live(*topic, (*payload).to_owned()), &[]));
        assert_eq!(seen, *expected, "{topic} {payload}");
    }
}

#[test]
fn the_gate_lets_known_topics_in_and_nothing_else() {
    let too_long = format!("hushgate/gate/{}", "x".repeat(topic::TOPIC_BYTES_MAX + 1));
    check(&[
        (
            "hushgate/gate/z/door/set",
            r#"{"state":"UNLOCK"}"#,
            "command z/door/set AtLeastOnce None: lock.unlock door by unknown/-",
        ),
        (
            "hushgate/gate/z/door/set",
            "gibberish",
            "command z/door/set AtLeastOnce None: command.unreadable door by unknown/-",
        ),
        ("hushgate/gate/z/door/set", "", "refused: expected a payload, found an empty one"),
        (
            "hushgate/gate/z/door/get",
            "x",
            "refused: expected a topic that `commands:` names or that is guarded, found `z/door/get`",
        ),
        ("hushgate/gate", "x", "refused: expected a device's topic behind `gate/`, found ``: the topic is empty"),
        ("hushgate/gate/", "x", "refused: expected a device's topic behind `gate/`, found ``: the topic is empty"),
        (
            "hushgate/gate/z/+/set",
            "x",
            "refused: expected a device's topic behind `gate/`, found `z/+/set`: the topic has a wildcard (`+` or `#`)",
        ),
        (
            "hushgate/gate/z/#",
            "x",
            "refused: expected a device's topic behind `gate/`, found `z/#`: the topic has a wildcard (`+` or `#`)",
        ),
        (
            "hushgate/gate/$SYS/x",
            "x",
            "refused: expected a device's topic behind `gate/`, found `$SYS/x`: the topic begins with `$`, which belongs to the broker",
        ),
        (
            "hushgate/gate/a\u{1}",
            "x",
            "refused: expected a device's topic behind `gate/`, found `a\\u{1}`: the topic has a control character",
        ),
        // The configuration has an entry for each of these topics; that does not help.
        (
            "hushgate/gate/hushgate/mode/set",
            "observe",
            "refused: expected a device's topic, found `hushgate/mode/set`: a gate loop into the bridge itself",
        ),
        (
            "hushgate/gate/hushgate",
            "x",
            "refused: expected a device's topic, found `hushgate`: a gate loop into the bridge itself",
        ),
        (
            "hushgate/gate/homeassistant/lock/config",
            "x",
            "refused: expected a device's topic, found `homeassistant/lock/config`: discovery commands nothing",
        ),
        ("hushgate2/gate/z/door/set", "UNLOCK", "nothing"),
    ]);
    let seen = told(&wire().decode(&Message::live(too_long, "x"), &[]));
    assert!(seen.ends_with("the topic is longer than 1024 bytes"), "{seen}");
}

#[test]
fn a_command_keeps_its_service_and_what_is_left_of_its_life() {
    let message = Message {
        qos: Qos::AtMostOnce,
        expiry_s: Some(7),
        ..Message::live("hushgate/gate/z/door/set", r#"{"state":"UNLOCK"}"#)
    };
    let decoded = wire().decode(&message, &[]);
    assert_eq!(told(&decoded), "command z/door/set AtMostOnce Some(7): lock.unlock door by unknown/-");
    let Some(Event::Arrival(arrival)) = decoded.events.first() else { panic!("an arrival") };
    let Held::Command(command) = &arrival.held else { panic!("a command") };
    assert_eq!(command.payload, message.payload, "byte for byte");
    let late = wire().decode(&Message { expiry_s: Some(0), ..message }, &[]);
    assert_eq!(
        told(&late),
        "refused: expected a message that is still valid, found one whose expiry has passed: it is too old"
    );
}

#[test]
fn stored_messages_are_ghosts_wherever_something_is_asked_or_set() {
    for topic in [
        "hushgate/gate/z/door/set",
        "hushgate/gate/hushgate/mode/set",
        "hushgate/gate/unknown",
        "hushgate/ask",
        "hushgate/ask/nobody",
        "hushgate/confirm/phone/x",
        "hushgate/mode/set",
        "hushgate/policy/quiet/set",
        "hushgate/mute/kitchen/set",
        "hushgate/mute/nobody/set",
        "hushgate/grant/set",
        "hushgate/grant/d1/set",
        "hushgate/mode/x/y",
    ] {
        let seen = told(&wire().decode(&stored(topic, r#"{"state":"UNLOCK"}"#), &[]));
        assert_eq!(seen, format!("ghost {topic} + {topic}= kept"));
    }
}

#[test]
fn payloads_are_bounded() {
    let at_bound = Message::live("hushgate/gate/answers/lamp/set", "x".repeat(PAYLOAD_BYTES_MAX));
    assert!(told(&wire().decode(&at_bound, &[])).starts_with("command answers/lamp/set"));
    for topic in ["hushgate/gate/answers/lamp/set", "hushgate/ask", "door/state"] {
        let seen = told(&wire().decode(&Message::live(topic, "x".repeat(PAYLOAD_BYTES_MAX + 1)), &[]));
        assert_eq!(seen, "refused: expected a payload of at most 262144 bytes, found 262145", "{topic}");
    }
    let seen = told(&wire().decode(&stored("hushgate/gate/x", &"x".repeat(PAYLOAD_BYTES_MAX + 1)), &[]));
    assert!(seen.ends_with("+ hushgate/gate/x= kept"), "a large ghost is cleared too: {seen}");
}

#[test]
fn people_answer_in_words_or_json() {
    let answer = |says: &str, token: &str, code: &str| {
        let token = if token.is_empty() { None } else { Some(token) };
        format!("Answer {{ channel: \"phone\", pending: Some(\"p1\"), says: {says}, token: {token:?}, code: {code} }}")
    };
    let topic = "hushgate/confirm/phone/p1";
    check(&[
        (topic, "approve", &answer("Approve", "", "None")),
        (topic, " Approve\n", &answer("Approve", "", "None")),
        (topic, "reject t0k", &answer("Reject", "t0k", "None")),
        (topic, r#"{"answer":"approve","token":"t0k"}"#, &answer("Approve", "t0k", "None")),
        (topic, "seen t0k", &answer("Seen", "t0k", "None")),
        (topic, "approve t0k 1234", &answer("Approve", "t0k", "Some(Code(…))")),
        (topic, r#"{"answer":"approve","token":"t0k","code":"12 34"}"#, &answer("Approve", "t0k", "Some(Code(…))")),
        (topic, r#"{"answer":"approve","token":"t0k","pin":"1234"}"#, &answer("Approve", "t0k", "Some(Code(…))")),
        (
            topic,
            r#"{"answer":"approve","token":"t0k","pin":"1234","code":"1234"}"#,
            "refused: expected `code` or `pin`, found both",
        ),
        (
            topic,
            r#"{"answer":"approve","token":"t0k","pin":1234}"#,
            "refused: `pin`: expected text, found another kind",
        ),
        (topic, "approve a b c", "refused: expected an answer, its token and a code, found more words"),
        (topic, "t0k", "refused: expected `approve`, `reject` or `seen` first, found another word"),
        (topic, "approved", "refused: expected `approve`, `reject` or `seen` first, found another word"),
        (topic, "", "refused: expected a payload, found an empty one"),
        (topic, " ", "refused: expected `approve`, `reject` or `seen`, found only spaces"),
        (
            topic,
            r#"{"answer":"approve","tokn":"x"}"#,
            "refused: expected known fields only, found `tokn`; did you mean `token`?",
        ),
        (
            topic,
            r#"{"answer":"approve","answer":"reject"}"#,
            "refused: expected a JSON object with `answer`, found other text",
        ),
        (topic, r#"{"token":"t0k"}"#, "refused: expected the field `answer`, found none"),
        (topic, r#"{"answer":"approve","token":7}"#, "refused: `token`: expected text, found another kind"),
        (
            "hushgate/confirm/phne/p1",
            "approve",
            "refused: expected a configured channel, found `phne`; did you mean `phone`?",
        ),
        ("hushgate/confirm/phone", "approve", "refused: expected `confirm/<channel>/<id>`, found `confirm/phone`"),
        (
            "hushgate/confirm/phone/a/b",
            "approve",
            "refused: expected `confirm/<channel>/<id>`, found `confirm/phone/a/b`",
        ),
        ("hushgate/confirm", "approve", "refused: expected `confirm/<channel>/<id>`, found `confirm/`"),
    ]);
    let token =
        |length: usize| told(&wire().decode(&Message::live(topic, format!("approve {}", "x".repeat(length))), &[]));
    assert!(token(confirm::TOKEN_BYTES_MAX).starts_with("Answer"));
    assert!(token(confirm::TOKEN_BYTES_MAX + 1).starts_with("refused: expected a token of at most 256 bytes"));
    let code =
        |length: usize| told(&wire().decode(&Message::live(topic, format!("approve t0k {}", "7".repeat(length))), &[]));
    assert!(code(confirm::CODE_BYTES_MAX).starts_with("Answer"));
    let too_long = code(confirm::CODE_BYTES_MAX + 1);
    assert_eq!(too_long, "refused: expected a PIN or code of at most 128 bytes, found a longer one");
    let canary = format!("hushgate/confirm/phone/{CANARY_ID}");
    assert_eq!(told(&wire().decode(&Message::live(canary.as_str(), "approve t0k"), &[])), "nothing");
    assert!(told(&wire().decode(&stored(&canary, "approve t0k"), &[])).starts_with("ghost"), "it is cleared");
    let pending = "x".repeat(confirm::PENDING_ID_BYTES_MAX + 1);
    let seen = told(&wire().decode(&Message::live(format!("hushgate/confirm/phone/{pending}"), "approve"), &[]));
    assert!(seen.starts_with("refused: expected `confirm/<channel>/<id>`"), "{seen}");
}

/// A house with a button, a dialogue and a keypad.
const ANSWERING: &str = r##"
channels:
  button:
    kind: person
    confirms: true
    answers:
      - {topic: z/button/action, payload: single, says: approve}
      - {topic: z/button/action, payload: double, says: reject}
      - {topic: 'z/{any*}', payload: double, says: approve}
  room:
    kind: voice
    confirms: true
    answers:
      - {topic: hermes/intent/Yes, when: {siteId: room}, says: approve, token: '{payload.customData}'}
  keypad:
    kind: person
    confirms: true
    totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ
    answers:
      - {topic: 'keypad/{token}', says: approve, token: '{token}', code: '{payload.typed}'}
      - {topic: 'keypad/{token}/lit', says: seen, token: '{token}'}
events: [{topic: z/button/action, event: button.pressed}]
"##;

#[test]
fn channels_answer_on_topics_of_the_house() {
    let wire = || {
        let config = Rc::new(config::parse("test.yaml", ANSWERING, &NoSecrets).expect("a configuration"));
        let registry = Rc::new(Registry::new(&config));
        Wire::new(config, registry, "one")
    };
    let answer = |channel: &str, says: &str, token: &str, code: &str| {
        format!("Answer {{ channel: \"{channel}\", pending: None, says: {says}, token: {token}, code: {code} }}")
    };
    let token = "Some(\"t0k\")";
    for (topic, payload, expected) in [
        ("z/button/action", "single", format!("event button.pressed {}", answer("button", "Approve", "None", "None"))),
        ("z/button/action", "double", format!("event button.pressed {}", answer("button", "Reject", "None", "None"))),
        ("z/lamp", "double", answer("button", "Approve", "None", "None")),
        ("z/button/action", "hold", "event button.pressed".to_owned()),
        ("hermes/intent/Yes", r#"{"siteId":"room","customData":"t0k"}"#, answer("room", "Approve", token, "None")),
        (
            "hermes/intent/Yes",
            r#"{"siteId":"room","customData":null}"#,
            "refused: expected a token in this answer, found none".to_owned(),
        ),
        ("hermes/intent/Yes", r#"{"siteId":"hall","customData":"t0k"}"#, "nothing".to_owned()),
        ("keypad/t0k", r#"{"typed":123456}"#, answer("keypad", "Approve", token, "Some(Code(…))")),
        ("keypad/t0k", "123456", answer("keypad", "Approve", token, "None")),
        ("keypad/t0k/lit", "1", answer("keypad", "Seen", token, "None")),
    ] {
        assert_eq!(told(&wire().decode(&Message::live(topic, payload.to_owned()), &[])), expected, "{topic} {payload}");
        let late = Message { expiry_s: Some(0), ..Message::live(topic, payload.to_owned()) };
        for message in [stored(topic, payload), late] {
            let seen = told(&wire().decode(&message, &[]));
            assert!(!seen.contains("Answer") && !seen.contains("refused"), "{topic} {payload}: {seen}");
        }
    }
    let subscribed = wire().subscriptions(&[]);
    for filter in ["z/#", "hermes/intent/Yes", "keypad/+", "keypad/+/lit"] {
        let subscription = subscribed.iter().find(|subscription| subscription.filter.as_str() == filter);
        let subscription = subscription.unwrap_or_else(|| panic!("{filter} in {subscribed:?}"));
        assert_eq!(subscription.qos, Qos::AtLeastOnce, "{filter}");
    }
}

#[test]
fn control_is_read_in_words_or_json() {
    check(&[
        ("hushgate/mode/set", "observe", "SetMode { mode: Observe, for_ms: None }"),
        ("hushgate/mode/set", r#"{"mode":"observe","for":"2h"}"#, "SetMode { mode: Observe, for_ms: Some(7200000) }"),
        (
            "hushgate/mode/set",
            "enfroce",
            "refused: expected `observe` or `enforce`, found `enfroce`; did you mean `enforce`?",
        ),
        (
            "hushgate/mode/set",
            r#"{"mode":"observe","for":"25h"}"#,
            "refused: `for`: expected a duration up to `24h`, found `25h`",
        ),
        (
            "hushgate/mode/set",
            r#"{"mode":"observe","for":"0s"}"#,
            "refused: `for`: expected a duration up to `24h`, found `0s`",
        ),
        (
            "hushgate/mode/set",
            r#"{"mode":"observe","for":"soon"}"#,
            "refused: `for`: expected a duration such as `90s`, `10m` or `1h30m`, found `soon`",
        ),
        ("hushgate/mode/set", r#"{"mode":"observe","for":7}"#, "refused: `for`: expected text, found the number `7`"),
        ("hushgate/mode/set", "", "refused: expected a payload, found an empty one"),
        ("hushgate/policy/quiet-nights/set", "OFF", r#"SetPolicy { policy: "quiet-nights", on: false, for_ms: None }"#),
        (
            "hushgate/policy/quiet-nights/set",
            r#"{"on":false,"for":"30m"}"#,
            r#"SetPolicy { policy: "quiet-nights", on: false, for_ms: Some(1800000) }"#,
        ),
        ("hushgate/policy/quiet-nights/set", "0", "refused: expected `on` or `off`, found `0`"),
        ("hushgate/policy/quiet-nights/set", r#"{"for":"30m"}"#, "refused: expected the field `on`, found none"),
        (
            "hushgate/grant/set",
            r#"{"channel":"sitter","action":"lock.*","for":"3h"}"#,
            r#"Grant { channel: "sitter", action: "lock.*", target: None, for_ms: Some(10800000), until: None }"#,
        ),
        (
            "hushgate/grant/set",
            r#"{"channel":"sitter","action":"lock.unlock","target":"door","until":"23:00"}"#,
            r#"Grant { channel: "sitter", action: "lock.unlock", target: Some("door"), for_ms: None, until: Some(Clock(23:00:00)) }"#,
        ),
        (
            "hushgate/grant/set",
            r#"{"channel":"sitter","action":"lock.unlock","until":"2027-03-02T23:00:00+01:00"}"#,
            r#"Grant { channel: "sitter", action: "lock.unlock", target: None, for_ms: None, until: Some(Utc(2027-03-02T22:00:00Z)) }"#,
        ),
        ("hushgate/grant/set", "revoke", "refused: expected a JSON object, found `revoke`"),
        ("hushgate/grant/d1/set", " Revoke", r#"Revoke { id: "d1" }"#),
        ("hushgate/grant/d1/set", "{}", "refused: expected `revoke`, found an object"),
        ("hushgate/grant/d1/set", "on", "refused: expected `revoke`, found `on`"),
        (
            "hushgate/mute/kitchen/set",
            r#"{"mute":true,"what":"both"}"#,
            r#"Mute { speaker: "kitchen", what: Some(Both), for_ms: None, reason: None }"#,
        ),
        (
            "hushgate/mute/kitchen/set",
            r#"{"mute":true,"what":"sond"}"#,
            "refused: expected `mic`, `sound` or `both` in `what`, found `sond`; did you mean `sound`?",
        ),
        (
            "hushgate/mute/kitchen/set",
            r#"{"mute":false,"what":"mic"}"#,
            "refused: expected `what`, `for` and `reason` only with `\"mute\": true`, found them with `false`",
        ),
        ("hushgate/mute/kitchen/set", "ON", r#"Mute { speaker: "kitchen", what: None, for_ms: None, reason: None }"#),
        ("hushgate/mute/kitchen/set", "unmute", r#"Unmute { speaker: "kitchen" }"#),
        (
            "hushgate/mute/kitchen/set",
            r#"{"mute":true,"for":"20m","reason":"guests"}"#,
            r#"Mute { speaker: "kitchen", what: None, for_ms: Some(1200000), reason: Some("guests") }"#,
        ),
        ("hushgate/mute/kitchen/set", r#"{"mute":false}"#, r#"Unmute { speaker: "kitchen" }"#),
        (
            "hushgate/mute/kitchen/set",
            r#"{"mute":false,"for":"1m"}"#,
            r#"refused: expected `what`, `for` and `reason` only with `"mute": true`, found them with `false`"#,
        ),
        (
            "hushgate/mute/kitchen/set",
            r#"{"mute":"yes"}"#,
            "refused: `mute`: expected `true` or `false`, found the text `yes`",
        ),
        (
            "hushgate/mute/kitchn/set",
            "mute",
            "refused: expected a configured speaker, found `kitchn`; did you mean `kitchen`?",
        ),
        ("hushgate/mute/a/b/set", "mute", "refused: expected a topic of the bridge, found one that it does not have"),
        ("hushgate/mode/x", "mute", "refused: expected a topic of the bridge, found one that it does not have"),
        ("hushgate/policy//set", "off", "refused: expected a topic of the bridge, found one that it does not have"),
    ]);
    let reason = |length: usize| {
        let payload = format!(r#"{{"mute":true,"reason":"{}"}}"#, "x".repeat(length));
        told(&wire().decode(&Message::live("hushgate/mute/kitchen/set", payload), &[]))
    };
    assert!(reason(control::REASON_BYTES_MAX).starts_with("Mute"));
    assert!(reason(control::REASON_BYTES_MAX + 1).starts_with("refused: `reason`"));
    let policy = |length: usize| {
        told(&wire().decode(&Message::live(format!("hushgate/policy/{}/set", "x".repeat(length)), "off"), &[]))
    };
    assert!(policy(control::POLICY_BYTES_MAX).starts_with("SetPolicy"));
    assert!(policy(control::POLICY_BYTES_MAX + 1).starts_with("refused"));
    let revoke = |length: usize| {
        told(&wire().decode(&Message::live(format!("hushgate/grant/{}/set", "x".repeat(length)), "revoke"), &[]))
    };
    assert!(revoke(control::GRANT_ID_BYTES_MAX).starts_with("Revoke"));
    assert!(revoke(control::GRANT_ID_BYTES_MAX + 1).starts_with("refused: expected a grant's id"));
}

#[test]
fn the_house_is_heard_as_facts_events_and_messages() {
    let topics = [TopicFilter::new("#").expect("a filter")];
    for (topic, live, replayed) in [
        (
            "ha/lock/door/state",
            "fact lock.door Some(String(\"x\")) message ha/lock/door/state",
            "fact lock.door Some(String(\"x\"))",
        ),
        ("door/state", "fact lock.door Some(String(\"x\")) message door/state", "fact lock.door Some(String(\"x\"))"),
        ("door/bell", "event door.bell message door/bell", "nothing"),
        ("other", "message other", "nothing"),
        // Commands past the gate are messages of the house like any other.
        ("z/door/set", "message z/door/set", "nothing"),
        ("hushgate/decision/allow/lock.unlock", "nothing", "nothing"),
        ("hushgate", "nothing", "nothing"),
    ] {
        assert_eq!(told(&wire().decode(&Message::live(topic, "x"), &topics)), live, "{topic}");
        assert_eq!(told(&wire().decode(&stored(topic, "x"), &topics)), replayed, "{topic}");
    }
    let elsewhere = [TopicFilter::new("a/#").expect("a filter")];
    assert_eq!(told(&wire().decode(&Message::live("other", "x"), &elsewhere)), "nothing");
}
