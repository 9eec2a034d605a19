//! Which auth key a login that is made gets. Production makes one by a key exchange; a data centre that hands keys out (the sandbox's)
//! has them in the configuration.
//!
//! The next key in a circle behind the slot's own, so that each is used once before any is used again; never the one that the other
//! slot has. A key that got a 401 can log in again, one that got a 406 is dead for good and costs an attempt, after which the
//! circle goes on.

use shared_core::AuthKey;

/// `None`: one has to be made.
pub fn next(preset: &[AuthKey], own: Option<&AuthKey>, other: Option<&AuthKey>) -> Option<AuthKey> {
    let is = |one: &AuthKey, other: Option<&AuthKey>| {
        other.is_some_and(|other| one.expose() == other.expose())
    };
    let begin = preset
        .iter()
        .position(|key| is(key, own))
        .map_or(0, |at| at + 1);
    let (before, behind) = preset.split_at(begin.min(preset.len()));
    let mut circle = behind.iter().chain(before);
    circle.find(|key| !is(key, other)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(of: u8) -> AuthKey {
        AuthKey::new([of; 256])
    }

    fn chosen(own: Option<u8>, other: Option<u8>) -> Option<u8> {
        let preset = [key(1), key(2), key(3)];
        let next = next(&preset, own.map(key).as_ref(), other.map(key).as_ref());
        next.map(|key| key.expose()[0])
    }

    #[test]
    fn each_is_used_before_any_is_used_again() {
        assert_eq!(chosen(None, None), Some(1));
        assert_eq!(chosen(None, Some(1)), Some(2));
        assert_eq!(chosen(Some(2), Some(1)), Some(3));
        assert_eq!(chosen(Some(3), Some(1)), Some(2));
        assert_eq!(chosen(Some(1), Some(2)), Some(3));
        assert_eq!(chosen(Some(3), Some(2)), Some(1));
    }

    #[test]
    fn with_one_key_it_is_ones_own_or_none() {
        let preset = [key(1)];
        assert!(next(&preset, Some(&key(1)), None).is_some());
        assert!(next(&preset, None, Some(&key(1))).is_none());
        assert!(next(&[], None, None).is_none());
    }
}
