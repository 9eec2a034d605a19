//! Wakes the core when something is due (a press times out, a fault ends), and only then.

use std::sync::Arc;

use super::shared::Shared;

pub async fn run(shared: Arc<Shared>) {
    loop {
        let deadline = shared.arm();
        let due = async {
            match deadline {
                Some(mono_ms) => tokio::time::sleep_until(shared.clock().instant_of(mono_ms)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => shared.step(|_, _| {}),
            () = shared.rearmed() => {}
            () = shared.shutdown().cancelled() => return,
        }
    }
}
