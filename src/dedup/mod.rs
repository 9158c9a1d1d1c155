//! De-duplication: the key of a push, a memory of keys, and the stores in which deliveries of a push meet.

mod memory;
#[cfg(feature = "redis")]
mod redis;
mod seen;
pub mod store;
mod sync;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use crate::event::Event;
use crate::fields::{Fields, Limits, Nodes, Path};

pub use seen::Dedup;

/// The key shared by all deliveries of one push: a digest of its decrypted bytes, or of the payment's identifiers.
///
/// XXH3-128 of the whole body with seed 0, as 16 big-endian bytes: the same on every machine and in every version of
/// this crate, so that machines can share a store. The text of the root's `Encrypt`, which compatible mode puts beside
/// the fields in the clear, is left out, because it is encrypted anew for each delivery. This works if the body is
/// within the default [limits](crate::Limits), and the text is written as it is, or with `\/` for its slashes. MsgId
/// alone is not unique across users, and FromUserName with CreateTime is not unique at all; see
/// [`of_sender`](DedupKey::of_sender).
///
/// The digest is neither secret nor authenticated. Someone who can make WeChat push chosen bytes could find two bodies
/// with one key, and would only make their own second message be taken for a retry.
///
/// ```
/// use wechat_events::DedupKey;
///
/// assert_eq!(DedupKey::of_body(b"<xml/>").to_string(), "d715ddea725819418a335b54829c1beb");
/// ```
#[doc(alias("排重", "去重"))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DedupKey([u8; 16]);

impl DedupKey {
    /// The key of a push, from its plaintext bytes.
    ///
    /// Not for payments, whose bytes count the deliveries: see [`Event::dedup_key`].
    ///
    /// ```
    /// # use wechat_events::{DedupKey, parse_event};
    /// let body = b"<xml><MsgType>text</MsgType><Content>hi</Content></xml>";
    /// assert_eq!(DedupKey::of_body(body), parse_event(body)?.dedup_key());
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn of_body(body: &[u8]) -> DedupKey {
        let digest = match sealed_part(body) {
            None => xxh3_128(body),
            Some((before, behind)) => {
                let mut digest = Xxh3Default::new();
                digest.update(before);
                digest.update(behind);
                digest.digest128()
            }
        };
        DedupKey(digest.to_be_bytes())
    }

    /// The key from FromUserName and CreateTime, as WeChat's pages advise for events.
    ///
    /// It confuses different pushes: an automatic LOCATION in the same second as a CLICK or VIEW, card pushes in a
    /// batch, all pushes of a system sender such as `mphelper`, a double tap, and equal users of two accounts. Use it
    /// only to share keys with a system that follows this rule.
    ///
    /// XXH3-128, as above, of FromUserName, a zero byte, and CreateTime in decimal. FromUserName may contain a zero
    /// byte too: the last one is the separator, since a number has none.
    ///
    /// ```
    /// # use wechat_events::{DedupKey, parse_event};
    /// let click = b"<xml><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime><MsgType>event</MsgType>\
    ///               <Event>CLICK</Event><EventKey>a</EventKey></xml>";
    /// let view = b"<xml><FromUserName>o_1</FromUserName><CreateTime>7</CreateTime><MsgType>event</MsgType>\
    ///              <Event>VIEW</Event><EventKey>b</EventKey></xml>";
    /// let (click, view) = (parse_event(click)?, parse_event(view)?);
    /// assert_eq!(DedupKey::of_sender(&click), DedupKey::of_sender(&view));
    /// assert_ne!(click.dedup_key(), view.dedup_key());
    /// # Ok::<(), wechat_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn of_sender(event: &Event<'_>) -> DedupKey {
        // Not `of_body`, which leaves out `Encrypt` from what looks like a push.
        DedupKey(xxh3_128(format!("{}\0{}", event.from_user, event.create_time).as_bytes()).to_be_bytes())
    }

    /// The digest of bytes that are not a body.
    pub(crate) fn of_bytes(bytes: &[u8]) -> DedupKey {
        DedupKey(xxh3_128(bytes).to_be_bytes())
    }

    /// Restores a key from its bytes, as read from a store.
    ///
    /// ```
    /// # use wechat_events::DedupKey;
    /// let key = DedupKey::of_body(b"<xml/>");
    /// assert_eq!(DedupKey::from_bytes(*key.as_bytes()), key);
    /// ```
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> DedupKey {
        DedupKey(bytes)
    }

    /// The bytes of the key, to write to a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The body before and after the text of the root's `Encrypt`.
fn sealed_part(body: &[u8]) -> Option<(&[u8], &[u8])> {
    static NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new("Encrypt"));
    NAME.find(body)?;
    let mut nodes = Nodes::new();
    let fields = Fields::read(body, &Limits::default(), &mut nodes).ok()?;
    let encrypt = fields.root().first(const { Path::new("Encrypt") })?.text();
    // Its sender could not have put it anywhere else, as it was not known before. Some JSON writers escape slashes.
    [&*encrypt, &encrypt.replace('/', "\\/")].into_iter().find_map(|encrypt| {
        let at = memmem::find(body, encrypt.as_bytes())?;
        Some((body.get(..at)?, body.get(at + encrypt.len()..)?))
    })
}

/// As one number, for which hashers need a fraction of the time that they need for bytes.
impl Hash for DedupKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for DedupKey {
    type Err = DedupKeyError;

    /// Parses the output of [`Display`](fmt::Display).
    ///
    /// # Errors
    /// `"d7"`, `"d715ddea725819418a335b54829c1bex"`: not 32 digits, or not hexadecimal.
    ///
    /// ```
    /// use wechat_events::DedupKey;
    ///
    /// let key = DedupKey::of_body(b"<xml/>");
    /// assert_eq!("d715ddea725819418a335b54829c1beb".parse(), Ok(key));
    /// let error = "d7".parse::<DedupKey>().unwrap_err();
    /// assert_eq!(error.to_string(), "a key is 32 hexadecimal digits: Invalid string length");
    /// ```
    fn from_str(text: &str) -> Result<DedupKey, DedupKeyError> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(DedupKeyError)?;
        Ok(DedupKey(bytes))
    }
}

/// The text is not a [`DedupKey`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a key is 32 hexadecimal digits: {0}")]
pub struct DedupKeyError(hex::FromHexError);

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupKey({self})")
    }
}
