//! What the documents walk a reader through: daily work, and the rotation of a key.

use std::process::Stdio;

use e2e::{Stage, built};

use super::{cli, json, refused, text};

/// Every command of the document is run as it stands there, in its order, and does what it is there for.
#[tokio::test(flavor = "multi_thread")]
async fn the_daily_work_is_done_as_its_document_says() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operate.md");
    let document = std::fs::read_to_string(file).unwrap();
    let stage = Stage::open(1).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = built("understudy").unwrap();
    let path = std::env::join_paths(
        std::iter::once(program.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let mut run = 0;
    let blocks = document.split("```sh\n").skip(1);
    for command in blocks.flat_map(|block| block.split("```").next().unwrap().lines()) {
        let command = command.split('#').next().unwrap().trim();
        // Following ends with whoever follows; its test is above.
        if command.is_empty() || command.ends_with("--follow") {
            continue;
        }
        // As a person would find it: whoever was replaced a moment ago is connected again.
        stage.served().await.unwrap();
        let output = tokio::process::Command::new("sh")
            .args(["-c", command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("UNDERSTUDY_CONFIG", stage.folder.config())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        run += 1;
    }
    assert!(run >= 15, "only {run} commands found");
    let status = stage.status().await.unwrap();
    assert!(status["pools"][0]["paused"].is_null() && status["pools"][0]["pinned"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealing_key_is_rotated_while_everything_runs() {
    let stage = Stage::open(1).await.unwrap();
    let before = json(&cli(&stage, &["secrets", "status", "--json"]).await, 0);
    assert_eq!(
        (&before["keys"], &before["current"]),
        (&1.into(), &true.into()),
        "{before}"
    );
    let sealed = before["tokens"]["by_key"][0].as_u64().unwrap();
    assert_eq!(sealed, 3, "{before}");

    text(&cli(&stage, &["secrets", "add-key"]).await, 0);
    let doctor = cli(&stage, &["doctor"]).await;
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(said.contains("run `understudy secrets reseal`"), "{said}");
    text(&cli(&stage, &["secrets", "reseal"]).await, 0);
    let after = json(&cli(&stage, &["secrets", "status", "--json"]).await, 0);
    assert_eq!(
        (&after["keys"], &after["current"]),
        (&2.into(), &true.into()),
        "{after}"
    );

    let untold = cli(&stage, &["secrets", "give-up"]).await;
    refused(&untold, &["--yes", "nothing was changed"]);
    text(&cli(&stage, &["rotate"]).await, 0);
}
