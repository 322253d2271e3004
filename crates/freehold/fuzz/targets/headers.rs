//! Headers are read or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| freehold::entity::fuzz::headers(bytes));
