//! What happens in the house of the demo, scene by scene.

use super::actor::Actor;
use super::echo;
use super::stage::{Stage, text_in};
use crate::model::decision::{Decision, Verdict};
use crate::model::message::Message;
use crate::shell::clock::Clock;

const UNLOCK: &str = r#"{"state":"UNLOCK"}"#;

/// Twenty to ten: a light and a door.
pub(super) async fn evening(stage: &mut Stage) -> Result<(), String> {
    stage.bridge_is_up().await?;
    light(stage, "ordinary things just work").await?;
    door_for_a_person(stage).await
}

/// A command that the broker keeps, while no bridge is there to judge it.
pub(super) async fn leave_a_ghost(stage: &mut Stage) -> Result<(), String> {
    let gone = |message: &Message| message.payload == "offline".as_bytes();
    stage.reader.expect_where("hushgate/status", gone).await?;
    let topic = "hushgate/gate/zigbee2mqtt/front_door/set";
    stage.phone.send(Message::retained(topic, UNLOCK))
}

/// A quarter past eleven: the house sleeps, the television talks.
pub(super) async fn night(stage: &mut Stage) -> Result<(), String> {
    stage.bridge_is_up().await?;
    stage.scene("the bridge comes back, and an old UNLOCK lies stored at the front door's gate").await;
    stage.recorded("ghost", "front_door").await?;
    stage.scene("the television talks, and the kitchen Echo hears its name (1): \"unlock the front door\"").await;
    wakes(stage)?;
    stage.kitchen.publish("hushgate/gate/kitchen_echo/unlock", "front_door")?;
    stage.decided("lock.unlock", Verdict::Confirm, "Unlock front_door?").await?;
    says(stage, "I have asked on").await?;
    let question = asked(&mut stage.phone).await?;
    stage.tell("phone", &format!("is asked: {}  → No", question.text)).await;
    answer(&stage.phone, &question, "reject")?;
    stage.decided("lock.unlock", Verdict::Deny, "rejected on `phone`").await?;
    says(stage, "it was refused").await?;
    stage.scene("again (2), and it hears \"send message\"").await;
    wakes(stage)?;
    sends_message(stage).await?;
    stage.decided("communication.send_message", Verdict::Deny, "between 22:00 and 07:00").await?;
    third_wake(stage).await?;
    light(stage, "and the light still works at once").await
}

async fn light(stage: &mut Stage, what: &str) -> Result<(), String> {
    stage.scene(what).await;
    let clock = Clock::new();
    stage.phone.publish("hushgate/gate/zigbee2mqtt/kitchen_light/set", r#"{"state":"ON"}"#)?;
    let command = stage.light.expect("zigbee2mqtt/kitchen_light/set").await?;
    let took = clock.elapsed();
    stage.decided("light.turn_on", Verdict::Allow, "ordinary").await?;
    let text = String::from_utf8_lossy(&command.payload).into_owned();
    stage.tell("light", &format!("received {text} after {:.1} ms", took.as_secs_f64() * 1e3)).await;
    Ok(())
}

async fn door_for_a_person(stage: &mut Stage) -> Result<(), String> {
    stage.scene("somebody comes home and says \"unlock the front door\"").await;
    stage.kitchen.publish("hushgate/gate/kitchen_echo/unlock", "front_door")?;
    stage.decided("lock.unlock", Verdict::Confirm, "Unlock front_door?").await?;
    says(stage, "I have asked on").await?;
    let question = asked(&mut stage.phone).await?;
    stage.tell("phone", &format!("is asked: {}  → Yes", question.text)).await;
    answer(&stage.phone, &question, "approve")?;
    stage.decided("lock.unlock", Verdict::Allow, "approved on `phone`").await?;
    let command = stage.lock.expect("kitchen_echo/unlock").await?;
    stage.tell("lock", &format!("received the command for {}", String::from_utf8_lossy(&command.payload))).await;
    Ok(())
}

/// What happened in 2018, with a bridge in between.
pub(super) async fn conversation(stage: &mut Stage) -> Result<(), String> {
    stage.bridge_is_up().await?;
    stage.scene("two people talk about floors, and the kitchen Echo hears its name").await;
    wakes(stage)?;
    stage.tell("kitchen", "hears \"send message\" and \"Robert\", and is 41 % sure").await;
    echo::hears(&stage.kitchen, &echo::SEND_MESSAGE)?;
    let held = stage.decided("communication.send_message", Verdict::Confirm, "hardly understood").await?;
    let question = asked(&mut stage.phone).await?;
    says(stage, "I have asked on").await?;
    stage.tell("kitchen", "hears \"right\" in the same conversation, and answers yes").await;
    echo::hears(&stage.kitchen, &echo::RIGHT)?;
    answer_for_itself(stage, &held)?;
    stage.recorded("answer_refused", "it cannot confirm").await?;
    stage.tell("phone", &format!("is asked: {}  → No", question.text)).await;
    answer(&stage.phone, &question, "reject")?;
    stage.decided("communication.send_message", Verdict::Deny, "rejected on `phone`").await?;
    says(stage, "it was refused").await
}

/// The kitchen says what it is told to, and that it has. This must be in it.
async fn says(stage: &mut Stage, words: &str) -> Result<(), String> {
    let say = stage.kitchen.expect("hermes/tts/say").await?;
    echo::has_spoken(&stage.kitchen, &say)?;
    let text = text_in(&say, "text").unwrap_or_default();
    stage.tell("kitchen", &format!("says \"{text}\"")).await;
    if text.contains(words) { Ok(()) } else { Err(format!("expected that the kitchen says `{words}`, found `{text}`")) }
}

/// The third waking within ten minutes that nobody meant.
async fn third_wake(stage: &mut Stage) -> Result<(), String> {
    stage.scene("and again (3), for nothing at all").await;
    wakes(stage)?;
    stage.recorded("muted", "it woke 3 times").await?;
    let off = stage.kitchen.expect("hermes/hotword/toggleOff").await?;
    let site = text_in(&off, "siteId").unwrap_or_default();
    stage.tell("kitchen", &format!("is told to stop listening (hermes/hotword/toggleOff, {site})")).await;
    let notice = stage.phone.expect("house/notice").await?;
    let text = text_in(&notice, "text").unwrap_or_default();
    stage.tell("phone", &format!("is told: {text}")).await;
    Ok(())
}

fn wakes(stage: &Stage) -> Result<(), String> {
    echo::wakes(&stage.kitchen)
}

async fn sends_message(stage: &mut Stage) -> Result<(), String> {
    let payload = r#"{"text":"a recording of the conversation","language":"en"}"#;
    stage.tell("kitchen", "hears \"send message\" and \"Robert\", and sends what it recorded").await;
    stage.kitchen.publish("hushgate/gate/kitchen_echo/message/Robert", payload)
}

/// A question as it arrived on a channel.
struct Question {
    text: String,
    token: String,
    answer_topic: String,
}

async fn asked(channel: &mut Actor) -> Result<Question, String> {
    let is_question = |message: &Message| text_in(message, "kind").as_deref() == Some("ask");
    let prompt = channel.expect_where("hushgate/prompt/+", is_question).await?;
    let text = |key: &str| text_in(&prompt, key).ok_or_else(|| format!("a prompt without `{key}`"));
    Ok(Question { text: text("question")?, token: text("token")?, answer_topic: text("answer_topic")? })
}

fn answer(channel: &Actor, question: &Question, word: &str) -> Result<(), String> {
    channel.publish(&question.answer_topic, &format!("{word} {}", question.token))
}

/// The Echo says yes to what it asked for itself. It was sent no token; it knows the id, which everybody can see.
fn answer_for_itself(stage: &Stage, held: &Decision) -> Result<(), String> {
    stage.kitchen.publish(&format!("hushgate/confirm/kitchen_echo/{}", held.id), "approve")
}
