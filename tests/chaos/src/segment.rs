//! One segment: set up, let everybody talk, the storm, the end, the judgement.
//!
//! What goes wrong with the system under test is a violation and leads to a judgement all the same; an error is only what keeps the harness itself
//! from its work. Whatever happens, what was started is ended when this returns or is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use sandbox::clock::unix_ms;
use sandbox::daemon::StatusReader;
use sandbox::journal::JournalFindings;
use sandbox::ledger::Confirmer;
use sandbox::status::Status;
use sandbox::wire::WireFindings;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::crowd::{Crowd, Told};
use crate::dossier;
use crate::fault::Kind;
use crate::hands::Hands;
use crate::judge::{Evidence, NOTED_MS, Post, Violation, Wrong, judge};
use crate::keeper::{Daemons, Orders};
use crate::recovery;
use crate::report::Segment;
use crate::stage::{Shape, Stage};
use crate::storm::Storm;
use crate::strike::{Strikes, with_all_they_hit};
use crate::trail::{Files, Switches, Wire};

const WARM_WITHIN: Duration = Duration::from_secs(120);
/// They talk for a while before the first fault.
const LEAD: Duration = Duration::from_secs(2);
/// Records reach SQL and the channel behind the answers.
const SETTLES_WITHIN: Duration = Duration::from_secs(45);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub shape: Shape,
    pub faults: u32,
    pub members: usize,
    pub only: Vec<Kind>,
    pub doubts: Map<String, Value>,
    pub place: PathBuf,
}

/// How far a segment is, for the progress line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub landed: u32,
    pub updates: usize,
    pub waiting: usize,
    pub since_ms: i64,
    /// The storm is over.
    pub is_ending: bool,
}

/// What was gathered while it went on.
struct Gathered {
    hands: Hands,
    switches: Switches,
    files: Files,
    wire: Wire,
    status: StatusReader,
    unrest: Vec<Violation>,
}

pub async fn run(plan: &Plan, progress: watch::Sender<Progress>) -> Result<Segment> {
    let (stage, mut daemons) = Stage::set_up(
        &plan.place,
        plan.shape,
        plan.members,
        plan.seed,
        &plan.doubts,
    )
    .await?;
    daemons.ready().await?;
    let status = daemons.status();
    let (orders, keepers) = daemons.keepers();
    let story = story(plan, &stage, orders, status, progress);
    let mut segment = tokio::select! {
        told = story => told?,
        ended = keepers.keep(&mut daemons) => match ended? {},
    };
    let left = stop(daemons).await;
    segment.findings.violations.extend(left);
    if let Some(stage) = Arc::into_inner(stage) {
        stage.sim.shutdown().await;
    }
    Ok(segment)
}

async fn story(
    plan: &Plan,
    stage: &Arc<Stage>,
    orders: Orders,
    status: StatusReader,
    progress: watch::Sender<Progress>,
) -> Result<Segment> {
    let kept = stage.folder.root.join("redis-files");
    let mut gathered = Gathered {
        hands: Hands {
            stage: Arc::clone(stage),
            orders: orders.clone(),
            strikes: Strikes::default(),
        },
        switches: Switches::default(),
        files: Files::keep(stage.redis.files(), kept)?,
        wire: Wire::read(stage.control.clone()),
        status: status.clone(),
        unrest: Vec::new(),
    };
    let follows = tokio::spawn(gathered.switches.clone().follow(status.clone()));
    let mut crowd = Crowd::new(stage.control.clone(), &stage.scene, plan.seed);
    warm_up(&mut crowd, &status, plan.members).await?;
    let begun = Instant::now();
    let before = crowd.told().borrow().updates;
    let raged = {
        let (over, is_over) = watch::channel(false);
        let told = crowd.told();
        let talk = crowd.talk(is_over);
        let rage = rage(plan, &gathered, &over, told, progress);
        let (raged, talked) = tokio::join!(rage, talk);
        talked?;
        raged
    };
    let seconds = begun.elapsed().as_secs_f64();
    if let Err(error) = raged {
        let seen = format!("{error:#}");
        gathered.unrest.push(Violation::of_system(
            Wrong::Unrest,
            "the storm",
            "to its end",
            &seen,
        ));
    }
    let during = crowd.told().borrow().updates - before;
    crowd.finish().await?;
    let judged = conclude(plan, stage, &crowd, &mut gathered).await;
    follows.abort();
    let mut segment = judged?;
    segment.supervisor_exits = orders.exits().await?;
    (segment.seconds, segment.updates_during) = (seconds, during);
    Ok(segment)
}

async fn warm_up(crowd: &mut Crowd, status: &StatusReader, members: usize) -> Result<()> {
    let (over, is_over) = watch::channel(false);
    let mut told = crowd.told();
    let wanted = u64::try_from(members - members / 10)?;
    let warm = async {
        let ready = async {
            told.wait_for(|told| told.is_warm).await?;
            while status.read().await?.least_reach() < wanted {
                sleep(LOOK_AGAIN).await;
            }
            sleep(LEAD).await;
            Ok::<_, anyhow::Error>(())
        };
        let ready = timeout(WARM_WITHIN, ready).await;
        over.send_replace(true);
        ready
            .context("the members did not get all bots started in time")
            .flatten()
    };
    let (warm, talked) = tokio::join!(warm, crowd.talk(is_over));
    talked?;
    warm
}

/// The storm, its progress, and the word that it is over.
async fn rage(
    plan: &Plan,
    gathered: &Gathered,
    over: &watch::Sender<bool>,
    told: watch::Receiver<Told>,
    progress: watch::Sender<Progress>,
) -> Result<()> {
    let storm = Storm::new(
        gathered.hands.clone(),
        gathered.status.clone(),
        gathered.switches.clone(),
        plan.shape,
        plan.seed,
        &plan.only,
    );
    let (landed, mut landings) = mpsc::unbounded_channel();
    let since_ms = unix_ms();
    let before = told.borrow().updates;
    let watches = async {
        let mut so_far = 0;
        let mut ticks = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                Some(count) = landings.recv() => so_far = count,
                _ = ticks.tick() => {}
            }
            let crowd = *told.borrow();
            progress.send_replace(Progress {
                landed: so_far,
                updates: crowd.updates - before,
                waiting: crowd.waiting,
                since_ms,
                is_ending: false,
            });
        }
    };
    let raged = tokio::select! {
        raged = storm.rage(plan.faults, &landed) => raged,
        () = watches => Ok(()),
    };
    over.send_replace(true);
    progress.send_modify(|progress| progress.is_ending = true);
    raged
}

async fn conclude(
    plan: &Plan,
    stage: &Stage,
    crowd: &Crowd,
    gathered: &mut Gathered,
) -> Result<Segment> {
    let submitted = crowd.people.iter().map(|one| one.submitted.len()).sum();
    let (titles, posts) = settled(stage, crowd, submitted).await?;
    let status = last_status(&gathered.status).await?;
    gathered.switches.take(&status);
    caught_up(stage, &gathered.wire).await?;
    let strikes = gathered.hands.strikes.all();
    let (moves, openings) = (gathered.switches.moves(), gathered.switches.openings());
    let (journal, boxes) = gathered.files.read()?;
    let maybe_repeated = status.counter("maybe_repeated");
    let mut findings = judge(&Evidence {
        people: &crowd.people,
        strikes: &with_all_they_hit(&strikes, &gathered.switches.all(), NOTED_MS),
        moves: &moves,
        openings: &openings,
        titles: &titles,
        posts: &posts,
        boxes: &boxes,
        maybe_repeated,
    });
    let all = gathered.switches.all();
    let wire = gathered.wire.judge(&all)?;
    findings.violations.append(&mut gathered.unrest);
    findings.violations.extend(fenced(&journal, &wire));
    let root = &stage.folder.root;
    dossier::write(root, &crowd.people, &strikes, &all, &findings.violations)?;
    let answers = recovery::answers(&crowd.people);
    Ok(Segment {
        seed: plan.seed,
        shape: plan.shape,
        doubts: plan.doubts.clone(),
        members: plan.members,
        seconds: 0.0,
        updates_during: 0,
        faults: strikes.iter().map(|one| (one.kind, one.moment)).collect(),
        overlapping: recovery::overlapping(&strikes, &answers),
        waits: recovery::waits(&crowd.people),
        recoveries: recovery::measure(&strikes, &recovery::questions(&crowd.people), &moves),
        findings,
        commits: journal.commits,
        stale_commits: journal.stale_commits,
        stale_sends: wire.stale_sends.len(),
        maybe_repeated,
        updates_unknown: status.counter("updates_unknown"),
        switches: all.len(),
        flood_waits: wire.flood_waits,
        appendfsync: status.redis.appendfsync.unwrap_or_else(|| "unknown".into()),
        supervisor_exits: Vec::new(),
        folder: plan.place.display().to_string(),
    })
}

/// Titles of the rows, and the posts, once there is one for each submission or it takes too long.
async fn settled(
    stage: &Stage,
    crowd: &Crowd,
    submitted: usize,
) -> Result<(Vec<String>, Vec<Post>)> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    loop {
        let titles = stage.database.titles().await?;
        let posts = stage.control.posts(stage.scene.broadcast).await?;
        let courses = posts
            .iter()
            .filter(|post| post.text.starts_with("New course: "));
        let is_whole = titles.len() >= submitted && courses.count() >= submitted;
        if is_whole || Instant::now() > deadline {
            let posts = posts.iter().map(|post| Post {
                by: Confirmer {
                    bot: post.from,
                    at_ms: crowd.unix_ms(post.at_ms),
                },
                first_line: post.text.lines().next().unwrap_or_default().to_owned(),
            });
            return Ok((titles, posts.collect()));
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Once Redis answers and says how it syncs.
async fn last_status(reader: &StatusReader) -> Result<Status> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    loop {
        let status = reader.read().await;
        let is_whole = status
            .as_ref()
            .is_ok_and(|status| status.redis.appendfsync.is_some());
        if is_whole || Instant::now() > deadline {
            return status;
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn caught_up(stage: &Stage, wire: &Wire) -> Result<()> {
    let last = stage.control.last_event().await?;
    let read = async {
        while wire.read_up_to() < last {
            sleep(LOOK_AGAIN).await;
        }
    };
    // The last entries may be of other kinds; a poll passes them within a second.
    timeout(SETTLES_WITHIN, read)
        .await
        .context("the log could not be read to its end")
}

/// Work of who was fenced.
fn fenced(journal: &JournalFindings, wire: &WireFindings) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |wrong, who: &str, expected: &str, seen: String| {
        found.push(Violation::of_system(wrong, who, expected, &seen));
    };
    if journal.stale_commits > 0 {
        let seen = journal.stale_commits.to_string();
        wrong(
            Wrong::StaleCommit,
            "Redis's file",
            "no commit of who was fenced",
            seen,
        );
    }
    if journal.commits == 0 || journal.signed != journal.commits {
        let seen = format!("{} of {}", journal.signed, journal.commits);
        wrong(
            Wrong::Unrest,
            "Redis's file",
            "commits, each with its epoch",
            seen,
        );
    }
    for send in &wire.stale_sends {
        let expected = "nothing sent by who was fenced";
        wrong(Wrong::StaleSend, "the wire", expected, send.clone());
    }
    if wire.auth_key_duplicated > 0 {
        let seen = wire.auth_key_duplicated.to_string();
        wrong(Wrong::KeyTwice, "a bot", "AUTH_KEY_DUPLICATED never", seen);
    }
    found
}

/// The orderly stop, and what it left.
async fn stop(daemons: Daemons) -> Vec<Violation> {
    let left = daemons.stop().await;
    left.iter()
        .map(|process| {
            let expected = "no process left by an orderly stop";
            Violation::of_system(Wrong::Unrest, "the supervisor", expected, process)
        })
        .collect()
}
