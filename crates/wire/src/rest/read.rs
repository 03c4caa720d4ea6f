//! Reads a REST-JSON request.

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use tidemill_base::{Header, Timestamp, header_text};

use super::uri::labels;
use crate::call::Head;
use crate::constraint::Violations;
use crate::decode::{Decoder, Map, Read, Unreadable, VisitEntry, VisitItem, VisitMember};
use crate::form::{self, Pair};
use crate::json::JsonDecoder;
use crate::schema::{Kind, Member, Operation, Place, TimeFormat};
use crate::text;

/// A REST request being read.
pub(crate) struct RestDecoder<'a> {
    head: Head<'a>,
    body: &'a [u8],
    labels: Vec<(&'static str, String)>,
    params: Vec<Pair<'a>>,
    violations: Violations,
}

impl<'a> RestDecoder<'a> {
    /// Reads a call of `operation`, whose template the path fits.
    pub(crate) fn new(operation: &Operation, head: &Head<'a>, body: &'a [u8]) -> Read<Self> {
        let mut filled = Vec::new();
        let (template, _) = operation.uri.split_once('?').unwrap_or((operation.uri, ""));
        let mut steps = Vec::new();
        let _ = labels(template, head.path, &mut |label, value| steps.push((label, value)));
        for (label, value) in steps {
            let Some(label) = label else { continue };
            let members = operation.input.shape.members();
            // The template is static, and so is the member that has its label.
            let place = members.iter().find_map(|member| match member.place {
                Place::Label(name) if name == label => Some(name),
                _ => None,
            });
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| Unreadable("the path is not UTF-8".into()))?;
            filled.extend(place.map(|name| (name, value.into_owned())));
        }
        let params = form::pairs(head.query.unwrap_or_default().as_bytes())?;
        Ok(Self { head: *head, body, labels: filled, params, violations: Violations::default() })
    }

    /// What stands at `member`'s place outside the body, if anything.
    fn found(&self, member: &'static Member) -> Option<Found<'a>> {
        let texts = match member.place {
            Place::Headers(_) | Place::Params => {
                let entries = self.entries(member);
                return if entries.is_empty() { None } else { Some(Found::Entries(entries)) };
            }
            Place::Label(name) => {
                let filled = self.labels.iter().filter(|(label, _)| *label == name);
                filled.map(|(_, value)| value.clone()).collect()
            }
            Place::Param(name) => {
                let given = self.params.iter().filter(|(key, _)| key == name);
                given.map(|(_, value)| value.to_string()).collect()
            }
            Place::Header(name) => {
                let texts: Vec<&str> =
                    self.head.headers.all(name).filter_map(header_text).collect();
                if let (Kind::List(item), false) = (&member.shape.kind, texts.is_empty()) {
                    let dates = matches!(item.shape.kind, Kind::Timestamp)
                        && item.time_format(TimeFormat::HttpDate) == TimeFormat::HttpDate;
                    return Some(Found::Texts(split_list(&texts.join(","), dates)));
                }
                texts.into_iter().map(str::to_owned).collect()
            }
            Place::Body | Place::Payload | Place::Status => Vec::new(),
        };
        if texts.is_empty() { None } else { Some(Found::Texts(texts)) }
    }

    /// The entries of a map that stands in headers or in query parameters.
    fn entries(&self, member: &'static Member) -> Map<String, Vec<String>> {
        let mut entries = Map::<String, Vec<String>>::default();
        let mut add = |key: &str, value: &str| {
            entries.entry(key.to_owned()).or_default().push(value.to_owned());
        };
        match member.place {
            Place::Headers(prefix) => {
                let prefix = prefix.to_ascii_lowercase();
                for Header { name, value } in self.head.headers.iter() {
                    if let Some(key) = name.to_ascii_lowercase().strip_prefix(&prefix)
                        && let Some(value) = header_text(value)
                    {
                        add(key, value);
                    }
                }
            }
            // All of them, also those that other members take.
            Place::Params => self.params.iter().for_each(|(key, value)| add(key, value)),
            _ => {}
        }
        entries
    }

    /// Reads the member that is the body.
    fn payload(&mut self, at: usize, member: &Member, visit: &mut VisitMember<'_>) -> Read<()> {
        if self.body.is_empty() {
            return Ok(());
        }
        let text = || {
            let text = str::from_utf8(self.body);
            text.map_err(|_| Unreadable("the body is not UTF-8".into())).map(str::to_owned)
        };
        let found = match member.shape.kind {
            Kind::Blob => Found::Bytes(self.body),
            Kind::String => Found::Texts(vec![text()?]),
            _ => {
                let mut json = JsonDecoder::new(self.body)?;
                visit(at, &mut json)?;
                json.end()?;
                self.violations.append(std::mem::take(json.violations()));
                return Ok(());
            }
        };
        visit(at, &mut Part { found, usual: TimeFormat::Iso8601, violations: &mut self.violations })
    }

    /// Reads the members that stand in the body beside each other.
    fn fields(&mut self, member: &'static Member, visit: &mut VisitMember<'_>) -> Read<()> {
        if self.body.is_empty() {
            return Ok(());
        }
        let members = member.shape.members();
        let mut json = JsonDecoder::new(self.body)?;
        json.structure(member, &mut |at, json| {
            if members[at].place == Place::Body {
                return visit(at, json);
            }
            // Its place is elsewhere; a value of its name in the body is nobody's.
            json.ignore()
        })?;
        json.end()?;
        self.violations.append(std::mem::take(json.violations()));
        Ok(())
    }
}

impl Decoder for RestDecoder<'_> {
    fn structure(&mut self, member: &'static Member, visit: &mut VisitMember<'_>) -> Read<()> {
        let members = member.shape.members();
        for (at, field) in members.iter().enumerate() {
            if field.place == Place::Payload {
                self.payload(at, field, visit)?;
            } else if let Some(found) = self.found(field) {
                let header = matches!(field.place, Place::Header(_));
                let usual = if header { TimeFormat::HttpDate } else { TimeFormat::Iso8601 };
                visit(at, &mut Part { found, usual, violations: &mut self.violations })?;
            }
        }
        if members.iter().any(|field| field.place == Place::Body) {
            self.fields(member, visit)?;
        }
        Ok(())
    }

    fn list(&mut self, member: &'static Member, _: &mut VisitItem<'_>) -> Read<()> {
        Err(not_a_request(member))
    }

    fn map(&mut self, member: &'static Member, _: &mut VisitEntry<'_>) -> Read<()> {
        Err(not_a_request(member))
    }

    fn string(&mut self, member: &'static Member) -> Read<String> {
        Err(not_a_request(member))
    }

    fn blob(&mut self, member: &'static Member) -> Read<Bytes> {
        Err(not_a_request(member))
    }

    fn boolean(&mut self, member: &'static Member) -> Read<bool> {
        Err(not_a_request(member))
    }

    fn integer(&mut self, member: &'static Member) -> Read<i64> {
        Err(not_a_request(member))
    }

    fn double(&mut self, member: &'static Member) -> Read<f64> {
        Err(not_a_request(member))
    }

    fn timestamp(&mut self, member: &'static Member) -> Read<Timestamp> {
        Err(not_a_request(member))
    }

    fn ignore(&mut self) -> Read<()> {
        Ok(())
    }

    fn end(&mut self) -> Read<()> {
        Ok(())
    }

    fn violations(&mut self) -> &mut Violations {
        &mut self.violations
    }
}

/// A whole request is a structure.
fn not_a_request(member: &Member) -> Unreadable {
    Unreadable(format!("{} is not a structure", member.name))
}

/// What was found for one member.
enum Found<'a> {
    Texts(Vec<String>),
    Entries(Map<String, Vec<String>>),
    Bytes(&'a [u8]),
}

/// One member that stands outside JSON, being read.
struct Part<'a> {
    found: Found<'a>,
    /// How a timestamp is written there.
    usual: TimeFormat,
    violations: &'a mut Violations,
}

impl Part<'_> {
    fn text(&self) -> Read<&str> {
        match &self.found {
            Found::Texts(texts) => texts.first().map(String::as_str),
            Found::Entries(_) | Found::Bytes(_) => None,
        }
        .ok_or_else(|| Unreadable("a value stands where it cannot".into()))
    }
}

impl Decoder for Part<'_> {
    fn structure(&mut self, member: &'static Member, _: &mut VisitMember<'_>) -> Read<()> {
        Err(Unreadable(format!("{} can only stand in a body", member.name)))
    }

    fn list(&mut self, _: &'static Member, visit: &mut VisitItem<'_>) -> Read<()> {
        let Found::Texts(texts) = &mut self.found else { return self.text().map(drop) };
        for text in std::mem::take(texts) {
            let found = Found::Texts(vec![text]);
            visit(&mut Part { found, usual: self.usual, violations: self.violations })?;
        }
        Ok(())
    }

    fn map(&mut self, _: &'static Member, visit: &mut VisitEntry<'_>) -> Read<()> {
        let Found::Entries(entries) = &mut self.found else { return self.text().map(drop) };
        for (key, texts) in std::mem::take(entries) {
            let found = Found::Texts(texts);
            visit(&key, &mut Part { found, usual: self.usual, violations: self.violations })?;
        }
        Ok(())
    }

    fn string(&mut self, _: &'static Member) -> Read<String> {
        self.text().map(str::to_owned)
    }

    fn blob(&mut self, _: &'static Member) -> Read<Bytes> {
        match &self.found {
            Found::Bytes(bytes) => Ok(Bytes::copy_from_slice(bytes)),
            _ => self.text().and_then(text::blob),
        }
    }

    fn boolean(&mut self, _: &'static Member) -> Read<bool> {
        self.text().and_then(text::boolean)
    }

    fn integer(&mut self, _: &'static Member) -> Read<i64> {
        self.text().and_then(text::integer)
    }

    fn double(&mut self, _: &'static Member) -> Read<f64> {
        self.text().and_then(text::double)
    }

    fn timestamp(&mut self, member: &'static Member) -> Read<Timestamp> {
        let format = member.time_format(self.usual);
        self.text().and_then(|text| text::timestamp(text, format))
    }

    fn ignore(&mut self) -> Read<()> {
        Ok(())
    }

    fn end(&mut self) -> Read<()> {
        Ok(())
    }

    fn violations(&mut self) -> &mut Violations {
        self.violations
    }
}

/// The items of a list in one header: parted by commas, quoted where they hold one. An HTTP date
/// holds one that is not quoted.
fn split_list(text: &str, dates: bool) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut items = vec![String::new()];
    let mut quoted = false;
    let mut commas = 0;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match (next, items.last_mut()) {
            ('"', _) => quoted = !quoted,
            ('\\', Some(item)) if quoted => item.extend(chars.next()),
            (',', Some(item)) if !quoted => {
                commas += 1;
                if dates && commas % 2 == 1 {
                    item.push(',');
                } else {
                    items.push(String::new());
                }
            }
            (next, Some(item)) => item.push(next),
            (_, None) => {}
        }
    }
    items.iter().map(|item| item.trim().to_owned()).collect()
}
