//! What `check` finds in an integration: each finding with its place, its text and its help.

use std::rc::Rc;

use crate::config::{self, NoSecrets};
use crate::integration::{Checked, SHIPPED, check};
use crate::model::event::ScriptSource;

/// A sound one, to which a mistake is added.
const SOUND: &str = r#"const GRADE = "stops listening";
const TOPICS = ["room/+/heard", "room/+/state"];
const COMMANDS = ["room/+/do"];
const SENDS = ["room/+/quiet", "room/+/say"];
const MUTES = ["mic", "sound"];
const CONFIRMS = ["mute", "announce"];
const NAMES = setting("names", #{});
fn on_message(message) {
    let name = speaker_by("room", split(message.topic, "/")[1]);
    if message.topic.ends_with("/state") { return if message.payload == "on" { muted(name, "mic") } else { said(name, "x") }; }
    if name in NAMES { approve(name, "t") } else { event("voice.transcript", #{ speaker: name, text: message.payload }) }
}
fn on_command(message) { request("lock.unlock", #{ target: "door", data: #{ said: message.payload } }) }
fn mute(speaker, what) { if what == "mic" { tell(speaker, "on") } else { act("media_player.volume_mute", "media_player.x") } }
fn unmute(speaker, what) { [1].any(|n| speaker.name == "x"); tell(speaker, "off") }
fn tell(speaker, payload) { send(`room/${speaker.setting("room", speaker.name)}/quiet`, payload) }
fn announce(speaker, text, id) { send("room/all/say", #{ text: text, id: id }) }
fn ask(speaker, question) { send("room/all/say", #{ text: question.text, token: question.token }) }
"#;
const HOUSE: &str =
    "speakers: {kitchen: {integration: room, settings: {room: cellar}}}\nintegrations: {use: {room: {names: {}}}}\n";

fn checked(text: &str, configuration: &str) -> Checked {
    let config = Rc::new(config::parse("test.yaml", configuration, &NoSecrets).expect("a configuration"));
    let source = ScriptSource { name: "room".to_owned(), file: "room.rhai".to_owned(), text: text.to_owned() };
    check(&config, &[source])
}

/// Findings as `severity code line:column message | help`.
fn findings(text: &str, configuration: &str) -> Vec<String> {
    let shown = |finding: crate::script::diagnostics::Diagnostic| {
        let severity = format!("{:?}", finding.severity).to_lowercase();
        let help = finding.help.map_or_else(String::new, |help| format!(" | {help}"));
        format!("{severity} {} {}:{} {}{help}", finding.code, finding.line, finding.column, finding.message)
    };
    checked(text, configuration).findings.into_iter().map(shown).collect()
}

fn assert_found(text: &str, configuration: &str, expected: &[&str]) {
    let found = findings(text, configuration);
    let is_it =
        found.len() == expected.len() && found.iter().zip(expected).all(|(found, start)| found.starts_with(start));
    assert!(is_it, "{text}\n{configuration}\n  expected {expected:#?}\n  found    {found:#?}");
}

#[test]
fn a_sound_integration_has_no_findings() {
    assert_found(SOUND, HOUSE, &[]);
}

/// What stands in the place of one piece of the sound integration, and what is found then.
#[test]
fn a_mistake_in_a_sound_integration_is_found_at_its_place() {
    let mut wrong = Vec::new();
    for (piece, mistake, expected) in [
        // Words, variables and fields.
        (
            "event(\"voice",
            "evnt(\"voice",
            "error unknown-word 11:52 there is no word or function `evnt` | did you mean `event`?",
        ),
        (
            "message.topic.ends",
            "message.topik.ends",
            "error unknown-field 10:16 a message has no field `topik` | did you mean `topic`?",
        ),
        (
            "speaker.name == \"x\"",
            "speaker.nmae == \"x\"",
            "error unknown-field 15:48 a speaker has no field `nmae` | did you mean `name`?",
        ),
        (
            "text: question.text",
            "text: question.txt",
            "error unknown-field 18:68 a question has no field `txt` | did you mean `text`?",
        ),
        (
            "name in NAMES",
            "name in NAME",
            "error unknown-variable 11:16 there is no variable `NAME` | did you mean `name`?",
        ),
        (
            "approve(name, \"t\")",
            "approve(name)",
            "error arity 11:24 `approve` takes 2 or 3 values, found `1` | write approve(speaker, token) or approve(speaker, token, code)",
        ),
        ("setting(\"names\", #{})", "setting(\"names\")", "error header 7:15"),
        ("what == \"mic\"", "what == 1", "error comparison 14:34 `==` cannot compare text with a number"),
        (
            "what == \"mic\"",
            "what == \"mike\"",
            "warning never-equal 14:37 `mike` is none of `mic`, `sound` and `both`, so this never holds | did you mean `mic`?",
        ),
        ("let name = s", "let NAMES = s", "error hidden-constant 9:9 `NAMES` is a constant of this integration"),
        // Functions.
        ("fn on_message(", "fn on_mesage(", "error header 2:7 `TOPICS` has no effect: there is no `on_message`"),
        (
            "fn mute(speaker, what)",
            "fn mute(speaker)",
            "error hook 14:4 expected 2 parameters of `mute`, found `1` | write `fn mute(speaker, what) { … }`",
        ),
        (
            "fn announce(speaker, text, id)",
            "fn announce(speaker, text)",
            "error hook 17:4 expected 3 parameters of `announce`, found `2`",
        ),
        ("fn tell(", "fn act(", "error unknown-word 14:45"),
        (
            "fn ask(",
            "fn aks(",
            "error hook 18:4 there is no hook `aks`; it would never be called | did you mean `ask`?",
        ),
        // Constants and functions.
        (
            "const COMMANDS = [\"room/+/do\"];\n",
            "",
            "error header 12:4 `on_command` is never called: there is no `COMMANDS`",
        ),
        ("const GRADE = \"stops listening\";\n", "", "error header 4:7 expected `GRADE` beside `mic` in `MUTES`"),
        (
            "const GRADE = \"stops listening\"",
            "const GRADE = \" \"",
            "error header 5:7 expected `GRADE` beside `mic` in `MUTES`",
        ),
        (
            "const SENDS = [\"room/+/quiet\", \"room/+/say\"];\n",
            "",
            "error header 15:29 `send` sends nothing: there is no `SENDS`",
        ),
        (
            "muted(name, \"mic\")",
            "()",
            "warning never-confirmed 6:7 `CONFIRMS` has `mute`, and nothing says `muted(speaker, what)`",
        ),
        (
            "said(name, \"x\")",
            "()",
            "warning never-confirmed 6:7 `CONFIRMS` has `announce`, and nothing says `said(speaker, id)`",
        ),
        ("approve(name, \"t\")", "()", "warning no-answer 18:4 `ask` asks, and nothing says `approve(speaker, token)`"),
        (
            "const NAMES",
            "let NAMES",
            "error outside 7:5 expected a constant outside of functions, found the variable `NAMES`",
        ),
        // Values of constants.
        ("\"room/+/heard\"", "\"room/#/heard\"", "error header 2:17 expected a topic filter, found `room/#/heard`"),
        (
            "\"room/+/state\"",
            "\"hushgate/mute/+\"",
            "error header 2:33 expected topics of the house, found `hushgate/mute/+`: it reaches into the bridge's own",
        ),
        (
            "\"room/+/state\"",
            "\"hushgate/decision/#\"",
            "error header 2:33 expected topics of the house, found `hushgate/decision/#`",
        ),
        ("\"room/+/state\"", "\"+/gate/x\"", "error header 2:33 expected topics of the house, found `+/gate/x`"),
        (
            "\"room/+/say\"",
            "\"#\"",
            "error header 4:32 expected topics of this family alone, found `#`: it fits topics of every family",
        ),
        (
            "\"room/+/say\"",
            "\"+/#\"",
            "error header 4:32 expected topics of this family alone, found `+/#`: it fits topics of every family",
        ),
        (
            "\"room/+/say\"",
            "\"$SYS/x\"",
            "error header 4:32 expected topics of this family alone, found `$SYS/x`: it belongs to the broker",
        ),
        (
            "\"room/+/say\"",
            "\"hushgate/intent/x\"",
            "error header 4:32 expected topics of this family alone, found `hushgate/intent/x`: it reaches into the bridge's own",
        ),
        (
            "\"room/+/say\"",
            "\"homeassistant/+/x/config\"",
            "error header 4:32 expected topics of this family alone, found `homeassistant/+/x/config`: it reaches into Home Assistant's discovery",
        ),
        (
            "\"room/+/do\"",
            "\"+/set\"",
            "error header 3:19 expected topics of this family alone, found `+/set`: it fits topics of every family",
        ),
        (
            "MUTES = [\"mic\"",
            "MUTES = [\"mike\"",
            "error header 5:16 expected `mic` or `sound` in `MUTES`, found `mike` | did you mean `mic`?",
        ),
        (
            "\"announce\"];",
            "\"anounce\"];",
            "error header 6:27 expected `mute` or `announce` in `CONFIRMS`, found `anounce` | did you mean `announce`?",
        ),
        ("GRADE = \"stops listening\"", "GRADE = 1", "error header 1:7 expected a text for `GRADE`, found `1`"),
        (
            "TOPICS = [\"room/+/heard\", \"room/+/state\"]",
            "TOPICS = 5",
            "error header 2:7 expected a list of texts, found `5`",
        ),
        // Where it sends.
        (
            "send(\"room/all/say\", #{ text: text",
            "send(\"room/all/sya\", #{ text: text",
            "error literal 17:39 expected a topic of `SENDS`, found `room/all/sya`",
        ),
        ("`room/${speaker", "`rom/${speaker", "error literal 16:34 expected a topic of `SENDS`, found `rom/…`"),
        (
            "send(\"room/all/say\", #{ text: text",
            "send(\"room/+/say\", #{ text: text",
            "error literal 17:39 expected a topic to send to, found `room/+/say`",
        ),
        // Names and fields.
        (
            "\"voice.transcript\"",
            "\"voice.transcrip\"",
            "warning unknown-event 11:58 `voice.transcrip` is no event that rules know of | did you mean `voice.transcript`?",
        ),
        (
            "\"voice.transcript\"",
            "\"transcript\"",
            "error literal 11:58 expected a name such as `voice.transcript`, found `transcript`",
        ),
        (
            "#{ speaker: name, text",
            "#{ speker: name, text",
            "error unknown-field 11:81 `event` has no field `speker` | did you mean `speaker`?",
        ),
        (
            "#{ target: \"door\"",
            "#{ traget: \"door\"",
            "error unknown-field 13:52 `request` has no field `traget` | did you mean `target`?",
        ),
        (
            "\"lock.unlock\"",
            "\"lock.unlok\"",
            "warning unknown-action 13:34 `lock.unlok` is no known action | did you mean `lock.unlock`?",
        ),
        (
            "\"media_player.volume_mute\"",
            "\"volume_mute\"",
            "error literal 14:78 expected an action such as `switch.turn_on`, found `volume_mute`",
        ),
        (
            "muted(name, \"mic\")",
            "muted(name, \"microphone\")",
            "error literal 10:92 expected `mic`, `sound` or `both`, found `microphone`",
        ),
    ] {
        assert!(SOUND.contains(piece), "{piece} is not in the sound one");
        let text = SOUND.replacen(piece, mistake, 1);
        let found = findings(&text, HOUSE);
        if !found.iter().any(|found| found.starts_with(expected)) {
            wrong.push(format!("{piece} → {mistake}\n  expected {expected}\n  found    {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_an_integration_promises_it_must_keep() {
    for (text, expected) in [
        (
            "",
            &["error hook 0:0 the integration has no hook, so it does nothing | write `fn on_message(message)"]
                as &[&str],
        ),
        (
            "const MUTES = \"sound\";\nfn mute(speaker, what) {}",
            &["error header 1:7 `MUTES` has no effect: there is no `unmute`"],
        ),
        (
            "fn mute(speaker, what) {}\nfn unmute(speaker, what) {}",
            &[
                "error header 1:4 `mute` is never called: there is no `MUTES`",
                "error header 2:4 `unmute` is never called: there is no `MUTES`",
            ],
        ),
        (
            "const GRADE = \"x\";\nfn enforce(speaker) {}",
            &["error header 1:7 `GRADE` has no effect: there is no `MUTES`"],
        ),
        (
            "const SENDS = \"a\";\nfn enforce(speaker) {}",
            &["error header 1:7 `SENDS` has no effect: nothing says `send(topic, payload)`"],
        ),
        ("fn cancel(speaker, question) {}", &["error header 1:4 `cancel` is never called: there is no `ask`"]),
        (
            "const CONFIRMS = [\"mute\", \"announce\"];\nfn enforce(speaker) {}",
            &[
                "error header 1:7 `CONFIRMS` has `mute`, and there is no `mute`",
                "error header 1:7 `CONFIRMS` has `announce`, and there is no `announce`",
                "warning never-confirmed 1:7",
                "warning never-confirmed 1:7",
            ],
        ),
        (
            "const TOPICS = \"a\";\nfn on_message(message) { event(`room.${message.payload}`) }",
            &[
                "warning untold-event 2:32 expected the names of these events in `EVENTS`, found none: no rule can name them",
            ],
        ),
        (
            "const EVENTS = [\"party\"];\nfn enforce(speaker) {}",
            &["error header 1:17 expected a name such as `voice.transcript`, found `party`"],
        ),
        (
            "const CONFIRM = [];\nfn enforce(speaker) {}",
            &[
                "warning unused-constant 1:7 the constant `CONFIRM` is used nowhere | write `CONFIRMS` instead of `CONFIRM`",
            ],
        ),
        (
            "const TOPIC = \"a\";\nfn on_message(message) {}",
            &[
                "error header 2:4 `on_message` is never called: there is no `TOPICS` | write `TOPICS` instead of `TOPIC`",
            ],
        ),
        // A message that is held needs no `SENDS`: held intents are let go below the bridge's own topics.
        (
            "const TOPICS = \"a\";\nfn on_message(message) { request(\"x.y\", #{ hold: send(`${base()}/intent/Lights`, message.payload) }) }",
            &[],
        ),
        (
            "const TOPICS = \"a\";\nfn on_message(message) { request(\"x.y\", #{ hold: send(\"lights/set\", message.payload) }) }",
            &["error literal 2:55 expected a topic of `SENDS`, found `lights/set` | add its topic to `SENDS`"],
        ),
        // A helper that no function whose messages are sent reaches may be there for messages that are held.
        (
            "const TOPICS = \"a\";\nfn on_message(message) { request(\"x.y\", #{ hold: held(message) }) }\nfn held(message) { send(message.payload, \"x\") }",
            &[],
        ),
        (
            "fn enforce(speaker) { [1].any(|n| helped(speaker)) }\nfn helped(speaker) { send(speaker.name, \"x\") }",
            &["error header 2:22 `send` sends nothing: there is no `SENDS`"],
        ),
        ("const A = 1 + later();\nfn enforce(speaker) {}\nfn later() { missing() }", &["error header"]),
        ("fn enforce(speaker) {", &["error syntax 1:"]),
        // Names that are given to other things are nobody's mistake.
        (
            "fn enforce(speaker) { helper(\"kitchen\"); }\nfn helper(speaker) { [1].any(|n| speaker == \"x\"); speaker.len() == 1 }",
            &[],
        ),
        ("fn enforce(speaker) { let speaker = \"x\"; [1].any(|n| speaker == \"x\"); }", &[]),
        ("fn enforce(speaker) { [\"x\"].any(|speaker| speaker == \"x\"); }", &[]),
        ("fn enforce(speaker) { [\"x\"].any(|name| speaker == name); }", &[]),
        (
            "fn enforce(speaker) { [\"x\"].any(|name| speaker == \"x\"); }",
            &["error comparison 1:48 `==` cannot compare a speaker with text"],
        ),
    ] {
        assert_found(text, "speakers: {kitchen: {integration: room}}\n", expected);
    }
}

#[test]
fn what_the_configuration_says_of_an_integration_is_held_against_it() {
    let uses = |settings: &str| format!("speakers: {{kitchen: {{integration: room, settings: {settings}}}}}\n");
    for (configuration, expected) in [
        (uses("{room: cellar}"), &[] as &[&str]),
        (
            uses("{romo: cellar}"),
            &[
                "warning unknown-setting 0:0 expected a setting that `room` asks for in `speakers.kitchen.settings`, found `romo` | did you mean `room`?",
            ],
        ),
        (
            uses("{names: x}"),
            &[
                "warning unknown-setting 0:0 expected a setting that `room` asks for in `speakers.kitchen.settings`, found `names` | write it under `integrations.use.room`",
            ],
        ),
        (
            uses("{xyz: x}"),
            &[
                "warning unknown-setting 0:0 expected a setting that `room` asks for in `speakers.kitchen.settings`, found `xyz` | it asks for `room`",
            ],
        ),
        (
            "integrations: {use: {room: {nmaes: {}}}}\n".to_owned(),
            &[
                "warning unknown-setting 0:0 expected a setting that `room` asks for in `integrations.use.room`, found `nmaes` | did you mean `names`?",
            ],
        ),
        (
            String::new(),
            &[
                "note unused 0:0 no speaker uses this integration, so nothing of it is done | write `integration: room` at a speaker",
            ],
        ),
        (
            format!("{}integrations: {{use: {{roon: {{}}}}}}\n", uses("{}")),
            &[
                "error unknown-integration 0:0 expected the name of an integration, found `roon`: there is none of this name | did you mean `room`?",
            ],
        ),
        (format!("{}channels: {{phone: {{kind: person, confirms: true, speaker: kitchen}}}}\n", uses("{}")), &[]),
    ] {
        assert_found(SOUND, &configuration, expected);
    }
    let deaf = "fn enforce(speaker) { act(\"switch.turn_on\", speaker.setting(worked_out(), \"\")); worked_out(\"room\") }\nfn worked_out() { \"x\" }\nfn worked_out(name) { name }";
    let asked =
        format!("{}channels: {{phone: {{kind: person, confirms: true, speaker: kitchen}}}}\n", uses("{room: x}"));
    assert_found(
        deaf,
        &asked,
        &["error no-ask 0:0 expected a function `ask`, found none: the channel `phone` is asked through `kitchen`"],
    );
    assert_found(
        deaf,
        &uses("{roma: x}"),
        &[
            "warning unknown-setting 0:0 expected a setting that `room` asks for in `speakers.kitchen.settings`, found `roma`",
        ],
    );
}

#[test]
fn a_file_that_no_configuration_can_name_is_told() {
    let config = Rc::new(config::parse("test.yaml", "", &NoSecrets).expect("a configuration"));
    let source = ScriptSource { name: "My-Room".to_owned(), file: "My-Room.rhai".to_owned(), text: SOUND.to_owned() };
    let found = check(&config, &[source]).findings;
    let said: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(said, ["expected a name of small letters, digits and `_`, found `My-Room`"]);
}

#[test]
fn names_that_an_integration_tells_are_known_to_rules() {
    let text = "const TOPICS = \"a\";\nconst EVENTS = [\"room.of_emma\"];\nconst ACTIONS = \"room.sing\";\n\
                fn on_message(message) { [event(\"room.party\"), event(`room.of_${message.payload}`), request(\"room.dance\")] }";
    let told = checked(text, "integrations: {use: {room: {}}}\n").told;
    assert_eq!(told.events.iter().map(String::as_str).collect::<Vec<_>>(), ["room.of_emma", "room.party"]);
    assert_eq!(told.actions.iter().map(String::as_str).collect::<Vec<_>>(), ["room.dance", "room.sing"]);
    let told = checked(text, "").told;
    assert!(told.events.is_empty(), "nothing that is not in use: {told:?}");
}

#[test]
fn a_copy_of_what_is_shipped_may_lie_unused() {
    let config = Rc::new(config::parse("test.yaml", "", &NoSecrets).expect("a configuration"));
    let (name, text) = SHIPPED.first().expect("one is shipped");
    let source = |text: String| ScriptSource { name: (*name).to_owned(), file: format!("{name}.rhai"), text };
    assert_eq!(check(&config, &[source((*text).to_owned())]).findings, Vec::new());
    let changed = check(&config, &[source(format!("{text}// mine\n"))]).findings;
    assert_eq!(changed.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["unused"]);
}

#[test]
fn the_shipped_integrations_have_no_findings() {
    for (name, _) in SHIPPED {
        let configuration = format!(
            "facts: {{statestream: states}}\nspeakers: {{kitchen: {{integration: {name}}}}}\nintegrations: {{use: {{{name}: {{}}}}}}\n"
        );
        let config = Rc::new(config::parse("test.yaml", &configuration, &NoSecrets).expect("a configuration"));
        let Checked { findings, count, .. } = check(&config, &[]);
        assert_eq!((findings, count), (Vec::new(), 1));
    }
    assert!(SHIPPED.len() >= 5, "only {} are shipped", SHIPPED.len());
}
