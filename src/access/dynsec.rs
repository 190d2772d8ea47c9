//! The rules as commands for Mosquitto's dynamic security plugin, for `$CONTROL/dynamic-security/v1`: a role for each user.
//!
//! Reading and writing are told apart there, so a guarded topic can be shut for writing alone. Roles are made, filled
//! anew if they are there already, and given to users; the users themselves are not made.

use serde_json::{Value, json};

use super::{Plan, Section};
use crate::model::topic::TopicFilter;

/// A single topic goes before denials: it was looked at, and moves nothing that is guarded. Denials go before filters that
/// allow, and those before the last word.
const TOPIC_PRIORITY: i32 = 20;
const DENY_PRIORITY: i32 = 10;
const ALLOW_PRIORITY: i32 = 0;
const ELSE_PRIORITY: i32 = -1;

/// The commands, as JSON.
pub fn dynsec(plan: &Plan) -> String {
    let mut commands = vec![json!({
        "command": "setDefaultACLAccess",
        "acls": [
            {"acltype": "publishClientSend", "allow": false},
            {"acltype": "publishClientReceive", "allow": false},
            {"acltype": "subscribe", "allow": false},
        ],
    })];
    for section in &plan.sections {
        let role = format!("hushgate-{}", section.user);
        let acls = acls(plan, section);
        // The first fails where the role is there already; the second then brings it up to date.
        commands.push(json!({"command": "createRole", "rolename": role, "textdescription": section.what}));
        commands.push(json!({"command": "modifyRole", "rolename": role, "acls": acls}));
        commands.push(json!({"command": "addClientRole", "username": section.user, "rolename": role, "priority": 1}));
    }
    format!("{:#}\n", json!({"commands": commands}))
}

fn acls(plan: &Plan, section: &Section) -> Vec<Value> {
    let rule = |kind: &str, filter: &str, allow: bool, priority: i32| json!({"acltype": kind, "topic": filter, "allow": allow, "priority": priority});
    let all = |kind: &'static str, filters: Vec<&TopicFilter>, allow: bool, priority: i32| {
        filters.into_iter().map(move |filter| rule(kind, filter.as_str(), allow, priority)).collect::<Vec<_>>()
    };
    let (filters, topics) = section.writes.iter().partition(|filter| filter.as_str().contains(['+', '#']));
    let guarded = plan.guarded.keys().filter(|_| section.is_kept_out).collect();
    [
        all("publishClientSend", guarded, false, DENY_PRIORITY),
        all("publishClientSend", section.denied.iter().collect(), false, DENY_PRIORITY),
        all("publishClientSend", topics, true, TOPIC_PRIORITY),
        all("publishClientSend", filters, true, ALLOW_PRIORITY),
        all("publishClientReceive", section.reads.iter().collect(), true, ALLOW_PRIORITY),
        // Who subscribes to more than he may read is sent what he may read.
        vec![
            rule("publishClientSend", "#", false, ELSE_PRIORITY),
            rule("publishClientReceive", "#", false, ELSE_PRIORITY),
            rule("subscribePattern", "#", true, ALLOW_PRIORITY),
            rule("unsubscribePattern", "#", true, ALLOW_PRIORITY),
        ],
    ]
    .concat()
}
