//! Channels with a code: what the buttons can still do, and what is a problem.

use serde_json::json;

use super::{AT, BUTTONS, CONFIG, entry, prompt, reasons, started, stored, wire_of};
use crate::model::event::{Entry, Overheard};

#[test]
fn a_button_that_cannot_bring_a_code_is_taken_away() {
    let coded = "phone: {totp: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ, ";
    let mut wire = wire_of(&CONFIG.replacen("phone: {", coded, 1));
    wire.publication(super::info(&[]));
    wire.publication(prompt("phone", "p1", 1_000));
    let components = stored(&wire, BUTTONS)["components"].clone();
    assert_eq!(components["approve"], json!({"platform": "button"}), "so written, Home Assistant removes it");
    let press = components["reject"]["payload_press"].as_str().expect("a text");
    assert_eq!(press, "reject t0p-s3cret-phone-p1");
}

#[test]
fn a_lock_is_a_problem_until_it_ends() {
    let mut wire = started();
    let until = AT.checked_add(jiff::SignedDuration::from_mins(15)).expect("a time");
    entry(&mut wire, AT, Entry::ChannelLocked { channel: "panel".to_owned(), until });
    let told = format!("ON too many wrong codes: the channel `panel` is locked until {until}");
    assert_eq!(reasons(&wire), told);
    let before = until.checked_sub(jiff::SignedDuration::from_secs(1)).expect("a time");
    entry(&mut wire, before, Entry::Connected);
    assert_eq!(reasons(&wire), told);
    entry(&mut wire, until, Entry::Connected);
    assert_eq!(reasons(&wire), "OFF ");
}

#[test]
fn a_channel_that_others_read_is_a_problem_until_they_do_not() {
    let mut wire = started();
    for (problem, told) in
        [(Some("user `guest` can read it"), "ON the channel `panel`: user `guest` can read it"), (None, "OFF ")]
    {
        let overheard = Overheard { channel: "panel".to_owned(), problem: problem.map(str::to_owned) };
        entry(&mut wire, AT, Entry::ChannelOverheard { overheard });
        assert_eq!(reasons(&wire), told);
    }
}
