//! The crate from outside: texts in, model and findings out.

mod access;
mod example;
mod fuzz;
mod golden;
mod history;
mod promises;
mod rules;
mod secrets;
mod served;
mod sql;
mod streams;
mod walls;
