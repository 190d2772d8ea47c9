//! The integrations that are shipped.

/// Name and text of each.
pub const SHIPPED: &[(&str, &str)] = &[
    ("alexa_devices", include_str!("../../integrations/alexa_devices.rhai")),
    ("alexa_media", include_str!("../../integrations/alexa_media.rhai")),
    ("assist_satellite", include_str!("../../integrations/assist_satellite.rhai")),
    ("media_player", include_str!("../../integrations/media_player.rhai")),
];
