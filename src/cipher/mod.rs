//! The AES envelope around pushes and replies: [`open`] decrypts and [`seal`] encrypts.
//!
//! The contents of `Encrypt`, decoded and decrypted:
//!
//! ```text
//! ┌──────────┬──────────────┬──────────────┬────────┬──────────────────────┐
//! │ random   │ length       │ message      │ app id │ padding              │
//! │ 16 bytes │ 4, big-endian│ length bytes │ the    │ n bytes of value n,  │
//! │          │              │              │ rest   │ 1 ≤ n ≤ 32           │
//! └──────────┴──────────────┴──────────────┴────────┴──────────────────────┘
//!      ▲ base64, then AES-256-CBC under the key, IV = its first 16 bytes
//! ```
//!
//! WeChat ignores the first 16 bytes. [`seal`] draws eight at random and derives the other eight from them with the
//! key, as a mark for [`Opened::was_sealed_here`].
//!
//! The padding is PKCS#7 over **32** bytes, twice AES's block size: standard AES unpadding refuses half of all real
//! pushes. [Official page][page], [technical plan][plan].
//!
//! # What this does not do
//!
//! CBC encrypts but does not authenticate: anyone who can change `Encrypt` can change the message. `msg_signature`
//! authenticates it: verify it **before** calling `open`, and give the network the same answer to every [`OpenError`].
//! [`Endpoint::safe`](crate::Endpoint::safe) does both, and [says why](crate::Endpoint#why-there-is-no-padding-oracle).
//! Use this module if the envelope is all you need.
//!
//! # Example: the official sample
//!
//! ```
//! use wechat_events::cipher::{EncodingAesKey, open, seal_with};
//!
//! let key = EncodingAesKey::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")?;
//! let app_id = "wxba5fad812f8e6fb9";
//! let encrypt = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==";
//!
//! let opened = open(&key, app_id, encrypt)?;
//! assert_eq!(opened.message(), br#"{"demo_resp":"good luck"}"#);
//! assert_eq!(seal_with(&key, app_id, opened.message(), *b"707722b803182950")?, encrypt);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [page]: https://developers.weixin.qq.com/doc/service/guide/dev/push/encryption.html
//! [plan]: https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/api/Before_Develop/Technical_Plan.html

mod error;

use std::cell::RefCell;
use std::fmt;
use std::hint::black_box;
use std::str::FromStr;

use aes::Aes256;
use aes::cipher::{Array, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, Key, KeyInit};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::{DecodeError, Engine, alphabet};

use crate::shown;
pub use error::{KeyError, OpenError, SealError};

/// Number of bytes in front. WeChat ignores them; they make equal messages look different although the IV is fixed.
const RANDOM: usize = 16;
/// Number of random bytes among them: two in 2³² messages may have the same.
const DRAW: usize = 8;
/// Joined with the random bytes into the block that the mark is made from, so that CBC does not encrypt that block
/// except by chance.
const MARK: u128 = 0x7365_616C_6564;
/// Number of messages for which a thread draws random bytes at once. With a system call for each message, handling a
/// push in safe mode takes 1.13 times as long: no other avoidable cost is as high.
const DRAWN: usize = 16;
/// Number of bytes in front of the message: random bytes and length.
const HEAD: usize = RANDOM + size_of::<u32>();
/// The padding's block size in bytes, set by WeChat; AES has 16.
const PADDING_BLOCK: u8 = 32;

/// Decrypts `Encrypt` and checks its contents.
///
/// `encrypt` is standard base64 with its `=`; white space around it is ignored. `app_id` is the account's own, or for a
/// third-party platform the component's. Allocates once, for the plaintext, and decrypts in place.
///
/// A ciphertext of 48, 80, 112 … bytes is accepted, as by Tencent's sample code: WeChat never writes one, but some test
/// tools pad to AES's own block, and a check of the length would refuse every second message of theirs.
///
/// # Errors
///
/// - not base64: a foreign character ([`Base64Character`](OpenError::Base64Character)), cut short
///   ([`Base64Cut`](OpenError::Base64Cut)), or a last character that no encoder writes, refused so that one ciphertext
///   has one text ([`Base64StrayBits`](OpenError::Base64StrayBits));
/// - shorter than any envelope, or not whole AES blocks: [`BlockLength`](OpenError::BlockLength);
/// - decrypted without valid padding: [`Padding`](OpenError::Padding), nearly always a wrong key;
/// - too short for the head, or a length that points beyond the end: [`TooShort`](OpenError::TooShort),
///   [`MessageLength`](OpenError::MessageLength);
/// - encrypted for another account: [`AppId`](OpenError::AppId).
///
/// # Example: a wrong app id is named
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, open, seal};
///
/// let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
/// let encrypt = seal(&key, "wxb11529c136998cb6", b"<xml/>")?;
/// assert_eq!(open(&key, "wxb11529c136998cb6", &encrypt)?.message(), b"<xml/>");
///
/// let error = open(&key, "wxba5fad812f8e6fb9", &encrypt).unwrap_err();
/// assert_eq!(error.to_string(), "encrypted for app id `wxb11529c136998cb6`, but `wxba5fad812f8e6fb9` is configured");
/// assert_eq!(error.number(), -40005);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("消息解密"))]
pub fn open(key: &EncodingAesKey, app_id: &str, encrypt: &str) -> Result<Opened, OpenError> {
    let text = encrypt.trim_ascii();
    let mut buffer = envelope_base64().decode(text).map_err(|error| base64_fault(encrypt, text, &error))?;
    let bytes = buffer.len();
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut buffer);
    if bytes < usize::from(PADDING_BLOCK) || !rest.is_empty() {
        return Err(OpenError::BlockLength { bytes });
    }
    cbc::Decryptor::inner_iv_init(&key.aes, &key.iv).decrypt_blocks(blocks);

    let unpadded = unpadded(&buffer).ok_or(OpenError::Padding)?;
    let Some((length, rest)) = unpadded.get(RANDOM..).and_then(<[u8]>::split_first_chunk) else {
        return Err(OpenError::TooShort { bytes: unpadded.len() });
    };
    let declared = u32::from_be_bytes(*length);
    let parts = usize::try_from(declared).ok().and_then(|length| rest.split_at_checked(length));
    let Some((message, sealed_for)) = parts else {
        return Err(OpenError::MessageLength { declared, available: rest.len() });
    };
    if sealed_for != app_id.as_bytes() {
        let found = shown::word(&String::from_utf8_lossy(sealed_for));
        return Err(OpenError::AppId { found, configured: app_id.to_owned() });
    }
    let end = HEAD + message.len();
    buffer.truncate(end);
    Ok(Opened { buffer })
}

/// Encrypts a message into the base64 text of `Encrypt`.
///
/// Uses 8 random bytes from the operating system, which each thread draws for 16 messages at a time. After a `fork`, or
/// on two machines started from one snapshot of a running one, up to 16 messages of a thread therefore begin alike:
/// anyone who reads the traffic sees which of these are equal. Allocates twice: the plaintext, encrypted in place, and
/// its text.
///
/// The result is [marked](Opened::was_sealed_here) as a reply. To encrypt as WeChat does, in a test, use [`seal_with`]
/// or `testing::WeChat`.
///
/// # Errors
///
/// - no random bytes available: [`SealError::NoRandomBytes`];
/// - a message of 4 GiB or more: [`SealError::TooLong`].
///
/// # Example: equal messages do not look equal
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, open, seal};
///
/// let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
/// let [one, two] = [seal(&key, "wx0", b"hello")?, seal(&key, "wx0", b"hello")?];
/// assert_ne!(one, two);
/// assert_eq!(open(&key, "wx0", &one)?.message(), open(&key, "wx0", &two)?.message());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("消息加密"))]
pub fn seal(key: &EncodingAesKey, app_id: &str, message: &[u8]) -> Result<String, SealError> {
    let random = random().map_err(|error| SealError::NoRandomBytes { reason: error.to_string() })?;
    seal_with(key, app_id, message, key.marked(random))
}

/// Random bytes for one message.
fn random() -> Result<[u8; DRAW], getrandom::Error> {
    struct Drawn {
        random: [[u8; DRAW]; DRAWN],
        used: usize,
    }
    thread_local! {
        static OF_THREAD: RefCell<Drawn> = const { RefCell::new(Drawn { random: [[0; DRAW]; DRAWN], used: DRAWN }) };
    }
    OF_THREAD.with_borrow_mut(|drawn| {
        loop {
            if let Some(random) = drawn.random.get(drawn.used) {
                drawn.used += 1;
                return Ok(*random);
            }
            getrandom::fill(drawn.random.as_flattened_mut())?;
            drawn.used = 0;
        }
    })
}

/// [`seal`] with the given bytes in front and without a mark: for test vectors, and to encrypt as WeChat does.
///
/// The IV is the same for all messages under a key, so only these bytes keep equal replies from looking equal. A
/// constant outside a test reveals which replies are equal.
///
/// # Errors
///
/// A message of 4 GiB or more: [`SealError::TooLong`].
///
/// # Example: a vector
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, seal_with};
///
/// let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
/// assert_eq!(
///     seal_with(&key, "wxb11529c136998cb6", "我是中文abcd123".as_bytes(), *b"aaaabbbbccccdddd")?,
///     "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg==",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn seal_with(
    key: &EncodingAesKey,
    app_id: &str,
    message: &[u8],
    random: [u8; RANDOM],
) -> Result<String, SealError> {
    let length = u32::try_from(message.len()).map_err(|_| SealError::TooLong { bytes: message.len() })?;
    let unpadded = HEAD + message.len() + app_id.len();
    let [low, ..] = unpadded.to_le_bytes();
    let padding = PADDING_BLOCK - low % PADDING_BLOCK;
    let padded = unpadded + usize::from(padding);

    let mut buffer = Vec::with_capacity(padded);
    buffer.extend_from_slice(&random);
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(message);
    buffer.extend_from_slice(app_id.as_bytes());
    buffer.resize(padded, padding);

    let (blocks, _) = Array::slice_as_chunks_mut(&mut buffer);
    cbc::Encryptor::inner_iv_init(&key.aes, &key.iv).encrypt_blocks(blocks);
    Ok(envelope_base64().encode(&buffer))
}

/// The plaintext without its padding; `None` if that is not PKCS#7 over 32 bytes.
///
/// The time depends only on the length: all of the last 32 bytes are compared whatever the last one is, only the result
/// is branched on, and the barrier before that keeps the compiler from leaving the loop early. The `subtle` crate would
/// put a barrier at each byte, and the loop would not become vector instructions.
fn unpadded(plaintext: &[u8]) -> Option<&[u8]> {
    let block: &[u8; 32] = plaintext.last_chunk()?;
    let [.., padding] = *block;
    // Zero for 1..=32 only. Above, the masks below are wrong as well, but the refusal is certain by then.
    let mut wrong = padding.wrapping_sub(1) & !(PADDING_BLOCK - 1);
    for (distance, byte) in (0..PADDING_BLOCK).zip(block.iter().rev()) {
        let is_padding = distance.wrapping_sub(padding) >> 7; // the sign bit: 1 while distance < padding
        wrong |= 0_u8.wrapping_sub(is_padding) & (byte ^ padding);
    }
    if black_box(wrong) != 0 {
        return None;
    }
    plaintext.get(..plaintext.len().checked_sub(usize::from(padding))?)
}

/// Strict standard base64, with the CPU's vector instructions where the library supports them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn envelope_base64() -> &'static impl Engine {
    use base64::engine::{Simd, general_purpose::PAD};
    use std::sync::LazyLock;

    static ENGINE: LazyLock<Simd> = LazyLock::new(|| Simd::standard(PAD));
    &*ENGINE
}

/// Strict standard base64.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn envelope_base64() -> &'static impl Engine {
    &base64::engine::general_purpose::STANDARD
}

/// Why `text`, which is `encrypt` trimmed, was refused, with positions counted in `encrypt`.
fn base64_fault(encrypt: &str, text: &str, error: &DecodeError) -> OpenError {
    let trimmed = encrypt.len() - encrypt.trim_ascii_start().len();
    match (foreign_character(text.trim_end_matches('=')), error) {
        (Some((position, found)), _) => OpenError::Base64Character { position: trimmed + position, found },
        (None, DecodeError::InvalidLastSymbol { .. }) => OpenError::Base64StrayBits,
        (None, _) => OpenError::Base64Cut { characters: text.len() },
    }
}

/// The first character that is not in base64, and its position, counted from 1.
fn foreign_character(text: &str) -> Option<(usize, char)> {
    (1..).zip(text.chars()).find(|(_, c)| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/')))
}

/// A decrypted `Encrypt` with valid padding, length and app id.
///
/// This alone does not prove that it came from WeChat: see [the module](self#what-this-does-not-do).
///
/// # Example: borrowed or owned, both without another allocation
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, open, seal};
///
/// let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
/// let opened = open(&key, "wx0", &seal(&key, "wx0", b"hello")?)?;
/// assert_eq!(opened.message(), b"hello");
/// assert_eq!(opened.into_message(), b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The random bytes, the length and the message.
    buffer: Vec<u8>,
}

impl Opened {
    /// The message's bytes: XML or JSON, depending on the account's settings.
    ///
    /// # Example
    ///
    /// See [`Opened`].
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.buffer.get(HEAD..).unwrap_or_default()
    }

    /// Whether this crate encrypted it with this key, rather than WeChat: a reply that somebody sent back as a push.
    ///
    /// An encrypted reply has the form of a push, and a valid signature. [`Endpoint`](crate::Endpoint) refuses it; if
    /// you decrypt without an endpoint, check it yourself.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::{EncodingAesKey, open, seal, seal_with};
    ///
    /// let key = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
    /// assert!(open(&key, "wx0", &seal(&key, "wx0", b"hello")?)?.was_sealed_here(&key));
    /// assert!(!open(&key, "wx0", &seal_with(&key, "wx0", b"hello", *b"707722b803182950")?)?.was_sealed_here(&key));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn was_sealed_here(&self, key: &EncodingAesKey) -> bool {
        self.buffer.first_chunk().is_some_and(|random| self.buffer.starts_with(&key.marked(*random)))
    }

    /// The message's bytes, in the buffer that they were decrypted in.
    ///
    /// # Example
    ///
    /// See [`Opened`].
    #[must_use]
    pub fn into_message(mut self) -> Vec<u8> {
        self.buffer.drain(..HEAD);
        self.buffer
    }
}

/// Shows the length of the message, but nothing that a user wrote.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.message().len())
    }
}

/// The 43 characters called `EncodingAESKey` in WeChat's console, decoded and ready to use.
///
/// They are base64 without its `=`: 258 bits for a 256-bit key. In WeChat's keys the two spare bits are often not zero,
/// which strict decoders refuse; here they may be anything. The key schedule is computed once and kept, so keep this
/// value and lend it to [`open`] and [`seal`]. `Debug` does not show the key.
///
/// # Example: what is wrong with a key
///
/// ```
/// use wechat_events::cipher::EncodingAesKey;
///
/// let key: EncodingAesKey = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C".parse()?;
/// assert_eq!(format!("{key:?}"), "EncodingAesKey(..)");
///
/// let error = EncodingAesKey::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2").unwrap_err();
/// assert_eq!(error.to_string(), "EncodingAESKey is 42 characters long, WeChat's have 43");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("消息加解密密钥"))]
#[derive(Clone)]
pub struct EncodingAesKey {
    aes: Aes256,
    iv: aes::Block,
}

impl EncodingAesKey {
    /// Reads a key from its 43 characters.
    ///
    /// # Errors
    ///
    /// - ends in `=`, as a base64 encoder would write it: [`KeyError::EqualsSign`];
    /// - a character outside `A`–`Z`, `a`–`z`, `0`–`9`, `+`, `/`, including white space around the key:
    ///   [`KeyError::Character`];
    /// - not 43 characters: [`KeyError::Length`].
    ///
    /// # Example
    ///
    /// See [`EncodingAesKey`].
    pub fn new(key: &str) -> Result<EncodingAesKey, KeyError> {
        const BASE64: GeneralPurpose =
            GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

        if key.ends_with('=') {
            return Err(KeyError::EqualsSign);
        }
        if let Some((position, found)) = foreign_character(key) {
            return Err(KeyError::Character { position, found });
        }
        let bytes = BASE64.decode(key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let bytes = bytes.ok_or(KeyError::Length { characters: key.len() })?;
        let key = Key::<Aes256>::from(bytes);
        let (iv, _) = key.split();
        Ok(EncodingAesKey { aes: Aes256::new(&key), iv })
    }

    /// The bytes in front of a reply: random ones, and the mark derived from them with this key.
    fn marked(&self, random: [u8; DRAW]) -> [u8; RANDOM] {
        let drawn = u128::from(u64::from_be_bytes(random)) << 64;
        let mut block = Array((drawn | MARK).to_be_bytes());
        self.aes.encrypt_block(&mut block);
        (drawn | u128::from_be_bytes(block.0) >> 64).to_be_bytes()
    }
}

impl FromStr for EncodingAesKey {
    type Err = KeyError;

    fn from_str(key: &str) -> Result<EncodingAesKey, KeyError> {
        EncodingAesKey::new(key)
    }
}

impl fmt::Debug for EncodingAesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncodingAesKey(..)")
    }
}
