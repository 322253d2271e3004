//! `history = true`: what follows from it, and where it has no place.

use freehold_manifest::model::{History, Mode};
use freehold_manifest::{Sources, read};

use crate::example::{append, replace, report, shop};
use crate::rules::rule_test;

const ORDER: &str = "order/freehold.toml";
const USER: &str = "user/freehold.toml";
const USER_SQL: &str = "user/migrations/0001_start.sql";

rule_test!(a_history_has_a_place, "history-clash", |shop: &mut Sources| {
    replace(shop, ORDER, "[owns.orders] ", "[owns.orders]\nhistory = true ");
    replace(shop, ORDER, "\"append_only\" ", "\"append_only\"\nhistory = true ");
    replace(shop, USER, "[owns.users]", "[owns.users]\nhistory = true");
    append(
        shop,
        USER_SQL,
        "create view users_history with (security_invoker = true) as select id from users;
create function restore_users(id bigint) returns void language sql as $$ select 1 $$;
create table visits (at timestamptz, user_id bigint, to_version int, primary key (user_id, at, to_version));
create table a_name_that_leaves_no_room_for_what_its_history_adds_to_it (id int primary key);",
    );
    append(
        shop,
        USER,
        "\n[owns.visits]\nhistory = true\n[owns.a_name_that_leaves_no_room_for_what_its_history_adds_to_it]\nhistory = true\n",
    );
});

#[test]
fn a_companion_and_a_function_follow_from_it() {
    let mut shop = shop();
    replace(
        &mut shop,
        USER,
        "publishes = [\"id\", \"name\"]",
        "publishes = [\"id\", \"name\"]\nhidden = [\"email\"]\nrequire_match = true\nhistory = true",
    );
    let system = read(&shop).system.unwrap_or_else(|| panic!("{}", report(&shop)));
    let user = system.service("user").expect("the user service");
    assert_eq!(user.table("users").map(|t| &t.history), Some(&History::Kept));
    let companion = user.table("users_history").expect("a companion");
    assert_eq!(companion.history, History::Of("users".to_owned()));
    assert_eq!(companion.mode, Mode::AppendOnly);
    assert!(companion.publishes.is_empty() && companion.hidden.is_empty());
    let functions: Vec<&str> = user.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(functions, ["restore_users"]);
    assert_eq!(user.topics(), ["user.users"]);
}
