//! What is wrong with speakers, as it is shown: mutes that did not take or do not last, and announcements that nobody knows
//! to be spoken.
//!
//! A mute's trouble goes with the mute, or when the speaker says that it is muted after all.

use std::collections::BTreeMap;

use crate::model::event::Entry;

/// By speaker: as many as there are in the configuration.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    unconfirmed: BTreeMap<String, String>,
    contested: BTreeMap<String, String>,
    unspoken: BTreeMap<String, String>,
}

impl Speakers {
    /// Takes in a record. Whether it changes anything here.
    pub(super) fn takes_in(&mut self, entry: &Entry) -> bool {
        match entry {
            Entry::MuteUnconfirmed { speaker, what, reason } => {
                let problem = format!("`{speaker}` may not be muted ({}): {reason}", what.spoken());
                self.unconfirmed.insert(speaker.clone(), problem);
                true
            }
            Entry::MuteConfirmed { speaker, .. } => self.unconfirmed.remove(speaker).is_some(),
            Entry::MuteContested { speaker, what, .. } => {
                let problem = format!("something ends the mute of `{speaker}` again and again ({})", what.spoken());
                self.contested.insert(speaker.clone(), problem);
                true
            }
            Entry::Unmuted { speaker, .. } => {
                let was = [self.unconfirmed.remove(speaker), self.contested.remove(speaker)];
                was.iter().any(Option::is_some)
            }
            Entry::AnnounceUnconfirmed { speaker, reason, .. } => {
                let problem = format!("`{speaker}` may not have spoken what it should have: {reason}");
                self.unspoken.insert(speaker.clone(), problem);
                true
            }
            Entry::Said { speaker, .. } => self.unspoken.remove(speaker).is_some(),
            _ => false,
        }
    }

    pub(super) fn reasons(&self) -> impl Iterator<Item = String> {
        self.unconfirmed.values().chain(self.contested.values()).chain(self.unspoken.values()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::speaker::What;

    #[test]
    fn each_problem_goes_when_it_is_over() {
        let (kitchen, what) = (|| "kitchen".to_owned(), What::Mic);
        let unconfirmed = || Entry::MuteUnconfirmed { speaker: kitchen(), what, reason: "no word".to_owned() };
        let contested = || Entry::MuteContested { speaker: kitchen(), what, count: 10 };
        let unspoken = || Entry::AnnounceUnconfirmed {
            speaker: kitchen(),
            announcement: "1".to_owned(),
            reason: "no word".to_owned(),
        };
        let unmuted = |speaker: &str| Entry::Unmuted { speaker: speaker.to_owned(), by: "timer".to_owned() };
        for (begins, elsewhere, ends, reason) in [
            (
                unconfirmed(),
                unmuted("hall"),
                Entry::MuteConfirmed { speaker: kitchen(), what },
                "`kitchen` may not be muted (microphone): no word",
            ),
            (unconfirmed(), unmuted("hall"), unmuted("kitchen"), "`kitchen` may not be muted (microphone): no word"),
            (
                contested(),
                Entry::MuteConfirmed { speaker: kitchen(), what },
                unmuted("kitchen"),
                "something ends the mute of `kitchen` again and again (microphone)",
            ),
            (
                unspoken(),
                unmuted("kitchen"),
                Entry::Said { speaker: kitchen(), announcement: "2".to_owned() },
                "`kitchen` may not have spoken what it should have: no word",
            ),
        ] {
            let mut speakers = Speakers::default();
            let told = |speakers: &Speakers| speakers.reasons().collect::<Vec<_>>();
            assert!(speakers.takes_in(&begins));
            assert_eq!(told(&speakers), [reason]);
            assert!(!speakers.takes_in(&elsewhere), "{elsewhere:?}");
            assert!(speakers.takes_in(&ends) && !speakers.takes_in(&ends), "it changes something once");
            assert!(told(&speakers).is_empty(), "{ends:?}");
        }
    }
}
