//! The model's constraints, in one place: what is checked while a request is read, and the answer
//! when one is broken.

use crate::fault::{Fault, INVALID_PARAMETER, MISSING_PARAMETER, VALIDATION};
use crate::schema::{Checks, Kind, Member};

/// The constraints that a request was found to break, with the places of the values.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

#[derive(Debug)]
struct Violation {
    /// From the value up to the whole: grown as the reading returns through what holds it.
    path: Vec<Step>,
    value: Option<String>,
    broken: Broken,
}

#[derive(Debug)]
enum Step {
    Member(&'static Member),
    Index(usize),
    Key(String),
}

#[derive(Debug)]
enum Broken {
    Missing,
    /// In the words of a ValidationException, and in those of an InvalidParameterValue.
    Constraint(String, String),
}

/// A value longer than this is cut in the message.
const SHOWN: usize = 256;
/// More than this many are not collected: a message has an end.
const MOST: usize = 10;

impl Violations {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether so many were found that no more are looked for.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Those from `found` on are of a value within `member`.
    pub fn under_member(&mut self, found: usize, member: &'static Member) {
        self.under(found, || Step::Member(member));
    }

    /// Those from `found` on are of a list's item, counted from 1.
    pub fn under_index(&mut self, found: usize, index: usize) {
        self.under(found, || Step::Index(index));
    }

    /// Those from `found` on are of the value under `key`.
    pub fn under_key(&mut self, found: usize, key: &str) {
        self.under(found, || Step::Key(key.to_owned()));
    }

    fn under(&mut self, found: usize, step: impl Fn() -> Step) {
        for violation in self.0.get_mut(found..).unwrap_or_default() {
            violation.path.push(step());
        }
    }

    /// Those from `found` on are of a value that is not to be shown.
    pub fn conceal(&mut self, found: usize) {
        for violation in self.0.get_mut(found..).unwrap_or_default() {
            violation.value = Some("***".to_owned());
        }
    }

    /// A required member is not there.
    pub fn missing(&mut self, member: &'static Member) {
        self.add(vec![Step::Member(member)], None, Broken::Missing);
    }

    /// Checks the length, the pattern and the allowed values of text.
    pub fn check_text(&mut self, member: &'static Member, text: &str) {
        let shape = member.shape;
        if shape.limit.min.is_some() || shape.limit.max.is_some() {
            self.check_bounds(member, text.chars().count(), Some(text));
        }
        if !shape.values.is_empty() && !shape.values.contains(&text) {
            let allowed = shape.values.join(", ");
            let rule = format!("Member must satisfy enum value set: [{allowed}]");
            self.broken(text, rule, format!("must be a value in the set [ {allowed} ]"));
        }
        if let Some(pattern) = &shape.pattern
            && pattern.regex().is_some_and(|regex| !regex.is_match(text))
        {
            let source = pattern.source();
            let rule = format!("Member must satisfy regular expression pattern: {source}");
            self.broken(text, rule, format!("must match the pattern {source}"));
        }
    }

    /// Checks the length of a list, a map or bytes.
    pub fn check_length(&mut self, member: &'static Member, length: usize) {
        self.check_bounds(member, length, None);
    }

    fn check_bounds(&mut self, member: &'static Member, length: usize, text: Option<&str>) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        let shown = || text.map_or_else(|| format!("({length} items)"), str::to_owned);
        if let Some(min) = member.shape.limit.min.filter(|min| length < *min) {
            let rule = format!("Member must have length greater than or equal to {min}");
            let plainly = match text {
                Some(_) => format!("must be longer than {} characters", min - 1),
                None => format!("must have at least {min} members"),
            };
            self.broken(&shown(), rule, plainly);
        }
        if let Some(max) = member.shape.limit.max.filter(|max| length > *max) {
            let rule = format!("Member must have length less than or equal to {max}");
            let plainly = match text {
                Some(_) => format!("must be shorter than {} characters", max + 1),
                None => format!("must not have more than {max} members"),
            };
            self.broken(&shown(), rule, plainly);
        }
    }

    /// Checks the range of a number.
    pub fn check_number(&mut self, member: &'static Member, number: i64) {
        if let Some(min) = member.shape.limit.min.filter(|min| number < *min) {
            let rule = format!("Member must have value greater than or equal to {min}");
            let plainly = format!("must be greater than or equal to {min}");
            self.broken(&number.to_string(), rule, plainly);
        }
        if let Some(max) = member.shape.limit.max.filter(|max| number > *max) {
            let rule = format!("Member must have value less than or equal to {max}");
            let plainly = format!("must be less than or equal to {max}");
            self.broken(&number.to_string(), rule, plainly);
        }
    }

    fn broken(&mut self, value: &str, rule: String, plainly: String) {
        let value = value.chars().take(SHOWN).collect();
        self.add(Vec::new(), Some(value), Broken::Constraint(rule, plainly));
    }

    fn add(&mut self, path: Vec<Step>, value: Option<String>, broken: Broken) {
        if !self.is_full() {
            self.0.push(Violation { path, value, broken });
        }
    }

    /// Takes over what a part of the request, read on its own, broke.
    pub fn append(&mut self, mut other: Self) {
        other.0.truncate(MOST.saturating_sub(self.0.len()));
        self.0.append(&mut other.0);
    }

    /// The answer to a request that broke these; none if `checks` finds nothing wrong.
    pub fn fault(&self, checks: Checks) -> Option<Fault> {
        match checks {
            Checks::MissingParameter => {
                let missing = self.0.iter().find(|v| matches!(v.broken, Broken::Missing))?;
                let path = missing.query_path();
                let message = format!("The request must contain the parameter {path}.");
                Some(Fault::new(&MISSING_PARAMETER, message))
            }
            Checks::Validation | Checks::Parameters if self.0.is_empty() => None,
            Checks::Parameters => {
                let is_missing =
                    |violation: &Violation| matches!(violation.broken, Broken::Missing);
                let missing = self.0.iter().any(is_missing);
                let error = if missing { &MISSING_PARAMETER } else { &INVALID_PARAMETER };
                let told = self.0.iter().filter(|violation| is_missing(violation) == missing);
                let lines: Vec<String> = told.map(Violation::line).collect();
                Some(Fault::new(error, lines.join("\n")))
            }
            Checks::Validation => {
                let count = self.0.len();
                let plural = if count == 1 { "" } else { "s" };
                let list: Vec<String> = self.0.iter().map(Violation::sentence).collect();
                let list = list.join("; ");
                let message = format!("{count} validation error{plural} detected: {list}");
                Some(Fault::new(&VALIDATION, message))
            }
        }
    }
}

impl Violation {
    /// The place as a Query client would have written it: `Entry.2.Id`.
    fn query_path(&self) -> String {
        let steps = self.path.iter().rev().map(|step| match step {
            // A list that is missing as a whole goes by its own name.
            Step::Member(member) if self.path.len() == 1 => member.name.to_owned(),
            Step::Member(member) => member.xml.to_owned(),
            Step::Index(index) => index.to_string(),
            Step::Key(key) => key.clone(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    /// The place as a Query client writes it, and what is wrong there.
    fn line(&self) -> String {
        let mut place = String::new();
        let mut list = None;
        for step in self.path.iter().rev() {
            if !place.is_empty() {
                place.push('.');
            }
            match step {
                Step::Member(member) => place += member.xml,
                Step::Index(index) => {
                    if let Some(item) = list {
                        place = place + item + ".";
                    }
                    place += &index.to_string();
                }
                Step::Key(key) => place += key,
            }
            list = match step {
                Step::Member(Member { shape, flattened: false, .. }) => match shape.kind {
                    Kind::List(item) => Some(item.xml),
                    _ => None,
                },
                _ => None,
            };
        }
        match &self.broken {
            Broken::Missing => format!("The parameter {place} is required."),
            Broken::Constraint(_, plainly) => format!("The parameter {place} {plainly}."),
        }
    }

    /// The place as the general form has it: lower camel case, `entries.2.member.id`.
    fn model_path(&self) -> String {
        let steps = self.path.iter().rev().map(|step| match step {
            Step::Member(member) => {
                let mut name = member.name.to_owned();
                name.get_mut(..1).map(str::make_ascii_lowercase);
                name
            }
            Step::Index(index) => format!("{index}.member"),
            Step::Key(key) => format!("{key}.member"),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    fn sentence(&self) -> String {
        let value = match &self.value {
            Some(value) => format!("'{value}' "),
            None => "null ".to_owned(),
        };
        let place = self.model_path();
        let rule = match &self.broken {
            Broken::Missing => "Member must not be null",
            Broken::Constraint(rule, _) => rule,
        };
        format!("Value {value}at '{place}' failed to satisfy constraint: {rule}")
    }
}
