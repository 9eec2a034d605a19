//! Access hashes, file references and other numbers that must look random, differ per account, and stay the same for
//! as long as the world lives. They are derived, never stored: (secret, what, whose, of whom) -> number.
//! Not cryptography: nobody attacks a simulator, but nobody can guess a hash by accident either.

use super::ids::{ChannelId, UserId};

/// What a derived number is for; keeps the domains apart.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    User = 1,
    Channel = 2,
    File = 3,
    FileReference = 4,
    ChatInstance = 5,
    Content = 6,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Hashes {
    secret: u64,
}

impl Hashes {
    pub fn new(secret: u64) -> Self {
        Self { secret }
    }

    /// How `viewer` has to address this user.
    pub fn user(self, viewer: UserId, user: UserId) -> i64 {
        self.derive(Purpose::User, viewer.0, user.0)
    }

    pub fn channel(self, viewer: UserId, channel: ChannelId) -> i64 {
        self.derive(Purpose::Channel, viewer.0, channel.0)
    }

    pub fn file(self, viewer: UserId, file: i64) -> i64 {
        self.derive(Purpose::File, viewer.0, file)
    }

    pub fn file_reference(self, viewer: UserId, file: i64) -> Vec<u8> {
        let number = self.derive(Purpose::FileReference, viewer.0, file);
        [&[1_u8][..], &number.to_be_bytes()].concat()
    }

    pub fn chat_instance(self, bot: UserId, chat: i64) -> i64 {
        self.derive(Purpose::ChatInstance, bot.0, chat)
    }

    /// Eight bytes of a generated file.
    pub fn content(file: i64, block: u64) -> [u8; 8] {
        mix(mix(file as u64 ^ Purpose::Content as u64) ^ block).to_le_bytes()
    }

    fn derive(self, purpose: Purpose, one: i64, other: i64) -> i64 {
        let number = mix(mix(mix(self.secret ^ purpose as u64) ^ one as u64) ^ other as u64) as i64;
        // 0 means "I have no hash" on the wire.
        if number == 0 { 1 } else { number }
    }
}

/// One round of splitmix64 (Steele, Lea, Flood 2014).
fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_belongs_to_one_account_and_one_world() {
        let (a, b) = (UserId(1), UserId(2));
        let member = UserId(3);
        let hashes = Hashes::new(7);
        assert_eq!(hashes.user(a, member), Hashes::new(7).user(a, member));
        assert_ne!(hashes.user(a, member), hashes.user(b, member));
        assert_ne!(hashes.user(a, member), Hashes::new(8).user(a, member));
        assert_ne!(hashes.user(a, member), hashes.channel(a, ChannelId(3)));
        assert_ne!(hashes.file_reference(a, 5), hashes.file_reference(b, 5));
    }
}
