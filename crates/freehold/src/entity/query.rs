//! The grammar of a query string: text in, a [`Query`] or a refusal out. PURE: it knows no table.
//!
//! ```text
//! query  = part *( "&" part )
//! part   = "select=" name *( "," name ) | "order=" term *( "," term ) | "limit=" n | "offset=" n | name "=" filter
//! term   = name [ ".asc" | ".desc" ] [ ".nullsfirst" | ".nullslast" ]
//! filter = [ "not." ] ( compare "." text | "in.(" value *( "," value ) ")" | "is." truth )
//! ```

mod list;
mod parse;

pub use parse::parse;

/// What a query string asks for; names are as the client wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Columns to answer with; none means all.
    pub select: Option<Vec<String>>,
    /// Fields of the body that count (`columns=`, which clients send with a bulk insert); none means all.
    pub columns: Option<Vec<String>>,
    /// Clauses that must all hold.
    pub filters: Vec<Filter>,
    /// Columns to sort by, the first one first.
    pub order: Vec<Sort>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// Rows to leave out at the beginning.
    pub offset: u64,
}

/// One clause: `column=not.operator.value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The column.
    pub column: String,
    /// Whether the clause is turned around.
    pub sense: Sense,
    /// What is asked of the column.
    pub test: Test,
}

/// Whether a clause is turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// As it stands.
    Plain,
    /// `not.`
    Negated,
}

/// What is asked of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A comparison with one value.
    Compare(Comparison, String),
    /// `in.(…)`
    In(Vec<String>),
    /// `is.…`
    Is(Truth),
}

/// A comparison with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Equal,
    /// `neq`
    Unequal,
    /// `gt`
    Greater,
    /// `gte`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `lte`
    LessOrEqual,
    /// `like`, with `*` for any text
    Like,
    /// `ilike`: `like` without regard to case
    LikeAnyCase,
}

/// What `is` can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// `is.null`
    Null,
    /// `is.not_null`
    NotNull,
    /// `is.true`
    True,
    /// `is.false`
    False,
    /// `is.unknown`
    Unknown,
}

/// One column to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: String,
    /// Up or down.
    pub direction: Direction,
    /// Where nulls stand; none means where PostgreSQL puts them.
    pub nulls: Option<Nulls>,
}

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Where nulls stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nulls {
    /// Before all values.
    First,
    /// After all values.
    Last,
}
