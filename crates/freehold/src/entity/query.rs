//! What a query string can ask, in the language of PostgREST: text in, a [`Query`] or a refusal out. PURE: it knows no table.
//!
//! ```text
//! query   = part *( "&" part )
//! part    = "select=" items | "columns=" names | "on_conflict=" names | "after=" token
//!         | [ path "." ] ( "order=" terms | "limit=" n | "offset=" n | tree | field "=" test )
//! path    = name *( "." name )                      ; embedded relations, as `select` names them
//! items   = item *( "," item )
//! item    = "*" | [ alias ":" ] field [ "::" type ] [ "." aggregate "()" [ "::" type ] ]
//!         | [ alias ":" ] "count()" [ "::" type ]
//!         | [ alias ":" | "..." ] relation [ "!" hint ] [ "!inner" | "!left" ] "(" [ items ] ")"
//! field   = name *( ( "->" | "->>" ) ( name | index ) )
//! terms   = ( field | relation "(" field ")" ) [ ".asc" | ".desc" ] [ ".nullsfirst" | ".nullslast" ] …
//! tree    = [ "not." ] ( "and" | "or" ) "=" "(" clause *( "," clause ) ")"
//! clause  = field "." test | [ "not." ] ( "and" | "or" ) "(" clause *( "," clause ) ")"
//! test    = [ "not." ] operator [ "(any)" | "(all)" | "(" language ")" ] "." value
//! ```

// Text to parts
mod parse;
mod scan;

// Parts
mod field;
mod order;
mod select;
mod test;
mod tree;
mod value;

// Limits
mod allowance;

// Proof
#[cfg(test)]
mod round_trip;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod written;

pub(super) use allowance::check_offset;
pub use parse::parse;
pub(super) use test::is_test;

/// What a query string asks for; names are as the client wrote them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What to answer with; empty means every column.
    pub select: Vec<Item>,
    /// Fields of the body that count (`columns=`, which clients send with a bulk insert); none means all.
    pub columns: Option<Vec<String>>,
    /// Columns that tell whether a row is there already (`on_conflict=`); none means the primary key.
    pub on_conflict: Option<Vec<String>>,
    /// Which rows, and in what order.
    pub rows: Rows,
    /// Which rows of the embedded relations, by the path of names that leads to each; every path once.
    pub nested: Vec<(Vec<String>, Rows)>,
    /// The place in a list to go on from (`after=`), as the link to the next page wrote it.
    pub after: Option<String>,
    /// Arguments of a function, in the order they were given; a name may be given more than once.
    pub arguments: Vec<(String, String)>,
}

/// Which rows of one relation, and in what order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Clauses that must all hold.
    pub filters: Vec<Clause>,
    /// What to sort by, the first one first.
    pub order: Vec<Sort>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// Rows to leave out at the beginning.
    pub offset: u64,
}

/// One entry of `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `*`: every column.
    All,
    /// A column, or something in it, or an aggregate of it.
    Field(Chosen),
    /// `count()`: the number of rows.
    Count {
        /// The name it is answered under; none means `count`.
        alias: Option<String>,
        /// The type it is cast to.
        cast: Option<String>,
    },
    /// Rows of a related table.
    Embed(Embed),
}

/// A column in `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// What of which column.
    pub field: Field,
    /// The name it is answered under; none means the column's, or the last key of the path.
    pub alias: Option<String>,
    /// The type it is cast to, before it is aggregated.
    pub cast: Option<String>,
    /// What is made of all rows' values.
    pub aggregate: Option<(Aggregate, Option<String>)>,
}

/// What is made of all rows' values; the text beside it in [`Chosen`] is the type its result is cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// `avg()`
    Average,
    /// `count()`: of values that are not null.
    Count,
    /// `max()`
    Greatest,
    /// `min()`
    Least,
    /// `sum()`
    Sum,
}

/// Rows of a related table in `select`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embed {
    /// The related table.
    pub relation: String,
    /// The name it is answered under; none means the table's.
    pub alias: Option<String>,
    /// What tells one relationship from another: a foreign key's name, one of its columns, or a table between the two.
    pub hint: Option<String>,
    /// What becomes of rows without related ones.
    pub join: Join,
    /// How its rows are shown.
    pub shape: Shape,
    /// What of each; empty means nothing: `rel()` only filters. `rel(*)` is [`Item::All`].
    pub select: Vec<Item>,
}

/// What becomes of rows without related ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// They stay.
    Left,
    /// They are left out (`!inner`).
    Inner,
}

/// How related rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As an object, or an array of objects.
    Nested,
    /// Among the columns of the row they belong to (`...relation(…)`).
    Spread,
}

/// A column, or a place in the JSON it holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The column.
    pub column: String,
    /// The way into it; empty means the column itself.
    pub path: Vec<Step>,
}

/// One step into JSON.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    /// What the step gives.
    pub arrow: Arrow,
    /// Where to.
    pub key: Key,
}

/// What a step into JSON gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arrow {
    /// `->`: JSON.
    Json,
    /// `->>`: text; always the last step.
    Text,
}

/// Where a step into JSON leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// To a field of an object.
    Name(String),
    /// To an element of an array; from the end where negative.
    Index(i32),
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// A test of one field.
    Test(Filter),
    /// Several conditions.
    Tree {
        /// How they are joined.
        logic: Logic,
        /// Whether the whole is turned around.
        sense: Sense,
        /// At least one.
        clauses: Vec<Clause>,
    },
}

/// How conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logic {
    /// All must hold.
    And,
    /// One must hold.
    Or,
}

/// One clause: `column=not.operator.value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What is tested. A column without a path may also be the name of an embedded relation: `items=not.is.null`.
    pub field: Field,
    /// Whether the test is turned around.
    pub sense: Sense,
    /// What is asked of it.
    pub test: Test,
}

/// Whether a condition is turned around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// As it stands.
    Plain,
    /// `not.`
    Negated,
}

/// What is asked of a field. Values are as the client meant them: unquoted, `*` of `like` and `ilike` still `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// A comparison.
    Compare(Comparison, Operand),
    /// `in.(…)`
    In(Vec<String>),
    /// `is.…`
    Is(Truth),
    /// `isdistinct.…`: not equal, where null is a value like others.
    IsDistinct(String),
    /// Arrays, ranges and JSON beside each other.
    Relate(Relation, String),
    /// Full-text search.
    Search(Search, Option<String>, String),
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// One value.
    One(String),
    /// `(any).{…}`: one of these must fit.
    Any(Vec<String>),
    /// `(all).{…}`: all of these must fit.
    All(Vec<String>),
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
    /// `match`: a regular expression
    Match,
    /// `imatch`: `match` without regard to case
    MatchAnyCase,
}

/// How arrays, ranges and JSON stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// `cs`: `@>`
    Contains,
    /// `cd`: `<@`
    ContainedBy,
    /// `ov`: `&&`
    Overlaps,
    /// `sl`: `<<`
    StrictlyLeft,
    /// `sr`: `>>`
    StrictlyRight,
    /// `nxr`: `&<`
    NotRight,
    /// `nxl`: `&>`
    NotLeft,
    /// `adj`: `-|-`
    Adjacent,
}

/// How a full-text search reads its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// `fts`: `to_tsquery`
    Query,
    /// `plfts`: `plainto_tsquery`
    Plain,
    /// `phfts`: `phraseto_tsquery`
    Phrase,
    /// `wfts`: `websearch_to_tsquery`
    Web,
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

/// One thing to sort by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The embedded to-one relation whose field it is; none means the row's own.
    pub relation: Option<String>,
    /// The field.
    pub field: Field,
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
