//! Entropy, from the operating system. Everything random in the program is derived from what is drawn here.

use crate::engine::BootSeed;

/// What one run draws.
#[expect(missing_debug_implementations, reason = "the boot seed is a secret: confirmation tokens are derived from it")]
pub struct Seeds {
    pub boot: BootSeed,
    /// For the salts of the journal.
    pub salts: [u8; 32],
    /// For the jitter of reconnections; no secret, and independent of the boot seed.
    pub jitter: u64,
}

/// Draws the seeds of this run.
///
/// # Errors
/// The system has no entropy to give. Without it confirmation tokens could be guessed, so the bridge must not start.
pub fn draw() -> Result<Seeds, String> {
    Ok(Seeds { boot: bytes()?, salts: bytes()?, jitter: u64::from_le_bytes(bytes()?) })
}

/// Random bytes: for a salt, or for a new secret.
///
/// # Errors
/// The system has no entropy to give.
#[expect(clippy::disallowed_methods, reason = "the one place where entropy comes in")]
pub fn bytes<const COUNT: usize>() -> Result<[u8; COUNT], String> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}
