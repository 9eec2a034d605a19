//! A member who talks with a bot: sends, presses by label, edits, and reads what comes back.
//!
//! Every step that is taken here is held against the crate's invariants, whatever the test is about.

use serde_json::Value;
use shared_core::{
    BotId, BoxId, Button, ChannelId, ConversationKey, Document, Envelope, Incoming, IncomingKind,
    Keyboard, MemberId, MessageId, Place, PlaceKey, PoolId, QueryId, UnixMs,
};

use crate::{
    Catalog, Context, Dialogue, Effect, Event, PressAnswer, RecordDraft, Texts, To, event_of, step,
};

pub const STORAGE: ChannelId = ChannelId(900);
pub const BROADCAST: ChannelId = ChannelId(901);
pub const GROUP: ChannelId = ChannelId(800);
pub const MEMBER: MemberId = MemberId(5);

pub struct Talk {
    pub dialogue: Dialogue,
    pub key: ConversationKey,
    pub bot: BotId,
    pub previous: Option<&'static str>,
    pub catalog: Catalog,
    pub now: UnixMs,
    pub invite_again_ms: u64,
    pub records_full: bool,
    /// The last step was a good moment to invite him.
    pub invites: bool,
    texts: Texts,
    pub effects: Vec<Effect>,
    keyboard: Keyboard,
    next_message: i32,
    next_query: i64,
}

pub fn catalog() -> Catalog {
    Catalog {
        categories: ["Art", "Music", "Science"].map(String::from).to_vec(),
        tags: ["free", "video", "text"].map(String::from).to_vec(),
        max_files: 3,
        max_file_bytes: 5 << 20,
        storage: STORAGE,
        broadcast: Some(BROADCAST),
        remind_after: None,
        told_of_courses: Vec::new(),
    }
}

impl Talk {
    pub fn private() -> Self {
        Self::with(ConversationKey::private(MEMBER))
    }

    pub fn group() -> Self {
        Self::with(ConversationKey::group(GROUP, MEMBER))
    }

    fn with(key: ConversationKey) -> Self {
        Self {
            dialogue: Dialogue::default(),
            key,
            bot: BotId(7),
            previous: None,
            catalog: catalog(),
            now: UnixMs(1000),
            invite_again_ms: 1000,
            records_full: false,
            invites: false,
            texts: Texts::english().unwrap(),
            effects: Vec::new(),
            keyboard: Keyboard::default(),
            next_message: 1,
            next_query: 1,
        }
    }

    /// In private, at a step; the fields before it are filled in.
    pub fn at(step: &str) -> Self {
        let mut talk = Self::private();
        talk.walk_to(step);
        talk
    }

    pub fn walk_to(&mut self, step: &str) {
        self.say("/upload");
        type Pass = fn(&mut Talk);
        let walk: [(&str, Pass); 5] = [
            ("Title", |talk| drop(talk.say("Watercolours"))),
            ("Description", |talk| drop(talk.say("How to paint a sky"))),
            ("Category", |talk| drop(talk.press("Art"))),
            ("Tags", |talk| {
                talk.press("free");
                talk.press("Done");
            }),
            ("Files", |talk| {
                talk.store("sky.pdf");
                talk.press("Done");
            }),
        ];
        for (name, pass) in walk {
            if name == step {
                return;
            }
            pass(self);
        }
        assert_eq!(step, "Review", "there is no such step");
    }

    pub fn r#box(&self) -> BoxId {
        match self.key.place {
            PlaceKey::Private => BoxId::Private(self.bot),
            PlaceKey::Group(channel) => BoxId::Channel(channel),
        }
    }

    pub fn last_message(&self) -> MessageId {
        MessageId(self.next_message - 1)
    }

    pub fn incoming(&self, what: IncomingKind) -> Incoming {
        let place = match self.key.place {
            PlaceKey::Private => Place::Private,
            PlaceKey::Group(channel) => Place::Group(channel),
        };
        Incoming {
            r#box: self.r#box(),
            place,
            member: self.key.member,
            name: "Anna".into(),
            date: UnixMs(1000),
            what,
        }
    }

    pub fn message(&mut self, text: &str, document: Option<Document>) -> IncomingKind {
        self.next_message += 1;
        IncomingKind::Message {
            message: self.last_message(),
            text: text.into(),
            document,
            album: None,
            reply_to: None,
            addressed: true,
        }
    }

    /// What the bot says to this text.
    pub fn say(&mut self, text: &str) -> String {
        let what = self.message(text, None);
        self.happen(what)
    }

    pub fn send_file(&mut self, name: &str, bytes: u64) -> String {
        let what = self.message("", Some(document(name, bytes)));
        self.happen(what)
    }

    pub fn send_album_item(&mut self, name: &str, album: i64) -> String {
        let mut what = self.message("", Some(document(name, 9)));
        if let IncomingKind::Message { album: id, .. } = &mut what {
            *id = Some(album);
        }
        self.happen(what)
    }

    /// Sends a file and lets it arrive in the storage channel.
    pub fn store(&mut self, name: &str) -> String {
        self.send_file(name, 1000);
        let file = self.file_on_its_way();
        self.event(&Event::FileStored {
            file,
            at: MessageId(i32::try_from(file).unwrap() + 500),
        })
    }

    /// The number of the file that the last step sent to the storage channel.
    pub fn file_on_its_way(&self) -> u32 {
        let number = self.effects.iter().find_map(|effect| match effect {
            Effect::StoreFile { file, .. } => Some(*file),
            _ => None,
        });
        number.expect("the last step sent a file to the storage channel")
    }

    /// The names of the files in the course that the last step recorded, if it recorded one.
    pub fn records_files(&self) -> Option<Vec<String>> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Record(RecordDraft::Course { files, .. }) => {
                Some(files.iter().map(|(name, ..)| name.clone()).collect())
            }
            _ => None,
        })
    }

    /// What the last step posted in the broadcast channel.
    pub fn post(&self) -> Option<String> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::Say {
                text,
                to: To::Broadcast(_),
                ..
            } => Some(text.clone()),
            _ => None,
        })
    }

    pub fn edit(&mut self, message: MessageId, text: &str) -> String {
        self.happen(IncomingKind::Edit {
            message,
            text: text.into(),
            edit_date: 77,
        })
    }

    /// The data of a button of the latest keyboard.
    pub fn data(&self, label: &str) -> String {
        let buttons = self.keyboard.0.iter().flatten();
        let data = buttons.filter_map(|button| match button {
            Button::Press { text, data } if text == label => Some(data.clone()),
            _ => None,
        });
        let data: Vec<String> = data.collect();
        assert_eq!(data.len(), 1, "{label} among {:?}", self.labels());
        data[0].clone()
    }

    pub fn labels(&self) -> Vec<String> {
        let buttons = self.keyboard.0.iter().flatten();
        let labels = buttons.map(|button| match button {
            Button::Press { text, .. } | Button::Link { text, .. } => text.clone(),
        });
        labels.collect()
    }

    pub fn press(&mut self, label: &str) -> String {
        let data = self.data(label);
        self.press_data(&data)
    }

    pub fn press_data(&mut self, data: &str) -> String {
        self.next_query += 1;
        self.happen(IncomingKind::Press {
            query: QueryId(self.next_query),
            message: MessageId(400),
            data: data.into(),
        })
    }

    /// What the presser of the last press was told.
    pub fn answer(&self) -> Option<String> {
        let answers = self.effects.iter().filter_map(|effect| match effect {
            Effect::AnswerPress(PressAnswer { text, .. }) => Some(text.clone()),
            _ => None,
        });
        let answers: Vec<_> = answers.collect();
        assert_eq!(answers.len(), 1, "a press is answered once");
        answers[0].clone()
    }

    /// The text and the keyboard of the message that the last step edited.
    pub fn edited(&self) -> Option<(String, Option<Keyboard>)> {
        self.effects.iter().find_map(|effect| match effect {
            Effect::EditHere { text, keyboard, .. } => Some((text.clone(), keyboard.clone())),
            _ => None,
        })
    }

    pub fn happen(&mut self, what: IncomingKind) -> String {
        let incoming = self.incoming(what);
        self.effects.clear();
        match event_of(&incoming, &self.dialogue) {
            Some(event) => self.event(&event),
            None => String::new(),
        }
    }

    /// Takes a step; returns what is said in the chat, empty when nothing is.
    pub fn event(&mut self, event: &Event) -> String {
        let taken = self.in_context(|ctx| step(&self.dialogue, event, ctx));
        assert_eq!(taken.open, taken.dialogue.is_open());
        assert!(
            !taken.invites || (!taken.open && self.key.place == PlaceKey::Private),
            "never in the middle of something, never in a group"
        );
        self.invites = taken.invites;
        self.dialogue = taken.dialogue;
        self.effects = taken.effects;
        check_dialogue(&self.dialogue);
        check_effects(&self.effects, event);
        self.check_record();
        self.read()
    }

    /// What a step in this conversation may look at.
    pub fn in_context<T>(&self, f: impl FnOnce(&Context<'_>) -> T) -> T {
        let pool = PoolId::new("main").unwrap();
        let usernames = ["first_bot", "second_bot", "third_bot"].map(String::from);
        f(&Context {
            pool: &pool,
            me_username: "second_bot",
            previous_username: self.previous,
            pool_usernames: &usernames,
            texts: &self.texts,
            catalog: &self.catalog,
            now: self.now,
            invite_again_ms: self.invite_again_ms,
            records_full: self.records_full,
            key: self.key,
        })
    }

    /// A recorded course has at most as many files as the catalog allows, and its post says if it has none.
    fn check_record(&self) {
        let Some(files) = self.records_files() else {
            return;
        };
        assert!(files.len() <= usize::try_from(self.catalog.max_files).unwrap());
        if let Some(post) = self.post() {
            assert_eq!(files.is_empty(), post.ends_with("\nFiles: none"), "{post}");
        }
    }

    fn read(&mut self) -> String {
        let mut said = Vec::new();
        for effect in &self.effects {
            match effect {
                Effect::Say {
                    text,
                    keyboard,
                    to: To::Here,
                    ..
                } => {
                    self.keyboard = keyboard.clone().unwrap_or_default();
                    said.push(text.clone());
                }
                Effect::EditHere {
                    keyboard: Some(keyboard),
                    ..
                } => self.keyboard = keyboard.clone(),
                _ => {}
            }
        }
        assert!(said.len() <= 1, "one message an input: {said:?}");
        said.pop().unwrap_or_default()
    }

    /// The dialogue as it is stored, without its envelope.
    pub fn json(&self) -> Value {
        serde_json::to_value(&self.dialogue).unwrap()
    }
}

pub fn document(name: &str, bytes: u64) -> Document {
    Document {
        name: name.into(),
        mime: "application/pdf".into(),
        bytes,
    }
}

/// A file is pending at the step Files only; what is stored reads back.
fn check_dialogue(dialogue: &Dialogue) {
    let envelope = Envelope {
        state: dialogue.clone(),
        ..Envelope::default()
    };
    let stored = envelope.encode().unwrap();
    assert_eq!(Envelope::decode(&stored).unwrap(), envelope);

    let json = serde_json::to_value(dialogue).unwrap();
    let upload = &json["o"]["u"];
    let files = upload["f"].as_array().cloned().unwrap_or_default();
    if files.iter().any(|file| file["s"] == "p") {
        assert_eq!(upload["s"], "f", "a file is pending outside of Files");
    }
    assert!(json["o"].is_object() || json["w"].is_null(), "{json}");
}

fn check_effects(effects: &[Effect], event: &Event) {
    assert!(effects.len() <= 6, "{effects:?}");
    let answers = effects
        .iter()
        .filter(|e| matches!(e, Effect::AnswerPress(_)));
    let presses = usize::from(matches!(event, Event::Pressed { .. }));
    assert_eq!(answers.count(), presses, "{effects:?}");
    for effect in effects {
        match effect {
            Effect::Say { text, keyboard, .. } | Effect::EditHere { text, keyboard, .. } => {
                assert!(!text.trim().is_empty());
                assert!(text.encode_utf16().count() <= 4096, "{text}");
                check_keyboard(keyboard.as_ref());
            }
            Effect::AnswerPress(PressAnswer { text, .. }) => {
                let units = text.as_ref().map_or(0, |text| text.encode_utf16().count());
                assert!(units <= 200);
            }
            Effect::StoreFile { to, .. } => assert_eq!(*to, STORAGE),
            Effect::Record(_) => {}
            Effect::Tell { to, .. } => assert!(!to.is_empty()),
        }
    }
}

fn check_keyboard(keyboard: Option<&Keyboard>) {
    let Some(Keyboard(rows)) = keyboard else {
        return;
    };
    assert!(!rows.is_empty() && rows.iter().all(|row| !row.is_empty()));
    for button in rows.iter().flatten() {
        match button {
            Button::Press { text, data } => {
                assert!(!text.is_empty());
                assert!((1..=64).contains(&data.len()), "{data}");
            }
            Button::Link { text, url } => {
                assert!(!text.is_empty());
                assert!(url.starts_with("https://t.me/"), "{url}");
            }
        }
    }
}
