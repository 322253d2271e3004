//! Customers and where they live.

use fastrand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::calendar::{DAY, utc};
use super::words::{FIRST_NAMES, LAST_NAMES, PLACES, STREETS};
use super::{new_id, one_of};

/// A customer, as posted and as orders need them.
pub(super) struct Person {
    pub(super) id: Uuid,
    /// First and last name.
    pub(super) name: String,
    /// Where their parcels go: the columns an address and a shipping have in common.
    pub(super) address: Value,
    pub(super) row: Value,
}

/// The customer of that number.
pub(super) fn person(mut rng: Rng, number: u32, now: i64) -> Person {
    let id = new_id(&mut rng);
    let first = *one_of(&mut rng, FIRST_NAMES);
    let last = *one_of(&mut rng, LAST_NAMES);
    let name = format!("{first} {last}");
    let email = format!(
        "{}.{}{}@example.com",
        first.to_lowercase(),
        last.to_lowercase(),
        number + 1
    );

    let home = address(&mut rng);
    let mut addresses = vec![owned_address(&mut rng, &home, true)];
    if rng.u8(..4) == 0 {
        let second = address(&mut rng);
        addresses.push(owned_address(&mut rng, &second, false));
    }
    let newsletter = *one_of(&mut rng, &["never", "weekly", "monthly"]);
    let theme = *one_of(&mut rng, &["light", "dark", "system"]);
    let joined = now - rng.i64(130..500) * DAY - rng.i64(0..DAY);

    let row = json!({
        "id": id,
        "email": email,
        "first_name": first,
        "last_name": last,
        "created_at": utc(joined),
        "user_addresses": addresses,
        "user_preferences": [
            { "id": new_id(&mut rng), "preference_key": "newsletter", "preference_value": newsletter },
            { "id": new_id(&mut rng), "preference_key": "language", "preference_value": "en" },
        ],
        "user_profiles": [{ "name": name, "preferences": { "theme": theme } }],
    });
    Person {
        id,
        name,
        address: home,
        row,
    }
}

fn address(rng: &mut Rng) -> Value {
    let (city, state, postal_code, country) = *one_of(rng, PLACES);
    let line1 = format!("{} {}", rng.u8(1..120), one_of(rng, STREETS));
    let line2 = (rng.u8(..5) == 0).then(|| format!("Flat {}", rng.u8(1..30)));
    json!({
        "address_line1": line1,
        "address_line2": line2,
        "city": city,
        "state": state,
        "postal_code": postal_code,
        "country": country,
    })
}

fn owned_address(rng: &mut Rng, address: &Value, is_default: bool) -> Value {
    let mut row = address.clone();
    row["id"] = json!(new_id(rng));
    row["is_default"] = json!(is_default);
    row
}
