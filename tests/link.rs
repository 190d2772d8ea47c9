//! The MQTT link against a broker that misbehaves in every way that was met.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by a panic, also in the functions that help it"
)]

use std::time::Duration;

use hushgate::config::{Remote, Secret};
use hushgate::model::message::{Message, Qos};
use hushgate::model::topic::TopicFilter;
use hushgate::shell::link::{Lane, Link, LinkEvent, LinkSettings, PACKET_BYTES_MAX, Undelivered};
use hushgate::wire::{RetainHandling, Subscription};
use support::fake_broker::{CONNACK, FakeBroker, FakeClient, publish, read_publish};

mod support {
    pub(crate) mod fake_broker;
}

/// Long enough for loopback on a busy machine; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn subscription(filter: &str) -> Subscription {
    Subscription {
        filter: TopicFilter::new(filter).expect("a valid filter"),
        qos: Qos::AtLeastOnce,
        no_local: true,
        retain_handling: RetainHandling::Never,
    }
}

fn settings(port: u16) -> LinkSettings {
    LinkSettings {
        broker: Remote { host: "127.0.0.1".to_owned(), port, tls: None, username: None, password: None },
        client_id: "hushgate-test".to_owned(),
        will: Some(Message::retained("hushgate/status", "offline")),
        subscriptions: vec![subscription("hushgate/gate/#")],
    }
}

fn link(port: u16) -> Link {
    Link::new(settings(port), None, 1).expect("settings without TLS")
}

/// The next event, beside a script of the broker that must come to its end.
async fn next(link: &mut Link) -> LinkEvent {
    tokio::time::timeout(PATIENCE, link.next()).await.expect("an event in time")
}

async fn connect(link: &mut Link, broker: &FakeBroker, connack: &[u8]) -> FakeClient {
    let (client, event) = tokio::join!(broker.accept_and_grant(connack), next(link));
    assert_eq!(event, LinkEvent::Connected);
    client
}

/// What the broker hears next. The link is polled beside it; it must have nothing to say meanwhile.
async fn heard(link: &mut Link, client: &mut FakeClient) -> Option<Vec<u8>> {
    tokio::select! {
        packet = client.packet() => packet,
        event = link.next() => panic!("expected nothing, found {event:?}"),
        () = tokio::time::sleep(PATIENCE) => panic!("the broker heard nothing"),
    }
}

fn undelivered(lane: Lane, topic: &str, reason: &str) -> LinkEvent {
    LinkEvent::Undelivered(Undelivered { lane, topic: topic.to_owned(), reason: reason.to_owned() })
}

#[tokio::test]
async fn a_new_connection_starts_empty_and_what_was_lost_is_reported_once() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    // A broker that lets one publish be in flight: the second must wait.
    let mut client = connect(&mut link, &broker, &[0x20, 0x06, 0x00, 0x00, 0x03, 0x21, 0x00, 0x01]).await;
    link.send(Lane::Forward, Message::live("light/hall/set", "TOGGLE")).unwrap();
    link.send(Lane::Forward, Message::live("lock/door/set", "LOCK")).unwrap();
    link.send(Lane::Publication, Message { qos: Qos::AtMostOnce, ..Message::live("hushgate/log", "{}") }).unwrap();
    assert_eq!(link.waiting(), 2);
    let packet = heard(&mut link, &mut client).await.expect("the first publish");
    assert_eq!(read_publish(&packet).0, "light/hall/set");
    client.close().await;

    let lost = "the broker closed the connection";
    for expected in [
        LinkEvent::Disconnected { reason: lost.to_owned() },
        undelivered(
            Lane::Forward,
            "light/hall/set",
            &format!("sent, but not acknowledged, and not sent again: {lost}"),
        ),
        undelivered(Lane::Forward, "lock/door/set", &format!("not sent: {lost}")),
        undelivered(Lane::Publication, "hushgate/log", &format!("not sent: {lost}")),
    ] {
        assert_eq!(next(&mut link).await, expected);
    }
    let refused = link.send(Lane::Forward, Message::live("lock/door/set", "LOCK")).unwrap_err();
    assert_eq!(refused.reason, "there is no connection to the broker");

    // The first thing heard on the new connection is what is sent on it, not what was left over.
    let mut client = connect(&mut link, &broker, CONNACK).await;
    link.send(Lane::Forward, Message::live("fan/set", "ON")).unwrap();
    let packet = heard(&mut link, &mut client).await.expect("a publish");
    assert_eq!(read_publish(&packet), ("fan/set".to_owned(), 1, 0b0010));
}

#[tokio::test]
async fn forwards_pass_publications_that_wait() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let mut client = connect(&mut link, &broker, &[0x20, 0x06, 0x00, 0x00, 0x03, 0x21, 0x00, 0x01]).await;
    for (lane, topic) in [(Lane::Publication, "p1"), (Lane::Publication, "p2"), (Lane::Forward, "f1")] {
        link.send(lane, Message::live(topic, "x")).unwrap();
    }
    for expected in ["p1", "f1", "p2"] {
        let packet = heard(&mut link, &mut client).await.expect("a publish");
        let (topic, identifier, _) = read_publish(&packet);
        assert_eq!(topic, expected);
        let [high, low] = identifier.to_be_bytes();
        client.send(&[0x40, 0x02, high, low]).await;
    }
}

#[tokio::test]
async fn taken_over_the_link_is_silent_for_good() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let mut client = connect(&mut link, &broker, CONNACK).await;
    link.send(Lane::Forward, Message::live("fan/set", "ON")).unwrap();
    heard(&mut link, &mut client).await.expect("a publish");
    // The short form, without a length of properties.
    client.send(&[0xE0, 0x01, 0x8E]).await;
    let reason = "sent, but not acknowledged, and not sent again: another client took over";
    assert_eq!(next(&mut link).await, undelivered(Lane::Forward, "fan/set", reason));
    assert_eq!(next(&mut link).await, LinkEvent::TakenOver);
    assert!(link.send(Lane::Forward, Message::live("fan/set", "ON")).is_err());
    // Longer than any first delay between attempts: nobody comes back.
    let quiet = Duration::from_millis(700);
    assert!(tokio::time::timeout(quiet, link.next()).await.is_err(), "no event after the end");
    assert!(tokio::time::timeout(quiet, broker.accept(CONNACK)).await.is_err(), "no new connection");
}

#[tokio::test]
async fn a_broker_of_3_1_1_is_named_whether_it_answers_or_hangs_up() {
    let expected = "the broker speaks only MQTT 3.1.1, expected MQTT 5";
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let script = async { broker.accept(&[0x20, 0x02, 0x00, 0x01]).await };
    let (_client, event) = tokio::join!(script, next(&mut link));
    assert!(matches!(&event, LinkEvent::Refused { reason, .. } if reason == expected), "{event:?}");
    // A second broker closes without a word, and is asked again in its own version.
    let script = async {
        broker.accept(&[]).await.close().await;
        broker.accept(&[0x20, 0x02, 0x00, 0x00]).await
    };
    let (_client, event) = tokio::join!(script, next(&mut link));
    assert!(matches!(&event, LinkEvent::Refused { reason, .. } if reason == expected), "{event:?}");
    // A third one hangs up on both: nothing is claimed about its version.
    let script = async {
        broker.accept(&[]).await.close().await;
        broker.accept(&[]).await.close().await;
    };
    let ((), event) = tokio::join!(script, next(&mut link));
    let LinkEvent::Unreachable { reason, .. } = event else { panic!("expected unreachable, found {event:?}") };
    assert!(reason.ends_with("it closes the connection without an answer"), "{reason}");
}

#[tokio::test]
async fn refusals_say_what_to_do_and_never_the_password() {
    for (code, expected) in [
        (0x86_u8, "the broker refused user or password"),
        (0x87, "the broker refused: not authorized"),
        (0x85, "the broker refused the client identifier"),
        (0x84, "the broker speaks only MQTT 3.1.1, expected MQTT 5"),
    ] {
        let broker = FakeBroker::new().await;
        let mut settings = settings(broker.port());
        settings.broker.username = Some("anna".to_owned());
        settings.broker.password = Some(Secret::new("tulip".to_owned()));
        let mut link = Link::new(settings, None, 1).unwrap();
        let shown = format!("{link:?}");
        let connack = [0x20, 0x03, 0x00, code, 0x00];
        let (_client, event) = tokio::join!(broker.accept(&connack), next(&mut link));
        let text = format!("{shown}{event:?}");
        assert!(!text.contains("tulip") && !text.contains("anna"), "{text}");
        assert!(matches!(&event, LinkEvent::Refused { reason, .. } if reason == expected), "{event:?}");
    }
    // Busy now is not a refusal for good.
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let (_client, event) = tokio::join!(broker.accept(&[0x20, 0x03, 0x00, 0x89, 0x00]), next(&mut link));
    assert!(matches!(event, LinkEvent::Unreachable { .. }), "{event:?}");
}

#[tokio::test]
async fn a_message_over_the_brokers_limit_is_refused_and_the_next_one_goes() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    // The broker takes packets of at most 64 bytes.
    let mut client = connect(&mut link, &broker, &[0x20, 0x08, 0x00, 0x00, 0x05, 0x27, 0x00, 0x00, 0x00, 0x40]).await;
    let at_limit = 64 - (2 + 2 + 1 + 2 + 1);
    let refused = link.send(Lane::Forward, Message::live("t", vec![b'x'; at_limit + 1])).unwrap_err();
    assert_eq!(refused.reason, "the packet has 65 bytes; the broker takes at most 64");
    link.send(Lane::Forward, Message::live("t", vec![b'x'; at_limit])).unwrap();
    assert_eq!(heard(&mut link, &mut client).await.map(|packet| packet.len()), Some(64));
    for (topic, expected) in [
        ("", "the topic is empty"),
        ("a/#", "the topic has a wildcard (`+` or `#`)"),
        ("$SYS/x", "the topic begins with `$`, which belongs to the broker"),
    ] {
        assert_eq!(link.send(Lane::Publication, Message::live(topic, "x")).unwrap_err().reason, expected);
    }
}

#[tokio::test]
async fn refused_subscriptions_and_publishes_are_reported_by_name() {
    let broker = FakeBroker::new().await;
    let mut settings = settings(broker.port());
    // More than one SUBSCRIBE: the second waits for the answer to the first.
    settings.subscriptions = (0..10).map(|index| subscription(&format!("f/{index}"))).collect();
    let mut link = Link::new(settings, None, 1).unwrap();
    let script = async {
        let mut client = broker.accept(CONNACK).await;
        let refuse = |filter: &str| if filter == "f/3" || filter == "f/9" { 0x87 } else { 0x01 };
        let first = client.answer_subscribe(refuse).await;
        let second = client.answer_subscribe(refuse).await;
        assert_eq!((first.len(), second.len()), (8, 2));
        assert_eq!(first[0], ("f/0".to_owned(), 0b0010_0101), "QoS 1, no local, no stored messages");
        client
    };
    let events = async {
        for filter in ["f/3", "f/9"] {
            let reason = "not authorized".to_owned();
            let expected = LinkEvent::SubscriptionRefused { filter: filter.to_owned(), reason };
            assert_eq!(next(&mut link).await, expected);
        }
        assert_eq!(next(&mut link).await, LinkEvent::Connected);
    };
    let (mut client, ()) = tokio::join!(script, events);
    link.send(Lane::Forward, Message::live("lock/set", "UNLOCK")).unwrap();
    let packet = heard(&mut link, &mut client).await.expect("a publish");
    let [high, low] = read_publish(&packet).1.to_be_bytes();
    client.send(&[0x40, 0x03, high, low, 0x87]).await;
    let expected = undelivered(Lane::Forward, "lock/set", "the broker refused it: not authorized");
    assert_eq!(next(&mut link).await, expected);
}

#[tokio::test]
async fn subscriptions_can_change_on_a_connection_that_is_up() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let mut client = connect(&mut link, &broker, CONNACK).await;
    link.subscribe(vec![subscription("hushgate/gate/#"), subscription("frigate/+/person")]);
    let events = tokio::time::timeout(Duration::from_millis(500), link.next());
    let (asked, event) = tokio::join!(client.answer_subscribe(|_| 0x01), events);
    assert_eq!(asked.iter().map(|(filter, _)| filter.as_str()).collect::<Vec<_>>(), ["frigate/+/person"]);
    assert!(event.is_err(), "connected is said once: {event:?}");
    link.subscribe(vec![subscription("frigate/+/person")]);
    let packet = heard(&mut link, &mut client).await.expect("an UNSUBSCRIBE");
    assert_eq!(packet[0], 0xA2);
    assert!(String::from_utf8_lossy(&packet).contains("hushgate/gate/#"));
}

#[tokio::test]
async fn hostile_packets_end_in_an_event_and_never_in_a_panic() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let mut client = connect(&mut link, &broker, CONNACK).await;
    client.send(&publish(b"a/\xFF\xFE", b"x", 0)).await;
    client.send(&publish(b"", b"x", 0)).await;
    client.send(&publish(b"a/b", b"x", 1)).await;
    for (topic, reason) in [
        ("a/\u{FFFD}\u{FFFD}", "the topic is not UTF-8"),
        ("", "expected a topic, found none (topic aliases are not in use)"),
    ] {
        let expected = LinkEvent::Unreadable { topic: topic.to_owned(), reason: reason.to_owned() };
        assert_eq!(next(&mut link).await, expected);
    }
    let LinkEvent::Message(message) = next(&mut link).await else { panic!("expected a message") };
    assert_eq!((message.topic.as_str(), &message.payload[..], message.retain), ("a/b", &b"x"[..], true));

    assert_eq!(PACKET_BYTES_MAX, 0x44 << 14);
    let over_limit = [0x30, 0x81, 0x80, 0x44];
    let cases: &[(&str, &[u8])] = &[
        ("a packet over the announced limit", &over_limit),
        ("a length that does not end", &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ("an unknown packet type", &[0x00, 0x00]),
        ("a publish cut short inside", &[0x30, 0x03, 0x00, 0x09, b'a']),
        ("a publish at QoS 3", &[0x36, 0x05, 0x00, 0x01, b'a', 0x00, 0x01]),
        ("a publish at QoS 2", &[0x34, 0x06, 0x00, 0x01, b'a', 0x00, 0x01, 0x00]),
        ("a SUBACK for nothing", &[0x90, 0x04, 0x00, 0x01, 0x00, 0x00]),
        ("an unknown reason code", &[0x40, 0x03, 0x00, 0x01, 0x77]),
        ("a CONNECT", &[0x10, 0x0D, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 0, 0, 0, 0]),
        ("a DISCONNECT without a reason", &[0xE0, 0x00]),
        ("a DISCONNECT with properties", &[0xE0, 0x02, 0x8B, 0x00]),
        ("a DISCONNECT for an unknown reason", &[0xE0, 0x01, 0x01]),
    ];
    for (name, bytes) in cases {
        let mut link = self::link(broker.port());
        let mut client = connect(&mut link, &broker, CONNACK).await;
        client.send(bytes).await;
        let event = next(&mut link).await;
        assert!(matches!(event, LinkEvent::Disconnected { .. }), "{name}: {event:?}");
    }
    // An acknowledgement of nothing harms nobody.
    client.send(&[0x40, 0x02, 0x00, 0x07]).await;
    client.send(&publish(b"a/b", b"y", 0)).await;
    assert!(matches!(next(&mut link).await, LinkEvent::Message(_)));
}

#[tokio::test]
async fn a_clean_farewell_sends_the_last_words_and_a_disconnect() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let mut client = connect(&mut link, &broker, CONNACK).await;
    let script = async {
        let packet = client.packet().await.expect("the last words");
        let (topic, identifier, flags) = read_publish(&packet);
        assert_eq!((topic.as_str(), flags), ("hushgate/status", 0b0011));
        let [high, low] = identifier.to_be_bytes();
        client.send(&[0x40, 0x02, high, low]).await;
        assert_eq!(client.packet().await, Some(vec![0xE0, 0x00]));
        assert_eq!(client.packet().await, None, "then the connection ends");
        client.close().await;
    };
    let ((), lost) = tokio::join!(script, link.close(vec![Message::retained("hushgate/status", "offline")]));
    assert_eq!(lost, []);
}

/// Paused time runs on by itself while nothing else can, so these bounds are reached at once.
#[tokio::test(start_paused = true)]
async fn a_broker_that_never_answers_is_given_up() {
    let broker = FakeBroker::new().await;
    let mut link = link(broker.port());
    let LinkEvent::Unreachable { reason, retry_ms } = link.next().await else { panic!("expected unreachable") };
    assert!(reason.ends_with("no answer within 10000 ms"), "{reason}");
    assert!(retry_ms <= 500, "{retry_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_is_tried_ever_more_rarely() {
    let port = FakeBroker::new().await.port();
    let mut link = link(port);
    let mut delays = Vec::new();
    for _ in 0..40 {
        let LinkEvent::Unreachable { retry_ms, .. } = link.next().await else { panic!("expected unreachable") };
        delays.push(retry_ms);
    }
    assert!(delays[0] <= 500 && delays.iter().all(|delay| *delay <= 30_000), "{delays:?}");
    let late: u64 = delays[10..].iter().sum();
    assert!(late / 30 > 10_000, "the mean of late delays is near half the bound: {delays:?}");
}
