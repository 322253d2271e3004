//! The crate from outside: texts in, model and findings out.

mod example;
mod fuzz;
mod golden;
mod rules;
mod secrets;
mod served;
mod sql;
mod walls;
