//! One round of the canary: users that must not command try to, and a witness listens whether anything arrives.
//!
//! What they send is inert: a text that no device knows, on a topic that no device has. That the broker refuses it is no
//! proof by itself, nor is silence: a witness may be deaf. So both are asked for, and a message of the bridge's own on
//! the same topic must arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::{Login, Remote};
use crate::model::decision::Enforcement;
use crate::model::event::Canary;
use crate::model::message::{CANARY_PAYLOAD, Message, Qos};
use crate::model::topic::{CANARY_LEVEL, TopicFilter};
use crate::shell::link::{self, Lane, Link, LinkEvent, LinkSettings, NOT_AUTHORIZED, Undelivered};
use crate::wire::{RetainHandling, Subscription};

/// Marks the message of the bridge's own, which must arrive.
const CONTROL: &str = "control";
/// How long a user's connection and the answers to what it sends may take.
const ANSWER_TIMEOUT_MS: u64 = 10_000;
/// How long the bridge's own messages may take to come back.
const CONTROL_TIMEOUT_MS: u64 = 5_000;
/// How long the witness listens on after that. A broker of several threads may deliver late what it took early.
const QUIET_MS: u64 = 250;

/// Who tries, and where.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The broker, with the login of the bridge.
    pub broker: Remote,
    /// Who must be refused.
    pub users: Vec<Login>,
    /// Guarded topics, without the canary's level.
    pub topics: Vec<String>,
    /// Different in every round: what is heard must be of this one.
    pub name: String,
    /// What is missing for a proof before anything was tried.
    pub doubt: Option<String>,
}

/// What a round has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub canary: Canary,
    /// Topics on which somebody got through.
    pub open: Vec<String>,
}

/// What the broker answered to one user.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// With reason code 0x87.
    Refused,
    Taken,
    /// Neither, and why.
    Unclear(String),
}

/// What became of one user's messages, by topic; or why there are none.
#[derive(Debug)]
struct Trial {
    user: String,
    answers: Result<BTreeMap<String, Answer>, String>,
}

/// What the witness heard: topic, and who had sent it.
type Heard = BTreeSet<(String, String)>;

/// Plays one round.
///
/// # Errors
/// The bridge's own login gets no connection; nothing was found out.
pub async fn look(probe: &Probe) -> Result<Finding, String> {
    let mut witness = connect(probe, None).await?;
    let mut trials = Vec::new();
    for (index, user) in probe.users.iter().enumerate() {
        let limit = Duration::from_millis(ANSWER_TIMEOUT_MS);
        let answers = match tokio::time::timeout(limit, attempt(probe, index, user)).await {
            Ok(answers) => answers,
            Err(_) => Err(format!("no answer within {ANSWER_TIMEOUT_MS} ms")),
        };
        trials.push(Trial { user: user.username.clone(), answers });
    }
    let heard = listen(probe, &mut witness).await;
    witness.close(Vec::new()).await;
    Ok(judge(probe, &trials, &heard))
}

fn topic_of(guarded: &str) -> String {
    format!("{guarded}/{CANARY_LEVEL}")
}

fn payload(probe: &Probe, sender: &str) -> String {
    format!("{CANARY_PAYLOAD} {} {sender}", probe.name)
}

/// Connects as the user with that number, or as the bridge to listen.
async fn connect(probe: &Probe, user: Option<(usize, &Login)>) -> Result<Link, String> {
    let mut broker = probe.broker.clone();
    let (mut subscriptions, mut suffix) = (Vec::new(), "witness".to_owned());
    match user {
        Some((index, login)) => {
            suffix = index.to_string();
            (broker.username, broker.password) = (Some(login.username.clone()), login.password.clone());
        }
        None => {
            // A topic too long to be listened to is missed as the control's, and so proves nothing.
            let filters = probe.topics.iter().filter_map(|topic| TopicFilter::new(&topic_of(topic)).ok());
            subscriptions.extend(filters.map(|filter| Subscription {
                filter,
                qos: Qos::AtLeastOnce,
                no_local: false,
                retain_handling: RetainHandling::Never,
            }));
        }
    }
    open(broker, format!("{CANARY_PAYLOAD}-{}-{suffix}", probe.name), subscriptions).await
}

/// Opens a connection of the canary's own, and waits until it stands.
pub(super) async fn open(broker: Remote, client_id: String, subscriptions: Vec<Subscription>) -> Result<Link, String> {
    let mut link = link::open(LinkSettings { broker, client_id, will: None, subscriptions }, 0)?;
    loop {
        match link.next().await {
            LinkEvent::Connected => return Ok(link),
            LinkEvent::Unreachable { reason, .. }
            | LinkEvent::Refused { reason, .. }
            | LinkEvent::Disconnected { reason } => return Err(reason),
            LinkEvent::TakenOver => return Err("another client has the same identifier".to_owned()),
            LinkEvent::Message(_)
            | LinkEvent::Unreadable { .. }
            | LinkEvent::Undelivered(_)
            | LinkEvent::SubscriptionRefused { .. } => {}
        }
    }
}

/// Lets one user try every topic. A broker may end the connection with a refusal; the rest is tried on another one then.
async fn attempt(probe: &Probe, index: usize, user: &Login) -> Result<BTreeMap<String, Answer>, String> {
    let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
    let mut waiting: BTreeSet<String> = probe.topics.iter().map(|topic| topic_of(topic)).collect();
    while !waiting.is_empty() {
        let mut link = connect(probe, Some((index, user))).await?;
        if !link.is_acknowledged() {
            return Err("the broker has no QoS 1, so it does not say what it refuses".to_owned());
        }
        let mut lost = Vec::new();
        for topic in &waiting {
            let message = Message::live(topic.as_str(), payload(probe, &index.to_string()));
            lost.extend(link.send(Lane::Publication, message).err());
        }
        let is_settled = link.settle().await;
        lost.extend(undelivered(&mut link).await);
        link.close(Vec::new()).await;
        let refused = lost.iter().any(|undelivered| undelivered.reason == NOT_AUTHORIZED);
        let mut asked = std::mem::take(&mut waiting);
        for Undelivered { topic, reason, .. } in lost {
            asked.remove(&topic);
            match reason.as_str() {
                NOT_AUTHORIZED => answers.insert(topic, Answer::Refused),
                // Each further connection has one refusal more behind it, so this ends.
                _ if refused && !is_settled => {
                    waiting.insert(topic);
                    None
                }
                _ => answers.insert(topic, Answer::Unclear(reason)),
            };
        }
        answers.extend(asked.into_iter().map(|topic| (topic, Answer::Taken)));
    }
    Ok(answers)
}

/// What a link that is settled or lost has to tell, without waiting for more.
async fn undelivered(link: &mut Link) -> Vec<Undelivered> {
    let mut found = Vec::new();
    // Ready events come out before any waiting, so a timeout of nothing ends it after the last one.
    while let Ok(event) = tokio::time::timeout(Duration::ZERO, link.next()).await {
        if let LinkEvent::Undelivered(undelivered) = event {
            found.push(undelivered);
        }
    }
    found
}

/// Sends the bridge's own messages and listens until they are all back, and a little longer.
async fn listen(probe: &Probe, witness: &mut Link) -> Heard {
    let mut heard = Heard::new();
    for topic in &probe.topics {
        let control = Message::live(topic_of(topic), payload(probe, CONTROL));
        // What cannot be sent does not come back, and that is what counts.
        witness.send(Lane::Publication, control).unwrap_or(());
    }
    let all = async {
        let mut missing: BTreeSet<String> = probe.topics.iter().map(|topic| topic_of(topic)).collect();
        while !missing.is_empty() {
            match witness.next().await {
                LinkEvent::Message(message) => {
                    if let Some((topic, sender)) = sender(probe, &message) {
                        if sender == CONTROL {
                            missing.remove(&topic);
                        }
                        heard.insert((topic, sender));
                    }
                }
                LinkEvent::Undelivered(undelivered) => {
                    missing.remove(&undelivered.topic);
                }
                LinkEvent::Disconnected { .. } | LinkEvent::TakenOver => return,
                _ => {}
            }
        }
    };
    // Who is missing by then is missing in `heard`.
    tokio::time::timeout(Duration::from_millis(CONTROL_TIMEOUT_MS), all).await.unwrap_or(());
    let late = async {
        loop {
            if let LinkEvent::Message(message) = witness.next().await {
                heard.extend(sender(probe, &message));
            }
        }
    };
    let quiet: Result<(), _> = tokio::time::timeout(Duration::from_millis(QUIET_MS), late).await;
    quiet.unwrap_or(());
    heard
}

/// Who of this round has sent a message.
fn sender(probe: &Probe, message: &Message) -> Option<(String, String)> {
    let text = std::str::from_utf8(&message.payload).ok()?;
    let rest = text.strip_prefix(CANARY_PAYLOAD)?.trim_start().strip_prefix(probe.name.as_str())?;
    Some((message.topic.clone(), rest.trim_start().to_owned()))
}

/// Nothing but refusals by the broker, silence and the bridge's own messages together are a proof.
fn judge(probe: &Probe, trials: &[Trial], heard: &Heard) -> Finding {
    let was_heard = |topic: &str, sender: &str| heard.contains(&(topic.to_owned(), sender.to_owned()));
    let (mut open, mut passed, mut doubts) = (BTreeSet::new(), None, Vec::new());
    doubts.extend(probe.doubt.clone());
    for (index, trial) in trials.iter().enumerate() {
        let user = &trial.user;
        let answers = match &trial.answers {
            Ok(answers) => answers,
            Err(reason) => {
                doubts.push(format!("as user `{user}` nothing could be tried: {reason}"));
                continue;
            }
        };
        for guarded in &probe.topics {
            let topic = topic_of(guarded);
            if was_heard(&topic, &index.to_string()) {
                passed.get_or_insert_with(|| format!("user `{user}` can command `{guarded}` past the bridge"));
                open.insert(guarded.clone());
            } else if !was_heard(&topic, CONTROL) {
                doubts.push(format!(
                    "on `{guarded}` the bridge does not hear its own message; let its user read and write there"
                ));
            } else if let Some(doubt) = doubt(user, guarded, answers.get(&topic)) {
                doubts.push(doubt);
            }
        }
    }
    let canary = match (passed, doubts.into_iter().next()) {
        (Some(reason), _) => {
            let reason = format!("{reason} ({} of {} topics are open)", open.len(), probe.topics.len());
            Canary { enforcement: Enforcement::NotEnforced, reason }
        }
        (None, Some(reason)) => Canary { enforcement: Enforcement::Unproven, reason },
        (None, None) => Canary { enforcement: Enforcement::Proven, reason: refused_everywhere(probe) },
    };
    Finding { canary, open: open.into_iter().collect() }
}

fn doubt(user: &str, guarded: &str, answer: Option<&Answer>) -> Option<String> {
    match answer {
        Some(Answer::Refused) => None,
        Some(Answer::Taken) => Some(format!(
            "the broker took what user `{user}` sent on `{guarded}` and delivered it to nobody; expected a refusal with \
             reason code 0x87"
        )),
        Some(Answer::Unclear(reason)) => Some(format!("as user `{user}` on `{guarded}`: {reason}")),
        None => Some(format!("as user `{user}` on `{guarded}`: nothing was sent")),
    }
}

fn refused_everywhere(probe: &Probe) -> String {
    let users: Vec<String> = probe.users.iter().map(|user| format!("`{}`", user.username)).collect();
    let topics = match probe.topics.as_slice() {
        [topic] => format!("`{topic}`"),
        topics => format!("each of {} topics", topics.len()),
    };
    format!("the broker refuses {} on {topics}", users.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(topics: &[&str]) -> Probe {
        Probe {
            broker: Remote { host: "h".to_owned(), port: 1, tls: None, username: None, password: None },
            users: ["ha", "guest"].map(|name| Login { username: name.to_owned(), password: None }).into(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            name: "round".to_owned(),
            doubt: None,
        }
    }

    fn trial(user: &str, answer: &Answer) -> Trial {
        let answers = [(topic_of("a"), answer.clone())].into();
        Trial { user: user.to_owned(), answers: Ok(answers) }
    }

    #[test]
    fn only_refusal_silence_and_the_own_message_together_prove() {
        let unclear = Answer::Unclear("the broker closed the connection".to_owned());
        for (answer, heard, expected, word) in [
            (&Answer::Refused, &["control"] as &[&str], Enforcement::Proven, "refuses `ha` and `guest` on `a`"),
            (&Answer::Refused, &[], Enforcement::Unproven, "does not hear its own message"),
            (&Answer::Taken, &["control"], Enforcement::Unproven, "delivered it to nobody"),
            (&unclear, &["control"], Enforcement::Unproven, "closed the connection"),
            (
                &Answer::Taken,
                &["control", "1"],
                Enforcement::NotEnforced,
                "user `guest` can command `a` past the bridge",
            ),
            (&Answer::Refused, &["control", "1"], Enforcement::NotEnforced, "1 of 1 topics are open"),
            (&Answer::Taken, &["1"], Enforcement::NotEnforced, "past the bridge"),
        ] {
            let heard: Heard = heard.iter().map(|sender| (topic_of("a"), (*sender).to_owned())).collect();
            let trials = [trial("ha", &Answer::Refused), trial("guest", answer)];
            let finding = judge(&probe(&["a"]), &trials, &heard);
            assert_eq!(finding.canary.enforcement, expected, "{answer:?} {heard:?}");
            assert!(finding.canary.reason.contains(word), "{}", finding.canary.reason);
            assert_eq!(finding.open.is_empty(), expected != Enforcement::NotEnforced);
        }
    }

    #[test]
    fn a_user_who_cannot_connect_proves_nothing() {
        let heard: Heard = [(topic_of("a"), CONTROL.to_owned())].into();
        let refused =
            Trial { user: "guest".to_owned(), answers: Err("the broker refused user or password".to_owned()) };
        let finding = judge(&probe(&["a"]), &[trial("ha", &Answer::Refused), refused], &heard);
        assert_eq!(finding.canary.enforcement, Enforcement::Unproven);
        assert_eq!(
            finding.canary.reason,
            "as user `guest` nothing could be tried: the broker refused user or password"
        );
    }

    #[test]
    fn what_was_missing_from_the_start_leaves_a_doubt_but_hides_no_open_way() {
        let trials = [trial("ha", &Answer::Refused)];
        let probe = Probe { doubt: Some("nobody else".to_owned()), ..probe(&["a"]) };
        for (senders, expected) in
            [(&["control"] as &[&str], Enforcement::Unproven), (&["control", "0"], Enforcement::NotEnforced)]
        {
            let heard: Heard = senders.iter().map(|sender| (topic_of("a"), (*sender).to_owned())).collect();
            assert_eq!(judge(&probe, &trials, &heard).canary.enforcement, expected);
        }
    }

    #[test]
    fn only_messages_of_this_round_are_heard() {
        let probe = probe(&["a"]);
        for (text, expected) in [
            ("hushgate-canary round control", Some("control")),
            ("hushgate-canary round 1", Some("1")),
            ("hushgate-canary other 1", None),
            ("UNLOCK", None),
        ] {
            let seen = sender(&probe, &Message::live("a/hushgate_canary", text)).map(|(_, sender)| sender);
            assert_eq!(seen.as_deref(), expected, "{text}");
        }
    }
}
