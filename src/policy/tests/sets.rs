//! Loading all policies or none, and finding them by what they are for.

use super::{catalog, source};
use crate::model::event::ScriptSource;
use crate::model::mode::Mode;
use crate::policy::{OnError, Policy, PolicySet, check};

fn named(name: &str, text: &str) -> ScriptSource {
    ScriptSource { name: name.to_owned(), file: format!("{name}.rhai"), text: text.to_owned() }
}

fn compile(sources: &[ScriptSource]) -> PolicySet {
    PolicySet::compile(sources, &catalog(), None).expect("sound policies")
}

fn names<'a>(policies: impl Iterator<Item = &'a Policy>) -> Vec<&'a str> {
    policies.map(Policy::name).collect()
}

#[test]
fn policies_are_found_by_what_they_are_for() {
    let set = compile(&[
        named("c", "const TOPICS = [\"home/+/door\", \"a/#\"]; fn on_message(message) {}"),
        named("a", "const ACTIONS = [\"lock.*\", \"*.turn_on\"]; fn on_request(request) {}"),
        named(
            "b",
            "const ACTIONS = \"lock.unlock\"; const EVENTS = [\"voice.*\"]; fn on_request(r) {} fn on_event(event) {}",
        ),
        named("d", "const TOPICS = \"a/#\"; fn on_message(message) {}"),
    ]);
    assert_eq!(names(set.policies().iter()), ["a", "b", "c", "d"]);
    for _ in 0..2 {
        assert_eq!(names(set.for_action("lock.unlock")), ["a", "b"]);
        assert_eq!(names(set.for_action("lock.lock")), ["a"]);
        assert_eq!(names(set.for_action("somebody.turn_on")), ["a"], "an action outside the catalog");
        assert_eq!(names(set.for_action("vacuum.start")), Vec::<&str>::new());
        assert_eq!(names(set.for_event("voice.intent")), ["b"]);
        assert_eq!(names(set.for_event("lock.unlock")), Vec::<&str>::new(), "an action is no event");
        assert_eq!(names(set.for_topic("home/front/door")), ["c"]);
        assert_eq!(names(set.for_topic("a/b")), ["c", "d"]);
        assert_eq!(names(set.for_topic("b")), Vec::<&str>::new());
    }
    let filters: Vec<String> = set.topic_filters().iter().map(ToString::to_string).collect();
    assert_eq!(filters, ["a/#", "home/+/door"]);
    assert_eq!(set.get("b").map(Policy::file), Some("b.rhai"));
    assert!(set.get("x").is_none());
}

#[test]
fn the_index_forgets_nothing_when_it_is_full() {
    let set = compile(&[named("a", "const ACTIONS = [\"lock.*\"]; fn on_request(request) {}")]);
    for index in 0..super::super::set::INDEX_ENTRIES_MAX + 10 {
        assert_eq!(names(set.for_action(&format!("lock.y{index}"))), ["a"]);
        assert_eq!(names(set.for_action(&format!("z.y{index}"))), Vec::<&str>::new());
    }
}

#[test]
fn a_header_is_read_with_its_defaults() {
    let set = compile(&[
        named("plain", "const ACTIONS = [\"lock.*\"]; fn on_request(request) {}"),
        named(
            "full",
            "\n//! No unlocking.\n//! More.\nconst ACTIONS = [\"lock.*\"]; const MODE = \"observe\"; const ON_ERROR = \"none\";
             const ENABLED = false; fn on_request(request) {}",
        ),
        named("confirming", "const ACTIONS = [\"lock.*\"]; const ON_ERROR = \"confirm\"; fn on_request(request) {}"),
        named("denying", "const ACTIONS = [\"lock.*\"]; const ON_ERROR = \"deny\"; fn on_request(request) {}"),
    ]);
    let seen = |name: &str| {
        let policy = set.get(name).expect(name);
        (policy.mode(), policy.on_error(), policy.enabled(), policy.summary().to_owned())
    };
    assert_eq!(seen("plain"), (Mode::Enforce, OnError::ByClass, true, String::new()));
    assert_eq!(seen("full"), (Mode::Observe, OnError::None, false, "No unlocking.".to_owned()));
    assert_eq!(seen("confirming").1, OnError::Confirm);
    assert_eq!(seen("denying").1, OnError::Deny);
}

#[test]
fn a_set_is_loaded_whole_or_not_at_all() {
    let good = named("good", "const ACTIONS = [\"lock.*\"]; fn on_request(request) {}");
    let bad = named("bad", "const ACTIONS = [\"lock.*\"]; fn on_request(request) { dney(\"x\") }");
    let worse = named("worse", "fn on_request(");
    let errors = PolicySet::compile(&[good.clone(), worse, bad], &catalog(), None).expect_err("two are wrong");
    let files: Vec<&str> = errors.iter().map(|error| error.file.as_str()).collect();
    assert_eq!(files, ["bad.rhai", "worse.rhai"]);
    let warned = named("warned", "const ACTIONS = [\"lock.*\"]; fn on_request(request) { unmute(\"kichen\") }");
    assert_eq!(check(std::slice::from_ref(&warned), &catalog()).len(), 1);
    assert_eq!(compile(&[good.clone(), warned]).policies().len(), 2, "a warning stops nothing");
    let twice = PolicySet::compile(&[good.clone(), good], &catalog(), None).expect_err("one name twice");
    assert_eq!(twice[0].message, "there is another policy named `good`");
}

#[test]
fn the_revision_changes_with_every_byte_and_not_with_the_order() {
    let text = |comment: &str| format!("{comment}\nconst ACTIONS = [\"lock.*\"]; fn on_request(request) {{}}");
    let (a, b) = (named("a", &text("// one")), named("b", &text("// two")));
    let revision = |sources: &[ScriptSource]| compile(sources).revision().to_owned();
    let first = revision(&[a.clone(), b.clone()]);
    assert!(first.len() == 12 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    assert_eq!(first, revision(&[b.clone(), a.clone()]));
    for other in
        [vec![a.clone()], vec![a.clone(), named("b", &text("// Two"))], vec![a.clone(), named("c", &text("// two"))]]
    {
        assert_ne!(first, revision(&other));
    }
}

#[test]
fn a_policy_text_and_a_set_are_bounded() {
    let long = format!("const ACTIONS = [\"lock.*\"]; fn on_request(request) {{}}\n// {}", "x".repeat(64 * 1024));
    let findings = check(&[source(&long)], &catalog());
    assert!(findings[0].message.starts_with("expected at most 65536 bytes, found `"), "{findings:?}");
    let many: Vec<ScriptSource> = (0..=1_000)
        .map(|index| named(&format!("p{index}"), "const ACTIONS = [\"lock.*\"]; fn on_request(request) {}"))
        .collect();
    assert_eq!(compile(&many[..1_000]).policies().len(), 1_000);
    let errors = PolicySet::compile(&many, &catalog(), None).expect_err("one too many");
    assert_eq!(errors[0].message, "more than 1000 policies");
}
