//! The only source of locks, so that a model checker (`--cfg wechat_events_loom`) can replace them.

#[cfg(wechat_events_loom)]
pub(super) use loom::sync::Mutex;
#[cfg(not(wechat_events_loom))]
pub(super) use std::sync::Mutex;
