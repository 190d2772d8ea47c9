//! The embedded broker keeps the promises that the bridge stands on, to clients of MQTT 5 and 3.1.1 on one port.
#![cfg(feature = "embedded-broker")]
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by a panic, also in the functions that help it")]

use std::time::Duration;

use hushgate::config::Remote;
use hushgate::model::message::{Message, Qos, ReplyTo};
use hushgate::model::topic::TopicFilter;
use hushgate::shell::broker::EmbeddedBroker;
use hushgate::shell::link::{Lane, Link, LinkEvent, LinkSettings};
use hushgate::wire::{RetainHandling, Subscription};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};

/// Long enough for loopback on a busy machine; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

fn broker() -> EmbeddedBroker {
    EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).expect("a free port")
}

fn subscription(filter: &str, no_local: bool, retain_handling: RetainHandling) -> Subscription {
    let filter = TopicFilter::new(filter).expect("a valid filter");
    Subscription { filter, qos: Qos::AtLeastOnce, no_local, retain_handling }
}

async fn connected(broker: &EmbeddedBroker, client_id: &str, subscriptions: Vec<Subscription>) -> Link {
    let remote = Remote {
        host: broker.address().ip().to_string(),
        port: broker.address().port(),
        tls: None,
        username: None,
        password: None,
    };
    let will = Some(Message::retained(format!("status/{client_id}"), "offline"));
    let settings = LinkSettings { broker: remote, client_id: client_id.to_owned(), will, subscriptions };
    let mut link = Link::new(settings, None, 1).expect("settings without TLS");
    assert_eq!(next(&mut link).await, LinkEvent::Connected);
    link
}

async fn next(link: &mut Link) -> LinkEvent {
    tokio::time::timeout(PATIENCE, link.next()).await.expect("an event in time")
}

async fn message(link: &mut Link) -> Message {
    match next(link).await {
        LinkEvent::Message(message) => message,
        other => panic!("expected a message, found {other:?}"),
    }
}

/// A client of MQTT 3.1.1. Returns it connected, with a way to await its next publish.
async fn old_client(broker: &EmbeddedBroker) -> (AsyncClient, rumqttc::EventLoop) {
    let mut options = MqttOptions::new("old", broker.address().ip().to_string(), broker.address().port());
    options.set_keep_alive(Duration::from_secs(30)).set_max_packet_size(10_000_000, 10_000_000);
    let (client, mut events) = AsyncClient::new(options, 16);
    until(&mut events, |packet| matches!(packet, Packet::ConnAck(_))).await;
    (client, events)
}

async fn until(events: &mut rumqttc::EventLoop, wanted: impl Fn(&Packet) -> bool) -> Packet {
    let found = async {
        loop {
            if let Event::Incoming(packet) = events.poll().await.expect("a connection")
                && wanted(&packet)
            {
                return packet;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("a packet in time")
}

#[tokio::test]
async fn own_messages_do_not_come_back_and_stored_ones_come_only_where_asked_for() {
    let broker = broker();
    let mut writer = connected(&broker, "writer", Vec::new()).await;
    writer.send(Lane::Publication, Message::retained("a/gate", "stored")).unwrap();
    writer.send(Lane::Publication, Message::retained("a/fact", "stored")).unwrap();
    writer.close(Vec::new()).await;

    let mut reader = connected(
        &broker,
        "reader",
        vec![
            subscription("a/gate", true, RetainHandling::Never),
            subscription("a/fact", true, RetainHandling::OnSubscribe),
            subscription("b/echo", false, RetainHandling::Never),
        ],
    )
    .await;
    let first = message(&mut reader).await;
    assert_eq!((first.topic.as_str(), first.retain), ("a/fact", true), "the store of `a/gate` stays closed");
    assert_eq!(first.expiry_s, None, "what is stored stays");
    reader.send(Lane::Publication, Message::live("a/gate", "own")).unwrap();
    reader.send(Lane::Publication, Message::live("b/echo", "own")).unwrap();
    assert_eq!(message(&mut reader).await.topic, "b/echo", "no_local keeps `a/gate` back");

    // A retained message that is sent now is live.
    let mut writer = connected(&broker, "writer", Vec::new()).await;
    writer.send(Lane::Publication, Message::retained("a/gate", "new")).unwrap();
    let live = tokio::select! {
        live = message(&mut reader) => live,
        event = writer.next() => panic!("expected nothing, found {event:?}"),
    };
    assert_eq!((live.topic.as_str(), live.retain), ("a/gate", false));
}

#[tokio::test]
async fn both_versions_talk_on_one_port() {
    let broker = broker();
    let mut link = connected(&broker, "new", vec![subscription("to/new", true, RetainHandling::OnSubscribe)]).await;
    let (old, mut events) = old_client(&broker).await;
    old.subscribe("to/old", QoS::AtLeastOnce).await.unwrap();
    until(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await;
    old.publish("to/new", QoS::AtLeastOnce, false, "hello").await.unwrap();
    let heard = tokio::select! {
        heard = message(&mut link) => heard,
        packet = until(&mut events, |packet| matches!(packet, Packet::Publish(_))) => panic!("found {packet:?}"),
    };
    assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("to/new", &b"hello"[..]));
    link.send(Lane::Forward, Message::live("to/old", "back")).unwrap();
    let answer = tokio::select! {
        packet = until(&mut events, |packet| matches!(packet, Packet::Publish(_))) => packet,
        event = link.next() => panic!("expected nothing, found {event:?}"),
    };
    assert!(matches!(&answer, Packet::Publish(publish) if publish.topic == "to/old"), "{answer:?}");
}

#[tokio::test]
async fn properties_cross_the_broker() {
    let broker = broker();
    let mut link = connected(&broker, "asker", vec![subscription("ask", false, RetainHandling::Never)]).await;
    let correlation = Some(bytes::Bytes::from_static(b"\x00\xFF7"));
    let question = Message {
        expiry_s: Some(30),
        reply: Some(ReplyTo { topic: "answers/asker".to_owned(), correlation }),
        ..Message::live("ask", "{}")
    };
    link.send(Lane::Publication, question.clone()).unwrap();
    let heard = message(&mut link).await;
    assert_eq!((heard.reply, heard.qos), (question.reply, Qos::AtLeastOnce));
    assert!(heard.expiry_s.is_some_and(|left_s| (1..=30).contains(&left_s)), "{:?}", heard.expiry_s);
}

#[tokio::test]
async fn a_second_client_of_the_same_name_takes_over() {
    let broker = broker();
    let mut first = connected(&broker, "hushgate", Vec::new()).await;
    let (_second, event) = tokio::join!(connected(&broker, "hushgate", Vec::new()), next(&mut first));
    // This broker does not say why, and Mosquitto 2.0 neither; then the bridge sees it by the `instance` in `info`.
    assert_eq!(event, LinkEvent::Disconnected { reason: "the broker closed the connection".to_owned() });
}

#[tokio::test]
async fn the_will_is_published_when_the_link_breaks_and_not_after_a_farewell() {
    let broker = broker();
    let mut watcher =
        connected(&broker, "watcher", vec![subscription("status/#", true, RetainHandling::OnSubscribe)]).await;
    let polite = connected(&broker, "polite", Vec::new()).await;
    let farewell = Message::retained("status/polite", "gone for good");
    let (lost, heard) = tokio::join!(polite.close(vec![farewell]), message(&mut watcher));
    assert_eq!((lost, &heard.payload[..]), (Vec::new(), &b"gone for good"[..]));
    drop(connected(&broker, "broken", Vec::new()).await);
    let heard = message(&mut watcher).await;
    assert_eq!((heard.topic.as_str(), &heard.payload[..]), ("status/broken", &b"offline"[..]));
}

/// A burst over the broker's default queue, and a packet at the link's limit, arrive whole.
#[tokio::test]
async fn bursts_and_large_messages_arrive() {
    let broker = broker();
    let mut reader = connected(&broker, "reader", vec![subscription("burst/#", true, RetainHandling::Never)]).await;
    let mut writer = connected(&broker, "writer", Vec::new()).await;
    let count = 4_000_u32;
    for index in 0..count {
        writer.send(Lane::Publication, Message::live(format!("burst/{index}"), "x")).unwrap();
    }
    for index in 0..count {
        let heard = tokio::select! {
            heard = message(&mut reader) => heard,
            event = writer.next() => panic!("expected nothing, found {event:?}"),
        };
        assert_eq!(heard.topic, format!("burst/{index}"), "in order, none lost");
    }
    writer.send(Lane::Publication, Message::live("burst/large", vec![b'x'; 1_000_000])).unwrap();
    let heard = tokio::select! {
        heard = message(&mut reader) => heard,
        event = writer.next() => panic!("expected nothing, found {event:?}"),
    };
    assert_eq!(heard.payload.len(), 1_000_000);
    // The link knows the broker's limit, and an older client that does not is thrown out instead of the reader.
    let refused = writer.send(Lane::Publication, Message::live("burst/over", vec![b'x'; 1_100_000])).unwrap_err();
    assert_eq!(refused.reason, "the packet has 1100019 bytes; the broker takes at most 1052672");
    let (old, mut events) = old_client(&broker).await;
    old.try_publish("burst/over", QoS::AtMostOnce, false, vec![b'x'; 1_100_000]).unwrap();
    let thrown_out = async { while events.poll().await.is_ok() {} };
    tokio::time::timeout(PATIENCE, thrown_out).await.expect("the broker ends the connection");
    writer.send(Lane::Publication, Message::live("burst/after", "x")).unwrap();
    let heard = tokio::select! {
        heard = message(&mut reader) => heard,
        event = writer.next() => panic!("expected nothing, found {event:?}"),
    };
    assert_eq!((heard.topic.as_str(), heard.expiry_s), ("burst/after", None));
}
