//! What can be wrong with a key, an `Encrypt` or a message.

use thiserror::Error;

/// Why 43 characters from WeChat's console were not what was given.
///
/// Shows at most one character of the key, and only one that no key has.
///
/// # Example
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, KeyError};
///
/// let error = EncodingAesKey::new("abcdefghijklmnop$rstuvwxyz0123456789ABCDEFG").unwrap_err();
/// assert_eq!(error, KeyError::Character { position: 17, found: '$' });
/// assert_eq!(error.to_string(), "character 17 ('$') of EncodingAESKey is not of the base64 alphabet");
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Fewer or more than 43 characters, all of them of the alphabet.
    #[error("EncodingAESKey is {characters} characters long, WeChat's have 43")]
    Length {
        /// How many there are.
        characters: usize,
    },
    /// A character that base64 does not have; white space and `-`, `_` are such.
    #[error("character {position} ({found:?}) of EncodingAESKey is not of the base64 alphabet")]
    Character {
        /// Its place, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// The `=` of padded base64, which WeChat's console does not show.
    #[error("EncodingAESKey ends in `=`: WeChat's have 43 characters without it")]
    EqualsSign,
}

impl KeyError {
    /// What Tencent's WXBizMsgCrypt returns for it: -40004, a bad AES key.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::EncodingAesKey;
    ///
    /// assert_eq!(EncodingAesKey::new("").unwrap_err().number(), -40004);
    /// ```
    #[must_use]
    pub const fn number(&self) -> i32 {
        -40004
    }
}

/// Why an `Encrypt` did not open, for the log of the person who sets the account up.
///
/// Holds no secret, and is never for the network: see [the module](super#what-this-does-not-do).
///
/// # Example: the usual one
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, OpenError, open, seal_with};
///
/// let theirs = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
/// let ours = EncodingAesKey::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")?;
/// let error = open(&ours, "wx0", &seal_with(&theirs, "wx0", b"hello", [0; 16])?).unwrap_err();
/// assert_eq!(error, OpenError::Padding);
/// assert_eq!(error.to_string(), "padding is not PKCS#7 over 32 bytes: is this the right EncodingAESKey?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// A character that base64 does not have, also white space or `=` amid the text.
    #[error("Encrypt is not base64: character {position} is {found:?}")]
    Base64Character {
        /// Its place, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// The last group of four characters is incomplete or padded in excess.
    #[error("Encrypt is not base64: its {characters} characters do not end in a whole group of four: was it cut?")]
    Base64Cut {
        /// How many there are, without white space around them.
        characters: usize,
    },
    /// The last character sets bits beyond the last byte, which no encoder does.
    #[error("Encrypt is not base64: its last character sets bits that belong to no byte")]
    Base64StrayBits,
    /// What was decoded is shorter than any envelope or not a whole number of AES blocks.
    #[error("Encrypt decodes to {bytes} bytes, not to 32 or more in blocks of 16: was it cut?")]
    BlockLength {
        /// Length in bytes of what was decoded.
        bytes: usize,
    },
    /// The last bytes that were decrypted are no padding.
    #[error("padding is not PKCS#7 over 32 bytes: is this the right EncodingAESKey?")]
    Padding,
    /// Without its padding there is no room for the 16 random bytes and the length.
    #[error("decrypted to {bytes} bytes, too few for the 20 in front of a message")]
    TooShort {
        /// Length in bytes of what was decrypted, without the padding.
        bytes: usize,
    },
    /// The message's length points beyond the end.
    #[error("message length {declared} exceeds the {available} bytes that were decrypted")]
    MessageLength {
        /// The message's length in bytes, as the envelope says.
        declared: u32,
        /// Bytes behind the length, without the padding.
        available: usize,
    },
    /// Sealed for another account than the one configured.
    #[error("decrypted for app id `{}`, configured is `{configured}`", found.escape_debug())]
    AppId {
        /// The id in the envelope: its first 64 characters, `U+FFFD` for what is not UTF-8.
        found: String,
        /// The id it was compared with.
        configured: String,
    },
}

impl OpenError {
    /// What Tencent's WXBizMsgCrypt returns for it.
    ///
    /// -40010 for base64, -40007 for AES and its padding, -40008 for a plaintext of the wrong shape, -40005 for the
    /// app id.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::OpenError;
    ///
    /// assert_eq!(OpenError::Padding.number(), -40007);
    /// ```
    #[must_use]
    pub const fn number(&self) -> i32 {
        match self {
            OpenError::AppId { .. } => -40005,
            OpenError::BlockLength { .. } | OpenError::Padding => -40007,
            OpenError::TooShort { .. } | OpenError::MessageLength { .. } => -40008,
            OpenError::Base64Character { .. } | OpenError::Base64Cut { .. } | OpenError::Base64StrayBits => -40010,
        }
    }
}

/// Why a message could not be sealed.
///
/// # Example
///
/// ```
/// use wechat_events::cipher::SealError;
///
/// let error = SealError::TooLong { bytes: 1 << 32 };
/// assert_eq!(error.to_string(), "message of 4294967296 bytes: its length must fit in 4 bytes");
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {reason}")]
    NoRandomBytes {
        /// What it said.
        reason: String,
    },
    /// The message's length does not fit in the envelope's 4 bytes.
    #[error("message of {bytes} bytes: its length must fit in 4 bytes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl SealError {
    /// What Tencent's WXBizMsgCrypt returns for it: -40006, encryption failed.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::SealError;
    ///
    /// assert_eq!(SealError::TooLong { bytes: 1 << 32 }.number(), -40006);
    /// ```
    #[must_use]
    pub const fn number(&self) -> i32 {
        -40006
    }
}
