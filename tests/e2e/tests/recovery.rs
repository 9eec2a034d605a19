//! Stores that are lost, put back or away: members go on where they stood.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "recovery/database_away.rs"]
mod database_away;
#[path = "recovery/deciding.rs"]
mod deciding;
#[path = "recovery/redis_lost.rs"]
mod redis_lost;
#[path = "recovery/refused.rs"]
mod refused;
#[path = "recovery/waiting.rs"]
mod waiting;
#[path = "recovery/workers_restart.rs"]
mod workers_restart;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use e2e::Stage;
use postgres_server::Server;

const DATABASE: &str = "understudy";

/// A system with one member whose database is on this server; its address is kept in `place`.
async fn stage_on(server: &Server, place: &Path) -> Stage {
    server.create_database(DATABASE).unwrap();
    let file = place.join("database_url");
    std::fs::write(&file, server.url(DATABASE)).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let database = format!(
        "[database]\nurl = \"file:{}\"\n\n[workers]\n",
        file.display()
    );
    let edit = |config: &str| config.replace("[workers]\n", &database);
    Stage::open_with(1, edit, &[]).await.unwrap()
}
