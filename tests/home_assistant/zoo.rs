//! Every kind of device, read by Home Assistant from its own discovery and then from the mirror: it must see the same.
//!
//! Home Assistant itself is the judge whether the bridge reads discovery as it does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Case;
use crate::house::{House, MIRROR, Plan};
use crate::prepared::Prepared;
use crate::settings::Settings;

pub const CASES: &[Case] =
    &[("the_mirror_shows_every_kind_as_discovery_does", the_mirror_shows_every_kind_as_discovery_does)];

/// Topics below the prefix, and what is announced there.
const ZOO: &str = include_str!("zoo.json");
/// How many of them Home Assistant takes, at least: an entity that it refuses is no test.
const TAKEN_MIN: usize = 36;
/// What may differ: a guarded entity no longer guesses that a command has worked, and a camera has a new key each time.
const MAY_DIFFER: [&str; 3] = ["access_token", "assumed_state", "entity_picture"];

/// Each of them as Home Assistant shows it: its attributes, and whether it is available.
fn seen(house: &House) -> BTreeMap<String, Value> {
    let all = house.home_assistant.rest.get("/api/states");
    let is_of_the_zoo = |entity: &&Value| entity["entity_id"].as_str().is_some_and(|id| id.contains(".zoo_"));
    let shown = |entity: &Value| {
        let is_available = entity["state"] != "unavailable";
        (entity["entity_id"].as_str().expect("text").to_owned(), json!([attributes(entity), is_available]))
    };
    all.as_array().expect("a list").iter().filter(is_of_the_zoo).map(shown).collect()
}

/// What is known of an entity, without what may differ.
fn attributes(entity: &Value) -> Value {
    let mut attributes = entity["attributes"].clone();
    let known = attributes.as_object_mut().expect("an object");
    known.retain(|name, _| !MAY_DIFFER.contains(&name.as_str()));
    attributes
}

fn the_mirror_shows_every_kind_as_discovery_does(prepared: &Prepared) {
    let mut house = Plan::usual().build(prepared);
    let zoo: Vec<(String, Value)> = serde_json::from_str(ZOO).expect("JSON");
    for (topic, payload) in &zoo {
        house.devices.say(&format!("homeassistant/{topic}/config"), &payload.to_string());
    }
    house.devices.say("zoo/avty", r#"{"state":"online"}"#);
    house.devices.say("zoo/list/1", "online");
    house.devices.say("zoo/dune/avty", "yes");
    house.devices.say("homeassistant/sensor/last/config", r#"{"name":"Zoo end","uniq_id":"end","stat_t":"zoo/end"}"#);
    house.home_assistant.expect_entity("sensor.zoo_end", "there", |_| true);
    house.home_assistant.expect_state("switch.zoo_list", "unknown");
    house.home_assistant.expect_state("sensor.zoo_dune_grosse", "unknown");
    house.home_assistant.expect_state("lock.zoo_device_hatch", "unknown");
    let direct = seen(&house);
    assert!(direct.len() >= TAKEN_MIN, "Home Assistant took only {:?}", direct.keys());

    let _bridge = house.open(&Settings::enforce());
    let last = format!("{MIRROR}/sensor/last/config");
    house.client("owner", &[&last]).expect(&last);
    house.home_assistant.rest.set_discovery_prefix(MIRROR);
    house.home_assistant.expect_mqtt_loaded();
    house.home_assistant.expect_state("sensor.zoo_end", "unknown");
    for (id, shown) in &direct {
        let is_as_before = |entity: &Value| (entity["state"] != "unavailable") == (shown[1] == true);
        let mirrored = house.home_assistant.expect_entity(id, "as available as before", is_as_before);
        assert_eq!(attributes(&mirrored), shown[0], "{id} is another thing by the mirror");
    }
    let mirrored = seen(&house);
    assert_eq!(mirrored.keys().collect::<Vec<_>>(), direct.keys().collect::<Vec<_>>());
}
