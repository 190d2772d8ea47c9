//! What a run is started with: its first line in the log, and its link to the broker.
//!
//! It starts nothing by itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::bridge::Bridge;
use crate::config::{Config, Remote};
use crate::model::mode::Mode;
use crate::shell::link::{self, Link, LinkSettings};

/// The first line of the log: which program, how strict, by which rules, where.
pub(super) fn opening(config: &Config, policies: usize, revision: &str) -> String {
    let mode = match config.mode {
        Mode::Observe => "observe (it judges, and holds nothing back)",
        Mode::Enforce => "enforce",
    };
    let (count, folder) = (if policies == 1 { "policy" } else { "policies" }, config.policies.display());
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "hushgate {version} starts: mode {mode}; {policies} {count} in `{folder}`, revision {revision}; broker {}",
        config.broker
    )
}

/// How a broker that listens on `address` is reached from here.
pub fn loopback(address: SocketAddr) -> Remote {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Remote { host: ip.to_string(), port: address.port(), tls: None, username: None, password: None }
}

/// A link to the broker, with all that the bridge wants to hear.
///
/// # Errors
/// For the owner: the configuration names what cannot be used.
pub(super) fn connect(config: &Config, bridge: &Bridge, broker: Remote, jitter: u64) -> Result<Link, String> {
    let settings = LinkSettings {
        client_id: client_id(&config.base),
        will: Some(bridge.will()),
        subscriptions: bridge.subscriptions(),
        broker,
    };
    link::open(settings, jitter)
}

/// One identifier per base, so that a second bridge on the same base takes over instead of running beside.
pub(crate) fn client_id(base: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("hushgate-{}", base.chars().map(plain).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Broker;
    use crate::shell::files;

    #[test]
    fn the_client_identifier_is_made_of_what_every_broker_takes() {
        for (base, expected) in [("hushgate", "hushgate-hushgate"), ("home/hush gate", "hushgate-home-hush-gate")] {
            assert_eq!(client_id(base), expected);
        }
    }

    #[test]
    fn the_first_line_says_everything_but_the_password() {
        let text = "broker: {url: mqtts://broker.lan, username: anna, password: tulip}\npolicies: rules";
        let mut config = crate::config::parse("test.yaml", text, &files::SystemSecrets).unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            opening(&config, 1, "51ec"),
            format!(
                "hushgate {version} starts: mode observe (it judges, and holds nothing back); 1 policy in `rules`, \
                 revision 51ec; broker mqtts://broker.lan:8883"
            )
        );
        config.mode = Mode::Enforce;
        config.broker = Broker::Embedded { listen: ([127, 0, 0, 1], 1883).into() };
        let line = opening(&config, 4, "51ec");
        assert!(line.contains("mode enforce; 4 policies"), "{line}");
        assert!(line.ends_with("broker embedded://127.0.0.1:1883"), "{line}");
    }

    #[test]
    fn a_broker_that_listens_everywhere_is_reached_on_this_machine() {
        for (listen, host) in [("0.0.0.0:1883", "127.0.0.1"), ("[::]:1883", "::1"), ("192.168.1.2:1883", "192.168.1.2")]
        {
            assert_eq!(loopback(listen.parse().unwrap()).host, host);
        }
    }
}
