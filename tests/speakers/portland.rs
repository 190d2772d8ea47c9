//! Portland, 2018: it woke by mistake, heard "send message", a name and "right", and sent a private conversation.
//!
//! The same words in the same order, through a real Rhasspy's messages, with the bridge between.

use crate::Case;
use crate::hermes::Scene;
use crate::prompt::asked;

pub const CASES: &[Case] = &[("nothing_leaves_and_everybody_is_told", nothing_leaves_and_everybody_is_told)];

fn nothing_leaves_and_everybody_is_told() {
    let mut scene = Scene::open();
    scene.says("kitchen", "send message", 0.41);
    scene.owner.expect("hushgate/intent/ComposeMessage");
    scene.site.expect("spoke", |event| event["text"] == "To whom?");
    scene.site.expect_in("kitchen", "listening");
    scene.site.talk("kitchen", "robert", 0.38);

    let question = asked(&mut scene.phone);
    let held = scene.decided("confirm", "communication.send_message");
    assert_eq!((held["request"]["target"].as_str(), held["grade"].as_str()), (Some("robert"), Some("prevented")));
    let heard = &held["request"]["heard"];
    assert!(heard["woke"].is_string() && heard["heard"].is_string(), "the chain stands in the decision: {held}");
    assert_eq!(heard["confidence"], 0.38);

    // "Robert, right?" – "Right."
    scene.says("kitchen", "right", 0.44);
    scene.decided("allow", "intent.answer");
    question.reject(&scene.phone);
    assert_eq!(scene.decided("deny", "communication.send_message")["reason"], "rejected on `phone`");
    // It is told where it was asked: that somebody is asked, and that it was refused; never what was heard.
    for expected in ["I have asked on phone.", "No, it was refused."] {
        let spoken = scene.site.expect("spoke", |event| event["site"] == "kitchen" && event["text"] == expected);
        assert_eq!(spoken["aloud"], true);
    }
    let told: Vec<_> = scene.site.happened("spoke");
    assert!(told.iter().all(|event| !event["text"].as_str().is_some_and(|text| text.contains("robert"))), "{told:?}");

    scene.site.settle();
    assert!(scene.site.happened("carried_out").is_empty(), "nothing leaves");
    assert!(scene.owner.received("hushgate/intent/SendMessage").is_empty());
    scene.bridge.signal("TERM");
    assert!(scene.bridge.wait().success());
    let log = scene.house.command(&["log"]);
    let log = String::from_utf8(log.stdout).expect("text");
    for words in [
        "it seems at kitchen, wanted to send a message to `robert` (woke at ",
        "heard at 0.38): held for up to 1 min and asked on `phone`; that was said on `kitchen`",
        "heard at 0.38): refused on `phone`",
    ] {
        assert!(log.contains(words), "{words} in:\n{log}");
    }
}
