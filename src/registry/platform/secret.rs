//! Which names stand for a code, a PIN or a password. What stands there is never shown.

/// Parts of a name that make it secret wherever they stand in it.
const PARTS: [&str; 6] = ["code", "passw", "passphrase", "secret", "token", "credential"];
/// Whole words that make a name secret.
const WORDS: [&str; 8] = ["auth", "cvv", "key", "otp", "pass", "pin", "puk", "totp"];

/// Whether a key of a payload, or the name of an entity, says that a secret stands there.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    let mut words = name.split(|character: char| !character.is_alphanumeric());
    PARTS.iter().any(|part| name.contains(part)) || words.any(|word| WORDS.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["code", "user_code", "pinCode", "PIN", "pin", "usercode", "password", "Auth-Token", "otp"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["state", "brightness", "spin", "pinned", "position", "compass", "keypad_light", "color"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
