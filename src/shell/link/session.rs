//! What one MQTT connection must remember: acknowledgements, what is on its way, and whether the broker still answers.
//!
//! No socket here: packets come in, bytes collect in `output`, and `tick` is the only sense of time.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, DisconnectReasonCode, Packet, PubAck, Publish};
use tokio::time::Instant;

use super::queue::Queue;
use super::subscribe::{Request, Subscribing};
use super::{KEEP_ALIVE_S, Lane, LinkEvent, Undelivered, codec};
use crate::model::message::{Message, Qos};
use crate::model::topic;
use crate::wire::Subscription;

/// How often a connection looks at itself.
pub(super) const TICK_MS: u64 = 5_000;
/// How long the broker may take to answer a ping, a subscription or a publish: at least this many ticks.
pub(super) const ANSWER_TICKS_MAX: u64 = 4;
/// Publishes that may wait for their acknowledgement. The broker may allow fewer.
pub(super) const IN_FLIGHT_MAX: u16 = 1_000;
/// Bytes that may wait for the socket. Above it, messages wait in their lane and nothing more is read.
pub(super) const OUTPUT_BYTES_MAX: usize = 256 * 1024;

const PINGREQ: [u8; 2] = [0xC0, 0x00];
const DISCONNECT: [u8; 2] = [0xE0, 0x00];

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    TakenOver,
    Broken(String),
}

impl From<String> for Lost {
    fn from(reason: String) -> Lost {
        Lost::Broken(reason)
    }
}

/// A publish on its way. `end` is where its bytes end in the stream of all output.
#[derive(Debug)]
struct Sent {
    lane: Lane,
    topic: Bytes,
    end: u64,
    tick: u64,
}

impl Sent {
    fn undelivered(self, reason: &str) -> Undelivered {
        let topic = String::from_utf8_lossy(&self.topic).into_owned();
        Undelivered { lane: self.lane, topic, reason: reason.to_owned() }
    }
}

/// What the broker allows, from its CONNACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) packet_bytes_max: u32,
    pub(super) in_flight_max: u16,
    pub(super) qos_1: bool,
    pub(super) retain: bool,
    pub(super) keep_alive_s: u16,
}

impl Limits {
    pub(super) fn of(connack: &ConnAck) -> Limits {
        let properties = connack.properties.as_ref();
        let receive_max = properties.and_then(|properties| properties.receive_max).unwrap_or(u16::MAX);
        Limits {
            packet_bytes_max: properties.and_then(|properties| properties.max_packet_size).unwrap_or(u32::MAX),
            in_flight_max: receive_max.clamp(1, IN_FLIGHT_MAX),
            qos_1: properties.and_then(|properties| properties.max_qos) != Some(0),
            retain: properties.and_then(|properties| properties.retain_available) != Some(0),
            keep_alive_s: properties.and_then(|properties| properties.server_keep_alive).unwrap_or(KEEP_ALIVE_S),
        }
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Session {
    limits: Limits,
    output: BytesMut,
    /// Bytes handed to the socket since the beginning.
    written: u64,
    queue: Queue,
    /// By packet identifier, minus one.
    in_flight: Vec<Option<Sent>>,
    /// Packet identifiers that are free.
    free: Vec<u16>,
    /// Publishes without acknowledgement whose bytes are still in `output`.
    unwritten: VecDeque<Sent>,
    subscribing: Subscribing,
    subscribe_tick: u64,
    tick: u64,
    ping_sent_tick: u64,
    awaits_ping: bool,
}

impl Session {
    pub(super) fn new(limits: Limits) -> Session {
        Session {
            limits,
            output: BytesMut::new(),
            written: 0,
            queue: Queue::default(),
            in_flight: (0..limits.in_flight_max).map(|_| None).collect(),
            free: (1..=limits.in_flight_max).rev().collect(),
            unwritten: VecDeque::new(),
            subscribing: Subscribing::default(),
            subscribe_tick: 0,
            tick: 0,
            ping_sent_tick: 0,
            awaits_ping: false,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Nothing waits, and the broker has answered everything that it answers.
    pub(super) fn is_settled(&self) -> bool {
        self.queue.len() == 0 && self.output.is_empty() && self.in_flight.iter().all(Option::is_none)
    }

    pub(super) fn has_qos_1(&self) -> bool {
        self.limits.qos_1
    }

    pub(super) fn lasted_ms(&self) -> u64 {
        self.tick.saturating_mul(TICK_MS)
    }

    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// The socket has taken so many bytes.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.output.advance(bytes.min(self.output.len()));
        self.written += bytes as u64;
        while self.unwritten.front().is_some_and(|sent| sent.end <= self.written) {
            self.unwritten.pop_front();
        }
    }

    /// Asks for the first subscriptions. `true`: there are none, so the link is connected already.
    pub(super) fn start(&mut self, subscriptions: &[Subscription]) -> bool {
        let asks = self.subscribing.start(subscriptions);
        self.ask();
        !asks
    }

    pub(super) fn resubscribe(&mut self, old: &[Subscription], new: &[Subscription]) {
        self.subscribing.change(old, new);
        self.ask();
    }

    fn ask(&mut self) {
        let written = match self.subscribing.next_request() {
            Some(Request::Subscribe(subscribe)) => subscribe.write(&mut self.output),
            Some(Request::Unsubscribe(unsubscribe)) => unsubscribe.write(&mut self.output),
            None => return,
        };
        self.subscribe_tick = self.tick;
        // Filters are bounded in number and length, so the packet's length can always be written.
        debug_assert!(written.is_ok(), "a bounded packet was refused: {written:?}");
    }

    /// Takes a message: into the output where there is room, else into its lane.
    pub(super) fn publish(&mut self, lane: Lane, mut message: Message) -> Result<(), Undelivered> {
        if let Err(error) = topic::check_name(&message.topic) {
            return Err(Undelivered { lane, topic: message.topic, reason: error.to_string() });
        }
        if message.retain && !self.limits.retain {
            let reason = "the broker stores no retained messages".to_owned();
            return Err(Undelivered { lane, topic: message.topic, reason });
        }
        if !self.limits.qos_1 {
            message.qos = Qos::AtMostOnce;
        }
        if self.queue.lets_pass(lane) && self.has_room(message.qos) {
            return self.write(lane, message);
        }
        self.queue.push(lane, message, now())
    }

    fn has_room(&self, qos: Qos) -> bool {
        self.output.len() < OUTPUT_BYTES_MAX && (qos == Qos::AtMostOnce || !self.free.is_empty())
    }

    /// Moves what waits into the output, as far as there is room. `false`: nothing was moved.
    pub(super) fn refill(&mut self, events: &mut VecDeque<LinkEvent>) -> bool {
        if self.queue.len() == 0 || !self.has_room(Qos::AtLeastOnce) {
            return false;
        }
        let now = now();
        while self.has_room(Qos::AtLeastOnce) {
            let Some((lane, message)) = self.queue.pop(now) else { break };
            if let Err(undelivered) = message.and_then(|message| self.write(lane, message)) {
                events.push_back(LinkEvent::Undelivered(undelivered));
            }
        }
        true
    }

    fn write(&mut self, lane: Lane, message: Message) -> Result<(), Undelivered> {
        let mut publish = codec::outbound(lane, message)?;
        let sent = Sent { lane, topic: publish.topic.clone(), end: 0, tick: self.tick };
        if publish.qos != QoS::AtMostOnce {
            match self.free.pop() {
                Some(packet_id) => publish.pkid = packet_id,
                None => return Err(sent.undelivered("no packet identifier is free")),
            }
        }
        match self.encode(&publish) {
            Ok(end) => {
                let sent = Sent { end, ..sent };
                match self.slot(publish.pkid) {
                    Some(slot) => *slot = Some(sent),
                    None => self.unwritten.push_back(sent),
                }
                Ok(())
            }
            Err(reason) => {
                self.free.extend((publish.pkid != 0).then_some(publish.pkid));
                Err(sent.undelivered(&reason))
            }
        }
    }

    /// Appends a packet to the output and says where it ends.
    fn encode(&mut self, publish: &Publish) -> Result<u64, String> {
        let (size, max) = (publish.size(), self.limits.packet_bytes_max as usize);
        if size > max {
            return Err(format!("the packet has {size} bytes; the broker takes at most {max}"));
        }
        let before = self.output.len();
        if let Err(error) = publish.write(&mut self.output) {
            self.output.truncate(before);
            return Err(format!("it cannot be written: {error}"));
        }
        Ok(self.written + self.output.len() as u64)
    }

    fn slot(&mut self, packet_id: u16) -> Option<&mut Option<Sent>> {
        self.in_flight.get_mut(usize::from(packet_id.checked_sub(1)?))
    }

    /// Reads one packet. What follows from it is added to `events` and to the output.
    pub(super) fn receive(&mut self, packet: Packet, events: &mut VecDeque<LinkEvent>) -> Result<(), Lost> {
        match packet {
            Packet::Publish(publish) => {
                match publish.qos {
                    QoS::AtMostOnce => {}
                    QoS::AtLeastOnce => {
                        let [high, low] = publish.pkid.to_be_bytes();
                        self.output.put_slice(&[0x40, 0x02, high, low]);
                    }
                    QoS::ExactlyOnce => {
                        return Err("the broker sent QoS 2, which was not subscribed to".to_owned().into());
                    }
                }
                events.push_back(codec::inbound(publish));
            }
            Packet::PubAck(answer) => self.acknowledged(&answer, events),
            Packet::SubAck(answer) => {
                self.subscribing.answered(&answer, events)?;
                self.ask();
            }
            Packet::UnsubAck(_) => {
                self.subscribing.unsubscribed();
                self.ask();
            }
            Packet::PingResp(_) => self.awaits_ping = false,
            Packet::Disconnect(disconnect) => {
                return Err(match disconnect.reason_code {
                    DisconnectReasonCode::SessionTakenOver => Lost::TakenOver,
                    code => codec::farewell(code).into(),
                });
            }
            Packet::Auth(_)
            | Packet::Connect(..)
            | Packet::ConnAck(_)
            | Packet::PingReq(_)
            | Packet::Subscribe(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Unsubscribe(_) => {
                return Err("the broker sent a packet that has no place here".to_owned().into());
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, answer: &PubAck, events: &mut VecDeque<LinkEvent>) {
        // An acknowledgement of nothing is a broker's mistake that harms nobody.
        let Some(sent) = self.slot(answer.pkid).and_then(Option::take) else { return };
        self.free.push(answer.pkid);
        if let Some(reason) = codec::puback_failure(answer.reason) {
            events.push_back(LinkEvent::Undelivered(sent.undelivered(reason)));
        }
    }

    /// `TICK_MS` have passed: asks for a sign of life, and notices that one is missing.
    pub(super) fn tick(&mut self) -> Result<(), Lost> {
        self.tick += 1;
        let is_late = |since: u64| self.tick - since > ANSWER_TICKS_MAX;
        let late = if self.awaits_ping && is_late(self.ping_sent_tick) {
            "the broker does not answer"
        } else if self.subscribing.is_in_flight() && is_late(self.subscribe_tick) {
            "the broker does not answer a subscription"
        } else if self.in_flight.iter().flatten().any(|sent| is_late(sent.tick)) {
            "the broker does not acknowledge what it was sent"
        } else {
            let interval_ms = u64::from(self.limits.keep_alive_s).saturating_mul(1_000);
            let since_ping_ms = (self.tick - self.ping_sent_tick).saturating_mul(TICK_MS);
            // One tick early: the next one could be too late for the broker.
            if interval_ms > 0 && !self.awaits_ping && since_ping_ms + TICK_MS >= interval_ms {
                self.output.put_slice(&PINGREQ);
                self.ping_sent_tick = self.tick;
                self.awaits_ping = true;
            }
            return Ok(());
        };
        Err(late.to_owned().into())
    }

    /// Puts the last packet into the output.
    pub(super) fn disconnect(&mut self) {
        self.output.put_slice(&DISCONNECT);
    }

    /// Ends the session: everything of which it is not sure that the broker has it.
    pub(super) fn abandon(self, reason: &str) -> Vec<Undelivered> {
        let unsent = format!("not sent: {reason}");
        let unsure = format!("sent, but not acknowledged, and not sent again: {reason}");
        let written = self.written;
        let on_the_way = self
            .in_flight
            .into_iter()
            .flatten()
            .chain(self.unwritten)
            .map(|sent| if sent.end > written { sent.undelivered(&unsent) } else { sent.undelivered(&unsure) });
        on_the_way.chain(self.queue.drain(reason)).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a message waited for the socket; the core never sees it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { packet_bytes_max: u32::MAX, in_flight_max: 2, qos_1: true, retain: true, keep_alive_s: KEEP_ALIVE_S };

    /// Ticks until the session gives up, taking everything from the output at once.
    fn ticks_until_lost(session: &mut Session, mut each: impl FnMut(&mut Session)) -> (u64, Lost) {
        for tick in 1..100 {
            if let Err(lost) = session.tick() {
                return (tick, lost);
            }
            each(session);
            session.wrote(session.output().len());
        }
        panic!("the session never gives up");
    }

    #[test]
    fn a_broker_that_goes_silent_is_given_up_within_a_minute() {
        let mut session = Session::new(LIMITS);
        let (tick, lost) = ticks_until_lost(&mut session, |_| {});
        assert_eq!(lost, Lost::Broken("the broker does not answer".to_owned()));
        assert_eq!(tick * TICK_MS, 50_000, "asked after 25 s, given up after 25 s more");
    }

    #[test]
    fn a_broker_that_answers_pings_but_acknowledges_nothing_is_given_up() {
        let mut session = Session::new(LIMITS);
        session.publish(Lane::Forward, Message::live("t", "x")).unwrap();
        let (tick, lost) = ticks_until_lost(&mut session, |session| session.awaits_ping = false);
        assert_eq!(lost, Lost::Broken("the broker does not acknowledge what it was sent".to_owned()));
        assert_eq!(tick, ANSWER_TICKS_MAX + 1);
    }

    #[test]
    fn a_broker_that_answers_is_kept() {
        let mut session = Session::new(LIMITS);
        let mut pings = 0;
        for _ in 0..60 {
            session.tick().unwrap();
            if session.output() == PINGREQ {
                pings += 1;
                session.wrote(2);
                session.receive(Packet::PingResp(rumqttc::v5::mqttbytes::v5::PingResp), &mut VecDeque::new()).unwrap();
            }
        }
        assert_eq!(pings, 12, "one each 25 s of 300 s");
    }

    #[test]
    fn what_the_broker_cannot_do_is_not_asked_of_it() {
        let mut session = Session::new(Limits { qos_1: false, retain: false, ..LIMITS });
        session.publish(Lane::Forward, Message::live("t", "x")).unwrap();
        assert_eq!(session.output().first(), Some(&0x30), "QoS 0 instead of 1");
        let refused = session.publish(Lane::Publication, Message::retained("t", "x")).unwrap_err();
        assert_eq!(refused.reason, "the broker stores no retained messages");
    }

    #[test]
    fn a_socket_that_takes_nothing_stops_the_output_and_not_the_memory() {
        let mut session = Session::new(LIMITS);
        let large = Message { qos: Qos::AtMostOnce, ..Message::live("t", vec![0_u8; OUTPUT_BYTES_MAX]) };
        session.publish(Lane::Publication, large.clone()).unwrap();
        session.publish(Lane::Publication, large).unwrap();
        assert_eq!(session.waiting(), 1);
        assert!(!session.refill(&mut VecDeque::new()), "no room yet");
        session.wrote(session.output().len());
        assert!(session.refill(&mut VecDeque::new()));
        assert_eq!(session.waiting(), 0);
    }

    #[test]
    fn at_the_end_unsent_and_unsure_are_told_apart() {
        let mut session = Session::new(LIMITS);
        let unacknowledged = |topic: &str| Message { qos: Qos::AtMostOnce, ..Message::live(topic, "x") };
        session.publish(Lane::Publication, unacknowledged("gone")).unwrap();
        session.publish(Lane::Forward, Message::live("unsure", "x")).unwrap();
        session.wrote(session.output().len());
        session.publish(Lane::Publication, unacknowledged("kept")).unwrap();
        session.publish(Lane::Forward, Message::live("unsent", "x")).unwrap();
        session.publish(Lane::Forward, Message::live("waiting", "x")).unwrap();
        session.wrote(1);
        let seen: Vec<(String, String)> =
            session.abandon("why").into_iter().map(|undelivered| (undelivered.topic, undelivered.reason)).collect();
        let expected = [
            ("unsure", "sent, but not acknowledged, and not sent again: why"),
            ("unsent", "not sent: why"),
            ("kept", "not sent: why"),
            ("waiting", "not sent: why"),
        ];
        assert_eq!(seen, expected.map(|(topic, reason)| (topic.to_owned(), reason.to_owned())));
    }
}
