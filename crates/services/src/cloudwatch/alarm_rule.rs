//! The rule of a composite alarm: `ALARM(cpu) AND NOT (OK("disk full") OR FALSE)`.
//!
//! From the loosest to the tightest: OR, AND, NOT. Alarms are named by their names or their ARNs,
//! with double quotes or without.

use std::collections::BTreeSet;

use tidemill_metric::{AlarmKey, Standing};

use super::alarm;

/// So many alarms a rule may name.
const CHILDREN: usize = 100;
/// So many alarms, words and brackets it may have.
const ELEMENTS: usize = 500;

/// A rule that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule<'a> {
    Always(bool),
    /// Whether the alarm of this name stands like this.
    Stands(Standing, &'a str),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl<'a> Rule<'a> {
    /// Reads the rule of the alarm `of`.
    ///
    /// # Errors
    /// If it is none, why, as AWS says it.
    pub(super) fn read(text: &'a str, of: &AlarmKey) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0, elements: 0, of };
        let rule = reader.any()?;
        reader.skip();
        if reader.at < text.len() {
            return Err(reader.unsupported());
        }
        let children = rule.children().len();
        if children > CHILDREN {
            return Err(format!(
                "Error in AlarmRule [{children} alarms are named, and at most {CHILDREN} may be]"
            ));
        }
        Ok(rule)
    }

    /// The alarms that it names, each once, in the order in which they come.
    pub(super) fn children(&self) -> Vec<&'a str> {
        let (mut names, mut seen, mut rules) = (Vec::new(), BTreeSet::new(), vec![self]);
        while let Some(rule) = rules.pop() {
            match rule {
                Self::Always(_) => {}
                Self::Stands(_, name) => names.extend(seen.insert(*name).then_some(*name)),
                Self::Not(rule) => rules.push(rule),
                Self::All(all) | Self::Any(all) => rules.extend(all.iter().rev()),
            }
        }
        names
    }

    /// Whether it holds, where each alarm stands as `standing` says.
    pub(super) fn holds(&self, standing: &impl Fn(&str) -> Option<Standing>) -> bool {
        match self {
            Self::Always(so) => *so,
            Self::Stands(wanted, name) => standing(name) == Some(*wanted),
            Self::Not(rule) => !rule.holds(standing),
            Self::All(all) => all.iter().all(|rule| rule.holds(standing)),
            Self::Any(any) => any.iter().any(|rule| rule.holds(standing)),
        }
    }
}

const STANDINGS: [(&str, Standing); 3] = [
    ("ALARM", Standing::Alarming),
    ("OK", Standing::Fine),
    ("INSUFFICIENT_DATA", Standing::Unknown),
];

struct Reader<'a, 'k> {
    text: &'a str,
    /// So many bytes of it are read.
    at: usize,
    elements: usize,
    of: &'k AlarmKey,
}

impl<'a> Reader<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes this sign, if it comes next.
    fn sign(&mut self, sign: &str) -> bool {
        self.skip();
        let comes = self.rest().starts_with(sign);
        self.at += if comes { sign.len() } else { 0 };
        comes
    }

    /// The word that comes next.
    fn word(&mut self) -> &'a str {
        self.skip();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    }

    /// Takes this word, if it comes next.
    fn takes(&mut self, word: &str) -> bool {
        let comes = self.word() == word;
        self.at += if comes { word.len() } else { 0 };
        comes
    }

    /// What is wrong where something stands that cannot stand there.
    fn unsupported(&mut self) -> String {
        self.skip();
        let at = self.text[..self.at].chars().count();
        let word = self.word();
        let sign = self.rest().chars().next().map(String::from);
        match if word.is_empty() { sign } else { Some(word.to_owned()) } {
            Some(token) => format!("Error in AlarmRule [Unsupported token '{token}' at char {at}]"),
            None => "Error in AlarmRule [It ends too soon]".to_owned(),
        }
    }

    fn count(&mut self, elements: usize) -> Result<(), String> {
        self.elements += elements;
        if self.elements <= ELEMENTS {
            return Ok(());
        }
        Err(format!("Error in AlarmRule [It has more than {ELEMENTS} elements]"))
    }

    fn any(&mut self) -> Result<Rule<'a>, String> {
        let mut any = vec![self.all()?];
        while self.takes("OR") {
            any.push(self.all()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Rule::Any(any) })
    }

    fn all(&mut self) -> Result<Rule<'a>, String> {
        let mut all = vec![self.one()?];
        while self.takes("AND") {
            all.push(self.one()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Rule::All(all) })
    }

    fn one(&mut self) -> Result<Rule<'a>, String> {
        let mut not = false;
        while self.takes("NOT") {
            not = !not;
        }
        let rule = self.positive()?;
        Ok(if not { Rule::Not(Box::new(rule)) } else { rule })
    }

    fn positive(&mut self) -> Result<Rule<'a>, String> {
        if self.sign("(") {
            self.count(2)?;
            let rule = self.any()?;
            if !self.sign(")") {
                return Err(self.unsupported());
            }
            return Ok(rule);
        }
        self.count(1)?;
        let word = self.word();
        for (name, always) in [("TRUE", true), ("FALSE", false)] {
            if word.eq_ignore_ascii_case(name) {
                self.at += word.len();
                return Ok(Rule::Always(always));
            }
        }
        let Some((_, standing)) = STANDINGS.iter().find(|(name, _)| *name == word) else {
            return Err(self.unsupported());
        };
        self.at += word.len();
        if !self.sign("(") {
            return Err(self.unsupported());
        }
        let name = self.name()?;
        if !self.sign(")") {
            return Err(self.unsupported());
        }
        Ok(Rule::Stands(*standing, name))
    }

    /// The name of an alarm, up to the bracket behind it. What is in quotes is all of it.
    fn name(&mut self) -> Result<&'a str, String> {
        let quoted = self.sign("\"");
        let begin = self.at;
        let Some(length) = self.text[begin..].find(if quoted { '"' } else { ')' }) else {
            self.at = self.text.len();
            return Err(self.unsupported());
        };
        let given = &self.text[begin..begin + length];
        let name = if quoted { given } else { given.trim() };
        if name.is_empty() {
            return Err(self.unsupported());
        }
        self.at = begin + length + usize::from(quoted);
        if !name.starts_with("arn:") {
            return Ok(name);
        }
        let own = alarm::arn(&AlarmKey { name: "".into(), ..self.of.clone() });
        let name = name.strip_prefix(&own).filter(|name| !name.is_empty());
        name.ok_or_else(|| {
            format!("Error in AlarmRule [Alarms have ARNs that begin with {own} here]")
        })
    }
}

#[cfg(test)]
mod tests {
    use tidemill_base::{AccountId, Region};

    use super::*;

    fn of() -> AlarmKey {
        let (account, region) = (AccountId::DEFAULT, Region::default());
        AlarmKey { account, region, name: "of".into() }
    }

    /// Whether a rule holds where `a` is alarming, `o` fine, and nobody knows of `i`.
    fn holds(text: &str) -> bool {
        let rule = Rule::read(text, &of()).unwrap();
        rule.holds(&|name| match name {
            "a" => Some(Standing::Alarming),
            "o" => Some(Standing::Fine),
            "i" => Some(Standing::Unknown),
            _ => None,
        })
    }

    #[test]
    fn rules_hold_as_they_read() {
        for rule in [
            "ALARM(a)",
            "ALARM( \"a\" )",
            "OK(o) AND INSUFFICIENT_DATA(i)",
            "FALSE OR TRUE AND true",
            "NOT ALARM(o) AND NOT NOT ALARM(a)",
            "NOT FALSE OR FALSE AND FALSE",
            "(ALARM(a) OR ALARM(o)) AND (OK(o))",
            "TRUE OR TRUE AND FALSE",
            "ALARM(arn:aws:cloudwatch:us-east-1:000000000000:alarm:a)",
            "ALARM(\"arn:aws:cloudwatch:us-east-1:000000000000:alarm:a\")",
        ] {
            assert!(holds(rule), "{rule}");
        }
        for rule in ["FALSE", "ALARM(o)", "NOT ALARM(a)", "(TRUE OR TRUE) AND FALSE", "OK(nobody)"]
        {
            assert!(!holds(rule), "{rule}");
        }
    }

    #[test]
    fn what_is_no_rule_says_where_it_ceases_to_be_one() {
        let unsupported = |text: &str| Rule::read(text, &of()).unwrap_err();
        for (text, token, at) in [
            ("()", ")", 1),
            ("ALARM(a) ALARM(o)", "ALARM", 9),
            ("ALARM(a) and ALARM(o)", "and", 9),
            ("ALARM a", "a", 6),
            ("OFF(a)", "OFF", 0),
            ("ALARM()", ")", 6),
            ("(TRUE", "", 0),
            ("", "", 0),
            ("ALARM(a", "", 0),
            ("ALARM(\"a)", "", 0),
            ("TRUE AND", "", 0),
        ] {
            let told = match token {
                "" => "It ends too soon".to_owned(),
                token => format!("Unsupported token '{token}' at char {at}"),
            };
            assert_eq!(unsupported(text), format!("Error in AlarmRule [{told}]"), "{text}");
        }
        let elsewhere = "ALARM(arn:aws:cloudwatch:eu-west-1:000000000000:alarm:a)";
        assert!(unsupported(elsewhere).contains("begin with arn:aws:cloudwatch:us-east-1:"));
    }

    #[test]
    fn a_rule_has_so_many_children_and_elements_and_no_more() {
        let children = |count: usize| {
            let one = |number| format!("ALARM(a{number})");
            (0..count).map(one).collect::<Vec<_>>().join(" OR ")
        };
        let read = |text: &str| Rule::read(text, &of()).map(|rule| rule.children().len());
        assert_eq!(read(&children(100)), Ok(100));
        assert!(read(&children(101)).unwrap_err().contains("at most 100"));
        let deep = |depth| format!("{}TRUE{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(read(&deep(249)), Ok(0));
        assert!(read(&deep(250)).unwrap_err().contains("more than 500 elements"));
        assert!(read(&"NOT ".repeat(2500)).is_err());
    }

    #[test]
    fn children_are_named_once_in_their_order() {
        let rule =
            Rule::read("OK(b) AND (ALARM(a) OR NOT OK(\"b\")) OR ALARM(c d)", &of()).unwrap();
        assert_eq!(rule.children(), ["b", "a", "c d"]);
    }

    #[test]
    fn a_name_in_quotes_is_all_that_stands_in_them() {
        let of = of();
        let children = |text| Rule::read(text, &of).map(|rule| rule.children());
        assert_eq!(children("OK( b ) OR OK( \" c \" ) OR OK(\" \")"), Ok(vec!["b", " c ", " "]));
        assert!(children("OK(\"\")").is_err());
    }
}
