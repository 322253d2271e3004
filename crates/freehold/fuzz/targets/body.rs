//! A body is split into rows or refused, as JSON, as CSV and as a form.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| freehold::entity::fuzz::body(bytes));
