//! Grants: a channel may do something for a while without being asked about.
//!
//! To grant is a sensitive request like any other that loosens. A grant answers in the place of a person: it turns
//! `confirm` into `allow`, and nothing else. It never turns a deny, it never reaches the bridge itself, and it serves only
//! a channel that the configuration vouches for. It cannot recall what it has let go.

use jiff::Timestamp;
use serde_json::Value;

use super::combine::Combined;
use super::judge::Applied;
use super::{Engine, Turn};
use crate::model::action::{ACTION_BYTES_MAX, Class};
use crate::model::control::{Control, LOOSEN_DEFAULT_MS, LOOSEN_MAX_MS, Until};
use crate::model::decision::Verdict;
use crate::model::durable::{Change, Grant};
use crate::model::event::{Entry, Publication};
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Door, Held, Request, SourceKind};
use crate::model::time::At;

/// Grants that stand at one time. One more is refused.
pub const GRANTS_MAX: usize = 64;
/// Longest target of a grant, in bytes.
pub const GRANT_TARGET_BYTES_MAX: usize = 256;

/// How the bridge's own actions begin. No grant reaches them.
const OWN_ACTIONS: &str = "hushgate.";
const NANOSECONDS_OF_A_MILLISECOND: u64 = 1_000_000;
const TOO_LATE: &str = "its time was over before it was allowed; nothing was granted";

impl Engine {
    /// A grant as it would be given, with the instant at which it ends; everything else as it is.
    ///
    /// # Errors
    /// Why it cannot be given.
    pub(super) fn bind_grant(&self, at: At, control: Control) -> Result<Control, String> {
        let Control::Grant { channel, action, target, for_ms, until } = control else { return Ok(control) };
        if self.mode() == Mode::Observe {
            return Err("expected the mode `enforce`, found `observe`: nothing is held, so there is nothing to grant"
                .to_owned());
        }
        self.check_grant(&channel, &action, target.as_deref())?;
        let end = until.map(|until| self.instant(at, until)).transpose()?;
        let for_ms = self.grant_lasts_ms(at, for_ms, end)?;
        let until = Some(Until::Utc(end.unwrap_or_else(|| at.plus_ms(for_ms).utc)));
        Ok(Control::Grant { channel, action, target, for_ms: Some(for_ms), until })
    }

    fn check_grant(&self, channel: &str, action: &str, target: Option<&str>) -> Result<(), String> {
        let Some(known) = self.config.channels.get(channel) else {
            return Err(format!("expected a configured channel, found `{channel}`"));
        };
        let pattern = Glob::new(action);
        let mut fitting = self.catalog.actions.iter().filter(|known| pattern.matches(known)).peekable();
        if action.len() > ACTION_BYTES_MAX || fitting.peek().is_none() {
            return Err(format!("expected a known action, or a pattern that fits one, found `{action}`"));
        }
        for fit in fitting {
            if fit.starts_with(OWN_ACTIONS) {
                return Err(format!(
                    "expected an action of the house: `{action}` fits `{fit}`, which nobody is granted"
                ));
            }
            if known.kind == SourceKind::Voice && self.config.class_of(fit) == Class::Sensitive {
                return Err(format!("`{fit}` is sensitive, and voice is granted nothing sensitive"));
            }
        }
        if target.is_some_and(|target| target.is_empty() || target.len() > GRANT_TARGET_BYTES_MAX) {
            return Err(format!("expected a target of 1 to {GRANT_TARGET_BYTES_MAX} bytes, found another"));
        }
        if self.world.borrow().durable.grants.len() >= GRANTS_MAX {
            return Err(format!("expected at most {GRANTS_MAX} grants, found as many already: revoke one"));
        }
        Ok(())
    }

    /// How long a grant lasts, counted from when it is asked for.
    fn grant_lasts_ms(&self, at: At, for_ms: Option<u64>, end: Option<Timestamp>) -> Result<u64, String> {
        let lasts_ms = match (for_ms, end) {
            (for_ms, None) => for_ms.unwrap_or(LOOSEN_DEFAULT_MS),
            (Some(_), Some(_)) => return Err("expected `for` or `until`, found both".to_owned()),
            (None, Some(end)) => {
                if !self.clock.is_plausible() {
                    return Err(
                        "expected a clock that can be right, found another: say how long, with `for`".to_owned()
                    );
                }
                // Rounded up, so that a grant until eleven ends at eleven and not a moment before.
                let left_ns = u64::try_from(end.duration_since(at.utc).as_nanos()).unwrap_or(0);
                left_ns.div_ceil(NANOSECONDS_OF_A_MILLISECOND)
            }
        };
        if lasts_ms == 0 {
            return Err("expected an end in the future, found one that is over".to_owned());
        }
        if lasts_ms > LOOSEN_MAX_MS {
            return Err(format!("expected at most {} hours", LOOSEN_MAX_MS / 3_600_000));
        }
        Ok(lasts_ms)
    }

    fn instant(&self, at: At, until: Until) -> Result<Timestamp, String> {
        let time = match until {
            Until::Utc(end) => return Ok(end),
            Until::Clock(time) => time,
        };
        let now = at.utc.to_zoned(self.house_zone());
        let today = now.with().time(time).build();
        let next =
            today.and_then(|today| if today > now { Ok(today) } else { now.tomorrow()?.with().time(time).build() });
        next.map(|next| next.timestamp()).map_err(|error| format!("expected a time that comes: {error}"))
    }

    /// A grant was not given, and why.
    pub(super) fn refuse_grant(&self, turn: &mut Turn<'_>, reason: &str) {
        let topic = format!("{}/grant/set", self.config.base);
        turn.record(Entry::Refused { topic, reason: reason.to_owned() });
    }

    /// Says in the request who is to be granted what until when. The channel that gains by it must not confirm it.
    pub(super) fn name_what_is_granted(&self, arrival: &mut Arrival) {
        let Held::Control(Control::Grant { channel, action, target, until, .. }) = &arrival.held else { return };
        arrival.request.source.likely_channels = vec![channel.clone()];
        let data = &mut arrival.request.data;
        data.insert("action".to_owned(), action.clone().into());
        if let Some(target) = target {
            data.insert("target".to_owned(), target.clone().into());
        }
        if let Some(Until::Utc(until)) = until {
            data.insert("until".to_owned(), self.house_time(*until, "%Y-%m-%dT%H:%M:%S%:z").into());
        }
    }

    /// A grant was allowed, by the decision `by`.
    pub(super) fn grant(&mut self, turn: &mut Turn<'_>, control: Control, by: &str) {
        let Control::Grant { channel, action, target, for_ms: Some(for_ms), until: Some(Until::Utc(until)) } = control
        else {
            return;
        };
        // Never longer than was asked for, whatever has become of the clock since.
        let left_ms = u64::try_from(until.duration_since(turn.at.utc).as_millis()).unwrap_or(0).min(for_ms);
        // What was possible when it was asked for need not be so any more.
        let refusal = self.check_grant(&channel, &action, target.as_deref()).err();
        if let Some(reason) = refusal.or_else(|| (left_ms == 0).then(|| TOO_LATE.to_owned())) {
            self.refuse_grant(turn, &reason);
            return;
        }
        let end = turn.at.plus_ms(left_ms);
        let (id, until) = (by.to_owned(), until.min(turn.at.plus_ms(for_ms).utc));
        turn.record(Entry::Granted {
            id: id.clone(),
            channel: channel.clone(),
            action: action.clone(),
            target: target.clone(),
            until,
        });
        let grant =
            Grant { channel: channel.clone(), action, target, until_ms: end.monotonic_ms, until, by: id.clone() };
        self.change(turn, Change::Grant { id: id.clone(), grant: grant.clone() });
        turn.publish(Publication::GrantState { id, grant: Some(grant) });
        self.judge_channel_again(turn, &channel);
    }

    /// What is held of this channel may be let go now.
    fn judge_channel_again(&mut self, turn: &mut Turn<'_>, channel: &str) {
        let pendings = self.world.borrow().durable.pendings.clone();
        let asked = |request: &Request| request.source.channel.as_deref() == Some(channel);
        for pending in pendings.into_values().filter(|pending| asked(&pending.first.arrival.request)) {
            self.judge_pending_again(turn, &pending.id, "something was granted", false);
        }
    }

    /// Ends a grant at once. What it has let go has gone.
    pub(super) fn revoke(&mut self, turn: &mut Turn<'_>, id: &str, by: &str) {
        turn.record(Entry::Revoked { id: id.to_owned(), by: by.to_owned() });
        self.change(turn, Change::Revoke { id: id.to_owned() });
        turn.publish(Publication::GrantState { id: id.to_owned(), grant: None });
    }

    /// After a start: a grant ends when it said. Where that cannot be known, or its channel is no more, it ends now.
    pub(super) fn restore_grants(&mut self, turn: &mut Turn<'_>) {
        let is_known = self.clock.is_plausible();
        let grants = self.world.borrow().durable.grants.clone();
        for (id, grant) in grants {
            let is_over = grant.until_ms <= turn.at.monotonic_ms || grant.until <= turn.at.utc;
            if is_over || !is_known || !self.config.channels.contains_key(&grant.channel) {
                self.revoke(turn, &id, "restart");
            }
        }
    }

    pub(super) fn is_granted(&self, id: &str) -> bool {
        self.world.borrow().durable.grants.contains_key(id)
    }

    pub(super) fn tell_grants(&self, turn: &mut Turn<'_>) {
        for (id, grant) in &self.world.borrow().durable.grants {
            turn.publish(Publication::GrantState { id: id.clone(), grant: Some(grant.clone()) });
        }
    }

    /// Where a confirmation is wanted and the request is granted, it is allowed. Opinions stay as they are.
    pub(super) fn let_by_grant(&self, at: At, request: &Request, all: &mut Combined, applied: &mut Applied) {
        if applied.verdict != Verdict::Confirm && all.verdict != Verdict::Confirm {
            return;
        }
        let Some(reason) = self.granted(at, request) else { return };
        let was_applied = applied.verdict;
        if was_applied == Verdict::Confirm {
            *applied = Applied { verdict: Verdict::Allow, terms: None };
        }
        if all.verdict == Verdict::Deny {
            // Only a rule that observes denies here. Whoever reads why it went must find the grant.
            all.reason = format!("{}; {reason}", all.reason);
        } else {
            *all = Combined { verdict: Verdict::Allow, reason, deciding: Vec::new(), terms: None };
        }
    }

    /// Why a request needs no confirmation: of all grants that fit, the one that lasts longest.
    fn granted(&self, at: At, request: &Request) -> Option<String> {
        let source = &request.source;
        let channel = source.channel.as_ref()?;
        let kind = self.config.channels.get(channel)?.kind;
        // Who says of itself that it is something less than its channel is not whom it was granted to.
        let is_vouched = source.is_vouched() && source.kind == kind;
        let is_voice = request.sensitive && kind == SourceKind::Voice;
        let waits = matches!(request.door, Door::Gate | Door::Ask | Door::Twin);
        if !is_vouched || is_voice || !waits || request.action.starts_with(OWN_ACTIONS) {
            return None;
        }
        let world = self.world.borrow();
        let fits = |grant: &Grant| {
            grant.channel == *channel
                // Whichever of the clocks says first that it is over: a clock that was put on makes it end early, never late.
                && grant.until_ms > at.monotonic_ms
                && grant.until > at.utc
                && grant.target.as_ref().is_none_or(|target| request.target.as_ref() == Some(target))
                && Glob::new(grant.action.as_str()).matches(&request.action)
        };
        let fitting = world.durable.grants.iter().filter(|(_, grant)| fits(grant));
        let (id, grant) = fitting.max_by_key(|(_, grant)| grant.until_ms)?;
        Some(format!("granted to `{channel}` until {} (decision {id})", self.house_time(grant.until, "%H:%M")))
    }

    /// An instant as the clocks of the house show it.
    fn house_time(&self, instant: Timestamp, format: &str) -> String {
        instant.to_zoned(self.house_zone()).strftime(format).to_string()
    }
}

/// What is granted, for the one who is asked.
pub(super) fn meaning(request: &Request) -> String {
    let text = |name: &str| request.data.get(name).and_then(Value::as_str);
    let channel = request.target.as_deref().unwrap_or_default();
    let action = text("action").unwrap_or_default();
    let target = text("target").map(|target| format!(" on `{target}`")).unwrap_or_default();
    // A grant lasts a day at most, so the time of day says which instant is meant.
    let time = text("until").and_then(|until| until.get(11..16));
    let until = time.map(|time| format!(" until {time}")).unwrap_or_default();
    format!("`{channel}` may do `{action}`{target} without being asked{until}")
}

#[cfg(test)]
mod tests;
