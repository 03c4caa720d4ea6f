//! Writes a REST-JSON answer.

use http::header::CONTENT_TYPE;
use http::{HeaderName, StatusCode};
use tidemill_base::Timestamp;

use crate::call::Reply;
use crate::encode::Encoder;
use crate::json::JsonEncoder;
use crate::schema::{Kind, Member, Place, Role, TimeFormat};
use crate::text;

/// A REST-JSON answer being written.
pub(crate) struct RestEncoder<'a> {
    reply: &'a mut Reply,
    json: JsonEncoder,
    /// Whether JSON is the body, and not one member as it stands.
    is_json: bool,
    /// How many structures, lists and maps are open.
    depth: usize,
    /// Where a list or map that is open stands, outside the body.
    outside: Option<Place>,
    /// The items of a list that becomes one header.
    items: Vec<String>,
    /// The key of the map's entry that comes next.
    key: String,
}

impl<'a> RestEncoder<'a> {
    /// Writes an output, whose place is `output`, into `reply`.
    pub(crate) fn new(reply: &'a mut Reply, output: &Member, omits_empty: bool) -> Self {
        let payload = output.shape.members().iter().any(|member| member.place == Place::Payload);
        Self {
            reply,
            json: JsonEncoder::new(Vec::with_capacity(256), omits_empty),
            is_json: !payload,
            depth: 0,
            outside: None,
            items: Vec::new(),
            key: String::new(),
        }
    }

    /// Completes the answer.
    pub(crate) fn finish(self) {
        let body = self.json.into_bytes();
        if !body.is_empty() {
            self.reply.body = body.into();
        }
        if self.reply.body.is_empty() {
            self.reply.headers.remove(&CONTENT_TYPE);
        }
    }

    /// Where a value stands if not in JSON.
    fn place(&self, member: &'static Member) -> Option<Place> {
        if self.outside.is_some() {
            return self.outside;
        }
        let top = member.role == Role::Field && self.depth == 1;
        Some(member.place).filter(|place| top && *place != Place::Body)
    }

    /// Takes a scalar that stands outside JSON; whether it did.
    fn takes(&mut self, member: &'static Member, text: impl FnOnce() -> String) -> bool {
        match self.place(member) {
            Some(Place::Header(_)) if member.role == Role::Item => {
                let text = text();
                let quoted = matches!(member.shape.kind, Kind::String) && text.contains([',', '"']);
                let escaped = || text.replace('\\', "\\\\").replace('"', "\\\"");
                self.items.push(if quoted { format!("\"{}\"", escaped()) } else { text });
            }
            Some(Place::Header(name)) => self.insert(name, &text()),
            Some(Place::Headers(prefix)) => {
                let name = format!("{prefix}{}", self.key);
                self.insert(&name, &text());
            }
            Some(Place::Status) => {
                let status = text().parse().ok().and_then(|code| StatusCode::from_u16(code).ok());
                self.reply.status = status.unwrap_or(self.reply.status);
            }
            Some(Place::Payload) => {
                self.is_json = false;
                self.reply.body = text().into();
                let plain = "text/plain";
                self.reply.headers.insert(CONTENT_TYPE, plain);
            }
            Some(Place::Body | Place::Param(_) | Place::Params | Place::Label(_)) | None => {
                return false;
            }
        }
        true
    }

    /// Sets a header; a name that is none, which only a map's key can be, is left out.
    fn insert(&mut self, name: &str, text: &str) {
        if let Ok(name) = HeaderName::try_from(name) {
            self.reply.headers.insert(name, text.to_owned());
        }
    }

    fn begin(&mut self, member: &'static Member) -> bool {
        let place = self.place(member).filter(|place| *place != Place::Payload);
        self.depth += 1;
        self.outside = place;
        place.is_some()
    }

    fn end(&mut self) -> Option<Place> {
        self.depth -= 1;
        self.outside.take()
    }

    /// The place of a structure, list or map in JSON, where one that is the body has no name.
    fn place_in_json(&self, member: &'static Member) -> Option<&'static Member> {
        let payload = self.depth == 1 && member.place == Place::Payload;
        let whole = member.role == Role::Root && !self.is_json;
        if payload || whole { None } else { Some(member) }
    }
}

impl Encoder for RestEncoder<'_> {
    fn begin_structure(&mut self, member: &'static Member) {
        match self.place_in_json(member) {
            Some(place) => self.json.begin_structure(place),
            None if member.role != Role::Root => self.json.begin_unnamed(b'{'),
            None => {}
        }
        self.depth += 1;
    }

    fn end_structure(&mut self, member: &'static Member) {
        self.depth -= 1;
        match self.place_in_json(member) {
            None if member.role == Role::Root => {}
            _ => self.json.end_structure(member),
        }
    }

    fn begin_list(&mut self, member: &'static Member, length: usize) {
        let unnamed = self.place_in_json(member).is_none();
        if self.begin(member) {
            return;
        }
        if unnamed {
            self.json.begin_unnamed(b'[');
        } else {
            self.json.begin_list(member, length);
        }
    }

    fn end_list(&mut self, member: &'static Member, length: usize) {
        match self.end() {
            Some(Place::Header(name)) => {
                let items = std::mem::take(&mut self.items);
                if !items.is_empty() {
                    self.insert(name, &items.join(", "));
                }
            }
            Some(_) => {}
            None => self.json.end_list(member, length),
        }
    }

    fn begin_map(&mut self, member: &'static Member, length: usize) {
        let unnamed = self.place_in_json(member).is_none();
        if self.begin(member) {
            return;
        }
        if unnamed {
            self.json.begin_unnamed(b'{');
        } else {
            self.json.begin_map(member, length);
        }
    }

    fn key(&mut self, member: &'static Member, key: &str) {
        if self.outside.is_some() {
            key.clone_into(&mut self.key);
        } else {
            self.json.key(member, key);
        }
    }

    fn end_map(&mut self, member: &'static Member, length: usize) {
        if self.end().is_none() {
            self.json.end_map(member, length);
        }
    }

    fn string(&mut self, member: &'static Member, text: &str) {
        if !self.takes(member, || text.to_owned()) {
            self.json.string(member, text);
        }
    }

    fn blob(&mut self, member: &'static Member, bytes: &[u8]) {
        if self.place(member) == Some(Place::Payload) {
            self.is_json = false;
            self.reply.body = bytes::Bytes::copy_from_slice(bytes);
            let binary = "application/octet-stream";
            self.reply.headers.insert(CONTENT_TYPE, binary);
            return;
        }
        let encoded = || {
            let mut out = Vec::new();
            text::push_base64(&mut out, bytes);
            String::from_utf8(out).unwrap_or_default()
        };
        if !self.takes(member, encoded) {
            self.json.blob(member, bytes);
        }
    }

    fn boolean(&mut self, member: &'static Member, value: bool) {
        if !self.takes(member, || value.to_string()) {
            self.json.boolean(member, value);
        }
    }

    fn integer(&mut self, member: &'static Member, number: i64) {
        if !self.takes(member, || number.to_string()) {
            self.json.integer(member, number);
        }
    }

    fn float(&mut self, member: &'static Member, number: f32) {
        if !self.takes(member, || text::format_float(number)) {
            self.json.float(member, number);
        }
    }

    fn double(&mut self, member: &'static Member, number: f64) {
        if !self.takes(member, || text::format_double(number)) {
            self.json.double(member, number);
        }
    }

    fn timestamp(&mut self, member: &'static Member, time: Timestamp) {
        let format = member.time_format(TimeFormat::HttpDate);
        if !self.takes(member, || text::format_timestamp(time, format)) {
            self.json.timestamp(member, time);
        }
    }
}
