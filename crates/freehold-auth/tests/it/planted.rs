//! Each planted defect turns the test that must find it red.

use std::process::Command;

/// A defect, and the test that finds it.
const FOUND_BY: [(&str, &str); 6] = [
    (
        "no-dummy-hash",
        "timing::the_time_of_an_answer_does_not_tell_whether_there_is_an_account",
    ),
    (
        "no-grace",
        "refresh::twenty_parallel_refreshes_of_one_token_get_the_same_successor",
    ),
    (
        "replay-not-noticed",
        "refresh::a_token_that_comes_again_after_the_grace_ends_its_session_and_no_other",
    ),
    (
        "one-time-token-not-locked",
        "asked::of_fifty_parallel_uses_of_a_reset_token_one_succeeds",
    ),
    (
        "hashing-not-bounded",
        "load::five_hundred_log_ins_at_once_are_bounded_and_other_routes_are_answered",
    ),
    (
        "key-signs-at-once",
        "keys::keys_are_rotated_under_load_and_no_good_token_is_refused",
    ),
];

/// How often a defect is tried that needs a race to be seen: one red run is enough.
const TRIES: usize = 5;

#[test]
fn each_planted_defect_is_found() {
    let program = std::env::current_exe().expect("this program");
    for (defect, test) in FOUND_BY {
        let found = (0..TRIES).any(|_| {
            let run = Command::new(&program)
                .args([test, "--exact"])
                .env("FREEHOLD_PLANT", defect)
                .output()
                .expect("it runs");
            String::from_utf8_lossy(&run.stdout).contains("1 failed")
        });
        assert!(found, "{defect} was not found by {test} in {TRIES} runs");
    }
}
