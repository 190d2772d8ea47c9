//! The policies of the simulation, and what they say by the oracle's own reading.
//!
//! What a rule says hangs on the first letter of a target, so that the oracle can tell without running a script.

use std::collections::BTreeMap;

use hushgate::model::decision::Verdict;
use hushgate::model::event::ScriptSource;

/// Every policy that can be loaded: its name, its text, whether it is on unless somebody switches it.
const POOL: &[(&str, &str, bool)] = &[
    (
        "letters",
        r#"const ACTIONS = ["lock.*", "light.*"];
fn on_request(request) {
    remember("last", request.target);
    if request.target.starts_with("d") { deny("d") }
    else if request.target.starts_with("c") { confirm("c?") }
    else if request.target.starts_with("p") { confirm(#{ ask: "p?", within: "20s", from: ["panel"] }) }
    else if request.target.starts_with("g") { confirm(#{ ask: "g?", group: "g" }) }
    else if request.target.starts_with("w") { confirm(#{ ask: "w?", within: "30s", otherwise: "allow" }) }
    else if request.target.starts_with("a") { allow("a") }
}"#,
        true,
    ),
    (
        "turned",
        r#"const ACTIONS = ["lock.*", "light.*"];
fn on_request(request) {
    if request.target.starts_with("a") { deny("a") }
    else if request.target.starts_with("d") { confirm(#{ ask: "d?", within: "40s" }) }
}"#,
        true,
    ),
    (
        "watching",
        r#"const MODE = "observe";
const ACTIONS = ["lock.*", "light.*", "notify.*"];
fn on_request(request) { mute("kitchen", "1m", "only told"); deny("would deny") }"#,
        true,
    ),
    (
        "erring",
        r#"const ACTIONS = ["lock.*", "light.*"];
fn on_request(request) { if request.target.starts_with("e") && state("lock.unheard_of") == "x" { allow("never") } }"#,
        true,
    ),
    (
        "shut",
        r#"const ENABLED = false;
const ACTIONS = ["lock.*"];
fn on_request(request) { deny("shut") }"#,
        false,
    ),
    (
        "wake",
        r#"const EVENTS = ["voice.wake_word"];
const TOPICS = ["house/quiet"];
fn on_event(event) { if count("wakes", "10m") >= 3 { mute(event.speaker, "5m", "woken three times") } }
fn on_message(message) { unmute("kitchen"); notify("quiet is over") }"#,
        true,
    ),
    (
        "sender",
        r#"const TOPICS = ["house/go"];
fn on_message(message) {
    publish("lights/" + message.payload + "/set", "TOGGLE");
    publish("house/said", "go");
    publish("hushgate/mode/set", "observe");
}"#,
        true,
    ),
    (
        "night",
        r#"const ACTIONS = ["light.*"];
fn on_request(request) { if between("22:00", "07:00") && is("light.porch", "on") { allow("night") } }"#,
        true,
    ),
];

/// A policy that cannot be loaded.
pub(crate) const BROKEN: &str = "const ACTIONS = [\"lock.*\"];\nfn on_request(request) { allow(";

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    POOL.iter().map(|(name, _, _)| *name)
}

pub(crate) fn is_on_by_itself(name: &str) -> bool {
    POOL.iter().any(|(known, _, on)| *known == name && *on)
}

/// The policies of the pool for which `wanted` says yes, with `note` as a comment, so that each set is another revision.
pub(crate) fn sources(note: u64, mut wanted: impl FnMut(&str) -> bool) -> Vec<ScriptSource> {
    POOL.iter()
        .filter(|(name, _, _)| wanted(name))
        .map(|(name, text, _)| ScriptSource {
            name: (*name).to_owned(),
            file: format!("{name}.rhai"),
            text: format!("// {note}\n{text}"),
        })
        .collect()
}

fn is_lettered(on: &BTreeMap<String, bool>, action: &str, target: &str, letter: char) -> bool {
    let concerned = action.starts_with("lock.") || action.starts_with("light.");
    concerned && target.starts_with(letter) && on.get("letters") == Some(&true)
}

/// Whether a confirmation of this joins others of its group.
pub(crate) fn is_group(on: &BTreeMap<String, bool>, action: &str, target: &str) -> bool {
    is_lettered(on, action, target, 'g')
}

/// Whether silence lets this go: where it is ordinary, and the rule says so.
pub(crate) fn is_window(on: &BTreeMap<String, bool>, action: &str, target: &str) -> bool {
    is_lettered(on, action, target, 'w') && action != "lock.unlock"
}

/// What the enforced rules say on a request, as the oracle reads them. `on`: the loaded policies and their switches.
/// `panel_may_answer`: it is known who asks, and it is not the panel.
pub(crate) fn verdict(on: &BTreeMap<String, bool>, action: &str, target: &str, panel_may_answer: bool) -> Verdict {
    use Verdict::{Allow, Confirm, Deny};
    let is_on = |name: &str| on.get(name).copied().unwrap_or(false);
    let sensitive = ["lock.unlock", "notify.send_message", "command.unreadable"].contains(&action);
    let concerned = action.starts_with("lock.") || action.starts_with("light.");
    let letter = target.chars().next().unwrap_or(' ');
    let mut said = Vec::new();
    if concerned && is_on("letters") {
        said.extend(match letter {
            'd' => Some(Deny),
            'c' | 'g' | 'w' => Some(Confirm),
            'p' => Some(if panel_may_answer { Confirm } else { Deny }),
            'a' => Some(Allow),
            _ => None,
        });
    }
    if concerned && is_on("turned") {
        said.extend(match letter {
            'a' => Some(Deny),
            'd' => Some(Confirm),
            _ => None,
        });
    }
    if concerned && is_on("erring") && letter == 'e' && sensitive {
        said.push(Deny);
    }
    if action.starts_with("lock.") && is_on("shut") {
        said.push(Deny);
    }
    said.into_iter().max().unwrap_or(if sensitive { Confirm } else { Allow })
}
