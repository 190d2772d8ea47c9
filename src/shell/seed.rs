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
#[expect(clippy::disallowed_methods, reason = "the one place where entropy comes in")]
pub fn draw() -> Result<Seeds, String> {
    let (mut boot, mut salts, mut jitter) = (BootSeed::default(), [0_u8; 32], [0_u8; 8]);
    getrandom::fill(&mut boot)
        .and_then(|()| getrandom::fill(&mut salts))
        .and_then(|()| getrandom::fill(&mut jitter))
        .map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(Seeds { boot, salts, jitter: u64::from_le_bytes(jitter) })
}
