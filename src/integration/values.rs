//! What the functions of an integration are given: a speaker, a question.

use rhai::{Dynamic, Engine, ImmutableString, NativeCallContext};

use super::context::context_of;
use crate::script::fields::{Field, close};
use crate::script::json;
use crate::script::kinds::Kind;
use crate::script::operators::Outcome;

/// A question for a channel, as it is put through a speaker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    pub id: String,
    /// What an answer must bring.
    pub token: String,
    /// What tells that the question was spoken, and answers nothing. Unlike the id, nobody else knows it.
    pub proof: String,
    pub text: String,
    pub action: String,
    pub target: Option<String>,
}

/// A speaker in a script.
#[derive(Debug, Clone)]
pub(super) struct SpeakerValue {
    pub name: ImmutableString,
}

/// A question in a script.
#[derive(Debug, Clone)]
pub(super) struct QuestionValue(pub Question);

pub(super) const SPEAKER_FIELDS: &[Field] = &[("name", Some(Kind::Text))];
pub(super) const QUESTION_FIELDS: &[Field] = &[
    ("action", Some(Kind::Text)),
    ("id", Some(Kind::Text)),
    ("proof", Some(Kind::Text)),
    ("target", Some(Kind::Text)),
    ("text", Some(Kind::Text)),
    ("token", Some(Kind::Text)),
];

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<SpeakerValue>("a speaker");
    engine.register_get("name", |speaker: &mut SpeakerValue| speaker.name.clone());
    engine.register_fn("setting", setting);
    close::<SpeakerValue>(engine, "a speaker", SPEAKER_FIELDS);
    engine.register_type_with_name::<QuestionValue>("a question");
    engine.register_get("id", |question: &mut QuestionValue| ImmutableString::from(question.0.id.as_str()));
    engine.register_get("token", |question: &mut QuestionValue| ImmutableString::from(question.0.token.as_str()));
    engine.register_get("proof", |question: &mut QuestionValue| ImmutableString::from(question.0.proof.as_str()));
    engine.register_get("text", |question: &mut QuestionValue| ImmutableString::from(question.0.text.as_str()));
    engine.register_get("action", |question: &mut QuestionValue| ImmutableString::from(question.0.action.as_str()));
    engine.register_get("target", |question: &mut QuestionValue| {
        ImmutableString::from(question.0.target.as_deref().unwrap_or_default())
    });
    close::<QuestionValue>(engine, "a question", QUESTION_FIELDS);
}

#[expect(clippy::needless_pass_by_value, reason = "the engine hands the values of a word over")]
fn setting(
    context: NativeCallContext,
    speaker: &mut SpeakerValue,
    name: ImmutableString,
    default: Dynamic,
) -> Outcome<Dynamic> {
    let context = context_of(&context)?;
    let settings = context.config.speakers.get(speaker.name.as_str()).map(|speaker| &speaker.settings);
    Ok(settings.and_then(|settings| settings.get(name.as_str())).map_or(default, json::to_script))
}
