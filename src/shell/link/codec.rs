//! Between the bridge's messages and `rumqttc`'s packets, and reason codes in words.
//!
//! Pure functions; which packet is due when is the session's affair.

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::{
    self, ConnectReturnCode, Disconnect, DisconnectReasonCode, Packet, PubAckReason, Publish, PublishProperties,
    SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use super::{Lane, LinkEvent, NOT_AUTHORIZED, PACKET_BYTES_MAX, Undelivered};
use crate::model::message::{Message, Qos, ReplyTo};

/// First byte of a DISCONNECT.
const DISCONNECT: u8 = 0xE0;
/// Longest text or data that MQTT can carry in one field.
const FIELD_BYTES_MAX: usize = u16::MAX as usize;

/// Takes one whole packet from the buffer. `None`: more bytes are needed.
///
/// # Errors
/// What came is no MQTT 5, or too large.
pub(super) fn take_packet(buffer: &mut BytesMut) -> Result<Option<Packet>, String> {
    // `Packet::read` says "more bytes are needed" also of a whole packet that is cut short inside, and has taken it
    // from the buffer by then. So the frame is looked at first.
    match v5::check(buffer.iter(), Some(PACKET_BYTES_MAX)) {
        Err(Error::InsufficientBytes(_)) => return Ok(None),
        Err(Error::PayloadSizeLimitExceeded { pkt_size, .. }) => {
            return Err(format!("the broker sent {pkt_size} bytes in one packet, expected at most {PACKET_BYTES_MAX}"));
        }
        Err(error) => return Err(format!("the broker sent what is no MQTT packet: {error}")),
        Ok(_) => {}
    }
    // A DISCONNECT may end before its reason, or before its properties; `rumqttc` refuses both.
    match buffer.as_ref() {
        [DISCONNECT, 0, ..] => return Ok(Some(disconnect(DisconnectReasonCode::NormalDisconnection))),
        [DISCONNECT, 1, code, ..] => {
            let code = DisconnectReasonCode::try_from(*code).unwrap_or(DisconnectReasonCode::UnspecifiedError);
            return Ok(Some(disconnect(code)));
        }
        _ => {}
    }
    match Packet::read(buffer, Some(PACKET_BYTES_MAX)) {
        Ok(packet) => Ok(Some(packet)),
        Err(error) => Err(format!("the broker sent a malformed packet: {error}")),
    }
}

/// The last packet of a connection; what stands behind it in the buffer does not matter any more.
fn disconnect(code: DisconnectReasonCode) -> Packet {
    Packet::Disconnect(Disconnect::new(code))
}

/// What came on a subscription.
pub(super) fn inbound(publish: Publish) -> LinkEvent {
    let qos = if publish.qos == QoS::AtMostOnce { Qos::AtMostOnce } else { Qos::AtLeastOnce };
    let topic = match String::from_utf8(publish.topic.into()) {
        Ok(topic) if topic.is_empty() => {
            let reason = "expected a topic, found none (topic aliases are not in use)".to_owned();
            return LinkEvent::Unreadable { topic, reason };
        }
        Ok(topic) => topic,
        Err(error) => {
            let topic = String::from_utf8_lossy(error.as_bytes()).into_owned();
            return LinkEvent::Unreadable { topic, reason: "the topic is not UTF-8".to_owned() };
        }
    };
    let properties = publish.properties.unwrap_or_default();
    let correlation = properties.correlation_data;
    LinkEvent::Message(Message {
        topic,
        payload: publish.payload,
        qos,
        retain: publish.retain,
        expiry_s: properties.message_expiry_interval,
        reply: properties.response_topic.map(|topic| ReplyTo { topic, correlation }),
    })
}

/// The packet of a message. Its identifier is still to be set.
///
/// A reply with an empty topic carries correlation data alone, as an answer does.
///
/// # Errors
/// A field is longer than MQTT can carry.
pub(super) fn outbound(lane: Lane, message: Message) -> Result<Publish, Undelivered> {
    if let Some(reply) = &message.reply {
        let correlation_bytes = reply.correlation.as_ref().map_or(0, Bytes::len);
        if reply.topic.len() > FIELD_BYTES_MAX || correlation_bytes > FIELD_BYTES_MAX {
            let reason = format!("its response topic or correlation data is longer than {FIELD_BYTES_MAX} bytes");
            return Err(Undelivered { lane, topic: message.topic, reason });
        }
    }
    let properties = (message.expiry_s.is_some() || message.reply.is_some()).then(|| {
        let (response_topic, correlation_data) = match message.reply {
            Some(reply) => ((!reply.topic.is_empty()).then_some(reply.topic), reply.correlation),
            None => (None, None),
        };
        PublishProperties {
            message_expiry_interval: message.expiry_s,
            response_topic,
            correlation_data,
            ..PublishProperties::default()
        }
    });
    Ok(Publish {
        dup: false,
        qos: level(message.qos),
        retain: message.retain,
        topic: Bytes::from(message.topic),
        pkid: 0,
        payload: message.payload,
        properties,
    })
}

pub(super) fn level(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

/// Why a publish was refused. `None`: it was not.
pub(super) fn puback_failure(reason: PubAckReason) -> Option<&'static str> {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => None,
        PubAckReason::UnspecifiedError => Some("the broker refused it without a reason"),
        PubAckReason::ImplementationSpecificError => Some("the broker cannot process it"),
        PubAckReason::NotAuthorized => Some(NOT_AUTHORIZED),
        PubAckReason::TopicNameInvalid => Some("the broker refused it: the topic is not accepted"),
        PubAckReason::PacketIdentifierInUse => Some("the broker refused it: packet identifier in use"),
        PubAckReason::QuotaExceeded => Some("the broker refused it: quota exceeded"),
        PubAckReason::PayloadFormatInvalid => Some("the broker refused it: payload format"),
    }
}

/// Why a subscription was refused. `None`: it was not.
pub(super) fn suback_failure(reason: SubscribeReasonCode) -> Option<&'static str> {
    match reason {
        SubscribeReasonCode::Success(_) => None,
        SubscribeReasonCode::Failure | SubscribeReasonCode::Unspecified => Some("the broker gave no reason"),
        SubscribeReasonCode::ImplementationSpecific => Some("the broker cannot process it"),
        SubscribeReasonCode::NotAuthorized => Some("not authorized"),
        SubscribeReasonCode::TopicFilterInvalid => Some("the filter is not accepted"),
        SubscribeReasonCode::PkidInUse => Some("packet identifier in use"),
        SubscribeReasonCode::QuotaExceeded => Some("quota exceeded"),
        SubscribeReasonCode::SharedSubscriptionsNotSupported => Some("no shared subscriptions"),
        SubscribeReasonCode::SubscriptionIdNotSupported => Some("no subscription identifiers"),
        SubscribeReasonCode::WildcardSubscriptionsNotSupported => Some("no wildcards"),
    }
}

/// Why a connection was refused, and what the owner can do about it. `None`: it passes by itself.
pub(super) fn refusal(code: ConnectReturnCode) -> Option<(&'static str, &'static str)> {
    Some(match code {
        ConnectReturnCode::RefusedProtocolVersion | ConnectReturnCode::UnsupportedProtocolVersion => {
            (ONLY_3_1_1, ONLY_3_1_1_HELP)
        }
        ConnectReturnCode::BadUserNamePassword => {
            ("the broker refused user or password", "check `broker.username` and `broker.password`")
        }
        ConnectReturnCode::NotAuthorized => (
            "the broker refused: not authorized",
            "set `broker.username` and `broker.password`, or let this user connect",
        ),
        ConnectReturnCode::BadClientId | ConnectReturnCode::ClientIdentifierNotValid => (
            "the broker refused the client identifier",
            "choose another `base`, from which the client identifier is made",
        ),
        ConnectReturnCode::Banned => ("the broker has banned this client", "lift the ban on the broker"),
        ConnectReturnCode::BadAuthenticationMethod => (
            "the broker wants an authentication method other than user and password",
            "let this user connect by password",
        ),
        ConnectReturnCode::TopicNameInvalid => {
            ("the broker refused the topic of the last will", "let this user publish to `<base>/status`")
        }
        ConnectReturnCode::RetainNotSupported => {
            ("the broker stores no retained messages", "allow retained messages on the broker")
        }
        ConnectReturnCode::QoSNotSupported => ("the broker has no QoS 1", "allow QoS 1 on the broker"),
        ConnectReturnCode::UseAnotherServer | ConnectReturnCode::ServerMoved => {
            ("the broker has moved", "set `broker.url` to its new address")
        }
        ConnectReturnCode::Success
        | ConnectReturnCode::ServiceUnavailable
        | ConnectReturnCode::UnspecifiedError
        | ConnectReturnCode::MalformedPacket
        | ConnectReturnCode::ProtocolError
        | ConnectReturnCode::ImplementationSpecificError
        | ConnectReturnCode::ServerUnavailable
        | ConnectReturnCode::ServerBusy
        | ConnectReturnCode::PacketTooLarge
        | ConnectReturnCode::QuotaExceeded
        | ConnectReturnCode::PayloadFormatInvalid
        | ConnectReturnCode::ConnectionRateExceeded => return None,
    })
}

pub(super) const ONLY_3_1_1: &str = "the broker speaks only MQTT 3.1.1, expected MQTT 5";
pub(super) const ONLY_3_1_1_HELP: &str =
    "update the broker (Mosquitto speaks MQTT 5 since 1.6), or allow MQTT 5 on this listener";

/// Why the broker ended the connection.
pub(super) fn farewell(code: DisconnectReasonCode) -> String {
    let words = match code {
        DisconnectReasonCode::NormalDisconnection => "the broker closed the connection",
        DisconnectReasonCode::ServerShuttingDown => "the broker is shutting down",
        DisconnectReasonCode::KeepAliveTimeout => "the broker heard nothing from us in time",
        DisconnectReasonCode::NotAuthorized => "the broker ended the connection: not authorized",
        DisconnectReasonCode::AdministrativeAction => "the broker ended the connection: administrative action",
        other => return format!("the broker ended the connection: {other:?}"),
    };
    words.to_owned()
}
