//! The commands that look at a house or ask its bridge: exit codes and what they print.

use std::process::Output;

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::gate::asked;
use crate::house::House;

pub const CASES: &[Case] = &[
    ("accept_needs_a_bridge", accept_needs_a_bridge),
    ("accept_lists_what_waits", accept_lists_what_waits),
    ("accept_waits_for_a_person", accept_waits_for_a_person),
];

const DOOR: &str = "zigbee2mqtt/door/set";
const SWAPPED: &str = "`payload_lock` was `LOCK` and is `UNLOCK`";

/// How a command ended and what it printed: exit code, standard output, standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs a command while a person at the phone answers the question that it causes.
fn answered(broker: &Broker, house: &House, arguments: &[&str], answer: &str) -> Output {
    let mut phone = Client::connect(broker, &["hushgate/prompt/phone"]);
    std::thread::scope(|scope| {
        let command = scope.spawn(|| house.command(arguments));
        let prompt = asked(&mut phone);
        phone.publish(&prompt.answer_topic, &format!("{answer} {}", prompt.token));
        command.join().expect("the command's thread")
    })
}

fn accept_needs_a_bridge(kind: Kind) {
    let broker = Broker::start(kind);
    let (code, _, error) = said(&House::on(&broker).command(&["accept", "--all"]));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("no bridge runs on the base `hushgate`") && error.contains("help: start it"), "{error}");
}

fn accept_lists_what_waits(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    house.guard_with(&[(DOOR, Some(SWAPPED))]);
    let mut owner = Client::connect(&broker, &["hushgate/health"]);
    let _bridge = house.open(&broker);
    owner.expect_where("hushgate/health", |health| health.payload.contains(DOOR));
    let (code, listed, error) = said(&house.command(&["accept"]));
    assert_eq!((code, listed), (Some(1), format!("{DOOR}: {SWAPPED}\n")), "{error}");
    assert!(error.contains("help: what is as you want it"), "{error}");
}

fn accept_waits_for_a_person(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    house.guard_with(&[(DOOR, Some(SWAPPED))]);
    let _bridge = house.open(&broker);

    let (code, _, error) = said(&answered(&broker, &house, &["accept", DOOR], "reject"));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("it waits for a yes on phone until"), "{error}");
    assert!(error.contains(&format!("not accepted: {DOOR}")), "{error}");

    let (code, accepted, error) = said(&answered(&broker, &house, &["accept", DOOR], "approve"));
    assert_eq!((code, accepted), (Some(0), format!("accepted: {DOOR}\n")), "{error}");
    for arguments in [&["accept", DOOR], &["accept", "--all"]] {
        let (code, _, error) = said(&house.command(arguments));
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains("expected something new to accept, found nothing"), "{error}");
    }
}
