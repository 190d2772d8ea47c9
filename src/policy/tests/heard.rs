//! How a request came to be heard, as rules see it; and words for what speakers hear that is no person.

use std::rc::Rc;

use jiff::SignedDuration;

use super::{NOW_MS, ask_in, fact, failure, holds, load, request, view};
use crate::model::speaker::Heard;
use crate::policy::{Reaction, View};

/// Runs `body` on a request with this story.
fn ask_heard(body: &str, heard: Option<Heard>, view: &View) -> Reaction {
    let set = load(&format!("const ACTIONS = [\"*\"];\nfn on_request(request) {{\n{body}\n}}"));
    let mut request = request();
    request.heard = heard.map(Box::new);
    set.policies()[0].on_request(&Rc::new(request), view)
}

#[test]
fn what_is_not_known_of_a_story_is_an_error_until_it_is_asked_for() {
    for (field, has, or) in [
        ("speaker", "has_speaker", "speaker_or(default)"),
        ("session", "has_session", "session_or(default)"),
        ("woke_ago_s", "has_woke", "woke_ago_s_or(default)"),
        ("heard_ago_s", "has_heard", "heard_ago_s_or(default)"),
        ("happened_ago_s", "has_happened", "happened_ago_s_or(default)"),
    ] {
        let (line, _, message) = failure(&ask_in(&format!("let found = request.{field};"), &view()));
        assert_eq!(line, 1);
        assert_eq!(message, format!("this request has no `{field}`; ask `{has}` first, or use `{or}`"));
        assert!(!holds(&format!("request.{has}"), &view()), "{has}");
    }
    assert!(holds("request.playing.is_empty() && request.speaker_or(\"none\") == \"none\"", &view()));
    assert!(holds("request.woke_ago_s_or(7) == 7 && request.session_or(\"\") == \"\"", &view()));
}

#[test]
fn a_story_tells_how_long_ago_and_never_of_the_future() {
    let view = view();
    let ago = |seconds| Some(view.at.utc - SignedDuration::from_secs(seconds));
    let heard = Heard {
        speaker: "kitchen".to_owned(),
        woke: ago(9),
        heard: ago(-60),
        happened: ago(12),
        playing: vec!["media_player.tv".to_owned()],
        ..Heard::default()
    };
    for expression in [
        "request.woke_ago_s == 9 && request.woke_ago_s_or(0) == 9 && request.has_woke",
        "request.heard_ago_s == 0",
        "request.happened_ago_s == 12",
        "request.speaker == \"kitchen\" && !request.has_session",
        "request.playing.len() == 1 && \"media_player.tv\" in request.playing",
    ] {
        let body = format!("if {expression} {{ deny(\"yes\") }}");
        let reaction = ask_heard(&body, Some(heard.clone()), &view);
        assert_eq!(reaction.stated.map(|stated| stated.reason).as_deref(), Some("yes"), "{expression}");
    }
    let reaction = ask_heard("let alias = request; alias.playing = [];", Some(heard), &view);
    assert_eq!(failure(&reaction).2, "a request cannot be changed; found an assignment to `playing`");
}

#[test]
fn a_player_plays_near_where_that_is_known() {
    for (state, expected) in [(Some("playing"), true), (Some("paused"), false), (None, false)] {
        let view = view();
        assert!(!holds("playing_near(\"kitchen\")", &view), "never heard of");
        fact(&view, "media_player.tv", state);
        assert_eq!(holds("playing_near(\"kitchen\")", &view), expected, "{state:?}");
        assert!(!holds("playing_near(\"bedroom\") || playing_near(\"attic\")", &view));
        let reaction = ask_in("playing_near(\"kitchen\");", &view);
        let read: Vec<&str> = reaction.facts.iter().map(|fact| fact.entity.as_str()).collect();
        assert_eq!(read, ["media_player.tv"], "what was asked of the house stands in the decision");
    }
}

#[test]
fn what_the_bridge_said_and_who_else_heard_it_are_remembered() {
    let view = view();
    view.world.borrow_mut().voice.note_spoken("kitchen", NOW_MS - 5_000);
    view.world.borrow_mut().voice.note_words("bedroom", true, [1; 32], NOW_MS - 2_000);
    view.world.borrow_mut().voice.note_words("kitchen", true, [1; 32], NOW_MS - 1_000);
    for (expression, expected) in [
        ("spoke(\"kitchen\", \"5s\")", true),
        ("spoke(\"kitchen\", \"4s\")", false),
        ("spoke([\"bedroom\", \"kitchen\"], \"5s\")", true),
        ("spoke([\"bedroom\"], \"5s\")", false),
        ("spoke([], \"5s\")", false),
        ("spoke(\"attic\", \"1h\")", false),
        ("same_words(\"kitchen\", \"1s\") == [\"bedroom\", \"kitchen\"]", true),
        ("same_words(\"bedroom\", \"999ms\").len() == 1", true),
        ("same_words(\"attic\", \"1m\").is_empty()", true),
    ] {
        assert_eq!(holds(expression, &view), expected, "{expression}");
    }
    let (_, _, message) = failure(&ask_in("spoke([1], \"5s\");", &view));
    assert_eq!(message, "expected the name of a speaker, found `1`");
}
