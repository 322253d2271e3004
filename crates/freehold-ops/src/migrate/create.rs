//! A new, empty migration.

use super::error::{Error, Result};
use super::plan::{parse_name, paths};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The longest name: it is read in lists.
const NAME_CHARS_MAX: usize = 60;

/// Creates the next migration in `folder`, named `name`, with a comment that says how it will run; returns its path.
///
/// The number is the highest one plus one. An existing file is never touched.
///
/// # Errors
/// [`Error::Slug`] if the name is not made of `a-z`, `0-9` and `_`, beginning with a letter; [`Error::FileName`] if a
/// file in the folder is not named like a migration; [`Error::Read`] if the file cannot be written.
pub fn create(folder: &Path, name: &str) -> Result<PathBuf> {
    let slug = slug(name);
    if slug != name || name.is_empty() {
        return Err(Error::Slug {
            name: name.to_owned(),
            most: NAME_CHARS_MAX,
            suggestion: if slug.is_empty() { "add_totals".to_owned() } else { slug },
        });
    }
    let mut last = 0;
    for path in paths(folder)? {
        last = parse_name(&path)?.0.0.max(last);
    }
    let file_name = format!("{:04}_{name}.sql", last + 1);
    let path = folder.join(&file_name);
    let text = format!(
        "-- {}\n\
         --\n\
         -- Runs in one transaction, as the owner of the service's tables. Once applied anywhere it must not change.\n\
         -- For `create index concurrently` begin the file with this line: -- freehold: no-transaction\n\n",
        name.replace('_', " ")
    );
    let failed = |source| Error::Read {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = fs::File::create_new(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(path)
}

/// The nearest name that would do.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '_' => slug.push(c),
            '0'..='9' if !slug.is_empty() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('_') => {}
            _ => slug.push('_'),
        }
    }
    slug.truncate(NAME_CHARS_MAX);
    slug.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_will_not_do_is_answered_with_one_that_will() {
        assert_eq!(slug("add_totals_2"), "add_totals_2");
        assert_eq!(slug("Add totals (2)!"), "add_totals_2");
        assert_eq!(slug("../etc"), "etc");
        assert_eq!(slug("1"), "");
    }
}
