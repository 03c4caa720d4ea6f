//! MIME multipart, as cloud-init takes user data of several parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its content type, without parameters, in lower case.
    pub(super) kind: String,
    /// Its file name, if it says one.
    pub(super) name: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Whether a text looks like a MIME message.
pub(super) fn is_one(text: &str) -> bool {
    let begins = |line: &str, word: &str| {
        line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let first = text.lines().next().unwrap_or_default();
    begins(first, "content-type: multipart/") || begins(first, "mime-version:")
}

/// The parts of a message.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").ok_or("the message has a head and no body")?;
    let head = Head::parse(head);
    let kind = head.get("content-type").unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return Err(format!("the message is {kind:?} and not multipart/mixed"));
    }
    let boundary = parameter(kind, "boundary").ok_or("the message names no boundary")?;
    let (opens, closes) = (format!("--{boundary}"), format!("--{boundary}--"));
    let mut parts: Vec<String> = Vec::new();
    let mut closed = false;
    for line in body.split('\n') {
        if line.trim_end() == closes {
            closed = true;
            break;
        }
        if line.trim_end() == opens {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    if !closed {
        return Err("the message's last boundary is missing".to_owned());
    }
    parts.iter().map(|part| Part::parse(part)).collect()
}

impl Part {
    fn parse(text: &str) -> Result<Self, String> {
        let (head, body) = match text.strip_prefix('\n') {
            Some(body) => ("", body),
            None => text.split_once("\n\n").ok_or("a part has a head and no body")?,
        };
        let head = Head::parse(head);
        let kind = head.get("content-type").unwrap_or("text/plain");
        let disposition = head.get("content-disposition").unwrap_or_default();
        let name = parameter(disposition, "filename").or_else(|| parameter(kind, "name"));
        let encoding = head.get("content-transfer-encoding").unwrap_or("7bit");
        // The line end before a boundary belongs to the boundary.
        let body = body.strip_suffix('\n').unwrap_or(body);
        let body = match encoding.to_ascii_lowercase().as_str() {
            "7bit" | "8bit" | "binary" => body.as_bytes().to_vec(),
            "base64" => {
                let packed: String = body.split_whitespace().collect();
                STANDARD.decode(packed).map_err(|error| format!("a part's base64: {error}"))?
            }
            "quoted-printable" => quoted_printable(body)?,
            other => return Err(format!("a part has the unknown encoding {other}")),
        };
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Ok(Self { kind, name, body })
    }
}

/// Header fields, with continued lines put together.
struct Head(Vec<(String, String)>);

impl Head {
    fn parse(text: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            match (line.starts_with([' ', '\t']), fields.last_mut()) {
                (true, Some((_, value))) => {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                _ => {
                    if let Some((name, value)) = line.split_once(':') {
                        fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                    }
                }
            }
        }
        Self(fields)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A parameter of a header's value: `name=value` or `name="value"`.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

fn quoted_printable(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'=' {
            out.push(byte);
        } else if let Some(next) = after.strip_prefix(b"\n") {
            rest = next;
        } else {
            let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
            let code = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            out.push(code.ok_or("a part's quoted-printable has a = that stands for nothing")?);
            rest = &after[2..];
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "Content-Type: multipart/mixed;\n boundary=\"==x==\"\n\
        MIME-Version: 1.0\n\npreamble\n--==x==\n\
        Content-Type: text/x-shellscript; charset=\"utf-8\"\n\
        Content-Disposition: attachment; filename=\"run.sh\"\n\n#!/bin/sh\necho\n\n\
        --==x==\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nW1VuaXRd\n\
        --==x==--\n";

    #[test]
    fn a_message_has_its_parts() {
        let parts = parts(MESSAGE).unwrap();
        assert_eq!(parts.len(), 2);
        assert_eq!(
            (&*parts[0].kind, parts[0].name.as_deref()),
            ("text/x-shellscript", Some("run.sh"))
        );
        assert_eq!(parts[0].body, b"#!/bin/sh\necho\n");
        assert_eq!((&*parts[1].kind, &*parts[1].body), ("text/plain", &b"[Unit]"[..]));
        let windows = super::parts(&MESSAGE.replace('\n', "\r\n")).unwrap();
        assert_eq!(windows[0].body, parts[0].body);
    }

    #[test]
    fn a_message_is_told_by_its_first_line() {
        assert!(is_one(MESSAGE) && is_one("MIME-Version: 1.0\n"));
        assert!(!is_one("#!/bin/sh\n") && !is_one(""));
    }

    #[test]
    fn a_message_that_is_cut_is_refused() {
        let cut = MESSAGE.rsplit_once("--==x==--").unwrap().0;
        assert!(parts(cut).unwrap_err().contains("boundary"));
        assert!(parts("MIME-Version: 1.0\n\nx").is_err());
    }

    #[test]
    fn quoted_printable_is_undone() {
        assert_eq!(quoted_printable("a=3Db=\nc").unwrap(), b"a=bc");
        assert!(quoted_printable("=zz").is_err());
    }
}
