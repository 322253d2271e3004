//! Northwind's files, and its rows in the shop's terms: ids from keys, money in cents.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system::folder::workspace;
use crate::system::id_of;

/// All of it, in the order of the files.
pub(super) struct Northwind {
    pub(super) categories: Vec<Category>,
    pub(super) products: Vec<Product>,
    pub(super) customers: Vec<Customer>,
    pub(super) orders: Vec<Order>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Category {
    category_id: u32,
    category_name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Product {
    product_id: u32,
    pub(super) product_name: String,
    category_id: u32,
    quantity_per_unit: String,
    unit_price: String,
    units_in_stock: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Customer {
    customer_id: String,
    company_name: String,
    contact_name: String,
    contact_title: String,
    address: String,
    city: String,
    region: Option<String>,
    postal_code: Option<String>,
    country: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    order_id: u32,
    customer_id: String,
    order_date: String,
    shipped_date: Option<String>,
    freight: String,
    ship_name: String,
    ship_address: String,
    ship_city: String,
    ship_region: Option<String>,
    ship_postal_code: Option<String>,
    ship_country: String,
    #[serde(skip)]
    pub(super) lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Line {
    order_id: u32,
    pub(super) product_id: u32,
    unit_price: String,
    pub(super) quantity: u32,
    discount: String,
}

/// Where the files are, if they are there: `FREEHOLD_NORTHWIND`, or beside the workspace.
pub(super) fn place() -> Option<PathBuf> {
    let told = std::env::var_os("FREEHOLD_NORTHWIND").map(PathBuf::from);
    let place = told.unwrap_or_else(|| workspace().join("../shared/data/northwind"));
    place.join("orders.csv").is_file().then_some(place)
}

impl Northwind {
    pub(super) fn read(place: &Path) -> Result<Self> {
        let mut orders: Vec<Order> = rows(place, "orders")?;
        for line in rows::<Line>(place, "order_details")? {
            let of = orders.iter_mut().find(|o| o.order_id == line.order_id);
            of.context("a line has its order")?.lines.push(line);
        }
        Ok(Self {
            categories: rows(place, "categories")?,
            products: rows(place, "products")?,
            customers: rows(place, "customers")?,
            orders,
        })
    }
}

fn rows<T: DeserializeOwned>(place: &Path, name: &str) -> Result<Vec<T>> {
    let file = place.join(format!("{name}.csv"));
    let mut reader = csv::Reader::from_path(&file).with_context(|| file.display().to_string())?;
    Ok(reader.deserialize().collect::<Result<_, _>>()?)
}

/// `14.5` as 1450.
fn cents(text: &str) -> Result<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    Ok(whole.parse::<u64>()? * 100 + format!("{part:0<2}")[..2].parse::<u64>()?)
}

/// 1450 as `14.50`.
pub(super) fn amount(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

pub(super) fn product(number: u32) -> Uuid {
    id_of("northwind product", number)
}

impl Category {
    pub(super) fn json(&self) -> Value {
        let slug = self.category_name.to_lowercase().replace(['/', ' '], "-");
        json!({ "id": id_of("northwind category", self.category_id), "name": self.category_name, "slug": slug })
    }
}

impl Product {
    /// Header and fields of its CSV.
    pub(super) const COLUMNS: [&str; 7] = [
        "id",
        "category_id",
        "name",
        "description",
        "price",
        "sku",
        "stock_quantity",
    ];

    pub(super) fn id(&self) -> Uuid {
        product(self.product_id)
    }

    pub(super) fn csv(&self) -> [String; 7] {
        [
            self.id().to_string(),
            id_of("northwind category", self.category_id).to_string(),
            self.product_name.clone(),
            self.quantity_per_unit.clone(),
            self.unit_price.clone(),
            format!("NW-{:03}", self.product_id),
            self.units_in_stock.to_string(),
        ]
    }
}

impl Customer {
    /// The account with its profile and address.
    pub(super) fn json(&self) -> Value {
        let (first, last) = self.contact_name.split_once(' ').unwrap_or((&self.contact_name, ""));
        json!({
            "id": id_of("northwind customer", &self.customer_id),
            "email": format!("{}@northwind.example", self.customer_id.to_lowercase()),
            "first_name": first,
            "last_name": last,
            "user_profiles": [{ "name": self.company_name, "preferences": { "title": self.contact_title } }],
            "user_addresses": [{
                "address_line1": self.address,
                "city": self.city,
                "state": self.region,
                "postal_code": self.postal_code,
                "country": self.country,
                "is_default": true,
            }],
        })
    }
}

impl Order {
    pub(super) const COLUMNS: [&str; 6] = [
        "id",
        "user_id_ref",
        "order_number",
        "shipping_fee",
        "total_amount",
        "created_at",
    ];

    pub(super) fn id(&self) -> Uuid {
        id_of("northwind order", self.order_id)
    }

    pub(super) fn is_shipped(&self) -> bool {
        self.shipped_date.is_some()
    }

    /// Lines and freight, in cents.
    pub(super) fn total(&self) -> Result<u64> {
        let mut total = cents(&self.freight)?;
        for line in &self.lines {
            total += line.price()? * u64::from(line.quantity);
        }
        Ok(total)
    }

    /// The row alone; its status is the database's first one.
    pub(super) fn csv(&self) -> Result<[String; 6]> {
        Ok([
            self.id().to_string(),
            id_of("northwind customer", &self.customer_id).to_string(),
            format!("NW-{}", self.order_id),
            self.freight.clone(),
            amount(self.total()?),
            format!("{}T12:00:00Z", self.order_date),
        ])
    }

    /// The whole order: lines and, if it was sent, shipping within it.
    pub(super) fn json(&self) -> Result<Value> {
        let mut order = serde_json::Map::new();
        for (name, value) in Self::COLUMNS.iter().zip(self.csv()?) {
            order.insert((*name).to_owned(), value.into());
        }
        let lines = self.lines.iter().map(Line::json).collect::<Result<Vec<_>>>()?;
        order.insert("order_items".to_owned(), lines.into());
        if self.is_shipped() {
            order.insert("status".to_owned(), "shipped".into());
            order.insert("order_shippings".to_owned(), json!([self.shipping()]));
        }
        Ok(order.into())
    }

    /// Where it went.
    pub(super) fn shipping(&self) -> Value {
        json!({
            "recipient_name": self.ship_name,
            "address_line1": self.ship_address,
            "city": self.ship_city,
            "state": self.ship_region,
            "postal_code": self.ship_postal_code,
            "country": self.ship_country,
            "shipping_status": "shipped",
        })
    }
}

impl Line {
    pub(super) const COLUMNS: [&str; 5] = ["id", "order_id", "product_id_ref", "unit_price", "quantity"];

    pub(super) fn id(&self) -> Uuid {
        id_of("northwind line", format_args!("{}/{}", self.order_id, self.product_id))
    }

    /// The price on the day after the discount, in cents.
    pub(super) fn price(&self) -> Result<u64> {
        Ok((cents(&self.unit_price)? * (100 - cents(&self.discount)?) + 50) / 100)
    }

    pub(super) fn csv(&self) -> Result<[String; 5]> {
        Ok([
            self.id().to_string(),
            id_of("northwind order", self.order_id).to_string(),
            product(self.product_id).to_string(),
            amount(self.price()?),
            self.quantity.to_string(),
        ])
    }

    fn json(&self) -> Result<Value> {
        Ok(json!({
            "id": self.id(),
            "product_id_ref": product(self.product_id),
            "unit_price": amount(self.price()?),
            "quantity": self.quantity,
        }))
    }
}
