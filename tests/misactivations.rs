//! A month of microphones that wake by mistake, in virtual time, with the shipped policies and Hermes satellites.
//!
//! How often they wake and what follows are published figures (`month.rs` says which). Nobody answers what is asked: a
//! house in which nothing sensitive happens by mistake must not need somebody who pays attention.
//!
//! `HUSHGATE_SEED` chooses another month.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic, also in the functions that help it"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "it reads the shipped policies, and its seed comes from the environment"
)]

#[path = "misactivations/confidence.rs"]
mod confidence;
#[path = "misactivations/echo.rs"]
mod echo;
#[path = "misactivations/house.rs"]
mod house;
#[path = "misactivations/month.rs"]
mod month;
