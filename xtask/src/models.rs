//! Writes a model: what an API is (operations, shapes, names on each wire, constraints, errors),
//! one line a member and no prose. `crates/api/build/model.rs` reads it back.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::botocore::{flag, model, text};
use crate::choices::{CHOICES, Choice};

/// Writes every model of [`CHOICES`] into `out`.
pub(crate) fn write_all(botocore: &Path, older: Option<&Path>, out: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(out)?;
    for choice in CHOICES {
        let new = model(botocore, choice.folder)?;
        let old = older.and_then(|older| model(older, choice.folder).ok()).unwrap_or(Value::Null);
        let text = Source { choice, new: &new, old: &old }.write()?;
        let path = out.join(format!("{}.model", choice.name));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Writes to a string, which does not fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        write!($out, $($arg)*).expect("writing to a string does not fail")
    };
}

/// One API as botocore tells it, today's and the older one.
struct Source<'a> {
    choice: &'a Choice,
    new: &'a Value,
    old: &'a Value,
}

impl Source<'_> {
    fn write(&self) -> anyhow::Result<String> {
        let mut out = String::from("# Written by `cargo xtask models`. ");
        out.push_str("crates/api/build/model.rs says what each line means.\n");
        self.head(&mut out);
        let operations = self.operations()?;
        let mut needed = Needed::default();
        out.push('\n');
        for operation in &operations {
            self.operation(&mut out, operation, &mut needed);
        }
        out.push('\n');
        for error in self.choice.errors {
            writeln!(out, "{error}")?;
        }
        for name in &needed.errors {
            self.error(&mut out, name);
        }
        // Shapes in the model's order, those that the operations reach.
        let mut todo: Vec<String> = needed.shapes.iter().cloned().collect();
        while let Some(name) = todo.pop() {
            for next in self.children(&name) {
                if needed.shapes.insert(next.to_owned()) {
                    todo.push(next.to_owned());
                }
            }
        }
        for name in &needed.shapes {
            self.shape(&mut out, name);
        }
        Ok(out)
    }

    fn head(&self, out: &mut String) {
        let meta = &self.new["metadata"];
        let mut line = |key: &str, value: &str| {
            if !value.is_empty() {
                out.push_str(format!("{key} {value}").trim_end());
                out.push('\n');
            }
        };
        line("service", self.choice.name);
        line("id", text(meta, "serviceId"));
        line("namespace", self.choice.namespace);
        line("version", text(meta, "apiVersion"));
        let endpoint = text(meta, "endpointPrefix");
        let signing = text(meta, "signingName");
        line("signing", if signing.is_empty() { endpoint } else { signing });
        line("target", text(meta, "targetPrefix"));
        line("xmlns", text(meta, "xmlNamespace"));
        line("protocols", &self.protocols().join(" "));
        if !meta["awsQueryCompatible"].is_null() {
            line("query-compatible", " ");
        }
        for added in self.choice.head {
            line(added, " ");
        }
    }

    fn protocols(&self) -> Vec<String> {
        if !self.choice.protocols.is_empty() {
            return self.choice.protocols.iter().map(ToString::to_string).collect();
        }
        let meta = &self.new["metadata"];
        let ours = |theirs: &str| match theirs {
            "json" => format!("json-{}", text(meta, "jsonVersion")),
            "smithy-rpc-v2-cbor" => "rpc-v2-cbor".to_owned(),
            other => other.to_owned(),
        };
        let list = meta["protocols"].as_array().map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Value::as_str).map(ours).collect()
    }

    fn operations(&self) -> anyhow::Result<Vec<&Value>> {
        let all = self.new["operations"].as_object().context("a model has operations")?;
        if self.choice.operations.is_empty() {
            return Ok(all.values().collect());
        }
        let find = |name: &&str| all.get(*name).with_context(|| format!("no operation {name}"));
        self.choice.operations.iter().map(find).collect()
    }

    fn operation(&self, out: &mut String, operation: &Value, needed: &mut Needed) {
        let http = &operation["http"];
        let name = text(operation, "name");
        let mut line =
            format!("operation {name} {} {}", text(http, "method"), text(http, "requestUri"));
        if let Some(code) = http["responseCode"].as_u64() {
            put!(line, " status={code}");
        }
        if let Some((_, checks)) = self.choice.checks.iter().find(|(of, _)| *of == name) {
            put!(line, " checks={checks}");
        }
        for side in ["input", "output"] {
            let shape = text(operation, &format!("{side}/shape"));
            if !shape.is_empty() {
                put!(line, " {side}={shape}");
                needed.shapes.insert(shape.to_owned());
            }
        }
        let errors = operation["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let errors: Vec<&str> = errors.iter().map(|error| text(error, "shape")).collect();
        if !errors.is_empty() {
            put!(line, " errors={}", errors.join(","));
            needed.errors.extend(errors.iter().map(ToString::to_string));
        }
        out.push_str(&line);
        out.push('\n');
    }

    /// An error: its JSON name, its Query code (where the new model has lost it, the old one's),
    /// its status.
    fn error(&self, out: &mut String, name: &str) {
        let ours = format!("error {name} ");
        if self.choice.errors.iter().any(|line| line.starts_with(&ours)) {
            return;
        }
        let new = &self.new["shapes"][name];
        let old = &self.old["shapes"][name];
        let known = if new["error"].is_null() { old } else { new };
        let code = Some(text(known, "error/code")).filter(|code| !code.is_empty());
        let fault = flag(new, "fault") || flag(old, "fault");
        let usual = if fault { 500 } else { 400 };
        let status = known["error"]["httpStatusCode"].as_u64().unwrap_or(usual);
        let side = if fault { " receiver" } else { "" };
        let code = code.unwrap_or(name);
        put!(out, "error {name} code={code} status={status}{side}\n");
    }

    fn shape(&self, out: &mut String, name: &str) {
        let shape = &self.new["shapes"][name];
        let old = &self.old["shapes"][name];
        let kind = text(shape, "type");
        if kind != "structure" && built_in(shape).is_some() {
            return;
        }
        match kind {
            "structure" => self.structure(out, name),
            "list" => {
                let item = self.item_name(name).unwrap_or("member");
                let of = self.reference(&shape["member"]);
                put!(out, "\nlist {name} {of} item={item}{}\n", limits(shape));
            }
            "map" => {
                let part = |part: &str| {
                    let name = text(old, &format!("{part}/locationName"));
                    let name = Some(name).filter(|name| !name.is_empty());
                    name.unwrap_or_else(|| location(&shape[part]).unwrap_or(part)).to_owned()
                };
                let (key, value) = (part("key"), part("value"));
                let (of, to) = (self.reference(&shape["key"]), self.reference(&shape["value"]));
                let limits = limits(shape);
                put!(out, "\nmap {name} {of} {to} key={key} value={value}{limits}\n");
            }
            _ => {
                let time = time_format(shape);
                let secret = if flag(shape, "sensitive") { " secret" } else { "" };
                put!(out, "\n{kind} {name}{time}{secret}{}\n", limits(shape));
                let values = shape["enum"].as_array().map_or(&[][..], Vec::as_slice);
                let open = self.choice.open.contains(&name);
                for value in if open { &[] } else { values } {
                    put!(out, "  {}\n", value.as_str().unwrap_or_default());
                }
            }
        }
    }

    /// The members of a structure that the model keeps.
    fn members(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        let members = self.new["shapes"][name]["members"].as_object().into_iter().flatten();
        members.filter(move |(member, _)| self.choice.keeps(name, member))
    }

    /// The shapes that the shape `name` refers to.
    fn children(&self, name: &str) -> Vec<&str> {
        let shape = &self.new["shapes"][name];
        let parts = ["member", "key", "value"].into_iter().map(|part| &shape[part]);
        let members = self.members(name).map(|(_, of)| of);
        members.chain(parts).filter_map(|of| of["shape"].as_str()).collect()
    }

    fn structure(&self, out: &mut String, name: &str) {
        let shape = &self.new["shapes"][name];
        put!(out, "\nstructure {name}");
        let payload = text(shape, "payload");
        if !payload.is_empty() {
            put!(out, " payload={payload}");
        }
        out.push('\n');
        let required: Vec<&str> = shape["required"]
            .as_array()
            .map_or(&[][..], Vec::as_slice)
            .iter()
            .filter_map(Value::as_str)
            .collect();
        for (member, of) in self.members(name) {
            let mut line = format!("  {member} {}", self.reference(of));
            let checked_here = !self.choice.optional.contains(&(name, member));
            if required.contains(&member.as_str()) && checked_here {
                line += " required";
            }
            line += &self.names(name, member, of);
            line += time_format(of);
            out.push_str(&line);
            out.push('\n');
        }
    }

    /// A member's names on the wires, where they are not its own.
    fn names(&self, shape: &str, member: &str, of: &Value) -> String {
        let wire = location(of).unwrap_or(member);
        match text(of, "location") {
            "header" => return format!(" header={wire}"),
            "headers" => return format!(" headers={wire}"),
            // A map takes whatever parameters nobody else does.
            "querystring" if self.new["shapes"][text(of, "shape")]["type"] == "map" => {
                return " params".to_owned();
            }
            "querystring" => return format!(" param={wire}"),
            "uri" => return format!(" label={wire}"),
            "statusCode" => return " status".to_owned(),
            _ => {}
        }
        let mut names = String::new();
        if wire != member {
            put!(names, " json={wire}");
        }
        let inner = text(of, "shape");
        let inner_shape = &self.new["shapes"][inner];
        let old_member = &self.old["shapes"][shape]["members"][member];
        let flat = flag(of, "flattened")
            || flag(inner_shape, "flattened")
            || flag(old_member, "flattened");
        let added = self.choice.xml.iter().find(|(s, m, _)| (*s, *m) == (shape, member));
        let item = (flat && inner_shape["type"] == "list").then(|| self.item_name(inner)).flatten();
        // botocore takes a name from the member, or from what the member is of.
        let old_name = location(old_member).or(location(&self.old["shapes"][inner]));
        // Where a flattened list's items have a name, botocore goes by that.
        let xml = added.map(|added| added.2).or(item).or(old_name).unwrap_or(wire);
        if xml != wire {
            put!(names, " xml={xml}");
        }
        let query = text(of, "queryName");
        if !query.is_empty() {
            put!(names, " ec2={query}");
        }
        if flat {
            names += " flat";
        }
        names
    }

    /// What an item of the list is called in XML, if not `member`.
    fn item_name(&self, list: &str) -> Option<&str> {
        let named = location(&self.old["shapes"][list]["member"]).is_some();
        let model = if named { self.old } else { self.new };
        location(&model["shapes"][list]["member"])
    }

    /// What a member is of: a shape by name, or a plain type by its kind.
    fn reference(&self, of: &Value) -> String {
        let name = text(of, "shape");
        built_in(&self.new["shapes"][name]).unwrap_or(name).to_owned()
    }
}

/// What the chosen operations reach.
#[derive(Default)]
struct Needed {
    shapes: BTreeSet<String>,
    errors: BTreeSet<String>,
}

/// The wire's name for a reference, if it has one.
fn location(of: &Value) -> Option<&str> {
    of["locationName"].as_str()
}

/// A shape without anything of its own is only its kind, which needs no line.
fn built_in(shape: &Value) -> Option<&'static str> {
    let own = ["enum", "min", "max", "pattern", "timestampFormat", "sensitive"];
    if own.iter().any(|key| !shape[key].is_null()) {
        return None;
    }
    Some(match text(shape, "type") {
        "string" | "character" => "string",
        "blob" => "blob",
        "boolean" => "boolean",
        "integer" => "integer",
        "long" => "long",
        "float" => "float",
        "double" => "double",
        "timestamp" => "timestamp",
        _ => return None,
    })
}

fn time_format(of: &Value) -> &'static str {
    match text(of, "timestampFormat") {
        "iso8601" => " time=iso8601",
        "rfc822" => " time=http-date",
        "unixTimestamp" => " time=epoch-seconds",
        _ => "",
    }
}

/// The shape's limits: a length, a range and, last because it may hold anything, a pattern.
fn limits(shape: &Value) -> String {
    let mut out = String::new();
    let bound = |key: &str| shape[key].as_number().map(ToString::to_string).unwrap_or_default();
    let (min, max) = (bound("min"), bound("max"));
    if !min.is_empty() || !max.is_empty() {
        put!(out, " limit={min}..{max}");
    }
    if let Some(pattern) = shape["pattern"].as_str() {
        put!(out, " pattern={pattern}");
    }
    out
}
