//! Messengers: signal-mqtt and mqttwarn. To whom and what is judged before anything leaves.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::household::{Household, held, nothing_failed, told};

pub const CASES: &[Case] = &[
    ("recipients_and_words_are_judged_at_the_gate", recipients_and_words_are_judged_at_the_gate),
    ("what_cannot_be_read_is_asked_about", what_cannot_be_read_is_asked_about),
    ("what_comes_in_is_heard_and_asks_for_nothing", what_comes_in_is_heard_and_asks_for_nothing),
    ("mqttwarn_goes_by_the_owners_topics", mqttwarn_goes_by_the_owners_topics),
];

const HOUSE: &str = r#"channels:
  phone: {kind: person, independent: true, confirms: true}
integrations:
  use:
    signal_mqtt: {}
    mqttwarn:
      topics: {"mqttwarn/telegram/+": communication.send_message, "mqttwarn/asterisk": communication.call}
      targets: {"mqttwarn/asterisk": mother}
      text_field: message
"#;
/// Friends get messages, but none with a secret in it.
const FRIENDS: &str = r#"//! Friends get messages.

const ACTIONS = ["notify.send_message", "communication.*"];
const FRIENDS = ["+491713920000", "LS0+YWRtaW5zPz8/Cg==", "max", "mother"];

fn on_request(request) {
    if request.has_text && request.text.contains("secret") {
        deny("no secrets")
    } else if request.target_or("") in FRIENDS {
        allow(`${request.target} is a friend`)
    } else {
        deny(`${request.target_or("nobody")} is no friend`)
    }
}
"#;

fn recipients_and_words_are_judged_at_the_gate() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut signal = Client::speaking(Version::V3, &broker, &["signal/out/#", "signal/send/#"]);
    let household = Household::on(&broker, HOUSE);
    household.policy("friends", FRIENDS);
    let _bridge = household.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/decision/#", "hushgate/log"]);
    let call = |params: &str| format!(r#"{{"jsonrpc":"2.0","method":"send","params":{params}}}"#);
    let allowed = [
        ("signal/out/method/send/recipient/%2B491713920000".to_owned(), "hello".to_owned()),
        (
            "signal/out/method/send/recipient/%2b491713920000:s[]/quoteTimestamp/1577882096000:n".to_owned(),
            "hello".to_owned(),
        ),
        ("signal/out/method/send/groupId/LS0%2BYWRtaW5zPz8%2FCg%3D%3D".to_owned(), "hello all".to_owned()),
        ("signal/send/%2B491713920000".to_owned(), "hello".to_owned()),
        ("signal/out".to_owned(), call(r#"{"recipient":["+491713920000"],"message":"hello"}"#)),
        ("signal/out".to_owned(), call(r#"{"groupId":"LS0+YWRtaW5zPz8/Cg==","message":"hello"}"#)),
    ];
    for (topic, payload) in &allowed {
        owner.publish(&format!("hushgate/gate/{topic}"), payload);
        let passed = signal.expect("signal/#");
        assert_eq!((&passed.topic, &passed.payload), (topic, payload), "it is passed on as it was sent");
        told(&mut owner, "hushgate/decision/allow/notify.send_message");
    }
    let denied = [
        ("signal/out/method/send/recipient/%2B4930999".to_owned(), "hello".to_owned(), "+4930999 is no friend"),
        ("signal/out/method/send/recipient/%2B491713920000".to_owned(), "the secret".to_owned(), "no secrets"),
        (
            "signal/out/method/send/recipient/%2B491713920000,%2B4930999".to_owned(),
            "hello".to_owned(),
            "+491713920000,+4930999 is no friend",
        ),
        (
            "signal/out/method/send/recipient/%2B491713920000/groupId/c29tZWJvZHk%3D".to_owned(),
            "hello".to_owned(),
            "+491713920000,c29tZWJvZHk= is no friend",
        ),
        (
            "signal/out".to_owned(),
            call(r#"{"recipient":["+491713920000","+4930999"],"message":"hello"}"#),
            "+491713920000,+4930999 is no friend",
        ),
        ("signal/out".to_owned(), call(r#"{"recipient":"+491713920000","message":"a secret"}"#), "no secrets"),
    ];
    for (topic, payload, reason) in &denied {
        owner.publish(&format!("hushgate/gate/{topic}"), payload);
        let decision = told(&mut owner, "hushgate/decision/deny/notify.send_message");
        assert_eq!(decision["reason"], *reason, "{topic} {payload}");
    }
    let (topic, payload) = &allowed[0];
    owner.publish(&format!("hushgate/gate/{topic}"), payload);
    assert_eq!(&signal.expect("signal/#").topic, topic, "nothing of what was denied went out before");
    nothing_failed(&owner);
}

fn what_cannot_be_read_is_asked_about() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut signal = Client::speaking(Version::V3, &broker, &["signal/out/#"]);
    let _bridge = Household::on(&broker, HOUSE).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/decision/#", "hushgate/log"]);
    let send = "signal/out/method/send";
    for (topic, payload, action) in [
        ("signal/out/method/updateGroup/groupId/abc", "x", "signal.call"),
        ("signal/out", r#"{"method":"register","params":{"captcha":"x"}}"#, "signal.call"),
        ("signal/out/method/send", "to nobody", "command.unreadable"),
        ("signal/out/id/7", "x", "command.unreadable"),
        (&format!("{send}/recipient"), "x", "command.unreadable"),
        (&format!("{send}/recipient/%2B49/account/%2B50"), "x", "command.unreadable"),
        // `%1r` is `+` to signal-mqtt, and to nobody else.
        (&format!("{send}/recipient/%1r49"), "x", "command.unreadable"),
        (&format!("{send}/recipient/%2B49:b"), "x", "command.unreadable"),
        (&format!("{send}/recipient/%2B49,"), "x", "command.unreadable"),
        ("signal/out", "{", "command.unreadable"),
        ("signal/out", "[]", "command.unreadable"),
        ("signal/out", r#"{"method":"send","params":[]}"#, "command.unreadable"),
        ("signal/out", r#"{"method":"send","params":{"recipient":[{"a":1}],"message":"x"}}"#, "command.unreadable"),
        ("signal/out", r#"{"method":"send","params":{"recipient":"+49","message":7}}"#, "command.unreadable"),
        ("signal/out", "{\"method\":\"listContacts\"}\n{\"method\":\"send\"}", "command.unreadable"),
    ] {
        owner.publish(&format!("hushgate/gate/{topic}"), payload);
        held(&mut owner, action);
    }
    owner.publish("signal/out/over", "");
    assert_eq!(signal.expect("signal/#").topic, "signal/out/over", "nothing that waits has gone out");
    nothing_failed(&owner);
}

fn what_comes_in_is_heard_and_asks_for_nothing() {
    let broker = Broker::start(Kind::Mosquitto);
    let signal = Client::speaking(Version::V3, &broker, &[]);
    let household = Household::on(&broker, HOUSE);
    let rule = "//! Tells who has written.\n\nconst EVENTS = [\"signal.message\"];\n\nfn on_event(event) {\n    \
                notify(`from ${event.data_or(\"source_number\", \"?\")} in ${event.data_or(\"group_id\", \"-\")}`);\n}\n";
    household.policy("written", rule);
    let _bridge = household.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/#"]);
    let from = "signal/in/method/receive/source_number/%2B491713920000/timestamp/1577882096000";
    signal.publish(from, "unlock the zebra door");
    signal.publish(&format!("{from}/group_id/LS0%2BYWRtaW5zPz8%2FCg%3D%3D"), "Incoming message");
    signal.publish("signal/in/method/receive/source_number", "x");
    for text in ["from +491713920000 in -", "from +491713920000 in LS0+YWRtaW5zPz8/Cg==", "from ? in -"] {
        assert_eq!(told(&mut owner, "hushgate/notice")["text"], text);
    }
    assert!(owner.received("hushgate/pending/+").is_empty() && owner.received("hushgate/decision/#").is_empty());
    assert!(owner.received("hushgate/#").iter().all(|message| !message.payload.contains("zebra")));
    nothing_failed(&owner);
}

fn mqttwarn_goes_by_the_owners_topics() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut mqttwarn = Client::speaking(Version::V3, &broker, &["mqttwarn/#"]);
    let household = Household::on(&broker, HOUSE);
    household.policy("friends", FRIENDS);
    let _bridge = household.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/decision/#", "hushgate/log"]);
    for (topic, payload, action, reason) in [
        ("mqttwarn/telegram/emma", "hello", "communication.send_message", "emma is no friend"),
        ("mqttwarn/telegram/max", r#"{"title":"hi","message":"a secret"}"#, "communication.send_message", "no secrets"),
        ("mqttwarn/telegram/max", r#"["a secret"]"#, "communication.send_message", "no secrets"),
    ] {
        owner.publish(&format!("hushgate/gate/{topic}"), payload);
        let decision = told(&mut owner, &format!("hushgate/decision/deny/{action}"));
        assert_eq!(decision["reason"], reason, "{topic} {payload}");
    }
    owner.publish("hushgate/gate/mqttwarn/telegram/max", r#"{"message":"hello"}"#);
    assert_eq!(mqttwarn.expect("mqttwarn/#").topic, "mqttwarn/telegram/max", "nothing that was denied went out before");
    owner.publish("hushgate/gate/mqttwarn/asterisk", "the alarm is on");
    assert_eq!(mqttwarn.expect("mqttwarn/asterisk").payload, "the alarm is on");
    assert_eq!(told(&mut owner, "hushgate/decision/allow/communication.call")["request"]["target"], "mother");
    nothing_failed(&owner);
}
