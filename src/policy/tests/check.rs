//! What `check` finds: each finding with its place, its text and its help.

use std::collections::BTreeSet;

use super::{catalog, source};
use crate::policy::{Catalog, check};

/// Findings as `severity code line:column message | help`.
fn findings(text: &str) -> Vec<String> {
    check(&[source(text)], &catalog())
        .into_iter()
        .map(|finding| {
            let severity = format!("{:?}", finding.severity).to_lowercase();
            let help = finding.help.map_or_else(String::new, |help| format!(" | {help}"));
            format!("{severity} {} {}:{} {}{help}", finding.code, finding.line, finding.column, finding.message)
        })
        .collect()
}

/// Checks a hook body that stands on line 2.
fn in_hook(body: &str) -> Vec<String> {
    findings(&format!(
        "const ACTIONS = [\"*\"]; const NAME = \"emma\"; const LIMIT = 3; fn on_request(request) {{\n{body}\n}}"
    ))
}

#[test]
fn a_sound_policy_has_no_findings() {
    for body in [
        "",
        "if request.by_voice && between(\"22:00\", \"07:00\") { deny(\"no\") }",
        "let name = request.target_or(NAME); if name in [NAME] { return; } confirm(`sure, ${name}?`)",
        "for (item, index) in [1, 2] { if item > LIMIT || index == 0 { deny(\"no\"); } }",
        "if [1, 2].any(|n| n == LIMIT && request.by_voice) { deny(\"no\") }",
        "let deny_it = || deny(\"x\"); let n = 0; while n < 3 { n += 1; } if n == 3 { deny(\"no\") }",
        "if state(\"lock.door\", \"open\") == \"locked\" && number(\"sensor.x\") > 3 { deny(\"no\") }",
        "if request.data.level > 3 && request.data.name.len() == 2 { deny(\"no\") }",
        "confirm(#{ ask: \"open?\", within: \"30s\", from: [\"phone\"] })",
        "confirm(#{ ask: \"open?\", pin: true, from: [\"phone\", \"panel\"], otherwise: \"allow\", group: \"lamps\" })",
        "confirm(#{ ask: \"open?\", pin: false, from: \"phone\" })",
        "if !is_weekend() && weekday() != \"monday\" && request.source == \"voice\" { deny(\"no\") }",
    ] {
        assert_eq!(in_hook(body), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn a_hook_body_is_checked() {
    for (body, expected) in [
        // Names.
        ("dney(\"x\")", "error unknown-word 2:1 there is no word or function `dney` | did you mean `deny`?"),
        ("if nam == \"x\" { deny(\"no\") }", "error unknown-variable 2:4 there is no variable `nam`"),
        (
            "if NAMES == \"x\" { deny(\"no\") }",
            "error unknown-variable 2:4 there is no variable `NAMES` | did you mean `NAME`?",
        ),
        (
            "let spot = 1; deny(\"\" + sopt)",
            "error unknown-variable 2:25 there is no variable `sopt` | did you mean `spot`?",
        ),
        ("if [1].any(|n| n == limt) { deny(\"no\") }", "error unknown-variable 2:21 there is no variable `limt`"),
        (
            "deny()",
            "error arity 2:1 `deny` takes 1 or 2 values, found `0` | write deny(reason) or deny(reason, instead)",
        ),
        (
            "\"x\".deny(\"y\", \"z\")",
            "error arity 2:5 `deny` takes 1 or 2 values, found `3` | write deny(reason) or deny(reason, instead)",
        ),
        (
            "state(\"lock.door\", \"a\", \"b\") == \"x\"",
            "error arity 2:1 `state` takes 1 or 2 values, found `3` | write state(entity) or state(entity, default)",
        ),
        ("foo::bar()", "error name 2:6 expected a plain word, found `foo::bar`"),
        // Fields.
        (
            "if request.sorce == \"voice\" { deny(\"no\") }",
            "error unknown-field 2:12 a request has no field `sorce` | did you mean `source`?",
        ),
        (
            "if [1].any(|n| request.targt == \"x\") { deny(\"no\") }",
            "error unknown-field 2:24 a request has no field `targt` | did you mean `target`?",
        ),
        ("request.target = \"x\";", "error assignment 2:1 a request cannot be changed"),
        // Kinds.
        (
            "if \"30\" > 30 { deny(\"no\") }",
            "error comparison 2:9 `>` cannot compare text with a number | `to_number(text)` makes a number of a text",
        ),
        (
            "if request.target > LIMIT { deny(\"no\") }",
            "error comparison 2:19 `>` cannot compare text with a number | `to_number(text)` makes a number of a text",
        ),
        (
            "if hour() == \"22\" { deny(\"no\") }",
            "error comparison 2:11 `==` cannot compare a number with text | `to_number(text)` makes a number of a text",
        ),
        (
            "if request.by_voice == \"yes\" { deny(\"no\") }",
            "error comparison 2:21 `==` cannot compare true or false with text",
        ),
        ("if NAME == () { deny(\"no\") }", "error comparison 2:9 `==` cannot compare text with nothing"),
        ("if request == NAME { deny(\"no\") }", "error comparison 2:12 `==` cannot compare"),
        ("if request.target { deny(\"no\") }", "error condition 2:4 expected true or false, found text"),
        ("if request.by_voice && NAME { deny(\"no\") }", "error condition 2:24 expected true or false, found text"),
        // Texts that name something.
        (
            "if state(\"Front door\") == \"x\" { deny(\"no\") }",
            "warning entity 2:10 expected an entity such as `lock.front_door`, found `Front door`",
        ),
        (
            "mute(\"kichen\", \"1m\", \"x\")",
            "warning unknown-speaker 2:6 there is no configured speaker `kichen` | did you mean `kitchen`?",
        ),
        (
            "mute(\"kitchen\", \"soon\", \"x\")",
            "error literal 2:17 expected a duration such as `90s`, `10m` or `1h30m`, found `soon`",
        ),
        (
            "if approvals(\"lock.unlok\", \"7d\").refused > 0 { deny(\"no\") }",
            "warning unknown-action 2:14 `lock.unlok` fits no known action | did you mean `lock.unlock`?",
        ),
        (
            "if approvals(\"lock.*\", \"8d\").refused > 0 { deny(\"no\") }",
            "error literal 2:24 expected at most `7d`, as no more is kept, found `8d`",
        ),
        (
            "if approvals(\"lock.*\", \"1d\") > 0 { deny(\"no\") }",
            "error comparison 2:30 `>` cannot compare a map with a number",
        ),
        (
            "if between(\"10 pm\", \"07:00\") { deny(\"no\") }",
            "error literal 2:12 expected a time of day such as `22:00`, found `10 pm`",
        ),
        (
            "publish(\"a/#\", \"x\")",
            "error literal 2:9 expected a topic to publish to, found `a/#`: the topic has a wildcard (`+` or `#`)",
        ),
        (
            "confirm(#{ ask: \"x\", from: \"fone\" })",
            "error unknown-channel 2:28 there is no channel `fone` that may confirm | did you mean `phone`?",
        ),
        (
            "confirm(#{ ask: \"x\", form: \"phone\" })",
            "error literal 2:22 expected `ask`, `within`, `from`, `pin`, `otherwise` or `group`, found `form` | did you mean `from`?",
        ),
        (
            "confirm(#{ ask: \"x\", otherwise: \"alow\" })",
            "error literal 2:33 expected `deny`, `allow` or `allow_sensitive` in `otherwise`, found `alow` | did you mean `allow`?",
        ),
        (
            "confirm(#{ ask: \"x\", group: \"\" })",
            "error literal 2:29 expected a name of 1 to 64 characters in `group`, found an empty text",
        ),
        (
            "confirm(#{ ask: \"x\", pin: true, from: [\"phone\"] })",
            "warning no-code 2:27 expected a channel with a PIN or TOTP in `from`, found `phone` | channels with a code: `panel`",
        ),
        ("confirm(#{ within: \"1m\" })", "error literal 2:12 expected a question in `ask`, found none"),
        (
            "if request.action == \"lock.unlok\" { deny(\"no\") }",
            "warning never-equal 2:22 `lock.unlok` is no known action, so this never holds | did you mean `lock.unlock`?",
        ),
        (
            "if request.source == \"speech\" { deny(\"no\") }",
            "warning never-equal 2:22 `speech` is no kind of source, so this never holds",
        ),
        (
            "if weekday() == \"Monday\" { deny(\"no\") }",
            "warning never-equal 2:17 `Monday` is no weekday, so this never holds | did you mean `monday`?",
        ),
        // Hidden names.
        (
            "let NAME = 1;",
            "error hidden-constant 2:5 `NAME` is a constant of this policy and cannot be defined again | choose another name",
        ),
        (
            "for LIMIT in [1] {}",
            "error hidden-constant 2:5 `LIMIT` is a constant of this policy and cannot be defined again | choose another name",
        ),
        // What is not part of the language.
        ("eval(\"1\")", "error syntax 2:1 `eval` is not part of the language of rules: write the rule out"),
        ("import \"x\" as y;", "error syntax 2:1 `import` is not part of the language of rules: one rule is one file"),
        ("sleep(5)", "error unknown-word 2:1 there is no word or function `sleep`"),
        ("print(\"x\")", "error syntax 2:1 `print` is not part of the language of rules: say `notify(text)`"),
        (
            "switch 1 { _ => 2 }",
            "error syntax 2:1 `switch` is not part of the language of rules: write `if … else if …`",
        ),
        (
            "try { deny(\"x\") } catch { }",
            "error syntax 2:1 `try` is not part of the language of rules: ask first, with `has_…` and `is_known`, or give a default",
        ),
        (
            "throw \"x\";",
            "error syntax 2:1 `throw` is not part of the language of rules: say `deny(reason)` or `confirm(question)`",
        ),
        ("break;", "error syntax 2:1 break statement should only be used inside a loop"),
        ("global::NAME == \"x\"", "error name 2:9 expected a plain name, found `global::NAME` | write `NAME`"),
    ] {
        let found = in_hook(body);
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{body}\n  expected {expected}\n  found    {found:?}"
        );
    }
}

#[test]
fn an_event_has_no_words_of_a_request() {
    let found =
        findings("const EVENTS = [\"*\"]; fn on_event(event) {\nif event.target_or(\"\") == \"\" { notify(\"x\") }\n}");
    assert!(
        found.len() == 1 && found[0].starts_with("error unknown-field 2:10 an event has no `target_or`"),
        "{found:?}"
    );
}

#[test]
fn the_outline_is_checked() {
    for (text, expected) in [
        (
            "",
            &[
                "error hook 0:0 the policy has no hook, so it does nothing | write `fn on_request(request) { … }` and `const ACTIONS = [\"…\"];`",
            ] as &[&str],
        ),
        (
            "const ACTIONS = [\"lock.*\"];\nfn on_requests(request) {}",
            &[
                "error header 1:7 `ACTIONS` has no effect: there is no `on_request` | write `fn on_request(…) { … }`",
                "error hook 2:4 there is no hook `on_requests`; it would never be called | did you mean `on_request`?",
            ],
        ),
        (
            "fn on_request(request) {}",
            &[
                "error header 1:4 `on_request` is never called: there is no `ACTIONS` | write `const ACTIONS = [\"…\"];` at the top",
            ],
        ),
        (
            "const ACTION = [\"lock.*\"];\nfn on_request(request) {}",
            &[
                "error header 2:4 `on_request` is never called: there is no `ACTIONS` | write `ACTIONS` instead of `ACTION`",
            ],
        ),
        (
            "const ACTIONS = [\"lock.*\"];\nfn on_request() {}",
            &[
                "error hook 2:4 expected one parameter of `on_request`, found `0` | write `fn on_request(request) { … }`",
            ],
        ),
        (
            "let x = 1;",
            &[
                "error outside 1:5 expected a constant outside of functions, found the variable `x` | write `const x = …`",
            ],
        ),
        (
            "notify(\"x\");",
            &[
                "error outside 1:1 expected constants and functions only, found a statement outside of functions | put it into a hook, such as `fn on_request(request) { … }`",
            ],
        ),
        ("const A = 1; const A = 2;", &["error twice 1:20 the constant `A` stands twice"]),
        (
            "const ACTIONS = [\"lock.*\"];\nfn on_request(request) {}\nfn deny(x) {}",
            &["error hidden-word 3:4 the function `deny` hides the word of the same name | choose another name"],
        ),
        (
            "const ACTIONS = [\"lok.unlock\", \"lokc.*\", \"lock.*\"];\nfn on_request(request) {}",
            &[
                "error unknown-action 1:18 `lok.unlock` fits no known action | did you mean `lock.unlock`?",
                "error unknown-action 1:32 `lokc.*` fits no known action | did you mean `lock.*`?",
            ],
        ),
        (
            "const EVENTS = \"voice.wakeword\";\nfn on_event(event) {}",
            &["error unknown-event 1:16 `voice.wakeword` fits no known event | did you mean `voice.wake_word`?"],
        ),
        (
            "const TOPICS = [\"+/+/zigbee2mqtt/#\"];\nfn on_message(message) {}",
            &[
                "error header 1:17 expected topics of the house, found `+/+/zigbee2mqtt/#`: it reaches into the bridge's own | begin the filter with the first level that you mean",
            ],
        ),
        (
            "const EVENTS = \"house.party\";\nfn on_event(event) {}",
            &[
                "error unknown-event 1:16 `house.party` fits no known event | an event of your own is known once the configuration names it",
            ],
        ),
        (
            "const TOPICS = [\"a/#/b\"];\nfn on_message(message) {}",
            &["error header 1:17 expected a topic filter, found `a/#/b`: the topic has a wildcard (`+` or `#`)"],
        ),
        (
            "const ACTIONS = [1];\nfn on_request(request) {}",
            &["error header 1:7 expected a list of texts, found a list"],
        ),
        (
            "const ACTIONS = \"lock.*\"; const MODE = \"enforced\";\nfn on_request(request) {}",
            &[
                "error header 1:33 expected `enforce` or `observe` for `MODE`, found `\"enforced\"` | did you mean `enforce`?",
            ],
        ),
        (
            "const ACTIONS = \"lock.*\"; const ON_ERROR = 1;\nfn on_request(request) {}",
            &["error header 1:33 expected `deny` or `confirm` or `none` for `ON_ERROR`, found `1`"],
        ),
        (
            "const ACTIONS = \"lock.*\"; const ENABLED = \"no\";\nfn on_request(request) {}",
            &["error header 1:33 expected true or false for `ENABLED`, found `\"no\"`"],
        ),
        (
            "const ACTIONS = \"lock.*\"; const X = state(\"a.b\");\nfn on_request(request) {}",
            &["error header 1:37 `state` can be used inside functions only, not in the header"],
        ),
        (
            "const ACTIONS = \"lock.*\"; const X = 1 + MISSING;\nfn on_request(request) {}",
            &["error header 1:41 there is no variable `MISSING`"],
        ),
        (
            "const ACTIONS = \"lock.*\";\nfn on_request(request) {\n",
            &["error syntax 3:1 expected `}` to terminate this block"],
        ),
    ] {
        let found = findings(text);
        assert!(
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| found.starts_with(expected)),
            "{text}\n  expected {expected:#?}\n  found    {found:#?}"
        );
    }
}

#[test]
fn allowing_on_what_others_may_write_is_noted_once() {
    let note = "note forgeable-evidence";
    for (body, expected) in [
        ("if is(\"binary_sensor.door\", \"off\") { allow() }", Some("2:38")),
        ("let shut = is(\"binary_sensor.door\", \"off\");\nif shut { allow(); } if shut { allow() }", Some("3:11")),
        ("if recall(\"seen\", false) { allow() }", Some("2:28")),
        ("if shut() { allow() } }\nfn shut() { is(\"binary_sensor.door\", \"off\")", Some("2:13")),
        ("if is(\"binary_sensor.door\", \"off\") { deny(\"no\") }", None),
        ("if request.by_voice { allow() }", Some("2:23")),
        ("if request.satellite_or(\"\") == \"assist_satellite.hall\" { allow() }", Some("2:58")),
        ("if request.likely_source == \"automation\" { allow() }", Some("2:44")),
        ("let anna = request.has_person;\nif anna { allow() }", Some("3:11")),
        ("if request.by_voice { confirm(\"by voice?\") }", None),
        ("if request.by_person { allow() }", None),
        ("if request.confidence_or(0.0) > 0.9 { allow() }", Some("2:39")),
        ("if request.has_woke && request.woke_ago_s < 5 { allow() }", Some("2:49")),
        ("if same_words(\"kitchen\", \"2s\").len() < 2 { allow() }", Some("2:44")),
        ("if request.confidence_or(1.0) < 0.6 { confirm(\"sure?\") }", None),
        ("if is(\"lock.x\", \"on\") { notify(\"x\") } allow()", None),
    ] {
        let found = in_hook(body);
        match expected {
            None => assert_eq!(found, Vec::<String>::new(), "{body}"),
            Some(place) => {
                assert!(found.len() == 1 && found[0].starts_with(&format!("{note} {place} ")), "{body} {found:?}");
            }
        }
    }
}

#[test]
fn terms_that_nobody_can_meet_or_that_mean_less_than_they_say_are_warned_of() {
    let rule = |actions: &str, terms: &str| {
        let text = format!(
            "const ACTIONS = [{actions}];\nfn on_request(request) {{\nconfirm(#{{ ask: \"open?\", {terms} }})\n}}"
        );
        [source(&text)]
    };
    let window = "every action of this rule is sensitive, so silence denies in spite of `otherwise: \"allow\"`";
    for (actions, terms, expected) in [
        ("\"lock.unlock\"", "otherwise: \"allow\"", Some((window, 37))),
        ("\"lock.unlock\", \"lock.open\"", "otherwise: \"allow\"", Some((window, 37))),
        ("\"lock.*\"", "otherwise: \"allow\"", None),
        ("\"lock.unlock\"", "otherwise: \"allow_sensitive\"", None),
        ("\"lock.unlock\"", "otherwise: \"deny\"", None),
        ("\"light.turn_on\"", "otherwise: \"allow\"", None),
    ] {
        let found = check(&rule(actions, terms), &catalog());
        let found: Vec<(&str, usize)> =
            found.iter().map(|finding| (finding.message.as_str(), finding.column)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{actions} {terms}");
    }
    let no_codes = Catalog { coded: BTreeSet::new(), ..catalog() };
    let found = check(&rule("\"lock.unlock\"", "pin: true"), &no_codes);
    let said: Vec<(&str, &str)> = found.iter().map(|finding| (finding.code, finding.message.as_str())).collect();
    let nobody = "no configured channel that may confirm has a PIN or TOTP, so nobody can confirm this";
    assert_eq!(said, [("no-code", nobody)]);
}
