//! The nearest right word for a wrong one: for `help:` lines.
//!
//! It proposes; it never replaces a word.

/// The most similar of `candidates`, where one is similar enough to be what was meant. Letter case does not count.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let edits_max = match word.chars().count() {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= edits_max || is_beginning(&word, candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// ``did you mean `x`?``
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The same, or else everything that may be written at all.
pub fn did_you_mean_one_of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    did_you_mean(word, candidates.clone()).or_else(|| {
        let all: Vec<String> = candidates.into_iter().map(|candidate| format!("`{candidate}`")).collect();
        (!all.is_empty()).then(|| format!("write one of {}", all.join(", ")))
    })
}

/// Half a word is a fair hint at the whole one.
fn is_beginning(word: &str, candidate: &str) -> bool {
    word.len() >= 4 && (candidate.starts_with(word) || word.starts_with(candidate) && candidate.len() >= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_word_and_nonsense_finds_none() {
        let words = ["deny", "allow", "confirm", "is_known", "target"];
        for (wrong, expected) in [
            ("dney", Some("deny")),
            ("alow", Some("allow")),
            ("confrim", Some("confirm")),
            ("targets", Some("target")),
            ("conf", Some("confirm")),
            ("DENY", Some("deny")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, words), expected, "{wrong}");
        }
        let help = |word| did_you_mean_one_of(word, ["deny", "allow"]);
        assert_eq!(help("dney").as_deref(), Some("did you mean `deny`?"));
        assert_eq!(help("xyzzy").as_deref(), Some("write one of `deny`, `allow`"));
        assert_eq!(did_you_mean_one_of("dney", []), None);
    }
}
