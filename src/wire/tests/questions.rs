//! Questions, and where their answers may go.

use super::{check, told, wire};
use crate::model::message::{Message, ReplyTo};
use crate::wire::{ASK_ID_BYTES_MAX, ask};

#[test]
fn questions_are_read_strictly() {
    let known = "known fields only";
    check(&[
        (
            "hushgate/ask",
            r#"{"action":"lock.unlock","target":"door","id":"a1"}"#,
            "question: lock.unlock door by unknown/- → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask/phone",
            r#"{"action":"lock.unlock","id":"a1"}"#,
            "question: lock.unlock - by person/phone → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask/phone",
            r#"{"action":"lock.unlock","id":"a1","source":"voice"}"#,
            "question: lock.unlock - by voice/phone → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask/echo",
            r#"{"action":"lock.unlock","id":"a1","source":"person"}"#,
            "question: lock.unlock - by voice/echo → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask/assistant",
            r#"{"action":"lock.unlock","id":"a1","source":"voice"}"#,
            "question: lock.unlock - by agent/assistant → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"lock.unlock","id":"a1","source":"agent"}"#,
            "question: lock.unlock - by agent/- → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"lock.unlock","id":"a1","source":"policy"}"#,
            "question: lock.unlock - by unknown/- → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask/phne",
            r#"{"action":"lock.unlock","id":"a1"}"#,
            "refused: expected a configured channel, found `phne`; did you mean `phone`? → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"lock.unlock"}"#,
            "refused: expected a response topic or an `id`, found neither: nobody would be answered",
        ),
        ("hushgate/ask", "", "refused: expected a payload, found an empty one"),
        ("hushgate/ask", "unlock!", "refused: expected a JSON object, found `unlock!`"),
        ("hushgate/ask", "[1]", "refused: expected a JSON object, found a list"),
        (
            "hushgate/ask",
            r#"{"id":"a1"}"#,
            "refused: expected the field `action`, found none → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"lock/+","id":"a1"}"#,
            "refused: expected an action such as `lock.unlock`, found `lock/+` → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"lock unlock","id":"a1"}"#,
            "refused: expected an action such as `lock.unlock`, found `lock unlock`; did you mean `lock.unlock`? → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"a.b","action":"c.d","id":"a1"}"#,
            "refused: expected JSON with one reading, found another: the key `action` stands twice",
        ),
        (
            "hushgate/ask",
            r#"{"action":"a.b","id":"a/b"}"#,
            "refused: `id`: expected up to 64 letters, digits, `_` and `-`, found `a/b`",
        ),
        ("hushgate/ask", r#"{"action":"a.b","id":7}"#, "refused: `id`: expected text, found the number `7`"),
        (
            "hushgate/ask",
            r#"{"action":"a.b","id":"a1","target":["x"]}"#,
            "refused: `target`: expected text, found a list → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"a.b","id":"a1","confidence":1.5}"#,
            "refused: `confidence`: expected a number from 0 to 1, found the number `1.5` → hushgate/answer/a1 #a1 kept",
        ),
        (
            "hushgate/ask",
            r#"{"action":"a.b","id":"a1","data":"x"}"#,
            "refused: `data`: expected an object, found the text `x` → hushgate/answer/a1 #a1 kept",
        ),
    ]);
    let seen = told(&wire().decode(&Message::live("hushgate/ask", r#"{"action":"a.b","id":"a1","taget":"x"}"#), &[]));
    assert_eq!(
        seen,
        format!("refused: expected {known}, found `taget`; did you mean `target`? → hushgate/answer/a1 #a1 kept")
    );
    let seen = told(&wire().decode(&Message::live("hushgate/ask", vec![0xff]), &[]));
    assert_eq!(seen, "refused: expected JSON, found bytes that are not UTF-8");
}

#[test]
fn questions_are_bounded() {
    let ask = |payload: String| told(&wire().decode(&Message::live("hushgate/ask", payload), &[]));
    let id = |length: usize| format!(r#"{{"action":"a.b","id":"{}"}}"#, "x".repeat(length));
    assert!(ask(id(ASK_ID_BYTES_MAX)).starts_with("question"));
    assert!(ask(id(ASK_ID_BYTES_MAX + 1)).starts_with("refused: `id`"));
    let data = |count: usize| {
        let fields: Vec<String> = (0..count).map(|index| format!(r#""f{index}":1"#)).collect();
        format!(r#"{{"action":"a.b","id":"a","data":{{{}}}}}"#, fields.join(","))
    };
    assert!(ask(data(ask::DATA_FIELDS_MAX)).starts_with("question"));
    assert!(ask(data(ask::DATA_FIELDS_MAX + 1)).starts_with("refused: `data`: expected at most 64 fields, found 65"));
}

#[test]
fn answers_go_only_where_the_owner_has_opened_a_place() {
    let unfit = "refused: expected a response topic for answers, found";
    for (response, id, expected) in [
        ("answers/me", None, "question: a.b - by unknown/- → answers/me correlated".to_owned()),
        ("answers/me", Some("a1"), "question: a.b - by unknown/- → answers/me #a1 correlated".to_owned()),
        ("hushgate/answer/x1", None, "question: a.b - by unknown/- → hushgate/answer/x1 correlated".to_owned()),
        ("answersx/me", None, format!("{unfit} `answersx/me`: it lies under none of `ask.response_prefixes`")),
        ("z/door/set", None, format!("{unfit} `z/door/set`: it lies under none of `ask.response_prefixes`")),
        ("answers/lamp/set", None, format!("{unfit} `answers/lamp/set`: it commands a device")),
        (
            "answers/lamp/set",
            Some("a1"),
            format!("{unfit} `answers/lamp/set`: it commands a device → hushgate/answer/a1 #a1 kept"),
        ),
        (
            "hushgate/mode/set",
            Some("a1"),
            format!(
                "{unfit} `hushgate/mode/set`: the bridge's own topics lie there, and only `answer/<id>` is for answers → hushgate/answer/a1 #a1 kept"
            ),
        ),
        (
            "hushgate/answer/a/b",
            None,
            format!(
                "{unfit} `hushgate/answer/a/b`: the bridge's own topics lie there, and only `answer/<id>` is for answers"
            ),
        ),
        (
            "hushgate/gate/z/door/set",
            None,
            format!(
                "{unfit} `hushgate/gate/z/door/set`: the bridge's own topics lie there, and only `answer/<id>` is for answers"
            ),
        ),
        ("answers/+", None, format!("{unfit} `answers/+`: the topic has a wildcard (`+` or `#`)")),
        ("$SYS/x", None, format!("{unfit} `$SYS/x`: the topic begins with `$`, which belongs to the broker")),
        ("", None, format!("{unfit} ``: the topic is empty")),
    ] {
        let id = id.map_or_else(String::new, |id| format!(r#","id":"{id}""#));
        let message = Message {
            reply: Some(ReplyTo { topic: response.to_owned(), correlation: Some("c".into()) }),
            ..Message::live("hushgate/ask", format!(r#"{{"action":"a.b"{id}}}"#))
        };
        assert_eq!(told(&wire().decode(&message, &[])), expected, "{response}");
        // The gate answers by the same rule, but a command does not fail for want of an answer.
        let command = Message { payload: "UNLOCK".into(), topic: "hushgate/gate/z/door/set".to_owned(), ..message };
        let seen = told(&wire().decode(&command, &[]));
        assert!(seen.starts_with("command z/door/set"), "{seen}");
        assert_eq!(seen.contains('→'), expected.starts_with("question"), "{response}: {seen}");
    }
    let broken = Message {
        reply: Some(ReplyTo { topic: "answers/me".to_owned(), correlation: None }),
        ..Message::live("hushgate/ask", "{")
    };
    assert_eq!(told(&wire().decode(&broken, &[])), "refused: expected a JSON object, found `{` → answers/me");
}
