//! How sure recognition is can make the shipped policies stricter, and never looser: neither by being known, nor by being
//! higher than what nobody knows.

use hushgate::model::decision::{Decision, Otherwise, Verdict};
use hushgate::model::event::ScriptSource;
use serde_json::json;

use super::house::{House, shipped};

/// From nothing known over sure to not sure at all.
const LADDER: [Option<f64>; 7] = [None, Some(1.0), Some(0.9), Some(0.6), Some(0.599), Some(0.3), Some(0.0)];
/// The same time of the next day: longer than every window in which questions and wishes are counted.
const DAY_MS: u64 = 86_400_000;

const ACTIONS: [(&str, &str); 8] = [
    ("lock.unlock", "lock.front_door"),
    ("lock.lock", "lock.front_door"),
    ("communication.send_message", "Robert"),
    ("communication.call", "112"),
    ("notify.send_message", "Robert"),
    ("light.turn_on", "light.hall"),
    ("siren.turn_off", "siren.attic"),
    ("climate.set_temperature", "climate.hall"),
];
const CHANNELS: [&str; 4] = ["kitchen_echo", "assistant", "panel", ""];
const DAY: &str = "2027-03-01T20:00:00Z";
const NIGHT: &str = "2027-03-02T07:30:00Z";

/// Stricter is larger.
fn strictness(decision: &Decision) -> (Verdict, Option<Otherwise>) {
    let silence = decision.opinions.iter().filter_map(|opinion| opinion.terms.as_ref()).map(|terms| terms.otherwise);
    // Where no rule asks, silence denies.
    let silence = silence.max().unwrap_or_default();
    (decision.applied, (decision.applied == Verdict::Confirm).then_some(silence))
}

fn policies(all_on: bool) -> Vec<ScriptSource> {
    let mut sources = shipped();
    for source in sources.iter_mut().filter(|_| all_on) {
        source.text = source.text.replace("ENABLED = false", "ENABLED = true");
    }
    sources.retain(|source| !all_on || source.name != "communications-off");
    sources
}

#[test]
fn confidence_makes_stricter_and_never_looser() {
    let (mut compared, mut stricter) = (0, 0);
    for all_on in [false, true] {
        for begin in [DAY, NIGHT] {
            for (person, player) in [("home", "off"), ("home", "playing"), ("work", "off"), ("work", "playing")] {
                let mut house = House::new(policies(all_on), begin);
                house.fact("person.anna", Some(person));
                house.fact("media_player.kitchen_tv", Some(player));
                for channel in CHANNELS {
                    for (action, target) in ACTIONS {
                        let mut before = None;
                        for confidence in LADDER {
                            house.pass(DAY_MS);
                            house.decisions.clear();
                            let topic = format!("hushgate/ask/{channel}");
                            let topic = topic.trim_end_matches('/');
                            let mut ask = json!({"id": "q", "action": action, "target": target});
                            if let Some(confidence) = confidence {
                                ask["confidence"] = json!(confidence);
                            }
                            house.tell(topic, &ask);
                            let [decision] = house.decisions.as_slice() else { panic!("{:?}", house.decisions) };
                            assert_eq!(decision.request.confidence, confidence);
                            let now = strictness(decision);
                            if let Some(before) = before {
                                assert!(now >= before, "{action} by `{channel}` at {confidence:?}: {decision:#?}");
                                compared += 1;
                                stricter += u64::from(now > before);
                            }
                            before = Some(now);
                        }
                    }
                }
            }
        }
    }
    println!("{compared} pairs compared, {stricter} stricter");
    assert!(stricter > 20, "{stricter} of {compared}");
}
