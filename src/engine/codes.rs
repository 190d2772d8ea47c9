//! Codes that an approval brings: PINs and TOTP (RFC 6238).
//!
//! They are looked at only behind the right token, so nobody else can lock a channel or make the bridge compute. What is
//! remembered of a code is a digest that is worth nothing outside this run; no code is printed, recorded or stored.

use std::collections::VecDeque;

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordVerifier};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use totp_rs::{Algorithm, TOTP};

use super::{Engine, Turn};
use crate::config::codes::totp_secret;
use crate::config::{ChannelCode, Secret};
use crate::model::control::Code;
use crate::model::durable::{Change, Codes, LOCK_MS, WRONG_CODES_MAX, WRONG_CODES_WINDOW_MS};
use crate::model::event::{Entry, Publication};
use crate::model::time::At;

/// Wrong PINs that are remembered, so that none is hashed twice. The oldest is forgotten first.
pub(super) const WRONG_PINS_MAX: usize = 64;
/// How long one code of TOTP lasts.
pub(super) const TOTP_STEP_S: u64 = 30;
/// Digits of a code of TOTP.
pub(super) const TOTP_DIGITS: usize = 6;

/// Who the notices of the engine itself are from, where a policy's name stands otherwise.
const SENDER: &str = "hushgate";

/// Digests of PINs that were wrong.
#[derive(Debug, Default)]
pub(super) struct Wrong(VecDeque<[u8; 32]>);

impl Wrong {
    fn knows(&self, digest: &[u8; 32]) -> bool {
        self.0.contains(digest)
    }

    fn note(&mut self, digest: [u8; 32]) {
        if self.0.len() >= WRONG_PINS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(digest);
    }
}

/// What a code of TOTP is worth.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Right(u64),
    /// It is that of a step that is over for this channel.
    Used,
    Wrong,
}

impl Engine {
    /// Whether an approval brings what its channel wants. The error says why it does not count.
    ///
    /// Only a code that is wrong counts towards the lock: none at all, a used one, or one that cannot be checked does not.
    pub(super) fn check_code(&mut self, turn: &mut Turn<'_>, channel: &str, code: Option<&Code>) -> Result<(), String> {
        let Some(wanted) = self.config.channels.get(channel).and_then(|channel| channel.code.clone()) else {
            return Ok(());
        };
        let mut codes = self.world.borrow().durable.codes.get(channel).cloned().unwrap_or_default();
        if codes.locked_until_ms.is_some_and(|until_ms| turn.at.monotonic_ms < until_ms) {
            return Err("this channel is locked after too many wrong codes".to_owned());
        }
        let Some(code) = code else {
            return Err(format!("the answer has no {}", spoken(&wanted)));
        };
        match wanted {
            ChannelCode::Pin(hash) => {
                if self.is_pin(channel, &hash, code) {
                    return Ok(());
                }
                self.count_wrong(turn, channel, codes);
                Err("the PIN is wrong".to_owned())
            }
            ChannelCode::Totp(_) if !self.clock.is_plausible() => {
                Err("the clock cannot be right, so no code of TOTP can be checked".to_owned())
            }
            ChannelCode::Totp(secret) => match step_of(&secret, code, turn.at, codes.totp_step) {
                Step::Right(step) => {
                    codes.totp_step = Some(step);
                    self.change(turn, Change::Codes { channel: channel.to_owned(), codes });
                    Ok(())
                }
                Step::Used => Err("this code of TOTP, or a later one, was used already".to_owned()),
                Step::Wrong => {
                    self.count_wrong(turn, channel, codes);
                    Err("the code of TOTP is wrong".to_owned())
                }
            },
        }
    }

    fn is_pin(&mut self, channel: &str, hash: &Secret, code: &Code) -> bool {
        let digest = self.ids.code_digest(channel, code.reveal());
        if self.wrong.knows(&digest) {
            return false;
        }
        // What the configuration takes is a hash; should it be none, nothing is right.
        let is_right = PasswordHash::new(hash.reveal())
            .is_ok_and(|hash| Argon2::default().verify_password(code.reveal().as_bytes(), &hash).is_ok());
        if !is_right {
            self.wrong.note(digest);
        }
        is_right
    }

    /// Too many within the window lock the channel, and the owner is told.
    fn count_wrong(&mut self, turn: &mut Turn<'_>, channel: &str, mut codes: Codes) {
        let now_ms = turn.at.monotonic_ms;
        codes.locked_until_ms = None;
        codes.wrong_ms.retain(|wrong_ms| now_ms.saturating_sub(*wrong_ms) < WRONG_CODES_WINDOW_MS);
        codes.wrong_ms.push_back(now_ms);
        let is_locked = codes.wrong_ms.len() >= WRONG_CODES_MAX;
        if is_locked {
            codes.wrong_ms.clear();
            codes.locked_until_ms = Some(now_ms.saturating_add(LOCK_MS));
        }
        self.change(turn, Change::Codes { channel: channel.to_owned(), codes });
        if is_locked {
            let until = turn.at.plus_ms(LOCK_MS).utc;
            turn.record(Entry::ChannelLocked { channel: channel.to_owned(), until });
            let text = format!(
                "{WRONG_CODES_MAX} wrong codes came on `{channel}`. Nothing is approved there for {} minutes. If that \
                 was not you, somebody else can read its questions.",
                LOCK_MS / 60_000
            );
            turn.publish(Publication::Notice { text, policy: SENDER.to_owned() });
        }
    }
}

/// What people call it.
pub(super) fn spoken(code: &ChannelCode) -> &'static str {
    match code {
        ChannelCode::Pin(_) => "PIN",
        ChannelCode::Totp(_) => "code of TOTP",
    }
}

/// The step that a code belongs to: this one, the one before, or the next. All are compared, so that the time taken
/// tells nothing.
fn step_of(secret: &Secret, code: &Code, at: At, used: Option<u64>) -> Step {
    let Some(totp) = totp_secret(secret.reveal())
        .and_then(|secret| TOTP::new(Algorithm::SHA1, TOTP_DIGITS, 0, TOTP_STEP_S, secret).ok())
    else {
        return Step::Wrong;
    };
    let typed: String = code.reveal().chars().filter(|character| !character.is_whitespace()).collect();
    let now = u64::try_from(at.utc.as_second()).unwrap_or(0) / TOTP_STEP_S;
    let (mut found, mut step) = (Choice::from(0), 0_u64);
    for candidate in now.saturating_sub(1)..=now.saturating_add(1) {
        let is_it = totp.generate(candidate * TOTP_STEP_S).as_bytes().ct_eq(typed.as_bytes());
        step.conditional_assign(&candidate, is_it);
        found |= is_it;
    }
    match (bool::from(found), used) {
        (false, _) => Step::Wrong,
        (true, Some(used)) if step <= used => Step::Used,
        (true, _) => Step::Right(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    /// The secret of RFC 6238, appendix B.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn step(code: &str, utc_s: i64, used: Option<u64>) -> Step {
        let at = At { monotonic_ms: 0, utc: Timestamp::from_second(utc_s).expect("in range") };
        step_of(&Secret::new(SECRET.to_owned()), &Code::new(code.to_owned()), at, used)
    }

    #[test]
    fn the_codes_of_the_standard_are_right_one_step_around() {
        // RFC 6238, appendix B, cut to six digits.
        for (utc_s, code) in [(1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            let now = utc_s / 30;
            let right = u64::try_from(now).expect("positive");
            for (at, used, expected) in [
                (utc_s, None, Step::Right(right)),
                (now * 30 - 30, None, Step::Right(right)),
                (now * 30 + 59, None, Step::Right(right)),
                (now * 30 - 31, None, Step::Wrong),
                (now * 30 + 60, None, Step::Wrong),
                (utc_s, Some(right - 1), Step::Right(right)),
                (utc_s, Some(right), Step::Used),
                (utc_s, Some(right + 1), Step::Used),
            ] {
                assert_eq!(step(code, at, used), expected, "{code} at {at}, used {used:?}");
            }
        }
        assert_eq!(step("287 082", 59, None), Step::Right(1), "as apps show it");
        assert_eq!(step("28708", 59, None), Step::Wrong);
        assert_eq!(step("", 59, None), Step::Wrong);
    }

    #[test]
    fn the_oldest_wrong_pin_is_forgotten_first() {
        let mut wrong = Wrong::default();
        let digest = |index: usize| [u8::try_from(index).expect("small"); 32];
        (0..=WRONG_PINS_MAX).for_each(|index| wrong.note(digest(index)));
        assert_eq!((wrong.0.len(), wrong.knows(&digest(0)), wrong.knows(&digest(1))), (WRONG_PINS_MAX, false, true));
    }
}
