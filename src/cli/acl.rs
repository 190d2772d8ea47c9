//! `hushgate acl`: rules for the broker, so that nobody goes round the gate.
//!
//! It looks at the house as it stands now and prints the rules; it changes nothing on the broker. What a rule means is
//! said in `access`.

use std::collections::BTreeMap;
use std::rc::Rc;

use clap::{Args, ValueEnum};

use super::{BridgeArguments, Exit, control, settings, terminal};
use crate::access::{self, Plan, Users};
use crate::config::{Broker, Config};
use crate::integration::{Integrations, Traffic};
use crate::model::entity::Entity;
use crate::script::diagnostics::Diagnostic;
use crate::shell::files;
use crate::shell::lines::harmless;
use crate::shell::survey::Survey;

#[derive(Debug, Args)]
pub struct AclArguments {
    /// For which kind of broker.
    #[arg(long = "for", value_enum)]
    kind: Kind,
    /// The bridge's user. Without it: the one of the configuration, else `hushgate`.
    #[arg(long, value_name = "USER")]
    user_bridge: Option<String>,
    /// Home Assistant's user. Without it: the canary's in the configuration, else `homeassistant`.
    #[arg(long, value_name = "USER")]
    user_home_assistant: Option<String>,
    /// Who writes the topics of `facts:` and `events:` that no device has. Without it: `house`.
    #[arg(long, value_name = "USER")]
    user_facts: Option<String>,
    /// The user of a channel, instead of one of its own name.
    #[arg(long, value_name = "CHANNEL=USER", value_parser = pair)]
    user_channel: Vec<(String, String)>,
    /// The user of the devices whose topics begin so (`zigbee2mqtt`, `shellies/shelly1-AB`), instead of one named after their
    /// kind. Devices of no known kind share the user `devices`, but for those that are named here
    #[arg(long, value_name = "TOPIC=USER", value_parser = pair)]
    user_device: Vec<(String, String)>,
    /// The user of the speakers or the program of an integration, instead of one of its own name.
    #[arg(long, value_name = "INTEGRATION=USER", value_parser = pair)]
    user_integration: Vec<(String, String)>,
    #[command(flatten)]
    bridge: BridgeArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A file for `acl_file` of Mosquitto 2.
    Mosquitto,
    /// Commands for Mosquitto's dynamic security plugin.
    Dynsec,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, user)| !name.is_empty() && !user.is_empty());
    let (name, user) = pair.ok_or_else(|| "expected a name and a user with `=` between them".to_owned())?;
    Ok((name.to_owned(), user.to_owned()))
}

/// Prints the rules.
pub fn execute(arguments: &AclArguments) -> Exit {
    let config = match settings::configure(&arguments.bridge) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let users = users(arguments, &config);
    if let Some(user) = users.malformed() {
        terminal::error(&format!("expected the name of a user, found `{}`", harmless(user)));
        terminal::help("a name has up to 128 bytes, no space at its ends, and neither `+` nor `#`");
        return Exit::Usage;
    }
    let traffic = match traffic(&config) {
        Ok(traffic) => traffic,
        Err(errors) => {
            errors.iter().for_each(|error| terminal::error(error));
            return Exit::Configuration;
        }
    };
    control::block_on(async {
        match control::survey(&config).await {
            Ok(survey) => print(arguments.kind, &config, &survey, &traffic, &users),
            Err(exit) => exit,
        }
    })
}

fn users(arguments: &AclArguments, config: &Config) -> Users {
    let default = Users::default();
    let configured = match &config.broker {
        Broker::Remote(remote) => remote.username.clone(),
        Broker::Embedded { .. } => None,
    };
    let own = config.home_assistant.own.as_ref().map(|login| login.username.clone());
    let map = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<String, String>>();
    Users {
        bridge: arguments.user_bridge.clone().or(configured).unwrap_or(default.bridge),
        home_assistant: arguments.user_home_assistant.clone().or(own).unwrap_or(default.home_assistant),
        facts: arguments.user_facts.clone().unwrap_or(default.facts),
        channels: configured_users(config).chain(map(&arguments.user_channel)).collect(),
        devices: map(&arguments.user_device),
        integrations: map(&arguments.user_integration),
    }
}

/// The users of channels that the configuration names.
fn configured_users(config: &Config) -> impl Iterator<Item = (String, String)> {
    config.channels.iter().filter_map(|(name, channel)| Some((name.clone(), channel.user.clone()?)))
}

/// What the integrations in use read and send.
fn traffic(config: &Config) -> Result<Vec<Traffic>, Vec<String>> {
    let own = files::read_integrations(&config.integrations_folder).map_err(|error| vec![error])?;
    let integrations = Integrations::compile(&Rc::new(config.clone()), &own, None);
    let integrations = integrations.map_err(|errors| errors.iter().map(Diagnostic::one_line).collect::<Vec<_>>())?;
    Ok(integrations.traffic())
}

fn print(kind: Kind, config: &Config, survey: &Survey, traffic: &[Traffic], users: &Users) -> Exit {
    if let Some(gap) = &survey.gap {
        // Rules for half a house would lock the other half out.
        return control::failure(&format!("the house was not seen whole: {}\nhelp: try again", harmless(gap)));
    }
    let entities: Vec<Entity> = survey.registry.entities().iter().map(|entity| Entity::clone(entity)).collect();
    let is_guarded = |entity: &Entity| {
        let mut topics = entity.command_topics();
        topics.any(|(_, topic)| survey.registry.is_guarded(topic))
    };
    let plan = Plan::new(config, &entities, traffic, &is_guarded, users);
    let (text, place) = match kind {
        Kind::Mosquitto => (access::mosquitto(&plan), MOSQUITTO),
        Kind::Dynsec => (access::dynsec(&plan), DYNSEC),
    };
    terminal::print(&text);
    let count = plan.guarded().count();
    terminal::say(&format!(
        "rules for {} entities; {count} filters can be written by `{}` alone",
        entities.len(),
        users.bridge
    ));
    for note in &plan.notes {
        terminal::say(&format!("note: {}", harmless(note)));
    }
    terminal::say(place);
    terminal::help("then set `home_assistant.canary`, so that the bridge proves that the rules hold");
    Exit::Done
}

/// Where the rules go.
const MOSQUITTO: &str = "\
to use them: write them into a file, name it as `acl_file` in mosquitto.conf beside `allow_anonymous false` and a
`password_file` with these users, and restart Mosquitto. Home Assistant's Mosquitto add-on does not enforce an `acl_file`:
with it, use another broker, or live with `not_enforced`.";
const DYNSEC: &str = "\
to use them: load the plugin `mosquitto_dynamic_security` and publish the text as its admin to
`$CONTROL/dynamic-security/v1`. The users must exist; the rules give them roles.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NoSecrets, parse};

    fn arguments() -> AclArguments {
        AclArguments {
            kind: Kind::Mosquitto,
            user_bridge: None,
            user_home_assistant: None,
            user_facts: None,
            user_channel: Vec::new(),
            user_device: Vec::new(),
            user_integration: Vec::new(),
            bridge: BridgeArguments::default(),
        }
    }

    #[test]
    fn users_come_from_the_command_line_then_the_configuration() {
        let text = "broker: {url: mqtt://b, username: bridge}\nhome_assistant: {canary: {home_assistant: {username: ha}}}\n\
             channels: {phone: {kind: person, user: berta}, panel: {kind: person, user: wall}}";
        let (plain, named) = (parse("t", "base: h", &NoSecrets).unwrap(), parse("t", text, &NoSecrets).unwrap());
        assert_eq!(users(&arguments(), &plain), Users::default());
        let seen = users(&arguments(), &named);
        assert_eq!((seen.bridge.as_str(), seen.home_assistant.as_str()), ("bridge", "ha"));
        let arguments = AclArguments {
            user_bridge: Some("b2".to_owned()),
            user_channel: vec![pair("phone=anna").unwrap()],
            ..arguments()
        };
        let seen = users(&arguments, &named);
        assert_eq!((seen.bridge.as_str(), seen.channels.get("phone").map(String::as_str)), ("b2", Some("anna")));
        assert_eq!(seen.channels.get("panel").map(String::as_str), Some("wall"));
    }

    #[test]
    fn a_pair_has_two_sides() {
        for text in ["phone", "=anna", "phone="] {
            assert!(pair(text).is_err(), "{text}");
        }
    }
}
