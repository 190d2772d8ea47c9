//! A visitor of a broker hears everything that is stored there.

use hushgate::config::Remote;
use hushgate::shell::store::Store;
use hushgate::shell::visitor::{VisitError, Visitor};

use crate::Case;
use crate::broker::{Access, Broker, Kind};
use crate::client::Client;
use crate::house::House;

pub const CASES: &[Case] = &[
    ("more_is_heard_than_the_broker_queues", more_is_heard_than_the_broker_queues),
    ("a_bridge_hears_more_than_the_broker_queues", a_bridge_hears_more_than_the_broker_queues),
    ("where_no_broker_is_it_is_said_at_once", where_no_broker_is_it_is_said_at_once),
];

/// More than Mosquitto queues for one client: 1,000 by default.
const STORED: usize = 5_000;
const LOCKS: usize = 1_500;

fn visit(port: u16, filter: &str) -> Result<usize, VisitError> {
    let remote = Remote { host: "127.0.0.1".to_owned(), port, tls: None, username: None, password: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (visitor, stored) = Visitor::connect(remote, "hushgate", &[filter.to_owned()], 1).await?;
        visitor.leave().await;
        assert_eq!(stored.gap, None);
        Ok(stored.messages.len())
    })
}

fn more_is_heard_than_the_broker_queues(kind: Kind) {
    let broker = Broker::with(kind, Access::ShortQueue);
    let mut owner = Client::connect(&broker, &["last"]);
    let payload = "x".repeat(500);
    for index in 0..STORED {
        owner.publish_retained(&format!("stored/{index}"), &payload);
    }
    owner.publish("last", "");
    owner.expect("last");
    assert_eq!(visit(broker.port(), "stored/#"), Ok(STORED));
}

fn where_no_broker_is_it_is_said_at_once(_: Kind) {
    let broker = Broker::nowhere();
    let Err(VisitError::Failed(reason)) = visit(broker.port(), "#") else { panic!("somebody was there") };
    assert!(reason.contains("no connection to the broker"), "{reason}");
}

/// A bridge hears as much: each of these locks is guarded, and what is guarded is kept.
fn a_bridge_hears_more_than_the_broker_queues(kind: Kind) {
    let broker = Broker::with(kind, Access::ShortQueue);
    let mut owner = Client::connect(&broker, &["last"]);
    for index in 0..LOCKS {
        let lock = format!("{{\"name\":\"L{index}\",\"uniq_id\":\"{index}\",\"cmd_t\":\"locks/{index}/set\"}}");
        owner.publish_retained(&format!("homeassistant/lock/l{index}/config"), &lock);
    }
    owner.publish("last", "");
    owner.expect("last");
    let house = House::on(&broker);
    let mut bridge = house.open(&broker);
    bridge.expect_log(&["guarded", &format!("locks/{}/set", LOCKS - 1)]);
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let kept = Store::look(&house.data()).expect("what is guarded is kept");
    assert_eq!(kept.len(), LOCKS);
}
