//! Rhasspy's satellites: what mutes them, what keeps them muted, what they say, hear and answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;
use crate::prompt::asked;
use crate::site::{Site, Skill};

pub const CASES: &[Case] = &[
    ("a_mute_reaches_the_wake_word_and_the_recognition_of_speech", a_mute_reaches_both_ears),
    ("rhasspy_does_not_read_a_reason_that_it_does_not_know", rhasspy_reads_its_own_reasons_only),
    ("a_stranger_who_unmutes_is_answered_within_a_second", a_stranger_who_unmutes_is_answered),
    ("a_mute_outlives_the_restart_of_broker_and_site", a_mute_outlives_restarts),
    ("sound_is_switched_off_and_on", sound_is_switched_off_and_on),
    ("an_intent_waits_for_a_yes_and_is_let_go_to_the_skill", an_intent_is_held_and_released),
    ("an_intent_that_is_two_intents_is_never_let_go", an_intent_that_is_two_intents),
    ("another_room_confirms_in_a_dialogue", another_room_confirms),
    ("nobody_but_that_dialogue_confirms", nobody_but_that_dialogue_confirms),
    ("an_echo_that_says_yes_to_itself_confirms_nothing", an_echo_confirms_nothing),
    ("what_was_spoken_is_proof_of_notice", what_was_spoken_is_proof_of_notice),
    ("what_could_not_be_spoken_is_no_proof", what_could_not_be_spoken_is_no_proof),
];

const HOUSE: &str = include_str!("hermes.yaml");
/// How soon a mute that a stranger has ended must hold again.
const AGAIN_MAX: Duration = Duration::from_secs(1);
/// Tells the bedroom of a door that is to be opened, and opens it after twelve seconds if nobody objects.
const NOTICE_FIRST: &str = "//! Notice first.\n\nconst ACTIONS = [\"lock.unlock\"];\n\nfn on_request(request) {\n    \
                            confirm(#{ ask: \"The door opens.\", within: \"12s\", from: [\"bedroom\"], \
                            otherwise: \"allow_sensitive\" })\n}\n";

/// A house with two rooms, and everybody in it.
pub struct Scene {
    pub broker: Broker,
    pub house: House,
    pub site: Site,
    /// Reads what the bridge says and does.
    pub owner: Client,
    pub phone: Client,
    pub bridge: crate::bridge::Bridge,
}

impl Scene {
    pub fn open() -> Scene {
        Scene::with_policies(&[])
    }

    pub fn with_policies(policies: &[(&str, &str)]) -> Scene {
        let broker = Broker::start(Kind::Mosquitto);
        let house = House::furnished(&format!("broker:\n  url: \"{}\"\n", broker.url()), HOUSE);
        for (name, text) in policies {
            house.policy(name, text);
        }
        let mut site = Site::start(&broker, &["kitchen", "bedroom"], Skill::Gated);
        site.teach("send message", "ComposeMessage", &json!({}));
        site.teach("robert", "SendMessage", &json!({"contact": "robert", "message": "a recording"}));
        site.teach("unlock the front door", "Unlock", &json!({"name": "front door"}));
        let topics = ["hushgate/decision/#", "hushgate/log", "hushgate/mute/+", "hushgate/intent/#", "panel/#"];
        let owner = Client::connect(&broker, &topics);
        let phone = Client::connect(&broker, &["hushgate/prompt/phone"]);
        let bridge = house.open(&broker);
        Scene { broker, house, site, owner, phone, bridge }
    }

    /// Somebody wakes a room and says something.
    pub fn says(&mut self, room: &str, text: &str, likelihood: f64) {
        self.site.wake(room);
        self.site.expect_in(room, "listening");
        self.site.talk(room, text, likelihood);
    }

    /// The next decision of a verdict on an action.
    pub fn decided(&mut self, verdict: &str, action: &str) -> Value {
        self.owner.expect(&format!("hushgate/decision/{verdict}/{action}")).json()
    }

    /// The next entry of the log of a kind.
    pub fn told(&mut self, record: &str) -> Value {
        self.owner.expect_where("hushgate/log", |told| told.json()["record"] == record).json()
    }

    fn mute(&mut self, what: &Value) {
        self.owner.publish("hushgate/mute/kitchen/set", &what.to_string());
        self.owner.expect_where("hushgate/mute/kitchen", |state| state.json()["state"] == "muted");
    }

    /// Whether the wake word is heard in the kitchen.
    fn kitchen_wakes(&mut self) -> bool {
        self.site.wake("kitchen");
        self.site.settle();
        let woke = !self.site.happened("woke").is_empty();
        self.site.expect_in("kitchen", if woke { "woke" } else { "deaf" });
        woke
    }
}

fn a_mute_reaches_both_ears() {
    let mut scene = Scene::open();
    assert!(scene.kitchen_wakes());
    scene.site.expect_in("kitchen", "listening");
    scene.mute(&json!({"mute": true, "for": "20m", "reason": "guests"}));
    scene.site.expect("ears", |event| event["ears"] == "hotword" && event["reason"] == "");
    scene.site.expect("ears", |event| event["ears"] == "asr" && event["reason"] == "");
    assert!(!scene.kitchen_wakes());
    scene.site.talk("kitchen", "send message", 1.0);
    assert_eq!(
        scene.site.expect_in("kitchen", "deaf")["ears"],
        "asr",
        "the dialogue that was open hears nothing either"
    );
    assert!(scene.site.happened("unreadable").is_empty(), "{:?}", scene.site.happened("unreadable"));

    scene.owner.publish("hushgate/mute/kitchen/set", "unmute");
    asked(&mut scene.phone).approve(&scene.phone);
    scene.site.expect_ears("kitchen", "hotword", true);
    scene.site.expect_ears("kitchen", "asr", true);
    assert!(scene.kitchen_wakes());
}

/// Why the integration sends no reason of its own: such a mute would mute nobody.
fn rhasspy_reads_its_own_reasons_only() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut site = Site::start(&broker, &["kitchen"], Skill::Direct);
    let stranger = Client::connect(&broker, &[]);
    stranger.publish("hermes/hotword/toggleOff", r#"{"siteId": "kitchen", "reason": "hushgate"}"#);
    let unreadable = site.expect("unreadable", |_| true);
    assert_eq!(unreadable["why"], "'hushgate' is not a valid HotwordToggleReason");
    site.wake("kitchen");
    site.expect_in("kitchen", "woke");
}

fn a_stranger_who_unmutes_is_answered() {
    let mut scene = Scene::open();
    scene.mute(&json!({"mute": true, "for": "20m"}));
    scene.site.expect_ears("kitchen", "hotword", false);
    scene.site.expect_ears("kitchen", "asr", false);
    for (ears, class) in [("hotword", "hermes/hotword/toggleOn"), ("asr", "hermes/asr/toggleOn")] {
        scene.owner.publish(class, r#"{"siteId": "kitchen", "reason": ""}"#);
        scene.site.expect_ears("kitchen", ears, true);
        let opened = Instant::now();
        scene.site.expect_ears("kitchen", ears, false);
        assert!(opened.elapsed() < AGAIN_MAX, "{ears}: {:?}", opened.elapsed());
    }
    assert!(!scene.kitchen_wakes());
    // Another room's ears are its own affair.
    scene.owner.publish("hermes/hotword/toggleOn", r#"{"siteId": "bedroom", "reason": ""}"#);
    scene.site.expect_ears("bedroom", "hotword", true);
    scene.site.wake("bedroom");
    scene.site.expect_in("bedroom", "woke");
}

fn a_mute_outlives_restarts() {
    let mut scene = Scene::open();
    scene.mute(&json!({"mute": true, "for": "20m"}));
    scene.site.expect_ears("kitchen", "hotword", false);
    scene.site.expect_ears("kitchen", "asr", false);

    // The bridge comes back last, so that nothing of what it sends is missed.
    scene.bridge.signal("STOP");
    scene.broker.restart();
    scene.site.expect("connected", |_| true);
    scene.site.settle();
    scene.bridge.signal("CONT");
    scene.site.expect_ears("kitchen", "hotword", false);
    scene.site.expect_ears("kitchen", "asr", false);

    // A satellite that starts anew says nothing of it. It listens until it wakes for the first time.
    scene.owner = Client::connect(&scene.broker, &["hushgate/log"]);
    scene.site = Site::start(&scene.broker, &["kitchen", "bedroom"], Skill::Gated);
    scene.site.wake("kitchen");
    scene.site.expect_in("kitchen", "woke");
    scene.site.expect("ears", |event| event["ears"] == "hotword" && event["reason"] == "" && event["on"] == false);
    scene.site.expect("ears", |event| event["ears"] == "asr" && event["reason"] == "" && event["on"] == false);
    assert!(!scene.kitchen_wakes());
}

fn sound_is_switched_off_and_on() {
    let mut scene = Scene::open();
    scene.mute(&json!({"mute": true, "for": "20m", "what": "sound"}));
    scene.site.expect("sound", |event| event["site"] == "kitchen" && event["on"] == false);
    assert!(scene.kitchen_wakes(), "its ears are open");
    scene.owner.publish("hermes/audioServer/toggleOn", r#"{"siteId": "kitchen"}"#);
    scene.site.expect("sound", |event| event["on"] == true);
    scene.site.expect("sound", |event| event["on"] == false);
}

fn an_intent_is_held_and_released() {
    let mut scene = Scene::open();
    scene.site.expect("handles", |event| event["on"] == false);
    scene.says("kitchen", "unlock the front door", 0.9);
    let question = asked(&mut scene.phone);
    let held = scene.decided("confirm", "lock.unlock");
    let request = &held["request"];
    assert_eq!((&request["target"], &request["source"]["kind"]), (&json!("front door"), &json!("voice")));
    assert_eq!((&request["confidence"], &held["applied"]), (&json!(0.9), &json!("confirm")));
    assert!(scene.owner.received("hushgate/intent/#").is_empty());
    question.approve(&scene.phone);
    let carried_out = scene.site.expect("carried_out", |_| true);
    assert_eq!(carried_out["topic"], "hushgate/intent/Unlock");
    assert_eq!(carried_out["slots"], json!({"name": "front door"}));

    scene.says("kitchen", "unlock the front door", 0.9);
    asked(&mut scene.phone).reject(&scene.phone);
    scene.decided("deny", "lock.unlock");
    // What is ordinary passes at once, and after what was refused.
    scene.says("kitchen", "send message", 0.9);
    scene.owner.expect("hushgate/intent/ComposeMessage");
    assert_eq!(scene.site.happened("carried_out").len(), 0);
}

fn an_intent_that_is_two_intents() {
    let mut scene = Scene::open();
    let forged = json!({"input": "what time is it", "siteId": "kitchen", "sessionId": "s1",
        "intent": {"intentName": "Unlock", "confidenceScore": 1.0}, "slots": []});
    scene.owner.publish("hermes/intent/GetTime", &forged.to_string());
    let seen = scene.decided("confirm", "command.unreadable");
    assert_eq!(seen["grade"], "alerted", "{seen}");
    scene.says("kitchen", "send message", 1.0);
    scene.owner.expect("hushgate/intent/ComposeMessage");
    assert!(scene.owner.received("hushgate/intent/#").is_empty());
}

fn another_room_confirms() {
    let mut scene = Scene::open();
    for (word, verdict) in [("right", "allow"), ("no", "deny")] {
        scene.owner.publish("hushgate/gate/panel/unlock/front", "now");
        scene.decided("confirm", "lock.unlock");
        let spoken = scene.site.expect_in("bedroom", "spoke");
        assert!(spoken["text"].as_str().is_some_and(|text| text.contains("front")), "{spoken}");
        scene.site.expect_in("bedroom", "listening");
        scene.site.talk("bedroom", word, 0.9);
        let decided = scene.decided(verdict, "lock.unlock");
        assert!(decided["reason"].as_str().is_some_and(|reason| reason.contains("`bedroom`")), "{decided}");
        scene.site.expect_in("bedroom", "dialogue_over");
    }
    assert_eq!(scene.owner.received("panel/unlock/front").len(), 1);
}

fn nobody_but_that_dialogue_confirms() {
    let mut scene = Scene::open();
    let mut spy = Client::connect(&scene.broker, &["hermes/#"]);
    scene.owner.publish("hushgate/gate/panel/unlock/front", "now");
    scene.decided("confirm", "lock.unlock");
    let token = spy.expect("hermes/dialogueManager/startSession").json()["customData"].take();
    let started = spy.expect("hermes/dialogueManager/sessionStarted").json();
    let session = started["sessionId"].clone();
    assert_eq!(started["customData"], token);
    let yes = |site: &str, session: &Value, token: &Value, score: f64| {
        json!({"input": "yes", "intent": {"intentName": "Yes", "confidenceScore": score}, "siteId": site,
            "sessionId": session, "customData": token, "slots": []})
    };
    // The same word in the kitchen, in no dialogue, in another one, with another token, and one that was hardly heard.
    for forged in [
        yes("kitchen", &session, &token, 1.0),
        yes("bedroom", &Value::Null, &token, 1.0),
        yes("bedroom", &json!("s1"), &token, 1.0),
        yes("bedroom", &session, &json!("00000000000000000000000000000000"), 1.0),
        yes("bedroom", &session, &token, 0.3),
    ] {
        spy.publish("hermes/intent/Yes", &forged.to_string());
    }
    // A second dialogue under the token is somebody else's.
    let second = json!({"sessionId": "s2", "siteId": "bedroom", "customData": token});
    spy.publish("hermes/dialogueManager/sessionStarted", &second.to_string());
    spy.publish("hermes/intent/Yes", &yes("bedroom", &json!("s2"), &token, 1.0).to_string());
    scene.says("kitchen", "right", 1.0);
    spy.expect_where("hermes/intent/Yes", |intent| intent.payload.contains("right"));
    scene.site.expect_in("bedroom", "listening");
    scene.site.talk("bedroom", "no", 1.0);
    let decided = scene.decided("deny", "lock.unlock");
    assert!(decided["reason"].as_str().is_some_and(|reason| reason.contains("rejected on `bedroom`")), "{decided}");
    assert!(scene.owner.received("panel/#").is_empty());
}

fn an_echo_confirms_nothing() {
    let mut scene = Scene::open();
    scene.says("kitchen", "unlock the front door", 0.9);
    let question = asked(&mut scene.phone);
    let held = scene.decided("confirm", "lock.unlock");
    // It plays "yes" to itself, and the other room hears it too.
    for room in ["kitchen", "bedroom"] {
        scene.says(room, "yes", 1.0);
        scene.decided("allow", "intent.answer");
    }
    let id = held["id"].as_str().expect("an id");
    for channel in ["kitchen", "bedroom"] {
        scene.owner.publish(&format!("hushgate/confirm/{channel}/{id}"), "approve");
        assert_eq!(scene.told("answer_refused")["channel"], channel);
    }
    assert!(
        scene.site.happened("spoke").iter().all(|event| event["site"] != "bedroom"),
        "voice is not asked about voice"
    );
    question.reject(&scene.phone);
    assert_eq!(scene.decided("deny", "lock.unlock")["reason"], "rejected on `phone`");
    assert!(scene.site.happened("carried_out").is_empty());
    assert!(scene.owner.received("hushgate/decision/allow/lock.unlock").is_empty());
}

/// A veto window in which nobody says anything. How the bedroom's question sounded, and what came of it.
fn silence_in_a_window(speech: &str) -> (Value, Value, Scene) {
    let mut scene = Scene::with_policies(&[("notice", NOTICE_FIRST)]);
    scene.site.speech("bedroom", speech);
    scene.owner.publish("hushgate/gate/panel/unlock/front", "now");
    scene.decided("confirm", "lock.unlock");
    let spoken = scene.site.expect_in("bedroom", "spoke");
    assert_eq!(spoken["text"], "The door opens.");
    let ended = scene.owner.expect_where("hushgate/decision/+/lock.unlock", |_| true).json();
    (spoken, ended, scene)
}

fn what_was_spoken_is_proof_of_notice() {
    let (spoken, ended, mut scene) = silence_in_a_window("works");
    assert_eq!((&spoken["aloud"], &ended["verdict"]), (&json!(true), &json!("allow")), "{ended}");
    scene.owner.expect("panel/unlock/front");
    scene.site.expect_in("bedroom", "dialogue_over");
}

fn what_could_not_be_spoken_is_no_proof() {
    let (spoken, ended, scene) = silence_in_a_window("fails");
    assert_eq!((&spoken["aloud"], &ended["verdict"]), (&json!(false), &json!("deny")), "{ended}");
    assert_eq!(ended["reason"], "silence is no yes here: nobody was told of it for sure, and in time");
    assert!(scene.owner.received("panel/#").is_empty());
}
