//! What an answer must bring besides its token: the hash of a PIN, or the secret of TOTP.
//!
//! Both are read and bounded here, so that checking a code later can neither fail nor take long. No error repeats what
//! stands there: it may be the PIN itself.

use argon2::password_hash::PasswordHash;
use argon2::{Algorithm, Params};

use super::reader::{Cursor, Fields, Reader};
use super::{ChannelCode, Secret};

/// Memory that checking a PIN may take, in KiB.
pub const PIN_MEMORY_MAX_KIB: u32 = 64 * 1024;
/// Passes over that memory.
pub const PIN_PASSES_MAX: u32 = 10;
/// Memory times passes, in KiB: the gate waits while a PIN is checked. About 0.2 s.
pub const PIN_WORK_MAX_KIB: u32 = 192 * 1024;
/// Shortest output of a hash that counts, in bytes.
pub const PIN_OUTPUT_MIN_BYTES: usize = 16;
/// Shortest secret of TOTP, in bytes (RFC 4226, section 4).
pub const TOTP_SECRET_MIN_BYTES: usize = 16;
/// Longest secret of TOTP, in bytes.
pub const TOTP_SECRET_MAX_BYTES: usize = 128;

const RUN_HASH_PIN: &str = "run `hushgate hash-pin`, and write what it prints";
const RUN_HASH_PIN_TOTP: &str = "run `hushgate hash-pin --totp`, and write what it prints";

/// `pin` or `totp` of one channel.
pub(super) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<ChannelCode> {
    if let (Some(_), Some(cursor)) = (fields.get("pin"), fields.get("totp")) {
        let help = Some("keep one: `totp` is the stronger".to_owned());
        reader.key_error(cursor, "expected `pin` or `totp`, found both", help);
    }
    read_totp(reader, fields).or_else(|| read_pin(reader, fields))
}

fn read_pin(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<ChannelCode> {
    let cursor = fields.get("pin")?;
    let text = read_secret(reader, cursor, "the hash of a PIN", RUN_HASH_PIN)?;
    if let Err(found) = check_pin_hash(&text) {
        let message = format!("expected the hash of a PIN, such as `$argon2id$v=19$…`, found {found}");
        reader.error(cursor, message, Some(RUN_HASH_PIN.to_owned()));
        return None;
    }
    Some(ChannelCode::Pin(Secret::new(text)))
}

fn read_totp(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<ChannelCode> {
    let cursor = fields.get("totp")?;
    let text = read_secret(reader, cursor, "a secret in Base32", RUN_HASH_PIN_TOTP)?;
    // A file may hold what was printed: below the secret the address for the app. Apps show it in groups, some write it
    // small.
    let text = text.lines().next().unwrap_or_default();
    let text: String = text.chars().filter(|character| !matches!(character, ' ' | '-' | '=')).collect();
    let text = text.to_ascii_uppercase();
    let found = match totp_secret(&text) {
        None => "a text that is none".to_owned(),
        Some(secret) if (TOTP_SECRET_MIN_BYTES..=TOTP_SECRET_MAX_BYTES).contains(&secret.len()) => {
            return Some(ChannelCode::Totp(Secret::new(text)));
        }
        Some(secret) => format!("one of {} bytes", secret.len()),
    };
    let message = format!(
        "expected a secret in Base32 of {TOTP_SECRET_MIN_BYTES} to {TOTP_SECRET_MAX_BYTES} bytes, found {found}"
    );
    reader.error(cursor, message, Some(RUN_HASH_PIN_TOTP.to_owned()));
    None
}

fn read_secret(reader: &mut Reader<'_>, cursor: &Cursor<'_>, expected: &str, help: &str) -> Option<String> {
    if !cursor.is_text() {
        // It may be the PIN, so it is not repeated.
        reader.error(cursor, format!("expected {expected}, found another kind of value"), Some(help.to_owned()));
        return None;
    }
    Some(reader.text(cursor)?.text)
}

/// The bytes of a secret that stands in Base32 (RFC 4648, without padding). `None`: it is none.
pub fn totp_secret(text: &str) -> Option<Vec<u8>> {
    totp_rs::Secret::Encoded(text.to_owned()).to_bytes().ok()
}

/// Whether a text is a hash whose check is bounded. The error says what was found instead.
fn check_pin_hash(text: &str) -> Result<(), String> {
    let hash = PasswordHash::new(text).map_err(|_| "a text that is none")?;
    if Algorithm::try_from(hash.algorithm) != Ok(Algorithm::Argon2id) {
        return Err("a hash of another kind".to_owned());
    }
    let params = Params::try_from(&hash).map_err(|_| "a hash whose parameters cannot be read")?;
    let (memory_kib, passes) = (params.m_cost(), params.t_cost());
    if memory_kib > PIN_MEMORY_MAX_KIB || passes > PIN_PASSES_MAX || memory_kib * passes > PIN_WORK_MAX_KIB {
        return Err(format!(
            "one that takes too long to check: at most `m={PIN_MEMORY_MAX_KIB}`, `t={PIN_PASSES_MAX}`, and \
             {PIN_WORK_MAX_KIB} for their product"
        ));
    }
    let is_long = hash.hash.is_some_and(|output| output.len() >= PIN_OUTPUT_MIN_BYTES);
    if hash.salt.is_none() || !is_long {
        return Err(format!("one without its salt, or with less than {PIN_OUTPUT_MIN_BYTES} bytes at its end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "c2FsdHNhbHRzYWx0$012345678901234567890A";

    #[test]
    fn a_check_is_bounded() {
        let checked = |head: &str| check_pin_hash(&format!("${head}${END}"));
        for (head, expected) in [
            ("argon2id$v=19$m=19456,t=2,p=1", None),
            ("argon2id$v=19$m=65536,t=3,p=4", None),
            ("argon2id$v=19$m=65536,t=4,p=1", Some("takes too long")),
            ("argon2id$v=19$m=65537,t=1,p=1", Some("takes too long")),
            ("argon2id$v=19$m=64,t=10,p=1", None),
            ("argon2id$v=19$m=64,t=11,p=1", Some("takes too long")),
            ("argon2i$v=19$m=64,t=1,p=1", Some("another kind")),
            ("scrypt$m=64,t=1,p=1", Some("another kind")),
            ("argon2id$v=19$m=64,t=1,p=99", Some("parameters cannot be read")),
        ] {
            match (checked(head), expected) {
                (Ok(()), None) => {}
                (Err(found), Some(expected)) => assert!(found.contains(expected), "{head}: {found}"),
                (seen, _) => panic!("{head}: {seen:?}"),
            }
        }
        for short in
            ["$argon2id$v=19$m=64,t=1,p=1", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$01234567890123456789"]
        {
            let found = check_pin_hash(short).expect_err(short);
            assert!(found.contains("without its salt"), "{short}: {found}");
        }
        assert_eq!(check_pin_hash("1234"), Err("a text that is none".to_owned()));
    }
}
