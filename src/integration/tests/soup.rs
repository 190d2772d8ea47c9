//! Whatever stands on its topics, no shipped integration fails: who forges a payload must not silence what reads it.

use std::collections::BTreeSet;
use std::rc::Rc;

use bytes::Bytes;

use crate::config::{self, NoSecrets};
use crate::integration::{Integrations, SHIPPED};
use crate::model::message::Message;
use crate::model::topic::TopicFilter;

/// What stands in the place of `+`, and of `#`.
const LEVELS: &[&str] =
    &["", "a", "set", "kitchen", "1577882096000", "%", "%2B49:n", "a,b", "\u{1f600}", "state", "send"];
/// Payloads that nobody should send.
const PAYLOADS: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "ON",
    "OFF",
    "off",
    "online",
    "disarm",
    "PLAYING",
    "null",
    "true",
    "[]",
    "[null]",
    "{}",
    "{",
    "\"\"",
    "\"text\"",
    "1e999",
    "-1",
    "{\"a\":null}",
    "[1,\"a\",{},[],null,true]",
    "\u{0}",
];
/// What a field may hold that should hold something else.
const VALUES: &[&str] =
    &["null", "true", "0", "-1.5", "\"\"", "\"x\"", "[]", "[null]", "[\"x\",1]", "{}", "{\"a\":{\"b\":[1]}}"];

/// A house with two speakers of it, one of them with a name that is no part of a topic.
fn house(name: &str) -> Integrations {
    let settings = "topics: {\"warn/+\": notify.send_message}, target_field: a, text_field: b";
    let text = format!(
        "statestream: hass\nspeakers:\n  kitchen: {{integration: {name}, settings: {{recordings: true}}}}\n  \"Living Room 2\": {{integration: {name}}}\nintegrations: \
         {{use: {{{name}: {{{settings}}}}}}}\n"
    )
    .replace("statestream: hass\n", "facts: {statestream: hass}\n");
    let config = Rc::new(config::parse("test.yaml", &text, &NoSecrets).expect("a configuration"));
    Integrations::compile(&config, &[], None).unwrap_or_else(|errors| panic!("{name}: {errors:#?}"))
}

/// Topics that fit a filter.
fn topics(filter: &TopicFilter) -> Vec<String> {
    let mut topics = vec![String::new()];
    for (index, level) in filter.as_str().split('/').enumerate() {
        let levels: Vec<&str> = match level {
            "+" => LEVELS.to_vec(),
            "#" => ["", "method/send/recipient", "method/x", "a/b/c/d", "method/send/recipient/%/groupId/x,y"].into(),
            fixed => vec![fixed],
        };
        let slash = if index == 0 { "" } else { "/" };
        topics = topics
            .iter()
            .flat_map(|topic| levels.iter().map(move |level| format!("{topic}{slash}{level}")))
            // Every level has been tried with every other of the first ones: that is enough.
            .take(80)
            .collect();
    }
    topics
}

/// Every word that stands in quotation marks in the script: the names of the fields that it asks for are among them.
fn fields(script: &str) -> BTreeSet<&str> {
    let quoted = script.lines().flat_map(|line| line.split('"').skip(1).step_by(2));
    let is_name =
        |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    quoted.flat_map(|text| text.split('.')).filter(is_name).collect()
}

#[test]
fn no_shipped_integration_fails_whatever_it_is_sent() {
    for (name, script) in SHIPPED {
        let integrations = house(name);
        let mut payloads: Vec<Bytes> = PAYLOADS.iter().map(|payload| Bytes::from_static(payload.as_bytes())).collect();
        payloads.push(Bytes::from_static(b"\xff\xfe"));
        payloads.extend([2_000, 9_000].map(|bytes| Bytes::from("x".repeat(bytes))));
        payloads.push(Bytes::from(format!("[{}1]", "1,".repeat(500))));
        let mut first_topics = Vec::new();
        for filter in integrations.topics().iter().chain(&integrations.command_topics()) {
            let topics = topics(filter);
            for topic in &topics {
                for payload in &payloads {
                    send(&integrations, topic, payload.clone());
                }
            }
            first_topics.extend(
                topics.into_iter().filter(|topic| topic.contains("kitchen") || !filter.as_str().contains('+')).take(1),
            );
        }
        for topic in first_topics {
            for field in fields(script) {
                for value in VALUES {
                    send(&integrations, &topic, Bytes::from(format!("{{\"{field}\":{value}}}")));
                    let nested = format!(
                        "{{\"{field}\":{{\"{field}\":{value}}},\"method\":\"send\",\"params\":{{\"{field}\":{value}}}}}"
                    );
                    send(&integrations, &topic, Bytes::from(nested));
                }
            }
        }
    }
}

fn send(integrations: &Integrations, topic: &str, payload: Bytes) {
    let message = Message { payload, ..Message::live(topic, "") };
    let _ = (integrations.on_message(&message), integrations.on_command(&message));
    let failed = integrations.take_failures();
    let start: String = String::from_utf8_lossy(&message.payload).chars().take(80).collect();
    assert!(failed.is_empty(), "{topic} {start}: {failed:#?}");
}
