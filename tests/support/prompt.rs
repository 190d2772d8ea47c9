//! Questions of the bridge as the one who is asked gets them, and the answers.

use crate::client::{Client, Received};

/// What a channel is asked, as far as an answer needs it.
pub struct Prompt {
    pub token: String,
    pub answer_topic: String,
}

impl Prompt {
    /// Says yes, in the name of the channel whose client this is.
    pub fn approve(&self, channel: &Client) {
        channel.publish(&self.answer_topic, &format!("approve {}", self.token));
    }

    /// Says no.
    pub fn reject(&self, channel: &Client) {
        channel.publish(&self.answer_topic, &format!("reject {}", self.token));
    }
}

/// Waits for a question on the channel's topic.
pub fn asked(channel: &mut Client) -> Prompt {
    let question: Received = channel.expect_where("hushgate/prompt/+", |message| message.payload.contains(r#""ask""#));
    let json = question.json();
    let text = |key: &str| json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}")).to_owned();
    Prompt { token: text("token"), answer_topic: text("answer_topic") }
}
