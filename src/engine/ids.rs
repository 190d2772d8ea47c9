//! Identifiers and one-time tokens.
//!
//! Both are functions of what comes in from outside: the time, a sequence number and the boot seed. Nothing here draws
//! random numbers, so a replay gives the same ids. Without the seed nobody can tell a token.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::time::At;

/// Entropy for one run of the bridge, handed in by the shell. It is a secret: tokens are derived from it.
pub type BootSeed = [u8; 32];

/// Source of ids and tokens for one run.
#[derive(Clone)]
pub(super) struct Ids {
    seed: BootSeed,
    /// Public: tells ids of two runs apart. A digest, since ids are published and the seed must not be.
    run: String,
    sequence: u64,
}

impl std::fmt::Debug for Ids {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ids").field("run", &self.run).field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Ids {
    pub(super) fn new(seed: BootSeed) -> Ids {
        let run = hexadecimal(&digest(&[b"run", &seed]), 4);
        Ids { seed, run, sequence: 0 }
    }

    /// Names this run; public.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// The next id: time, sequence and run, in hexadecimal. Ids of one run sort by sequence within a millisecond.
    pub(super) fn next(&mut self, at: At) -> String {
        self.sequence = self.sequence.saturating_add(1);
        format!("{:011x}-{:06x}-{}", at.utc.as_millisecond().max(0), self.sequence, self.run)
    }

    /// The token that one channel is sent for one round of one pending: 128 bits in hexadecimal.
    pub(super) fn token(&self, pending: &str, channel: &str, round: u32) -> String {
        let digest =
            digest(&[b"token", &self.seed, pending.as_bytes(), b"\n", channel.as_bytes(), b"\n", &round.to_be_bytes()]);
        hexadecimal(&digest, 16)
    }

    /// What is remembered of a code, in memory alone. Without the seed nobody can try codes against it.
    pub(super) fn code_digest(&self, channel: &str, code: &str) -> [u8; 32] {
        digest(&[b"code", &self.seed, channel.as_bytes(), b"\n", code.as_bytes()])
    }

    /// Tells whether two sentences are the same, in memory alone. Without the seed nobody can try sentences against it.
    pub(super) fn words_digest(&self, words: &str) -> [u8; 32] {
        digest(&[b"words", &self.seed, words.as_bytes()])
    }
}

/// What is kept of a token: a stolen store must not answer for anybody.
pub(super) fn token_digest(token: &str) -> String {
    hexadecimal(&digest(&[b"kept", token.as_bytes()]), 32)
}

/// Whether `token` is the one whose digest is kept. Takes the same time for every wrong token.
pub(super) fn is_token(token: &str, kept: &str) -> bool {
    token_digest(token).as_bytes().ct_eq(kept.as_bytes()).into()
}

/// A digest of a text that is compared with itself later: SHA-256 in hexadecimal.
pub(super) fn digest_of(text: &[u8]) -> String {
    hexadecimal(&digest(&[text]), 32)
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn hexadecimal(bytes: &[u8], count: usize) -> String {
    use std::fmt::Write as _;
    bytes.iter().take(count).fold(String::with_capacity(count * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn ids_and_tokens_are_functions_of_their_inputs() {
        let at = At { monotonic_ms: 5, utc: Timestamp::UNIX_EPOCH };
        let (mut one, mut same, mut other) = (Ids::new([1; 32]), Ids::new([1; 32]), Ids::new([2; 32]));
        let first = one.next(at);
        assert_eq!(first, same.next(at));
        assert_ne!(first, one.next(at), "the sequence tells two ids of one millisecond apart");
        assert_ne!(first, other.next(at), "the seed tells two runs apart");
        let token = one.token("id", "phone", 0);
        assert_eq!(token.len(), 32);
        assert_eq!(token, same.token("id", "phone", 0));
        for different in [one.token("id", "panel", 0), one.token("id", "phone", 1), other.token("id", "phone", 0)] {
            assert_ne!(token, different);
        }
        assert!(is_token(&token, &token_digest(&token)));
        assert!(!is_token("", &token_digest(&token)));
    }

    #[test]
    fn the_seed_is_in_no_printed_form() {
        assert!(!format!("{:?}", Ids::new([0xab; 32])).contains("171"));
    }
}
