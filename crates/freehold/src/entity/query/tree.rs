//! `and(…)` and `or(…)`: conditions inside each other.

use super::allowance::Allowance;
use super::scan::Scan;
use super::test::{self, Ends};
use super::{Clause, Filter, Logic, Sense, field};
use crate::entity::problem::Problem;

/// Reads the value of `and=`, `or=`, `not.and=`, `not.or=`.
pub(super) fn tree(
    part: &str,
    value: &str,
    (sense, logic): (Sense, Logic),
    allowance: &mut Allowance<'_>,
) -> Result<Clause, Problem> {
    let mut scan = Scan::new(part, value);
    scan.skip_blank();
    scan.expect("(", "a list of conditions in parentheses")
        .map_err(|p| p.with_hint("write or=(a.eq.1,b.gt.2,not.and(c.is.null,d.eq.x))"))?;
    let clauses = clauses(&mut scan, 1, allowance)?;
    scan.end("the end")?;
    Ok(Clause::Tree { logic, sense, clauses })
}

/// Reads conditions up to the closing parenthesis; these are `depth` deep.
fn clauses(scan: &mut Scan<'_>, depth: u64, allowance: &mut Allowance<'_>) -> Result<Vec<Clause>, Problem> {
    allowance.filter_depth(depth)?;
    let mut clauses = Vec::new();
    loop {
        scan.skip_blank();
        clauses.push(clause(scan, depth, allowance)?);
        scan.skip_blank();
        if scan.eat(")") {
            return Ok(clauses);
        }
        scan.expect(",", "a comma or `)`").map_err(|p| {
            p.with_hint("a value with commas, parentheses or braces inside it stands in double quotes: a.eq.\"x,y\"")
        })?;
    }
}

fn clause(scan: &mut Scan<'_>, depth: u64, allowance: &mut Allowance<'_>) -> Result<Clause, Problem> {
    if let Some((sense, logic)) = head(scan) {
        let clauses = clauses(scan, depth + 1, allowance)?;
        return Ok(Clause::Tree { logic, sense, clauses });
    }
    allowance.filter()?;
    let field = field::field(scan)?;
    scan.expect(".", "a dot and an operator")?;
    let (sense, test) = test::test(scan, &field.column, Ends::InTree, allowance)?;
    Ok(Clause::Test(Filter { field, sense, test }))
}

/// Goes past `and(`, `not.or(` and the like; a column of that name has a dot after it.
fn head(scan: &mut Scan<'_>) -> Option<(Sense, Logic)> {
    let mut ahead = scan.clone();
    let sense = if ahead.eat("not.") {
        Sense::Negated
    } else {
        Sense::Plain
    };
    let logic = if ahead.eat("and") {
        Logic::And
    } else if ahead.eat("or") {
        Logic::Or
    } else {
        return None;
    };
    ahead.skip_blank();
    if !ahead.eat("(") {
        return None;
    }
    *scan = ahead;
    Some((sense, logic))
}

#[cfg(test)]
mod tests {
    use freehold_manifest::model::Limits;

    use super::*;
    use crate::entity::query::written;

    fn read(text: &str) -> Result<String, String> {
        let limits = Limits::default();
        let clause = tree("or", text, (Sense::Plain, Logic::Or), &mut Allowance::new(&limits));
        clause.map(|c| written::clause(&c)).map_err(|p| p.message().to_owned())
    }

    #[test]
    fn conditions_stand_inside_each_other() {
        for (text, written) in [
            ("(a.eq.1)", r#"or("a".eq."1")"#),
            (" ( a.eq.1,b.not.gt.2 ) ", r#"or("a".eq."1","b".not.gt."2 ")"#),
            (
                "(a.eq.1,and(b.lt.2,not.or(c.is.null,d.neq.x)))",
                r#"or("a".eq."1",and("b".lt."2",not.or("c".is.null,"d".neq."x")))"#,
            ),
            (
                "( and ( a.is.null , b.is.true ) , c.in.(1) )",
                r#"or(and("a".is.null,"b".is.true),"c".in.("1"))"#,
            ),
            ("(not.and(a.eq.1))", r#"or(not.and("a".eq."1"))"#),
            // Columns may be called as the words are.
            (
                "(and.eq.1,or.eq.2,not.eq.3,order.eq.4)",
                r#"or("and".eq."1","or".eq."2","not".eq."3","order".eq."4")"#,
            ),
            ("(android.eq.1)", r#"or("android".eq."1")"#),
            // A value ends where it ends.
            ("(a.eq.,b.eq.)", r#"or("a".eq."","b".eq."")"#),
            ("(a.eq.x.y-z:w 1,b.eq.(2)", r#"or("a".eq."x.y-z:w 1","b".eq."(2")"#),
            (r#"(a.eq."x,y)",b.eq."p\"q\\")"#, r#"or("a".eq."x,y)","b".eq."p\"q\\")"#),
            (r#"(a.eq."x"y,b.eq.x"y")"#, r#"or("a".eq."\"x\"y","b".eq."x\"y\"")"#),
            (r#"(a.eq."x)"#, r#"or("a".eq."\"x")"#),
            // Arrays and lists.
            (
                "(a.cs.{1,2},b.ov.{},c.cd.{x)",
                r#"or("a".cs."{1,2}","b".ov."{}","c".cd."{x")"#,
            ),
            (r#"(a.cs."{\"x\":1}")"#, r#"or("a".cs."{\"x\":1}")"#),
            (r#"(r.sl."[1,5)")"#, r#"or("r".sl."[1,5)")"#),
            (
                r#"(a.in.(1, 2,"x,y)"),b.not.in.())"#,
                r#"or("a".in.("1"," 2","x,y)"),"b".not.in.())"#,
            ),
            (
                "(a.like(any).{*x*,y},b.eq(all).{1})",
                r#"or("a".like(any)."{\"*x*\",\"y\"}","b".eq(all)."{\"1\"}")"#,
            ),
            (r#"(a.eq(any)."{x,\"y,z\"}")"#, r#"or("a".eq(any)."{\"x\",\"y,z\"}")"#),
            // Fields.
            ("(a->b->>c.eq.1)", r#"or("a"->"b"->>"c".eq."1")"#),
            (r#"("a.b".eq.1, "c d" .is.null)"#, r#"or("a.b".eq."1","c d".is.null)"#),
            ("(a->0.eq.1)", r#"or("a"->0.eq."1")"#),
            (
                "(a.fts(english).x,b.not.wfts.y z,c.isdistinct.4)",
                r#"or("a".fts(english)."x","b".not.wfts."y z","c".isdistinct."4")"#,
            ),
        ] {
            assert_eq!(read(text).as_deref(), Ok(written), "{text}");
        }
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for text in [
            "",
            "a.eq.1",
            "(",
            "()",
            "( )",
            ")(",
            "(a)",
            "(a.eq)",
            "(a.eq.1",
            "(a.eq.1,)",
            "(,a.eq.1)",
            "(a.eq.1))",
            "(a.eq.1)x",
            "(a.eq.1)(b.eq.2)",
            "(or())",
            "(or(a.eq.1)",
            "(ord(a.eq.1))",
            "(not.xor(a.eq.1))",
            "(not.not.or(a.eq.1))",
            "(not.a.eq.1)",
            "(a.in.1,2)",
            "(a.in.(1,2)",
            "(a.in.(1)x)",
            "(a.cs.{1,2}x)",
            "(a.cs.{{1,2},{3,4}})",
            "(r.sl.[1,5))",
            "(a.is.nul)",
            "(a.b.eq.1)",
            "(.eq.1)",
            "(*.eq.1)",
            "(a.eq(any).1)",
            "(a.eq(any).{1,2)",
            "(\"a.eq.1)",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
