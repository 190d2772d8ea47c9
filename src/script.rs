//! The bounded script engine: what every script of the bridge may use, and how far it may go.
//!
//! Policies and integrations are written in the same small language. Here are its limits, its kinds of values, its pure
//! words and its errors. What a rule may ask of the house or do to it is not here; `policy` adds that.

pub mod bodies;
pub mod check;
pub mod current;
pub mod diagnostics;
pub mod failure;
pub mod fields;
pub mod json;
pub mod kinds;
pub mod message;
pub mod nearest;
pub mod operators;
pub mod sandbox;
pub mod words;
