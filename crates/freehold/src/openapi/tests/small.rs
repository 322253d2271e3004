//! A small service with one of everything.

use std::collections::BTreeMap;

use freehold_manifest::model::{
    Api, Cached, Function, History, Link, Mode, RefCheck, Reference, Refresh, ServedTo, Service, Table, TableName,
    Unguarded, View,
};

use crate::pg::catalog::{
    Argument, Catalog, Column, Constraint, ConstraintKind, Filled, ForeignKey, FunctionShape, Kind, Returns, RowShape,
    TableShape, ValueType, Volatility,
};

/// The service, and its database's catalog.
pub(in crate::openapi) fn small() -> (Service, Catalog) {
    (service(), catalog())
}

fn service() -> Service {
    let owned = |name: &str, summary: &str| Table {
        name: name.to_owned(),
        summary: summary.to_owned(),
        mode: Mode::ReadWrite,
        within: None,
        refs: Vec::new(),
        cached: Vec::new(),
        publishes: Vec::new(),
        hidden: Vec::new(),
        unguarded: Unguarded::Allowed,
        served: ServedTo::SignedIn,
        history: History::None,
    };
    let within = |name, summary| Table {
        within: Some("accounts".to_owned()),
        ..owned(name, summary)
    };
    let function = |name: &str| Function {
        name: name.to_owned(),
        summary: format!("Calls {name}."),
        served: ServedTo::SignedIn,
    };
    Service {
        name: "bank".to_owned(),
        summary: "Keeps accounts.".to_owned(),
        port: 7801,
        program: None,
        publishes: Vec::new(),
        subscribes: Vec::new(),
        sagas: Vec::new(),
        sends: Vec::new(),
        commands: Vec::new(),
        owns: vec![
            accounts(owned("accounts", "One row per account.")),
            within("addresses", "Where letters go."),
            within("profiles", "How an account appears."),
            Table {
                mode: Mode::AppendOnly,
                ..owned("journal", "What was booked.")
            },
            owned("loose", "Rows without a key."),
            owned("gone", "Is not in the database."),
        ],
        copies: Vec::new(),
        views: vec![View {
            name: "totals".to_owned(),
            summary: "Sums.".to_owned(),
            key: vec!["account_id".to_owned()],
            links: vec![Link {
                column: "account_id".to_owned(),
                table: "accounts".to_owned(),
                to: "id".to_owned(),
            }],
            hidden: Vec::new(),
            served: ServedTo::SignedIn,
        }],
        streams: Vec::new(),
        projections: Vec::new(),
        functions: vec![function("find_accounts"), function("close_account"), function("gone")],
        api: Api::default(),
    }
}

fn accounts(table: Table) -> Table {
    let cached = |column: &str, source: &str, refresh| Cached {
        column: column.to_owned(),
        reference: "owner_id_ref".to_owned(),
        source: source.to_owned(),
        refresh,
    };
    Table {
        refs: vec![Reference {
            column: "owner_id_ref".to_owned(),
            to: TableName {
                service: "user".to_owned(),
                table: "users".to_owned(),
            },
            on_delete: freehold_manifest::model::OnDelete::Keep,
            check: RefCheck::Copy,
        }],
        cached: vec![
            cached("owner_name", "name", Refresh::OnChange),
            cached("rate", "rate", Refresh::Never),
        ],
        hidden: vec!["password_hash".to_owned()],
        unguarded: Unguarded::Refused,
        ..table
    }
}

fn catalog() -> Catalog {
    let tables = [
        accounts_shape(),
        addresses_shape(),
        profiles_shape(),
        journal_shape(),
        loose_shape(),
    ];
    let totals = TableShape {
        columns: vec![
            nullable(column("account_id", "uuid")),
            nullable(column("total", "numeric")),
        ],
        ..table("totals", &[])
    };
    Catalog {
        tables: tables.map(|t| (t.name.clone(), t)).into(),
        views: BTreeMap::from([("totals".to_owned(), totals)]),
        functions: functions(),
    }
}

fn accounts_shape() -> TableShape {
    let columns = vec![
        with_default(column("id", "uuid"), "gen_random_uuid()"),
        Column {
            length_max: Some(254),
            comment: Some("Where to write to.".to_owned()),
            ..column("email", "varchar")
        },
        column("password_hash", "text"),
        with_default(column("balance", "numeric"), "0"),
        nullable(column("age", "int2")),
        Column {
            labels: vec!["open".to_owned(), "closed".to_owned()],
            cast: "public.account_state".to_owned(),
            ..column("state", "account_state")
        },
        column("tags", "_text"),
        nullable(column("facts", "jsonb")),
        column("owner_id_ref", "uuid"),
        column("owner_name", "text"),
        column("rate", "numeric"),
        Column {
            filled: Filled::ByExpression,
            ..column("domain", "text")
        },
        Column {
            filled: Filled::ByIdentity,
            default_expr: Some("nextval('accounts_number_seq')".to_owned()),
            ..column("number", "int8")
        },
        with_default(column("opened_at", "timestamptz"), "now()"),
        with_default(column("version", "int8"), "1"),
        with_default(column("updated_at", "timestamptz"), "now()"),
    ];
    TableShape {
        columns,
        constraints: BTreeMap::from([
            unique("accounts_email_key", "email", "UNIQUE (email)"),
            check("accounts_age_is_an_age", "age", "CHECK (((age >= 0) AND (age <= 150)))"),
            unique(
                "accounts_open_key",
                "age",
                "CREATE UNIQUE INDEX … (age) WHERE (state = 'open')",
            ),
        ]),
        has_version: true,
        comment: Some("One row per account: the root.".to_owned()),
        ..table("accounts", &["id"])
    }
}

fn addresses_shape() -> TableShape {
    TableShape {
        columns: vec![
            with_default(column("id", "uuid"), "gen_random_uuid()"),
            column("account_id", "uuid"),
            column("line", "text"),
        ],
        foreign_keys: vec![to_accounts("account_id")],
        ..table("addresses", &["id"])
    }
}

fn profiles_shape() -> TableShape {
    TableShape {
        columns: vec![column("account_id", "uuid"), nullable(column("picture", "bytea"))],
        foreign_keys: vec![to_accounts("account_id")],
        ..table("profiles", &["account_id"])
    }
}

fn journal_shape() -> TableShape {
    TableShape {
        columns: vec![
            Column {
                filled: Filled::ByDefaultIdentity,
                default_expr: Some("nextval('journal_id_seq')".to_owned()),
                ..column("id", "int8")
            },
            column("amount", "numeric"),
            column("booked_on", "date"),
        ],
        ..table("journal", &["id"])
    }
}

fn loose_shape() -> TableShape {
    let others = [
        ("during", "tstzrange"),
        ("at", "time"),
        ("raw", "json"),
        ("open", "bool"),
    ];
    let mut columns = vec![column("plain", "int4"), column("a.b", "int4"), column("limit", "int4")];
    columns.extend(others.map(|(name, base)| nullable(column(name, base))));
    TableShape {
        columns,
        ..table("loose", &[])
    }
}

fn functions() -> BTreeMap<String, Vec<FunctionShape>> {
    let function = |name: &str, arguments, returns, volatility| FunctionShape {
        schema: "public".to_owned(),
        name: name.to_owned(),
        arguments,
        returns,
        volatility,
        comment: None,
    };
    let argument = |name: &str, base: &str, has_default| Argument {
        name: name.to_owned(),
        value: ValueType {
            name: base.to_owned(),
            cast: base.to_owned(),
            kind: kind(base),
            base: base.to_owned(),
            labels: Vec::new(),
        },
        has_default,
        variadic: false,
    };
    let rows = RowShape {
        of: Some("accounts".to_owned()),
        columns: Vec::new(),
    };
    let all = [
        function(
            "find_accounts",
            vec![argument("word", "text", false), argument("at_least", "numeric", true)],
            Returns::Rows(rows),
            Volatility::Stable,
        ),
        function(
            "close_account",
            vec![argument("id", "uuid", false)],
            Returns::Nothing,
            Volatility::Volatile,
        ),
        function("unlisted", Vec::new(), Returns::Nothing, Volatility::Immutable),
    ];
    all.map(|f| (f.name.clone(), vec![f])).into()
}

fn table(name: &str, key: &[&str]) -> TableShape {
    TableShape {
        schema: "public".to_owned(),
        name: name.to_owned(),
        key: key.iter().map(|k| (*k).to_owned()).collect(),
        ..TableShape::default()
    }
}

pub(in crate::openapi) fn column(name: &str, base: &str) -> Column {
    Column {
        name: name.to_owned(),
        type_name: base.to_owned(),
        cast: base.to_owned(),
        kind: kind(base),
        not_null: true,
        default_expr: None,
        filled: Filled::ByWriter,
        base: base.to_owned(),
        labels: Vec::new(),
        length_max: None,
        comment: None,
    }
}

fn nullable(column: Column) -> Column {
    Column {
        not_null: false,
        ..column
    }
}

fn with_default(column: Column, default: &str) -> Column {
    Column {
        default_expr: Some(default.to_owned()),
        ..column
    }
}

/// As the catalog tells it.
pub(super) fn kind(base: &str) -> Kind {
    match base {
        "bool" => Kind::Boolean,
        "json" | "jsonb" => Kind::Json,
        "text" | "varchar" => Kind::Text,
        array if array.starts_with('_') => Kind::Array,
        _ => Kind::Scalar,
    }
}

fn unique(name: &str, column: &str, definition: &str) -> (String, Constraint) {
    let constraint = Constraint {
        kind: ConstraintKind::Unique,
        columns: vec![column.to_owned()],
        definition: definition.to_owned(),
        to: None,
    };
    (name.to_owned(), constraint)
}

fn check(name: &str, column: &str, definition: &str) -> (String, Constraint) {
    let (name, constraint) = unique(name, column, definition);
    let constraint = Constraint {
        kind: ConstraintKind::Check,
        ..constraint
    };
    (name, constraint)
}

fn to_accounts(column: &str) -> ForeignKey {
    ForeignKey {
        name: format!("to_accounts_by_{column}"),
        columns: vec![column.to_owned()],
        to: "accounts".to_owned(),
        to_columns: vec!["id".to_owned()],
    }
}
