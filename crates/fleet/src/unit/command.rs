//! Command lines of units: a program, its words, and the marks before it.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::words::{self, Word};

/// A command line, before variables are put in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Command {
    /// The program: a path, or a name to be looked for.
    #[n(0)]
    pub program: String,
    #[n(1)]
    words: Vec<String>,
    /// Whether it does not matter how it ends (`-`).
    #[n(2)]
    pub may_fail: bool,
    /// Whether the first word is the program's name and not its path (`@`).
    #[n(3)]
    named: bool,
    /// Whether variables are left as they are (`:`).
    #[n(4)]
    verbatim: bool,
}

impl Command {
    /// A program with these words, which are what they are.
    pub fn plain(program: impl Into<String>, words: Vec<String>) -> Self {
        let program = program.into();
        Self { program, words, may_fail: false, named: false, verbatim: true }
    }

    /// Reads the commands of one assignment: a lone `;` parts two of them.
    pub(super) fn parse_all(value: &str) -> Result<Vec<Self>, String> {
        let words = words::split_quoted(value)?;
        let lone = |word: &Word| word.text == ";" && !word.quoted;
        words.split(lone).filter(|words| !words.is_empty()).map(Self::of_words).collect()
    }

    fn of_words(words: &[Word]) -> Result<Self, String> {
        let (first, rest) = words.split_first().ok_or("it names no program")?;
        let (mut may_fail, mut named, mut verbatim) = (false, false, false);
        let mut program = first.text.as_str();
        loop {
            let mark = program.chars().next();
            match mark {
                Some('-') => may_fail = true,
                Some('@') => named = true,
                Some(':') => verbatim = true,
                Some('+' | '!') => {
                    return Err("a command cannot have more rights than its unit (+, !)".to_owned());
                }
                _ => break,
            }
            program = &program[1..];
        }
        if program.is_empty() {
            return Err("it names no program".to_owned());
        }
        let words: Vec<String> = rest.iter().map(|word| word.text.clone()).collect();
        if named && words.is_empty() {
            return Err("after @ comes the program, and then its name".to_owned());
        }
        Ok(Self { program: program.to_owned(), words, may_fail, named, verbatim })
    }

    /// The words that the program is started with, its name first.
    pub fn argv(&self, environment: &BTreeMap<String, String>) -> Vec<String> {
        let mut argv = Vec::with_capacity(self.words.len() + 1);
        if !self.named {
            argv.push(self.program.clone());
        }
        for word in &self.words {
            if self.verbatim {
                argv.push(word.clone());
                continue;
            }
            // A variable that is a word of its own becomes as many words as it holds.
            match word.strip_prefix('$').filter(|name| is_name(name)) {
                Some(name) => {
                    let value = environment.get(name).map_or("", String::as_str);
                    argv.extend(value.split_whitespace().map(str::to_owned));
                }
                None => argv.push(filled(word, environment)),
            }
        }
        argv
    }
}

fn is_name(text: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    !text.is_empty() && text.chars().all(plain) && !text.starts_with(|l: char| l.is_ascii_digit())
}

/// A word with `${NAME}` replaced, and `$$` by a dollar sign.
fn filled(word: &str, environment: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        rest = if let Some((name, behind)) = braced.filter(|(name, _)| is_name(name)) {
            out.push_str(environment.get(name).map_or("", String::as_str));
            behind
        } else {
            out.push('$');
            after.strip_prefix('$').unwrap_or(after)
        };
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(value: &str) -> Vec<String> {
        let environment = [("A", "one two"), ("B", "b")];
        let environment = environment.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let commands = Command::parse_all(value).unwrap();
        assert_eq!(commands.len(), 1);
        commands[0].argv(&environment)
    }

    #[test]
    fn variables_are_put_in_as_words_or_within_them() {
        assert_eq!(
            argv("/bin/x $A ${A} pre${B}post $$B a$B"),
            ["/bin/x", "one", "two", "one two", "prebpost", "$B", "a$B"]
        );
        assert_eq!(argv("/bin/x $NONE ${NONE}"), ["/bin/x", ""]);
        assert_eq!(argv(":/bin/x $A ${B}"), ["/bin/x", "$A", "${B}"]);
    }

    #[test]
    fn marks_before_the_program_say_how_it_is_taken() {
        let [command] = &Command::parse_all("-@/bin/sh worker -c true").unwrap()[..] else {
            panic!("one command");
        };
        assert!(command.may_fail);
        assert_eq!(command.program, "/bin/sh");
        assert_eq!(command.argv(&BTreeMap::new()), ["worker", "-c", "true"]);
        assert!(Command::parse_all("+/bin/x").unwrap_err().contains("more rights"));
        assert!(Command::parse_all("-").is_err() && Command::parse_all("@/bin/x").is_err());
    }

    #[test]
    fn a_lone_semicolon_parts_two_commands() {
        let two = Command::parse_all("/bin/a 1 ; /bin/b 2").unwrap();
        assert_eq!(two.iter().map(|one| &*one.program).collect::<Vec<_>>(), ["/bin/a", "/bin/b"]);
        assert_eq!(Command::parse_all(r"/bin/a \;").unwrap().len(), 1);
    }
}
