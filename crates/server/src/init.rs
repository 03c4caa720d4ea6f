//! `tidemill init`: a root access key, printed once.

use anyhow::Context as _;
use tidemill_base::{Chance, Clock};
use tidemill_journal::Options;

use crate::cli::Init;
use crate::data;

pub(crate) fn run(init: &Init) -> anyhow::Result<()> {
    let (clock, chance) = (Clock::system(), Chance::system());
    let store = data::open_identity(&init.data_dir, Options::default(), &clock, &chance, None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let key =
        runtime.block_on(store.create_root_key(init.account)).context("cannot keep the key")?;
    store.close().context("cannot keep the key")?;
    if !init.export {
        println!("A root access key of account {}. Its secret is shown only now.\n", init.account);
    }
    println!("export AWS_ACCESS_KEY_ID={}", key.id);
    println!("export AWS_SECRET_ACCESS_KEY={}", key.secret.reveal());
    if !init.export {
        println!("\nFrom now on the service answers only requests that are signed with a key.");
    }
    Ok(())
}
