//! When to subscribe anew after discovery has changed: not at once, since devices announce themselves one after the
//! other, hundreds at a start.
//!
//! It does not know what is subscribed to.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

/// How long after the first change.
pub(super) const RENEWAL_DELAY_MS: u64 = 100;

/// The next time to subscribe anew, if there is one.
#[derive(Debug, Default)]
pub(super) struct Renewal(Option<Pin<Box<Sleep>>>);

impl Renewal {
    /// Discovery has changed. Further changes do not put it off.
    pub(super) fn ask(&mut self) {
        self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(RENEWAL_DELAY_MS))));
    }

    /// Waits until it is time. Cancelling it loses nothing.
    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(delay) => {
                delay.as_mut().await;
                self.0 = None;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_changes_are_one_renewal() {
        let half = Duration::from_millis(RENEWAL_DELAY_MS / 2);
        let mut renewal = Renewal::default();
        renewal.ask();
        tokio::time::advance(half).await;
        renewal.ask();
        let early = tokio::time::timeout(half - Duration::from_millis(2), renewal.due()).await;
        assert!(early.is_err(), "it waits for further changes");
        let due = tokio::time::timeout(Duration::from_millis(2), renewal.due()).await;
        assert!(due.is_ok(), "but no longer because of them");
        let second = tokio::time::timeout(Duration::from_secs(3_600), renewal.due()).await;
        assert!(second.is_err(), "nothing has changed since");
    }
}
