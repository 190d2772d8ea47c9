//! A client beside the bridge, for commands that look or ask once: one connection, never made again.
//!
//! It uses the login of the configuration and a client identifier of its own, so the bridge keeps its place. It judges
//! nothing that it reads.

use std::time::Duration;

use super::link::{self, Lane, Link, LinkEvent, LinkSettings};
use crate::config::Remote;
use crate::model::message::{Message, Qos};
use crate::model::topic::TopicFilter;
use crate::wire::{RetainHandling, Subscription};

/// How long the visitor's own message may take to come back.
const MARKER_TIMEOUT_MS: u64 = 5_000;
/// How long nothing must come before what is stored counts as told.
const QUIET_MS: u64 = 200;
/// How long it may take until nothing comes any more.
const STORED_TIMEOUT_MS: u64 = 60_000;
/// Stored messages that are taken in.
pub const STORED_MAX: usize = 200_000;
/// Bytes of their topics and payloads.
pub const STORED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Why there is no visit, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VisitError {
    /// It may pass.
    Failed(String),
    /// The broker says no.
    Refused { reason: String, help: String },
}

/// A connected client.
#[derive(Debug)]
pub struct Visitor {
    link: Link,
}

/// What was stored on the broker under the filters of a visit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    pub messages: Vec<Message>,
    /// Why something may be missing.
    pub gap: Option<String>,
    /// Of all topics and payloads.
    bytes: usize,
}

impl Stored {
    /// Adds a message. `false`: there is no room for it, and so a gap.
    fn take(&mut self, message: Message) -> bool {
        self.bytes += message.payload.len() + message.topic.len();
        if self.messages.len() == STORED_MAX || self.bytes > STORED_BYTES_MAX {
            self.gap = Some(format!("only the first {} messages were read", self.messages.len()));
            return false;
        }
        self.messages.push(message);
        true
    }
}

impl Visitor {
    /// Connects, subscribes, and gives what the broker has stored there. `base` is the bridge's; `name` is different for
    /// each visit.
    ///
    /// # Errors
    /// There is no connection. It is tried once.
    pub async fn connect(
        broker: Remote,
        base: &str,
        filters: &[String],
        name: u64,
    ) -> Result<(Visitor, Stored), VisitError> {
        let marker = format!("{base}/visit/{name:016x}");
        // What is stored comes all at once. At QoS 1 Mosquitto drops of that what is more than its queue for one client
        // (1,000 messages by default); at QoS 0 it writes everything into the socket.
        let subscription = |filter: &String| {
            let filter = TopicFilter::new(filter)
                .map_err(|error| VisitError::Failed(format!("`{filter}` cannot be subscribed to: {error}")))?;
            let (qos, retain_handling) = (Qos::AtMostOnce, RetainHandling::OnSubscribe);
            Ok(Subscription { filter, qos, no_local: false, retain_handling })
        };
        let subscriptions =
            filters.iter().chain([&marker]).map(subscription).collect::<Result<Vec<Subscription>, VisitError>>()?;
        let client_id = format!("hushgate-visit-{name:016x}");
        let settings = LinkSettings { broker, client_id, will: None, subscriptions };
        let mut visitor = Visitor { link: link::open(settings, name).map_err(VisitError::Failed)? };
        let mut stored = Stored::default();
        let limit = Duration::from_millis(STORED_TIMEOUT_MS);
        match tokio::time::timeout(limit, visitor.arrive(&marker, &mut stored)).await {
            Ok(arrived) => arrived?,
            Err(_) => stored.gap = Some(format!("messages still came after {} s", STORED_TIMEOUT_MS / 1_000)),
        }
        Ok((visitor, stored))
    }

    /// Takes in what comes until the own message is back and it is quiet.
    async fn arrive(&mut self, marker: &str, stored: &mut Stored) -> Result<(), VisitError> {
        let mut patience = Duration::from_millis(STORED_TIMEOUT_MS);
        loop {
            let event = match tokio::time::timeout(patience, self.link.next()).await {
                Ok(event) => event,
                Err(_) if patience == Duration::from_millis(QUIET_MS) => return Ok(()),
                Err(_) => {
                    stored.gap = Some("the broker does not give this user its own message back".to_owned());
                    return Ok(());
                }
            };
            match event {
                LinkEvent::Connected => {
                    self.link.send(Lane::Publication, Message::live(marker, "")).unwrap_or(());
                    patience = Duration::from_millis(MARKER_TIMEOUT_MS);
                }
                LinkEvent::Message(message) if message.topic == marker => patience = Duration::from_millis(QUIET_MS),
                LinkEvent::Message(message) => {
                    if !stored.take(message) {
                        return Ok(());
                    }
                }
                LinkEvent::SubscriptionRefused { filter, reason } => {
                    stored.gap = Some(format!("the broker refused the subscription to `{filter}`: {reason}"));
                }
                other => self.check(other)?,
            }
        }
    }

    /// What came otherwise: an end, or nothing of interest.
    fn check(&self, event: LinkEvent) -> Result<(), VisitError> {
        match event {
            LinkEvent::Refused { reason, help, .. } => Err(VisitError::Refused { reason, help }),
            LinkEvent::Unreachable { reason, .. } => Err(VisitError::Failed(reason)),
            LinkEvent::Disconnected { reason } => Err(VisitError::Failed(format!("connection lost: {reason}"))),
            LinkEvent::TakenOver => Err(VisitError::Failed("another client has the same identifier".to_owned())),
            LinkEvent::Undelivered(lost) => {
                Err(VisitError::Failed(format!("nothing was sent on `{}`: {}", lost.topic, lost.reason)))
            }
            LinkEvent::Connected
            | LinkEvent::Message(_)
            | LinkEvent::Unreadable { .. }
            | LinkEvent::SubscriptionRefused { .. } => Ok(()),
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// It will not be sent.
    pub fn send(&mut self, message: Message) -> Result<(), VisitError> {
        self.link
            .send(Lane::Publication, message)
            .map_err(|lost| VisitError::Failed(format!("nothing was sent on `{}`: {}", lost.topic, lost.reason)))
    }

    /// The next message that comes. Cancelling it loses nothing.
    ///
    /// # Errors
    /// The connection is over, or something was not sent.
    pub async fn next(&mut self) -> Result<Message, VisitError> {
        loop {
            match self.link.next().await {
                LinkEvent::Message(message) => return Ok(message),
                other => self.check(other)?,
            }
        }
    }

    /// Waits until the broker has taken all that was sent.
    ///
    /// # Errors
    /// It has refused something, or the connection is over.
    pub async fn settle(&mut self) -> Result<(), VisitError> {
        let is_settled = self.link.settle().await;
        // What was refused is told by now; nothing more is waited for.
        while let Ok(event) = tokio::time::timeout(Duration::ZERO, self.link.next()).await {
            self.check(event)?;
        }
        if is_settled { Ok(()) } else { Err(VisitError::Failed("the connection to the broker is lost".to_owned())) }
    }

    pub async fn leave(self) {
        self.link.close(Vec::new()).await;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_is_too_much_is_a_gap() {
        let mebibyte = Bytes::from(vec![0; 1024 * 1024]);
        for (payload, room) in [(Bytes::new(), STORED_MAX), (mebibyte, STORED_BYTES_MAX / (1024 * 1024))] {
            let mut stored = Stored::default();
            let message = Message { payload, ..Message::default() };
            assert!((0..room).all(|_| stored.take(message.clone())));
            assert_eq!(stored.gap, None);
            assert!(!stored.take(message));
            assert_eq!(stored.gap, Some(format!("only the first {room} messages were read")));
        }
    }
}
