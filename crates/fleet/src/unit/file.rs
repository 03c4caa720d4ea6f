//! The syntax of unit files: sections, assignments, comments, continued lines.

/// A unit file's assignments, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitFile {
    pub(super) entries: Vec<Entry>,
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: String,
    /// Where it begins, counted from 1.
    pub(super) line: usize,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

impl Wrong {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

impl UnitFile {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let mut entries = Vec::new();
        let mut section = None;
        for (line, content) in logical_lines(text) {
            let content = content.trim();
            if let Some(rest) = content.strip_prefix('[') {
                let name = rest.strip_suffix(']').filter(|name| !name.is_empty());
                let name = name.ok_or_else(|| Wrong::new(line, "a section is [Name]"))?;
                section = Some(name.to_owned());
                continue;
            }
            let Some((key, value)) = content.split_once('=') else {
                return Err(Wrong::new(line, format!("{content:?} is no assignment: Key=value")));
            };
            let Some(section) = &section else {
                return Err(Wrong::new(line, "an assignment stands before any section"));
            };
            let (key, value) = (key.trim_end().to_owned(), value.trim_start().to_owned());
            entries.push(Entry { section: section.clone(), key, value, line });
        }
        Ok(Self { entries })
    }

    /// Whether a text looks like a unit file: what stands first in it is a section that units have.
    pub(super) fn is_one(text: &str) -> bool {
        let first = logical_lines(text).next();
        first.is_some_and(|(_, line)| {
            matches!(line.trim(), "[Unit]" | "[Service]" | "[Install]" | "[Timer]")
        })
    }

    /// Whether there is a section of this name with anything in it.
    pub(super) fn has(&self, section: &str) -> bool {
        self.entries.iter().any(|entry| entry.section == section)
    }
}

/// The lines that say something, with their numbers; one that ends in a backslash goes on in the
/// next. Comments do not end a continued line, they are left out of it.
fn logical_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut lines = text.lines().enumerate();
    std::iter::from_fn(move || {
        let mut whole: Option<(usize, String)> = None;
        for (index, line) in lines.by_ref() {
            let trimmed = line.trim_start();
            if trimmed.starts_with(['#', ';']) || (whole.is_none() && trimmed.is_empty()) {
                continue;
            }
            let (start, mut text) = whole.take().unwrap_or((index + 1, String::new()));
            let Some(begun) = line.strip_suffix('\\') else {
                text.push_str(line);
                return Some((start, text));
            };
            text.push_str(begun);
            text.push(' ');
            whole = Some((start, text));
        }
        whole
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String, usize)> {
        let entries = UnitFile::parse(text).unwrap().entries;
        let told = |entry: Entry| (entry.key, entry.value, entry.line);
        entries.into_iter().map(told).collect()
    }

    #[test]
    fn assignments_belong_to_the_section_before_them() {
        let file = UnitFile::parse("[Unit]\nA=1\n\n[Service]\nB = 2 \n").unwrap();
        let told: Vec<_> =
            file.entries.iter().map(|e| (&*e.section, &*e.key, &*e.value, e.line)).collect();
        assert_eq!(told, [("Unit", "A", "1", 2), ("Service", "B", "2", 5)]);
        assert!(file.has("Service") && !file.has("Install"));
    }

    #[test]
    fn a_backslash_continues_a_line_and_comments_in_between_are_left_out() {
        let text = "[S]\nA=one \\\n# not this\n  ; nor this\n  two\nB=3";
        let expected = [("A".to_owned(), "one    two".to_owned(), 2), ("B".into(), "3".into(), 6)];
        assert_eq!(parsed(text), expected);
        assert_eq!(parsed("[S]\nA=1\\"), [("A".to_owned(), "1".to_owned(), 2)]);
    }

    #[test]
    fn what_is_no_unit_file_is_told_by_its_line() {
        for (text, line) in [("A=1", 1), ("[S]\nwords", 2), ("[S\nA=1", 1), ("[]", 1)] {
            assert_eq!(UnitFile::parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn a_unit_file_is_told_by_its_first_line_that_says_something() {
        assert!(UnitFile::is_one("# a worker\n\n[Unit]\nDescription=x"));
        assert!(UnitFile::is_one("[Service]\nExecStart=/bin/true"));
        assert!(!UnitFile::is_one("[owner]\nname=x"));
        assert!(!UnitFile::is_one("echo\n[Unit]"));
    }
}
