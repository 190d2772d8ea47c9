//! The shell: the only part that reads a clock, opens a socket or a file, and waits.
//!
//! It decides nothing. What happens is handed to the core as data, and what the core answers is carried out in its order.

#[cfg(feature = "embedded-broker")]
pub mod broker;
pub mod canary;
pub mod clock;
mod delay;
pub mod files;
pub mod health;
pub mod journal;
pub mod lines;
pub mod link;
pub mod log;
pub mod reload;
pub mod run;
pub mod seed;
pub mod store;
pub mod survey;
pub mod visitor;
