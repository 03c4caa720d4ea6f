//! tidemill
fn main() {}
