//! `hushgate hash-pin`: the hash of a PIN, or a new secret of TOTP, for the configuration.
//!
//! The PIN is asked for without showing it, and is kept nowhere. Nothing here talks to a broker or reads a configuration.

use std::io::{BufRead, IsTerminal, Read};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, SaltString};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Exit, terminal};
use crate::shell::seed;

/// Shortest PIN, in characters. With five tries in ten minutes a shorter one would be found in days.
const PIN_MIN_CHARACTERS: usize = 4;
/// Longest PIN, in bytes. A longer answer is not looked at.
const PIN_MAX_BYTES: usize = 128;
/// Longest line that is read from standard input, in bytes.
const LINE_MAX_BYTES: u64 = 1024;
/// A salt as RFC 9106 recommends it.
const SALT_BYTES: usize = 16;
/// A secret of TOTP as RFC 4226 recommends it.
const SECRET_BYTES: usize = 20;

#[derive(Debug, Args)]
pub struct HashPinArguments {
    /// Make a new secret for an authenticator app instead, and the address that tells it to the app.
    #[arg(long)]
    totp: bool,
    /// What the app calls it: the channel's name.
    #[arg(long, requires = "totp", default_value = "confirmation")]
    name: String,
}

/// Asks for a PIN, and writes its hash; or writes a new secret.
pub fn execute(arguments: &HashPinArguments) -> Exit {
    let made = if arguments.totp { new_secret(&arguments.name) } else { read_pin().and_then(|pin| hash(&pin)) };
    match made {
        Ok(text) => {
            terminal::print_line(&text);
            terminal::help(if arguments.totp {
                "write the first line behind `totp:` of the channel; the second one is for the app, as it is or as a QR code"
            } else {
                "write it in quotes behind `pin:` of the channel, or keep it in a file: `pin: !file path`"
            });
            Exit::Done
        }
        Err(error) => {
            terminal::error(&error);
            Exit::Failure
        }
    }
}

/// From a person, who types it twice, or from a program, which writes one line.
fn read_pin() -> Result<String, String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        let read = std::io::stdin().lock().take(LINE_MAX_BYTES).read_line(&mut line);
        read.map_err(|error| format!("standard input cannot be read: {error}"))?;
        return fit(line.trim_end_matches(['\r', '\n']));
    }
    let ask = |prompt: &str| {
        rpassword::prompt_password(prompt).map_err(|error| format!("the terminal cannot be read: {error}"))
    };
    let pin = fit(&ask("PIN: ")?)?;
    if ask("The same again: ")? != pin {
        return Err("expected the same PIN twice, found two\nhelp: try it again".to_owned());
    }
    Ok(pin)
}

/// Whether a text can be a PIN. The error does not repeat it.
fn fit(pin: &str) -> Result<String, String> {
    let found = match pin.chars().count() {
        0 => "none".to_owned(),
        count if count < PIN_MIN_CHARACTERS => format!("one of {count}"),
        _ if pin.len() > PIN_MAX_BYTES => format!("one of {} bytes", pin.len()),
        _ if pin.chars().any(char::is_whitespace) => "one with a space".to_owned(),
        _ => return Ok(pin.to_owned()),
    };
    Err(format!(
        "expected a PIN of at least {PIN_MIN_CHARACTERS} characters, up to {PIN_MAX_BYTES} bytes, without spaces, found \
         {found}\nhelp: six digits or more are better: a channel allows five tries in ten minutes"
    ))
}

/// The hash in the PHC form of argon2id, with the parameters that OWASP recommends: 19 MiB, two passes.
fn hash(pin: &str) -> Result<String, String> {
    let error = |error: argon2::password_hash::Error| format!("the PIN cannot be hashed: {error}");
    let salt = SaltString::encode_b64(&seed::bytes::<SALT_BYTES>()?).map_err(error)?;
    Ok(Argon2::default().hash_password(pin.as_bytes(), &salt).map_err(error)?.to_string())
}

/// A secret in Base32, and below it the address by which apps take it in.
fn new_secret(name: &str) -> Result<String, String> {
    let secret = totp_rs::Secret::Raw(seed::bytes::<SECRET_BYTES>()?.to_vec()).to_encoded().to_string();
    let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
    Ok(format!("{secret}\notpauth://totp/Hushgate:{name}?secret={secret}&issuer=Hushgate"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, ChannelCode, NoSecrets};
    use argon2::password_hash::{PasswordHash, PasswordVerifier};

    fn code_of(key: &str, value: &str) -> ChannelCode {
        let text = format!("channels: {{a: {{kind: person, confirms: true, {key}: {value:?}}}}}");
        let mut config = config::parse("test.yaml", &text, &NoSecrets).expect("what is printed can be written");
        config.channels.remove("a").and_then(|channel| channel.code).expect("a code")
    }

    #[test]
    fn what_is_printed_can_be_written_into_the_configuration() {
        let (one, other) = (hash("4711").expect("a hash"), hash("4711").expect("a hash"));
        assert_ne!(one, other, "each has a salt of its own");
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        let ChannelCode::Pin(kept) = code_of("pin", &one) else { panic!("a PIN") };
        let kept = PasswordHash::new(kept.reveal()).expect("a hash");
        let right = |pin: &str| Argon2::default().verify_password(pin.as_bytes(), &kept).is_ok();
        assert!(right("4711") && !right("4712"));
        let printed = new_secret("back door").expect("a secret");
        let (secret, address) = printed.split_once('\n').expect("two lines");
        assert_eq!(address, format!("otpauth://totp/Hushgate:back%20door?secret={secret}&issuer=Hushgate"));
        let ChannelCode::Totp(kept) = code_of("totp", secret) else { panic!("TOTP") };
        assert_eq!(kept.reveal(), secret);
        // A file may hold both lines, as they were printed.
        assert_eq!(code_of("totp", &printed), ChannelCode::Totp(kept));
        assert_ne!(new_secret("a"), new_secret("a"));
    }

    #[test]
    fn a_pin_that_is_none_is_refused_and_not_repeated() {
        let longest = "7".repeat(PIN_MAX_BYTES);
        for right in ["0815", "geheim", longest.as_str()] {
            assert_eq!(fit(right).as_deref(), Ok(right));
        }
        let too_long = format!("{longest}7");
        for (wrong, found) in [
            ("", "found none"),
            ("081", "found one of 3"),
            ("08 15", "found one with a space"),
            (too_long.as_str(), "found one of 129 bytes"),
        ] {
            let error = fit(wrong).expect_err("it is refused");
            assert!(error.contains(found), "{error}");
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }
}
