//! What the integration tests share.
pub mod fleet;
pub mod random;
