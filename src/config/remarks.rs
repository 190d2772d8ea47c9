//! What channels are worth: nothing here is wrong, but whoever relies on a confirmation should know it.
//!
//! Errors are elsewhere; these are for `check` and `doctor`.

use super::{Broker, Carrier, Config};
use crate::model::control::Says;

/// Hosts to which nothing travels over a network.
const OWN_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl Config {
    /// One sentence for each thing that makes a confirming channel weaker than it looks.
    pub fn channel_remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (name, channel) in self.confirming_channels() {
            if channel.carrier == Carrier::HomeAssistant {
                let claim = if channel.independent { ", though it is called `independent`" } else { "" };
                remarks.push(format!(
                    "the channel `{name}` is carried by Home Assistant: its approvals are as strong as Home Assistant{claim}"
                ));
            }
            let open = channel.answers.iter().filter(|entry| entry.says == Says::Approve && entry.token.is_none());
            remarks.extend(open.map(|entry| {
                format!(
                    "the channel `{name}` approves without a token: whoever may write `{}` can answer for it",
                    entry.topic.as_str()
                )
            }));
            if let (Some(code), true) = (&channel.code, self.is_overheard_on_the_way()) {
                remarks.push(format!(
                    "the `{}` of the channel `{name}` travels to the broker in plain text: use `mqtts://` and let its device \
                     do so too",
                    code.name()
                ));
            }
        }
        remarks
    }

    /// Whether what the bridge and the broker say to each other can be read on a network.
    fn is_overheard_on_the_way(&self) -> bool {
        match &self.broker {
            Broker::Remote(remote) => remote.tls.is_none() && !OWN_HOSTS.contains(&remote.host.as_str()),
            Broker::Embedded { listen } => !listen.ip().is_loopback(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{NoSecrets, parse};

    #[test]
    fn what_makes_a_channel_weaker_is_said() {
        let told = |text: &str| parse("test.yaml", text, &NoSecrets).expect("a configuration").channel_remarks();
        let carried = "the channel `a` is carried by Home Assistant: its approvals are as strong as Home Assistant";
        let coded = "the `totp` of the channel `a` travels to the broker in plain text: use `mqtts://` and let its \
                     device do so too";
        let open = "the channel `a` approves without a token: whoever may write `z/{x}` can answer for it";
        let totp = "confirms: true, totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        for (broker, channel, expected) in [
            ("mqtt://b", "confirms: true, independent: true", Vec::new()),
            ("mqtt://b", "confirms: true, carried_by: home_assistant", vec![carried.to_owned()]),
            (
                "mqtt://b",
                "confirms: true, independent: true, carried_by: home_assistant",
                vec![format!("{carried}, though it is called `independent`")],
            ),
            ("mqtt://b", "carried_by: home_assistant", Vec::new()),
            ("mqtt://b", totp, vec![coded.to_owned()]),
            ("mqtts://b", totp, Vec::new()),
            ("mqtt://localhost", totp, Vec::new()),
            ("embedded://0.0.0.0:1883", totp, vec![coded.to_owned()]),
            (
                "mqtts://b",
                "confirms: true, answers: [{topic: 'z/{x}', payload: a, says: approve}, {topic: y, payload: a, says: reject}]",
                vec![open.to_owned()],
            ),
        ] {
            let text = format!("broker: {{url: '{broker}'}}\nchannels: {{a: {{kind: person, {channel}}}}}\n");
            assert_eq!(told(&text), expected, "{text}");
        }
        let implied = "channels: {a: {kind: person, confirms: true}}\nhome_assistant: {channel: a}\n";
        assert_eq!(told(implied), [carried], "the channel of the buttons is carried by Home Assistant");
    }
}
