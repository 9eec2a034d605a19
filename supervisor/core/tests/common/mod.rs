//! What the integration tests share.
pub mod drive;
pub mod fleet;
pub mod random;
