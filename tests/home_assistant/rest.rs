//! Home Assistant's REST interface, as far as the tests use it.

use std::time::Duration;

use serde_json::{Value, json};

/// How long one answer may take; a service call waits for the service.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Whom Home Assistant gives its tokens to. Any address does; it must be the same each time.
pub const CLIENT_ID: &str = "http://127.0.0.1/";

/// A client that is logged in as one person, or as nobody yet.
#[derive(Clone)]
pub struct Rest {
    agent: ureq::Agent,
    root: String,
    token: Option<String>,
}

impl Rest {
    pub fn nobody(port: u16) -> Rest {
        let config = ureq::Agent::config_builder().timeout_global(Some(ANSWER_WITHIN)).http_status_as_error(false);
        Rest { agent: config.build().into(), root: format!("http://127.0.0.1:{port}"), token: None }
    }

    /// Logs in with a token that lasts.
    pub fn login(&self, refresh_token: &str) -> Rest {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token), ("client_id", CLIENT_ID)];
        let answer = self.form("/auth/token", &form);
        Rest { token: Some(text(&answer, "access_token")), ..self.clone() }
    }

    /// Changes the code that the onboarding gave for a token that lasts.
    pub fn first_token(&self, code: &str) -> String {
        let form = [("grant_type", "authorization_code"), ("code", code), ("client_id", CLIENT_ID)];
        text(&self.form("/auth/token", &form), "refresh_token")
    }

    fn form(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let sent = self.agent.post(format!("{}{path}", self.root)).send_form(form.iter().copied());
        read(path, sent)
    }

    /// The answer, whatever its status. The error says that nobody answers.
    pub fn try_get(&self, path: &str) -> Result<(u16, String), ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.root));
        let mut answer = self.authorized(request).call()?;
        Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
    }

    pub fn get(&self, path: &str) -> Value {
        let request = self.agent.get(format!("{}{path}", self.root));
        read(path, self.authorized(request).call())
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, text) = self.try_post(path, body);
        assert!((200..300).contains(&status), "POST {path} gave {status}: {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// The status and the text of the answer, whatever they are.
    pub fn try_post(&self, path: &str, body: &Value) -> (u16, String) {
        self.send(path, body.to_string())
    }

    fn send(&self, path: &str, body: String) -> (u16, String) {
        let request = self.agent.post(format!("{}{path}", self.root)).content_type("application/json");
        let sent = self.authorized(request).send(body);
        let mut answer = sent.unwrap_or_else(|error| panic!("POST {path}: {error}"));
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
    }

    /// Calls a service, `lock.unlock`, with its data.
    pub fn call(&self, service: &str, data: &Value) -> Value {
        self.post(&format!("/api/services/{}", service.replacen('.', "/", 1)), data)
    }

    /// An entity as Home Assistant shows it. `None`: there is no such entity.
    pub fn entity(&self, id: &str) -> Option<Value> {
        let (status, text) = self.try_get(&format!("/api/states/{id}")).ok()?;
        (status == 200).then(|| serde_json::from_str(&text).expect("JSON"))
    }

    /// What the conversation agent says to a sentence.
    pub fn converse(&self, sentence: &str) -> Value {
        self.post("/api/conversation/process", &json!({"text": sentence, "language": "en"}))
    }

    /// Writes a state down as an integration does. The attributes are JSON, and told in its order.
    pub fn set_state(&self, entity: &str, state: &str, attributes: &str) {
        let (status, text) = self
            .send(&format!("/api/states/{entity}"), format!(r#"{{"state": "{state}", "attributes": {attributes}}}"#));
        assert!((200..300).contains(&status), "{entity} was not taken: {text}");
    }

    /// Fires an event, as the person who is logged in.
    pub fn fire(&self, event: &str, data: &Value) {
        self.post(&format!("/api/events/{event}"), data);
    }

    /// The entry of the MQTT integration.
    pub fn mqtt_entry(&self) -> Value {
        let entries = self.get("/api/config/config_entries/entry");
        let mqtt = entries.as_array().and_then(|all| all.iter().find(|entry| entry["domain"] == "mqtt"));
        mqtt.unwrap_or_else(|| panic!("no MQTT entry in {entries}")).clone()
    }

    /// Sets the prefix under which the MQTT integration looks for devices, as its options dialogue does.
    pub fn set_discovery_prefix(&self, prefix: &str) {
        let id = text(&self.mqtt_entry(), "entry_id");
        let mut form = self.post("/api/config/config_entries/options/flow", &json!({"handler": id}));
        // Older ones begin with the broker's address, later ones with the options.
        while form["type"] == "form" {
            let mut fields = answers(&form);
            if let Some(field) = fields.get_mut("discovery_prefix") {
                *field = json!(prefix);
            }
            let flow = text(&form, "flow_id");
            let next = self.post(&format!("/api/config/config_entries/options/flow/{flow}"), &fields);
            assert!(next["errors"].as_object().is_none_or(serde_json::Map::is_empty), "{next}");
            form = next;
        }
        assert_eq!(form["type"], "create_entry", "{form}");
    }

    fn authorized<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

/// A form filled in as it stands: the defaults, or what it suggests.
fn answers(form: &Value) -> Value {
    let fields = form["data_schema"].as_array().expect("a form has fields");
    let filled = fields.iter().filter_map(|field| {
        let suggested = field["description"]["suggested_value"].clone();
        let value = if suggested.is_null() { field["default"].clone() } else { suggested };
        Some((field["name"].as_str()?.to_owned(), value)).filter(|(_, value)| !value.is_null())
    });
    Value::Object(filled.collect())
}

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}")).to_owned()
}

fn read(path: &str, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Value {
    let mut answer = sent.unwrap_or_else(|error| panic!("{path}: {error}"));
    let status = answer.status();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    assert!(status.is_success(), "{path} gave {status}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path} gave no JSON ({error}): {text}"))
}
