//! Every query that can be written is read back the same.

use freehold_manifest::model::Limits;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zäß_$ .,:!>(){}\"\\\\*+%&=-]{0,6}", "[a-z]{1,3}"]
}

fn word() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,4}( [a-z]{1,3})?"
}

fn names() -> impl Strategy<Value = Option<Vec<String>>> {
    let unique = vec(text(), 1..4).prop_map(|mut names| {
        names.sort();
        names.dedup();
        names
    });
    option::of(unique)
}

fn field() -> impl Strategy<Value = Field> {
    let key = || prop_oneof![text().prop_map(Key::Name), any::<i32>().prop_map(Key::Index)];
    let steps = vec(key(), 0..3).prop_map(|keys| {
        let json = |key| Step {
            arrow: Arrow::Json,
            key,
        };
        keys.into_iter().map(json).collect::<Vec<_>>()
    });
    (text(), steps, option::of(key())).prop_map(|(column, mut path, last)| {
        path.extend(last.map(|key| Step {
            arrow: Arrow::Text,
            key,
        }));
        Field { column, path }
    })
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let aggregate = prop_oneof![
        Just(Aggregate::Average),
        Just(Aggregate::Count),
        Just(Aggregate::Greatest),
        Just(Aggregate::Least),
        Just(Aggregate::Sum),
    ];
    let chosen = (
        field(),
        option::of(text()),
        option::of(word()),
        option::of((aggregate, option::of(word()))),
    )
        .prop_map(|(field, alias, cast, aggregate)| Chosen {
            field,
            alias,
            cast,
            aggregate,
        });
    let item = prop_oneof![
        Just(Item::All),
        chosen.prop_map(Item::Field),
        (option::of(text()), option::of(word())).prop_map(|(alias, cast)| Item::Count { alias, cast }),
    ];
    let item = item.prop_recursive(3, 12, 4, |inside| {
        let join = prop_oneof![Just(Join::Left), Just(Join::Inner)];
        let shape = prop_oneof![
            option::of(text()).prop_map(|alias| (Shape::Nested, alias)),
            Just((Shape::Spread, None)),
        ];
        (text(), option::of(text()), join, shape, vec(inside, 0..3)).prop_map(
            |(relation, hint, join, (shape, alias), select)| {
                Item::Embed(Embed {
                    relation,
                    alias,
                    hint,
                    join,
                    shape,
                    select,
                })
            },
        )
    });
    vec(item, 0..4)
}

fn sense() -> impl Strategy<Value = Sense> {
    prop_oneof![Just(Sense::Plain), Just(Sense::Negated)]
}

fn test() -> impl Strategy<Value = Test> {
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::GreaterOrEqual),
        Just(Comparison::Like),
        Just(Comparison::MatchAnyCase),
    ];
    let operand = prop_oneof![
        text().prop_map(Operand::One),
        vec(text(), 0..3).prop_map(Operand::Any),
        vec(text(), 0..3).prop_map(Operand::All),
    ];
    // A list of one empty text is a list of nothing.
    let list = vec(text(), 0..4).prop_filter("not only an empty text", |l| *l != [String::new()]);
    let truth = prop_oneof![Just(Truth::Null), Just(Truth::NotNull), Just(Truth::Unknown)];
    let relation = prop_oneof![Just(Relation::Contains), Just(Relation::Adjacent)];
    let search = prop_oneof![Just(Search::Query), Just(Search::Web)];
    prop_oneof![
        (comparison, operand).prop_map(|(how, operand)| Test::Compare(how, operand)),
        text().prop_map(|value| Test::Compare(Comparison::Unequal, Operand::One(value))),
        list.prop_map(Test::In),
        truth.prop_map(Test::Is),
        text().prop_map(Test::IsDistinct),
        (relation, text()).prop_map(|(relation, value)| Test::Relate(relation, value)),
        (search, option::of(word()), text())
            .prop_map(|(search, language, value)| Test::Search(search, language, value)),
    ]
}

fn clause() -> impl Strategy<Value = Clause> {
    let filter =
        (field(), sense(), test()).prop_map(|(field, sense, test)| Clause::Test(Filter { field, sense, test }));
    filter.prop_recursive(3, 8, 3, |inside| {
        let logic = prop_oneof![Just(Logic::And), Just(Logic::Or)];
        (logic, sense(), vec(inside, 1..3)).prop_map(|(logic, sense, clauses)| Clause::Tree { logic, sense, clauses })
    })
}

fn rows() -> impl Strategy<Value = Rows> {
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    let nulls = option::of(prop_oneof![Just(Nulls::First), Just(Nulls::Last)]);
    let relation = option::of(text());
    let order = option::of((relation, field(), direction, nulls)).prop_map(|sort| {
        let sort = sort.map(|(relation, field, direction, nulls)| Sort {
            relation,
            field,
            direction,
            nulls,
        });
        Vec::from_iter(sort)
    });
    (vec(clause(), 0..3), order, option::of(0..1_000_u64), 0..100_u64).prop_map(|(filters, order, limit, offset)| {
        Rows {
            filters,
            order,
            limit,
            offset,
        }
    })
}

fn query() -> impl Strategy<Value = Query> {
    let asked = rows().prop_filter("something is asked", |rows| *rows != Rows::default());
    let nested = option::of((vec(text(), 1..3), asked)).prop_map(Vec::from_iter);
    let arguments = vec((Just("argument".to_owned()), text()), 0..2);
    (items(), names(), names(), rows(), nested, option::of(text()), arguments).prop_map(
        |(select, columns, on_conflict, rows, nested, after, arguments)| Query {
            select,
            columns,
            on_conflict,
            rows,
            nested,
            after,
            arguments,
        },
    )
}

proptest! {
    #[test]
    fn a_query_that_is_written_is_read_back_the_same(query in query()) {
        let text = written::query(&query);
        let limits = Limits { filters: 1_000, ..Limits::default() };
        let read = parse(&text, &limits, &["argument"]).map_err(|p| p.message().to_owned());
        prop_assert_eq!(read, Ok(query), "{}", text);
    }
}
