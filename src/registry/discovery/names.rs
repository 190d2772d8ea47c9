//! Names of entities, and the ids that Home Assistant makes of them.
//!
//! An owner can rename an entity in Home Assistant; that is not seen here. Names of HTML entities (`&amp;`) are not
//! resolved.

use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// Longest name that is kept, in characters.
const NAME_CHARACTERS_MAX: usize = 255;

/// Platforms that name an entity without a name after its device class.
const NAMED_BY_CLASS: [&str; 6] = ["binary_sensor", "button", "event", "number", "sensor", "update"];

/// The name of the device and that of the entity. An entity whose name is `null` is its device. `None`: it has none.
pub(super) fn full_name(platform: &str, device: Option<&str>, options: &Map<String, Value>) -> Option<String> {
    let own = match options.get("name") {
        Some(Value::Null) => None,
        Some(name) => super::expand::text(name),
        None => Some(unnamed(platform, options)),
    };
    let parts: Vec<&str> = [device, own.as_deref()].into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(" ").chars().take(NAME_CHARACTERS_MAX).collect())
}

/// What Home Assistant calls an entity that brings no name.
fn unnamed(platform: &str, options: &Map<String, Value>) -> String {
    if let (true, Some(class)) =
        (NAMED_BY_CLASS.contains(&platform), options.get("device_class").and_then(Value::as_str))
    {
        return capitalised(class);
    }
    match (platform, options.get("schema").and_then(Value::as_str)) {
        ("alarm_control_panel", _) => "MQTT Alarm".to_owned(),
        ("climate", _) => "MQTT HVAC".to_owned(),
        ("light", Some("json")) => "MQTT JSON Light".to_owned(),
        ("light", Some("template")) => "MQTT Template Light".to_owned(),
        ("light", _) => "MQTT LightEntity".to_owned(),
        ("vacuum", _) => "MQTT State Vacuum".to_owned(),
        ("datetime", _) => "MQTT Date/Time".to_owned(),
        (platform, _) => format!("MQTT {}", capitalised(platform)),
    }
}

fn capitalised(words: &str) -> String {
    let words = words.replace('_', " ");
    let mut characters = words.chars();
    characters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), characters.as_str()))
}

/// `lock.front_door`. What the message proposes goes before the name; newer releases read `default_entity_id`, older
/// ones `object_id`.
pub(super) fn entity_id(platform: &str, name: &str, options: &Map<String, Value>) -> String {
    let text = |key: &str| options.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let proposed = text("default_entity_id").map(|id| id.split_once('.').map_or("", |(_, object)| object));
    let base = proposed.filter(|object| !object.is_empty()).or_else(|| text("object_id")).unwrap_or(name);
    let slug: String = slug(base).chars().take(NAME_CHARACTERS_MAX).collect();
    format!("{platform}.{}", if slug.is_empty() { "unknown" } else { &slug })
}

/// A text as Home Assistant writes it in an id: Latin letters, digits, single `_` between them.
fn slug(text: &str) -> String {
    // A quote separates; one that only comes of the change to Latin letters does not.
    let decomposed: String = text.replace('\'', "-").nfkd().collect();
    let latin = unidecode::unidecode(&decomposed).to_lowercase().replace('\'', "");
    let characters: Vec<char> = latin.chars().collect();
    let mut slug = String::with_capacity(characters.len());
    for (index, character) in characters.iter().enumerate() {
        let is_digit =
            |index: Option<usize>| index.and_then(|index| characters.get(index)).is_some_and(char::is_ascii_digit);
        if character.is_ascii_alphanumeric() {
            slug.push(*character);
        } else if *character == ',' && is_digit(index.checked_sub(1)) && is_digit(index.checked_add(1)) {
            // "1,000" is one number.
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.truncate(slug.trim_end_matches('_').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn slugs_are_home_assistants() {
        for (text, expected) in SLUGS {
            assert_eq!(slug(text), *expected, "{text}");
        }
    }

    #[test]
    fn an_id_is_made_of_what_is_proposed_or_of_the_names() {
        let whole = "Front door";
        for (platform, device, options, expected) in [
            ("lock", Some(whole), json!({"name": null}), "lock.front_door Front door"),
            ("lock", Some(whole), json!({"name": "Bolt"}), "lock.front_door_bolt Front door Bolt"),
            ("lock", Some(whole), json!({}), "lock.front_door_mqtt_lock Front door MQTT Lock"),
            ("lock", None, json!({}), "lock.mqtt_lock MQTT Lock"),
            ("lock", None, json!({"name": 7}), "lock.7 7"),
            ("button", Some("Plug"), json!({"device_class": "restart"}), "button.plug_restart Plug Restart"),
            ("cover", Some("Gate"), json!({"device_class": "gate"}), "cover.gate_mqtt_cover Gate MQTT Cover"),
            ("light", None, json!({"schema": "json"}), "light.mqtt_json_light MQTT JSON Light"),
            ("lock", Some(whole), json!({"name": null, "object_id": "Bolt 1"}), "lock.bolt_1 Front door"),
            (
                "lock",
                Some(whole),
                json!({"name": null, "object_id": "b", "default_entity_id": "switch.Tür"}),
                "lock.tur Front door",
            ),
            (
                "lock",
                Some(whole),
                json!({"name": null, "default_entity_id": "no_domain"}),
                "lock.front_door Front door",
            ),
            ("lock", None, json!({"name": "???"}), "lock.unknown ???"),
        ] {
            let Value::Object(options) = options else { panic!("an object") };
            let name = full_name(platform, device, &options).expect("a name");
            assert_eq!(format!("{} {name}", entity_id(platform, &name, &options)), expected);
        }
        let Value::Object(options) = json!({"name": null}) else { panic!("an object") };
        assert_eq!(full_name("lock", None, &options), None, "neither device nor entity has one");
    }

    /// What Home Assistant's own library makes of these.
    const SLUGS: &[(&str, &str)] = &[
        ("Front door", "front_door"),
        ("Haustür", "haustur"),
        ("Straße 12", "strasse_12"),
        ("Anna's lamp", "anna_s_lamp"),
        ("Anna’s lamp", "annas_lamp"),
        ("Café Ω", "cafe_o"),
        ("1,000 lumen", "1000_lumen"),
        ("a,b", "a_b"),
        ("Küche: Licht (1)", "kuche_licht_1"),
        ("__x__", "x"),
        ("ЁЖИК", "ezhik"),
        ("深圳", "shen_zhen"),
        ("50 °C", "50_degc"),
        ("--", ""),
        ("0x00158d", "0x00158d"),
        ("Lampe 💡", "lampe"),
        ("ÆØÅ æøå", "aeoa_aeoa"),
        ("ı İ", "i_i"),
        ("½ Tür", "1_2_tur"),
    ];
}
