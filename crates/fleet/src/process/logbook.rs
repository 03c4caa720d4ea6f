//! What an instance's programs print: lines in files that are rotated, so that a program that
//! prints forever takes no more of the disk than one that printed for long.
//!
//! A line is `TIME BOOT STREAM UNIT TEXT`: the time in UTC to the millisecond, the number of the
//! instance's start, `out`, `err` or `own` (what the shim says itself), and the unit. A stream with
//! a `+` behind it goes on in its next line. Files are `log/NNNNNNNN`, numbered as they began.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tidemill_base::Timestamp;
use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// How large a file grows.
const FILE: u64 = 4 << 20;
/// How many files are kept.
const FILES: u64 = 4;
/// How many bytes of a file are read first where only its last lines are wanted.
const TAIL: u64 = 64 << 10;
/// How many bytes of lines are read at once.
const PAGE: usize = 1 << 20;
/// The longest line that is kept whole.
pub(super) const LINE: usize = 16 << 10;

const TIME: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// A log being written.
#[derive(Debug)]
pub(super) struct Logbook {
    folder: PathBuf,
    boot: u32,
    file: File,
    number: u64,
    size: u64,
    /// Lines that the disk did not take since the last that it took.
    lost: u64,
}

/// Who printed a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// A program, to its standard output.
    Out,
    /// A program, to its standard error.
    Err,
    /// The shim.
    Own,
}

impl Stream {
    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Own => "own",
        }
    }
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was printed.
    pub at: Timestamp,
    /// In which start of the instance.
    pub boot: u32,
    /// Where to.
    pub stream: Stream,
    /// Whether the next line of the stream belongs to it.
    pub goes_on: bool,
    /// By which unit.
    pub unit: String,
    /// What.
    pub text: Vec<u8>,
}

/// A place in a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The file's number.
    pub file: u64,
    /// The offset in it, in bytes.
    pub offset: u64,
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those printed then or later.
    pub since: Option<Timestamp>,
    /// Those of this start of the instance.
    pub boot: Option<u32>,
    /// Only those that programs printed.
    pub programs: bool,
}

impl Logbook {
    /// Goes on writing the log in `folder`.
    pub(super) fn open(folder: &Path, boot: u32) -> io::Result<Self> {
        let number = numbers(folder)?.last().copied().unwrap_or(1);
        let file = open(folder, number)?;
        let size = file.metadata()?.len();
        Ok(Self { folder: folder.to_owned(), boot, file, number, size, lost: 0 })
    }

    /// Writes a line, or a part of one. A disk that takes nothing loses it; that much is told once
    /// it takes lines again.
    pub(super) fn write(
        &mut self,
        at: Timestamp,
        stream: Stream,
        goes_on: bool,
        unit: &str,
        text: &[u8],
    ) {
        if self.lost > 0 {
            let told = format!("{} lines were lost: the disk did not take them", self.lost);
            let line = self.line(at, Stream::Own, false, unit, told.as_bytes());
            if self.append(&line).is_err() {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        let line = self.line(at, stream, goes_on, unit, text);
        if self.append(&line).is_err() {
            self.lost += 1;
        }
    }

    fn line(
        &self,
        at: Timestamp,
        stream: Stream,
        goes_on: bool,
        unit: &str,
        text: &[u8],
    ) -> Vec<u8> {
        let (word, plus) = (stream.word(), if goes_on { "+" } else { "" });
        let mut line = format!("{} {} {word}{plus} {unit} ", told(at), self.boot).into_bytes();
        line.extend_from_slice(text);
        line.push(b'\n');
        line
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size + line.len() as u64 > FILE {
            let next = self.number + 1;
            self.file = open(&self.folder, next)?;
            (self.number, self.size) = (next, 0);
            for old in numbers(&self.folder)? {
                if old + FILES <= next {
                    fs::remove_file(path(&self.folder, old))?;
                }
            }
        }
        // Half a line that a full disk took is ended by the next one.
        if let Err(error) = self.file.write_all(line) {
            self.size = self.file.metadata().map_or(self.size, |file| file.len());
            return Err(error);
        }
        self.size += line.len() as u64;
        Ok(())
    }

    /// The lines after `cursor`, at most `most` and not much more than [`PAGE`] bytes of them, and
    /// where the next ones begin. There are none only where nothing was printed after `cursor`.
    pub(super) fn read(
        folder: &Path,
        cursor: Cursor,
        wanted: Wanted,
        most: usize,
    ) -> io::Result<(Vec<Line>, Cursor)> {
        let numbers = numbers(folder)?;
        let mut lines: Vec<Line> = Vec::new();
        let mut size = 0;
        let mut at = cursor;
        let is_full = |lines: &[Line], size| lines.len() >= most || size >= PAGE;
        for number in numbers.into_iter().filter(|number| *number >= cursor.file) {
            // The next file is for the next page, from its beginning.
            if is_full(&lines, size) {
                break;
            }
            if number > at.file {
                at = Cursor { file: number, offset: 0 };
            }
            let Some(mut file) = opened(folder, number)? else { continue };
            file.seek(SeekFrom::Start(at.offset))?;
            let mut reader = BufReader::new(file);
            let mut raw = Vec::new();
            while !is_full(&lines, size) && reader.read_until(b'\n', &mut raw)? > 0 {
                // Half a line is read once it is whole.
                if raw.last() != Some(&b'\n') {
                    break;
                }
                at.offset += raw.len() as u64;
                if let Some(line) = Line::parse(&raw).filter(|line| wanted.has(line)) {
                    size += raw.len();
                    lines.push(line);
                }
                raw.clear();
            }
        }
        Ok((lines, at))
    }

    /// The last lines, at most `most` and not much more than [`PAGE`] bytes of them, as far as they
    /// are wanted, and where the next ones begin.
    pub(super) fn last(
        folder: &Path,
        wanted: Wanted,
        most: usize,
    ) -> io::Result<(Vec<Line>, Cursor)> {
        let mut kept: VecDeque<Line> = VecDeque::new();
        let mut size = 0;
        let mut next = None;
        'full: for number in numbers(folder)?.into_iter().rev() {
            let Some(mut file) = opened(folder, number)? else { continue };
            let (lines, end) = last_of(&mut file, wanted, most - kept.len())?;
            next.get_or_insert(Cursor { file: number, offset: end });
            for line in lines.into_iter().rev() {
                size += line.text.len();
                if kept.len() >= most || size > PAGE {
                    break 'full;
                }
                kept.push_front(line);
            }
            if kept.len() >= most {
                break;
            }
        }
        Ok((kept.into(), next.unwrap_or_default()))
    }

    /// Where the next line will begin.
    pub(super) fn end(folder: &Path) -> io::Result<Cursor> {
        let Some(number) = numbers(folder)?.last().copied() else { return Ok(Cursor::default()) };
        let offset = opened(folder, number)?.map_or(Ok(0), |file| Ok(file.metadata()?.len()));
        offset.map(|offset| Cursor { file: number, offset })
    }

    /// What was printed last, at most so many bytes of it.
    pub(super) fn tail(folder: &Path, most: usize) -> io::Result<Vec<u8>> {
        let numbers = numbers(folder)?;
        let mut text = Vec::new();
        for number in numbers.iter().rev().take(2).rev() {
            let mut raw = Vec::new();
            let Some(mut file) = opened(folder, *number)? else { continue };
            file.read_to_end(&mut raw)?;
            for line in raw.split_inclusive(|byte| *byte == b'\n').filter_map(Line::parse) {
                text.extend_from_slice(&line.text);
                if !line.goes_on {
                    text.push(b'\n');
                }
            }
        }
        let from = text.len().saturating_sub(most);
        Ok(text.split_off(from))
    }
}

impl Wanted {
    fn has(&self, line: &Line) -> bool {
        self.since.is_none_or(|since| line.at >= since)
            && self.boot.is_none_or(|boot| line.boot == boot)
            && !(self.programs && line.stream == Stream::Own)
    }
}

impl Line {
    fn parse(raw: &[u8]) -> Option<Self> {
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        let mut parts = raw.splitn(5, |byte| *byte == b' ');
        let mut word = || parts.next().and_then(|part| str::from_utf8(part).ok());
        let (at, boot, stream, unit) = (word()?, word()?, word()?, word()?);
        let at = time::PrimitiveDateTime::parse(at, TIME).ok()?.assume_utc();
        let at = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?;
        let goes_on = stream.ends_with('+');
        let stream = match stream.trim_end_matches('+') {
            "out" => Stream::Out,
            "err" => Stream::Err,
            "own" => Stream::Own,
            _ => return None,
        };
        let text = parts.next().unwrap_or_default().to_vec();
        let (boot, unit) = (boot.parse().ok()?, unit.to_owned());
        Some(Self { at: Timestamp::from_millis(at), boot, stream, goes_on, unit, text })
    }
}

/// A time as the log has it.
pub(crate) fn told(at: Timestamp) -> String {
    let nanos = i128::from(at.as_millis()) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(TIME).unwrap_or_default()
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}"))
}

fn open(folder: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path(folder, number))
}

/// Opens a file to be read; None if it has made room for younger ones meanwhile.
fn opened(folder: &Path, number: u64) -> io::Result<Option<File>> {
    match File::open(path(folder, number)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

/// The last lines of a file that are wanted, `most` of them or some more, or a [`PAGE`]; all of
/// them if there are fewer. And where its last line ends.
fn last_of(file: &mut File, wanted: Wanted, most: usize) -> io::Result<(Vec<Line>, u64)> {
    let size = file.metadata()?.len();
    let mut span = TAIL;
    loop {
        let from = size.saturating_sub(span);
        file.seek(SeekFrom::Start(from))?;
        let mut raw = Vec::new();
        file.take(size - from).read_to_end(&mut raw)?;
        let ends = |byte: &u8| *byte == b'\n';
        // What begins before is not whole here, and half a line is read once it is whole.
        let first = if from == 0 { Some(0) } else { raw.iter().position(ends).map(|at| at + 1) };
        let end = raw.iter().rposition(ends).map_or(0, |at| at + 1);
        if let Some(first) = first {
            let lines = raw[first..end.max(first)].split_inclusive(ends).filter_map(Line::parse);
            let lines: Vec<Line> = lines.filter(|line| wanted.has(line)).collect();
            let held = lines.iter().map(|line| line.text.len()).sum::<usize>();
            if from == 0 || lines.len() >= most || held > PAGE {
                return Ok((lines, from + end as u64));
            }
        }
        span *= 8;
    }
}

/// The numbers of the files that there are, in order.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<u64> = entries.flatten().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_123);

    /// Every line, read in pages of `most`.
    fn pages(folder: &Path, most: usize) -> (Vec<Line>, Cursor) {
        let (mut all, mut at) = (Vec::new(), Cursor::default());
        loop {
            let (lines, next) = Logbook::read(folder, at, Wanted::default(), most).unwrap();
            assert!(lines.len() <= most);
            if lines.is_empty() {
                return (all, next);
            }
            (all, at) = ([all, lines].concat(), next);
        }
    }

    fn everything(folder: &Path) -> (Vec<Line>, Cursor) {
        pages(folder, usize::MAX)
    }

    /// A log of so many files, each of which holds two lines that say where they are.
    fn files(count: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 1..=count {
            drop(open(folder.path(), number).unwrap());
            let mut log = Logbook::open(folder.path(), 1).unwrap();
            for line in 1..=2 {
                log.write(AT, Stream::Out, false, "u", format!("{number}.{line}").as_bytes());
            }
        }
        folder
    }

    fn texts(lines: Vec<Line>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line.text).unwrap()).collect()
    }

    #[test]
    fn pages_of_whatever_size_have_every_line_of_every_file() {
        let folder = files(3);
        let all = ["1.1", "1.2", "2.1", "2.2", "3.1", "3.2"];
        for most in 1..=7 {
            assert_eq!(texts(pages(folder.path(), most).0), all, "by {most}");
        }
        for most in 1..=7 {
            let (lines, at) = Logbook::last(folder.path(), Wanted::default(), most).unwrap();
            assert_eq!(texts(lines), all[6 - most.min(6)..]);
            assert_eq!(at, Logbook::end(folder.path()).unwrap());
        }
    }

    #[test]
    fn a_page_ends_at_its_bytes_too_and_the_next_goes_on_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Logbook::open(folder.path(), 1).unwrap();
        let lines = 3 * PAGE / LINE;
        for _ in 0..lines {
            log.write(AT, Stream::Out, false, "u", &vec![b'x'; LINE]);
        }
        let wanted = Wanted::default();
        let (page, _) = Logbook::read(folder.path(), Cursor::default(), wanted, 5000).unwrap();
        assert!(page.len() <= PAGE / LINE);
        assert_eq!(everything(folder.path()).0.len(), lines);
        let (last, at) = Logbook::last(folder.path(), wanted, 5000).unwrap();
        assert_eq!((last.len(), at), (PAGE / LINE, Logbook::end(folder.path()).unwrap()));
    }

    #[test]
    fn the_last_lines_are_read_from_the_end() {
        let folder = files(2);
        // Whoever opens this one fails: it is a link to itself.
        let first = path(folder.path(), 1);
        fs::remove_file(&first).unwrap();
        std::os::unix::fs::symlink(&first, &first).unwrap();
        let wanted = Wanted { programs: true, ..Wanted::default() };
        let last = |most| Logbook::last(folder.path(), wanted, most);
        assert_eq!(texts(last(2).unwrap().0), ["2.1", "2.2"]);
        assert!(last(3).is_err());
        // However far from the end: what the shim says is not wanted.
        let mut log = Logbook::open(folder.path(), 1).unwrap();
        for _ in 0..20 {
            log.write(AT, Stream::Own, false, "u", &vec![b'x'; LINE]);
        }
        let end = Logbook::end(folder.path()).unwrap();
        assert_eq!(last(0).unwrap(), (vec![], end));
        // Half a line is none yet.
        let mut file = OpenOptions::new().append(true).open(path(folder.path(), 2)).unwrap();
        file.write_all(b"2023-11-14T22:13:20.123Z 1 out u ha").unwrap();
        for most in [1, 2] {
            let (lines, at) = last(most).unwrap();
            assert_eq!(texts(lines), ["2.1", "2.2"][2 - most..]);
            assert_eq!(at, end);
        }
        file.write_all(b"lf\n").unwrap();
        assert_eq!(texts(last(1).unwrap().0), ["half"]);
    }

    #[test]
    fn a_file_that_was_rotated_away_is_passed_over() {
        let folder = files(3);
        // The number is listed, and what it stands for is not there.
        let gone = path(folder.path(), 2);
        fs::remove_file(&gone).unwrap();
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &gone).unwrap();
        assert_eq!(texts(everything(folder.path()).0), ["1.1", "1.2", "3.1", "3.2"]);
        assert_eq!(Logbook::tail(folder.path(), 100).unwrap(), b"3.1\n3.2\n");
        fs::remove_file(path(folder.path(), 3)).unwrap();
        assert_eq!(Logbook::end(folder.path()).unwrap(), Cursor { file: 2, offset: 0 });
    }

    #[test]
    fn a_line_is_read_as_it_was_printed() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Logbook::open(folder.path(), 3).unwrap();
        log.write(AT, Stream::Out, false, "a.service", b" two  words \xff");
        log.write(AT, Stream::Err, true, "a.service", b"");
        let (lines, cursor) = everything(folder.path());
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[0].at, lines[0].boot, lines[0].stream), (AT, 3, Stream::Out));
        assert_eq!(lines[0].text, b" two  words \xff");
        assert_eq!((lines[1].goes_on, &*lines[1].unit), (true, "a.service"));
        let file = fs::read(path(folder.path(), 1)).unwrap();
        assert!(file.starts_with(b"2023-11-14T22:13:20.123Z 3 out a.service  two"));
        log.write(AT, Stream::Own, false, "a.service", b"later");
        let wanted = Wanted::default();
        let (later, _) = Logbook::read(folder.path(), cursor, wanted, 10).unwrap();
        assert_eq!(later.iter().map(|line| &*line.text).collect::<Vec<_>>(), [b"later"]);
    }

    #[test]
    fn a_log_keeps_its_last_files_and_grows_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Logbook::open(folder.path(), 1).unwrap();
        let text = vec![b'x'; 8000];
        for _ in 0..6 * FILE / 8000 {
            log.write(AT, Stream::Out, false, "u", &text);
        }
        let kept = numbers(folder.path()).unwrap();
        assert_eq!(kept.len() as u64, FILES);
        let sizes: u64 = kept
            .iter()
            .map(|number| fs::metadata(path(folder.path(), *number)).unwrap().len())
            .sum();
        assert!(sizes <= FILE * FILES);
        // A reader whose place is gone goes on with the oldest that is left.
        let (lines, cursor) = everything(folder.path());
        assert!(lines.len() as u64 > 3 * FILE / 8100);
        assert_eq!(cursor.file, *kept.last().unwrap());
        assert_eq!(Logbook::open(folder.path(), 1).unwrap().number, cursor.file);
    }

    #[test]
    fn lines_are_chosen_by_time_and_start() {
        let folder = tempfile::tempdir().unwrap();
        for (boot, seconds) in [(1, 0), (2, 10), (2, 20)] {
            let mut log = Logbook::open(folder.path(), boot).unwrap();
            let at = AT + std::time::Duration::from_secs(seconds);
            log.write(at, Stream::Out, false, "u", format!("{boot}@{seconds}").as_bytes());
        }
        let read = |wanted| {
            let (lines, _) = Logbook::read(folder.path(), Cursor::default(), wanted, 9).unwrap();
            lines.into_iter().map(|line| String::from_utf8(line.text).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(read(Wanted { boot: Some(2), ..Wanted::default() }), ["2@10", "2@20"]);
        let since = Some(AT + std::time::Duration::from_secs(11));
        assert_eq!(read(Wanted { since, ..Wanted::default() }), ["2@20"]);
    }

    #[test]
    fn the_tail_is_what_was_printed_without_anything_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Logbook::open(folder.path(), 1).unwrap();
        log.write(AT, Stream::Out, true, "u", b"ab");
        log.write(AT, Stream::Out, false, "u", b"cd");
        log.write(AT, Stream::Err, false, "u", b"ef");
        assert_eq!(Logbook::tail(folder.path(), 100).unwrap(), b"abcd\nef\n");
        assert_eq!(Logbook::tail(folder.path(), 4).unwrap(), b"\nef\n");
    }
}
