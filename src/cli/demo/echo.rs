//! The Echo on the kitchen shelf: what it publishes when it wakes and believes to understand, in Hermes' words.

use serde_json::{Value, json};

use super::actor::Actor;
use super::stage::text_in;
use crate::model::message::Message;

/// The dialogue that it believes to be in.
const SESSION: &str = "demo-2018";

/// A sentence as it was understood.
pub(super) struct Heard {
    words: &'static str,
    /// How sure it is of them, from 0 to 1.
    likelihood: f64,
    intent: &'static str,
    slots: &'static [(&'static str, &'static str)],
}

pub(super) const SEND_MESSAGE: Heard = Heard {
    words: "send message to Robert",
    likelihood: 0.41,
    intent: "SendMessage",
    slots: &[("contact", "Robert"), ("message", "a recording of the conversation")],
};
pub(super) const RIGHT: Heard = Heard { words: "right", likelihood: 0.44, intent: "Yes", slots: &[] };

/// It hears its name.
pub(super) fn wakes(echo: &Actor) -> Result<(), String> {
    let detected = json!({"modelId": "alexa", "siteId": "kitchen", "sessionId": null});
    echo.publish("hermes/hotword/alexa/detected", &detected.to_string())?;
    let started = json!({"sessionId": SESSION, "siteId": "kitchen", "customData": null});
    echo.publish("hermes/dialogueManager/sessionStarted", &started.to_string())
}

/// It understands something: first the words, then what they mean.
pub(super) fn hears(echo: &Actor, heard: &Heard) -> Result<(), String> {
    let Heard { words, likelihood, intent, slots } = heard;
    let captured =
        json!({"text": words, "likelihood": likelihood, "seconds": 1.2, "siteId": "kitchen", "sessionId": SESSION});
    echo.publish("hermes/asr/textCaptured", &captured.to_string())?;
    let slot = |(name, value): &(&str, &str)| -> Value {
        json!({"entity": name, "slotName": name, "rawValue": value, "value": {"kind": "Unknown", "value": value}})
    };
    let understood = json!({
        "input": words,
        "intent": {"intentName": intent, "confidenceScore": 1.0},
        "asrConfidence": likelihood,
        "siteId": "kitchen",
        "sessionId": SESSION,
        "slots": slots.iter().map(slot).collect::<Vec<Value>>(),
    });
    echo.publish(&format!("hermes/intent/{intent}"), &understood.to_string())
}

/// It has said what it was told to.
pub(super) fn has_spoken(echo: &Actor, say: &Message) -> Result<(), String> {
    let finished = json!({"siteId": "kitchen", "id": text_in(say, "id"), "sessionId": null});
    echo.publish("hermes/tts/sayFinished", &finished.to_string())
}
