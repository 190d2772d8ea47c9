//! How a request came to be heard, in a few words: when the microphone woke, what played then, how sure the words were.
//!
//! It tells none of the words. They are masked wherever they stand.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::harmless;
use crate::model::speaker::Heard;

/// The story in words, such as `woke at 23:14:02 with the TV on; heard at 0.41`. `None`: nothing is known of it.
pub fn story(heard: &Heard, zone: &TimeZone) -> Option<String> {
    let clock = |at: &Timestamp| at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string();
    let with = if heard.playing.is_empty() { String::new() } else { format!(" with {} on", players(&heard.playing)) };
    let heard_at = match (heard.confidence, &heard.woke) {
        (Some(confidence), _) => Some(format!("heard at {}", share(confidence))),
        (None, Some(_)) => None,
        (None, None) => heard.heard.as_ref().map(|at| format!("heard at {}", clock(at))),
    };
    match (&heard.woke, heard_at) {
        (None, None) => None,
        (None, Some(heard_at)) => Some(format!("{heard_at}{with}")),
        (Some(woke), None) => Some(format!("woke at {}{with}", clock(woke))),
        (Some(woke), Some(heard_at)) => Some(format!("woke at {}{with}; {heard_at}", clock(woke))),
    }
}

/// What played, as people call it.
fn players(entities: &[String]) -> String {
    let names: Vec<String> = entities.iter().map(|entity| player(entity)).collect();
    names.join(" and ")
}

fn player(entity: &str) -> String {
    let name = entity.split_once('.').map_or(entity, |(_, name)| name);
    if name.split('_').any(|word| matches!(word, "tv" | "television")) {
        "the TV".to_owned()
    } else {
        format!("`{}`", harmless(name))
    }
}

/// From 0 to 1, with two places at most. Cut and not rounded: 0.599 is not 0.6 where a rule says below 0.6.
fn share(confidence: f64) -> String {
    let text = format!("{confidence:.6}");
    let cut = text.get(..4).unwrap_or(&text);
    cut.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_is_told_as_far_as_it_is_known() {
        let at = |text: &str| Some(format!("2026-11-23T{text}Z").parse().unwrap());
        let tv = "media_player.kitchen_tv";
        let heard = |woke, heard, confidence, playing: &[&str]| Heard {
            woke,
            heard,
            confidence,
            playing: playing.iter().map(|entity| (*entity).to_owned()).collect(),
            ..Heard::default()
        };
        let (woke, words) = (at("07:14:02"), at("07:14:05"));
        for (heard, expected) in [
            (heard(woke, words, Some(0.41), &[tv]), Some("woke at 23:14:02 with the TV on; heard at 0.41")),
            (heard(woke, None, None, &["media_player.radio", tv]), Some("woke at 23:14:02 with `radio` and the TV on")),
            (heard(woke, words, None, &[]), Some("woke at 23:14:02")),
            (heard(None, words, Some(1.0), &[tv]), Some("heard at 1 with the TV on")),
            (heard(None, words, Some(0.599), &["x\n"]), Some("heard at 0.59 with `x\\u{a}` on")),
            (heard(None, words, None, &[]), Some("heard at 23:14:05")),
            (heard(None, None, Some(0.0), &[]), Some("heard at 0")),
            (heard(None, None, None, &[tv]), None),
        ] {
            let zone = TimeZone::get("America/Los_Angeles").unwrap();
            assert_eq!(story(&heard, &zone).as_deref(), expected, "{heard:?}");
        }
    }
}
