//! `hushgate grant`, `grants`, `revoke`: who may do what for a while without being asked about.
//!
//! The running bridge judges a grant like any request, and somebody confirms it; here it is asked and awaited.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::control::{self, Order, SILENT, Told};
use super::{BridgeArguments, Exit, Format, settings, terminal};
use crate::config::Config;
use crate::model::action::GRANT;
use crate::model::message::Message;
use crate::shell::lines::{harmless, moment};
use crate::shell::visitor::{Stored, VisitError, Visitor};
use crate::time::{parse_duration_ms, parse_time_of_day};

#[derive(Debug, Args)]
pub struct GrantArguments {
    /// The channel that may do it, such as `sitter`.
    channel: String,
    /// What it may do: `lock.unlock`, or a pattern such as `lock.*`.
    action: String,
    /// On what. Without it: on everything.
    #[arg(long)]
    target: Option<String>,
    /// Until when: `23:00` by the clocks of the house, or `2027-03-02T23:00:00Z`. At most 24 hours from now.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "duration")]
    until: Option<String>,
    /// How long: `30m`, `2h`, up to 24 hours. Without it and `--until`: an hour.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<String>,
    #[command(flatten)]
    bridge: BridgeArguments,
}

#[derive(Debug, Args)]
pub struct GrantsArguments {
    /// How the result is written.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    #[command(flatten)]
    bridge: BridgeArguments,
}

#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// The id of the grant. `hushgate grants` lists them.
    #[arg(required_unless_present = "channel", conflicts_with = "channel")]
    id: Option<String>,
    /// Everything that is granted to this channel.
    #[arg(long)]
    channel: Option<String>,
    #[command(flatten)]
    bridge: BridgeArguments,
}

/// A grant, as the bridge tells of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    /// Not in the message; its topic has it.
    #[serde(default)]
    id: String,
    channel: String,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    until: Timestamp,
}

fn duration(text: &str) -> Result<String, String> {
    parse_duration_ms(text).map(|_| text.to_owned())
}

fn time(text: &str) -> Result<String, String> {
    let is_time = parse_time_of_day(text).is_ok() || text.parse::<Timestamp>().is_ok();
    let expected = || format!("expected a time such as `23:00` or `2027-03-02T23:00:00Z`, found `{text}`");
    if is_time { Ok(text.to_owned()) } else { Err(expected()) }
}

/// Asks the running bridge for a grant, and waits for its word.
pub fn execute(arguments: &GrantArguments) -> Exit {
    match settings::configure(&arguments.bridge) {
        Ok(config) => control::block_on(grant(arguments, &config)),
        Err(exit) => exit,
    }
}

/// Lists what is granted.
pub fn list(arguments: &GrantsArguments) -> Exit {
    match settings::configure(&arguments.bridge) {
        Ok(config) => control::block_on(show(arguments.format, &config)),
        Err(exit) => exit,
    }
}

/// Ends grants, and waits for the bridge's word.
pub fn revoke(arguments: &RevokeArguments) -> Exit {
    match settings::configure(&arguments.bridge) {
        Ok(config) => control::block_on(end(arguments, &config)),
        Err(exit) => exit,
    }
}

async fn grant(arguments: &GrantArguments, config: &Config) -> Exit {
    let ask = async |visitor: &mut Visitor, _: &Stored| control::send(visitor, config, &order(arguments)).await;
    match control::meet(config, &[], ask).await {
        Ok(Some(Told::Granted { id, until })) => {
            let GrantArguments { channel, action, target, .. } = arguments;
            let granted = granted(channel, action, target.as_deref(), &until, &settings::zone(config));
            terminal::print_line(&format!("granted to {granted}"));
            terminal::say(&format!("`hushgate revoke {}` ends it before", harmless(&id)));
            Exit::Done
        }
        Ok(Some(Told::Refused(reason))) => control::failure(&format!("not granted: {}", harmless(&reason))),
        Ok(Some(Told::Done | Told::Silent)) => control::failure(SILENT),
        Ok(None) => no_bridge(config),
        Err(exit) => exit,
    }
}

fn order(arguments: &GrantArguments) -> Order<'_> {
    let mut body = json!({"channel": arguments.channel, "action": arguments.action});
    for (field, value) in [("target", &arguments.target), ("until", &arguments.until), ("for", &arguments.duration)] {
        if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
            body.insert(field.to_owned(), value.as_str().into());
        }
    }
    Order { topic: "grant/set", payload: body.to_string(), action: GRANT, target: &arguments.channel }
}

async fn show(format: Format, config: &Config) -> Exit {
    let (visitor, stored) = match control::visit(config, &["status", "grant/+"]).await {
        Ok(visit) => visit,
        Err(exit) => return exit,
    };
    visitor.leave().await;
    let standing = standing(config, &stored.messages);
    match format {
        Format::Json => match serde_json::to_string_pretty(&standing) {
            Ok(text) => terminal::print_line(&text),
            Err(error) => return control::failure(&format!("the result cannot be written: {error}")),
        },
        Format::Human if standing.is_empty() => terminal::print_line("nothing is granted"),
        Format::Human => {
            for grant in &standing {
                terminal::print_line(&line(grant, &settings::zone(config)));
            }
        }
    }
    if !control::is_online(config, &stored) {
        terminal::say("no bridge runs now; this is what it said last");
    }
    Exit::Done
}

async fn end(arguments: &RevokeArguments, config: &Config) -> Exit {
    let end = async |visitor: &mut Visitor, stored: &Stored| end_all(arguments, config, visitor, stored).await;
    match control::meet(config, &["grant/+"], end).await {
        Ok(Some(exit)) | Err(exit) => exit,
        Ok(None) => no_bridge(config),
    }
}

async fn end_all(
    arguments: &RevokeArguments,
    config: &Config,
    visitor: &mut Visitor,
    stored: &Stored,
) -> Result<Exit, VisitError> {
    let of_channel = |channel: &String| {
        let granted = standing(config, &stored.messages).into_iter().filter(|grant| grant.channel == *channel);
        granted.map(|grant| grant.id).collect()
    };
    let ids: Vec<String> = match (&arguments.id, &arguments.channel) {
        (_, Some(channel)) => of_channel(channel),
        (id, None) => id.iter().cloned().collect(),
    };
    let mut exit = Exit::Done;
    if ids.is_empty() {
        let channel = arguments.channel.as_deref().unwrap_or_default();
        exit = control::failure(&format!("nothing is granted to `{}`", harmless(channel)));
    }
    for id in ids {
        let topic = format!("grant/{id}/set");
        let order = Order { topic: &topic, payload: "revoke".to_owned(), action: "", target: "" };
        match control::send(visitor, config, &order).await? {
            Told::Done => terminal::print_line(&format!("revoked: {}", harmless(&id))),
            Told::Refused(reason) => exit = control::failure(&format!("not revoked: {}", harmless(&reason))),
            Told::Granted { .. } | Told::Silent => exit = control::failure(SILENT),
        }
    }
    Ok(exit)
}

fn no_bridge(config: &Config) -> Exit {
    let base = harmless(&config.base);
    control::failure(&format!("no bridge runs on the base `{base}`\nhelp: start it with `hushgate run`"))
}

/// What the broker has stored of grants. What cannot be read is not the bridge's.
fn standing(config: &Config, stored: &[Message]) -> Vec<Standing> {
    let grants = format!("{}/grant/", config.base);
    let read = |message: &Message| {
        // What was stored where grants are asked for is none.
        let id = message.topic.strip_prefix(&grants).filter(|id| *id != "set")?.to_owned();
        let grant: Standing = serde_json::from_slice(&message.payload).ok()?;
        Some(Standing { id, ..grant })
    };
    stored.iter().filter_map(read).collect()
}

fn line(grant: &Standing, zone: &TimeZone) -> String {
    let Standing { id, channel, action, target, until } = grant;
    format!("{}  {}", harmless(id), granted(channel, action, target.as_deref(), until, zone))
}

/// Who may do what until when.
fn granted(channel: &str, action: &str, target: Option<&str>, until: &Timestamp, zone: &TimeZone) -> String {
    let target = target.map(|target| format!(" {}", harmless(target))).unwrap_or_default();
    format!("{}: {}{target} until {}", harmless(channel), harmless(action), moment(until, Some(zone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_what_the_bridge_reads() {
        let arguments = |target: Option<&str>, until: Option<&str>, duration: Option<&str>| GrantArguments {
            channel: "sitter".to_owned(),
            action: "lock.unlock".to_owned(),
            target: target.map(str::to_owned),
            until: until.map(str::to_owned),
            duration: duration.map(str::to_owned),
            bridge: BridgeArguments::default(),
        };
        for (arguments, expected) in [
            (arguments(None, None, None), json!({"channel": "sitter", "action": "lock.unlock"})),
            (
                arguments(Some("door"), Some("23:00"), None),
                json!({"channel": "sitter", "action": "lock.unlock", "target": "door", "until": "23:00"}),
            ),
            (arguments(None, None, Some("2h")), json!({"channel": "sitter", "action": "lock.unlock", "for": "2h"})),
        ] {
            let order = order(&arguments);
            assert_eq!(order.payload, expected.to_string());
            assert_eq!((order.topic, order.action, order.target), ("grant/set", GRANT, "sitter"));
        }
        for (text, expected) in [("23:00", true), ("2027-03-02T23:00:00Z", true), ("eleven", false), ("23", false)] {
            assert_eq!(time(text).is_ok(), expected, "{text}");
        }
        assert!(duration("soon").is_err());
    }

    #[test]
    fn what_is_granted_is_read_from_what_is_stored() {
        let config = crate::config::parse("test.yaml", "base: h", &crate::config::NoSecrets).unwrap();
        let granted = r#"{"channel":"sit\u001bter","action":"lock.*","target":"door","until":"2027-03-02T22:00:00Z"}"#;
        let messages = vec![
            Message::retained("h/status", "online"),
            Message::retained("h/grant/d1", granted),
            Message::retained("h/grant/d2", "no JSON"),
            Message::retained("h/grant/set", granted),
            Message::retained("elsewhere/grant/d3", granted),
        ];
        let standing = standing(&config, &messages);
        let lines: Vec<String> = standing.iter().map(|grant| line(grant, &TimeZone::UTC)).collect();
        assert_eq!(lines, ["d1  sit\\u{1b}ter: lock.* door until 22:00:00"]);
        let json = serde_json::to_value(&standing).unwrap();
        assert_eq!(json[0]["id"], "d1");
    }
}
