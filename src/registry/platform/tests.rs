use super::*;

fn entity(platform: &str, options: Value) -> Entity {
    let Value::Object(options) = options else { panic!("an object") };
    Entity {
        topic: format!("homeassistant/{platform}/x/config"),
        component: String::new(),
        platform: platform.to_owned(),
        entity_id: format!("{platform}.x"),
        name: "x".to_owned(),
        device: Vec::new(),
        options,
    }
}

#[test]
fn a_lock_is_unlocked() {
    let lock = entity("lock", serde_json::json!({"command_topic": "a/set"}));
    let reading = read_command(&lock, "command_topic", b"UNLOCK");
    assert_eq!((reading.action.as_str(), reading.expected.as_deref()), ("lock.unlock", Some("unlocked")));
}
