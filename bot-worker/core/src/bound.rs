//! Telegram's bounds on texts, and cutting to them.
//!
//! Telegram counts UTF-16 units (an emoji is two), so that is what is counted here; what a member is told about his own
//! title is counted in characters. Source: `messages.sendMessage` and `messages.setBotCallbackAnswer` (MESSAGE_TOO_LONG at 4096,
//! answers at 200), the Bot API's `InlineKeyboardButton` (data at most 64 bytes).

/// A message.
pub const MESSAGE: usize = 4096;
/// The little text that answers a press.
pub const ANSWER: usize = 200;
/// A button's callback data, in bytes.
pub const CALLBACK_DATA: usize = 64;
/// A button's label; Telegram allows more, no phone shows it.
pub const LABEL: usize = 64;

const ELLIPSIS: char = '…';

/// The text itself, or as much of it as fits, with an ellipsis in place of the rest.
pub fn clip(text: &str, units: usize) -> String {
    if text.encode_utf16().count() <= units {
        return text.to_owned();
    }
    let mut left = units.saturating_sub(ELLIPSIS.len_utf16());
    let mut cut = String::new();
    for c in text.chars() {
        match left.checked_sub(c.len_utf16()) {
            Some(rest) => left = rest,
            None => break,
        }
        cut.push(c);
    }
    cut.push(ELLIPSIS);
    cut
}

/// All whitespace, line breaks too, becomes single spaces: what must stand in one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_as_telegram_does() {
        assert_eq!(clip("abcd", 4), "abcd");
        assert_eq!(clip("abcde", 4), "abc…");
        assert_eq!(clip("🎓🎓🎓", 6), "🎓🎓🎓");
        assert_eq!(clip("🎓🎓🎓", 5), "🎓🎓…");
        assert_eq!(clip("🎓🎓🎓", 4), "🎓…");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("  a\n\n b\tc "), "a b c");
    }
}
