//! Grants on the command line and over MQTT: asked about, listed, used, revoked, and refused with a reason.

use serde_json::json;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::commands::{answered, said};
use crate::house::House;

pub const CASES: &[Case] = &[
    ("the_sitter_gets_in_for_a_while", the_sitter_gets_in_for_a_while),
    ("a_grant_is_refused_with_its_reason", a_grant_is_refused_with_its_reason),
    ("everything_of_a_channel_is_revoked_at_once", everything_of_a_channel_is_revoked_at_once),
    ("what_others_store_about_grants_opens_nothing", what_others_store_about_grants_opens_nothing),
];

/// What the bridge says when the panel asks to unlock a door.
fn panel_asks(client: &mut Client, target: &str, id: &str) -> serde_json::Value {
    let question = json!({"action": "lock.unlock", "target": target, "id": id});
    client.publish("hushgate/ask/panel", &question.to_string());
    client.expect(&format!("hushgate/answer/{id}")).json()
}

fn the_sitter_gets_in_for_a_while(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let _bridge = house.open(&broker);
    let mut panel =
        Client::connect(&broker, &["hushgate/answer/+", "hushgate/grant/+", "hushgate/home_assistant/state"]);
    let grant = ["grant", "panel", "lock.unlock", "--target", "door", "--for", "2h"];

    let (code, _, error) = said(&answered(&broker, &house, &grant, "reject"));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("it waits for a yes on phone until"), "{error}");
    assert!(error.contains("not granted: rejected on"), "{error}");
    let (code, listed, _) = said(&house.command(&["grants"]));
    assert_eq!((code, listed.as_str()), (Some(0), "nothing is granted\n"));
    assert_eq!(panel_asks(&mut panel, "door", "a1")["verdict"], "confirm");

    let (code, granted, error) = said(&answered(&broker, &house, &grant, "approve"));
    assert_eq!(code, Some(0), "{error}");
    assert!(granted.starts_with("granted to panel: lock.unlock door until "), "{granted}");
    // The request itself lies there too, on `grant/set`.
    let state = panel.expect_where("hushgate/grant/+", |message| !message.topic.ends_with("/set"));
    let id = state.topic.rsplit('/').next().expect("an id").to_owned();
    assert!(error.contains(&format!("`hushgate revoke {id}` ends it before")), "{error}");
    assert_eq!(state.json()["target"], "door");
    panel.expect_where("hushgate/home_assistant/state", |numbers| numbers.json()["grants"] == 1);

    let answer = panel_asks(&mut panel, "door", "a2");
    assert_eq!(answer["verdict"], "allow", "{answer}");
    let reason = answer["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("granted to `panel` until ") && reason.ends_with(&format!("(decision {id})")),
        "{reason}"
    );
    assert_eq!(panel_asks(&mut panel, "shed", "a3")["verdict"], "confirm", "only what was granted");

    let (_, listed, _) = said(&house.command(&["grants"]));
    assert!(listed.starts_with(&format!("{id}  panel: lock.unlock door until ")), "{listed}");
    let (_, listed, _) = said(&house.command(&["grants", "--format", "json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((&listed[0]["id"], &listed[0]["channel"]), (&json!(id), &json!("panel")));

    let (code, revoked, error) = said(&house.command(&["revoke", &id]));
    assert_eq!((code, revoked), (Some(0), format!("revoked: {id}\n")), "{error}");
    panel.expect_where(&state.topic, |message| message.payload.is_empty());
    assert_eq!(panel_asks(&mut panel, "door", "a4")["verdict"], "confirm");
    let (code, _, error) = said(&house.command(&["revoke", &id]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains(&format!("expected the id of a grant that stands, found `{id}`")), "{error}");
}

fn a_grant_is_refused_with_its_reason(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let dead = said(&house.command(&["grant", "panel", "lock.unlock"]));
    assert_eq!(dead.0, Some(1));
    assert!(dead.2.contains("no bridge runs on the base `hushgate`"), "{}", dead.2);
    let _bridge = house.open(&broker);
    for (arguments, exit, expected) in [
        (&["grant", "kitchen", "lock.unlock"] as &[&str], 1, "voice is granted nothing sensitive"),
        (&["grant", "sitter", "lock.unlock"], 1, "expected a configured channel, found `sitter`"),
        (&["grant", "panel", "hushgate.*"], 1, "which nobody is granted"),
        (&["grant", "panel", "lock.unlock", "--for", "25h"], 1, "expected a duration up to `24h`, found `25h`"),
        (&["grant", "panel", "lock.unlock", "--until", "eleven"], 2, "expected a time such as `23:00`"),
        (&["grant", "panel", "lock.unlock", "--until", "23:00", "--for", "1h"], 2, "cannot be used with"),
        (&["revoke", "--channel", "panel"], 1, "nothing is granted to `panel`"),
        (&["revoke"], 2, "required"),
    ] {
        let (code, _, error) = said(&house.command(arguments));
        assert_eq!(code, Some(exit), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

fn everything_of_a_channel_is_revoked_at_once(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let _bridge = house.open(&broker);
    for action in ["lock.unlock", "lock.open"] {
        let (code, _, error) = said(&answered(&broker, &house, &["grant", "panel", action], "approve"));
        assert_eq!(code, Some(0), "{error}");
    }
    let (code, revoked, error) = said(&house.command(&["revoke", "--channel", "panel"]));
    assert_eq!((code, revoked.lines().count()), (Some(0), 2), "{revoked}{error}");
    let (_, listed, _) = said(&house.command(&["grants"]));
    assert_eq!(listed, "nothing is granted\n");
}

fn what_others_store_about_grants_opens_nothing(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut stranger = Client::connect(&broker, &["hushgate/log", "hushgate/answer/+"]);
    let grant = r#"{"channel":"panel","action":"lock.unlock","until":"2099-01-01T00:00:00Z"}"#;
    // Before the bridge comes, and while it is there.
    stranger.publish_retained("hushgate/grant/1", grant);
    stranger.publish_retained("hushgate/grant/set", grant);
    let _bridge = house.open(&broker);
    let ghost = stranger.expect_where("hushgate/log", |record| record.payload.contains("ghost"));
    assert_eq!(ghost.json()["topic"], "hushgate/grant/set");
    stranger.publish_retained("hushgate/grant/2", grant);
    let forged = stranger.expect_where("hushgate/log", |record| record.payload.contains("forged"));
    assert_eq!(forged.json()["topic"], "hushgate/grant/2");
    assert_eq!(panel_asks(&mut stranger, "door", "a1")["verdict"], "confirm");
    let mut late = Client::connect(&broker, &["hushgate/grant/#", "hushgate/mode"]);
    late.expect("hushgate/mode");
    assert!(late.received("hushgate/grant/#").is_empty(), "nothing of it is stored any more");
}
