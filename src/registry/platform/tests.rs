use super::*;

/// An entity from `platform {options}`; `name` and `entity_id` may be among the options.
fn entity(line: &str) -> Entity {
    let (platform, options) = line.split_once(' ').unwrap_or((line, "{}"));
    let Ok(Value::Object(mut options)) = serde_json::from_str(options) else { panic!("no options: {line}") };
    options.entry("command_topic").or_insert_with(|| "x/set".into());
    let text = |key: &str, default: String| options.get(key).map_or(default, scalar_text);
    Entity {
        topic: format!("homeassistant/{platform}/x/config"),
        component: String::new(),
        platform: platform.to_owned(),
        entity_id: text("entity_id", format!("{platform}.x")),
        name: text("name", "X".to_owned()),
        device: Vec::new(),
        options,
    }
}

/// `lock.unlock {"code_given":true} "text" -> unlocked !`; `!` is sensitive, `?` unreadable.
fn shown(reading: &Reading) -> String {
    let mut line = reading.action.clone();
    if !reading.data.is_empty() {
        line += &format!(" {}", serde_json::to_string(&reading.data).expect("data is JSON"));
    }
    if let Some(text) = &reading.text {
        line += &format!(" {text:?}");
    }
    if let Some(expected) = &reading.expected {
        line += &format!(" -> {expected}");
    }
    if reading.is_sensitive || class_of(&reading.action) == Class::Sensitive {
        line += " !";
    }
    if !reading.is_readable {
        line += " ?";
    }
    line
}

/// Runs a table of `= platform {options}` with lines `left => right` below it, and says all that differ.
fn run(table: &str, found: impl Fn(&Entity, &str) -> String) {
    let mut current = None;
    let mut cases = 0;
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if let Some(head) = line.strip_prefix("= ") {
            current = Some(entity(head));
            continue;
        }
        let (left, expected) = line.split_once(" => ").unwrap_or_else(|| panic!("no `=>`: {line}"));
        let entity = current.as_ref().expect("an entity stands before");
        let found = found(entity, left);
        cases += 1;
        if found != expected {
            let options = serde_json::to_string(&entity.options).expect("options are JSON");
            wrong.push(format!("= {} {options}\n{left} => {found}\n  expected {expected}", entity.platform));
        }
    }
    assert!(cases > 0, "no cases");
    assert!(wrong.is_empty(), "{} of {cases} differ\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn commands_are_read() {
    run(include_str!("commands.txt"), |entity, line| {
        let (key, payload) = line.split_once(' ').unwrap_or((line, ""));
        shown(&read_command(entity, key, payload.as_bytes()))
    });
}

#[test]
fn states_are_read() {
    run(include_str!("states.txt"), |entity, line| {
        let (topic, payload) = line.split_once(' ').unwrap_or((line, ""));
        assert!(state_topics(entity).contains(&topic.to_owned()) || topic == "other", "{topic}");
        let tell = |fact: FactChange| {
            assert_eq!(fact.entity, entity.entity_id);
            let value = fact.value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
            fact.attribute.map_or_else(|| value.clone(), |attribute| format!("{attribute}={value}"))
        };
        let facts: Vec<String> = read_state(entity, topic, payload.as_bytes()).into_iter().map(tell).collect();
        if facts.is_empty() { "nothing".to_owned() } else { facts.join(" ") }
    });
}

#[test]
fn what_was_done_is_put_right_where_that_is_safe() {
    run(include_str!("undo.txt"), |entity, line| {
        let (key, payload) = line.split_once(' ').unwrap_or((line, ""));
        let reading = read_command(entity, key, payload.as_bytes());
        undo(entity, key, &reading).map_or_else(
            || "nothing".to_owned(),
            |(topic, payload)| format!("{topic} {}", String::from_utf8(payload).expect("text")),
        )
    });
}

#[test]
fn what_an_undo_sends_never_opens() {
    for head in ["lock", "cover", "valve", "siren", "switch", "light", "fan", "humidifier"] {
        let entity = entity(head);
        for payload in ["UNLOCK", "OPEN", "ON", "LOCK", "CLOSE", "OFF", "TOGGLE", r#"{"state":"ON"}"#] {
            let reading = read_command(&entity, "command_topic", payload.as_bytes());
            let Some((_, undone)) = undo(&entity, "command_topic", &reading) else { continue };
            let reading = read_command(&entity, "command_topic", &undone);
            assert!(reading.is_readable && !reading.is_sensitive, "{head} {payload}: {reading:?}");
            assert_eq!(class_of(&reading.action), Class::Ordinary, "{head} {payload}: {reading:?}");
        }
    }
}

#[test]
fn sensitive_is_what_opens_or_leaves_the_house() {
    for (head, expected) in [
        ("lock", true),
        ("alarm_control_panel", true),
        ("valve", true),
        ("siren", true),
        ("notify", true),
        ("update", true),
        (r#"cover {"device_class":"garage"}"#, true),
        (r#"cover {"device_class":"gate"}"#, true),
        (r#"cover {"device_class":"door"}"#, true),
        (r#"cover {"device_class":"blind"}"#, false),
        (r#"cover {"device_class":null}"#, false),
        (r#"cover {"name":"Garage"}"#, true),
        ("switch", false),
        (r#"switch {"name":"Door opener"}"#, true),
        (r#"switch {"entity_id":"switch.garage_gate"}"#, true),
        (r#"switch {"name":"Child lock"}"#, false),
        (r#"switch {"name":"Garage light"}"#, false),
        (r#"switch {"name":"Garage"}"#, true),
        (r#"switch {"name":"Door lock light"}"#, true),
        (r#"switch {"name":"Doorbell volume"}"#, false),
        (r#"button {"name":"Haustür öffnen"}"#, true),
        (r#"select {"name":"Alarm mode"}"#, true),
        (r#"number {"name":"Brightness"}"#, false),
        (r#"light {"name":"Door light"}"#, false),
        ("light", false),
        ("climate", false),
        // Whatever it is, nobody here knows what it does.
        ("some_future_platform", true),
        (r#"some_future_platform {"command_topic":""}"#, false),
        // A root of a device message gave it a command topic that it has no use for.
        ("sensor", false),
        ("binary_sensor", false),
    ] {
        assert_eq!(is_sensitive(&entity(head)), expected, "{head}");
    }
}

#[test]
fn every_platform_has_a_name_for_what_it_cannot_read() {
    for platform in PLATFORMS {
        let reading = read_command(&entity(platform), "command_topic", &[0xff]);
        assert_eq!((reading.action, reading.is_readable), (format!("{platform}.unreadable"), false));
        let is_known =
            crate::model::action::KNOWN_ACTIONS.iter().any(|(name, _)| *name == format!("{platform}.unreadable"));
        assert!(is_known, "{platform}");
    }
    let reading = read_command(&entity("some_future_platform"), "command_topic", b"ON");
    assert_eq!(shown(&reading), "command.unreadable ! ?");
    assert_eq!(shown(&read_command(&entity("sensor"), "command_topic", b"ON")), "sensor.unreadable ?");
}

#[test]
fn every_action_that_is_read_is_known() {
    let table = include_str!("commands.txt");
    let lines = table.lines().filter(|line| !line.starts_with(['#', '=']));
    let actions = lines.filter_map(|line| line.split_once(" => ")).map(|(_, right)| right.split(' ').next());
    for action in actions.flatten() {
        let is_known = crate::model::action::KNOWN_ACTIONS.iter().any(|(name, _)| *name == action);
        assert!(is_known, "{action}");
    }
}

#[test]
fn no_code_is_ever_shown() {
    const CODE: &str = "4711";
    let heads = [
        "lock",
        r#"lock {"command_template":"{\"action\":\"{{ value }}\",\"code\":\"{{ code }}\"}"}"#,
        r#"lock {"command_template":"{{ value }}:{{ code }}"}"#,
        r#"lock {"command_template":"{{ states('x') }}"}"#,
        r#"alarm_control_panel {"command_template":"{\"action\":\"{{ action }}\",\"code\":\"{{ code }}\"}"}"#,
        r#"alarm_control_panel {"command_template":"{{ action }} {{ code }}"}"#,
        "switch",
        "siren",
        "vacuum",
        r#"light {"schema":"json"}"#,
        r#"text {"mode":"password"}"#,
        r#"text {"name":"User code"}"#,
        r#"number {"name":"PIN","max":9999}"#,
        "cover",
    ];
    let payloads = [
        "4711",
        "UNLOCK:4711",
        "UNLOCK 4711",
        "DISARM 4711",
        r#"{"action":"UNLOCK","code":"4711"}"#,
        r#"{"action":"DISARM","code":"4711"}"#,
        r#"{"action":"UNLOCK","code":4711}"#,
        r#"{"code":"4711","code":"4711"}"#,
        r#"{"state":"UNLOCK","pin":"4711"}"#,
        r#"{"pin_code":{"user":1,"user_code":"4711"}}"#,
        r#"{"command":"unlock","params":{"password":"4711"},"list":[{"pin":4711}]}"#,
        r#"{"state":"ON","pin":"4711"}"#,
    ];
    for head in heads {
        let entity = entity(head);
        for key in ["command_topic", "send_command_topic"] {
            for payload in payloads {
                let reading = read_command(&entity, key, payload.as_bytes());
                assert!(!format!("{reading:?}").contains(CODE), "{head} {payload}: {reading:?}");
                let undone = undo(&entity, key, &reading).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&undone.1).contains(CODE), "{head} {payload}");
            }
        }
        for topic in state_topics(&entity) {
            assert!(!format!("{:?}", read_state(&entity, &topic, CODE.as_bytes())).contains(CODE), "{head}");
        }
    }
}

/// Cuts, doubles, joins and changes a payload.
fn mutated(random: &mut fastrand::Rng, payloads: &[&str]) -> Vec<u8> {
    let pick = |random: &mut fastrand::Rng| payloads[random.usize(..payloads.len())].as_bytes().to_vec();
    let mut bytes = pick(random);
    for _ in 0..random.usize(..4) {
        let at = random.usize(..=bytes.len());
        match random.u8(..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.u8(..)),
            2 => bytes.extend(pick(random)),
            3 => {
                let tail = bytes.split_off(at);
                bytes.extend(pick(random));
                bytes.extend(tail);
            }
            _ => bytes.make_ascii_lowercase(),
        }
    }
    bytes
}

#[test]
fn no_payload_that_speaks_of_unlocking_is_ordinary() {
    let payloads = [
        "LOCK",
        "UNLOCK",
        "OPEN",
        "TOGGLE",
        ":",
        " ",
        "\"",
        ",",
        "1234",
        r#"{"action":"LOCK","code":"1"}"#,
        r#"{"action":"UNLOCK","code":"1"}"#,
        r#""code":"UNLOCK","#,
        r#""action":"UNLOCK","#,
    ];
    let locks = [
        entity("lock"),
        entity(r#"lock {"command_template":"{\"action\":\"{{ value }}\",\"code\":\"{{ code }}\"}"}"#),
        entity(r#"lock {"command_template":"{{ value }}:{{ code }}"}"#),
        entity(r#"lock {"command_template":"{{ code }} {{ value }}"}"#),
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let mut locked = 0;
    for _ in 0..3_000 {
        let payload = mutated(&mut random, &payloads);
        let text = String::from_utf8_lossy(&payload).to_lowercase();
        for lock in &locks {
            let reading = read_command(lock, "command_topic", &payload);
            let is_strict = reading.is_sensitive || class_of(&reading.action) == Class::Sensitive;
            // A code that is the word itself is a code: it stands where a code belongs and nowhere else.
            let without_code = text.replace(r#""code":"unlock""#, "").replace(":unlock", "").replace("unlock ", "");
            assert!(is_strict || !without_code.contains("unlock"), "{text}: {reading:?} {:?}", lock.options);
            locked += usize::from(!is_strict);
        }
    }
    assert!(locked > 100, "some payloads lock: {locked}");
}

#[test]
fn no_payload_makes_a_reading_fail() {
    let table = include_str!("commands.txt");
    let lines: Vec<&str> = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let payload_of = |line: &&'static str| line.split_once(" => ")?.0.split_once(' ').map(|(_, payload)| payload);
    let payloads: Vec<&str> = lines.iter().filter_map(payload_of).collect();
    let mut random = fastrand::Rng::with_seed(12);
    let mut current = entity("lock");
    for line in lines {
        match line.strip_prefix("= ") {
            Some(head) => current = entity(head),
            None => {
                let key = line.split(' ').next().unwrap_or_default();
                for _ in 0..8 {
                    let reading = read_command(&current, key, &mutated(&mut random, &payloads));
                    assert!(reading.is_readable || reading.action.ends_with(".unreadable"), "{reading:?}");
                    assert!(reading.is_readable || !is_sensitive(&current) || reading.is_sensitive, "{reading:?}");
                }
            }
        }
    }
}

#[test]
fn a_payload_is_read_up_to_its_bound() {
    let text = entity("notify");
    let message = |bytes: usize| read_command(&text, "command_topic", "a".repeat(bytes).as_bytes());
    assert!(message(PAYLOAD_BYTES_MAX).is_readable);
    assert_eq!(shown(&message(PAYLOAD_BYTES_MAX + 1)), "notify.unreadable ! ?");
    let lock = entity("lock");
    let huge = format!("{}UNLOCK", " ".repeat(PAYLOAD_BYTES_MAX));
    assert_eq!(shown(&read_command(&lock, "command_topic", huge.as_bytes())), "lock.unreadable ! ?");
    let light = entity(r#"light {"schema":"json"}"#);
    let state = "x".repeat(PAYLOAD_BYTES_MAX + 1);
    assert_eq!(read_state(&entity(r#"sensor {"state_topic":"s"}"#), "s", state.as_bytes()), []);
    assert_eq!(shown(&read_command(&light, "command_topic", state.as_bytes())), "light.unreadable ! ?");
}

#[test]
fn texts_are_told_up_to_their_bound() {
    let text = |bytes: usize| "a".repeat(bytes);
    let field = |bytes: usize| format!(r#"{{"state":"ON","effect":"{}"}}"#, text(bytes));
    let command = |bytes: usize| format!(r#"{{"command":"{}"}}"#, text(bytes));
    type Make<'a> = &'a dyn Fn(usize) -> String;
    let cases: [(&str, &str, Make<'_>, usize); 6] = [
        ("text", "command_topic", &text, TEXT_BYTES_MAX),
        ("climate", "preset_mode_command_topic", &text, TEXT_BYTES_MAX),
        ("light", "effect_command_topic", &text, TEXT_BYTES_MAX),
        (r#"light {"schema":"json"}"#, "command_topic", &field, TEXT_BYTES_MAX),
        ("vacuum", "set_fan_speed_topic", &text, TEXT_BYTES_MAX),
        ("vacuum", "send_command_topic", &command, vacuum::COMMAND_BYTES_MAX),
    ];
    for (head, key, payload, bytes_max) in cases {
        let read = |bytes: usize| read_command(&entity(head), key, payload(bytes).as_bytes()).is_readable;
        assert!(read(bytes_max), "{head} {key}");
        assert!(!read(bytes_max + 1), "{head} {key}");
    }
    let state = |bytes: usize| read_state(&entity(r#"sensor {"state_topic":"s"}"#), "s", text(bytes).as_bytes()).len();
    assert_eq!((state(TEXT_BYTES_MAX), state(TEXT_BYTES_MAX + 1)), (1, 0));
}

#[test]
fn parameters_of_a_vacuum_are_told_up_to_their_bound() {
    let read = |bytes: usize| {
        let filling = "a".repeat(bytes - r#"{"a":""}"#.len());
        let payload = format!(r#"{{"command":"go","a":"{filling}"}}"#);
        let reading = read_command(&entity("vacuum"), "send_command_topic", payload.as_bytes());
        assert!(reading.is_readable);
        reading.data.contains_key("params")
    };
    assert!(read(vacuum::PARAMETERS_BYTES_MAX));
    assert!(!read(vacuum::PARAMETERS_BYTES_MAX + 1));
}

#[test]
fn codes_are_recognised_up_to_their_bound() {
    let lock = entity(r#"lock {"command_template":"{{ value }} {{ code }}"}"#);
    let read = |bytes: usize| {
        let payload = format!("LOCK {}", "1".repeat(bytes));
        shown(&read_command(&lock, "command_topic", payload.as_bytes()))
    };
    assert_eq!(read(matching::CODE_BYTES_MAX), "lock.lock {\"code_given\":true} -> locked");
    assert_eq!(read(matching::CODE_BYTES_MAX + 1), "lock.unreadable ! ?");
}

#[test]
fn options_of_a_select_are_known_up_to_the_bound() {
    let options: Vec<String> = (0..=grammar::WORDS_MAX).map(|index| format!("option_{index}")).collect();
    let mut select = entity("select");
    select.options.insert("options".to_owned(), options.clone().into());
    let read = |index: usize| read_command(&select, "command_topic", options[index].as_bytes()).is_readable;
    assert!(read(grammar::WORDS_MAX - 1));
    assert!(!read(grammar::WORDS_MAX));
}

#[test]
fn a_template_that_never_ends_makes_its_topic_unreadable_and_says_no_state() {
    let bombs = [
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}",
        "{{ 'a' * 100000000 }}",
        "{% set a = 'aaaaaaaaaaaaaaaa' %}{% set a = a ~ a ~ a ~ a ~ a ~ a ~ a ~ a %}{% set a = a ~ a ~ a ~ a ~ a ~ a ~ a ~ a %}{% set a = a ~ a ~ a ~ a ~ a ~ a ~ a ~ a %}{% set a = a ~ a ~ a ~ a ~ a ~ a ~ a ~ a %}{% set a = a ~ a ~ a ~ a ~ a ~ a ~ a ~ a %}{{ a }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ 'aaaaaaaaaaaaaaaaaaaaaaaa' | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') }}",
    ];
    for bomb in bombs {
        let mut lock = entity(r#"lock {"state_topic":"s"}"#);
        lock.options.insert("command_template".to_owned(), format!("{bomb}{{{{ code }}}}").into());
        lock.options.insert("value_template".to_owned(), bomb.into());
        assert_eq!(shown(&read_command(&lock, "command_topic", b"aaaa")), "lock.unreadable ! ?", "{bomb}");
        assert_eq!(read_state(&lock, "s", b"LOCKED"), [], "{bomb}");
    }
}
