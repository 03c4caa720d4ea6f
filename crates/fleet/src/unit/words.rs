//! Values that are lists of words, with quotes and escapes as systemd reads them.

/// Splits a value into its words.
pub(super) fn split(value: &str) -> Result<Vec<String>, String> {
    Ok(split_quoted(value)?.into_iter().map(|word| word.text).collect())
}

/// A word, and whether it had quotes: a `;` that has none parts two commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Splits a value into its words, and says which were quoted.
pub(super) fn split_quoted(value: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                let begun = word.get_or_insert(Word { text: String::new(), quoted: true });
                begun.quoted = true;
            }
            (' ' | '\t' | '\n', None) => words.extend(word.take()),
            _ => {
                let begun = word.get_or_insert(Word { text: String::new(), quoted: false });
                if letter == '\\' {
                    begun.text.push(escaped(&mut letters)?);
                    begun.quoted = true;
                } else {
                    begun.text.push(letter);
                }
            }
        }
    }
    if let Some(open) = quote {
        return Err(format!("the quote {open} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

/// What stands for the escape that follows a backslash.
fn escaped(letters: &mut std::str::Chars<'_>) -> Result<char, String> {
    let Some(letter) = letters.next() else { return Err("it ends in a backslash".to_owned()) };
    let number = |letters: &mut std::str::Chars<'_>, digits: usize, radix: u32, begun: &str| {
        let rest: String = begun.chars().chain(letters.by_ref().take(digits)).collect();
        let whole = rest.len() == begun.len() + digits;
        let code = u32::from_str_radix(&rest, radix).ok().filter(|_| whole);
        let found = code.and_then(char::from_u32).filter(|found| *found != '\0');
        found.ok_or_else(|| format!("\\{letter}{rest} stands for no character"))
    };
    Ok(match letter {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        's' => ' ',
        '\\' | '"' | '\'' | ';' | ' ' => letter,
        'x' => return number(letters, 2, 16, ""),
        'u' => return number(letters, 4, 16, ""),
        'U' => return number(letters, 8, 16, ""),
        '0'..='7' => return number(letters, 2, 8, &letter.to_string()),
        other => return Err(format!("\\{other} is no escape")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_parted_by_blanks_outside_of_quotes() {
        let words = split("  /bin/echo 'one two'  \"three four\"five \t''").unwrap();
        assert_eq!(words, ["/bin/echo", "one two", "three fourfive", ""]);
    }

    #[test]
    fn escapes_stand_for_characters() {
        assert_eq!(
            split(r"a\sb \x41 \101 \u00e9 \\ \n").unwrap(),
            ["a b", "A", "A", "é", "\\", "\n"]
        );
        for bad in [r"\q", r"\x4", r"a\", r"\x00"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_is_refused() {
        assert!(split("'a").unwrap_err().contains("not closed"));
    }
}
