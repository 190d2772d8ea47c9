//! Passwords and certificates, with a broker that asks for them.

use crate::Case;
use crate::broker::{Access, Authority, Broker, Kind, PASSWORD, USER};
use crate::client::Client;
use crate::house::House;

pub const CASES: &[Case] = &[
    ("the_right_password_opens", the_right_password_opens),
    ("a_wrong_password_is_said_clearly", a_wrong_password_is_said_clearly),
    ("tls_with_the_right_authority_opens", tls_with_the_right_authority_opens),
    ("tls_with_a_wrong_authority_is_refused", tls_with_a_wrong_authority_is_refused),
];

/// The exit code that `--help` gives for a broker that refuses for good.
const EXIT_BROKER: i32 = 4;

fn the_right_password_opens(kind: Kind) {
    let broker = Broker::with(kind, Access::Password);
    let _bridge = House::on(&broker).open(&broker);
    let mut device = Client::connect(&broker, &["lights/+/set"]);
    device.publish("hushgate/gate/lights/kitchen/set", "1");
    device.expect("lights/kitchen/set");
}

fn a_wrong_password_is_said_clearly(kind: Kind) {
    let broker = Broker::with(kind, Access::Password);
    let wrong = "a password that nobody has";
    let section = format!("broker:\n  url: \"{}\"\n  username: \"{USER}\"\n  password: \"{wrong}\"\n", broker.url());
    let mut bridge = House::with_broker(&section).run();
    let status = bridge.wait();
    let log = bridge.whole_log();
    assert_eq!(status.code(), Some(EXIT_BROKER), "{log}");
    assert!(log.contains("password"), "{log}");
    assert!(log.contains("help"), "{log}");
    assert!(!log.contains(wrong) && !log.contains(PASSWORD), "a password was printed:\n{log}");
}

fn tls_section(broker: &Broker, ca_file: &std::path::Path) -> String {
    format!("broker:\n  url: \"{}\"\n  ca_file: \"{}\"\n", broker.url(), ca_file.display())
}

fn tls_with_the_right_authority_opens(kind: Kind) {
    let broker = Broker::with(kind, Access::Tls);
    let house = House::with_broker(&tls_section(&broker, &broker.ca_file()));
    let _bridge = house.open(&broker);
    let mut device = Client::connect(&broker, &["lights/+/set"]);
    device.publish("hushgate/gate/lights/kitchen/set", "1");
    device.expect("lights/kitchen/set");
}

fn tls_with_a_wrong_authority_is_refused(kind: Kind) {
    let broker = Broker::with(kind, Access::Tls);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ca_file = folder.path().join("stranger.pem");
    std::fs::write(&ca_file, Authority::new("a stranger").pem).expect("a writable temporary folder");
    let house = House::with_broker(&tls_section(&broker, &ca_file));
    let mut bridge = house.run();
    let status = bridge.wait();
    let log = bridge.whole_log();
    assert_eq!(status.code(), Some(EXIT_BROKER), "{log}");
    assert!(log.contains("certificate") && log.contains("ca_file"), "{log}");
}
