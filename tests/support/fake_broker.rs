//! A broker that says exactly what a test tells it to: bytes on a loopback port, no MQTT library.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A CONNACK without properties.
pub(crate) const CONNACK: &[u8] = &[0x20, 0x03, 0x00, 0x00, 0x00];

pub(crate) struct FakeBroker {
    listener: TcpListener,
}

impl FakeBroker {
    pub(crate) async fn new() -> FakeBroker {
        FakeBroker { listener: TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port") }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().expect("bound").port()
    }

    /// Waits for the next client and its CONNECT, and answers with these bytes.
    pub(crate) async fn accept(&self, answer: &[u8]) -> FakeClient {
        let (stream, _) = self.listener.accept().await.expect("a client");
        let mut client = FakeClient { stream };
        let connect = client.packet().await.expect("a CONNECT");
        assert_eq!(connect[0], 0x10, "a CONNECT comes first");
        client.send(answer).await;
        client
    }

    /// As `accept`, and grants the one SUBSCRIBE that follows.
    pub(crate) async fn accept_and_grant(&self, connack: &[u8]) -> FakeClient {
        let mut client = self.accept(connack).await;
        client.answer_subscribe(|_| 0x01).await;
        client
    }
}

pub(crate) struct FakeClient {
    stream: TcpStream,
}

impl FakeClient {
    /// The next whole packet. `None`: the client has closed the connection.
    pub(crate) async fn packet(&mut self) -> Option<Vec<u8>> {
        let mut packet = vec![self.stream.read_u8().await.ok()?];
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            packet.push(byte);
            length |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let start = packet.len();
        packet.resize(start + length, 0);
        self.stream.read_exact(&mut packet[start..]).await.ok()?;
        Some(packet)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the client reads");
    }

    /// Reads one SUBSCRIBE and answers each filter with the code that `code` says. Returns filters and options.
    pub(crate) async fn answer_subscribe(&mut self, code: impl Fn(&str) -> u8) -> Vec<(String, u8)> {
        let packet = self.packet().await.expect("a SUBSCRIBE");
        assert_eq!(packet[0], 0x82, "a SUBSCRIBE comes next");
        // Fixed header (its length is one or two bytes), packet identifier, no properties.
        let start = if packet[1] & 0x80 == 0 { 2 } else { 3 };
        let (identifier, mut rest) = (packet[start..start + 2].to_vec(), &packet[start + 3..]);
        let mut filters = Vec::new();
        while let [high, low, text @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            filters.push((String::from_utf8(text[..length].to_vec()).expect("UTF-8"), text[length]));
            rest = &text[length + 1..];
        }
        let mut answer = vec![0x90, u8::try_from(3 + filters.len()).expect("few filters")];
        answer.extend(identifier);
        answer.push(0);
        answer.extend(filters.iter().map(|(filter, _)| code(filter)));
        self.send(&answer).await;
        filters
    }

    pub(crate) async fn close(mut self) {
        self.stream.shutdown().await.expect("open");
    }
}

/// A PUBLISH at QoS 0 without properties.
pub(crate) fn publish(topic: &[u8], payload: &[u8], flags: u8) -> Vec<u8> {
    let mut body = u16::try_from(topic.len()).expect("a short topic").to_be_bytes().to_vec();
    body.extend(topic);
    body.push(0);
    body.extend(payload);
    let mut packet = vec![0x30 | flags, u8::try_from(body.len()).expect("a short packet")];
    packet.extend(body);
    packet
}

/// What a PUBLISH of the client carries: topic, packet identifier (0 at QoS 0) and flags.
pub(crate) fn read_publish(packet: &[u8]) -> (String, u16, u8) {
    assert_eq!(packet[0] & 0xF0, 0x30, "expected a PUBLISH, found {packet:?}");
    let start = 1 + packet[1..].iter().position(|byte| byte & 0x80 == 0).expect("a length") + 1;
    let length = usize::from(u16::from_be_bytes([packet[start], packet[start + 1]]));
    let topic = String::from_utf8(packet[start + 2..start + 2 + length].to_vec()).expect("UTF-8");
    let identifier = match packet[0] & 0x06 {
        0 => 0,
        _ => u16::from_be_bytes([packet[start + 2 + length], packet[start + 3 + length]]),
    };
    (topic, identifier, packet[0] & 0x0F)
}
