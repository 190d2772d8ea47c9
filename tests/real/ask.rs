//! Asking: the answer comes on the response topic or under `answer/`, and only where it may.

use rumqttc::v5::mqttbytes::v5::PublishProperties;
use serde_json::{Value, json};

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::house::House;
use crate::prompt::asked;

pub const CASES: &[Case] = &[
    ("the_answer_comes_on_the_response_topic", the_answer_comes_on_the_response_topic),
    ("the_answer_waits_under_the_askers_id", the_answer_waits_under_the_askers_id),
    ("a_held_question_is_answered_twice", a_held_question_is_answered_twice),
    ("no_answer_becomes_a_command", no_answer_becomes_a_command),
    ("a_bad_question_gets_an_error_answer", a_bad_question_gets_an_error_answer),
];

fn reply_to(topic: &str, correlation: &str) -> PublishProperties {
    PublishProperties {
        response_topic: Some(topic.to_owned()),
        correlation_data: Some(correlation.to_owned().into()),
        ..PublishProperties::default()
    }
}

fn the_answer_comes_on_the_response_topic(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut agent = Client::connect(&broker, &["answers/agent"]);
    for (target, verdict, reason) in [("cellar", "deny", Some("the cellar stays dark")), ("kitchen", "allow", None)] {
        let question = json!({"action": "light.turn_on", "target": target, "id": target}).to_string();
        agent.publish_with("hushgate/ask", &question, reply_to("answers/agent", target));
        let answer = agent.expect("answers/agent");
        assert_eq!(answer.correlation.as_deref(), Some(target.as_bytes()));
        let body = answer.json();
        assert_eq!((&body["verdict"], &body["ask"], &body["final"]), (&json!(verdict), &json!(target), &json!(true)));
        assert!(reason.is_none_or(|reason| body["reason"] == reason), "{body}");
    }
}

fn the_answer_waits_under_the_askers_id(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    // A 3.1.1 client has no response topic.
    let mut agent = Client::speaking(Version::V3, &broker, &["hushgate/decision/#"]);
    agent.publish("hushgate/ask", r#"{"action":"light.turn_on","target":"cellar","id":"q-1"}"#);
    agent.expect("hushgate/decision/deny/light.turn_on");
    // It subscribes late, and still gets its answer.
    agent.subscribe("hushgate/answer/q-1");
    let answer = agent.expect("hushgate/answer/q-1").json();
    assert_eq!((&answer["verdict"], &answer["reason"]), (&json!("deny"), &json!("the cellar stays dark")));
}

fn a_held_question_is_answered_twice(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut agent = Client::connect(&broker, &["answers/agent"]);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
    let question = json!({"action": "lock.unlock", "target": "door"}).to_string();
    agent.publish_with("hushgate/ask/kitchen", &question, reply_to("answers/agent", "7"));

    let first = agent.expect("answers/agent").json();
    assert_eq!((&first["verdict"], &first["final"]), (&json!("confirm"), &json!(false)));
    let prompt = asked(&mut phone);
    prompt.approve(&phone);
    let second = agent.expect("answers/agent");
    assert_eq!(second.correlation.as_deref(), Some(b"7".as_slice()));
    let body = second.json();
    assert_eq!((&body["verdict"], &body["final"]), (&json!("allow"), &json!(true)));
}

fn no_answer_becomes_a_command(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut agent = Client::connect(&broker, &["lights/#", "hushgate/mode/set", "elsewhere/#", "hushgate/log"]);
    for topic in ["lights/kitchen/set", "hushgate/mode/set", "elsewhere/answer"] {
        agent.publish_with("hushgate/ask", r#"{"action":"light.turn_on","target":"kitchen"}"#, reply_to(topic, "x"));
        let refused = agent.expect_where("hushgate/log", |record| record.payload.contains("refused"));
        assert!(refused.payload.contains(topic), "{topic}: {}", refused.payload);
    }
    agent.publish("hushgate/gate/lights/kitchen/set", "marker");
    assert_eq!(agent.expect("lights/#").payload, "marker", "no answer came before it");
    assert!(agent.received("hushgate/mode/set").is_empty() && agent.received("elsewhere/#").is_empty());
}

fn a_bad_question_gets_an_error_answer(kind: Kind) {
    let broker = Broker::start(kind);
    let _bridge = House::on(&broker).open(&broker);
    let mut agent = Client::connect(&broker, &["answers/agent"]);
    for (question, words) in [
        ("not json", "JSON"),
        (r#"{"target":"kitchen"}"#, "action"),
        (r#"{"action":"light.turn_on","targett":"kitchen"}"#, "target"),
        (r#"{"action":"Light/turn on"}"#, "such as `lock.unlock`"),
    ] {
        agent.publish_with("hushgate/ask", question, reply_to("answers/agent", "x"));
        let answer = agent.expect("answers/agent").json();
        assert_eq!(answer["verdict"], Value::Null, "{question}");
        assert!(answer["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{question}: {answer}");
    }
}
