//! A query string is read or refused, and what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| freehold::entity::fuzz::query(text));
