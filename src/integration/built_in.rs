//! The integrations that are shipped.

/// The script of an integration, as it was when the program was built.
macro_rules! shipped {
    ($name:literal) => {
        ($name, include_str!(concat!("../../integrations/", $name, ".rhai")))
    };
}

/// Name and text of each.
pub const SHIPPED: &[(&str, &str)] = &[
    shipped!("alarmo"),
    shipped!("chromecast"),
    shipped!("frigate"),
    shipped!("hass_agent"),
    shipped!("mqttwarn"),
    shipped!("signal_mqtt"),
    shipped!("snapcast"),
    shipped!("sonos2mqtt"),
];
