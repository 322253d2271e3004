//! What the sample is made of. All people, places and things in it are invented.

/// First names.
pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Amir", "Anna", "Astrid", "Ben", "Carla", "Chidi", "Clara", "Dario", "Elena", "Emil", "Farah", "Felix",
    "Greta", "Hana", "Hugo", "Ines", "Ivan", "Jonas", "Julia", "Kaito", "Lena", "Liam", "Lucia", "Mara", "Mateo",
    "Mila", "Nadia", "Noah", "Nora", "Olga", "Omar", "Paula", "Pavel", "Priya", "Rosa", "Samir", "Sofia", "Theo",
    "Yuki",
];

/// Last names.
pub(super) const LAST_NAMES: &[&str] = &[
    "Almeida",
    "Andersson",
    "Bauer",
    "Bianchi",
    "Bruun",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Fontana",
    "Garcia",
    "Haddad",
    "Hansen",
    "Hoffmann",
    "Ito",
    "Jansen",
    "Kaya",
    "Keller",
    "Kowalski",
    "Laurent",
    "Lindqvist",
    "Marino",
    "Mensah",
    "Moreau",
    "Nowak",
    "Okafor",
    "Olsen",
    "Petrov",
    "Popescu",
    "Rossi",
    "Schmidt",
    "Silva",
    "Tanaka",
    "Vermeer",
    "Virtanen",
    "Wagner",
    "Weber",
    "Wright",
    "Yilmaz",
    "Zeman",
];

/// Streets; the number is drawn.
pub(super) const STREETS: &[&str] = &[
    "Harbour Street",
    "Mill Lane",
    "Station Road",
    "Church Street",
    "Garden Row",
    "Bridge Street",
    "Market Square",
    "Linden Avenue",
    "Orchard Way",
    "Castle Hill",
    "River Walk",
    "School Lane",
    "Park Road",
    "North Gate",
    "Weavers Yard",
];

/// City, state or nothing, postal code, country.
pub(super) const PLACES: &[(&str, Option<&str>, &str, &str)] = &[
    ("Hamburg", None, "20459", "Germany"),
    ("Leipzig", None, "04109", "Germany"),
    ("Lyon", None, "69002", "France"),
    ("Bologna", None, "40121", "Italy"),
    ("Porto", None, "4050-014", "Portugal"),
    ("Aarhus", None, "8000", "Denmark"),
    ("Utrecht", None, "3511", "Netherlands"),
    ("Graz", None, "8010", "Austria"),
    ("Bristol", None, "BS1 4DJ", "United Kingdom"),
    ("Galway", None, "H91 W60F", "Ireland"),
    ("Portland", Some("OR"), "97205", "United States"),
    ("Madison", Some("WI"), "53703", "United States"),
    ("Halifax", Some("NS"), "B3J 1S9", "Canada"),
    ("Hobart", Some("TAS"), "7000", "Australia"),
];

/// The roots of the category tree and what hangs from them.
pub(super) const ROOTS: &[(&str, &[Leaf])] = &[
    (
        "Home",
        &[
            Leaf {
                name: "Kitchen",
                code: "KIT",
                cents: (690, 12_900),
                things: &[
                    "Kettle",
                    "Casserole",
                    "Chopping Board",
                    "Paring Knife",
                    "Mixing Bowl",
                    "Apron",
                ],
            },
            Leaf {
                name: "Lighting",
                code: "LIG",
                cents: (1_490, 24_900),
                things: &[
                    "Table Lamp",
                    "Floor Lamp",
                    "Pendant",
                    "Reading Light",
                    "Lantern",
                    "Night Light",
                ],
            },
            Leaf {
                name: "Textiles",
                code: "TEX",
                cents: (990, 15_900),
                things: &["Blanket", "Cushion", "Bath Towel", "Table Cloth", "Curtain", "Rug"],
            },
        ],
    ),
    (
        "Outdoors",
        &[
            Leaf {
                name: "Camping",
                code: "CAM",
                cents: (790, 34_900),
                things: &[
                    "Tent",
                    "Sleeping Bag",
                    "Camp Stove",
                    "Hammock",
                    "Water Bottle",
                    "Head Torch",
                ],
            },
            Leaf {
                name: "Garden",
                code: "GAR",
                cents: (490, 18_900),
                things: &[
                    "Watering Can",
                    "Pruning Shears",
                    "Planter",
                    "Hand Trowel",
                    "Bird House",
                    "Bench",
                ],
            },
            Leaf {
                name: "Cycling",
                code: "CYC",
                cents: (890, 22_900),
                things: &["Helmet", "Pannier", "Bell", "Front Light", "Pump", "Saddle"],
            },
        ],
    ),
    (
        "Work",
        &[
            Leaf {
                name: "Desk",
                code: "DES",
                cents: (590, 39_900),
                things: &[
                    "Desk Organiser",
                    "Monitor Stand",
                    "Desk Mat",
                    "Office Chair",
                    "Bookend",
                    "Pen Holder",
                ],
            },
            Leaf {
                name: "Paper",
                code: "PAP",
                cents: (190, 3_900),
                things: &[
                    "Notebook",
                    "Planner",
                    "Sketchbook",
                    "Letter Set",
                    "Index Cards",
                    "Calendar",
                ],
            },
            Leaf {
                name: "Bags",
                code: "BAG",
                cents: (1_990, 21_900),
                things: &[
                    "Backpack",
                    "Tote",
                    "Laptop Sleeve",
                    "Messenger Bag",
                    "Wash Bag",
                    "Weekender",
                ],
            },
        ],
    ),
    (
        "Food",
        &[
            Leaf {
                name: "Tea and Coffee",
                code: "TEA",
                cents: (390, 2_900),
                things: &[
                    "Black Tea",
                    "Green Tea",
                    "Espresso Beans",
                    "Filter Coffee",
                    "Herbal Tea",
                    "Cocoa",
                ],
            },
            Leaf {
                name: "Pantry",
                code: "PAN",
                cents: (290, 2_400),
                things: &[
                    "Olive Oil",
                    "Sea Salt",
                    "Honey",
                    "Mustard",
                    "Rye Crackers",
                    "Tomato Sauce",
                ],
            },
            Leaf {
                name: "Sweets",
                code: "SWE",
                cents: (190, 1_900),
                things: &[
                    "Dark Chocolate",
                    "Nougat",
                    "Shortbread",
                    "Liquorice",
                    "Caramels",
                    "Marzipan",
                ],
            },
        ],
    ),
];

/// A category that holds products.
pub(super) struct Leaf {
    /// Its name.
    pub(super) name: &'static str,
    /// The first letters of its products' SKUs.
    pub(super) code: &'static str,
    /// What its products cost, lowest and highest, in cents.
    pub(super) cents: (i64, i64),
    /// What is sold in it.
    pub(super) things: &'static [&'static str],
}

/// Ranges of a maker: the first word of a product's name.
pub(super) const RANGES: &[&str] = &[
    "Alder", "Birch", "Cedar", "Cobalt", "Dune", "Ember", "Fjord", "Harbour", "Heron", "Juniper", "Larch", "Meadow",
    "Nordlys", "Ochre", "Pebble", "Quarry", "Rowan", "Saffron", "Tundra", "Willow",
];

/// What a review of one to five stars says.
pub(super) const OPINIONS: [&[&str]; 5] = [
    &[
        "Arrived broken and stayed broken.",
        "Not what the picture shows. Sent back.",
    ],
    &["Works, but feels cheap for the price.", "Smaller than I thought."],
    &["Does what it should, no more.", "Decent. Delivery took a week."],
    &[
        "Good quality, I would buy it again.",
        "Very happy, one star off for the packaging.",
    ],
    &[
        "Exactly what I was looking for.",
        "Use it every day. Wonderful.",
        "A present that was a great success.",
    ],
];

/// Who brings parcels.
pub(super) const CARRIERS: &[&str] = &["Blue Van", "Cargo Bike Co", "Northern Post"];
