//! Filters of the Describe operations: all of them must match, of each one value.

use tidemill_api::ec2::Filter;
use tidemill_fleet::Tags;
use tidemill_wire::Fault;

use super::fault;

/// What a resource has under a filter's name: its values, of which one must match. None where
/// there is no such filter.
pub(super) type Values = Option<Vec<String>>;

/// Whether a resource passes all filters; `values` tells what it has under a name.
pub(super) fn passes(
    filters: Option<&[Filter]>,
    values: impl Fn(&str) -> Values,
) -> Result<bool, Fault> {
    for filter in filters.unwrap_or_default() {
        let name = filter.name.as_deref().unwrap_or_default();
        let found = values(name)
            .ok_or_else(|| fault::invalid(format!("The filter '{name}' is invalid")))?;
        let wanted = filter.values.as_deref().unwrap_or_default();
        if !found.iter().any(|value| wanted.iter().any(|wanted| matches(wanted, value))) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a resource with these tags has under `tag:NAME`, `tag-key` and `tag-value`.
pub(super) fn tags(tags: &Tags, name: &str) -> Values {
    match name {
        "tag-key" => Some(tags.keys().cloned().collect()),
        "tag-value" => Some(tags.values().cloned().collect()),
        _ => {
            let key = name.strip_prefix("tag:")?;
            Some(tags.get(key).into_iter().cloned().collect())
        }
    }
}

/// One value.
#[expect(clippy::unnecessary_wraps, reason = "so that an arm of a match is one call")]
#[expect(clippy::needless_pass_by_value, reason = "most are made where they are given")]
pub(super) fn one(value: impl ToString) -> Values {
    Some(vec![value.to_string()])
}

/// A value, if there is one.
#[expect(clippy::unnecessary_wraps, reason = "so that an arm of a match is one call")]
pub(super) fn maybe(value: Option<impl ToString>) -> Values {
    Some(value.into_iter().map(|value| value.to_string()).collect())
}

/// Whether a text is what a pattern says: `*` stands for any letters, `?` for one, and what follows
/// a backslash for itself.
fn matches(pattern: &str, text: &str) -> bool {
    let mut tokens = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        tokens.push(match letter {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Letter(letters.next().unwrap_or('\\')),
            letter => Token::Letter(letter),
        });
    }
    // Where the last star stood, and how much it has taken: what does not fit makes it take more.
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut token, mut star) = (0, 0, None);
    while at < text.len() {
        match tokens.get(token) {
            Some(Token::Any) => {
                star = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => {}
            Some(Token::Letter(letter)) if *letter == text[at] => {}
            _ => {
                let Some((starred, taken)) = star else { return false };
                star = Some((starred, taken + 1));
                (token, at) = (starred + 1, taken + 1);
                continue;
            }
        }
        (at, token) = (at + 1, token + 1);
    }
    tokens[token..].iter().all(|token| matches!(token, Token::Any))
}

/// A part of a pattern.
enum Token {
    Any,
    One,
    Letter(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_text() {
        for (pattern, text, expected) in [
            ("running", "running", true),
            ("running", "runnin", false),
            ("run*", "running", true),
            ("*n*g", "running", true),
            ("*x*", "running", false),
            ("r?nning", "running", true),
            ("??", "abc", false),
            ("*", "", true),
            ("", "", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
