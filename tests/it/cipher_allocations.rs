//! Allocations of the envelope and of a whole push in safe mode, counted exactly.

use std::hint::black_box;

use allocation_counter::measure;
use wechat_events::cipher::{EncodingAesKey, open, seal, seal_with};
use wechat_events::event::Text;
use wechat_events::{Endpoint, Event, Handler, HandlerResult, Received, Reply};

use crate::wire::{query, sign};

const APP_ID: &str = "wxb11529c136998cb6";

fn key() -> EncodingAesKey {
    EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap()
}

/// The number of allocations of some work, and its result.
fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let counted = measure(|| result = Some(black_box(work())));
    (counted.count_total, result.unwrap())
}

#[test]
fn open_allocates_once_and_the_message_is_taken_out_without_another() {
    let key = key();
    for length in [0, 1, 400, 2048, 65536] {
        let message = vec![b'm'; length];
        let encrypt = seal(&key, APP_ID, &message).unwrap();
        let (count, opened) = allocations(|| open(&key, APP_ID, &encrypt).unwrap());
        assert_eq!(count, 1, "message of {length} bytes");
        let (count, taken) = allocations(|| opened.into_message());
        assert_eq!((count, taken), (0, message));
    }
}

#[test]
fn seal_allocates_twice_the_plaintext_and_its_text() {
    let key = key();
    seal(&key, APP_ID, b"").unwrap(); // the first draw may look for the system's source
    for length in [0, 1, 400, 2048, 65536] {
        let message = vec![b'm'; length];
        assert_eq!(allocations(|| seal(&key, APP_ID, &message).unwrap()).0, 2, "message of {length} bytes");
        assert_eq!(allocations(|| seal_with(&key, APP_ID, &message, [0; 16]).unwrap()).0, 2);
    }
}

#[test]
fn refusing_a_wrong_key_allocates_the_plaintext_only() {
    let other = EncodingAesKey::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap();
    let encrypt = seal_with(&key(), APP_ID, &[b'm'; 400], [0; 16]).unwrap();
    assert_eq!(allocations(|| open(&other, APP_ID, &encrypt).unwrap_err()).0, 1);
}

struct Echo;

impl Handler for Echo {
    fn text(&self, _: &Event<'_>, text: &Text<'_>) -> HandlerResult {
        Ok(Reply::text(&*text.content))
    }
}

#[test]
fn a_sealed_push_is_received_with_one_allocation_and_answered_with_five() {
    const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    let endpoint = Endpoint::safe("token", APP_ID, KEY).unwrap();
    let push = include_bytes!("../pushes/text.xml");
    let encrypt = seal_with(&key(), APP_ID, push, [7; 16]).unwrap();
    let msg_signature = sign(&["token", "1714037059", "486452656", &encrypt]);
    let query = format!("{}&encrypt_type=aes&msg_signature={msg_signature}", query("token", "1714037059", "486452656"));
    let body = format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>");

    let receive = || match endpoint.receive("POST", &query, body.as_bytes(), 1) {
        Ok(Received::Push(push)) => push,
        other => panic!("{other:?}"),
    };
    let (count, received) = allocations(receive);
    assert_eq!(count, 1, "the plaintext");
    let (count, event) = allocations(|| received.event().unwrap());
    assert_eq!(count, 0, "the event borrows from it");
    let (count, reply) = allocations(|| event.dispatch(&Echo).unwrap());
    assert_eq!(count, 1, "the handler's text");
    let (count, _) = allocations(|| received.respond(&event, &reply, 1_714_037_060));
    assert_eq!(count, 4, "the reply, its plaintext, its ciphertext in base64, the envelope");
    drop(event);
    let (count, _) = allocations(|| endpoint.respond("POST", &query, body.as_bytes(), 1, &Echo));
    assert_eq!(count, 6, "all of it");
}
