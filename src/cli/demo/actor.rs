//! One MQTT client of the demo: a speaker, a phone, a lock. It publishes, and waits for what it is to receive.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::config::Remote;
use crate::model::message::{Message, Qos};
use crate::model::topic::TopicFilter;
use crate::shell::link::{self, Lane, Link, LinkEvent, LinkSettings};
use crate::shell::seed;
use crate::wire::{RetainHandling, Subscription};

/// How long something may take that must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected client. It leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Actor {
    name: &'static str,
    orders: UnboundedSender<Message>,
    received: UnboundedReceiver<Message>,
    /// Received, and not yet asked for.
    waiting: VecDeque<Message>,
}

impl Actor {
    /// Connects, subscribes, and waits until all subscriptions are there.
    pub(super) async fn connect(name: &'static str, broker: &Remote, filters: &[&str]) -> Result<Actor, String> {
        let subscription = |filter: &&str| {
            let filter = TopicFilter::new(filter).map_err(|error| error.to_string())?;
            let (no_local, retain_handling) = (true, RetainHandling::OnSubscribe);
            Ok(Subscription { filter, qos: Qos::AtLeastOnce, no_local, retain_handling })
        };
        let subscriptions = filters.iter().map(subscription).collect::<Result<Vec<_>, String>>()?;
        let client_id = format!("demo-{name}");
        let settings = LinkSettings { broker: broker.clone(), client_id, will: None, subscriptions };
        let mut link = link::open(settings, seed::draw()?.jitter)?;
        let connected = tokio::time::timeout(PATIENCE, async {
            loop {
                match link.next().await {
                    LinkEvent::Connected => return Ok(()),
                    LinkEvent::Unreachable { reason, .. } | LinkEvent::Refused { reason, .. } => return Err(reason),
                    _ => {}
                }
            }
        });
        connected.await.map_err(|_| format!("{name} cannot connect"))??;
        let (orders, ordered) = unbounded_channel();
        let (tell, received) = unbounded_channel();
        tokio::task::spawn_local(serve(link, ordered, tell));
        Ok(Actor { name, orders, received, waiting: VecDeque::new() })
    }

    /// Publishes at QoS 1.
    pub(super) fn publish(&self, topic: &str, payload: &str) -> Result<(), String> {
        self.send(Message::live(topic, payload.to_owned()))
    }

    pub(super) fn send(&self, message: Message) -> Result<(), String> {
        self.orders.send(message).map_err(|_| format!("{} has left", self.name))
    }

    /// The next message whose topic fits. Others stay for later calls.
    pub(super) async fn expect(&mut self, filter: &str) -> Result<Message, String> {
        self.expect_where(filter, |_| true).await
    }

    /// The next message whose topic fits and that is as wanted. Others stay for later calls.
    pub(super) async fn expect_where(
        &mut self,
        filter: &str,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, String> {
        let topics = TopicFilter::new(filter).map_err(|error| error.to_string())?;
        let fits = |message: &Message| topics.matches(&message.topic) && wanted(message);
        if let Some(message) = self.waiting.iter().position(fits).and_then(|position| self.waiting.remove(position)) {
            return Ok(message);
        }
        let until_it_comes = async {
            while let Some(message) = self.received.recv().await {
                if fits(&message) {
                    return Some(message);
                }
                self.waiting.push_back(message);
            }
            None
        };
        match tokio::time::timeout(PATIENCE, until_it_comes).await {
            Ok(Some(message)) => Ok(message),
            Ok(None) | Err(_) => {
                let topics: Vec<&str> = self.waiting.iter().map(|message| message.topic.as_str()).collect();
                Err(format!("{} waited for `{filter}` and received {topics:?}", self.name))
            }
        }
    }

    /// Everything received so far and not asked for.
    pub(super) fn unasked(&mut self) -> &VecDeque<Message> {
        while let Ok(message) = self.received.try_recv() {
            self.waiting.push_back(message);
        }
        &self.waiting
    }
}

/// Keeps the connection going.
async fn serve(mut link: Link, mut orders: UnboundedReceiver<Message>, tell: UnboundedSender<Message>) {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                // A message that cannot be sent is missed by whoever waits for what it causes.
                Some(message) => link.send(Lane::Publication, message).unwrap_or_default(),
                None => {
                    link.close(Vec::new()).await;
                    return;
                }
            },
            event = link.next() => {
                if let LinkEvent::Message(message) = event && tell.send(message).is_err() {
                    return;
                }
            }
        }
    }
}
