//! Scripts that would not end, would grow, or would reach outside. Each ends as a failure of its own policy, at its
//! place; nothing of it has an effect.

use std::rc::Rc;

use super::{ask, catalog, failure, load, request, source, view};
use crate::policy::{PolicySet, check};
use crate::script::sandbox::{EVALUATION_MS_MAX, OPERATIONS_MAX};

#[test]
fn each_attack_ends_at_its_place() {
    let steps = format!("the rule does not end: more than {OPERATIONS_MAX} steps");
    let text = "text grew longer than 8192 bytes";
    let list = "a list grew longer than 128 items";
    let map = "a map grew larger than 128 fields";
    let effects = "more than 64 effects in one evaluation";
    let mut wrong = Vec::new();
    for (body, line, column, message) in [
        ("loop {}", 1, 6, steps.as_str()),
        ("while true {}", 1, 12, &steps),
        ("let n = 0;\nloop {\n    n += 1;\n}", 3, 10, &steps),
        ("do {} while true", 1, 13, &steps),
        ("for n in 0..9000000000000000 {}", 1, 30, &steps),
        ("let list = [1];\nloop { list.any(|n| n == 2) }", 2, 8, &steps),
        ("let s = \"x\";\nloop {\n    s += s;\n}", 3, 7, text),
        ("let s = \"x\";\nloop {\n    s = `${s}${s}`;\n}", 3, 15, text),
        ("let s = \"aaaaaaaaaaaaaaaa\";\nloop { s = replace(s, \"a\", s) }", 2, 12, text),
        ("let s = \"x\"; loop { s = [s, s].join(s); }", 1, 29, text),
        ("let list = [];\nloop {\n    list += [1];\n}", 3, 10, list),
        ("let list = [];\nloop { list = [list, list] }", 2, 22, list),
        ("let list = [1];\nloop { list[0] = list; }", 2, 16, list),
        ("let list = [0]; loop { list = list + list; }", 1, 36, list),
        ("let map = #{ a: 1 };\nloop { map.a = map; }", 2, 14, map),
        ("let map = #{ a: 1 };\nloop { map = #{ a: map, b: map } }", 2, 28, map),
        ("let n = 9223372036854775807;\nn += 1;", 2, 3, "addition overflow: 9223372036854775807 + 1"),
        ("let n = -9223372036854775807 - 1;\n-n", 2, 1, "the number is too large: -`-9223372036854775808`"),
        ("9223372036854775807 * 2", 1, 21, "multiplication overflow: 9223372036854775807 * 2"),
        ("let n = 0; 1 / n", 1, 14, "division by zero: 1 / 0"),
        ("let n = 0; 1 % n", 1, 14, "modulo division by zero or overflow: 1 % 0"),
        ("2 ** 64", 1, 3, "exponential overflow: 2 ** 64"),
        ("for n in 0..10000 {\n    notify(\"x\");\n}", 2, 5, effects),
        ("loop {\n    publish(\"zigbee2mqtt/lamp/set\", \"ON\");\n}", 2, 5, effects),
        ("loop { count(\"n\", \"1m\"); }", 1, 8, effects),
        (
            "let i = 0; loop { i += 1; if is_known(\"sensor.s\" + i) { } }",
            1,
            30,
            "more than 128 different facts in one evaluation",
        ),
        ("[1][5]", 1, 5, "the list has 1 items, there is none at `5`"),
        ("let five = 5;\nfor c in five {}", 2, 10, "`for` goes through lists and spans of numbers only"),
        ("let f = |n| n; f.bogus = 1;", 1, 18, "the field `bogus` cannot be set"),
    ] {
        let seen = failure(&ask(body));
        if seen != (line, column, message.to_owned()) {
            wrong.push(format!("{body}\n  expected {line}:{column} {message}\n  found    {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn deep_recursion_ends_at_the_call_in_the_hook() {
    let set = load("const ACTIONS = [\"*\"];\nfn down(n) { down(n + 1) }\nfn on_request(request) {\n    down(0)\n}");
    let reaction = set.policies()[0].on_request(&Rc::new(request()), &view());
    let error = reaction.error.expect("it fails");
    assert_eq!((error.line, error.column), (4, 5));
    assert_eq!(error.message, "functions call each other deeper than 16 levels");
}

#[test]
fn nesting_ends_the_load_and_not_the_bridge() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("if true { ", " }"), ("#{ a: ", " }"), ("!", ""), ("|n| ", ""), ("-", "")]
    {
        let text = format!(
            "const ACTIONS = [\"*\"]; fn on_request(request) {{ {}1{} }}",
            open.repeat(5_000),
            close.repeat(5_000)
        );
        let findings = check(&[source(&text)], &catalog());
        assert_eq!(findings.first().map(|finding| finding.code), Some("syntax"), "{open}");
        assert_eq!(findings[0].line, 1, "{open}");
    }
}

#[test]
fn nothing_reaches_outside() {
    for call in [
        "sleep(1)",
        "eval(\"1\")",
        "import \"x\" as x",
        "Fn(\"deny\")",
        "print(1)",
        "debug(1)",
        "open_file(\"x\")",
        "exit()",
        "timestamp()",
        "rand()",
        "parse_json(\"1\")",
        "call(1)",
        "type_of(1)",
        "is_def_fn(\"x\", 1)",
        "export x",
        "blob()",
    ] {
        let text = format!("const ACTIONS = [\"*\"]; fn on_request(request) {{\n{call};\n}}");
        let findings = check(&[source(&text)], &catalog());
        assert!(matches!(findings[0].code, "syntax" | "unknown-word"), "{call}: {findings:?}");
        assert_eq!(findings[0].line, 2, "{call}");
    }
}

#[test]
fn the_stopwatch_ends_what_steps_do_not() {
    let clock = Rc::new(std::cell::Cell::new(0_u64));
    let reading = Rc::clone(&clock);
    // Each reading of this clock takes ten milliseconds.
    let stopwatch = Rc::new(move || {
        reading.set(reading.get() + 10);
        reading.get()
    });
    let text = "const ACTIONS = [\"*\"]; fn on_request(request) {\nloop { }\n}";
    let set = PolicySet::compile(&[source(text)], &catalog(), Some(stopwatch)).expect("a sound policy");
    let reaction = set.policies()[0].on_request(&Rc::new(request()), &view());
    let error = reaction.error.expect("it fails");
    assert_eq!((error.line, error.message), (2, format!("the rule takes too long: more than {EVALUATION_MS_MAX} ms")));
    // The first reading is the start; the sixth is the first above the limit.
    assert_eq!(reaction.operations, 5 * 16);
}

#[test]
fn exactly_as_many_steps_as_allowed_are_taken() {
    let reaction = ask("loop {}");
    assert_eq!(reaction.operations, OPERATIONS_MAX + 1);
    let reaction = ask("let n = 0; while n < 700 { n += 1; }");
    assert_eq!(reaction.error, None);
    assert!(reaction.operations < OPERATIONS_MAX, "{}", reaction.operations);
}
