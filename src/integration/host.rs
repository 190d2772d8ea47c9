//! The engine with the words of integrations, shared by all of one set.

use std::rc::Rc;

use rhai::Engine;

use super::context::Context;
use super::{values, words};
use crate::script::check::language::{Vocabulary, vocabulary};
use crate::script::current::Current;
use crate::script::message;
use crate::script::sandbox::{self, Meter, Stopwatch};

pub(super) struct Host {
    pub engine: Engine,
    pub meter: Rc<Meter>,
    pub current: Current<Context>,
    pub vocabulary: Vocabulary,
}

impl Host {
    pub(super) fn new(stopwatch: Option<Stopwatch>) -> Host {
        let meter = Rc::new(Meter::new(stopwatch));
        let mut engine = sandbox::engine(&meter);
        message::register(&mut engine, &meter);
        values::register(&mut engine);
        words::register(&mut engine);
        let current = Current::register(&mut engine);
        let vocabulary = vocabulary(&engine);
        Host { engine, meter, current, vocabulary }
    }
}
