//! What speakers did not do, did after all, and said: one line each.

use super::{Palette, SEPARATOR, about, harmless, part};
use crate::model::event::Entry;

/// The line of such a record. `true`: the owner should look at it. Records of anything else have none here.
pub(super) fn line(entry: &Entry, palette: &Palette) -> (bool, String) {
    let about = |word: &str, what: &str, why: &str| about(palette.strong, word, what, why);
    match entry {
        Entry::MuteRefused { speaker, what, reason, by } => {
            let line = about("not muted", &part(speaker, *what), reason);
            (true, format!("{line}{SEPARATOR}{}", harmless(by)))
        }
        Entry::MuteUnconfirmed { speaker, what, reason } => (true, about("may listen", &part(speaker, *what), reason)),
        Entry::MuteConfirmed { speaker, what } => {
            (false, about("muted", &part(speaker, *what), "it has said so after all"))
        }
        Entry::MuteReasserted { speaker, what, count, reason } => {
            let why = format!("{reason}; {count} times so far");
            (true, about("muted again", &part(speaker, *what), &why))
        }
        Entry::MuteContested { speaker, what, count } => {
            let why = format!("muted again {count} times; from now on more slowly");
            (true, about("does not stay muted", &part(speaker, *what), &why))
        }
        Entry::Said { speaker, announcement } => (false, about("spoken", announcement, speaker)),
        Entry::AnnounceUnconfirmed { speaker, announcement, reason } => {
            (true, about("may not be spoken", &format!("{announcement} on {speaker}"), reason))
        }
        Entry::RefusalSpoken { speaker, text, applied, .. } => {
            let word = if *applied { "answered on" } else { "would answer on" };
            (false, about(word, speaker, text))
        }
        _ => (false, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::speaker::What;

    #[test]
    fn each_is_told_in_a_line() {
        let (speaker, what) = ("kitchen".to_owned(), What::Mic);
        let text = |text: &str| text.to_owned();
        for (entry, is_warning, expected) in [
            (
                Entry::MuteRefused {
                    speaker: speaker.clone(),
                    what: What::Sound,
                    reason: text("no"),
                    by: text("night"),
                },
                true,
                "not muted the sound of kitchen · no · night",
            ),
            (
                Entry::MuteUnconfirmed { speaker: speaker.clone(), what, reason: text("it has not said so") },
                true,
                "may listen kitchen · it has not said so",
            ),
            (
                Entry::MuteConfirmed { speaker: speaker.clone(), what },
                false,
                "muted kitchen · it has said so after all",
            ),
            (
                Entry::MuteReasserted { speaker: speaker.clone(), what, count: 2, reason: text("somebody\nelse") },
                true,
                "muted again kitchen · somebody\\u{a}else; 2 times so far",
            ),
            (
                Entry::MuteContested { speaker: speaker.clone(), what: What::Both, count: 10 },
                true,
                "does not stay muted kitchen and its sound · muted again 10 times; from now on more slowly",
            ),
            (Entry::Said { speaker: speaker.clone(), announcement: text("1-1-1") }, false, "spoken 1-1-1 · kitchen"),
            (
                Entry::AnnounceUnconfirmed {
                    speaker: speaker.clone(),
                    announcement: text("1-1-1"),
                    reason: text("no"),
                },
                true,
                "may not be spoken 1-1-1 on kitchen · no",
            ),
            (
                Entry::RefusalSpoken { speaker, text: text("No."), by: text("1-1-1"), applied: false },
                false,
                "would answer on kitchen · No.",
            ),
        ] {
            assert_eq!(line(&entry, &Palette::PLAIN), (is_warning, expected.to_owned()));
        }
    }
}
