//! How long to wait before the next attempt: exponential, with full jitter.
//!
//! No clock and no entropy here: the seed comes in, delays go out.

/// Upper bound of the first delay.
pub(super) const DELAY_FIRST_MS: u64 = 500;
/// Upper bound of every delay.
pub(super) const DELAY_MAX_MS: u64 = 30_000;

/// The series of delays since the last stable connection.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    state: u64,
    attempt: u32,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Backoff {
        Backoff { state: seed, attempt: 0 }
    }

    pub(super) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// A delay between nothing and the bound of this attempt; the bound doubles each time.
    pub(super) fn next_delay_ms(&mut self) -> u64 {
        let bound_ms = DELAY_FIRST_MS.saturating_mul(1_u64.checked_shl(self.attempt).unwrap_or(u64::MAX));
        self.attempt = self.attempt.saturating_add(1).min(63);
        self.random() % (bound_ms.min(DELAY_MAX_MS) + 1)
    }

    /// SplitMix64: small, and good enough for jitter.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest of many first, second, … delays comes near its bound and never passes it.
    #[test]
    fn delays_fill_their_bounds_and_never_pass_them() {
        for (attempt, bound_ms) in [(0, 500), (1, 1_000), (5, 16_000), (6, 30_000), (90, 30_000)] {
            let delays: Vec<u64> = (0..2_000)
                .map(|seed| {
                    let mut backoff = Backoff::new(seed);
                    for _ in 0..attempt {
                        backoff.next_delay_ms();
                    }
                    backoff.next_delay_ms()
                })
                .collect();
            let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
            assert!(*most <= bound_ms && *most > bound_ms * 9 / 10, "attempt {attempt}: {most} of {bound_ms}");
            assert!(*least < bound_ms / 10, "attempt {attempt}: {least} of {bound_ms}");
        }
    }

    #[test]
    fn a_stable_connection_begins_the_series_anew() {
        let mut backoff = Backoff::new(7);
        for _ in 0..20 {
            backoff.next_delay_ms();
            backoff.reset();
            assert!(backoff.clone().next_delay_ms() <= DELAY_FIRST_MS);
        }
    }
}
