//! Header constants: visible everywhere by their bare names, changed nowhere.

use std::rc::Rc;

use super::{load, request, stated, view};
use crate::model::decision::Verdict;

const HEADER: &str = r#"
const ACTIONS = ["notify.*"];
const NAME = "emma";
const LIMIT = 3;
const SHARE = 0.5;
const ON = true;
const NAMES = ["emma", "max"];
const HOURS = #{ from: "22:00", deep: #{ list: [1, 2] } };
const JOINED = NAME + "!" + LIMIT;
"#;

#[test]
fn every_kind_of_constant_is_seen_in_hooks_functions_and_closures() {
    for (expression, place) in [
        ("request.target == NAME", "hook"),
        ("LIMIT == 3 && SHARE < 1 && ON", "hook"),
        ("request.target in NAMES && NAMES[1] == \"max\" && len(NAMES) == 2", "hook"),
        ("HOURS.from == \"22:00\" && HOURS.deep.list == [1, 2] && \"deep\" in HOURS", "hook"),
        ("JOINED == \"emma!3\"", "hook"),
        ("between(HOURS.from, \"07:00\")", "hook"),
        ("known(request.target)", "function"),
        ("deep(0)", "function within function"),
        ("NAMES.any(|name| name == NAME)", "closure"),
        ("[request.target].all(|name| name in NAMES)", "closure"),
        ("[1, 2, 3, 4].filter(|n| n < LIMIT) == [1, 2]", "closure"),
        ("[1].any(|n| NAMES.any(|name| name == NAME && n < LIMIT))", "closure within closure"),
    ] {
        let set = load(&format!(
            "{HEADER}
            fn known(name) {{ name in NAMES }}
            fn deep(level) {{ if level > LIMIT {{ NAMES[0] == NAME }} else {{ deep(level + 1) }} }}
            fn on_request(request) {{ if {expression} {{ deny(\"held\") }} }}"
        ));
        let reaction = set.policies()[0].on_request(&Rc::new(request()), &view());
        assert_eq!(stated(&reaction), Some((Verdict::Deny, "held")), "{expression} in a {place}");
    }
}

#[test]
fn no_script_changes_a_constant() {
    for (statement, expected) in [
        ("NAME = \"max\";", "`NAME` is constant"),
        ("LIMIT += 1;", "`LIMIT` is constant"),
        ("NAMES[0] = \"max\";", "constant"),
        ("NAMES += [\"eve\"];", "`NAMES` is constant"),
        ("HOURS.from = \"00:00\";", "constant"),
        ("HOURS.deep.list[0] = 7;", "constant"),
        ("HOURS[\"from\"] = \"00:00\";", "constant"),
    ] {
        let text = format!("{HEADER}\nfn on_request(request) {{\n{statement}\ndeny(\"later\")\n}}");
        let refused = super::PolicySet::compile(&[super::source(&text)], &super::catalog(), None);
        let message = match refused {
            Err(findings) => findings[0].message.clone(),
            Ok(set) => {
                let policy = &set.policies()[0];
                let reaction = policy.on_request(&Rc::new(request()), &view());
                reaction.error.expect(statement).message
            }
        };
        assert!(message.contains(expected), "{statement}: {message}");
    }
    // A local copy may change; the constant stays.
    let set = load(&format!(
        "{HEADER}\nfn on_request(request) {{ let mine = NAMES; mine[0] = \"max\"; if NAMES[0] == NAME {{ deny(\"kept\") }} }}"
    ));
    let reaction = set.policies()[0].on_request(&Rc::new(request()), &view());
    assert_eq!(stated(&reaction), Some((Verdict::Deny, "kept")));
}
