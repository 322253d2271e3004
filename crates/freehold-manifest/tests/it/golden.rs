//! The example of the documentation is right, and reads as it says.

use freehold_manifest::model::{Mode, OnDelete, RefCheck, Refresh, Transport};
use freehold_manifest::names::Names;
use freehold_manifest::{read, rules, service_names};

use crate::example::{report, shop};

#[test]
fn the_shop_has_no_findings() {
    assert_eq!(report(&shop()), "");
}

#[test]
fn the_shop_reads_as_declared() {
    let system = read(&shop()).system.expect("a right system");
    assert_eq!(
        (system.name.as_str(), system.port, system.transport),
        ("shop", 7100, Transport::Feed)
    );
    let ports: Vec<(&str, u16)> = system.services.iter().map(|s| (s.name.as_str(), s.port)).collect();
    assert_eq!(ports, [("user", 7101), ("product", 7102), ("order", 7103)]);

    let order = system.service("order").expect("the order service");
    assert_eq!(order.publishes, ["order.placed", "order.confirmed", "order.rejected"]);
    assert_eq!(order.subscribes, ["user.users.deleted"]);
    assert_eq!(order.sagas, ["place_order"]);
    assert_eq!(order.producers(), ["product", "user"]);
    let tables: Vec<&str> = order.owns.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["orders", "order_items", "order_history"]);

    let items = order.table("order_items").expect("an owned table");
    assert_eq!(items.within.as_deref(), Some("orders"));
    assert_eq!(items.refs[0].to.to_string(), "product.products");
    assert_eq!(
        (items.refs[0].on_delete, items.refs[0].check),
        (OnDelete::Keep, RefCheck::Copy)
    );
    let cached: Vec<_> = items
        .cached
        .iter()
        .map(|c| (c.column.as_str(), c.source.as_str(), c.refresh))
        .collect();
    assert_eq!(
        cached,
        [
            ("product_name", "name", Refresh::OnChange),
            ("unit_price", "price", Refresh::Never)
        ]
    );
    assert_eq!(
        order.table("order_history").map(|table| table.mode),
        Some(Mode::AppendOnly)
    );
    assert_eq!(order.copies[0].columns, ["id", "name", "price"]);
    assert_eq!(Names::of(&system, order).app, "shop_order_app");
}

#[test]
fn service_names_tell_which_folders_to_load() {
    let mut shop = shop();
    assert_eq!(
        service_names(&shop.system),
        Ok(["user", "product", "order"].map(String::from).to_vec())
    );
    shop.system.text = "services = [\"../etc\", \"user\", \"user\"]\nnonsense = 1".to_owned();
    assert_eq!(service_names(&shop.system), Ok(vec!["user".to_owned()]));
    shop.system.text = "services = 1".to_owned();
    assert!(service_names(&shop.system).is_err_and(|found| !found.is_empty()));
}

#[test]
fn every_rule_has_a_page_of_its_name() {
    for rule in rules::all() {
        assert!(rule.page.starts_with(&format!("# {}\n", rule.name)), "{}", rule.name);
        for heading in ["## Wrong", "## Right", "## How to fix"] {
            assert!(rule.page.contains(heading), "{} lacks {heading}", rule.name);
        }
        assert_eq!(rules::find(rule.name), Some(rule));
    }
    assert!(rules::all().is_sorted_by_key(|rule| rule.name));
    assert_eq!(rules::nearest("two-owner"), Some("two-owners"));
}
