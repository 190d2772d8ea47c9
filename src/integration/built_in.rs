//! The integrations that are shipped, as they were compiled in.

/// Names and texts of files in `integrations/`.
macro_rules! shipped {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../integrations/", $name, ".rhai"))),)*]
    };
}

/// Name and text of each.
pub const SHIPPED: &[(&str, &str)] = shipped![
    "alarmo",
    "alexa_devices",
    "alexa_media",
    "assist_satellite",
    "chromecast",
    "frigate",
    "hass_agent",
    "hermes",
    "media_player",
    "mqttwarn",
    "signal_mqtt",
    "snapcast",
    "sonos2mqtt",
];
