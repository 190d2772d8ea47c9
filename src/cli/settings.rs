//! What several commands are told: which configuration, which broker.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;

use super::{Exit, terminal};
use crate::config::{self, Broker, Config, Remote, Secret, Secrets};
use crate::model::mode::Mode;
use crate::shell::files::{self, SystemSecrets};

/// The environment variable with the password that goes with `--username`.
const PASSWORD_VARIABLE: &str = "HUSHGATE_MQTT_PASSWORD";
/// The name of the built-in configuration in messages.
const BUILT_IN_NAME: &str = "the built-in configuration";

#[derive(Debug, Default, Args)]
pub struct ConfigArguments {
    /// The configuration. Without it: `examples/home.yaml`, as it was compiled in.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Default, Args)]
pub struct BrokerArguments {
    /// The broker, instead of the one in the configuration: `mqtt://host:1883`, `mqtts://host:8883`.
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,
    /// The user for `--broker`. The password comes from `--password-file`, or from `HUSHGATE_MQTT_PASSWORD`.
    #[arg(long, value_name = "USER", requires = "broker")]
    pub username: Option<String>,
    /// A file with the password for `--username`.
    #[arg(long, value_name = "FILE", requires = "username")]
    pub password_file: Option<PathBuf>,
    /// A PEM file with the authority that signed the certificate of `--broker`.
    #[arg(long, value_name = "FILE", requires = "broker")]
    pub ca_file: Option<PathBuf>,
}

/// Which bridge is meant, running or not.
#[derive(Debug, Default, Args)]
pub struct BridgeArguments {
    #[command(flatten)]
    pub config: ConfigArguments,
    #[command(flatten)]
    pub broker: BrokerArguments,
    /// The base of the bridge, instead of the one in the configuration.
    #[arg(long)]
    pub base: Option<String>,
}

/// Reads the configuration, with the broker and the base of the command line where it says others.
pub(super) fn configure(bridge: &BridgeArguments) -> Result<Config, Exit> {
    let mut config = load(&bridge.config)?;
    override_broker(&mut config, &bridge.broker)?;
    if bridge.config.config.is_none() && bridge.broker.broker.is_some() {
        // The built-in configuration stands for no house on a broker of one's own.
        config.place.zone = None;
    }
    if let Some(base) = &bridge.base {
        config.base.clone_from(base);
    }
    Ok(config)
}

/// In which time zone a command tells times: that of the house, else that of this machine.
pub(super) fn zone(config: &Config) -> TimeZone {
    config.place.zone.clone().unwrap_or_else(TimeZone::system)
}

/// Reads the configuration, and says what is wrong with it.
pub(super) fn load(arguments: &ConfigArguments) -> Result<Config, Exit> {
    let (name, text) = match &arguments.config {
        Some(path) => (path.display().to_string(), read(path)?),
        None => (BUILT_IN_NAME.to_owned(), config::BUILT_IN.to_owned()),
    };
    config::parse(&name, &text, &SystemSecrets).map_err(|errors| {
        terminal::config_errors(&errors);
        Exit::Configuration
    })
}

fn read(path: &Path) -> Result<String, Exit> {
    files::read_text(path, files::CONFIG_BYTES_MAX).map_err(|error| {
        terminal::error(&error);
        Exit::Configuration
    })
}

/// Puts the broker of the command line in the place of the configured one. User and password of the configuration are
/// not sent to another broker.
pub(super) fn override_broker(config: &mut Config, arguments: &BrokerArguments) -> Result<(), Exit> {
    let Some(url) = &arguments.broker else { return Ok(()) };
    let failed = |error: &str| {
        terminal::error(error);
        Exit::Usage
    };
    // Read as in a configuration, so that one text means one thing.
    let text = serde_json::json!({"broker": {"url": url}}).to_string();
    let parsed = config::parse("--broker", &text, &SystemSecrets);
    let mut broker = parsed.map_err(|errors| {
        terminal::config_errors(&errors);
        Exit::Usage
    })?;
    if let Broker::Remote(remote) = &mut broker.broker {
        let file = arguments.password_file.as_deref();
        let password = match (&arguments.username, file) {
            (None, _) => None,
            (Some(_), Some(path)) => {
                Some(files::read_text(path, files::SECRET_BYTES_MAX).map_err(|error| failed(&error))?)
            }
            (Some(_), None) => SystemSecrets.environment(PASSWORD_VARIABLE),
        };
        remote.username.clone_from(&arguments.username);
        remote.password = password.map(|text| Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()));
        match &mut remote.tls {
            Some(tls) => tls.ca_file.clone_from(&arguments.ca_file),
            None if arguments.ca_file.is_some() => {
                return Err(failed("`--ca-file` needs TLS\nhelp: write `mqtts://` in `--broker`"));
            }
            None => {}
        }
    } else if arguments.username.is_some() {
        return Err(failed("the embedded broker has no users\nhelp: leave `--username` out"));
    }
    config.broker = broker.broker;
    Ok(())
}

/// Where the broker of a configuration is reached from outside the bridge.
pub(super) fn remote(config: &Config) -> Remote {
    match &config.broker {
        Broker::Remote(remote) => remote.clone(),
        Broker::Embedded { listen } => crate::shell::run::loopback(*listen),
    }
}

/// What `enforce` needs, whoever asks for it.
///
/// # Errors
/// It is missing. The text has its help.
pub(super) fn check_mode(config: &Config) -> Result<(), String> {
    match config.enforce_obstacle().filter(|_| config.mode == Mode::Enforce) {
        None => Ok(()),
        Some((needs, help)) => Err(format!("mode `enforce` needs {needs} in the configuration\nhelp: {help}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        config::parse("test.yaml", text, &SystemSecrets).unwrap()
    }

    #[test]
    fn enforce_needs_a_time_zone_and_a_channel_that_can_answer() {
        for (text, expected) in [
            ("base: h", Some("needs a time zone")),
            ("time_zone: Europe/Berlin", Some("needs an independent channel")),
            (
                "time_zone: Europe/Berlin\nchannels: {panel: {kind: person, confirms: true}}",
                Some("needs an independent channel"),
            ),
            ("time_zone: Europe/Berlin\nchannels: {phone: {kind: person, confirms: true, independent: true}}", None),
        ] {
            let mut config = parse(text);
            assert_eq!(check_mode(&config), Ok(()), "observing needs nothing");
            config.mode = Mode::Enforce;
            let error = check_mode(&config).err().unwrap_or_default();
            assert_eq!(error.is_empty(), expected.is_none(), "{text}: {error}");
            assert!(error.contains(expected.unwrap_or_default()), "{text}: {error}");
        }
    }

    #[test]
    fn a_broker_of_the_command_line_does_not_get_the_configured_password() {
        let mut config = parse("broker: {url: mqtt://a, username: anna, password: tulip}");
        let arguments = BrokerArguments {
            broker: Some("mqtts://b".to_owned()),
            username: None,
            password_file: None,
            ca_file: Some(PathBuf::from("ca.pem")),
        };
        override_broker(&mut config, &arguments).unwrap();
        let Broker::Remote(remote) = config.broker else { panic!("expected a remote broker") };
        assert_eq!((remote.host.as_str(), remote.port), ("b", 8883));
        assert_eq!((remote.username, remote.password), (None, None));
        assert_eq!(remote.tls.and_then(|tls| tls.ca_file), Some(PathBuf::from("ca.pem")));
    }

    #[test]
    fn a_wrong_broker_is_a_matter_of_usage() {
        let broker = |url: &str, ca_file: Option<&str>, username: Option<&str>| BrokerArguments {
            broker: Some(url.to_owned()),
            username: username.map(str::to_owned),
            password_file: None,
            ca_file: ca_file.map(PathBuf::from),
        };
        for arguments in [
            broker("http://b", None, None),
            broker("mqtt://b", Some("ca.pem"), None),
            broker("embedded://127.0.0.1:1883", None, Some("anna")),
        ] {
            assert_eq!(override_broker(&mut parse("base: h"), &arguments), Err(Exit::Usage), "{arguments:?}");
        }
    }
}
