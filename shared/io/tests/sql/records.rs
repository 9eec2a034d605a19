//! Courses, switches, decisions, events and channels: written once, read back as they were.

use serde_json::json;
use shared_core::{
    BotId, ChannelId, EntryId, MessageId, Nonce, PoolId, Record, SwitchId, UnixMs, WorkerId,
};
use shared_io::config::{ChannelRole, Right};
use shared_io::sql::{
    ChannelRow, Course, Decision, Event, EventKind, SwitchKind, SwitchOutcome, SwitchRow, Timeline,
};

use super::support::{Data, course, leads, pool};

pub async fn a_record_that_comes_twice_is_there_once_as_it_came_first(data: Data) {
    let (one, two) = (data.open().await, data.open().await);
    let mut tasks = tokio::task::JoinSet::new();
    for (at, store) in [&one, &two].into_iter().cycle().take(16).enumerate() {
        let store = store.clone();
        tasks.spawn(async move {
            store
                .courses()
                .record(&pool(), &course(1, &format!("take {at}")))
                .await
                .unwrap()
        });
    }
    let firsts = tasks
        .join_all()
        .await
        .into_iter()
        .filter(|first| *first)
        .count();
    assert_eq!(firsts, 1);
    let stored = two.courses().get(EntryId([1; 16])).await.unwrap().unwrap();
    assert!(
        !two.courses()
            .record(&pool(), &course(1, "later"))
            .await
            .unwrap()
    );
    assert_eq!(
        one.courses().get(EntryId([1; 16])).await.unwrap(),
        Some(stored.clone())
    );
    let Record::Course {
        id,
        member,
        conversation,
        description,
        category,
        tags,
        files,
        submitted,
        ..
    } = course(1, "")
    else {
        panic!("a course is a course");
    };
    let title = stored.title.clone();
    assert!(title.starts_with("take "));
    assert_eq!(
        stored,
        Course {
            id,
            pool: pool(),
            member,
            conversation,
            title,
            description,
            category,
            tags,
            files,
            submitted
        }
    );
}

pub async fn courses_are_listed_in_order_with_their_files(data: Data) {
    let store = data.open().await;
    for id in [3, 1, 2] {
        assert!(
            store
                .courses()
                .record(&pool(), &course(id, &format!("title {id}")))
                .await
                .unwrap()
        );
    }
    let titles = |courses: Vec<Course>| {
        courses
            .into_iter()
            .map(|course| course.title)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        titles(store.courses().list(&pool(), 0, 2).await.unwrap()),
        ["title 1", "title 2"]
    );
    let last = store.courses().list(&pool(), 2, 10).await.unwrap();
    assert_eq!(
        last[0].files[0],
        ("one.pdf".to_owned(), 5_000_000_000, MessageId(41))
    );
    assert_eq!(titles(last), ["title 3"]);
    assert_eq!(store.courses().count(&pool()).await.unwrap(), 3);
    assert_eq!(
        store
            .courses()
            .count(&PoolId::new("other").unwrap())
            .await
            .unwrap(),
        0
    );
}

pub async fn what_no_database_can_hold_is_replaced_and_the_record_is_kept(data: Data) {
    let store = data.open().await;
    assert!(
        store
            .courses()
            .record(&pool(), &course(1, "zero\0inside"))
            .await
            .unwrap()
    );
    let stored = store.courses().get(EntryId([1; 16])).await.unwrap();
    assert_eq!(stored.unwrap().title, "zero\u{FFFD}inside");
}

pub async fn a_switch_is_written_when_members_are_served_and_again_when_it_is_complete(data: Data) {
    let store = data.open().await;
    leads(&store, "s#1").await;
    let mut row = SwitchRow {
        id: SwitchId([4; 8]),
        pool: pool(),
        kind: SwitchKind::Switch,
        from_bot: Some(BotId(7)),
        to_bot: Some(BotId(8)),
        from_worker: None,
        to_worker: Some(WorkerId::new("w2").unwrap()),
        cause: "b7: ACCESS_TOKEN_EXPIRED".into(),
        timeline: Timeline {
            detected_at: Some(UnixMs(10)),
            ..Timeline::default()
        },
        outcome: SwitchOutcome::Done,
        started: UnixMs(10),
        finished: None,
    };
    assert!(store.switches().put(&row, "s#1").await.unwrap());
    row.timeline.first_reply_at = Some(UnixMs(450));
    row.finished = Some(UnixMs(460));
    assert!(store.switches().put(&row, "s#1").await.unwrap());
    let less = SwitchRow {
        timeline: Timeline::default(),
        ..row.clone()
    };
    let by_another = store.switches().put(&less, "s#0").await.unwrap();
    assert!(!by_another, "who does not lead changes nothing");
    assert_eq!(
        store.switches().get(row.id).await.unwrap(),
        Some(row.clone())
    );
    let earlier = SwitchRow {
        id: SwitchId([9; 8]),
        kind: SwitchKind::First,
        from_bot: None,
        started: UnixMs(1),
        ..row.clone()
    };
    let first_said = store.switches().put(&earlier, "s#0").await.unwrap();
    assert!(first_said, "that it took place stays true");
    assert_eq!(
        store.switches().list(&pool(), 10).await.unwrap(),
        [row.clone(), earlier]
    );
    assert_eq!(store.switches().list(&pool(), 1).await.unwrap(), [row]);
}

pub async fn channels_decisions_and_events_read_back_as_they_were_written(data: Data) {
    let store = data.open().await;
    let channel = ChannelRow {
        pool: pool(),
        channel: ChannelId(500),
        role: ChannelRole::Storage,
        rights: vec![Right::PostMessages, Right::PinMessages],
        title: Some("files".into()),
        added: UnixMs(1),
        retired: None,
    };
    store.channels().put(&channel).await.unwrap();
    store
        .channels()
        .put(&ChannelRow {
            title: None,
            added: UnixMs(2),
            ..channel.clone()
        })
        .await
        .unwrap();
    assert_eq!(store.channels().list(&pool()).await.unwrap(), [channel]);

    let decision = |id, at| Decision {
        id: Nonce([id; 8]),
        pool: pool(),
        at: UnixMs(at),
        plan: json!({"switch": {"from": 7, "to": 8}}),
        reasons: vec!["b7 is dead".into(), "b8 is ready".into()],
    };
    for (id, at) in [(1, 5), (2, 9), (1, 77)] {
        store.decisions().add(&decision(id, at)).await.unwrap();
    }
    assert_eq!(
        store.decisions().list(&pool(), 10).await.unwrap(),
        [decision(2, 9), decision(1, 5)]
    );

    let event = |id, pool| Event {
        id: Nonce([id; 8]),
        pool,
        at: UnixMs(i64::from(id)),
        kind: EventKind::WorkerDied,
        subject: "w1".into(),
        details: json!({"pid": 12}),
    };
    store.events().add(&event(1, None)).await.unwrap();
    store.events().add(&event(2, Some(pool()))).await.unwrap();
    assert_eq!(
        store.events().list(None, 10).await.unwrap(),
        [event(1, None)]
    );
    assert_eq!(
        store.events().list(Some(&pool()), 10).await.unwrap(),
        [event(2, Some(pool()))]
    );
}
