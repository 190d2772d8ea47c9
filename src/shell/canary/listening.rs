//! Whether users that should not can read what is answered on a channel with a PIN or TOTP.
//!
//! Each of the canary's users listens where that channel answers, while the bridge writes there something that is nobody's
//! answer. What arrives could have been a PIN. What does not arrive proves little, so silence is not told as a proof.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use super::probe::open;
use super::{INTERVAL_S, SOON_MS, sleep};
use crate::config::{Config, Login, Remote};
use crate::model::event::Overheard;
use crate::model::message::{CANARY_PAYLOAD, Message, Qos};
use crate::model::topic::TopicFilter;
use crate::shell::link::{Lane, Link, LinkEvent};
use crate::wire::{CANARY_ID, RetainHandling, Subscription};

/// How long one user's connection, and the bridge's own, may take.
const CONNECTION_TIMEOUT_MS: u64 = 10_000;
/// How long a user listens on after the broker has taken everything.
const QUIET_MS: u64 = 500;

/// Who listens, and where.
#[derive(Debug, Clone)]
pub(super) struct Listening {
    /// The broker, with the login of the bridge.
    broker: Remote,
    /// Who must hear nothing.
    users: Vec<Login>,
    base: String,
    /// Those with a PIN or TOTP.
    channels: Vec<String>,
    /// Different in every round: what is heard must be of this one.
    name: String,
}

impl Listening {
    /// What there is to listen to. `None`: no channel has a code, or no user can be tried.
    pub(super) fn of(config: &Config, broker: &Remote, name: String) -> Option<Listening> {
        let users = config.home_assistant.own.iter().chain(&config.home_assistant.unprivileged);
        let users: Vec<Login> = users.cloned().collect();
        let coded = config.channels.iter().filter(|(_, channel)| channel.code.is_some());
        let channels: Vec<String> = coded.map(|(name, _)| name.clone()).collect();
        let listening = Listening { broker: broker.clone(), users, base: config.base.clone(), channels, name };
        (!listening.users.is_empty() && !listening.channels.is_empty()).then_some(listening)
    }

    fn topic(&self, channel: &str) -> String {
        format!("{}/confirm/{channel}/{CANARY_ID}", self.base)
    }

    fn filters(&self) -> impl Iterator<Item = TopicFilter> {
        let of_channel = |channel: &String| {
            let filters = [format!("{}/confirm/{channel}/+", self.base), format!("{}/prompt/{channel}", self.base)];
            filters.into_iter().filter_map(|filter| TopicFilter::new(&filter).ok())
        };
        self.channels.iter().flat_map(of_channel)
    }

    fn payload(&self) -> String {
        format!("{CANARY_PAYLOAD} {}", self.name)
    }
}

type Ear = Pin<Box<dyn Future<Output = Result<Vec<Overheard>, String>>>>;

/// Whether others can read what is answered on channels with a code.
pub(super) struct Ears {
    /// `None`: there is nothing to listen to.
    listening: Option<Listening>,
    /// When the next round begins. `None`: there is no connection.
    until: Option<Pin<Box<Sleep>>>,
    round: Option<Ear>,
    count: u64,
    seed: u64,
    /// By channel, what was told last.
    told: BTreeMap<String, String>,
    /// Found, and not told yet.
    found: VecDeque<Overheard>,
}

impl Ears {
    /// `None`: there is nothing to listen to. `seed` names the rounds.
    pub(super) fn new(listening: Option<Listening>, seed: u64) -> Ears {
        let (told, found) = (BTreeMap::new(), VecDeque::new());
        Ears { listening, until: None, round: None, count: 0, seed, told, found }
    }

    pub(super) fn connected(&mut self) {
        (self.round, self.until) = (None, Some(sleep(SOON_MS)));
    }

    pub(super) fn disconnected(&mut self) {
        (self.round, self.until) = (None, None);
    }

    /// The next finding that differs from the last one of its channel. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> Overheard {
        loop {
            while let Some(found) = self.found.pop_front() {
                let earlier = match &found.problem {
                    Some(problem) => self.told.insert(found.channel.clone(), problem.clone()),
                    None => self.told.remove(&found.channel),
                };
                if earlier != found.problem {
                    return found;
                }
            }
            if let Some(round) = &mut self.round {
                let found = round.as_mut().await;
                self.round = None;
                // Without a connection of its own nothing was found out; what was told stands until then.
                self.found.extend(found.unwrap_or_default());
                continue;
            }
            match (&self.listening, &mut self.until) {
                (Some(listening), Some(until)) => {
                    until.as_mut().await;
                    self.count += 1;
                    let name = format!("{:016x}", self.seed.wrapping_add(self.count));
                    let listening = Listening { name, ..listening.clone() };
                    self.round = Some(Box::pin(async move { listen(&listening).await }));
                    self.until = Some(sleep(INTERVAL_S * 1_000));
                }
                _ => std::future::pending().await,
            }
        }
    }
}

/// Plays one round. Every channel is in the answer. A user who gets no connection hears nothing.
///
/// # Errors
/// The bridge's own login gets no connection; nothing was found out.
async fn listen(listening: &Listening) -> Result<Vec<Overheard>, String> {
    let mut problems: Vec<(String, String)> = Vec::new();
    for (index, user) in listening.users.iter().enumerate() {
        for channel in overheard(listening, index, user).await? {
            let problem = format!(
                "user `{}` can read what is answered on `{}/confirm/{channel}/+`, the PIN or code with it",
                user.username, listening.base
            );
            problems.push((channel, problem));
        }
    }
    let of_channel = |channel: &String| {
        let problem = problems.iter().find(|(of, _)| of == channel).map(|(_, problem)| problem.clone());
        Overheard { channel: channel.clone(), problem }
    };
    Ok(listening.channels.iter().map(of_channel).collect())
}

/// The channels on which a user hears what the bridge writes.
async fn overheard(listening: &Listening, index: usize, user: &Login) -> Result<BTreeSet<String>, String> {
    let limit = Duration::from_millis(CONNECTION_TIMEOUT_MS);
    let as_user =
        Remote { username: Some(user.username.clone()), password: user.password.clone(), ..listening.broker.clone() };
    let subscription = |filter: TopicFilter| Subscription {
        filter,
        qos: Qos::AtLeastOnce,
        no_local: false,
        retain_handling: RetainHandling::Never,
    };
    let id = |who: &str| format!("{CANARY_PAYLOAD}-{}-{who}", listening.name);
    let subscriptions = listening.filters().map(subscription).collect();
    // Who gets no connection is told by the round of the guarded topics.
    let Ok(Ok(mut ear)) = tokio::time::timeout(limit, open(as_user, id(&format!("ear-{index}")), subscriptions)).await
    else {
        return Ok(BTreeSet::new());
    };
    let mouth = open(listening.broker.clone(), id(&format!("mouth-{index}")), Vec::new());
    let mouth = tokio::time::timeout(limit, mouth).await;
    let Ok(Ok(mut mouth)) = mouth else {
        ear.close(Vec::new()).await;
        return match mouth {
            Ok(Err(reason)) => Err(reason),
            _ => Err(format!("no answer within {CONNECTION_TIMEOUT_MS} ms")),
        };
    };
    for channel in &listening.channels {
        // What cannot be sent is not heard.
        mouth.send(Lane::Publication, Message::live(listening.topic(channel), listening.payload())).unwrap_or(());
    }
    // A broker that does not answer in time has perhaps delivered all the same, and that is what counts.
    tokio::time::timeout(limit, mouth.settle()).await.unwrap_or(false);
    let heard = hear(listening, &mut ear).await;
    ear.close(Vec::new()).await;
    mouth.close(Vec::new()).await;
    Ok(heard)
}

/// What comes within the quiet time, of this round.
async fn hear(listening: &Listening, ear: &mut Link) -> BTreeSet<String> {
    let mut heard = BTreeSet::new();
    let all = async {
        while heard.len() < listening.channels.len() {
            let LinkEvent::Message(message) = ear.next().await else { continue };
            let is_of_round = message.payload == listening.payload().as_bytes();
            let channel = listening.channels.iter().find(|channel| message.topic == listening.topic(channel));
            heard.extend(channel.filter(|_| is_of_round).cloned());
        }
    };
    tokio::time::timeout(Duration::from_millis(QUIET_MS), all).await.unwrap_or(());
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, NoSecrets};

    #[test]
    fn only_channels_with_a_code_are_listened_to_and_only_with_users() {
        let broker = Remote { host: "h".to_owned(), port: 1, tls: None, username: None, password: None };
        let channels = "channels:\n  phone: {kind: person, confirms: true}\n  keypad: {kind: person, confirms: true, \
                        totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ}\n";
        let users = "home_assistant: {canary: {unprivileged: {username: guest}}}\n";
        let of = |text: &str| {
            let config = config::parse("test.yaml", text, &NoSecrets).expect("a configuration");
            Listening::of(&config, &broker, "n".to_owned())
        };
        assert!(of(channels).is_none() && of(users).is_none());
        let listening = of(&format!("{channels}{users}")).expect("something to listen to");
        let filters: Vec<String> = listening.filters().map(|filter| filter.as_str().to_owned()).collect();
        assert_eq!(filters, ["hushgate/confirm/keypad/+", "hushgate/prompt/keypad"]);
        assert_eq!(listening.topic("keypad"), "hushgate/confirm/keypad/hushgate_canary");
    }
}
