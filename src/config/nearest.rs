//! The nearest right word, for the `help:` of an error.
//!
//! It only suggests; nothing is ever taken for what it nearly is.

/// The candidate that a misspelt word most likely meant. `None`: none is near.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let bound = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or what may be written at all.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(candidate) = nearest(word, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
    if all.is_empty() { None } else { Some(format!("write one of {}", all.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        for (word, expected) in [
            ("topc", Some("topic")),
            ("TOPIC", Some("topic")),
            ("actoin", Some("action")),
            ("weather", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["topic", "action"]), expected, "{word}");
        }
        assert_eq!(did_you_mean("weather", ["topic", "action"]).as_deref(), Some("write one of `topic`, `action`"));
    }
}
