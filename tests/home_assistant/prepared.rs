//! A Home Assistant that is set up once: people, the MQTT entry, a phone. Each case starts a copy of it within seconds.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::broker::{Mosquitto, free_ports, password_of};
use crate::hass::HomeAssistant;
use crate::installed::Installed;
use crate::rest::{CLIENT_ID, Rest};

/// Increase it when what is prepared changes, so that it is prepared anew.
const EDITION: &str = "2";
/// What every configuration of these tests begins with; a case adds its own.
const CONFIGURATION: &str = include_str!("configuration.yaml");
/// Things that are not on MQTT; a case that wants them names their platform.
const COMPONENTS: &str = "tests/home_assistant/custom_components";
/// What is shipped for Home Assistant; a case that wants it uses it by name.
const BLUEPRINTS: &str = "examples/home-assistant/blueprints";
/// Stands in the configuration of a case for the id by which Home Assistant knows Anna.
pub const ANNAS_ID: &str = "00000000000000000000000000000000";
/// Where the phone is pushed to, until a case puts its own port there.
const PUSH_URL: &str = "http://127.0.0.1:9/push";

/// The folder of a Home Assistant that knows its people, its broker and its phone.
#[derive(Clone)]
pub struct Prepared {
    folder: PathBuf,
    installed: Installed,
}

/// A copy for one case.
pub struct Copy {
    pub home_assistant: HomeAssistant,
    /// Of the person whose phone it is.
    pub anna: String,
    /// Of another person of the house.
    pub ben: String,
    /// Under which the phone fires its events.
    pub webhook: String,
}

impl Prepared {
    /// Takes what an earlier run has prepared, or prepares it.
    pub fn get(installed: &Installed) -> Prepared {
        let folder = installed.folder.join(format!("prepared-{EDITION}"));
        let prepared = Prepared { folder, installed: installed.clone() };
        if !prepared.folder.is_dir() {
            // Whoever is interrupted leaves only this one.
            let unfinished = installed.folder.join("unfinished");
            if unfinished.is_dir() {
                std::fs::remove_dir_all(&unfinished).expect("a writable target folder");
            }
            std::fs::create_dir_all(&unfinished).expect("a writable target folder");
            prepare(installed, &unfinished);
            std::fs::rename(&unfinished, &prepared.folder).expect("a writable target folder");
        }
        prepared
    }

    /// Copies it to a folder, for a broker and a phone on these ports. `packages` are files of configuration by name.
    pub fn copy_to(&self, config: &Path, broker: u16, phone: u16, packages: &[(&str, String)]) -> Copy {
        copy_folder(&self.folder, config);
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(BLUEPRINTS), &config.join("blueprints"));
        copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join(COMPONENTS), &config.join("custom_components"));
        let port = free_ports().0;
        let notes = read(&config.join("notes.json"));
        let note = |key: &str| notes[key].as_str().expect("written by `prepare`").to_owned();
        let annas = |text: &String| text.replace(ANNAS_ID, &note("annas_id"));
        let packages: Vec<(&str, String)> = packages.iter().map(|(name, text)| (*name, annas(text))).collect();
        write_configuration(config, port, &packages);
        change(&config.join(".storage/core.config_entries"), |json| {
            for entry in json["data"]["entries"].as_array_mut().expect("a list of entries") {
                if entry["domain"] == "mqtt" {
                    entry["data"]["port"] = json!(broker);
                }
                if entry["domain"] == "mobile_app" {
                    entry["data"]["app_data"]["push_url"] = json!(format!("http://127.0.0.1:{phone}/push"));
                }
            }
        });
        let home_assistant = HomeAssistant::new(&self.installed, config, port);
        Copy { home_assistant, anna: note("anna"), ben: note("ben"), webhook: note("webhook") }
    }
}

/// Sets Home Assistant up as a new owner does.
fn prepare(installed: &Installed, config: &Path) {
    let broker = Mosquitto::start();
    let port = free_ports().0;
    write_configuration(config, port, &[]);
    let mut home_assistant = HomeAssistant::new(installed, config, port);
    home_assistant.start();
    let anna = onboard(&home_assistant.rest);
    home_assistant.rest = home_assistant.rest.login(&anna);
    home_assistant.wait_until_running();
    add_broker(&home_assistant.rest, &broker);
    let phone = add_phone(&home_assistant.rest);
    let person = home_assistant.rest.entity("person.anna").expect("made by the onboarding");
    let annas_id = &person["attributes"]["user_id"];
    home_assistant.stop();

    let ben = add_ben(&config.join(".storage/auth"));
    let notes = json!({"anna": anna, "annas_id": annas_id, "ben": ben, "webhook": phone});
    std::fs::write(config.join("notes.json"), notes.to_string()).expect("a writable target folder");
}

/// Makes the first person and ends the steps that need no internet. Gives back the person's token.
fn onboard(rest: &Rest) -> String {
    let anna = json!({
        "name": "Anna", "username": "anna", "password": "anna-secret", "client_id": CLIENT_ID, "language": "en"
    });
    let made = rest.post("/api/onboarding/users", &anna);
    let token = rest.first_token(made["auth_code"].as_str().expect("a code"));
    let rest = rest.login(&token);
    // `core_config` is left out: it adds an integration that asks the internet for the weather.
    rest.post("/api/onboarding/analytics", &json!({}));
    rest.post("/api/onboarding/integration", &json!({"client_id": CLIENT_ID, "redirect_uri": CLIENT_ID}));
    token
}

fn add_broker(rest: &Rest, broker: &Mosquitto) {
    let flow = rest.post("/api/config/config_entries/flow", &json!({"handler": "mqtt"}));
    let id = flow["flow_id"].as_str().unwrap_or_else(|| panic!("no flow in {flow}"));
    let fields = json!({
        "broker": "127.0.0.1", "port": broker.port(), "username": "homeassistant",
        "password": password_of("homeassistant")
    });
    let made = rest.post(&format!("/api/config/config_entries/flow/{id}"), &fields);
    assert_eq!(made["type"], "create_entry", "{made}");
}

/// Registers Anna's phone as its app does. Gives back the webhook by which it speaks.
fn add_phone(rest: &Rest) -> String {
    let phone = json!({
        "device_id": "annas-phone", "app_id": "tests", "app_name": "Tests", "app_version": "1",
        "device_name": "Annas phone", "manufacturer": "none", "model": "none", "os_name": "none", "os_version": "1",
        "supports_encryption": false, "app_data": {"push_token": "token", "push_url": PUSH_URL}
    });
    let made = rest.post("/api/mobile_app/registrations", &phone);
    made["webhook_id"].as_str().unwrap_or_else(|| panic!("no webhook in {made}")).to_owned()
}

/// Adds a second person to the file of the people: Anna's entry with another name and another token.
fn add_ben(file: &Path) -> String {
    let token = "b".repeat(128);
    change(file, |json| {
        let users = json["data"]["users"].as_array_mut().expect("a list of users");
        let mut ben = users.iter().find(|user| user["name"] == "Anna").expect("Anna").clone();
        let anna = std::mem::replace(&mut ben["id"], json!("b".repeat(32)));
        ben["name"] = json!("Ben");
        ben["is_owner"] = json!(false);
        let id = ben["id"].clone();
        users.push(ben);
        let tokens = json["data"]["refresh_tokens"].as_array_mut().expect("a list of tokens");
        let mut his = tokens.iter().find(|token| token["user_id"] == anna).expect("Anna's token").clone();
        his["id"] = json!("c".repeat(32));
        his["user_id"] = id;
        his["token"] = json!(token);
        his["credential_id"] = Value::Null;
        tokens.push(his);
    });
    token
}

fn write_configuration(config: &Path, port: u16, packages: &[(&str, String)]) {
    let text = CONFIGURATION.replace("{port}", &port.to_string());
    std::fs::write(config.join("configuration.yaml"), text).expect("a writable folder");
    let folder = config.join("packages");
    std::fs::create_dir_all(&folder).expect("a writable folder");
    for (name, text) in packages {
        std::fs::write(folder.join(format!("{name}.yaml")), text).expect("a writable folder");
    }
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut json = read(file);
    change(&mut json);
    std::fs::write(file, json.to_string()).expect("a writable folder");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a writable temporary folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a writable temporary folder");
        }
    }
}
