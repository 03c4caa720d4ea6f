//! Reads a model: one readable text file an API, one line a member.
//!
//! The head is a line a fact (`service`, `id`, `namespace`, `version`, `signing`, `target`,
//! `xmlns`, `protocols`, and what differs from service to service: `query-compatible`, `checks`,
//! `omit-empty`, `path-member`). Then come
//!
//! ```text
//! operation NAME METHOD URI [status=N] [checks=WORD] [input=SHAPE] [output=SHAPE] [errors=A,B]
//! error NAME code=QUERY-CODE status=N [receiver]
//! structure NAME [payload=MEMBER]
//!   MEMBER SHAPE [required] [json=NAME] [xml=NAME] [ec2=NAME] [flat] [time=FORMAT]
//!          [header=NAME | headers=PREFIX | param=NAME | params | label=NAME | status]
//! list NAME SHAPE item=NAME [limit=MIN..MAX]
//! map NAME SHAPE SHAPE key=NAME value=NAME [limit=MIN..MAX]
//! KIND NAME [time=FORMAT] [secret] [limit=MIN..MAX] [pattern=REGEX, to the end of the line]
//!   VALUE THAT IS ALLOWED
//! ```
//!
//! SHAPE is a name, or a plain kind: string, blob, boolean, integer, long, float, double,
//! timestamp. A name that is not said is the member's own.

use std::collections::BTreeMap;

/// An API.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) service: String,
    /// The head's other lines: a fact and what it says.
    pub(crate) head: BTreeMap<String, String>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) errors: Vec<Error>,
    pub(crate) shapes: Vec<Shape>,
}

pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) status: String,
    /// How its constraints are checked, if not as the head says.
    pub(crate) checks: Option<String>,
    pub(crate) input: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) errors: Vec<String>,
}

pub(crate) struct Error {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) status: String,
    pub(crate) receiver: bool,
}

pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) facts: Facts,
}

pub(crate) enum Kind {
    Structure(Vec<Member>),
    List(String),
    Map(String, String),
    /// A scalar of this kind, and the values that are allowed.
    Plain(String, Vec<String>),
}

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) shape: String,
    pub(crate) facts: Facts,
}

/// What follows a name on its line: `required`, `xml=Attribute`.
#[derive(Default)]
pub(crate) struct Facts(BTreeMap<String, String>);

impl Facts {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl Model {
    pub(crate) fn shape(&self, name: &str) -> Option<&Shape> {
        self.shapes.iter().find(|shape| shape.name == name)
    }

    pub(crate) fn fact(&self, name: &str) -> &str {
        self.head.get(name).map_or("", String::as_str)
    }
}

/// Reads the text of a model.
pub(crate) fn parse(text: &str) -> Result<Model, String> {
    let mut model = Model::default();
    for (at, line) in text.lines().enumerate() {
        if !line.is_empty() && !line.starts_with('#') {
            read_line(&mut model, line).map_err(|error| format!("line {}: {error}", at + 1))?;
        }
    }
    Ok(model)
}

fn read_line(model: &mut Model, line: &str) -> Result<(), String> {
    if let Some(line) = line.strip_prefix("  ") {
        return read_member(model, line);
    }
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let mut word = |what: &str| words.next().ok_or(format!("{what} is missing")).map(str::to_owned);
    match kind {
        "service" => model.service = word("the name")?,
        "operation" => {
            let (name, method, uri) = (word("the name")?, word("the method")?, word("the URI")?);
            let facts = facts(rest);
            let fact = |name: &str| facts.get(name).map(str::to_owned);
            let errors = fact("errors").unwrap_or_default();
            model.operations.push(Operation {
                name,
                method,
                uri,
                status: fact("status").unwrap_or("200".to_owned()),
                checks: fact("checks"),
                input: fact("input"),
                output: fact("output"),
                errors: errors.split(',').filter(|e| !e.is_empty()).map(str::to_owned).collect(),
            });
        }
        "error" => {
            let name = word("the name")?;
            let facts = facts(rest);
            let code = facts.get("code").unwrap_or(&name).to_owned();
            let status = facts.get("status").ok_or("the status is missing")?.to_owned();
            model.errors.push(Error { name, code, status, receiver: facts.has("receiver") });
        }
        "structure" | "list" | "map" | "string" | "blob" | "boolean" | "integer" | "long"
        | "float" | "double" | "timestamp" => {
            let name = word("the name")?;
            let kind = match kind {
                "structure" => Kind::Structure(Vec::new()),
                "list" => Kind::List(word("the item's shape")?),
                "map" => Kind::Map(word("the key's shape")?, word("the value's shape")?),
                plain => Kind::Plain(plain.to_owned(), Vec::new()),
            };
            model.shapes.push(Shape { name, kind, facts: facts(rest) });
        }
        fact => {
            model.head.insert(fact.to_owned(), rest.to_owned());
        }
    }
    Ok(())
}

fn read_member(model: &mut Model, line: &str) -> Result<(), String> {
    let shape = model.shapes.last_mut().ok_or("a member of nothing")?;
    match &mut shape.kind {
        Kind::Structure(members) => {
            let mut words = line.split(' ');
            let name = words.next().unwrap_or_default().to_owned();
            let shape = words.next().ok_or("the member's shape is missing")?.to_owned();
            members.push(Member { name, shape, facts: facts(line) });
        }
        Kind::Plain(_, values) => values.push(line.to_owned()),
        Kind::List(_) | Kind::Map(..) => return Err("a list or map has no members".to_owned()),
    }
    Ok(())
}

/// The facts of a line. A pattern is the rest of it, blanks and all.
fn facts(line: &str) -> Facts {
    let (line, pattern) = match line.split_once(" pattern=") {
        Some((line, pattern)) => (line, Some(pattern.to_owned())),
        None => (line, None),
    };
    let pair = |word: &str| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        (name.to_owned(), value.to_owned())
    };
    let mut facts: BTreeMap<_, _> = line.split(' ').skip(1).map(pair).collect();
    facts.extend(pattern.map(|pattern| ("pattern".to_owned(), pattern)));
    Facts(facts)
}
