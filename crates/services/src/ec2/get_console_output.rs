//! GetConsoleOutput: what an instance's programs printed last.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemill_api::ec2::{GetConsoleOutputRequest, GetConsoleOutputResult};
use tidemill_wire::Fault;

use super::{Call, describe_instances, fault};

/// Most bytes of it.
const MOST: usize = 64 << 10;

pub(super) async fn handle(
    call: &Call<'_>,
    it: GetConsoleOutputRequest,
) -> Result<GetConsoleOutputResult, Fault> {
    // Latest or not, there is only what was printed last.
    let found = describe_instances::chosen(call, std::slice::from_ref(&it.instance_id))?;
    let id = found.first().map(|instance| instance.id);
    let fleet = call.fleet.clone();
    let read = move || id.map_or(Ok(Vec::new()), |id| fleet.tail(id, MOST));
    let output = tokio::task::spawn_blocking(read).await;
    let output = output.map_err(|_| fault::failed())?.map_err(|_| fault::failed())?;
    Ok(GetConsoleOutputResult {
        instance_id: Some(it.instance_id),
        timestamp: Some(call.fleet.now()),
        output: Some(STANDARD.encode(output)),
    })
}
