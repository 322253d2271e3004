//! The example of the documentation is right, and reads as it says.

use freehold_manifest::model::{Mode, OnDelete, RefCheck, Refresh, Transport};
use freehold_manifest::names::Names;
use freehold_manifest::{SourceFile, read, read_service, rules, service_names};

use crate::example::{ORDER, replace, report, shop};

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
    assert_eq!(order.program.as_deref(), Some("shop-order"));
    assert_eq!(
        order.sends,
        ["product.reserve_stock", "product.release_stock", "order.expire"]
    );
    assert_eq!(order.commands[0].name, "order.expire");
    assert_eq!(order.commands[0].from, ["order"]);
    assert_eq!(system.workload.as_deref(), Some("shop-workload"));
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
fn a_service_hears_facts_rows_commands_and_replies() {
    let system = read(&shop()).system.expect("a right system");
    let service = |name| system.service(name).expect("a service of the shop");
    let (user, product, order) = (service("user"), service("product"), service("order"));
    assert_eq!(user.producers(), [""; 0]);
    assert_eq!(product.producers(), ["order"]);
    assert_eq!(order.producers(), ["product", "user"]);
    assert_eq!(product.hears("order"), ["order.confirmed", "product.commands"]);
    assert_eq!(order.hears("product"), ["order.replies"]);
    assert_eq!(order.hears("user"), ["user.users"]);
    assert_eq!(order.hears("order"), [""; 0]);
}

#[test]
fn a_log_has_rows_facts_commands_and_replies() {
    let mut shop = shop();
    replace(
        &mut shop,
        "order/freehold.toml",
        "from = [\"order\"]",
        "from = [\"order\", \"product\"]",
    );
    replace(
        &mut shop,
        "product/freehold.toml",
        "[commands]",
        "sends = [\"order.expire\"]\n[commands]",
    );
    let system = read(&shop).system.expect("a right system");
    let topics = |name| system.service(name).expect("a service of the shop").topics();
    assert_eq!(topics("user"), ["user.users"]);
    assert_eq!(
        topics("product"),
        ["product.products", "order.commands", "order.replies"]
    );
    assert_eq!(
        topics("order"),
        [
            "order.orders",
            "order.placed",
            "order.confirmed",
            "order.rejected",
            "product.commands",
            "product.replies"
        ]
    );
    let product = system.service("product").expect("the product service");
    assert_eq!(
        product.hears("order"),
        ["order.confirmed", "product.commands", "product.replies"]
    );
}

#[test]
fn a_manifest_alone_reads_as_within_its_system() {
    let system = read(&shop()).system.expect("a right system");
    let mut expected = system.service("order").expect("the order service").clone();
    expected.port = 0;
    assert_eq!(read_service(&manifest(ORDER)), Ok(expected));
    let with_port = ORDER.replace("publishes  =", "port = 9000\npublishes  =");
    assert_eq!(
        read_service(&manifest(&with_port)).map(|service| service.port),
        Ok(9000)
    );
}

#[test]
fn a_manifest_alone_that_is_wrong_says_where() {
    for (text, rule, line) in [
        ("sagas = []", "missing-value", 1),
        ("service = [", "manifest-syntax", 1),
        ("service = \"Order\"", "invalid-value", 1),
        ("service = \"order\"\npublishes = [\"user.left\"]", "invalid-value", 2),
        (
            "service = \"order\"\n[commands]\n\"order.expire\" = {}",
            "missing-value",
            3,
        ),
        (
            "service = \"order\"\n[copies.users]\ncolumns = [\"id\"]",
            "missing-value",
            2,
        ),
    ] {
        let found = read_service(&manifest(text)).expect_err(text);
        let found: Vec<(&str, usize)> = found
            .iter()
            .map(|finding| (finding.rule, finding.place.as_ref().expect("a place").line))
            .collect();
        assert_eq!(found, [(rule, line)], "{text}");
    }
}

#[test]
fn the_examples_of_the_guide_are_right() {
    let guide = include_str!("../../../../docs/guide/manifest.md");
    let examples = guide.split("```toml\n").skip(1);
    let mut examples = examples.map(|rest| rest.split("```").next().unwrap_or_default().to_owned());
    let mut shop = shop();
    shop.system.text = examples.next().expect("the system");
    for service in ["order", "product"] {
        let source = shop.services.get_mut(service).expect("a service of the shop");
        source.manifest.text = examples.next().expect("a service's manifest");
    }
    assert_eq!(report(&shop), "");
}

fn manifest(text: &str) -> SourceFile {
    SourceFile {
        path: "order/freehold.toml".to_owned(),
        text: text.to_owned(),
    }
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
