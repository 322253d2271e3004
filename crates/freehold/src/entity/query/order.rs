//! Lists of columns: `order`, `columns`, `on_conflict`.

use std::collections::HashSet;

use super::allowance::entries;
use super::scan::Scan;
use super::{Direction, Nulls, Sort, field};
use crate::entity::problem::Problem;

/// Reads names with commas between them; one that comes again counts once.
pub(super) fn names(part: &str, value: &str) -> Result<Vec<String>, Problem> {
    let mut scan = Scan::new(part, value);
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    scan.skip_blank();
    if scan.is_over() {
        return Ok(names);
    }
    loop {
        let name = field::name(&mut scan)?;
        if seen.insert(name.clone()) {
            names.push(name);
        }
        entries(part, names.len())?;
        if !scan.eat(",") {
            scan.end("a comma")?;
            return Ok(names);
        }
    }
}

/// Reads what to sort by; a field that comes again counts once, for it changes nothing.
pub(super) fn order(part: &str, value: &str) -> Result<Vec<Sort>, Problem> {
    let mut scan = Scan::new(part, value);
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    scan.skip_blank();
    if scan.is_over() {
        return Ok(order);
    }
    loop {
        let sort = term(&mut scan)?;
        if seen.insert((sort.relation.clone(), sort.field.clone())) {
            order.push(sort);
        }
        entries(part, order.len())?;
        if !scan.eat(",") {
            scan.end("a comma")?;
            return Ok(order);
        }
    }
}

fn term(scan: &mut Scan<'_>) -> Result<Sort, Problem> {
    let mut field = field::field(scan)?;
    let mut relation = None;
    if field.path.is_empty() && scan.eat("(") {
        relation = Some(std::mem::replace(&mut field, field::field(scan)?).column);
        scan.expect(")", "`)`")?;
        scan.skip_blank();
    }
    let mut sort = Sort {
        relation,
        field,
        direction: Direction::Ascending,
        nulls: None,
    };
    let before = scan.clone();
    match next_word(scan) {
        Some("asc") => {}
        Some("desc") => sort.direction = Direction::Descending,
        _ => *scan = before,
    }
    let before = scan.clone();
    match next_word(scan) {
        None => {}
        Some("nullsfirst") => sort.nulls = Some(Nulls::First),
        Some("nullslast") => sort.nulls = Some(Nulls::Last),
        Some(_) => return Err(bad_term(&before)),
    }
    if scan.stands(".") {
        return Err(bad_term(scan));
    }
    Ok(sort)
}

fn bad_term(scan: &Scan<'_>) -> Problem {
    scan.expected("a comma, or .asc or .desc, then .nullsfirst or .nullslast")
        .with_hint("write column, column.desc, column->>key.asc.nullslast or relation(column)")
}

fn next_word<'t>(scan: &mut Scan<'t>) -> Option<&'t str> {
    if !scan.eat(".") {
        return None;
    }
    let word = scan.take_while(|c| c.is_alphanumeric());
    scan.skip_blank();
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::query::written;

    #[test]
    fn a_term_is_a_field_a_direction_and_a_place_for_nulls() {
        for (text, written) in [
            ("a", r#""a".asc"#),
            ("a.asc,b.desc", r#""a".asc,"b".desc"#),
            ("a.desc.nullslast", r#""a".desc.nullslast"#),
            ("a.asc.nullsfirst", r#""a".asc.nullsfirst"#),
            ("a.nullsfirst", r#""a".asc.nullsfirst"#),
            (" a b .desc , c ", r#""a b".desc,"c".asc"#),
            (r#""a.b,c".desc"#, r#""a.b,c".desc"#),
            ("a->b->>c.desc", r#""a"->"b"->>"c".desc"#),
            ("a->0.desc", r#""a"->0.desc"#),
            ("a->!@#$%^&*_a.asc.nullslast", r#""a"->"!@#$%^&*_a".asc.nullslast"#),
            ("r(a)", r#""r"("a").asc"#),
            (
                "a,r( b->>c ).desc.nullsfirst,d",
                r#""a".asc,"r"("b"->>"c").desc.nullsfirst,"d".asc"#,
            ),
            ("a.desc,a,r(a),r(a).desc,a->b", r#""a".desc,"r"("a").asc,"a"->"b".asc"#),
            ("asc.desc", r#""asc".desc"#),
        ] {
            let read = order("order", text).map(|o| written::order(&o));
            let read = read.map_err(|p| p.message().to_owned());
            assert_eq!(read.as_deref(), Ok(written), "{text}");
        }
    }

    #[test]
    fn what_is_no_term_is_refused() {
        for text in [
            ",",
            "a,",
            ",a",
            "a.up",
            "a.ac",
            "a.descc",
            "a.desc.asc",
            "a.nullsfirst.desc",
            "a.asc.nlsfst",
            "a.nullslasttt",
            "a.",
            "a.desc.",
            "a.desc.nullslast.x",
            "a..desc",
            "*",
            "r(a,b)",
            "r(a",
            "r()",
            "r(a))",
            "r(s(a))",
            "r(a.desc)",
            "a->b(c)",
            "a->>b->c",
            "\"a",
            "a b\"",
        ] {
            assert!(order("order", text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_stand_between_commas() {
        let read = |text| names("columns", text).ok();
        let list = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(read(r#"a, "b,c" ,a-d"#), list(&["a", "b,c", "a-d"]));
        assert_eq!(read("b,a,b"), list(&["b", "a"]));
        assert_eq!(read(" "), list(&[]));
        for text in ["a,", ",", "*", "a.b", "a(b)", "\"a"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
