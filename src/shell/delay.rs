//! What is to be done soon, but not at once, and once for all who ask for it meanwhile.
//!
//! It does not know what that is.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

/// The next time to do it, if there is one.
#[derive(Debug)]
pub(super) struct Delay {
    wait_ms: u64,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Delay {
    /// It is done so long after the first who asks.
    pub(super) fn of(wait_ms: u64) -> Delay {
        Delay { wait_ms, sleep: None }
    }

    /// It is to be done. Whoever asks again meanwhile does not put it off.
    pub(super) fn ask(&mut self) {
        self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(Duration::from_millis(self.wait_ms))));
    }

    /// Waits until it is time. Cancelling it loses nothing.
    pub(super) async fn due(&mut self) {
        match &mut self.sleep {
            Some(sleep) => {
                sleep.as_mut().await;
                self.sleep = None;
            }
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_are_served_once() {
        const WAIT_MS: u64 = 100;
        let half = Duration::from_millis(WAIT_MS / 2);
        let mut delay = Delay::of(WAIT_MS);
        delay.ask();
        tokio::time::advance(half).await;
        delay.ask();
        let early = tokio::time::timeout(half - Duration::from_millis(2), delay.due()).await;
        assert!(early.is_err(), "it waits for others");
        let due = tokio::time::timeout(Duration::from_millis(2), delay.due()).await;
        assert!(due.is_ok(), "but no longer because of them");
        let second = tokio::time::timeout(Duration::from_secs(3_600), delay.due()).await;
        assert!(second.is_err(), "nobody has asked since");
    }
}
