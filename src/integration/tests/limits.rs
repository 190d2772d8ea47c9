//! What happens at each bound: it is said, and nothing half is taken.

use std::rc::Rc;

use super::compile;
use crate::config::{self, NoSecrets};
use crate::integration::{
    FILTERS_MAX, INTEGRATION_BYTES_MAX, ITEMS_MAX, Integrations, MEMORY_BYTES_MAX, MEMORY_ENTRIES_MAX,
};
use crate::model::event::ScriptSource;
use crate::model::message::Message;

const USED: &str = "integrations: {use: {room: {}}}\n";

#[test]
fn a_file_and_its_constants_are_bounded() {
    let file = |bytes: usize| {
        let text = "fn enforce(speaker) {}\n//";
        format!("{text}{}", "/".repeat(bytes - text.len()))
    };
    assert!(compile(&file(INTEGRATION_BYTES_MAX), USED).is_ok());
    let error = compile(&file(INTEGRATION_BYTES_MAX + 1), USED).expect_err("too large");
    assert_eq!(error, "room.rhai: expected at most 65536 bytes, found `65537`");
    for constant in ["TOPICS", "COMMANDS", "SENDS"] {
        let list = |count: usize| {
            let items: Vec<String> = (0..count).map(|index| format!("\"room/{index}\"")).collect();
            format!(
                "const {constant} = [{}];\nfn {} {{ {} }}",
                items.join(", "),
                match constant {
                    "TOPICS" => "on_message(message)",
                    "COMMANDS" => "on_command(message)",
                    _ => "enforce(speaker)",
                },
                if constant == "SENDS" { "send(\"room/0\", \"\")" } else { "" },
            )
        };
        assert!(compile(&list(FILTERS_MAX), USED).is_ok(), "{constant}");
        let error = compile(&list(FILTERS_MAX + 1), USED).expect_err("too many");
        assert_eq!(error, "room.rhai:1:7: expected at most 64 filters, found `65`");
    }
}

/// What one message gives: how many items, or why none.
fn tell(integrations: &Integrations, payload: &str) -> Result<usize, String> {
    let items = integrations.on_message(&Message::live("room", payload.to_owned()));
    match integrations.take_failures().pop() {
        None => Ok(items.facts.len()),
        Some(failure) => Err(failure.message),
    }
}

#[test]
fn what_one_message_gives_is_bounded() {
    let text = "const TOPICS = \"room\";\nfn on_message(message) {\n\
                let items = []; for n in 0..round(to_number(message.payload)) { items = items + [fact(\"a.b\", n)]; } items\n}";
    let integrations = compile(text, USED).expect("sound");
    assert_eq!(tell(&integrations, &ITEMS_MAX.to_string()), Ok(ITEMS_MAX));
    let error = Err("expected at most 32 items from `on_message`, found `33`".to_owned());
    assert_eq!(tell(&integrations, &(ITEMS_MAX + 1).to_string()), error, "and none of them counts");
}

#[test]
fn the_memory_is_bounded_and_outlives_a_new_version() {
    let text = "const TOPICS = \"room\";\nfn on_message(message) {\n\
                let words = split(message.payload, \" \"); remember(words[0], words[1]);\n\
                fact(\"a.b\", recall(words[0], \"\"))\n}";
    let integrations = compile(text, USED).expect("sound");
    for index in 0..MEMORY_ENTRIES_MAX {
        assert_eq!(tell(&integrations, &format!("k{index} x")), Ok(1));
    }
    assert_eq!(tell(&integrations, "other x"), Err("more than 256 things to remember".to_owned()));
    assert_eq!(tell(&integrations, "k0 y"), Ok(1), "what is known can change");
    let long = |bytes: usize| format!("k0 {}", "x".repeat(bytes - 2));
    assert_eq!(tell(&integrations, &long(MEMORY_BYTES_MAX)), Ok(1));
    let error = Err("expected at most 1024 bytes to remember, found `1025`".to_owned());
    assert_eq!(tell(&integrations, &long(MEMORY_BYTES_MAX + 1)), error);

    let source =
        |text: &str| [ScriptSource { name: "room".to_owned(), file: "room.rhai".to_owned(), text: text.to_owned() }];
    let newer = "const TOPICS = \"room\";\nfn on_message(message) { if recall(message.payload, \"\") == \"x\" { fact(\"a.b\", 1) } }";
    assert!(integrations.reload(&source("fn on_message(")).is_err());
    assert_eq!(tell(&integrations, "k0 y"), Ok(1), "the old one goes on");
    integrations.reload(&source(newer)).expect("sound");
    assert_eq!(
        (tell(&integrations, "k1"), tell(&integrations, "k0"), tell(&integrations, "new")),
        (Ok(1), Ok(0), Ok(0))
    );
    let config = Rc::new(config::parse("test.yaml", USED, &NoSecrets).expect("a configuration"));
    let restarted = Integrations::compile(&config, &source(newer), None).expect("sound");
    assert_eq!(tell(&restarted, "k1"), Ok(0), "a restart forgets");
}
