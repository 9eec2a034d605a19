//! One step while it is being taken: the dialogue as it becomes, and the effects so far.
//!
//! Everything that is said goes through here, so that it holds for every conversation: a prompt has a nonce of its own, its
//! buttons carry the flow, the nonce and the member, in a group the member is addressed and quoted, a text keeps Telegram's
//! bounds, and a press is answered once. What is drawn over the pressed message is a wish: whose message that is, no step can know
//! (`Taken::draw_only`).

use shared_core::{Button, Keyboard, MessageId, PlaceKey, Priority, QueryId};

use crate::bound::{self, clip};
use crate::button::Mark;
use crate::conversations::{Desk, Flow, Input, MessageRef, Prompt, Reply};
use crate::texts::Line;
use crate::{Context, Dialogue, Effect, PressAnswer, To};

/// What is in front of a prompt, at most; the card and the question need the rest of a message.
const LEAD: usize = 800;

pub(crate) struct Turn<'a> {
    pub ctx: &'a Context<'a>,
    pub dialogue: Dialogue,
    pub effects: Vec<Effect>,
    press: Option<Press>,
}

/// The press that this step is about.
struct Press {
    query: QueryId,
    message: MessageRef,
}

impl<'a> Turn<'a> {
    pub fn new(dialogue: &Dialogue, ctx: &'a Context<'a>) -> Self {
        Self {
            ctx,
            dialogue: dialogue.clone(),
            effects: Vec::new(),
            press: None,
        }
    }

    /// The step is about a press: it is answered at the end, if it was not before.
    pub fn pressed(&mut self, query: QueryId, r#box: shared_core::BoxId, message: MessageId) {
        self.press = Some(Press {
            query,
            message: (r#box, message),
        });
    }

    pub fn is_open(&self) -> bool {
        self.dialogue.is_open()
    }

    pub fn text(&self, line: &Line<'_>) -> String {
        self.ctx.texts.fill(line)
    }

    /// Says one of the texts.
    pub fn line(&mut self, line: &Line<'_>) {
        self.say(self.text(line));
    }

    /// Says something that asks for nothing.
    pub fn say(&mut self, text: String) {
        let text = match self.salutation() {
            Some(salutation) => format!("{text}\n{salutation}"),
            None => text,
        };
        self.speak(text, None, Priority::Answer);
    }

    /// Says something beside the conversation that can wait: it leaves behind all answers, and the prompt above it stays alive.
    pub fn aside(&mut self, text: String, keyboard: Option<Keyboard>) {
        self.speak(text, keyboard, Priority::Announcement);
    }

    /// Asks what is to be asked, with something in front of it.
    pub fn prompt(&mut self, lead: Option<String>) {
        if let Some(flow) = &self.dialogue.flow {
            let (tag, prompt) = (flow.tag(), flow.prompt(self.ctx));
            self.ask(
                lead.map(|lead| clip(&lead, LEAD)),
                prompt,
                tag,
                Priority::Answer,
            );
        }
    }

    /// Asks what is to be asked, with what has been said so far in front of it, and this line before that.
    pub fn prompt_with_so_far(&mut self, first: Option<String>, priority: Priority) {
        let Some(flow) = &self.dialogue.flow else {
            return;
        };
        let tag = flow.tag();
        let so_far = flow.so_far(self.ctx);
        let prompt = Prompt {
            card: Vec::new(),
            ..flow.prompt(self.ctx)
        };
        let mut lead: Vec<String> = first.into_iter().collect();
        lead.push(self.text(&Line::SoFar {}));
        if so_far.is_empty() {
            lead.push(self.text(&Line::SoFarNothing {}));
        }
        lead.extend(so_far);
        self.ask(Some(lead.join("\n")), prompt, tag, priority);
    }

    /// Gives an input to the conversation that is open and does what it says.
    pub fn give(&mut self, input: Input<'_>) {
        let Some(flow) = self.dialogue.flow.take() else {
            return;
        };
        let mut desk = Desk {
            ctx: self.ctx,
            files: &mut self.dialogue.files,
        };
        let reaction = flow.take(input, &mut desk);
        self.dialogue.flow = reaction.state;
        self.effects.extend(reaction.also);
        match reaction.reply {
            Reply::Nothing => {}
            Reply::Prompt { lead, settled } => {
                self.prompt(lead);
                if let (Some(text), Some(press)) = (settled, &self.press) {
                    let message = press.message;
                    self.edit(message, text, None);
                }
            }
            Reply::Redraw => self.redraw(),
            Reply::Note(text) => self.note(text),
            Reply::Closing(text) => self.say(text),
        }
    }

    /// Answers a press with a line to be closed.
    pub fn note(&mut self, text: String) {
        match self.press.take() {
            Some(press) => self.effects.push(Effect::AnswerPress(PressAnswer {
                query: press.query,
                text: Some(clip(&text, bound::ANSWER)),
                alert: true,
            })),
            None => self.say(text),
        }
    }

    /// The dialogue and the effects; a press that nobody answered is answered without words.
    pub fn finish(mut self) -> (Dialogue, Vec<Effect>) {
        if let Some(press) = self.press.take() {
            self.effects.push(Effect::AnswerPress(PressAnswer {
                query: press.query,
                text: None,
                alert: false,
            }));
        }
        if self.dialogue.flow.is_none() {
            self.dialogue.speaker = None;
        }
        (self.dialogue, self.effects)
    }

    fn redraw(&mut self) {
        let (Some(flow), Some(press)) = (&self.dialogue.flow, &self.press) else {
            return self.prompt(None);
        };
        let message = press.message;
        let (tag, prompt) = (flow.tag(), flow.prompt(self.ctx));
        let keyboard = self.keyboard(&prompt, tag);
        let text = self.prompt_text(prompt);
        self.edit(message, text, keyboard);
    }

    fn ask(&mut self, lead: Option<String>, prompt: Prompt, tag: &str, priority: Priority) {
        self.dialogue.next_nonce(self.ctx.now);
        let keyboard = self.keyboard(&prompt, tag);
        let prompt = self.prompt_text(prompt);
        let text = match lead {
            Some(lead) => format!("{lead}\n\n{prompt}"),
            None => prompt,
        };
        self.speak(text, keyboard, priority);
    }

    fn prompt_text(&self, prompt: Prompt) -> String {
        let mut lines = vec![prompt.heading];
        lines.extend(self.salutation());
        lines.extend(prompt.card);
        lines.push(prompt.text);
        lines.join("\n")
    }

    fn keyboard(&self, prompt: &Prompt, tag: &str) -> Option<Keyboard> {
        let button = |(label, choice): &(String, String)| {
            let mark = Mark {
                flow: tag,
                nonce: self.dialogue.nonce,
                member: self.ctx.key.member,
                choice,
            };
            let data = mark.to_string();
            debug_assert!(data.len() <= bound::CALLBACK_DATA, "{data} is too long");
            Button::Press {
                text: clip(label, bound::LABEL),
                data,
            }
        };
        let rows = prompt.buttons.iter().filter(|row| !row.is_empty());
        let rows: Vec<Vec<Button>> = rows.map(|row| row.iter().map(button).collect()).collect();
        (!rows.is_empty()).then_some(Keyboard(rows))
    }

    /// In a group, a line that names the member.
    fn salutation(&self) -> Option<String> {
        let speaker = self.dialogue.speaker.as_ref()?;
        Some(self.text(&Line::ForMember {
            name: &speaker.name,
        }))
    }

    fn speak(&mut self, text: String, keyboard: Option<Keyboard>, priority: Priority) {
        let speaker = self.dialogue.speaker.as_ref();
        let quote = match self.ctx.key.place {
            PlaceKey::Private => None,
            PlaceKey::Group(_) => speaker.and_then(|speaker| speaker.message.whole()),
        };
        self.effects.push(Effect::Say {
            text: clip(&text, bound::MESSAGE),
            keyboard,
            to: To::Here,
            priority,
            quote,
        });
    }

    fn edit(&mut self, (r#box, message): MessageRef, text: String, keyboard: Option<Keyboard>) {
        self.effects.push(Effect::EditHere {
            r#box,
            message,
            text: clip(&text, bound::MESSAGE),
            keyboard,
        });
    }
}

impl Turn<'_> {
    /// Opens a conversation; whatever was open before has to be gone.
    pub fn open(&mut self, flow: Flow, lead: Option<String>) {
        self.dialogue.flow = Some(flow);
        self.prompt(lead);
    }
}
