//! Makes the typed APIs: each `models/*.model` becomes one Rust file in `OUT_DIR`, which
//! `src/lib.rs` includes as a module. Nothing that is made here is committed.

/// Writes a line to `$writer.out`.
macro_rules! put {
    ($writer:expr, $($arg:tt)*) => {
        writeln!($writer.out, $($arg)*).expect(crate::SURE)
    };
}

mod model;
mod names;
mod schema;
mod types;

use std::path::{Path, PathBuf};
use std::{env, fs};

const SURE: &str = "writing to a string does not fail";

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where we are"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to write"));
    let models = here.join("../../models");
    println!("cargo::rerun-if-changed={}", models.display());
    println!("cargo::rerun-if-changed=build");
    let mut files: Vec<PathBuf> = fs::read_dir(&models)
        .expect("models/ is part of the sources")
        .map(|entry| entry.expect("models/ can be listed").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "model"))
        .collect();
    files.sort();
    for file in files {
        make(&file, &out);
    }
}

fn make(file: &Path, out: &Path) {
    let text = fs::read_to_string(file).expect("a model can be read");
    let model = match model::parse(&text) {
        Ok(model) => model,
        Err(error) => panic!("{}: {error}", file.display()),
    };
    let path = out.join(format!("{}.rs", model.service));
    fs::write(path, schema::write(&model) + &types::write(&model)).expect("OUT_DIR can be written");
}
