//! Hushgate: a policy bridge between what a speaker thinks it heard and what the house does.
//!
//! The crate is a pure core in a thin shell. `model`, `home`, `time`, `config`, `script`, `integration`, `policy`, `registry`, `engine`,
//! `wire`, `access`, `journal`, `bridge` and `scenario` read no clock, open no file and start no thread; `shell` and `cli` do. Which part may import which is
//! held by `tests/layers.rs`; the reasons stand in `ARCHITECTURE.md`.
//!
//! This library exists for the program, its tests and its benchmarks. It promises no stable interface to others.
#![forbid(unsafe_code)]

pub mod access;
pub mod bridge;
pub mod cli;
pub mod config;
pub mod engine;
pub mod home;
pub mod integration;
pub mod journal;
pub mod model;
pub mod policy;
pub mod registry;
pub mod scenario;
pub mod script;
pub mod shell;
pub mod time;
pub mod wire;
