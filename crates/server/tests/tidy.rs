//! The house rules that a machine can check, so that nobody has to remember them.
//!
//! Each rule is one test over the files that git knows or would add; each finding names its file
//! and line, and each rule says why it is there. The rules that take judgement are in STYLE.md.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::LazyLock;

/// What each crate may use of ours. A new edge is added here, and only downwards: see
/// [`the_floors_only_look_down`].
const EDGES: &[(&str, u8, &[&str])] = &[
    ("tidemill-base", 0, &[]),
    ("tidemill-http", 1, &["base"]),
    ("tidemill-journal", 1, &["base"]),
    ("tidemill-wire", 1, &["base"]),
    ("tidemill-sign", 1, &["base"]),
    ("tidemill-api", 2, &["base", "wire"]),
    ("tidemill-queue", 2, &["base", "journal"]),
    ("tidemill-identity", 2, &["base", "journal", "sign"]),
    ("tidemill-metric", 2, &["base", "journal"]),
    ("tidemill-notice", 2, &["base", "journal"]),
    ("tidemill-fleet", 2, &["base", "journal"]),
    ("tidemill-scaling", 2, &["base", "journal"]),
    (
        "tidemill-services",
        3,
        &[
            "api", "base", "fleet", "identity", "metric", "notice", "queue", "scaling", "sign",
            "wire",
        ],
    ),
    (
        "tidemill",
        4,
        &[
            "api", "base", "fleet", "http", "identity", "journal", "metric", "notice", "queue",
            "scaling", "services", "sign", "wire",
        ],
    ),
    ("tidemill-bench", 4, &[]),
    ("tidemill-proof", 5, &["base", "bench"]),
    ("tidemill-demand", 4, &["base", "metric", "scaling"]),
    ("tidemill-sim", 4, &["base", "journal", "queue"]),
    ("xtask", 4, &[]),
];

/// Where each library has its row.
const LIBRARIES: &str = "docs/decisions/0002-libraries.md";

/// The files outside the journal that read a file, none of them in the data directory.
const READS_FILES: &[&str] =
    &["crates/server/src/settings.rs", "crates/server/src/tls.rs", "crates/server/src/tools.rs"];

/// What touches the files of instances, which are another's memory than the journal's: what they
/// run and print stays on the machine that they run on (docs/decisions/0009).
const INSTANCES: &str = "crates/fleet/src/process/";

/// Services by name. EC2 is not among them: one of the protocols is called after it.
const SERVICES: &[&str] =
    &["sqs", "sns", "sts", "dynamodb", "cloudwatch", "autoscaling", "iam", "ses"];

struct File {
    path: String,
    text: String,
}

/// Every text file of the project.
static TREE: LazyLock<Vec<File>> = LazyLock::new(|| {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let paths = run("git", &arguments);
    let mut paths: Vec<&str> = paths.split_terminator('\0').collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        // What git still lists may be deleted by now, and what is not text has no lines.
        let text = std::fs::read_to_string(format!("{ROOT}/{path}")).ok()?;
        Some(File { path: path.to_owned(), text })
    };
    paths.into_iter().filter_map(read).collect()
});

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(ROOT).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn rust_files() -> impl Iterator<Item = &'static File> {
    TREE.iter().filter(|file| has_extension(&file.path, "rs"))
}

fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, last)| last == extension)
}

/// Whether a file holds nothing but tests: by where it is, or because the module above it has it
/// for tests only.
fn is_test(path: &str) -> bool {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return true;
    }
    let Some((parent, name)) = path.strip_suffix(".rs").and_then(|path| path.rsplit_once('/'))
    else {
        return false;
    };
    let above = [".rs", "/mod.rs", "/lib.rs", "/main.rs"].map(|end| format!("{parent}{end}"));
    let declaration = format!("#[cfg(test)]\nmod {name};");
    TREE.iter().any(|file| above.contains(&file.path) && file.text.contains(&declaration))
}

/// Fails with every finding, and why it matters.
fn expect_none(rule: &str, findings: impl IntoIterator<Item = String>) {
    let findings: Vec<String> = findings.into_iter().collect();
    assert!(findings.is_empty(), "\n{rule}\n  {}\n", findings.join("\n  "));
}

/// The lines of `files` for which `found` says what is wrong with them.
fn in_lines<'a>(
    files: impl Iterator<Item = &'a File>,
    found: impl Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            if let Some(what) = found(line) {
                findings.push(format!("{}:{number}: {what}", file.path));
            }
        }
    }
    findings
}

/// The first of `needles` in a line.
fn first_of(needles: &[&str], line: &str) -> Option<String> {
    needles.iter().find(|needle| line.contains(**needle)).map(|needle| (*needle).to_owned())
}

#[test]
fn the_floors_only_look_down() {
    let floor = |name: &str| EDGES.iter().find(|edge| edge.0 == name).map(|edge| edge.1);
    let mut findings = Vec::new();
    for (name, own, uses) in EDGES {
        for used in *uses {
            if floor(&format!("tidemill-{used}")).is_none_or(|below| below >= *own) {
                findings.push(format!("{name} may not use {used}: it is not on a floor below"));
            }
        }
    }
    expect_none("A crate uses only floors below its own (ARCHITECTURE.md).", findings);
}

/// What cargo says of each of our packages.
static PACKAGES: LazyLock<Vec<serde_json::Value>> = LazyLock::new(|| {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let mut metadata: serde_json::Value =
        serde_json::from_str(&run(env!("CARGO"), &arguments)).unwrap();
    match metadata["packages"].take() {
        serde_json::Value::Array(packages) => packages,
        other => panic!("cargo lists packages, not {other}"),
    }
});

#[test]
fn a_crate_uses_only_the_crates_that_it_may() {
    let mut findings = Vec::new();
    for package in PACKAGES.iter() {
        let name = package["name"].as_str().unwrap();
        let Some((_, _, allowed)) = EDGES.iter().find(|edge| edge.0 == name) else {
            findings.push(format!("{name} has no floor yet: give it one in EDGES"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            let ours = used.strip_prefix("tidemill-").or((used == "tidemill").then_some(used));
            if ours.is_some_and(|ours| !allowed.contains(&ours)) {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                findings.push(format!("{name} uses {used} ({kind} dependency)"));
            }
        }
    }
    let rule = "Dependencies point down, so that each floor can be read and tested without those \
                above it. Dependencies of tests and build scripts count.";
    expect_none(rule, findings);
}

#[test]
fn a_library_is_used_for_a_reason_that_is_written_down() {
    let table = &TREE.iter().find(|file| file.path == LIBRARIES).unwrap().text;
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let libraries: Vec<&str> = rows
        .filter_map(|row| row.split('|').nth(2))
        .flat_map(|cell| cell.split([' ', ',']))
        .collect();
    let mut findings = Vec::new();
    for package in PACKAGES.iter() {
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = dependency["name"].as_str().unwrap();
            if dependency["source"].is_string() && !libraries.contains(&used) {
                let user = package["name"].as_str().unwrap();
                findings.push(format!("{user} uses {used}, which has no row in {LIBRARIES}"));
            }
        }
    }
    let rule = "Whoever adds a library says what it is for, and why that one.";
    expect_none(rule, findings);
}

#[test]
fn a_file_says_first_why_it_exists() {
    let silent = rust_files().filter(|file| !file.text.starts_with("//! "));
    let findings = silent.map(|file| format!("{}:1: no //! paragraph", file.path));
    expect_none("Whoever opens a file learns from its head what it is for.", findings);
}

#[test]
fn a_file_is_short() {
    let findings = rust_files().filter_map(|file| {
        let (lines, most) =
            (file.text.lines().count(), if is_test(&file.path) { 900 } else { 600 });
        (lines > most).then(|| format!("{}:{lines}: more than {most} lines", file.path))
    });
    expect_none("A file that grows has another noun hiding in it.", findings);
}

#[test]
fn a_line_is_short() {
    let languages = ["js", "py", "rs"];
    let code = TREE.iter().filter(|file| languages.iter().any(|e| has_extension(&file.path, e)));
    let findings = in_lines(code, |line| {
        let length = line.chars().count();
        (length > 100).then(|| format!("{length} characters, more than 100"))
    });
    expect_none("Two files fit side by side.", findings);
}

#[test]
fn a_function_is_short() {
    let findings = rust_files().flat_map(|file| {
        let long = functions(&file.text).into_iter().filter(|function| function.lines > 70);
        long.map(|function| {
            let Function { line, lines, name } = function;
            format!("{}:{line}: {name} has {lines} lines, more than 70", file.path)
        })
    });
    expect_none("A function is read on one screen.", findings);
}

struct Function<'a> {
    line: usize,
    lines: usize,
    name: &'a str,
}

/// The functions of a file, told by how rustfmt sets them: the closing brace of one stands under
/// its first word.
fn functions(text: &str) -> Vec<Function<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut rest = lines[start..].iter();
        let has_body = rest.any(|line| line.ends_with(['{', ';', '}'])) && {
            let signature_end = lines.len() - rest.len();
            lines[signature_end - 1].ends_with('{')
        };
        let closes = |line: &&&str| line.strip_prefix(indent) == Some("}");
        let length = lines[start..].iter().take_while(|line| !closes(line)).count() + 1;
        let lines = if has_body { length } else { 1 };
        found.push(Function { line: start + 1, lines, name });
    }
    found
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifier = |word: &str| {
        word.starts_with("pub") || matches!(word, "const" | "async" | "unsafe" | "in" | "default")
    };
    if !before.split_whitespace().all(qualifier) {
        return None;
    }
    after.split(['(', '<']).next()
}

#[test]
fn functions_are_measured_from_their_first_line_to_their_brace() {
    let text = "pub(crate) fn one(\n    a: u8,\n) -> u8 {\n    a\n}\n\ntrait T {\n    fn two();\n\
                \n    fn three() {}\n}\n// a fn in words\nlet f: fn (u8) = g;\n";
    let found = functions(text);
    let found: Vec<_> = found.iter().map(|f| (f.name, f.line, f.lines)).collect();
    assert_eq!(found, [("one", 1, 5), ("two", 8, 1), ("three", 10, 1)]);
}

#[test]
fn the_wire_knows_no_service() {
    let wire = rust_files().filter(|file| file.path.starts_with("crates/wire/src/"));
    let findings = in_lines(wire, |line| {
        let line = line.to_ascii_lowercase();
        let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
        words.find(|word| SERVICES.contains(word)).map(|word| format!("the word {word}"))
    });
    let rule = "The wire walks schemas, each format and each protocol once. A service's name in \
                it is the beginning of a special case: say it in the model.";
    expect_none(rule, findings);
}

#[test]
fn only_the_journal_touches_files() {
    let sources = rust_files().filter(|file| {
        file.path.starts_with("crates/")
            && file.path.contains("/src/")
            && !file.path.starts_with("crates/journal/")
            && !file.path.starts_with(INSTANCES)
            && !READS_FILES.contains(&file.path.as_str())
            && !is_test(&file.path)
    });
    let needles = ["std::fs", "tokio::fs", "fs::File", "File::open", "File::create"];
    let findings = in_lines(sources, |line| first_of(&needles, line));
    let rule = "Nothing but the journal remembers: what is elsewhere on the disk would be lost \
                when a shard is folded on another machine.";
    expect_none(rule, findings);
}

#[test]
fn a_machine_reads_no_clock_and_does_no_io() {
    let machines = rust_files().filter(|file| {
        let name = file.path.rsplit('/').next().unwrap();
        matches!(name, "machine.rs" | "decide.rs") || file.path.contains("/src/machine/")
    });
    let needles = [
        "std::fs",
        "std::io",
        "std::net",
        "std::thread",
        "std::time::Instant",
        "SystemTime",
        "tokio::",
        "tracing::",
        "println!",
        "Clock",
        "Chance",
        "tidemill_journal::Journal",
    ];
    let machines = machines.filter(|file| !is_test(&file.path));
    let findings = in_lines(machines, |line| {
        let code = line.split("//").next().unwrap_or_default();
        first_of(&needles, code)
    });
    let rule = "Folding the same records gives the same state, byte for byte: time and chance \
                come into a machine with its commands.";
    expect_none(rule, findings);
}

#[test]
fn nothing_generated_is_committed() {
    // Put together here, or this file would find itself.
    let marks = [concat!("@gene", "rated"), concat!("DO NOT", " EDIT"), concat!("do not", " edit")];
    let findings =
        TREE.iter().filter(|file| !file.path.ends_with("Cargo.lock")).filter_map(|file| {
            let head: Vec<&str> = file.text.lines().take(5).collect();
            let mark = first_of(&marks, &head.join("\n"))?;
            Some(format!("{}:1: {mark}", file.path))
        });
    let rule = "What is generated is made when it is built, from what is readable: a committed \
                copy is edited, or goes stale.";
    expect_none(rule, findings);
    let left = TREE.iter().map(|file| &file.path).filter(|path| {
        path.starts_with("target/") || path.contains("__pycache__") || has_extension(path, "pyc")
    });
    expect_none(rule, left.cloned());
}

#[test]
fn a_decision_has_a_number_of_its_own_and_a_status() {
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for File { path, text } in TREE.iter() {
        let Some(name) = path.strip_prefix("docs/decisions/") else { continue };
        let number = name.split('-').next().unwrap();
        if number.len() != 4 || number.parse::<u16>().is_err() || !has_extension(name, "md") {
            findings.push(format!("{path}:1: not called NNNN-what-was-decided.md"));
        } else if let Some(other) = numbers.insert(number, name) {
            findings.push(format!("{path}:1: has the number of {other}"));
        }
        if !text.lines().any(|line| line.starts_with("Status: ")) {
            findings.push(format!("{path}:1: no line `Status: accepted`, or what it is"));
        }
    }
    let rule = "A reader of a decision sees whether it still holds.";
    expect_none(rule, findings);
}

#[test]
fn nothing_is_left_undone_in_silence() {
    let needles = [
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
        concat!("#[ig", "nore"),
        concat!("dbg", "!("),
    ];
    let findings = in_lines(rust_files(), |line| first_of(&needles, line));
    let rule = "What is not done yet is a clear answer to the caller or a line in the CHANGELOG; \
                a test that does not run proves nothing.";
    expect_none(rule, findings);
}

#[test]
fn no_test_waits_for_time_to_pass() {
    let tests = rust_files().filter(|file| is_test(&file.path));
    let needles = [concat!("thread::", "sleep"), concat!("time::", "sleep")];
    let findings = in_lines(tests, |line| first_of(&needles, line));
    let rule = "A test moves a manual clock, or waits for the thing itself: a test that sleeps is \
                slow on a fast machine and fails on a slow one.";
    expect_none(rule, findings);
}
