//! One attempt to connect: TCP, TLS, CONNECT, CONNACK; and if the broker says nothing, whether it is an old one.
//!
//! The delay between attempts is the link's affair.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Connect, ConnectProperties, ConnectReturnCode, LastWill, Login, Packet};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::connection::{Connection, Stream};
use super::session::{Limits, Session};
use super::{KEEP_ALIVE_S, LinkSettings, PACKET_BYTES_MAX, codec};
use crate::shell::lines::harmless;

/// How long one attempt may take, from the name's resolution to the CONNACK.
pub(super) const CONNECT_TIMEOUT_MS: u64 = 10_000;

/// First byte of a CONNACK.
const CONNACK: u8 = 0x20;
/// Length of a CONNACK after its length field in MQTT 3.1.1. In MQTT 5 it is at least 3.
const CONNACK_3_1_1_BYTES: u8 = 2;
/// A CONNECT of MQTT 3.1.1 without user and password, with a clean session and an identifier of its own.
const PROBE: &[u8] = b"\x10\x1a\x00\x04MQTT\x04\x02\x00\x05\x00\x0ehushgate-probe";

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConnectError {
    /// It can pass by itself.
    Unreachable(String),
    /// Somebody must change something.
    Refused { reason: String, help: String },
}

impl ConnectError {
    fn refused(reason: &str, help: &str) -> ConnectError {
        ConnectError::Refused { reason: reason.to_owned(), help: help.to_owned() }
    }
}

/// Makes one attempt.
pub(super) async fn connect(
    settings: Arc<LinkSettings>,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Box<Connection>, ConnectError> {
    let attempt = async {
        let mut stream = open(&settings, tls.clone()).await?;
        let mut input = BytesMut::new();
        match greet(&settings, stream.as_mut(), &mut input).await? {
            Some(connack) => Ok(Box::new(Connection::new(stream, input, Session::new(Limits::of(&connack))))),
            None => Err(probe(&settings, tls).await?),
        }
    };
    let place = format!("{}:{}", settings.broker.host, settings.broker.port);
    match tokio::time::timeout(Duration::from_millis(CONNECT_TIMEOUT_MS), attempt).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(ConnectError::Unreachable(reason))) => {
            Err(ConnectError::Unreachable(format!("no connection to the broker at `{place}`: {reason}")))
        }
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err(ConnectError::Unreachable(format!(
            "no connection to the broker at `{place}`: no answer within {CONNECT_TIMEOUT_MS} ms"
        ))),
    }
}

async fn open(settings: &LinkSettings, tls: Option<Arc<ClientConfig>>) -> Result<Box<dyn Stream>, ConnectError> {
    let broker = &settings.broker;
    let socket = TcpStream::connect((broker.host.as_str(), broker.port)).await.map_err(unreachable)?;
    // Without this an acknowledgement and a publish in two small writes cost up to 40 ms.
    socket.set_nodelay(true).map_err(unreachable)?;
    let Some(config) = tls else { return Ok(Box::new(socket)) };
    let name = ServerName::try_from(broker.host.clone()).map_err(|_| {
        ConnectError::refused("the broker's host is no name that a certificate can have", "correct `broker.url`")
    })?;
    match TlsConnector::from(config).connect(name, socket).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(tls_failure(error)),
    }
}

/// A certificate that is not trusted stays so; anything else may pass.
fn tls_failure(error: io::Error) -> ConnectError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => ConnectError::Refused {
            reason: format!("the broker's certificate is not trusted: {error}"),
            help: "set `broker.ca_file` to the authority that signed it, and connect by a name that it has".to_owned(),
        },
        Some(rustls::Error::InvalidMessage(_)) => ConnectError::refused(
            "the broker does not speak TLS on this port",
            "use the TLS port (8883 as a rule), or `mqtt://` instead of `mqtts://`",
        ),
        _ => unreachable(error),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn unreachable(error: io::Error) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}

/// Sends the CONNECT and reads the answer. `None`: the broker closed the connection without a word.
async fn greet(
    settings: &LinkSettings,
    stream: &mut dyn Stream,
    input: &mut BytesMut,
) -> Result<Option<ConnAck>, ConnectError> {
    let mut output = BytesMut::new();
    let (connect, will, login) = greeting(settings);
    connect
        .write(&will, &login, &mut output)
        .map_err(|error| ConnectError::Unreachable(format!("the CONNECT cannot be written: {error}")))?;
    if stream.write_all(&output).await.is_err() || stream.flush().await.is_err() {
        return Ok(None);
    }
    loop {
        match stream.read_buf(input).await {
            Ok(0) | Err(_) if input.is_empty() => return Ok(None),
            Ok(0) => return Err(ConnectError::Unreachable("the answer breaks off".to_owned())),
            Ok(_) => {}
            Err(error) => return Err(unreachable(error)),
        }
        if is_3_1_1(input) {
            return Err(ConnectError::refused(codec::ONLY_3_1_1, codec::ONLY_3_1_1_HELP));
        }
        if input.first().is_some_and(|first| *first != CONNACK) {
            return Err(ConnectError::refused(
                "what answers there is no MQTT broker, or wants TLS",
                "correct `broker.url`; for TLS it begins with `mqtts://`",
            ));
        }
        match codec::take_packet(input) {
            Ok(None) => {}
            Ok(Some(Packet::ConnAck(connack))) => return accepted(connack).map(Some),
            Ok(Some(_)) => return Err(ConnectError::Unreachable("expected a CONNACK".to_owned())),
            Err(reason) => return Err(ConnectError::Unreachable(reason)),
        }
    }
}

fn greeting(settings: &LinkSettings) -> (Connect, Option<LastWill>, Option<Login>) {
    let connect = Connect {
        keep_alive: KEEP_ALIVE_S,
        client_id: settings.client_id.clone(),
        // Nothing is kept over a lost connection: a command is sent at most once.
        clean_start: true,
        properties: Some(ConnectProperties {
            max_packet_size: Some(PACKET_BYTES_MAX),
            session_expiry_interval: Some(0),
            ..ConnectProperties::new()
        }),
    };
    let will = settings.will.as_ref().map(|will| LastWill {
        topic: Bytes::from(will.topic.clone()),
        message: will.payload.clone(),
        qos: codec::level(will.qos),
        retain: will.retain,
        properties: None,
    });
    let broker = &settings.broker;
    let login = broker.username.as_ref().map(|username| {
        let password = broker.password.as_ref().map_or("", |password| password.reveal());
        Login::new(username.as_str(), password)
    });
    (connect, will, login)
}

fn is_3_1_1(input: &[u8]) -> bool {
    matches!(input, [CONNACK, CONNACK_3_1_1_BYTES, ..])
}

fn accepted(connack: ConnAck) -> Result<ConnAck, ConnectError> {
    if connack.code == ConnectReturnCode::Success {
        return Ok(connack);
    }
    let words = connack.properties.and_then(|properties| properties.reason_string);
    let words = words.map(|words| format!(" (`{}`)", harmless(&words))).unwrap_or_default();
    Err(match codec::refusal(connack.code) {
        Some((reason, help)) => ConnectError::Refused { reason: format!("{reason}{words}"), help: help.to_owned() },
        None => ConnectError::Unreachable(format!("the broker refused for now: {:?}{words}", connack.code)),
    })
}

/// The broker closed the connection on an MQTT 5 CONNECT without a word. If it answers one of MQTT 3.1.1, it is too old.
async fn probe(settings: &LinkSettings, tls: Option<Arc<ClientConfig>>) -> Result<ConnectError, ConnectError> {
    let silent = ConnectError::Unreachable("it closes the connection without an answer".to_owned());
    let mut stream = open(settings, tls).await?;
    if stream.write_all(PROBE).await.is_err() || stream.flush().await.is_err() {
        return Ok(silent);
    }
    let mut answer = [0_u8; 2];
    let read = stream.read_exact(&mut answer).await;
    let is_old = read.is_ok() && is_3_1_1(&answer);
    Ok(if is_old { ConnectError::refused(codec::ONLY_3_1_1, codec::ONLY_3_1_1_HELP) } else { silent })
}
