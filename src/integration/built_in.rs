//! The integrations that are shipped.

/// Name and text of each.
pub const SHIPPED: &[(&str, &str)] = &[];
