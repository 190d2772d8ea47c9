//! A loudspeaker that says "yes" to itself confirms nothing, whatever it says it with.

use serde_json::{Value, json};

use super::house::{House, INTENTS, SITES, shipped};
use hushgate::model::event::ScriptSource;

fn intent(house: &mut House, name: &str, site: &str, session: &str, custom_data: &Value) {
    house.tell(
        &format!("hermes/intent/{name}"),
        &json!({"siteId": site, "sessionId": session, "input": "yes", "slots": [], "customData": custom_data,
                "intent": {"intentName": name, "confidenceScore": 1.0}}),
    );
}

fn begun(house: &mut House, site: &str, session: &str, custom_data: &Value) {
    let about = json!({"siteId": site, "sessionId": session, "customData": custom_data});
    house.tell("hermes/dialogueManager/sessionStarted", &about);
}

/// Says yes in every way that a speaker can which has read everything that was sent to anybody.
fn agree(house: &mut House, site: &str) {
    begun(house, site, "second", &Value::Null);
    intent(house, "Yes", site, "second", &Value::Null);
    for (index, token) in house.tokens.clone().into_iter().enumerate() {
        let session = format!("stolen {index}");
        begun(house, site, &session, &json!(token));
        intent(house, "Yes", site, &session, &json!(token));
        intent(house, "Yes", site, "first", &json!(token));
        intent(house, "Yes", site, "", &json!(token));
    }
}

/// Wishes for something, and agrees to it.
fn agree_with_itself(house: &mut House, name: &str, site: &str) {
    begun(house, site, "first", &Value::Null);
    intent(house, name, site, "first", &Value::Null);
    house.pass(1_500);
    intent(house, "Yes", site, "first", &Value::Null);
    agree(house, site);
    // The end of its own question is over in a minute, and so is the quota in ten.
    house.pass(660_000);
}

#[test]
fn an_echo_that_hears_itself_confirms_nothing_sensitive() {
    for (name, is_sensitive, ..) in INTENTS {
        let mut house = House::new(shipped(), "2027-03-01T20:00:00Z");
        for site in SITES {
            agree_with_itself(&mut house, name, site);
        }
        let asked = house.counted("sensitive, asked");
        assert_eq!(asked > 0, is_sensitive, "{name} was asked about {asked} times");
        assert_eq!((house.counted("sensitive, allowed"), house.counted("approved")), (0, 0), "{name}");
    }
}

/// What a person asks for by hand is asked in the bedroom too. Whoever hears that says yes, and only there it counts.
#[test]
fn a_yes_counts_in_the_dialogue_that_asks_and_in_no_other() {
    let mut sources = shipped();
    sources.push(ScriptSource {
        name: "lights".to_owned(),
        file: "lights.rhai".to_owned(),
        text: "//! Lights only after a yes.\nconst ACTIONS = [\"light.*\"];\nfn on_request(request) { confirm(\"Light?\") }\n"
            .to_owned(),
    });
    let mut house = House::new(sources, "2027-03-01T20:00:00Z");
    house.tell("hushgate/ask/panel", &json!({"id": "q", "action": "light.turn_on", "target": "light.hall"}));
    house.pass(1_500);
    assert_eq!(house.counted("questions asked by voice"), 1);
    for site in SITES.into_iter().filter(|site| *site != "bedroom") {
        agree(&mut house, site);
    }
    assert_eq!(house.counted("approved"), 0);
    agree(&mut house, "bedroom");
    assert_eq!(house.counted("approved"), 1, "else nothing was tried");
}

/// What is ordinary and wanted by voice is asked of nobody who could be that voice.
#[test]
fn an_echo_that_hears_itself_confirms_nothing_ordinary_either() {
    let mut sources = shipped();
    sources.push(ScriptSource {
        name: "lights".to_owned(),
        file: "lights.rhai".to_owned(),
        text: "//! Lights only after a yes.\nconst ACTIONS = [\"light.*\"];\nfn on_request(request) { confirm(\"Light?\") }\n"
            .to_owned(),
    });
    let mut house = House::new(sources, "2027-03-01T20:00:00Z");
    for site in SITES {
        agree_with_itself(&mut house, "ChangeLightState", site);
    }
    assert_eq!(house.counted("questions asked"), SITES.len() as u64);
    assert_eq!((house.counted("approved"), house.counted("intents carried out")), (0, 0));
}
