//! The journal says of more than the store knows that it is over.

use super::*;
use crate::journal::line;
use crate::model::durable::{Grant, Pending};

fn held(id: &str, items: &[&str]) -> Change {
    let request = serde_json::json!({"action": "lock.unlock", "source": {"kind": "voice"}, "door": "gate"});
    let arrival = serde_json::json!({"request": request, "held": "question", "reply": null});
    let item = |id: &&str| serde_json::json!({"id": id, "arrival": arrival, "question": "?", "at_ms": 0});
    let items: Vec<serde_json::Value> = items.iter().map(item).collect();
    let pending: Pending = serde_json::from_value(serde_json::json!({
        "id": id, "first": items[0], "joined": items[1..], "terms": {"ask": "?", "within_ms": 5_000, "from": []},
        "question": "?", "channels": [], "tokens": {}, "round": 0, "opened_ms": 0, "asked_ms": 0, "expires_ms": 0,
        "until": "2027-01-01T00:00:00Z",
    }))
    .unwrap();
    Change::Hold { pending: Box::new(pending) }
}

fn grant(id: &str) -> Change {
    let until = at(1).utc;
    let [channel, action, by] = ["phone", "lock.unlock", "1"].map(str::to_owned);
    Change::Grant { id: id.to_owned(), grant: Grant { channel, action, target: None, until_ms: 0, until, by } }
}

fn settled(id: &str) -> String {
    format!(r#"{{"record":"decision","decision":{{"id":"x","settles":{{"pending":"{id}","outcome":"rejected"}}}}}}"#)
}

fn write_journal(data: &Path, name: &str, bodies: &[String]) {
    let folder = data.join("journal");
    fs::create_dir_all(&folder).unwrap();
    let lines: String = (1..).zip(bodies).map(|(seq, body)| line::write(seq, &[0; 32], body, "{}")).collect();
    fs::write(folder.join(name), lines).unwrap();
}

#[tokio::test]
async fn what_is_over_by_the_journal_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = new_in(folder.path());
    for change in [held("1", &["1"]), held("2", &["2", "3", "4"]), held("5", &["5"]), held("6", &["6", "7"])] {
        store.keep(change);
    }
    store.keep(grant("8"));
    store.keep(grant("9"));
    store.close(at(1)).await.unwrap();
    let (whole, _) = kept_in(folder.path());
    assert_eq!((whole.pendings.len(), whole.grants.len()), (4, 2), "no journal ends nothing");

    let revoked = r#"{"record":"revoked","id":"8","by":"control"}"#.to_owned();
    write_journal(folder.path(), "000000000001.log", &[settled("1"), "#".to_owned(), settled("6"), revoked]);
    write_journal(folder.path(), "000000000005.log", &[settled("2"), settled("4"), settled("7")]);
    let newest = folder.path().join("journal/000000000005.log");
    let torn = fs::read_to_string(&newest).unwrap() + "4\tthe line that a kill has cut off, \"settles\"";
    fs::write(&newest, torn).unwrap();
    let (durable, _) = kept_in(folder.path());
    assert_eq!(durable.grants.into_keys().collect::<Vec<_>>(), ["9"]);
    let left: Vec<Vec<&str>> =
        durable.pendings.values().map(|pending| pending.items().map(|item| item.id.as_str()).collect()).collect();
    assert_eq!(left, [vec!["3"], vec!["5"]], "of a group, what is not settled is left");
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_held_command_is_left_in_the_files_when_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let holds = || {
        let files = fs::read_dir(folder.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| String::from_utf8_lossy(&bytes).contains("the-id-of-a-held-command"))
    };
    let mut store = new_in(folder.path());
    store.keep(held("the-id-of-a-held-command", &["the-id-of-a-held-command"]));
    assert_eq!(written(&mut store, 1).await, Ok(()));
    assert!(holds(), "it would be there after a crash");
    store.keep(Change::Release { id: "the-id-of-a-held-command".to_owned() });
    assert_eq!(written(&mut store, 2).await, Ok(()));
    assert!(!holds(), "not in what is written ahead either");
}
