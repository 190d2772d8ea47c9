//! The confirmation integrity table over real brokers: each way to cheat a question, and the record that it leaves.
//!
//! `tests/scenarios/integrity.scenarios.yaml` has the whole table in virtual time; here it is what a client can send.

use serde_json::Value;

use crate::Case;
use crate::bridge::Bridge;
use crate::broker::{Access, Broker, CHANNELS, GUEST, HOME_ASSISTANT, Kind};
use crate::client::{Client, Received};
use crate::house::House;

pub const CASES: &[Case] = &[
    ("no_cheat_opens_the_door", no_cheat_opens_the_door),
    ("no_guess_no_flood_and_no_old_rule_opens_it", no_guess_no_flood_and_no_old_rule_opens_it),
];
/// Cases that need a broker with rules.
pub const RULED: &[Case] =
    &[("nobody_else_reads_questions_or_answers_them", nobody_else_reads_questions_or_answers_them)];

/// Requests of the channel `kitchen`: no policy allows them, so they are held.
const KITCHEN: &str = "commands:\n  - topic: \"kitchen/unlock/{name}\"\n    action: lock.unlock\n    target: \"{name}\"\n    channel: kitchen\n";

/// One way to cheat: what is sent, and the record that must follow.
///
/// `{id}` is the question that waits, `{over}` one that was rejected; `{phone}` and `{panel}` are their tokens for it,
/// `{other}` is the phone's token for another question, `{spent}` for the one that is over.
struct Cheat {
    name: &'static str,
    topic: &'static str,
    payload: &'static str,
    record: &'static str,
    reason: &'static str,
}

const fn cheat(
    name: &'static str,
    topic: &'static str,
    payload: &'static str,
    record: &'static str,
    reason: &'static str,
) -> Cheat {
    Cheat { name, topic, payload, record, reason }
}

const REFUSED: &str = "answer_refused";
const UNREAD: &str = "refused";
const PHONE: &str = "hushgate/confirm/phone/{id}";

const CHEATS: &[Cheat] = &[
    cheat("replay", "hushgate/confirm/phone/{over}", "approve {spent}", REFUSED, "it was rejected already"),
    cheat("a spent token", PHONE, "approve {spent}", REFUSED, "the token is wrong"),
    cheat("a token of another question", PHONE, "approve {other}", REFUSED, "the token is wrong"),
    cheat("a token of another channel", PHONE, "approve {panel}", REFUSED, "the token is wrong"),
    cheat("a guessed token", PHONE, "approve 00000000000000000000000000000000", REFUSED, "the token is wrong"),
    cheat("no token", PHONE, "approve", REFUSED, "the answer has no token"),
    cheat("an empty token", PHONE, r#"{"answer":"approve","token":""}"#, REFUSED, "the token is wrong"),
    cheat(
        "the channel that asked",
        "hushgate/confirm/kitchen/{id}",
        "approve {phone}",
        REFUSED,
        "the channel that asked cannot confirm",
    ),
    cheat(
        "a channel that may not confirm",
        "hushgate/confirm/doorbell/{id}",
        "approve {phone}",
        REFUSED,
        "this channel may not confirm",
    ),
    cheat(
        "a channel that nobody has configured",
        "hushgate/confirm/nobody/{id}",
        "approve {phone}",
        UNREAD,
        "expected a configured channel, found `nobody`",
    ),
    cheat(
        "a request that nobody made",
        "hushgate/confirm/phone/00000000000-000000-00000000",
        "approve {phone}",
        REFUSED,
        "no request waits under this id",
    ),
    cheat(
        "a topic below",
        "hushgate/confirm/phone/{id}/approve",
        "{phone}",
        UNREAD,
        "expected `confirm/<channel>/<id>`, found `confirm/phone/{id}/approve`",
    ),
    cheat(
        "through the gate",
        "hushgate/gate/hushgate/confirm/phone/{id}",
        "approve {phone}",
        UNREAD,
        "expected a device's topic, found `hushgate/confirm/phone/{id}`: a gate loop into the bridge itself",
    ),
    cheat(
        "two answers in one",
        PHONE,
        r#"{"answer":"reject","answer":"approve","token":"{phone}"}"#,
        UNREAD,
        "expected a JSON object with `answer`, found other text",
    ),
    cheat(
        "two tokens in one",
        PHONE,
        r#"{"answer":"approve","token":"0","token":"{phone}"}"#,
        UNREAD,
        "expected a JSON object with `answer`, found other text",
    ),
];

/// A house whose locks ask, and everybody in it.
struct Scene {
    _bridge: Bridge,
    owner: Client,
    device: Client,
    phone: Client,
    panel: Client,
}

/// A question as one channel was asked it.
struct Asked {
    id: String,
    token: String,
}

/// A house in which the kitchen may ask for doors to be opened.
fn house_on(broker: &Broker) -> House {
    let house = House::on(broker);
    let text = std::fs::read_to_string(house.config()).expect("it was just written");
    let text = text.replace("commands:\n", KITCHEN).replace("channels:\n", "channels:\n  doorbell: { kind: person }\n");
    std::fs::write(house.config(), text).expect("a writable temporary folder");
    house
}

impl Scene {
    fn open(broker: &Broker) -> Scene {
        Scene::of(&house_on(broker), broker)
    }

    fn of(house: &House, broker: &Broker) -> Scene {
        let bridge = house.open(broker);
        Scene {
            _bridge: bridge,
            owner: Client::connect(broker, &["hushgate/log", "hushgate/decision/#"]),
            device: Client::connect(broker, &["kitchen/#"]),
            phone: Client::connect(broker, &["hushgate/prompt/phone"]),
            panel: Client::connect(broker, &["hushgate/prompt/panel"]),
        }
    }

    /// The kitchen wants a door opened. What phone and panel were asked.
    fn ask(&mut self, door: &str) -> (Asked, Asked) {
        self.owner.publish(&format!("hushgate/gate/kitchen/unlock/{door}"), "now");
        let (phone, panel) = (asked(&mut self.phone), asked(&mut self.panel));
        assert_eq!(phone.id, panel.id);
        self.decided("confirm");
        (phone, panel)
    }

    fn decided(&mut self, verdict: &str) -> Value {
        self.owner.expect(&format!("hushgate/decision/{verdict}/lock.unlock")).json()
    }

    /// The reason of the next refusal of an answer.
    fn refused(&mut self) -> Value {
        let is_refused = |told: &Received| told.json()["record"] == REFUSED;
        self.owner.expect_where("hushgate/log", is_refused).json()["reason"].take()
    }

    fn answer(&self, question: &Asked, word: &str) {
        let topic = format!("hushgate/confirm/phone/{}", question.id);
        self.phone.publish(&topic, &format!("{word} {}", question.token));
    }
}

fn asked(channel: &mut Client) -> Asked {
    let is_question = |message: &Received| message.json()["kind"] == "ask";
    let question = channel.expect_where("hushgate/prompt/+", is_question).json();
    let text = |key: &str| question[key].as_str().unwrap_or_else(|| panic!("{key} in {question}")).to_owned();
    Asked { id: text("id"), token: text("token") }
}

fn no_cheat_opens_the_door(kind: Kind) {
    let broker = Broker::start(kind);
    let mut scene = Scene::open(&broker);
    let (spent, _) = scene.ask("shed");
    scene.answer(&spent, "reject");
    assert_eq!(scene.decided("deny")["reason"], "rejected on `phone`");
    let (other, _) = scene.ask("cellar");
    let (phone, panel) = scene.ask("front");
    let fill = |text: &str| {
        let places = [
            ("{id}", &phone.id),
            ("{phone}", &phone.token),
            ("{panel}", &panel.token),
            ("{other}", &other.token),
            ("{over}", &spent.id),
            ("{spent}", &spent.token),
        ];
        places.iter().fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    };
    for Cheat { name, topic, payload, record, reason } in CHEATS {
        scene.owner.publish(&fill(topic), &fill(payload));
        let told = scene.owner.expect_where("hushgate/log", |told| told.json()["record"] == *record).json();
        assert_eq!(told["reason"], fill(reason), "{name}: {told}");
        let text = told.to_string();
        for token in [&phone.token, &panel.token, &other.token] {
            assert!(!text.contains(token.as_str()), "{name}: the record tells a token: {told}");
        }
    }
    // The question still waits: its own channel answers it, once.
    scene.answer(&phone, "approve");
    assert_eq!(scene.decided("allow")["reason"], "approved on `phone`");
    scene.answer(&phone, "approve");
    assert_eq!(scene.refused(), "it was approved already");
    assert_eq!(scene.device.expect("kitchen/#").topic, "kitchen/unlock/front");
    // The other question is answered last, so whatever a cheat had let out would have come before.
    scene.answer(&other, "approve");
    assert_eq!(scene.device.expect("kitchen/#").topic, "kitchen/unlock/cellar");
    assert!(scene.device.received("kitchen/#").is_empty());
}

/// The PIN of the panel is 4711.
const PIN: &str = "$argon2id$v=19$m=64,t=1,p=1$dGVzdHMtcGhvbmUtc2FsdA$KL4h54t5l8LZ0AqsmL9tGEN1iYs4nxIndHQFuuFlpqI";
const PANEL: &str = "panel: { kind: person, confirms: true";

fn no_guess_no_flood_and_no_old_rule_opens_it(kind: Kind) {
    let broker = Broker::start(kind);
    let house = house_on(&broker);
    let text = std::fs::read_to_string(house.config()).expect("it was just written");
    let text = text.replace(PANEL, &format!("{PANEL}, pin: \"{PIN}\""));
    std::fs::write(house.config(), text).expect("a writable temporary folder");
    house.add("home_assistant: { eventstream: events }\n");
    let mut scene = Scene::of(&house, &broker);

    // The PIN is guessed with the right token; the right one comes too late.
    let (phone, panel) = scene.ask("front");
    let wrong = ["0000", "1111", "2222", "3333", "4444"].map(|code| (code, "the PIN is wrong"));
    for (code, reason) in wrong.into_iter().chain([("4711", "this channel is locked after too many wrong codes")]) {
        let topic = format!("hushgate/confirm/panel/{}", panel.id);
        scene.panel.publish(&topic, &format!("approve {} {code}", panel.token));
        assert_eq!(scene.refused(), reason, "{code}");
    }
    let is_lock = |told: &Received| told.json()["record"] == "channel_locked";
    assert_eq!(scene.owner.expect_where("hushgate/log", is_lock).json()["channel"], "panel");

    // What an event of Home Assistant says is no answer. What comes after it shows that it was heard.
    let event = serde_json::json!({"event_type": "hushgate_confirm", "event_data": {
        "id": phone.id, "channel": "phone", "answer": "approve", "token": phone.token}});
    scene.owner.publish("events", &event.to_string());

    // The rule changes: what was asked under the old one is asked anew, and its token is void.
    let strict = "const ACTIONS = [\"lock.unlock\"];\n\nfn on_request(request) {\n    confirm(#{ ask: \"Really?\", from:                   \"phone\" })\n}\n";
    house.policy("strict", strict);
    let again = asked(&mut scene.phone);
    assert!(again.id == phone.id && again.token != phone.token);
    scene.answer(&phone, "approve");
    assert_eq!(scene.refused(), "the token is wrong");
    scene.answer(&again, "reject");
    assert_eq!(scene.decided("deny")["reason"], "rejected on `phone`");

    // A flood of one asker is denied without asking; nobody else is locked out by it.
    for number in 0..13 {
        scene.owner.publish(&format!("hushgate/gate/kitchen/unlock/door-{number}"), "now");
    }
    let reason = scene.decided("deny")["reason"].take();
    let full = "Really?; it needs a confirmation, but 12 requests of this asker are waiting already";
    assert_eq!(reason, full);
    scene.owner.publish("hushgate/gate/zigbee2mqtt/other/set", r#"{"state":"UNLOCK"}"#);
    let of_other = |decision: &Received| decision.json()["request"]["target"] == "other";
    scene.owner.expect_where("hushgate/decision/confirm/lock.unlock", of_other);
    assert!(scene.owner.received("hushgate/decision/allow/#").is_empty());
    assert!(scene.device.received("kitchen/#").is_empty());
}

/// With the rules that `hushgate acl` writes.
fn nobody_else_reads_questions_or_answers_them(kind: Kind) {
    let open = Broker::start(kind);
    let written = house_on(&open).command(&["acl", "--for", "mosquitto", "--user-bridge", "hushgate"]);
    let said = String::from_utf8(written.stderr).expect("text");
    assert!(written.status.success(), "{said}");
    let rules = String::from_utf8(written.stdout).expect("text");

    let broker = Broker::with(kind, Access::Rules(rules.leak()));
    let mut scene = Scene::open(&broker);
    let mut phone = Client::of_user("phone", &broker, &["hushgate/prompt/phone"]);
    let [_, panel, kitchen] = CHANNELS;
    let mut others: Vec<Client> = [panel, kitchen, GUEST, HOME_ASSISTANT]
        .iter()
        .map(|user| Client::of_user(user, &broker, &["hushgate/prompt/phone", "hushgate/confirm/#", "hushgate/#"]))
        .collect();
    let (question, _) = scene.ask("front");
    assert_eq!(asked(&mut phone).token, question.token, "the phone reads its own questions");
    for other in &mut others {
        other.publish(&format!("hushgate/confirm/phone/{}", question.id), &format!("approve {}", question.token));
        // The broker does one thing after the other: by then it has passed the answer on, or refused it. Some versions end
        // the connection as well.
        let _ = other.try_subscribe("hushgate/status");
    }
    phone.publish(&format!("hushgate/confirm/phone/{}", question.id), &format!("reject {}", question.token));
    assert_eq!(scene.decided("deny")["reason"], "rejected on `phone`");
    assert!(scene.owner.received("hushgate/decision/allow/#").is_empty());
    for other in &mut others {
        let heard = other.received("#");
        let told = heard.iter().any(|message| message.payload.contains(&question.token));
        assert!(!told, "somebody else has read the token: {heard:?}");
    }
}
