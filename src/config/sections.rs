//! The top of the configuration: broker, house and the lists below it.
//!
//! Each section is read on its own, so that one mistake hides no other. What ties sections together is in `checks`.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::reader::{Cursor, Fields, Reader};
use super::{
    BASE_DEFAULT, Broker, Carrier, Config, HomeAssistant, Log, Remote, STALE_AFTER_DEFAULT_MS, Secret, Tls, checks,
    devices, entries, home_assistant, integrations, keys, log,
};
use crate::model::action::FLOOR_DEFAULT;
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::topic::{self, DISCOVERY_PREFIX};
use crate::script::nearest::did_you_mean_one_of;
use crate::time::{Place, parse_duration_ms};

/// Where the embedded broker listens unless the owner says otherwise.
pub(super) const EMBEDDED_DEFAULT: &str = "127.0.0.1:1883";
/// Where the bridge keeps what must outlive it, unless the owner says otherwise.
const DATA_DEFAULT: &str = "hushgate-data";
/// The bounds of `stale_after`.
pub(super) const STALE_AFTER_MIN_MS: u64 = 1_000;
pub(super) const STALE_AFTER_MAX_MS: u64 = 10 * 60_000;
/// Patterns in `sensitive`, `ordinary` or `floor`.
pub(super) const GLOBS_MAX: usize = 256;
/// Entries of `ask.response_prefixes`.
pub(super) const RESPONSE_PREFIXES_MAX: usize = 64;
/// Longest base topic, in bytes. What is appended to it must still be a topic.
pub(super) const BASE_BYTES_MAX: usize = 128;

pub(super) fn read(reader: &mut Reader<'_>, root: &Cursor<'_>) -> Config {
    reader.refuse_duplicates(root);
    let fields = reader.fields(root, keys::ROOT);
    let base = read_base(reader, &fields);
    let (statestream, facts) =
        fields.get("facts").map_or_else(Default::default, |cursor| entries::facts(reader, cursor));
    let (integrations_folder, integrations) = integrations::read(reader, fields.get("integrations"));
    let mut config = Config {
        integrations_folder,
        integrations,
        broker: read_broker(reader, &fields),
        mode: read_mode(reader, &fields),
        place: read_place(reader, &fields),
        policies: read_text(reader, &fields, "policies").map_or_else(|| PathBuf::from("policies"), PathBuf::from),
        stale_after_ms: read_stale_after(reader, &fields),
        commands: fields.get("commands").map_or_else(Vec::new, |cursor| entries::commands(reader, cursor)),
        statestream,
        facts,
        events: fields.get("events").map_or_else(Vec::new, |cursor| entries::events(reader, cursor)),
        channels: fields.get("channels").map_or_else(Default::default, |cursor| devices::channels(reader, cursor)),
        speakers: fields.get("speakers").map_or_else(Default::default, |cursor| devices::speakers(reader, cursor)),
        notify: fields
            .get("notify")
            .map_or_else(Vec::new, |cursor| devices::outgoing(reader, cursor, &["text", "policy"])),
        response_prefixes: read_response_prefixes(reader, &fields, &base),
        sensitive: read_globs(reader, &fields, "sensitive").unwrap_or_default(),
        ordinary: read_globs(reader, &fields, "ordinary").unwrap_or_default(),
        floor: read_globs(reader, &fields, "floor")
            .unwrap_or_else(|| FLOOR_DEFAULT.iter().map(|pattern| Glob::new(*pattern)).collect()),
        home_assistant: fields
            .get("home_assistant")
            .map_or_else(HomeAssistant::default, |cursor| home_assistant::read(reader, cursor)),
        data: read_text(reader, &fields, "data").map_or_else(|| PathBuf::from(DATA_DEFAULT), PathBuf::from),
        log: fields.get("log").map_or_else(Log::default, |cursor| log::read(reader, cursor)),
        base,
    };
    let carried = config.home_assistant.channel.as_ref().and_then(|name| config.channels.get_mut(name));
    if let Some(channel) = carried {
        channel.carrier = Carrier::HomeAssistant;
    }
    checks::check(reader, &fields, &config);
    config
}

pub(super) fn read_text(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let cursor = fields.get(key)?;
    let scalar = reader.text(cursor)?;
    if scalar.text.is_empty() {
        reader.error(cursor, "expected a text, found an empty one", Some(format!("leave `{key}` out")));
        return None;
    }
    Some(scalar.text)
}

fn read_base(reader: &mut Reader<'_>, fields: &Fields<'_>) -> String {
    let default = || BASE_DEFAULT.to_owned();
    let Some(cursor) = fields.get("base") else { return default() };
    let Some(scalar) = reader.text(cursor) else { return default() };
    let base = scalar.text.as_str();
    let problem = match topic::check_name(base) {
        Err(error) => Some(error.to_string()),
        Ok(()) if base.len() > BASE_BYTES_MAX => Some(format!("it is longer than {BASE_BYTES_MAX} bytes")),
        Ok(()) if base.split('/').any(str::is_empty) => Some("it has an empty level".to_owned()),
        Ok(()) if topic::is_under(base, DISCOVERY_PREFIX) => Some("it belongs to Home Assistant".to_owned()),
        Ok(()) => None,
    };
    if let Some(problem) = problem {
        let help = Some("write a topic such as `hushgate`".to_owned());
        reader.error(cursor, format!("expected a topic, found {}: {problem}", scalar.shown()), help);
        return default();
    }
    scalar.text
}

fn read_mode(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Mode {
    let Some(cursor) = fields.get("mode") else { return Mode::Observe };
    let Some(scalar) = reader.text(cursor) else { return Mode::Observe };
    match scalar.text.as_str() {
        "observe" => Mode::Observe,
        "enforce" => Mode::Enforce,
        other => {
            let help = did_you_mean_one_of(other, ["observe", "enforce"]);
            reader.error(cursor, format!("expected `observe` or `enforce`, found {}", scalar.shown()), help);
            Mode::Observe
        }
    }
}

fn read_place(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Place {
    let zone = fields.get("time_zone").and_then(|cursor| {
        let scalar = reader.text(cursor)?;
        let zone = TimeZone::get(&scalar.text).ok();
        if zone.is_none() {
            let help = Some("write a name such as `Europe/Berlin` or `America/Los_Angeles`".to_owned());
            reader.error(cursor, format!("expected an IANA time zone, found {}", scalar.shown()), help);
        }
        zone
    });
    let latitude = read_degrees(reader, fields, "latitude", 90.0);
    let longitude = read_degrees(reader, fields, "longitude", 180.0);
    for (key, other) in [("latitude", "longitude"), ("longitude", "latitude")] {
        if let (Some(cursor), None) = (fields.get(key), fields.get(other)) {
            let help = Some(format!("add `{other}: …`, or leave `{key}` out"));
            reader.key_error(cursor, format!("expected `{other}` beside `{key}`, found none"), help);
        }
    }
    Place { zone, coordinates: latitude.zip(longitude) }
}

fn read_degrees(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str, bound: f64) -> Option<f64> {
    let cursor = fields.get(key)?;
    let degrees = reader.number(cursor)?;
    if degrees.abs() <= bound {
        return Some(degrees);
    }
    let help = Some("write degrees with a decimal point; south and west are negative".to_owned());
    reader.error(cursor, format!("expected {key} from -{bound} to {bound}, found another number"), help);
    None
}

fn read_stale_after(reader: &mut Reader<'_>, fields: &Fields<'_>) -> u64 {
    let Some(cursor) = fields.get("stale_after") else { return STALE_AFTER_DEFAULT_MS };
    let Some(scalar) = reader.scalar(cursor) else { return STALE_AFTER_DEFAULT_MS };
    let within = |duration_ms: &u64| (STALE_AFTER_MIN_MS..=STALE_AFTER_MAX_MS).contains(duration_ms);
    parse_duration_ms(&scalar.text).ok().filter(within).unwrap_or_else(|| {
        let message = format!("expected a duration from `1s` to `10m`, found {}", scalar.shown());
        reader.error(cursor, message, Some("write it like `10s`".to_owned()));
        STALE_AFTER_DEFAULT_MS
    })
}

pub(super) fn read_globs(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<Vec<Glob>> {
    let cursor = fields.get(key)?;
    let items = reader.list(cursor, GLOBS_MAX);
    let read = |item: &Cursor<'_>| {
        let scalar = reader.text(item)?;
        let is_pattern = scalar.text.contains(['.', '*'])
            && scalar
                .text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b'*'));
        if is_pattern {
            return Some(Glob::new(scalar.text));
        }
        let help = Some("write `lock.unlock` or `notify.*`".to_owned());
        reader.error(item, format!("expected an action or a pattern of actions, found {}", scalar.shown()), help);
        None
    };
    Some(items.iter().filter_map(read).collect())
}

fn read_response_prefixes(reader: &mut Reader<'_>, fields: &Fields<'_>, base: &str) -> Vec<String> {
    let Some(cursor) = fields.get("ask") else { return Vec::new() };
    let ask = reader.fields(cursor, keys::ASK);
    let Some(list) = ask.get("response_prefixes") else { return Vec::new() };
    let mut prefixes = Vec::new();
    for item in reader.list(list, RESPONSE_PREFIXES_MAX) {
        let Some(scalar) = reader.text(&item) else { continue };
        let problem = match topic::check_name(&scalar.text) {
            Err(error) => Some(error.to_string()),
            Ok(()) if scalar.text.ends_with('/') => Some("it ends with `/`".to_owned()),
            Ok(()) if topic::is_under(&scalar.text, base) || topic::is_under(base, &scalar.text) => {
                Some("the bridge's own topics lie there".to_owned())
            }
            Ok(()) if topic::is_under(&scalar.text, DISCOVERY_PREFIX) => {
                Some("it belongs to Home Assistant".to_owned())
            }
            Ok(()) => None,
        };
        if let Some(problem) = problem {
            let help = Some("write the topic above the answers, such as `answers`".to_owned());
            reader.error(&item, format!("expected a topic for answers, found {}: {problem}", scalar.shown()), help);
        } else {
            prefixes.push(scalar.text);
        }
    }
    prefixes
}

fn read_broker(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Broker {
    let default = || Broker::Embedded { listen: ([127, 0, 0, 1], 1883).into() };
    let Some(cursor) = fields.get("broker") else { return default() };
    let broker = reader.fields(cursor, keys::BROKER);
    let username = read_text(reader, &broker, "username");
    let password = read_password(reader, &broker);
    let ca_file = read_text(reader, &broker, "ca_file").map(PathBuf::from);
    let Some(url) = reader.required(&broker, "url") else { return default() };
    let Some(scalar) = reader.text(url) else { return default() };
    let (scheme, address) = scalar.text.split_once("://").unwrap_or(("", &scalar.text));
    if address.contains('@') {
        // The password may stand in it, so the text is not repeated.
        let help = Some("write `username:` and `password:` beside `url:`".to_owned());
        reader.error(url, "expected a host and a port, found user and password in the address", help);
        return default();
    }
    if let ("mqtt" | "mqtts", Some((host, port))) =
        (scheme, read_host(address, if scheme == "mqtt" { 1883 } else { 8883 }))
    {
        if let (Some(cursor), "mqtt") = (broker.get("ca_file"), scheme) {
            let help = Some("write `mqtts://` in `url`, or leave `ca_file` out".to_owned());
            reader.key_error(cursor, "expected `ca_file` only with TLS, found `mqtt://`", help);
        }
        let tls = (scheme == "mqtts").then_some(Tls { ca_file });
        return Broker::Remote(Remote { host, port, tls, username, password });
    }
    if let ("embedded", Ok(listen)) = (scheme, address.trim_end_matches('/').parse()) {
        for key in ["username", "password", "ca_file"] {
            if let Some(cursor) = broker.get(key) {
                let help = Some("leave it out, or name a broker of your own in `url`".to_owned());
                reader.key_error(cursor, format!("expected no `{key}` with the embedded broker, found one"), help);
            }
        }
        return Broker::Embedded { listen };
    }
    let help = Some(format!("write `mqtt://host:1883`, `mqtts://host:8883` or `embedded://{EMBEDDED_DEFAULT}`"));
    reader.error(url, format!("expected the address of a broker, found {}", scalar.shown()), help);
    default()
}

pub(super) fn read_password(reader: &mut Reader<'_>, broker: &Fields<'_>) -> Option<Secret> {
    let cursor = broker.get("password")?;
    if !cursor.is_text() {
        // What stands there may be a password of digits, so it is not repeated.
        let help = Some("put it in quotes, or better into a file: `!file path`".to_owned());
        reader.error(cursor, "expected a text, found another kind of value", help);
        return None;
    }
    read_text(reader, broker, "password").map(Secret::new)
}

/// `host`, `host:port`, `[::1]:port`.
fn read_host(address: &str, port_default: u16) -> Option<(String, u16)> {
    let address = address.strip_suffix('/').unwrap_or(address);
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':')?)),
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(port_default), |port| port.parse().ok().filter(|port| *port > 0))?;
    let is_host = !host.is_empty()
        && host.chars().all(|character| character.is_alphanumeric() || matches!(character, '.' | '-' | '_' | ':'));
    is_host.then(|| (host.to_owned(), port))
}
