//! What `accept`, `grant`, `release` and `revoke` share: a control message to a running bridge, and what becomes of it.
//!
//! The bridge decides. Here it is told and awaited; an answer of people may take as long as the question stands.

use std::time::Duration;

use jiff::Timestamp;

use super::{Exit, settings, terminal};
use crate::config::Config;
use crate::model::action::GRANT;
use crate::model::decision::{Decision, Outcome, Verdict};
use crate::model::event::{Entry, Record};
use crate::model::message::Message;
use crate::shell::clock::Clock;
use crate::shell::lines::{harmless, moment};
use crate::shell::seed;
use crate::shell::survey::{self, Survey};
use crate::shell::visitor::{Stored, VisitError, Visitor};

/// How long a living bridge may take to say its first word.
const ANSWER_TIMEOUT_MS: u64 = 5_000;
/// How long after a question's end the bridge may take to say so.
const END_TIMEOUT_MS: u64 = 10_000;

/// What an order must listen to, below the base.
const HEARD: [&str; 3] = ["status", "log", "decision/#"];
/// What the owner is told of a bridge that says nothing.
pub(super) const SILENT: &str =
    "the bridge says it is online and does not answer\nhelp: look at its log; if it hangs, start it again";

/// One control message.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// Below the base.
    pub(super) topic: &'a str,
    pub(super) payload: String,
    /// The action that the bridge makes of it, and its target.
    pub(super) action: &'a str,
    pub(super) target: &'a str,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    /// It was granted, under this id.
    Granted {
        id: String,
        until: Timestamp,
    },
    /// It was refused, and why.
    Refused(String),
    /// The bridge said nothing.
    Silent,
}

/// Runs what needs a connection.
pub(super) fn block_on(work: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => failure(&format!("the program cannot start: {error}")),
    }
}

pub(super) fn failure(error: &str) -> Exit {
    terminal::error(error);
    Exit::Failure
}

/// Connects with the login of the configuration, and hears what the filters, below the base, have to tell.
pub(super) async fn visit(config: &Config, filters: &[&str]) -> Result<(Visitor, Stored), Exit> {
    let filters: Vec<String> = filters.iter().map(|rest| format!("{}/{rest}", config.base)).collect();
    let name = seed::draw().map_err(|error| failure(&error))?.jitter;
    Visitor::connect(settings::remote(config), &config.base, &filters, name).await.map_err(|error| no_visit(&error))
}

/// Looks at what the broker has stored.
pub(super) async fn survey(config: &Config) -> Result<Survey, Exit> {
    let name = seed::draw().map_err(|error| failure(&error))?.jitter;
    let look = survey::look(config, settings::remote(config), name);
    let looked = terminal::wait("reading what the broker has stored", look).await;
    let (survey, visitor) = looked.map_err(|error| no_visit(&error))?;
    visitor.leave().await;
    Ok(survey)
}

pub(super) fn no_visit(error: &VisitError) -> Exit {
    match error {
        VisitError::Failed(reason) => failure(reason),
        VisitError::Refused { reason, help } => {
            terminal::error(reason);
            terminal::help(help);
            Exit::Broker
        }
    }
}

/// Meets the running bridge, with orders for it: hears what it says of them, and what the filters, below the base, have to
/// tell besides. It is left again after `work`. `None`: no bridge runs.
///
/// # Errors
/// There is no connection, or it is lost. The owner was told.
pub(super) async fn meet<T>(
    config: &Config,
    filters: &[&str],
    work: impl AsyncFnOnce(&mut Visitor, &Stored) -> Result<T, VisitError>,
) -> Result<Option<T>, Exit> {
    let filters: Vec<&str> = HEARD.iter().chain(filters).copied().collect();
    let (mut visitor, stored) = visit(config, &filters).await?;
    let done = if is_online(config, &stored) { work(&mut visitor, &stored).await.map(Some) } else { Ok(None) };
    visitor.leave().await;
    done.map_err(|error| no_visit(&error))
}

/// Whether the stored status says that a bridge runs.
pub(super) fn is_online(config: &Config, stored: &Stored) -> bool {
    let status = format!("{}/status", config.base);
    stored.messages.iter().any(|message| message.topic == status && message.payload.as_ref() == b"online")
}

/// Sends the order and waits for what becomes of it.
///
/// # Errors
/// The connection is lost.
pub(super) async fn send(visitor: &mut Visitor, config: &Config, order: &Order<'_>) -> Result<Told, VisitError> {
    let topic = format!("{}/{}", config.base, order.topic);
    visitor.send(Message::live(topic, order.payload.clone()))?;
    let mut limit = Duration::from_millis(ANSWER_TIMEOUT_MS);
    let mut held: Option<String> = None;
    let mut allowed: Option<String> = None;
    loop {
        let message = match tokio::time::timeout(limit, visitor.next()).await {
            Ok(message) => message?,
            Err(_) if held.is_some() => return Ok(Told::Refused("its question ended, and nobody said how".to_owned())),
            Err(_) => return Ok(Told::Silent),
        };
        let Some(step) = read(config, order, held.as_deref(), &message) else { continue };
        match step {
            Step::Over(Told::Granted { id, .. }) if allowed.as_ref() != Some(&id) => {}
            Step::Over(told) => return Ok(told),
            Step::Allowed { id } => {
                limit = Duration::from_millis(ANSWER_TIMEOUT_MS);
                allowed = Some(id);
            }
            Step::Held { id, until, channels } => {
                terminal::say(&format!(
                    "it waits for a yes on {} until {}",
                    harmless(&channels.join(", ")),
                    moment(&until, Some(&settings::zone(config)))
                ));
                let left = until.duration_since(Clock::new().now().utc);
                let left_ms = u64::try_from(left.as_millis()).unwrap_or(0);
                limit = Duration::from_millis(left_ms.saturating_add(END_TIMEOUT_MS));
                held = Some(id);
            }
        }
    }
}

/// What one message says about an order.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Over(Told),
    Held {
        id: String,
        until: Timestamp,
        channels: Vec<String>,
    },
    /// What was allowed may still be impossible. Its own record says what became of it.
    Allowed {
        id: String,
    },
}

fn read(config: &Config, order: &Order<'_>, held: Option<&str>, message: &Message) -> Option<Step> {
    let below = message.topic.strip_prefix(config.base.as_str())?.strip_prefix('/')?;
    if below == "log" {
        let record: Record = serde_json::from_slice(&message.payload).ok()?;
        return match record.entry {
            Entry::Refused { topic, reason } if topic == format!("{}/{}", config.base, order.topic) => {
                Some(Step::Over(Told::Refused(reason)))
            }
            // What tightens, or stands already, is no request and has no decision.
            Entry::RelaySet { by, .. } if order.topic == "relay/set" && by == "control" => Some(Step::Over(Told::Done)),
            Entry::Granted { id, until, .. } => Some(Step::Over(Told::Granted { id, until })),
            Entry::Revoked { id, by } if order.topic == format!("grant/{id}/set") && by == "control" => {
                Some(Step::Over(Told::Done))
            }
            _ => None,
        };
    }
    below.strip_prefix("decision/")?;
    let decision: Decision = serde_json::from_slice(&message.payload).ok()?;
    if let Some(settlement) = &decision.settles {
        if Some(settlement.pending.as_str()) != held {
            return None;
        }
        return Some(Step::Over(match (decision.applied, settlement.outcome) {
            (Verdict::Allow, _) => return Some(allowed(order, decision.id)),
            (_, Outcome::Expired) => Told::Refused("nobody answered in time".to_owned()),
            _ => Told::Refused(decision.reason),
        }));
    }
    let is_ours = decision.request.action == order.action && decision.request.target.as_deref() == Some(order.target);
    if !is_ours || held.is_some() {
        return None;
    }
    match (decision.applied, decision.confirm) {
        (Verdict::Allow, _) => Some(allowed(order, decision.id)),
        (Verdict::Confirm, Some(confirm)) => {
            Some(Step::Held { id: decision.id, until: confirm.until, channels: confirm.channels })
        }
        _ => Some(Step::Over(Told::Refused(decision.reason))),
    }
}

fn allowed(order: &Order<'_>, id: String) -> Step {
    if order.action == GRANT { Step::Allowed { id } } else { Step::Over(Told::Done) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ACCEPT;
    use crate::model::decision::{ConfirmBy, Settlement};
    use crate::shell::lines::tests::example;

    fn config() -> Config {
        crate::config::parse("test.yaml", "base: h", &crate::config::NoSecrets).unwrap()
    }

    fn decision(change: impl Fn(&mut Decision)) -> Message {
        let mut decision = example();
        decision.request.action = ACCEPT.to_owned();
        decision.request.target = Some("a/set".to_owned());
        change(&mut decision);
        Message::live("h/decision/x/y", serde_json::to_vec(&decision).unwrap())
    }

    #[test]
    fn what_the_bridge_says_is_read_as_what_became_of_it() {
        let until = Timestamp::UNIX_EPOCH;
        let log = |text: &str| Message::live("h/log", text.to_owned());
        let refused = r#"{"at":"2026-11-22T03:00:00Z","record":"refused","topic":"h/guard/set","reason":"r"}"#;
        let settled = |outcome, applied| {
            decision(move |decision| {
                decision.applied = applied;
                decision.settles = Some(Settlement { pending: "1".to_owned(), outcome, channel: None });
            })
        };
        let held = decision(|decision| {
            decision.applied = Verdict::Confirm;
            decision.confirm =
                Some(ConfirmBy { question: String::new(), until, channels: vec!["phone".to_owned()], joins: None });
        });
        let over = |reason: &str| Some(Step::Over(Told::Refused(reason.to_owned())));
        for (message, is_held, expected) in [
            (decision(|decision| decision.applied = Verdict::Allow), false, Some(Step::Over(Told::Done))),
            (decision(|decision| decision.applied = Verdict::Deny), false, over("not by voice")),
            (decision(|decision| decision.request.target = None), false, None),
            (decision(|decision| decision.request.action = "lock.lock".to_owned()), false, None),
            (held, false, Some(Step::Held { id: "1".to_owned(), until, channels: vec!["phone".to_owned()] })),
            (settled(Outcome::Approved, Verdict::Allow), true, Some(Step::Over(Told::Done))),
            (settled(Outcome::Rejected, Verdict::Deny), true, over("not by voice")),
            (settled(Outcome::Expired, Verdict::Deny), true, over("nobody answered in time")),
            (settled(Outcome::Approved, Verdict::Allow), false, None),
            (log(refused), false, over("r")),
            (log(&refused.replace("guard", "mode")), false, None),
            (Message::live("h/status", "online"), false, None),
            (Message::live("h/decision/x/y", "no JSON"), false, None),
        ] {
            let order = Order { topic: "guard/set", payload: String::new(), action: ACCEPT, target: "a/set" };
            assert_eq!(read(&config(), &order, is_held.then_some("1"), &message), expected, "{message:?}");
        }
    }

    #[test]
    fn what_is_granted_is_done_when_its_own_record_says_so() {
        let log = |rest: &str| {
            let record = format!(r#"{{"at":"2026-11-22T03:00:00Z",{rest}}}"#);
            Message::live("h/log", record)
        };
        let granted = r#""record":"granted","id":"7","channel":"c","action":"a.b","until":"2026-11-22T04:00:00Z""#;
        let until: Timestamp = "2026-11-22T04:00:00Z".parse().unwrap();
        let late = r#""record":"refused","topic":"h/grant/set","reason":"its time was over""#;
        let revoked = r#""record":"revoked","id":"7","by":"control""#;
        let allowed = decision(|decision| {
            decision.id = "7".to_owned();
            decision.request.action = GRANT.to_owned();
            decision.applied = Verdict::Allow;
        });
        let over = |told: Told| Some(Step::Over(told));
        for (topic, message, expected) in [
            ("grant/set", allowed, Some(Step::Allowed { id: "7".to_owned() })),
            ("grant/set", log(granted), over(Told::Granted { id: "7".to_owned(), until })),
            ("grant/set", log(late), over(Told::Refused("its time was over".to_owned()))),
            ("grant/7/set", log(revoked), over(Told::Done)),
            ("grant/8/set", log(revoked), None),
            ("grant/7/set", log(&revoked.replace("control", "timer")), None),
        ] {
            let order = Order { topic, payload: String::new(), action: GRANT, target: "a/set" };
            assert_eq!(read(&config(), &order, None, &message), expected, "{topic} {message:?}");
        }
    }

    #[test]
    fn a_mirror_that_points_at_the_devices_already_is_done() {
        let record = r#"{"at":"2026-11-22T03:00:00Z","record":"relay_set","on":false,"by":"control","until":null}"#;
        let message = Message::live("h/log", record);
        for (topic, expected) in [("relay/set", Some(Step::Over(Told::Done))), ("guard/set", None)] {
            let order = Order { topic, payload: String::new(), action: ACCEPT, target: "" };
            assert_eq!(read(&config(), &order, None, &message), expected);
        }
    }
}
