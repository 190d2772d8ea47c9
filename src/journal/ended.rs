//! What a record says is over for good: a held request that was settled, a grant that was taken back.
//!
//! The journal is written before anything leaves, and what outlives the process a moment later. Where a bridge was killed in
//! between, the journal knows of an end that the store does not.

use serde_json::Value;

/// What is over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// The held request that this decision held.
    Held(String),
    /// The grant that this decision allowed.
    Grant(String),
}

/// Reads it in the body of a line. `None`: it says of nothing that it is over, or cannot be read.
pub fn ended(body: &str) -> Option<Ended> {
    // Few records end something, and reading JSON takes far longer than looking for a word.
    if !body.contains("\"settles\"") && !body.contains("\"revoked\"") {
        return None;
    }
    let record: Value = serde_json::from_str(body).ok()?;
    let text = |pointer: &str| record.pointer(pointer)?.as_str().map(str::to_owned);
    match record.get("record")?.as_str()? {
        "decision" => text("/decision/settles/pending").map(Ended::Held),
        "revoked" => text("/id").map(Ended::Grant),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::event::{Entry, Record};

    fn body(entry: Entry) -> String {
        serde_json::to_string(&Record { at: Timestamp::UNIX_EPOCH, entry }).expect("JSON")
    }

    #[test]
    fn only_what_ends_something_is_read() {
        let revoked = body(Entry::Revoked { id: "7".to_owned(), by: "revoked".to_owned() });
        assert_eq!(ended(&revoked), Some(Ended::Grant("7".to_owned())));
        let settled =
            r#"{"at":"2027-01-01T00:00:00Z","record":"decision","decision":{"id":"9","settles":{"pending":"8"}}}"#;
        assert_eq!(ended(settled), Some(Ended::Held("8".to_owned())));
        let unmuted = body(Entry::Unmuted { speaker: "\"settles\"".to_owned(), by: "\"revoked\"".to_owned() });
        for other in [unmuted.as_str(), r#"{"record":"decision","decision":{"settles":7}}"#, "{\"revoked\"", ""] {
            assert_eq!(ended(other), None, "{other}");
        }
    }
}
