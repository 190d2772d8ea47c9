//! What the journal says is over, though the file of the store does not know it yet.
//!
//! The journal is written before anything leaves, the store a moment later and on another thread. A bridge that is killed in
//! between has answered for a held request that the store still holds, or taken back a grant that it still has. Such a
//! request is not asked again, and such a grant is none.
//!
//! A journal that cannot be read ends nothing: what is held is then asked anew, which lets nothing go by itself.

use std::collections::BTreeSet;
use std::path::Path;

use crate::journal::ended::{Ended, ended};
use crate::journal::line::{self, Body};
use crate::model::durable::Durable;
use crate::shell::log::journal_folder;
use crate::shell::log::segments::{self, Found, Lines};

/// Segments that are read, the newest first: what the store has missed stands at the end of the journal.
const SEGMENTS_MAX: usize = 3;

/// Takes out of what was kept in the folder `data` what is over by the journal there.
pub(super) fn take_out(durable: &mut Durable, data: &Path) {
    if durable.pendings.is_empty() && durable.grants.is_empty() {
        return;
    }
    let segments = segments::list(&journal_folder(data)).unwrap_or_default();
    let mut ends = BTreeSet::new();
    for segment in segments.iter().rev().take(SEGMENTS_MAX) {
        read(&segment.path, &mut ends);
    }
    let is_over = |id: &str| ends.contains(&Ended::Held(id.to_owned()));
    let pendings = std::mem::take(&mut durable.pendings);
    durable.pendings = pendings.into_iter().filter_map(|(id, pending)| Some((id, pending.without(is_over)?))).collect();
    durable.grants.retain(|id, _| !ends.contains(&Ended::Grant(id.clone())));
}

fn read(segment: &Path, ends: &mut BTreeSet<Ended>) {
    let Ok(mut lines) = Lines::open(segment, 0) else { return };
    // A torn end is the last thing that is found.
    while let Ok(Some(found)) = lines.next_line() {
        match found {
            Found::Line { text, .. } => {
                if let Ok(line) = line::read(text)
                    && let Body::Whole(body) = line.body
                {
                    ends.extend(ended(body));
                }
            }
            Found::Unreadable { .. } => {}
            Found::Torn { .. } => return,
        }
    }
}
