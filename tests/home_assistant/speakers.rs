//! Speakers of Home Assistant: muted, spoken through and asked by the package, and heard by the streams. One start for all,
//! as each of the parts leaves the house as it was.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Case;
use crate::client::Client;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::settings::Settings;

pub const CASES: &[Case] = &[("speakers_of_home_assistant_are_one_line_each", speakers_of_home_assistant_are_one_line_each)];

/// How long a stranger's un-mute may last.
const PUT_RIGHT_WITHIN: Duration = Duration::from_secs(2);
