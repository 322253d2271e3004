//! What a customer asks for, checked where it comes in: past this, everything fits its table.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::stock::Line;

/// Lines of one order: a basket, not a catalogue.
const LINES_MAX: usize = 100;

/// Pieces of one line, as `order_items` takes them.
const QUANTITY_MAX: i64 = 100_000;

/// The largest shipping fee in cents, as `orders` takes it.
const FEE_MAX: i64 = 999_999_999_999;

/// The means of payment, as `order_payments` takes them.
const METHODS: [&str; 5] = ["card", "paypal", "bank_transfer", "invoice", "cash"];

/// Characters of names and streets, and of cities and countries, as `order_shippings` takes them.
const LONG_MAX: usize = 200;
const SHORT_MAX: usize = 100;

/// Characters of a reason for cancelling.
const REASON_MAX: usize = 500;

/// The body of `POST /orders/place`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The order's id, if the client wants to be able to repeat itself.
    pub id: Option<Uuid>,
    user_id: Uuid,
    lines: Vec<WishedLine>,
    payment_method: String,
    shipping: Address,
    #[serde(default)]
    shipping_fee: Money,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WishedLine {
    product_id: Uuid,
    quantity: i64,
}

/// An amount as JSON writes it: `4.9` or `"4.90"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Money {
    Number(f64),
    Text(String),
}

impl Default for Money {
    fn default() -> Self {
        Self::Number(0.0)
    }
}

/// Where a parcel goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Who opens the door.
    pub recipient_name: String,
    /// Street and number.
    pub address_line1: String,
    /// More of it.
    #[serde(default)]
    pub address_line2: Option<String>,
    /// City.
    pub city: String,
    /// State, where there are states.
    #[serde(default)]
    pub state: Option<String>,
    /// Postal code, where there are codes.
    #[serde(default)]
    pub postal_code: Option<String>,
    /// Country.
    pub country: String,
}

/// What a customer wants, checked. The same request is the same wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Who buys.
    pub user: Uuid,
    /// What.
    pub lines: Vec<Line>,
    /// How it is paid.
    pub payment_method: String,
    /// Where it goes.
    pub shipping: Address,
    /// For the way there, like `"4.90"`.
    pub shipping_fee: String,
}

/// The body of `POST /orders/{id}/cancel`; it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// What the customer says.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Place {
    /// The wish, if it can be one.
    ///
    /// # Errors
    /// Everything that is wrong with it, a sentence for each.
    pub fn checked(self) -> Result<Wish, Vec<String>> {
        let mut wrong = Vec::new();
        if !(1..=LINES_MAX).contains(&self.lines.len()) {
            wrong.push(format!(
                "lines: {} of them, 1 to {LINES_MAX} are taken",
                self.lines.len()
            ));
        }
        let mut lines = Vec::new();
        for (place, line) in self.lines.iter().enumerate().take(LINES_MAX) {
            match i32::try_from(line.quantity) {
                Ok(quantity) if (1..=QUANTITY_MAX).contains(&line.quantity) => lines.push(Line {
                    product: line.product_id,
                    quantity,
                }),
                _ => wrong.push(format!(
                    "lines[{place}].quantity: {} is not 1 to {QUANTITY_MAX}",
                    line.quantity
                )),
            }
        }
        if !METHODS.contains(&self.payment_method.as_str()) {
            wrong.push(format!("payment_method: one of {} is taken", METHODS.join(", ")));
        }
        self.shipping.check(&mut wrong);
        let shipping_fee = match self.shipping_fee.cents() {
            Some(cents) => format!("{}.{:02}", cents / 100, cents % 100),
            None => {
                wrong.push("shipping_fee: not an amount with at most two decimals, like 4.90".to_owned());
                String::new()
            }
        };
        match wrong.is_empty() {
            true => Ok(Wish {
                user: self.user_id,
                lines,
                payment_method: self.payment_method,
                shipping: self.shipping,
                shipping_fee,
            }),
            false => Err(wrong),
        }
    }
}

impl Cancel {
    /// The reason, if it can be one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(self) -> Result<Option<String>, Vec<String>> {
        let mut wrong = Vec::new();
        optional("reason", &self.reason, REASON_MAX, &mut wrong);
        match wrong.is_empty() {
            true => Ok(self.reason),
            false => Err(wrong),
        }
    }
}

impl Address {
    fn check(&self, wrong: &mut Vec<String>) {
        required("shipping.recipient_name", &self.recipient_name, LONG_MAX, wrong);
        required("shipping.address_line1", &self.address_line1, LONG_MAX, wrong);
        optional("shipping.address_line2", &self.address_line2, LONG_MAX, wrong);
        required("shipping.city", &self.city, SHORT_MAX, wrong);
        optional("shipping.state", &self.state, SHORT_MAX, wrong);
        optional("shipping.postal_code", &self.postal_code, SHORT_MAX, wrong);
        required("shipping.country", &self.country, SHORT_MAX, wrong);
    }
}

impl Money {
    /// In whole cents; none if it is no amount.
    fn cents(&self) -> Option<i64> {
        let cents = match self {
            Self::Number(number) => cents_of(&number.to_string())?,
            Self::Text(text) => cents_of(text)?,
        };
        (0..=FEE_MAX).contains(&cents).then_some(cents)
    }
}

/// Digits with at most two decimals, and nothing else.
fn cents_of(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}

fn required(field: &str, text: &str, most: usize, wrong: &mut Vec<String>) {
    if text.trim().is_empty() {
        wrong.push(format!("{field}: is empty"));
    }
    fits(field, text, most, wrong);
}

fn optional(field: &str, text: &Option<String>, most: usize, wrong: &mut Vec<String>) {
    if let Some(text) = text {
        fits(field, text, most, wrong);
    }
}

fn fits(field: &str, text: &str, most: usize, wrong: &mut Vec<String>) {
    if text.chars().count() > most {
        wrong.push(format!("{field}: longer than {most} characters"));
    }
    // PostgreSQL takes no NUL, and a label no line breaks.
    if text.chars().any(char::is_control) {
        wrong.push(format!("{field}: has a control character"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn body() -> Value {
        json!({
            "user_id": Uuid::nil(),
            "lines": [{"product_id": Uuid::nil(), "quantity": 2}],
            "payment_method": "card",
            "shipping": {"recipient_name": "Ada", "address_line1": "4 Mill Lane", "city": "Aarhus", "country": "Denmark"},
        })
    }

    fn checked(body: Value) -> Result<Wish, Vec<String>> {
        serde_json::from_value::<Place>(body)
            .map_err(|error| vec![error.to_string()])?
            .checked()
    }

    #[test]
    fn a_fee_is_the_same_however_it_is_written() {
        for (fee, stored) in [
            (json!(4.9), "4.90"),
            (json!("4.9"), "4.90"),
            (json!("4.90"), "4.90"),
            (json!(0), "0.00"),
            (json!(12), "12.00"),
            (json!(0.1), "0.10"),
        ] {
            let mut body = body();
            body["shipping_fee"] = fee;
            assert_eq!(checked(body).expect("a wish").shipping_fee, stored);
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let wrongs = [
            ("/lines", json!([]), "lines: 0 of them"),
            ("/lines/0/quantity", json!(0), "lines[0].quantity"),
            ("/lines/0/quantity", json!(100_001), "lines[0].quantity"),
            ("/payment_method", json!("shells"), "payment_method"),
            ("/shipping/city", json!(" "), "shipping.city"),
            ("/shipping/country", json!("x".repeat(101)), "shipping.country"),
            ("/shipping/address_line1", json!("a\u{0}b"), "shipping.address_line1"),
        ];
        for (place, value, named) in wrongs {
            let mut body = body();
            *body.pointer_mut(place).expect("a place") = value;
            let wrong = checked(body).expect_err(place);
            assert!(wrong.iter().any(|said| said.starts_with(named)), "{place}: {wrong:?}");
        }
        for fee in [
            json!(-1),
            json!(0.001),
            json!("1e3"),
            json!("NaN"),
            json!(1e300),
            json!(""),
        ] {
            let mut body = body();
            body["shipping_fee"] = fee;
            let wrong = checked(body).expect_err("no fee");
            assert!(wrong[0].starts_with("shipping_fee"), "{wrong:?}");
        }
        let mut body = body();
        body["lines"] = vec![body["lines"][0].clone(); LINES_MAX + 1].into();
        body["shipping"]["planet"] = json!("Mars");
        assert!(checked(body.clone()).expect_err("a planet")[0].contains("planet"));
        body["shipping"] = self::body()["shipping"].clone();
        assert!(checked(body).expect_err("many lines")[0].starts_with("lines: 101"));
    }
}
