//! What outlives the bridge: kept, damaged, and in a folder that cannot be written.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;

pub const CASES: &[Case] = &[
    ("a_house_without_guards_leaves_no_folder", a_house_without_guards_leaves_no_folder),
    ("a_damaged_file_is_put_aside_and_told", a_damaged_file_is_put_aside_and_told),
];

fn a_house_without_guards_leaves_no_folder(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut bridge = house.open(&broker);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    assert!(!house.data().join("state.db").exists(), "there was nothing to keep but the log");
}

fn a_damaged_file_is_put_aside_and_told(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    std::fs::create_dir(house.data()).expect("a writable temporary folder");
    std::fs::write(house.data().join("state.db"), "no database").expect("a writable temporary folder");
    let mut owner = Client::connect(&broker, &["hushgate/health", "lights/+/set"]);
    let mut bridge = house.open(&broker);
    bridge.expect_log(&["ERROR", "state.db` is damaged", "counts as accepted"]);
    bridge.expect_log(&["WARN", "put aside", "state.db", "is damaged"]);
    let health = owner.expect_where("hushgate/health", |health| !health.retain).json();
    let problem = health["problems"][0]["problem"].as_str().expect("a text");
    assert!(problem.contains("is damaged") && problem.contains("hushgate doctor"), "{problem}");
    let mut names: Vec<String> = std::fs::read_dir(house.data())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name != "journal" && !name.starts_with("index.db"))
        .collect();
    assert!(names.len() == 1 && names.remove(0).starts_with("state.db.damaged-"));
    owner.publish("hushgate/gate/lights/kitchen/set", "1");
    owner.expect("lights/kitchen/set");
}
