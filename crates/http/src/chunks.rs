//! A body in chunks: each begins with its size in hexadecimal digits, the last one has none.

use crate::Untaken;

/// How long a line may be that says a chunk's size, or that stands behind the last chunk.
const LONGEST_LINE: usize = 4096;
/// How many bytes of lines may stand behind the last chunk.
const LONGEST_TRAILER: usize = 16 << 10;

/// A body in chunks, being read.
#[derive(Debug, Default)]
pub struct Chunks {
    next: Next,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    /// A line with a chunk's size.
    #[default]
    Size,
    /// So many bytes of a chunk.
    Bytes(u64),
    /// The end of the line that a chunk is.
    End,
    /// Lines behind the last chunk, of which there were so many bytes.
    Trailer(usize),
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Bytes of the body.
    Bytes(&'a [u8]),
    /// More must come first.
    More,
    /// The body is whole.
    Done,
}

impl Chunks {
    /// Takes one step through `bytes`: returns how many of them it is done with, and what came of
    /// it.
    ///
    /// # Errors
    /// If they are no chunks.
    pub fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Progress<'a>), Untaken> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self.next {
                Next::Size => {
                    let Some(line) = line(rest)? else { return Ok((used, Progress::More)) };
                    used += line.len() + 2;
                    self.next = match size(line)? {
                        0 => Next::Trailer(0),
                        size => Next::Bytes(size),
                    };
                }
                Next::Bytes(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    if here == 0 {
                        return Ok((used, Progress::More));
                    }
                    let left = left - here as u64;
                    self.next = if left == 0 { Next::End } else { Next::Bytes(left) };
                    return Ok((used + here, Progress::Bytes(&rest[..here])));
                }
                Next::End => {
                    let Some(line) = line(rest)? else { return Ok((used, Progress::More)) };
                    if !line.is_empty() {
                        return Err(Untaken::BrokenOff);
                    }
                    used += 2;
                    self.next = Next::Size;
                }
                Next::Trailer(before) => {
                    let Some(line) = line(rest)? else { return Ok((used, Progress::More)) };
                    used += line.len() + 2;
                    if line.is_empty() {
                        return Ok((used, Progress::Done));
                    }
                    let so_far = before + line.len();
                    if so_far > LONGEST_TRAILER {
                        return Err(Untaken::BrokenOff);
                    }
                    self.next = Next::Trailer(so_far);
                }
            }
        }
    }
}

/// The line at the beginning of `bytes`, if it is whole. Only CR and LF together end one.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Untaken> {
    let end = bytes.iter().take(LONGEST_LINE).position(|byte| matches!(byte, b'\r' | b'\n'));
    match end {
        None if bytes.len() >= LONGEST_LINE => Err(Untaken::BrokenOff),
        None => Ok(None),
        Some(end) => match bytes[end..] {
            [b'\r', b'\n', ..] => Ok(Some(&bytes[..end])),
            [b'\r'] => Ok(None),
            _ => Err(Untaken::BrokenOff),
        },
    }
}

/// The size that a line says, whatever extensions stand behind it.
fn size(line: &[u8]) -> Result<u64, Untaken> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let text = str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'));
    let text = text.map(|text| text.trim_end_matches([' ', '\t']));
    let size = text.and_then(|text| u64::from_str_radix(text, 16).ok());
    size.ok_or(Untaken::BrokenOff)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body and how many bytes it took, when it comes in parts of `part` bytes.
    fn read(text: &[u8], part: usize) -> Result<Option<(Vec<u8>, usize)>, Untaken> {
        let (mut chunks, mut body, mut done) = (Chunks::default(), Vec::new(), 0);
        let mut here = 0;
        loop {
            let (used, progress) = chunks.step(&text[done..here])?;
            done += used;
            match progress {
                Progress::Bytes(bytes) => body.extend_from_slice(bytes),
                Progress::Done => return Ok(Some((body, done))),
                Progress::More if here == text.len() => return Ok(None),
                Progress::More => here = (here + part).min(text.len()),
            }
        }
    }

    #[test]
    fn chunks_make_the_body_however_they_come() {
        let text = b"3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nPOST";
        for part in 1..=text.len() {
            let (body, used) = read(text, part).unwrap().unwrap();
            assert_eq!((&*body, used), (b"abc0123456789".as_slice(), text.len() - 4), "{part}");
        }
        for end in 0..text.len() - 4 {
            assert_eq!(read(&text[..end], 5), Ok(None), "{end}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let long = [b"1;".as_slice(), &[b'x'; LONGEST_LINE]].concat();
        let trailer = [b"0\r\n".as_slice(), &b"x: 0123456789\r\n".repeat(2000)].concat();
        for bad in [
            b"x\r\n".as_slice(),
            b"\r\n",
            b"+1\r\na\r\n0\r\n\r\n",
            b" 1\r\na\r\n0\r\n\r\n",
            b"-1\r\n",
            b"1\x0c\r\na\r\n0\r\n\r\n",
            b"1\na\r\n0\r\n\r\n",
            b"1\r\nab\r\n",
            b"1\r\na\n\n",
            b"10000000000000000\r\n",
            &long,
            &trailer,
        ] {
            assert_eq!(read(bad, 7), Err(Untaken::BrokenOff), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
