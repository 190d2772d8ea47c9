//! What `demo --stay` tells a visitor: which commands to type, so that each verdict is seen once.
//!
//! The text is all that is here. A test types what it says.

use std::net::SocketAddr;
use std::path::Path;

use super::NAME_ON_THE_BROKER;

/// What to type. `program`: how this program was called.
pub(super) fn invitation(program: &str, broker: SocketAddr, policies: &Path) -> String {
    let (host, port) = (broker.ip(), broker.port());
    let at = format!("-h {host} -p {port}");
    let policies = policies.display();
    format!(
        r#"The house stays up until Ctrl-C. It is night there. Watch it in a second terminal:

  {program} watch --broker mqtt://{host}:{port}

Publish to it in a third one. Both commands come with the package
mosquitto-clients.

allow: a light passes at once
  mosquitto_pub {at} -t hushgate/gate/zigbee2mqtt/kitchen_light/set -m '{{"state":"ON"}}'

deny: the kitchen Echo wants to send a message at night
  mosquitto_pub {at} -t hushgate/gate/kitchen_echo/message/Robert -m '{{"text":"hello"}}'

confirm: somebody, nobody knows who, wants the door unlocked; for a minute that
is held, and the phone is asked. The first command listens as the phone does.
The question that it shows has the topic and the token for the third.
  mosquitto_sub {at} -t hushgate/prompt/phone &
  mosquitto_pub {at} -t hushgate/gate/zigbee2mqtt/front_door/set -m '{{"state":"UNLOCK"}}'
  mosquitto_pub {at} -t <answer_topic> -m 'approve <token>'

ghost: an UNLOCK that the broker stored while the bridge was away. Here `-i`
takes the bridge's connection for a moment.
  mosquitto_pub {at} -i {NAME_ON_THE_BROKER} -q 1 -r -t hushgate/gate/zigbee2mqtt/front_door/set -m '{{"state":"UNLOCK"}}'

The policies are in {policies};
a change counts as soon as it is saved."#
    )
}
